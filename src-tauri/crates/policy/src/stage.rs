//! The walk through the rules: what they must know, and what follows from what they find. Their order stands in
//! `stage/table.rs`, and who is exempt from which in `stage/exempt.rs`.

mod exempt;
mod table;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use settings::Settings;

use crate::Reason;
use crate::decision::{Decision, Discard, Fact, Finding, Outcome, Step};
use crate::facts::Facts;
use exempt::{Kind, Standing};
use table::{Rule, rules_of};

/// The points of a session at which something must be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A client connected; before the greeting.
    Connect,
    /// EHLO or HELO.
    Helo,
    /// AUTH was asked for; before credentials.
    AuthStart,
    /// Credentials came.
    Auth,
    /// MAIL.
    Sender,
    /// RCPT, once for each.
    Recipient,
    /// DATA, or the first BDAT.
    Data,
    /// After the last byte of the message.
    Message,
}

impl Stage {
    /// The word for it in traces.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Helo => "helo",
            Self::AuthStart | Self::Auth => "auth",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Data => "data",
            Self::Message => "message",
        }
    }
}

/// The facts that must be fetched for a stage, because an active rule reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// [`Facts::load`]
    pub load: bool,
    /// [`Facts::network`]
    pub network: bool,
    /// Failed logins of the address, in [`Facts::attempt`].
    pub failures: bool,
    /// Whether the login is still the account's, in [`Facts::login`].
    pub login: bool,
    /// [`Facts::storage`]
    pub storage: bool,
    /// [`Facts::rates`]
    pub rates: bool,
    /// [`Facts::nonexistent`]
    pub nonexistent: bool,
    /// [`Facts::client_name`]
    pub client_name: bool,
    /// [`Facts::helo_name`]
    pub helo_name: bool,
    /// [`Facts::sender_domain`]
    pub sender_domain: bool,
    /// [`Facts::dnsbl`]
    pub dnsbl: bool,
    /// [`Facts::spf`]
    pub spf: bool,
    /// Signatures, in [`Facts::tests`].
    pub dkim: bool,
    /// DMARC, in [`Facts::tests`].
    pub dmarc: bool,
    /// ARC, in [`Facts::tests`].
    pub arc: bool,
    /// What clamd says, in [`Facts::tests`].
    pub antivirus: bool,
}

impl Needs {
    fn add(&mut self, fact: Fact) {
        *match fact {
            Fact::ClientName => &mut self.client_name,
            Fact::HeloName => &mut self.helo_name,
            Fact::SenderDomain => &mut self.sender_domain,
            Fact::Dnsbl => &mut self.dnsbl,
            Fact::Spf => &mut self.spf,
            Fact::Dkim => &mut self.dkim,
            Fact::Dmarc => &mut self.dmarc,
            Fact::Arc => &mut self.arc,
            Fact::Antivirus => &mut self.antivirus,
        } = true;
    }
}

/// Which facts must be fetched now, for the active rules of `stage`.
///
/// What this machine knows itself is fetched every time, for it changes. Other people's servers are asked only for what
/// is not in `facts` yet and what a rule will read: none that is off, from which the client is exempt, or that comes
/// behind a refusal. The message itself is always read while it arrives.
pub fn needs(stage: Stage, facts: &Facts, settings: &Settings) -> Needs {
    let standing = Standing::of(stage, facts, settings);
    let security = &settings.security;
    let rates = match stage {
        Stage::Connect => {
            let limits = &security.connection_policy;
            limits.max_connections.is_some() || limits.max_connections_per_minute.is_some()
        }
        Stage::Sender => security.connection_policy.max_messages_per_minute.is_some(),
        _ => false,
    };
    let banned = matches!(
        stage,
        Stage::Connect | Stage::Sender | Stage::Recipient | Stage::Data
    ) && security.advanced.max_nonexistent_accounts.is_some();
    let mut needs = Needs {
        load: stage == Stage::Connect,
        network: matches!(stage, Stage::Connect | Stage::Sender)
            && settings.general.skip_auth_for_local_network,
        failures: matches!(stage, Stage::AuthStart | Stage::Auth),
        login: stage == Stage::Sender,
        storage: stage == Stage::Sender,
        rates: rates && standing.exempts(Kind::Rates).is_none(),
        nonexistent: banned && standing.exempts(Kind::Ban).is_none(),
        ..Needs::default()
    };
    if matches!(stage, Stage::Recipient | Stage::Message) {
        from_elsewhere(&mut needs, stage, standing, facts, settings);
    }
    needs
}

