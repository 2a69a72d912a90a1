//! What a rule comes to among the others: which tests it lifts, and which other rules leave nothing for it to do.

use serde::Serialize;
use settings::security::mask::Masked;
use settings::security::{Criterion, ListAction, ListKind, ListRule, ListValue};
use settings::{General, Problem, Settings};
use smtp::{Address, Domain, Host};
use ts_rs::TS;

use crate::skips::{Test, lifted, lifts_policies};

/// Other rules of a kind that are named.
const MOST: usize = 5;

/// What is known of a rule while it is edited.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct ListAnalysis {
    /// What it lifts; nothing for the black list.
    pub skips: ListSkips,
    /// Rules that leave nothing for it to do; the first five.
    pub pointless_because: Vec<ListOverlap>,
    /// Rules of the white list that leave less to do for one of the black list; the first five.
    pub narrowed_by: Vec<ListOverlap>,
    /// What is allowed but worth a word about its value.
    pub notes: Vec<ListNote>,
    /// What is wrong with it, with the name of the field as path.
    pub problems: Vec<Problem>,
}

/// What a rule of the white list lifts; what is false still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, TS)]
pub struct ListSkips {
    /// Lists in the DNS.
    pub dnsbl: bool,
    /// SPF
    pub spf: bool,
    /// clamd
    pub antivirus: bool,
    /// DKIM
    pub dkim: bool,
    /// DMARC
    pub dmarc: bool,
    /// Names, greetings, sender policy, rates and bans.
    pub all_policies: bool,
}

/// A word about a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ListNote {
    /// A stable word for it.
    pub code: String,
    /// In English.
    pub message: String,
}

/// Another rule that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ListOverlap {
    /// Its name.
    pub rule: String,
    /// Why.
    pub why: OverlapWhy,
}

/// Why a rule leaves nothing to do for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum OverlapWhy {
    /// It is on the white list, which wins.
    WhiteWins,
    /// It rejects, which wins over discarding.
    RejectWins,
    /// It says the same.
    Same,
    /// It matches the same and perhaps more.
    Covered,
}

/// Looks at `rule` among the enabled rules of `settings`. `own` is the name under which it stands there already, if it does.
pub fn analyse(rule: &ListRule, settings: &Settings, own: Option<&str>) -> ListAnalysis {
    let own = own.unwrap_or(&rule.name).to_lowercase();
    let rules = settings.security.lists.rules();
    let mut others = Vec::new();
    let mut taken = false;
    for other in rules {
        let folded = other.name.to_lowercase();
        if folded != own {
            taken |= folded == rule.name.to_lowercase();
            others.push(other);
        }
    }
    let mut found = about(rule);
    if taken {
        let words = format!("there is another rule \"{}\"", rule.name);
        found.problems.push(Problem::new("name", "taken", words));
    }
    let Some(set) = Set::of(rule) else {
        return found;
    };
    for other in others.into_iter().filter(|other| other.enabled) {
        // Most rules look at something else, and reading them costs the most.
        if set.is_of_client() != matches!(other.criterion, Criterion::Ip | Criterion::IpMask) {
            continue;
        }
        let Some(relation) = Set::of(other).map(|known| known.over(&set, &settings.general)) else {
            continue;
        };
        compare(&mut found, rule, other, relation);
        if found.pointless_because.len() >= MOST && found.narrowed_by.len() >= MOST {
            break;
        }
    }
    found
}

/// What the rule is by itself.
fn about(rule: &ListRule) -> ListAnalysis {
    let without_dot = |problem: Problem| Problem {
        path: problem.path.trim_start_matches('.').into(),
        ..problem
    };
    let notes = rule.notes().into_iter();
    ListAnalysis {
        skips: match rule.list {
            ListKind::White => ListSkips::of(rule.criterion),
            ListKind::Black => ListSkips::default(),
        },
        pointless_because: Vec::new(),
        narrowed_by: Vec::new(),
        notes: notes
            .map(|note| ListNote {
                code: note.code.into(),
                message: note.message,
            })
            .collect(),
        problems: rule.check("").into_iter().map(without_dot).collect(),
    }
}

impl ListSkips {
    fn of(criterion: Criterion) -> Self {
        let (skipped, _) = lifted(criterion);
        let is = |test| skipped.contains(&test);
        Self {
            dnsbl: is(Test::Dnsbl),
            spf: is(Test::Spf),
            antivirus: is(Test::Antivirus),
            dkim: is(Test::Dkim),
            dmarc: is(Test::Dmarc),
            all_policies: lifts_policies(criterion),
        }
    }
}

/// Notes what `other`, whose addresses stand in `relation` to those of `rule`, means for it.
fn compare(found: &mut ListAnalysis, rule: &ListRule, other: &ListRule, relation: Relation) {
    let (place, why) = match (rule.list, other.list, relation) {
        (_, _, Relation::Apart) => return,
        (ListKind::Black, ListKind::White, Relation::Meets) => {
            (&mut found.narrowed_by, OverlapWhy::WhiteWins)
        }
        (ListKind::Black, ListKind::White, _) => {
            (&mut found.pointless_because, OverlapWhy::WhiteWins)
        }
        (ListKind::White, ListKind::Black, _) | (_, _, Relation::Meets) => return,
        (_, _, Relation::Covers | Relation::Equals) => {
            if !does_as_much(other, rule) {
                return;
            }
            (
                &mut found.pointless_because,
                why_covered(rule, other, relation),
            )
        }
    };
    if place.len() < MOST {
        place.push(ListOverlap {
            rule: other.name.clone(),
            why,
        });
    }
}

