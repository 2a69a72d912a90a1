//! Sends mail to other servers: opens a connection for a destination, and uses it for as much as there is.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use policy::Destination;
use policy::attempt::destination_pause_ms;
use smtp::client::{Outcome, Trouble};
use store::queue::Pause;

use super::lanes::Turn;
use super::mail::{Job, Mail, Waiting};
use super::settle;
use crate::clock;
use crate::deliver::link::{self, Body, Link, Outgoing, OutgoingRecipient};
use crate::deliver::route::route;
use crate::shared::Shared;

/// Messages over one connection; then a new one shares the load among the servers behind the name.
const MOST_ON_LINK: usize = 1_000;
/// RFC 3463 §3.7: conversion required but not supported.
const CONVERSION_NEEDED: (u8, u8, u16) = (5, 6, 3);
/// Larger messages are not converted: it is done in memory.
const MOST_CONVERTED: u64 = 8 << 20;
/// Recipients in one transaction (RFC 5321 §4.5.3.1.8 has every server take a hundred).
const MOST_RECIPIENTS: usize = 100;

/// Head and content of a message as the next server gets them.
struct Whole(Arc<Mail>);

impl Body for Whole {
    fn read_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let head = self.0.head.as_bytes();
        let length = head.len() as u64;
        if offset >= length {
            return self.0.content.read_at(offset - length, max);
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut part = head.get(from..).unwrap_or_default().to_vec();
        part.truncate(max);
        if part.len() < max {
            part.extend(self.0.content.read_at(0, max - part.len())?);
        }
        Ok(part)
    }
}

fn outgoing(mail: &Arc<Mail>, recipients: &[Waiting]) -> Outgoing {
    let carriage = &mail.carriage;
    Outgoing {
        sender: mail.sender.clone(),
        size: mail.head.len() as u64 + mail.content.length(),
        body: Arc::new(Whole(Arc::clone(mail))),
        eight_bit: carriage.eight_bit_body || carriage.eight_bit_header,
        smtputf8: carriage.eight_bit_header,
        ret: carriage.mail.ret,
        envid: carriage.mail.envid.clone(),
        recipients: recipients
            .iter()
            .map(|waiting| OutgoingRecipient {
                id: waiting.id,
                address: waiting.address.clone(),
                parameters: waiting.parameters.clone(),
            })
            .collect(),
    }
}

/// Bytes of a message that was made anew for a server.
struct Converted(Vec<u8>);

impl Body for Converted {
    fn read_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.0.len());
        let to = from.saturating_add(max).min(self.0.len());
        Ok(self.0.get(from..to).unwrap_or_default().to_vec())
    }
}

/// Sends, and when the server takes no 8-bit content, sends it once more in seven bits (RFC 6152 §3). What cannot be made
/// so is refused as the server would.
async fn send_as_it_can(
    link: &mut Link,
    mail: &Arc<Mail>,
    recipients: &[Waiting],
) -> Vec<(i64, Outcome)> {
    let mail_as_it_is = outgoing(mail, recipients);
    store::fail_point!("relay-before-sending");
    let outcomes = link.send(&mail_as_it_is).await;
    store::fail_point!("relay-after-reply");
    let needs_conversion = link.is_alive()
        && !mail.carriage.eight_bit_header
        && outcomes.iter().all(|(_, outcome)| {
            matches!(outcome, Outcome::Failed(trouble) if trouble.status == CONVERSION_NEEDED && trouble.reply.is_none())
        });
    if !needs_conversion || mail_as_it_is.size > MOST_CONVERTED {
        return outcomes;
    }
    let whole = Arc::clone(mail);
    let converted = tokio::task::spawn_blocking(move || {
        let most = usize::try_from(MOST_CONVERTED).unwrap_or(usize::MAX);
        let bytes = Whole(whole).read_at(0, most).ok()?;
        message::seven_bit::convert(&bytes).ok()
    });
    let Ok(Some(bytes)) = converted.await else {
        return outcomes;
    };
    let in_seven_bits = Outgoing {
        size: bytes.len() as u64,
        body: Arc::new(Converted(bytes)),
        eight_bit: false,
        ..mail_as_it_is
    };
    link.send(&in_seven_bits).await
}