/// Asks the rules with what is known: the ones that cannot say anything say what they miss.
fn from_elsewhere(
    needs: &mut Needs,
    stage: Stage,
    standing: Standing<'_>,
    facts: &Facts,
    settings: &Settings,
) {
    for rule in rules_of(stage) {
        // Whether the client is blocked is about to be asked again.
        if rule.kind == Kind::Ban || standing.exempts(rule.kind).is_some() {
            continue;
        }
        match (rule.check)(facts, settings).outcome {
            Outcome::Missing(fact) => needs.add(fact),
            Outcome::Refuse(_) | Outcome::Discard(_) => break,
            Outcome::Pass(_) | Outcome::Skip(_) | Outcome::Undecided(_) => {}
        }
    }
    // RFC 7489 §3.1: DMARC asks for SPF, whether or not anything else does.
    if needs.dmarc && facts.spf.is_none() {
        needs.spf = true;
    }
}

/// Asks every rule of `stage`. The first refusal is the answer; the trace holds what all of them found.
pub fn decide(stage: Stage, facts: &Facts, settings: &Settings) -> Decision {
    let standing = Standing::of(stage, facts, settings);
    let mut walk = Walk {
        decision: Decision {
            refusal: None,
            discard: None,
            trace: Vec::with_capacity(16),
        },
        undecided: None,
    };
    for rule in rules_of(stage) {
        let finding = match standing.exempts(rule.kind) {
            Some(why) => Finding::skip(why),
            None => (rule.check)(facts, settings),
        };
        walk.found(rule, finding, facts.resolver_down.as_deref());
    }
    walk.end()
}

/// A decision that is being made.
struct Walk {
    decision: Decision,
    /// The first rule for which the DNS had no answer: its place in the trace, and what would be said.
    undecided: Option<(usize, Reason)>,
}

impl Walk {
    fn found(&mut self, rule: &Rule, finding: Finding, resolver_down: Option<&str>) {
        let decision = &mut self.decision;
        let mut setting = Some(rule.setting).filter(|path| !path.is_empty());
        let (result, text): (_, Cow<'static, str>) = match finding.outcome {
            Outcome::Pass(text) => ("pass", text),
            Outcome::Skip(text) => ("skip", text),
            Outcome::Missing(_) => ("skip", "not known".into()),
            Outcome::Refuse(reason) => {
                let words = reason.text();
                setting = reason.setting().or(setting);
                decision.refusal = match decision.refusal.take() {
                    Some(first) => Some(first.and(&reason)),
                    None if decision.discard.is_some() => None,
                    None => Some(*reason),
                };
                ("refuse", words.into())
            }
            Outcome::Undecided(reason) => {
                let words = reason.text();
                let text = match resolver_down {
                    Some(why) => format!("let through, for no name server answers: {why}"),
                    None => {
                        let place = decision.trace.len();
                        self.undecided.get_or_insert((place, *reason));
                        words
                    }
                };
                ("note", text.into())
            }
            Outcome::Discard(by) => {
                let text = format!("discarded by rule \"{by}\"");
                if decision.refusal.is_none() {
                    decision.discard.get_or_insert(Discard {
                        rule: by,
                        setting: rule.setting,
                    });
                }
                ("note", text.into())
            }
        };
        decision.trace.push(Step {
            stage: rule.stage.word().into(),
            check: rule.name.into(),
            result: result.into(),
            input: finding.input,
            text,
            setting: setting.map(Into::into),
        });
    }

    /// Somebody who would be let in is asked to come back when the DNS can be asked.
    fn end(mut self) -> Decision {
        if self.decision.accepts()
            && self.decision.discard.is_none()
            && let Some((place, reason)) = self.undecided
        {
            if let Some(step) = self.decision.trace.get_mut(place) {
                step.result = "refuse".into();
            }
            self.decision.refusal = Some(reason);
        }
        self.decision
    }
}

/// What a refused recipient means for the limit of accounts that do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// It does not count.
    No,
    /// It counts.
    UpTo {
        /// The account that makes so many blocks the client for the rest of the day. Only who counts can tell which one
        /// that is: other sessions of the client count at the same time.
        limit: u32,
    },
}

/// Whether the recipient that `decision` refused counts against the client.
pub fn counting(decision: &Decision, facts: &Facts, settings: &Settings) -> Counting {
    let Some(limit) = settings.security.advanced.max_nonexistent_accounts else {
        return Counting::No;
    };
    let unknown = matches!(decision.refusal, Some(Reason::NoSuchUser { .. }));
    let standing = Standing::of(Stage::Recipient, facts, settings);
    if !unknown || standing.exempts(Kind::Ban).is_some() {
        return Counting::No;
    }
    Counting::UpTo { limit }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tests;
