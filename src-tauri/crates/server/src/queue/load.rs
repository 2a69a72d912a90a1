//! From what the tables say of a message to the message.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use policy::attempt::{self, Next};
use smtp::client::Trouble;
use smtp::{Address, Ret, ReversePath};
use store::Store;
use store::queue::{Due, DueRecipient, Fate, Finished};
use store::spool::Content;

use super::mail::{Carriage, Job, Mail, Ready, Waiting};
use super::report::{self, Event};
use super::settle::{self, Settlement, wants_failure};
use crate::clock;
use crate::shared::Shared;

/// What queue and sender are told; the history has the details, which are the admin's alone.
const UNREADABLE: &str = "the message cannot be read from the spool";

/// A message from the tables that cannot be read, and why.
#[derive(Debug)]
pub(super) struct Unreadable {
    due: Due,
    why: String,
}

/// Reads the content of a message. Blocking.
pub(super) fn read(store: &Store, ready: Ready) -> Result<Job, Box<Unreadable>> {
    let due = match ready {
        Ready::Job(job) => return Ok(job),
        Ready::Row(due) => due,
    };
    let content = match store.content(due.message) {
        Ok(content) => content,
        Err(error) => {
            let why = error.to_string();
            return Err(Box::new(Unreadable { due, why }));
        }
    };
    let mail = Mail::due(&due, content).map(Arc::new);
    let recipients: Option<Vec<Waiting>> = due.recipients.iter().map(Waiting::due).collect();
    match (mail, recipients) {
        (Some(mail), Some(recipients)) => Ok(Job { mail, recipients }),
        _ => Err(Box::new(Unreadable {
            due,
            why: "its entry in the queue cannot be understood".into(),
        })),
    }
}

/// A message as far as it can be read. Its sender hears what becomes of it also when its content is gone.
#[derive(Debug)]
pub(super) struct Remains {
    /// Without content where that cannot be read.
    pub mail: Arc<Mail>,
    /// Each with what is known of it, unless its entry cannot be understood.
    pub recipients: Vec<(DueRecipient, Option<Waiting>)>,
}

/// Reads what there is of a message that a report is made on.
pub(super) async fn remains(shared: &Arc<Shared>, due: Due) -> Remains {
    let (store, message) = (shared.store.clone(), due.message);
    let content = tokio::task::spawn_blocking(move || {
        store.content(message).map_err(|error| error.to_string())
    });
    let content = content.await.unwrap_or_else(|error| Err(error.to_string()));
    let whole = match content {
        Ok(content) => Mail::due(&due, content),
        Err(why) => {
            tracing::error!(
                token = due.token,
                "a report cannot give back its message, which cannot be read: {why}"
            );
            None
        }
    };
    let mail = Arc::new(whole.unwrap_or_else(|| bare(&due)));
    let recipients = due.recipients.into_iter().map(|row| {
        let waiting = Waiting::due(&row);
        (row, waiting)
    });
    Remains {
        mail,
        recipients: recipients.collect(),
    }
}

/// What the tables alone know of a message.
fn bare(due: &Due) -> Mail {
    let nothing = || Content::Memory(Arc::default());
    let mut mail = Mail::due(due, nothing()).unwrap_or_else(|| Mail {
        id: due.message,
        token: due.token.clone(),
        accepted_at_ms: due.accepted_at_ms,
        sender: Address::parse(&due.sender).map_or(ReversePath::Null, ReversePath::Address),
        carriage: Carriage::default(),
        head: due.head.clone(),
        content: nothing(),
    });
    // Nobody must take it for a message without text.
    mail.carriage.mail.ret = Some(Ret::Headers);
    mail
}

/// A message with its content. One that cannot be read waits as after any attempt that failed.
pub(super) async fn job(shared: &Arc<Shared>, ready: Ready) -> Option<Job> {
    let due = match ready {
        Ready::Job(job) => return Some(job),
        Ready::Row(due) => due,
    };
    let (store, again) = (shared.store.clone(), due.clone());
    let got = tokio::task::spawn_blocking(move || read(&store, Ready::Row(due))).await;
    let unreadable = match got {
        Ok(Ok(job)) => return Some(job),
        Ok(Err(unreadable)) => unreadable,
        Err(error) => Box::new(Unreadable {
            due: again,
            why: error.to_string(),
        }),
    };
    put_off(shared, unreadable).await;
    None
}

/// Has it wait again, or returns what there is of it when its time is over.
pub(super) async fn put_off(shared: &Arc<Shared>, unreadable: Box<Unreadable>) {
    let Unreadable { due, why } = *unreadable;
    tracing::error!(
        token = due.token,
        "a message in the queue cannot be read: {why}"
    );
    let now_ms = clock::now_ms();
    let delivery = &shared.current.get().settings.delivery;
    let trouble = Trouble::new((4, 3, 0), UNREADABLE);
    let mut events = Vec::new();
    let mut finished = Vec::new();
    for row in &due.recipients {
        let tried = attempt::Attempt {
            now_ms,
            accepted_at_ms: due.accepted_at_ms,
            attempts: row.attempts + 1,
            permanent: false,
        };
        let fate = match attempt::after_failure(&tried, delivery) {
            Next::Retry { at_ms } => Fate::Deferred {
                next_at_ms: at_ms,
                notice_at_ms: None,
                reason: UNREADABLE.into(),
            },
            Next::GiveUp | Next::Fail => {
                let told = Waiting::due(row).filter(wants_failure);
                events.extend(told.map(|waiting| Event::expired(&waiting, &trouble, "")));
                Fate::Failed
            }
        };
        finished.push(Finished {
            recipient: row.id,
            token: due.token.clone(),
            address: row.address.clone(),
            at_ms: now_ms,
            fate,
            hop: String::new(),
            reply: format!("{UNREADABLE}: {why}"),
        });
    }
    let settlement = Settlement {
        destinations: due
            .recipients
            .iter()
            .map(|row| row.destination.clone())
            .collect(),
        finished,
        reports: report::about(shared, &Arc::new(bare(&due)), events).await,
        ..Settlement::default()
    };
    settle::enter(shared, settlement).await;
}
