//! Tab *Black and White Lists*: rules that name who is refused and who is let through.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smtp::Address;
use ts_rs::TS;

use super::index::{Found, Index};
use super::value::{ListValue, ValueNote};
use crate::{General, Problem};

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ListRule {
    /// Its name, 1 to 64 characters, unlike that of any other rule, upper and lower case aside.
    pub name: String,
    /// On which list it stands.
    pub list: ListKind,
    /// What of a message it looks at.
    pub criterion: Criterion,
    /// What it looks for, in the form that the criterion has.
    pub value: String,
    /// What becomes of a message that matches; of no meaning on the white list.
    #[serde(default)]
    pub action: ListAction,
    /// A rule that is not enabled matches nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// For people to read.
    #[serde(default)]
    pub comment: String,
}

fn yes() -> bool {
    true
}

/// On which list a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// Who matches is refused.
    Black,
    /// Who matches is let through.
    White,
}

/// What of a message a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The client's address.
    Ip,
    /// The client's address under a mask.
    IpMask,
    /// The sender: an address or `@domain`.
    Sender,
    /// A recipient: an address or `@domain`.
    Recipient,
    /// The sender's domain, or with a dot before it the domains below it; white rules alone have it.
    Domain,
}

/// What becomes of a message that a rule of the black list matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ListAction {
    /// It is refused, and the sender is told.
    #[default]
    Reject,
    /// It is taken and thrown away; nobody is told.
    Discard,
}

impl ListKind {
    /// The word for it in documents and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::White => "white",
        }
    }
}

impl Criterion {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Ip,
        Self::IpMask,
        Self::Sender,
        Self::Recipient,
        Self::Domain,
    ];

    /// The word for it in documents and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::IpMask => "ip_mask",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Domain => "domain",
        }
    }
}

impl ListAction {
    /// The word for it in documents and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Discard => "discard",
        }
    }
}

/// Most rules; each costs some 200 bytes of memory.
pub const MAX_RULES: usize = 200_000;
const MAX_NAME: usize = 64;
/// The longest international address, 64 letters of 4 octets and a domain, has 510.
const MAX_VALUE: usize = 600;
const MAX_COMMENT: usize = 500;
/// Each mask with holes costs a look-up for each recipient.
const MAX_MASKS_WITH_HOLES: usize = 256;
/// More are not told.
const MAX_PROBLEMS: usize = 100;
const MAX_WARNINGS: usize = 20;

impl ListRule {
    /// What is wrong with the rule alone, its value aside: field, code and words.
    fn problems_but_value(&self) -> Vec<(&'static str, &'static str, String)> {
        let mut problems = Vec::new();
        if let Some((code, words)) = name_problem(&self.name) {
            problems.push(("name", code, words));
        }
        if self.list == ListKind::Black && self.criterion == Criterion::Domain {
            problems.push((
                "criterion",
                "white_only",
                format!(
                    "the criterion Domain is for the white list; to refuse the domain's mail, choose Sender and write @{}",
                    self.value.trim().trim_start_matches('.')
                ),
            ));
        }
        if self.value.len() > MAX_VALUE {
            problems.push((
                "value",
                "too_long",
                format!("a value has at most {MAX_VALUE} characters"),
            ));
        }
        if self.comment.chars().count() > MAX_COMMENT || self.comment.chars().any(char::is_control)
        {
            problems.push((
                "comment",
                "bad_comment",
                format!("a comment can have at most {MAX_COMMENT} characters and no line breaks"),
            ));
        }
        problems
    }

    /// What is wrong with the rule, as if it stood alone at `path`.
    pub fn check(&self, path: &str) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self
            .problems_but_value()
            .into_iter()
            .map(|found| self.problem(path, found))
            .collect();
        if let Err(error) = ListValue::parse(self.criterion, &self.value) {
            problems.push(self.problem(path, ("value", error.code(), error.to_string())));
        }
        problems
    }

    fn problem(&self, path: &str, (field, code, words): (&str, &str, String)) -> Problem {
        let value = match field {
            "name" => &self.name,
            "comment" => &self.comment,
            _ => &self.value,
        };
        Problem::new(format!("{path}.{field}"), code, words)
            .arg("value", shortened(value))
            .arg("rule", shortened(&self.name))
    }

    /// What is allowed but worth a word about the value.
    pub fn notes(&self) -> Vec<ValueNote> {
        ListValue::notes(self.criterion, &self.value)
    }
}

/// Why a text cannot be the name of a rule, or `None` if it can.
pub fn name_problem(name: &str) -> Option<(&'static str, String)> {
    if name.trim().is_empty() {
        return Some(("empty", "a rule needs a name".into()));
    }
    if name.chars().count() > MAX_NAME {
        return Some((
            "too_long",
            format!("a name has at most {MAX_NAME} characters"),
        ));
    }
    if name.chars().any(char::is_control) || name.trim() != name {
        return Some((
            "bad_rule_name",
            "a name cannot have line breaks, or spaces at its ends".into(),
        ));
    }
    None
}

/// A value that a message names is not shown without end.
fn shortened(text: &str) -> String {
    text.chars().take(MAX_VALUE).collect()
}

/// All rules. A clone shares them, and with them the index that the first look-up makes.
#[derive(Clone, Default)]
pub struct Lists(Arc<Shared>);

