//! Sends mail to other servers: opens a connection for a destination, and uses it for as much as there is.

mod content;
mod hops;
mod means;
#[cfg(test)]
mod samples;

use std::collections::HashMap;
use std::sync::Arc;

use policy::Destination;
use policy::attempt::destination_pause_ms;
use smtp::client::{Outcome, Trouble};
use store::queue::Pause;

use super::lanes::{MAILBOX, Turn};
use super::mail::{Job, Mail, Ready, Waiting};
use super::settle::{self, Rest, Settlement};
use super::{load, mailbox, ways};
use crate::clock;
use crate::deliver::link::{Hop, Link};
use crate::deliver::route::route;
use crate::shared::Shared;
pub(crate) use content::Conversions;
use hops::{Hops, Unsent, hand_over};
use means::{Cut, Means, too_many_wait};

/// Messages over one connection; then a new one shares the load among the servers behind the name.
const MOST_ON_LINK: usize = 1_000;
/// Recipients in one transaction (RFC 5321 §4.5.3.1.8 has every server take a hundred).
const MOST_RECIPIENTS: usize = 100;

/// Works on a lane until it has been empty for a while or the destination cannot be reached.
pub(crate) async fn work(shared: Arc<Shared>, destination: String) {
    let lanes = &shared.queue.lanes;
    let mut presence = lanes.presence(&destination);
    let worker = Worker {
        shared: &shared,
        destination: &destination,
    };
    let mut link: Option<Link> = None;
    let (mut used, mut known) = (0, shared.current.get());
    while !shared.end.is_cancelled() {
        let Turn::Work(ready) = lanes.next(&destination, &shared.end).await else {
            presence.has_left();
            break;
        };
        let snapshot = shared.current.get();
        if destination == MAILBOX && mailbox::is_disk(&snapshot.settings.service.mailbox) {
            lanes.undo(&destination, ready);
            break;
        }
        // With other settings the way may be another, or protected otherwise.
        if (used >= MOST_ON_LINK || !Arc::ptr_eq(&snapshot, &known))
            && let Some(old) = link.take()
        {
            old.quit().await;
            used = 0;
        }
        known = snapshot;
        used += 1;
        let _under_way = shared.queue.under_way(&destination, ready.octets());
        let mut goes_on = true;
        if let Some(job) = load::job(&shared, ready).await
            && let Some(job) = ways::keep_those_who_go_there(&shared, &destination, job).await
        {
            goes_on = worker.deliver(&mut link, job).await;
        }
        if !goes_on {
            break;
        }
    }
    drop(presence);
    // Its place is free for another destination.
    shared.queue.wake.notify_one();
    if let Some(link) = link {
        link.quit().await;
    }
}

struct Worker<'a> {
    shared: &'a Arc<Shared>,
    destination: &'a str,
}

