//! From what the tables say of a message to the message.

use std::sync::Arc;

use store::Store;
use store::queue::{Due, Fate, Finished};

use super::mail::{Job, Mail, Ready, Waiting};
use super::settle::{self, Settlement};
use crate::clock;
use crate::shared::Shared;

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

/// A message with its content. One that cannot be read stays as it is, for the admin to see; it is tried again by the
/// schedule.
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

/// Has it wait again.
pub(super) async fn put_off(shared: &Arc<Shared>, unreadable: Box<Unreadable>) {
    let Unreadable { due, why } = *unreadable;
    tracing::error!(
        token = due.token,
        "a message in the queue cannot be read: {why}"
    );
    let now_ms = clock::now_ms();
    let delivery = &shared.current.get().settings.delivery;
    let finished = due
        .recipients
        .iter()
        .map(|recipient| {
            let tried = policy::attempt::Attempt {
                now_ms,
                // It does not expire: nobody could be told what it was.
                accepted_at_ms: now_ms,
                attempts: recipient.attempts + 1,
                permanent: false,
            };
            let next_at_ms = match policy::attempt::after_failure(&tried, delivery) {
                policy::attempt::Next::Retry { at_ms } => at_ms,
                _ => now_ms + 3_600_000,
            };
            Finished {
                recipient: recipient.id,
                token: due.token.clone(),
                address: recipient.address.clone(),
                at_ms: now_ms,
                fate: Fate::Deferred {
                    next_at_ms,
                    notice_at_ms: Some(i64::MAX),
                    reason: format!("the spool could not be read: {why}"),
                },
                hop: String::new(),
                reply: String::new(),
            }
        })
        .collect();
    let settlement = Settlement {
        destinations: due
            .recipients
            .iter()
            .map(|recipient| recipient.destination.clone())
            .collect(),
        finished,
        ..Settlement::default()
    };
    settle::enter(shared, settlement).await;
}