/// Why a rule of the same list leaves nothing to do.
fn why_covered(rule: &ListRule, other: &ListRule, relation: Relation) -> OverlapWhy {
    if rule.list == ListKind::Black && rule.action != other.action {
        OverlapWhy::RejectWins
    } else if relation == Relation::Equals && rule.criterion == other.criterion {
        OverlapWhy::Same
    } else {
        OverlapWhy::Covered
    }
}

/// Whether a message that both rules of one list match fares no other with `rule` than with `other` alone.
fn does_as_much(other: &ListRule, rule: &ListRule) -> bool {
    match rule.list {
        ListKind::Black => other.action == ListAction::Reject || rule.action == ListAction::Discard,
        ListKind::White => {
            let others = lifted(other.criterion).0;
            let all = lifted(rule.criterion)
                .0
                .iter()
                .all(|test| others.contains(test));
            all && (lifts_policies(other.criterion) || !lifts_policies(rule.criterion))
        }
    }
}

/// How the addresses of one rule lie to those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// They are the same.
    Equals,
    /// All of the other's, and more.
    Covers,
    /// Some of the other's.
    Meets,
    /// None of the other's.
    Apart,
}

/// The addresses that a rule matches.
#[derive(Debug, PartialEq)]
enum Set {
    Client(Masked),
    Sender(Mailboxes),
    Recipient(Mailboxes),
}

#[derive(Debug, PartialEq)]
enum Mailboxes {
    One(Address),
    At(Host),
    Below(Domain),
}

impl Set {
    fn of(rule: &ListRule) -> Option<Self> {
        let mailboxes = match ListValue::parse(rule.criterion, &rule.value).ok()? {
            ListValue::Ip(ip) => return Some(Self::Client(Masked::exactly(ip))),
            ListValue::Masked(masked) => return Some(Self::Client(masked)),
            ListValue::Mailbox(address) => Mailboxes::One(address),
            ListValue::At(host) => Mailboxes::At(host),
            ListValue::Domain(domain) => Mailboxes::At(Host::Domain(domain)),
            ListValue::Below(domain) => Mailboxes::Below(domain),
        };
        Some(match rule.criterion {
            Criterion::Recipient => Self::Recipient(mailboxes),
            _ => Self::Sender(mailboxes),
        })
    }

    fn is_of_client(&self) -> bool {
        matches!(self, Self::Client(_))
    }

    /// How these lie to those of `other`.
    fn over(&self, other: &Self, general: &General) -> Relation {
        match (self, other) {
            (Self::Client(a), Self::Client(b)) if a == b => Relation::Equals,
            (Self::Client(a), Self::Client(b)) if a.covers(b) => Relation::Covers,
            (Self::Client(a), Self::Client(b)) if a.meets(b) => Relation::Meets,
            (Self::Sender(a), Self::Sender(b)) | (Self::Recipient(a), Self::Recipient(b)) => {
                a.over(b, general)
            }
            _ => Relation::Apart,
        }
    }
}

impl Mailboxes {
    fn over(&self, other: &Self, general: &General) -> Relation {
        use Mailboxes::{At, Below, One};
        match (self, other) {
            (One(a), One(b)) => one_over_one(a, b, general),
            (One(a), At(host)) => met(hosts_of(a, general).any(|known| known == *host)),
            (One(a), Below(parent)) => {
                met(hosts_of(a, general).any(|known| is_below(&known, parent)))
            }
            (At(host), One(b)) => all_of(hosts_of(b, general).map(|known| known == *host)),
            (Below(parent), One(b)) => {
                all_of(hosts_of(b, general).map(|known| is_below(&known, parent)))
            }
            (At(a), At(b)) if a == b => Relation::Equals,
            (At(_), At(_)) => Relation::Apart,
            (At(host), Below(parent)) => met(is_below(host, parent)),
            (Below(parent), At(host)) if is_below(host, parent) => Relation::Covers,
            (Below(_), At(_)) => Relation::Apart,
            (Below(a), Below(b)) if a == b => Relation::Equals,
            (Below(a), Below(b)) if is_below(&Host::Domain(b.clone()), a) => Relation::Covers,
            (Below(a), Below(b)) => met(is_below(&Host::Domain(a.clone()), b)),
        }
    }
}

fn met(meets: bool) -> Relation {
    if meets {
        Relation::Meets
    } else {
        Relation::Apart
    }
}

fn all_of(within: impl Iterator<Item = bool>) -> Relation {
    let within: Vec<bool> = within.collect();
    if within.iter().all(|is| *is) {
        Relation::Covers
    } else {
        met(within.contains(&true))
    }
}

/// One of us is the same in each of our domains.
fn hosts_of<'a>(address: &'a Address, general: &'a General) -> impl Iterator<Item = Host> + 'a {
    let local = address
        .domain()
        .is_some_and(|domain| general.is_local_domain(domain));
    let own = (!local).then(|| address.host().clone());
    let ours = general.local_domains().filter(move |_| local);
    own.into_iter().chain(ours.cloned().map(Host::Domain))
}

fn one_over_one(a: &Address, b: &Address, general: &General) -> Relation {
    if !hosts_of(a, general).any(|host| host == *b.host()) {
        return Relation::Apart;
    }
    let (whole_a, whole_b) = (a.local().to_lowercase(), b.local().to_lowercase());
    if whole_a == whole_b {
        Relation::Equals
    } else if whole_a == b.base_local() {
        Relation::Covers
    } else {
        met(a.base_local() == whole_b)
    }
}

fn is_below(host: &Host, parent: &Domain) -> bool {
    match host {
        Host::Domain(domain) => domain
            .ascii()
            .strip_suffix(parent.ascii())
            .is_some_and(|rest| rest.ends_with('.')),
        Host::Literal(_) => false,
    }
}

#[cfg(test)]
mod tests;
