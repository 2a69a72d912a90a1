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
    Skip(&'static str),
    /// It must be refused.
    Refuse(Box<Reason>),
}

impl Finding {
    pub(crate) fn pass(input: impl Into<String>, why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            input: input.into(),
            outcome: Outcome::Pass(why.into()),
        }
    }

    pub(crate) fn skip(why: &'static str) -> Self {
        Self {
            input: String::new(),
            outcome: Outcome::Skip(why),
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
    /// All checks of the stage, in order.
    pub trace: Vec<Step>,
}

impl Decision {
    /// Whether the client may go on.
    pub fn accepts(&self) -> bool {
        self.refusal.is_none()
    }
}
