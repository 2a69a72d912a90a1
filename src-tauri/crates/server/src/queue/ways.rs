//! Whether a message that was taken for a destination still goes there: the settings may have changed since.

use std::sync::Arc;

use policy::facts::{Client, Envelope, Port};
use policy::{Destination, Facts, destination, plan};
use settings::Settings;
use smtp::client::Trouble;
use smtp::{Address, ForwardPath, ReversePath};
use store::queue::Moved;

use super::mail::{Job, Waiting};
use super::settle::{self, Settlement};
use crate::shared::Shared;

/// What a message for one address comes to under these settings.
pub(crate) fn deliveries(to: &Address, settings: &Settings) -> Vec<policy::Delivery> {
    let here = Client {
        ip: std::net::Ipv4Addr::LOCALHOST.into(),
        port: Port::Smtp,
        tls: None,
    };
    let facts = Facts {
        envelope: Envelope {
            sender: Some(ReversePath::Null),
            recipients: vec![ForwardPath::Address(to.clone())],
            ..Envelope::default()
        },
        ..Facts::of_client(here)
    };
    plan(&facts, settings).deliveries
}

/// Recipients of a job, by what is to be done with them.
#[derive(Debug, Default)]
struct Sorted {
    /// They go where they were taken for.
    here: Vec<Waiting>,
    /// They wait for another destination.
    moved: Vec<Moved>,
    /// Their domain is ours now, and they do not exist in it.
    nobody: Vec<Waiting>,
}

fn sort(recipients: Vec<Waiting>, taken_for: &str, settings: &Settings) -> Sorted {
    let mut sorted = Sorted::default();
    for waiting in recipients {
        if !waiting.mailbox.is_empty() {
            // Who was accepted for a mailbox keeps it.
            sorted.here.push(waiting);
            continue;
        }
        let goes_to = destination(&waiting.address, settings);
        let mailboxes: Vec<String> = if goes_to == Destination::Mailbox {
            let deliveries = deliveries(&waiting.address, settings);
            deliveries
                .into_iter()
                .filter_map(|one| one.mailbox)
                .collect()
        } else {
            Vec::new()
        };
        let key = goes_to.key();
        if goes_to == Destination::Mailbox && mailboxes.is_empty() {
            sorted.nobody.push(waiting);
        } else if key == taken_for && mailboxes.is_empty() {
            sorted.here.push(waiting);
        } else {
            sorted.moved.push(Moved {
                recipient: waiting.id,
                destination: key,
                mailboxes,
            });
        }
    }
    sorted
}

/// Leaves those recipients in the job that go where they were taken for, and sees to the others. `None` when nobody is
/// left.
pub(super) async fn keep_those_who_go_there(
    shared: &Arc<Shared>,
    taken_for: &str,
    job: Job,
) -> Option<Job> {
    if job
        .recipients
        .iter()
        .all(|waiting| !waiting.mailbox.is_empty())
    {
        return Some(job);
    }
    let Job { mail, recipients } = job;
    let snapshot = shared.current.get();
    let sorted = sort(recipients, taken_for, &snapshot.settings);
    if !sorted.moved.is_empty() {
        let settlement = Settlement {
            destinations: sorted
                .moved
                .iter()
                .map(|one| one.destination.clone())
                .collect(),
            moved: sorted.moved,
            ..Settlement::default()
        };
        settle::enter(shared, settlement).await;
    }
    if !sorted.nobody.is_empty() {
        let outcomes = sorted.nobody.into_iter().map(|waiting| {
            // RFC 3463 §3.2: bad destination mailbox address.
            let text = "the domain is one of ours now, and there is no such address in it";
            (
                waiting,
                smtp::client::Outcome::Failed(Trouble::new((5, 1, 1), text)),
            )
        });
        settle::conclude(shared, taken_for, &mail, outcomes.collect(), "").await;
    }
    (!sorted.here.is_empty()).then_some(Job {
        mail,
        recipients: sorted.here,
    })
}

#[cfg(test)]
mod tests;