#[derive(Default)]
struct Shared {
    rules: Vec<ListRule>,
    index: OnceLock<Index>,
}

impl Lists {
    /// The rules, in the order in which they were given; it has no meaning.
    pub fn rules(&self) -> &[ListRule] {
        &self.0.rules
    }

    /// The rule of that name, upper and lower case aside. For single questions; it goes through all rules.
    pub fn find(&self, name: &str) -> Option<&ListRule> {
        let name = name.to_lowercase();
        self.0
            .rules
            .iter()
            .find(|rule| rule.name.to_lowercase() == name)
    }

    /// Enabled rules for a client, by IP and IP/subnet mask, of both lists. Of several rules with the same list, action
    /// and value only the first is found, here and below.
    pub fn of_client(&self, ip: IpAddr) -> Found<'_> {
        self.index().of_client(&self.0.rules, ip)
    }

    /// Enabled rules for a sender, by Sender and Domain. `general` knows which domains are one.
    pub fn of_sender(&self, address: &Address, general: &General) -> Found<'_> {
        self.index().of_sender(&self.0.rules, address, general)
    }

    /// Enabled rules for a recipient.
    pub fn of_recipient(&self, address: &Address, general: &General) -> Found<'_> {
        self.index().of_recipient(&self.0.rules, address, general)
    }

    /// Makes the index now, which takes some 100 ms for 100,000 rules, so that no look-up has to.
    pub fn prepare(&self) {
        self.index();
    }

    fn index(&self) -> &Index {
        self.0
            .index
            .get_or_init(|| Index::of(&self.0.rules, MAX_PROBLEMS))
    }

    /// The rules sorted by name, which is how they are stored.
    #[must_use]
    pub(crate) fn in_order(self) -> Self {
        if self.0.rules.is_sorted_by(|a, b| a.name <= b.name) {
            return self;
        }
        let mut rules = self.0.rules.clone();
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        rules.into()
    }

    pub(crate) fn check(&self) -> Vec<Problem> {
        let rules = &self.0.rules;
        let mut problems = Vec::new();
        if rules.len() > MAX_RULES {
            problems.push(
                Problem::new(
                    PATH,
                    "too_many",
                    format!("at most {MAX_RULES} rules are allowed"),
                )
                .arg("max", MAX_RULES),
            );
            return problems;
        }
        let mut names: HashMap<String, usize> = HashMap::with_capacity(rules.len());
        for (at, rule) in rules.iter().enumerate() {
            let path = path_of(at);
            let found = rule.problems_but_value();
            problems.extend(found.into_iter().map(|one| rule.problem(&path, one)));
            if names.insert(rule.name.to_lowercase(), at).is_some() {
                let words = format!("there is another rule \"{}\"", shortened(&rule.name));
                problems.push(rule.problem(&path, ("name", "taken", words)));
            }
            if problems.len() >= MAX_PROBLEMS {
                return problems;
            }
        }
        self.check_values(&mut problems);
        problems
    }

    fn check_values(&self, problems: &mut Vec<Problem>) {
        let index = self.index();
        for (at, error) in &index.unreadable {
            if let Some(rule) = self.0.rules.get(*at) {
                problems
                    .push(rule.problem(&path_of(*at), ("value", error.code(), error.to_string())));
            }
        }
        if index.masks_with_holes > MAX_MASKS_WITH_HOLES {
            problems.push(
                Problem::new(
                    PATH,
                    "too_many_masks",
                    format!("at most {MAX_MASKS_WITH_HOLES} different masks that are not contiguous are allowed"),
                )
                .arg("max", MAX_MASKS_WITH_HOLES),
            );
        }
        problems.truncate(MAX_PROBLEMS);
    }

    /// White rules for everybody, which leave little of the other settings.
    pub(crate) fn warnings(&self) -> Vec<Problem> {
        let rules = self.0.rules.iter().enumerate();
        let white = rules.filter(|(_, rule)| rule.enabled && rule.list == ListKind::White);
        white
            .filter(|(_, rule)| rule.notes().iter().any(|note| note.code == "everybody"))
            .map(|(at, rule)| {
                let words = format!("rule \"{}\" lets everybody through the tests", rule.name);
                Problem::new(format!("{}.value", path_of(at)), "everybody", words)
            })
            .take(MAX_WARNINGS)
            .collect()
    }
}

const PATH: &str = "security.lists";

fn path_of(at: usize) -> String {
    format!("{PATH}[{at}]")
}

impl From<Vec<ListRule>> for Lists {
    fn from(rules: Vec<ListRule>) -> Self {
        Self(Arc::new(Shared {
            rules,
            index: OnceLock::new(),
        }))
    }
}

impl FromIterator<ListRule> for Lists {
    fn from_iter<I: IntoIterator<Item = ListRule>>(rules: I) -> Self {
        rules.into_iter().collect::<Vec<_>>().into()
    }
}

impl PartialEq for Lists {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.rules == other.0.rules
    }
}

impl Eq for Lists {}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.rules.fmt(f)
    }
}

impl Serialize for Lists {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.rules.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Lists {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::<ListRule>::deserialize(from).map(Self::from)
    }
}

#[cfg(test)]
mod tests;