/// Works on a lane until it has been empty for a while or the destination cannot be reached.
pub(crate) async fn work(shared: Arc<Shared>, destination: String) {
    let lanes = &shared.queue.lanes;
    let mut presence = lanes.presence(&destination);
    let worker = Worker {
        shared: &shared,
        destination: &destination,
    };
    let mut link: Option<Link> = None;
    let mut used = 0;
    loop {
        let Turn::Work(job) = lanes.next(&destination).await else {
            presence.has_left();
            break;
        };
        let octets = job.octets();
        if used >= MOST_ON_LINK
            && let Some(old) = link.take()
        {
            old.quit().await;
            used = 0;
        }
        used += 1;
        let goes_on = worker.deliver(&mut link, job).await;
        shared.queue.done(&destination, octets);
        if !goes_on || shared.stop.is_cancelled() {
            break;
        }
    }
    drop(presence);
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
            if let Err((trouble, part)) = self.send(link, &mail, rest).await {
                let all = part.into_iter().chain(later).collect();
                // What is said of a destination for good is said to each of its messages.
                let goes_on = trouble.is_permanent();
                self.not_reached(&mail, all, trouble).await;
                return goes_on;
            }
            rest = later;
        }
        true
    }

    /// One transaction. An error says why there is no connection, and gives the recipients back.
    async fn send(
        &self,
        link: &mut Option<Link>,
        mail: &Arc<Mail>,
        recipients: Vec<Waiting>,
    ) -> Result<(), (Trouble, Vec<Waiting>)> {
        let mut rest = recipients;
        for _ in 0..2 {
            if !link.as_ref().is_some_and(Link::is_alive) {
                match self.open().await {
                    Ok(new) => *link = Some(new),
                    Err(trouble) => return Err((trouble, rest)),
                }
            }
            let Some(open) = link.as_mut() else { break };
            let outcomes = send_as_it_can(open, mail, &rest).await;
            let hop = describe(open);
            if !open.is_alive() {
                *link = None;
            }
            // A connection that was kept open and turns out to be gone says nothing about these.
            let (stale, decided): (Vec<_>, Vec<_>) = outcomes
                .into_iter()
                .partition(|(_, outcome)| is_stale(outcome));
            let stale: HashSet<i64> = stale.into_iter().map(|(id, _)| id).collect();
            let (again, done): (Vec<_>, Vec<_>) = rest
                .into_iter()
                .partition(|waiting| stale.contains(&waiting.id));
            if !done.is_empty() {
                self.sent(mail, done, decided, &hop).await;
            }
            if again.is_empty() {
                return Ok(());
            }
            rest = again;
        }
        let trouble =
            Trouble::new((4, 4, 2), "the connection was lost again and again").whole_hop();
        Err((trouble, rest))
    }

    async fn open(&self) -> Result<Link, Trouble> {
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
        let hops = route(
            &destination,
            &snapshot.settings,
            &shared.names,
            &shared.trust,
            password,
        )
        .await?;
        let mut last =
            Trouble::new((4, 4, 1), "no server of the destination has an address").whole_hop();
        for hop in &hops {
            match link::open(hop).await {
                Ok(link) => return Ok(link),
                // Only a server that spoke for the whole destination ends the search (RFC 5321 §5.1).
                Err(trouble) => last = trouble,
            }
        }
        Err(last)
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
        let destination = self.destination.to_owned();
        let resumed = self
            .shared
            .store
            .note(move |tx| {
                store::queue::resume(tx, &destination)?;
                store::queue::next_due(tx, &destination)
            })
            .await;
        match resumed {
            Ok(Some(at_ms)) => self.shared.queue.waits(self.destination, at_ms),
            Ok(None) => {}
            Err(error) => tracing::error!("a destination's pause could not be ended: {error}"),
        }
        self.shared.queue.wake.notify_one();
    }

    /// The destination is paused; this message has had its attempt, what was ready goes back into the tables.
    async fn not_reached(&self, mail: &Arc<Mail>, recipients: Vec<Waiting>, trouble: Trouble) {
        let shared = self.shared;
        let snapshot = shared.current.get();
        let now_ms = clock::now_ms();
        if !trouble.is_permanent() {
            let pause = |failures| destination_pause_ms(failures, &snapshot.settings.delivery);
            let (failures, until_ms, ready) =
                shared.queue.lanes.failed(self.destination, now_ms, pause);
            let ids = ids(&ready);
            let pause = Pause {
                destination: self.destination.to_owned(),
                failures,
                until_ms,
                reason: trouble.text.clone(),
            };
            let written = shared
                .store
                .note(move |tx| {
                    store::queue::pause(tx, &pause)?;
                    store::queue::give_back(tx, &ids, now_ms)
                })
                .await;
            if let Err(error) = written {
                tracing::error!("a destination's pause could not be written down: {error}");
            }
            shared.queue.waits(self.destination, now_ms);
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
        settle::conclude(shared, self.destination, mail, outcomes, self.destination).await;
    }
}

fn ids(jobs: &[Job]) -> Vec<i64> {
    let recipients = jobs.iter().flat_map(|job| &job.recipients);
    recipients.map(|waiting| waiting.id).collect()
}

/// Puts a message back into the tables that came for a destination just as it was paused.
pub(crate) async fn put_back(shared: Arc<Shared>, destination: String, job: Job) {
    let (ids, now_ms) = (ids(std::slice::from_ref(&job)), clock::now_ms());
    let written = shared
        .store
        .note(move |tx| store::queue::give_back(tx, &ids, now_ms))
        .await;
    match written {
        Ok(()) => shared.queue.waits(&destination, now_ms),
        // It counts as being sent until the next start, and then it waits.
        Err(error) => tracing::error!("a message could not be put back into the queue: {error}"),
    }
}

fn is_stale(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Deferred(trouble) if trouble.stale)
}

/// Who took or refused the message, and how the way there was protected.
fn describe(link: &Link) -> String {
    let summary = link.summary();
    match &summary.tls {
        None => match &summary.clear_because {
            None => format!("{}, not encrypted", summary.peer),
            Some(why) => format!("{}, not encrypted ({why})", summary.peer),
        },
        Some(tls) if tls.verified => {
            format!(
                "{}, {} {}, certificate verified",
                summary.peer, tls.version, tls.cipher
            )
        }
        Some(tls) => format!(
            "{}, {} {}, certificate not verified{}",
            summary.peer,
            tls.version,
            tls.cipher,
            tls.why_not
                .as_ref()
                .map(|why| format!(" ({why})"))
                .unwrap_or_default()
        ),
    }
}
