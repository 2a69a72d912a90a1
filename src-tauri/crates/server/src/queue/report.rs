//! Reports to senders (RFC 3464): which of them, and with what.

mod making;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use message::dsn::Action;
use smtp::Address;
use smtp::client::Trouble;
use store::queue::{Accepted, NewRecipient};

use super::mail::{Mail, Waiting};
use super::settle::has_sender;
use crate::content::Arrived;
use crate::shared::Shared;
use making::Making;

/// A new message that is to be accepted.
#[derive(Debug)]
pub(crate) struct Report {
    pub accepted: Accepted,
    /// Its file goes when nobody accepts it.
    pub arrived: Arrived,
    /// The message it is about, as the journal knows it.
    pub on: String,
    /// How many of its recipients it is about.
    pub about: usize,
}

/// Something a sender is told about one recipient.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    address: Address,
    orcpt: Option<String>,
    action: Action,
    status: (u8, u16, u16),
    diagnostic: Option<String>,
    remote: Option<String>,
    until_ms: Option<i64>,
    text: String,
}

impl Event {
    fn new(waiting: &Waiting, action: Action, status: (u8, u8, u16), text: String) -> Self {
        let (class, subject, detail) = status;
        let status = (class, u16::from(subject), detail);
        Self {
            address: waiting.address.clone(),
            orcpt: waiting.parameters.orcpt.clone(),
            action,
            status,
            diagnostic: None,
            remote: None,
            until_ms: None,
            text,
        }
    }

    /// It has the message; a server elsewhere will not say more.
    pub fn delivered(waiting: &Waiting, hop: &str, reply: &str) -> Self {
        let is_here = !waiting.mailbox.is_empty();
        let (action, text) = if is_here {
            (
                Action::Delivered,
                "The message is in the mailbox.".to_owned(),
            )
        } else {
            let text =
                "The next server took the message. It does not say when the message is delivered.";
            (Action::Relayed, text.to_owned())
        };
        Self {
            diagnostic: Some(reply.to_owned()).filter(|reply| !reply.is_empty()),
            remote: remote(hop).filter(|_| !is_here),
            ..Self::new(waiting, action, (2, 0, 0), text)
        }
    }

    /// It never will have it.
    pub fn failed(waiting: &Waiting, trouble: &Trouble, hop: &str) -> Self {
        let (class, subject, detail) = trouble.status;
        let status = (class.max(5), subject, detail);
        Self {
            diagnostic: trouble.reply.clone(),
            remote: trouble.reply.as_ref().and_then(|_| remote(hop)),
            ..Self::new(waiting, Action::Failed, status, trouble.text.clone())
        }
    }

    /// It was tried as long as the settings say. RFC 3463 §3.5: 4.7 is delivery time expired.
    pub fn expired(waiting: &Waiting, trouble: &Trouble, hop: &str) -> Self {
        Self {
            diagnostic: trouble.reply.clone(),
            remote: trouble.reply.as_ref().and_then(|_| remote(hop)),
            ..Self::new(waiting, Action::Failed, (5, 4, 7), gave_up(&trouble.text))
        }
    }

    /// The same for one that was not even tried at the end, as its destination could not be reached.
    pub fn expired_untried(waiting: &Waiting, reason: &str) -> Self {
        Self::new(waiting, Action::Failed, (5, 4, 7), gave_up(reason))
    }

    /// The admin gave it back.
    pub fn returned(waiting: &Waiting) -> Self {
        let mut text =
            "The administrator of this server took the message out of the queue.".to_owned();
        if !waiting.reason.is_empty() {
            text.push_str(&format!(
                " Until then it could not be delivered: {}",
                waiting.reason
            ));
        }
        Self::new(waiting, Action::Failed, (5, 0, 0), text)
    }

    /// It is late.
    pub fn delayed(waiting: &Waiting, reason: &str) -> Self {
        let why = if reason.is_empty() {
            "It has not been possible to deliver the message yet.".to_owned()
        } else {
            reason.to_owned()
        };
        Self {
            until_ms: Some(waiting.expires_at_ms),
            ..Self::new(waiting, Action::Delayed, (4, 4, 7), why)
        }
    }
}

fn gave_up(reason: &str) -> String {
    if reason.is_empty() {
        "The time for trying is over.".to_owned()
    } else {
        format!("The time for trying is over. At the last attempt: {reason}")
    }
}

/// The server's name at the beginning of a description of a connection.
fn remote(hop: &str) -> Option<String> {
    let name = hop.split([',', ' ']).next().unwrap_or_default();
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

/// The reports on a message: one that says it all, several where that would be too much, or none.
pub(crate) async fn about(
    shared: &Arc<Shared>,
    mail: &Arc<Mail>,
    events: Vec<Event>,
) -> Vec<Report> {
    // RFC 5321 §4.5.5, RFC 3464 §2: nobody is told about a report.
    if events.is_empty() || !has_sender(mail) {
        return Vec::new();
    }
    let making = Making {
        mail: Arc::clone(mail),
        snapshot: shared.current.get(),
        spool: shared.spool(),
    };
    let recipients = events.len();
    let made = tokio::task::spawn_blocking(move || making.reports(&events)).await;
    made.unwrap_or_else(|error| {
        let token = mail.token.as_str();
        tracing::error!(token, recipients, "a sender is not told of them: {error}");
        Vec::new()
    })
}

/// A delivery of a plan as the queue keeps it.
pub(crate) fn new_recipient(
    delivery: &policy::Delivery,
    settings: &settings::Delivery,
    now_ms: i64,
    sending: bool,
) -> NewRecipient {
    let expires_at_ms = policy::attempt::expires_at_ms(now_ms, settings);
    let parameters = if delivery.parameters == smtp::RcptParameters::default() {
        String::new()
    } else {
        serde_json::to_string(&delivery.parameters).unwrap_or_default()
    };
    NewRecipient {
        address: delivery.recipient.to_ascii_domain(),
        mailbox: delivery.mailbox.clone().unwrap_or_default(),
        parameters,
        destination: delivery.destination.key(),
        sending,
        next_at_ms: now_ms,
        notice_at_ms: policy::attempt::warn_at_ms(now_ms, settings).unwrap_or(expires_at_ms),
        expires_at_ms,
    }
}
