//! A message on its way, and those it goes to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smtp::{Address, MailParameters, RcptParameters, ReversePath};
use store::queue::{Accepted, Due, NewRecipient, recipient_id};
use store::spool::Content;

/// What travels with a message beside its sender: kept as JSON in the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Carriage {
    /// As MAIL said.
    pub mail: MailParameters,
    /// The header holds octets above 127 (RFC 6531 §3.2).
    pub eight_bit_header: bool,
    /// The body does (RFC 6152).
    pub eight_bit_body: bool,
    /// There is a NUL, which no mail may hold on its way (RFC 2045 §§2.7, 2.8): some servers drop it, and what stood beside
    /// it means something else then.
    pub nul: bool,
}

impl Carriage {
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A message.
#[derive(Debug)]
pub(crate) struct Mail {
    pub id: i64,
    pub token: String,
    pub accepted_at_ms: i64,
    pub sender: ReversePath,
    pub carriage: Carriage,
    pub head: String,
    pub content: Content,
}

/// A recipient.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub id: i64,
    pub address: Address,
    /// Empty for recipients elsewhere.
    pub mailbox: String,
    pub parameters: RcptParameters,
    /// Attempts so far.
    pub attempts: u32,
    pub expires_at_ms: i64,
    /// What was said at the last attempt.
    pub reason: String,
}

/// A message and those of its recipients that have one destination.
#[derive(Debug)]
pub(crate) struct Job {
    pub mail: Arc<Mail>,
    pub recipients: Vec<Waiting>,
}

impl Job {
    /// Octets it holds in memory.
    pub fn octets(&self) -> usize {
        octets(&self.mail.content)
    }
}

/// Work of a lane.
#[derive(Debug)]
pub(crate) enum Ready {
    /// A message that was just accepted, with its content.
    Job(Job),
    /// What the tables say of one. Whoever works on it reads the content: a thousand of these must not hold a thousand
    /// messages in memory.
    Row(Due),
}

impl Ready {
    /// Octets of content it holds in memory.
    pub fn octets(&self) -> usize {
        match self {
            Self::Job(job) => job.octets(),
            Self::Row(_) => 0,
        }
    }

    /// Octets of content that it holds once it is read.
    pub fn size(&self) -> u64 {
        match self {
            Self::Job(job) => job.mail.content.length(),
            Self::Row(due) => due.size,
        }
    }

    /// Whether it is known of each of its recipients whose mailbox it is.
    pub fn has_all_mailboxes(&self) -> bool {
        match self {
            Self::Job(job) => job.recipients.iter().all(|one| !one.mailbox.is_empty()),
            Self::Row(due) => due.recipients.iter().all(|one| !one.mailbox.is_empty()),
        }
    }

    /// Numbers of its recipients.
    pub fn ids(&self) -> Vec<i64> {
        match self {
            Self::Job(job) => job.recipients.iter().map(|waiting| waiting.id).collect(),
            Self::Row(due) => due.recipients.iter().map(|row| row.id).collect(),
        }
    }
}

/// Octets that content holds in memory.
pub(crate) fn octets(content: &Content) -> usize {
    match content {
        Content::Memory(bytes) => bytes.len(),
        Content::File(_) => 0,
    }
}

/// The reverse-path as the queue keeps it: A-labels, quoted where needed, empty for the null sender.
pub(crate) fn sender_text(path: &ReversePath) -> String {
    path.address()
        .map(Address::to_ascii_domain)
        .unwrap_or_default()
}

fn sender(text: &str) -> Option<ReversePath> {
    if text.is_empty() {
        Some(ReversePath::Null)
    } else {
        Address::parse(text).ok().map(ReversePath::Address)
    }
}

impl Mail {
    /// A message that was just accepted.
    pub fn accepted(id: i64, accepted: &Accepted, content: Content) -> Option<Self> {
        Some(Self {
            id,
            token: accepted.token.clone(),
            accepted_at_ms: accepted.accepted_at_ms,
            sender: sender(&accepted.sender)?,
            carriage: serde_json::from_str(&accepted.parameters).ok()?,
            head: accepted.head.clone(),
            content,
        })
    }

    /// A message from the tables.
    pub fn due(due: &Due, content: Content) -> Option<Self> {
        Some(Self {
            id: due.message,
            token: due.token.clone(),
            accepted_at_ms: due.accepted_at_ms,
            sender: sender(&due.sender)?,
            carriage: serde_json::from_str(&due.parameters).ok()?,
            head: due.head.clone(),
            content,
        })
    }
}

fn parameters(text: &str) -> RcptParameters {
    serde_json::from_str(text).unwrap_or_default()
}

impl Waiting {
    /// The recipient of a message that was just accepted; `place` among its recipients.
    pub fn accepted(message: i64, place: usize, new: &NewRecipient) -> Option<Self> {
        Some(Self {
            id: recipient_id(message, place),
            address: Address::parse(&new.address).ok()?,
            mailbox: new.mailbox.clone(),
            parameters: parameters(&new.parameters),
            attempts: 0,
            expires_at_ms: new.expires_at_ms,
            reason: String::new(),
        })
    }

    /// A recipient from the tables.
    pub fn due(due: &store::queue::DueRecipient) -> Option<Self> {
        Some(Self {
            id: due.id,
            address: Address::parse(&due.address).ok()?,
            mailbox: due.mailbox.clone(),
            parameters: parameters(&due.parameters),
            attempts: due.attempts,
            expires_at_ms: due.expires_at_ms,
            reason: due.reason.clone(),
        })
    }
}
