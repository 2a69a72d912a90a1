//! The queue at work: takes what is due, per destination, to those who deliver it, and enters what became of it.
//!
//! What is known of the queue lies in the store; here is only what is under way. A message that was just accepted is handed
//! on from memory ([`Queue::reserve`], [`hand_on`]); everything else is found in the tables when it is due. A
//! destination that cannot be reached is paused as a whole: its mail waits in the tables, costs nothing, and holds nobody else
//! up.

mod lanes;
mod load;
pub(crate) mod mail;
pub(crate) mod mailbox;
mod outbound;
mod pipe;
pub(crate) mod report;
mod runner;
mod settle;
mod ways;

use std::sync::Arc;

use store::queue::Accepted;
use store::spool::Content;
use tokio::sync::Notify;

pub(crate) use lanes::{Lanes, Put};
pub(crate) use mail::{Carriage, Job, Mail, Waiting};
pub(crate) use outbound::Conversions;
pub(crate) use runner::run;

use crate::shared::Shared;

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub lanes: Lanes,
    /// Something may be due.
    wake: Notify,
    /// Somebody changed the queue by hand, or its routes.
    changed: Notify,
    /// For the one who flushes mailboxes.
    unflushed: mailbox::Unflushed,
    /// For the one who enters what became of deliveries.
    settled: settle::Settled,
}

impl Queue {
    /// Whether `destination` takes a message of so many octets from memory. Who got a place must use it with
    /// [`hand_on`] or give it back with [`Self::unreserve`].
    pub fn reserve(&self, destination: &str, octets: usize, now_ms: i64) -> bool {
        self.lanes.reserve(destination, octets, now_ms)
    }

    /// Gives a place back.
    pub fn unreserve(&self, destination: &str, octets: usize) {
        self.lanes.unreserve(destination, octets);
    }

    /// Work with so many octets of content in memory was taken from a lane.
    fn under_way<'a>(&'a self, destination: &'a str, octets: usize) -> UnderWay<'a> {
        UnderWay {
            queue: self,
            destination,
            octets,
        }
    }

    /// Something waits in the tables for `destination`, due at `at_ms`.
    pub fn waits(&self, destination: &str, at_ms: i64) {
        if self.lanes.waits(destination, at_ms) {
            self.wake.notify_one();
        }
    }

    /// The tables were changed by hand.
    pub fn look_again(&self) {
        self.changed.notify_one();
    }
}

/// Work that was taken from a lane. It is done, with whatever outcome, when this is dropped.
struct UnderWay<'a> {
    queue: &'a Queue,
    destination: &'a str,
    octets: usize,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.queue.lanes.done(self.destination, self.octets) {
            self.queue.wake.notify_one();
        }
    }
}

/// Hands a message that was just accepted to the lanes in which it has places.
pub(crate) fn hand_on(
    shared: &Arc<Shared>,
    id: i64,
    accepted: &Accepted,
    content: Content,
    places: Vec<String>,
) {
    let octets = mail::octets(&content);
    let Some(mail) = Mail::accepted(id, accepted, content).map(Arc::new) else {
        // What cannot be read back was not written by us; the start after this one finds it in the tables.
        tracing::error!(
            token = accepted.token,
            "an accepted message cannot be understood"
        );
        for place in places {
            shared.queue.unreserve(&place, octets);
        }
        return;
    };
    for place in places {
        let recipients = accepted
            .recipients
            .iter()
            .enumerate()
            .filter(|(_, recipient)| recipient.destination == place)
            .filter_map(|(at, recipient)| Waiting::accepted(id, at, recipient))
            .collect();
        let job = Job {
            mail: Arc::clone(&mail),
            recipients,
        };
        match shared.queue.lanes.put(&place, job, crate::clock::now_ms()) {
            Put::Taken => {}
            Put::Start => runner::start_worker(shared, &place),
            Put::Paused(job) => {
                let back = settle::put_back(Arc::clone(shared), place, job);
                shared.deliveries.spawn(back);
            }
        }
    }
}