impl Worker<'_> {
    /// Sends one message. Whether it makes sense to send another.
    async fn deliver(&self, link: &mut Option<Link>, job: Job) -> bool {
        let Job { mail, recipients } = job;
        let mut rest = recipients;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(MOST_RECIPIENTS));
            if let Err(unsent) = self.send(link, &mail, rest).await {
                return self.not_sent(&mail, unsent, later).await;
            }
            rest = later;
        }
        // Mail for other destinations waits for a connection to the same server.
        if link.as_ref().is_some_and(Link::is_wanted)
            && let Some(open) = link.take()
        {
            open.quit().await;
        }
        true
    }

    /// Neither the recipients of this part of a message nor those of the `later` ones could be served. Whether it makes sense
    /// to go on with another message.
    async fn not_sent(&self, mail: &Arc<Mail>, unsent: Unsent, later: Vec<Waiting>) -> bool {
        match unsent {
            Unsent::Stopped(part) => {
                let all = part.iter().chain(&later).map(|waiting| waiting.id);
                settle::give_back(self.shared, self.destination, all.collect()).await;
                false
            }
            Unsent::NotReached {
                trouble,
                hop,
                recipients,
            } => {
                let all = recipients.into_iter().chain(later).collect();
                // What is said of a destination for good is said to each of its messages.
                let goes_on = trouble.is_permanent();
                let hop = hop.as_deref().unwrap_or(self.destination);
                self.not_reached(mail, all, trouble, hop).await;
                goes_on
            }
        }
    }

    /// One message to one or more recipients, with the first server that decides about them. An error gives back those whom
    /// none took on.
    async fn send(
        &self,
        link: &mut Option<Link>,
        mail: &Arc<Mail>,
        recipients: Vec<Waiting>,
    ) -> Result<(), Unsent> {
        let means = Means::of(self.shared, self.destination);
        let mut hops = Hops::default();
        let mut rest = recipients;
        // Ends: only a connection from before can be used without taking a server from the list.
        while !rest.is_empty() {
            if !link.as_ref().is_some_and(Link::is_alive) && !hops.are_known() {
                let found = match means.wait_for(self.route()).await {
                    Err(Cut::Stops) => return Err(Unsent::Stopped(rest)),
                    Err(Cut::TooMany) => Err(too_many_wait("the DNS")),
                    Ok(found) => found,
                };
                match found {
                    Ok(found) => hops.know(found),
                    Err(trouble) => {
                        return Err(Unsent::NotReached {
                            trouble,
                            hop: None,
                            recipients: rest,
                        });
                    }
                }
            }
            let said = hand_over(&means, link, &mut hops, mail, rest).await?;
            if !said.done.is_empty() {
                self.sent(mail, said.done, said.outcomes, &said.hop).await;
            }
            rest = said.again;
        }
        Ok(())
    }

    /// The servers to try, as things are now.
    async fn route(&self) -> Result<Vec<Hop>, Trouble> {
        let shared = self.shared;
        let snapshot = shared.current.get();
        let destination = Destination::parse(self.destination).ok_or_else(|| {
            Trouble::new(
                (5, 1, 2),
                "the address has no domain that mail can be sent to",
            )
            .whole_hop()
        })?;
        let password = shared.relay_password(&snapshot.settings).await?;
        route(
            &destination,
            &snapshot.settings,
            &shared.names,
            &shared.trust,
            password,
        )
        .await
    }

    async fn sent(
        &self,
        mail: &Arc<Mail>,
        recipients: Vec<Waiting>,
        outcomes: Vec<(i64, Outcome)>,
        hop: &str,
    ) {
        let hop_is_fine = !outcomes.iter().any(|(_, outcome)| match outcome {
            Outcome::Delivered { .. } => false,
            Outcome::Deferred(trouble) | Outcome::Failed(trouble) => trouble.whole_hop,
        });
        if hop_is_fine && self.shared.queue.lanes.reached(self.destination) {
            self.resume().await;
        }
        let mut outcomes: HashMap<i64, Outcome> = outcomes.into_iter().collect();
        let paired = recipients
            .into_iter()
            .map(|waiting| {
                let outcome = outcomes.remove(&waiting.id).unwrap_or_else(|| {
                    Outcome::Deferred(Trouble::new(
                        (4, 4, 2),
                        "the server said nothing about this recipient",
                    ))
                });
                (waiting, outcome)
            })
            .collect();
        settle::conclude(self.shared, self.destination, mail, paired, hop).await;
    }

    /// The destination works again: what waits for it may come.
    async fn resume(&self) {
        let settlement = Settlement {
            destinations: vec![self.destination.to_owned()],
            pause: Some(Rest::Ends(self.destination.to_owned())),
            ..Settlement::default()
        };
        settle::enter(self.shared, settlement).await;
        self.shared.queue.wake.notify_one();
    }

    /// The destination is paused; this message has had its attempt, what was ready goes back into the tables.
    async fn not_reached(
        &self,
        mail: &Arc<Mail>,
        recipients: Vec<Waiting>,
        trouble: Trouble,
        hop: &str,
    ) {
        let shared = self.shared;
        let snapshot = shared.current.get();
        let now_ms = clock::now_ms();
        if !trouble.is_permanent() {
            let pause = |failures| destination_pause_ms(failures, &snapshot.settings.delivery);
            let (failures, until_ms, ready) =
                shared.queue.lanes.failed(self.destination, now_ms, pause);
            let settlement = Settlement {
                destinations: vec![self.destination.to_owned()],
                given_back: ready.iter().flat_map(Ready::ids).collect(),
                pause: Some(Rest::Begins(Pause {
                    destination: self.destination.to_owned(),
                    failures,
                    until_ms,
                    reason: trouble.text.clone(),
                })),
                ..Settlement::default()
            };
            settle::enter(shared, settlement).await;
        }
        let outcome = |trouble: &Trouble| {
            if trouble.is_permanent() {
                Outcome::Failed(trouble.clone())
            } else {
                Outcome::Deferred(trouble.clone())
            }
        };
        let outcomes = recipients
            .into_iter()
            .map(|waiting| {
                let outcome = outcome(&trouble);
                (waiting, outcome)
            })
            .collect();
        settle::conclude(shared, self.destination, mail, outcomes, hop).await;
    }
}
