//! What a decision is made of.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Reason;

/// What one rule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The value the rule looked at, for people to read.
    pub input: String,
    /// What came out.
    pub outcome: Outcome,
}

/// The ways in which a rule can end.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Nothing against it; the words say why.
    Pass(Cow<'static, str>),
    /// The rule does not apply; the words say why.
    Skip(Cow<'static, str>),
    /// It cannot be said without this, which was not fetched.
    Missing(Fact),
    /// It must be refused.
    Refuse(Box<Reason>),
    /// The DNS could not say. It is refused for now if nothing else is against it, so that the client comes back; unless
    /// no name server answers at all, for then everybody would be kept waiting.
    Undecided(Box<Reason>),
    /// It is taken and thrown away without a word to the sender; by which rule.
    Discard(String),
}

/// What has to be fetched from elsewhere before a rule can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named as its field in `Facts`")]
pub enum Fact {
    ClientName,
    HeloName,
    SenderDomain,
    Dnsbl,
    Spf,
    Dkim,
    Dmarc,
    Arc,
    Antivirus,
}

impl Finding {
    pub(crate) fn pass(input: impl Into<String>, why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            input: input.into(),
            outcome: Outcome::Pass(why.into()),
        }
    }

    pub(crate) fn skip(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            input: String::new(),
            outcome: Outcome::Skip(why.into()),
        }
    }

    pub(crate) fn missing(fact: Fact) -> Self {
        Self {
            input: String::new(),
            outcome: Outcome::Missing(fact),
        }
    }

    pub(crate) fn undecided(input: impl Into<String>, reason: Reason) -> Self {
        Self {
            input: input.into(),
            outcome: Outcome::Undecided(Box::new(reason)),
        }
    }

    pub(crate) fn discard(input: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            input: input.into(),
            outcome: Outcome::Discard(rule.into()),
        }
    }

    pub(crate) fn refuse(input: impl Into<String>, reason: Reason) -> Self {
        Self {
            input: input.into(),
            outcome: Outcome::Refuse(Box::new(reason)),
        }
    }
}

/// One line of a trace: a check, what it looked at and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct Step {
    /// Where in the session: connect, helo, auth, sender, recipient, data, message, delivery, protocol.
    pub stage: Cow<'static, str>,
    /// Name of the rule.
    pub check: Cow<'static, str>,
    /// `pass`, `refuse`, `skip` or `note`.
    #[ts(type = "\"pass\" | \"refuse\" | \"skip\" | \"note\"")]
    pub result: Cow<'static, str>,
    /// The value looked at.
    pub input: String,
    /// The outcome in words.
    pub text: Cow<'static, str>,
    /// Path of the setting that the rule reads, if any.
    pub setting: Option<Cow<'static, str>>,
}

/// The answer to a question, with every check that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The first refusal, or none.
    pub refusal: Option<Reason>,
    /// Set where the client is told yes and gets no: what throws it away. For RCPT this is the recipient in
    /// question, for a message the whole of it. Never together with a refusal.
    pub discard: Option<Discard>,
    /// All checks of the stage, in order.
    pub trace: Vec<Step>,
}

/// What throws away mail that the client was told is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discard {
    /// Name of the rule.
    pub rule: String,
    /// Path of the setting behind it.
    pub setting: &'static str,
}

impl Decision {
    /// Whether the client may go on.
    pub fn accepts(&self) -> bool {
        self.refusal.is_none()
    }
}
