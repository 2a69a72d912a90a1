//! What became of deliveries: decided by the policy, entered into the store, reported to senders.
//!
//! One task enters it ([`keep`]), many outcomes in one commit. It goes on trying when the disk is full or the database busy:
//! a delivery that is not entered would be made twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use policy::attempt::{self, Next};
use smtp::client::{Outcome, Trouble};
use smtp::{Notify, ReversePath};
use store::queue::{self, Fate, Finished, Moved, Pause};
use store::{StoreError, Tx};
use tokio::time::{sleep, timeout};

use super::mail::{Job, Mail, Ready, Waiting};
use super::pipe::{self, Pipe};
use super::report::{self, Event, Report};
use crate::clock;
use crate::shared::Shared;

/// Outcomes that wait to be entered; whoever delivers waits beyond it.
const WAITING: usize = 1_024;
/// Outcomes of this long share a commit.
const GATHER: Duration = Duration::from_millis(5);
const MOST_AT_ONCE: usize = 500;
const RETRY: Duration = Duration::from_secs(1);

/// What is to be entered together.
#[derive(Debug, Default)]
pub(crate) struct Settlement {
    /// For whom something may wait afterwards.
    pub destinations: Vec<String>,
    pub finished: Vec<Finished>,
    /// Recipients that were taken and not tried: they are due again at once.
    pub given_back: Vec<i64>,
    /// Recipients that were taken and go another way.
    pub moved: Vec<Moved>,
    /// What is known of a destination.
    pub pause: Option<Rest>,
    /// New messages, for senders.
    pub reports: Vec<Report>,
}

/// Whether a destination rests.
#[derive(Debug)]
pub(crate) enum Rest {
    Begins(Pause),
    /// For the one with this name.
    Ends(String),
}

/// The way to the one who enters.
pub(crate) type Settled = Pipe<Settlement>;

impl Default for Settled {
    fn default() -> Self {
        Self::new(WAITING)
    }
}

/// Decides what follows on the outcomes of one attempt, and has it entered. `hop` says who spoke.
pub(crate) async fn conclude(
    shared: &Arc<Shared>,
    destination: &str,
    mail: &Arc<Mail>,
    outcomes: Vec<(Waiting, Outcome)>,
    hop: &str,
) {
    let snapshot = shared.current.get();
    let now_ms = clock::now_ms();
    let mut settlement = Settlement {
        destinations: vec![destination.to_owned()],
        ..Settlement::default()
    };
    let mut events = Vec::new();
    for (waiting, outcome) in outcomes {
        let (fate, reply, event) = match outcome {
            Outcome::Delivered {
                reply,
                dsn_passed_on,
            } => {
                let event = wants_success(&waiting, dsn_passed_on)
                    .then(|| Event::delivered(&waiting, hop, &reply));
                (Fate::Delivered, reply, event)
            }
            Outcome::Deferred(trouble) | Outcome::Failed(trouble) => {
                let tried = attempt::Attempt {
                    now_ms,
                    accepted_at_ms: mail.accepted_at_ms,
                    attempts: waiting.attempts + 1,
                    permanent: trouble.is_permanent(),
                };
                let next = attempt::after_failure(&tried, &snapshot.settings.delivery);
                let reply = said(&trouble);
                let (fate, event) = after_trouble(next, &waiting, &trouble, hop);
                (fate, reply, event)
            }
        };
        events.extend(event);
        settlement.finished.push(Finished {
            recipient: waiting.id,
            token: mail.token.clone(),
            address: waiting.address.to_string(),
            at_ms: now_ms,
            fate,
            hop: hop.to_owned(),
            reply,
        });
    }
    settlement
        .reports
        .extend(report::about(shared, mail, events).await);
    enter(shared, settlement).await;
}

/// What happened, with the hop's own words where it spoke.
fn said(trouble: &Trouble) -> String {
    match &trouble.reply {
        Some(reply) if !trouble.text.contains(reply.as_str()) => {
            format!("{}: {reply}", trouble.text)
        }
        _ => trouble.text.clone(),
    }
}

fn after_trouble(
    next: Next,
    waiting: &Waiting,
    trouble: &Trouble,
    hop: &str,
) -> (Fate, Option<Event>) {
    match next {
        Next::Retry { at_ms } => {
            let fate = Fate::Deferred {
                next_at_ms: at_ms,
                notice_at_ms: None,
                reason: said(trouble),
            };
            (fate, None)
        }
        Next::GiveUp => (
            Fate::Failed,
            wants_failure(waiting).then(|| Event::expired(waiting, trouble, hop)),
        ),
        Next::Fail => (
            Fate::Failed,
            wants_failure(waiting).then(|| Event::failed(waiting, trouble, hop)),
        ),
    }
}

/// RFC 3461 §5.2.2: the next hop reports on success when it was told to.
fn wants_success(waiting: &Waiting, passed_on: bool) -> bool {
    !passed_on
        && matches!(
            waiting.parameters.notify,
            Some(Notify::On { success: true, .. })
        )
}

/// RFC 3461 §5.2.1: without NOTIFY the sender hears of failures.
pub(super) fn wants_failure(waiting: &Waiting) -> bool {
    match waiting.parameters.notify {
        None => true,
        Some(Notify::Never) => false,
        Some(Notify::On { failure, .. }) => failure,
    }
}

/// RFC 3461 §5.2.4: without NOTIFY a server may tell of a delay, and people expect it.
pub(super) fn wants_delay(waiting: &Waiting) -> bool {
    match waiting.parameters.notify {
        None => true,
        Some(Notify::Never) => false,
        Some(Notify::On { delay, .. }) => delay,
    }
}

/// Whether anybody can be told.
pub(super) fn has_sender(mail: &Mail) -> bool {
    matches!(mail.sender, ReversePath::Address(_))
}

/// Has it entered. Waits when very much is to be entered already.
pub(crate) async fn enter(shared: &Arc<Shared>, settlement: Settlement) {
    if !shared.queue.settled.send(settlement).await {
        // The one who enters ends after all who deliver.
        tracing::error!("the outcome of a delivery came after the server had stopped");
    }
}

/// Has recipients wait in the tables that were taken and not tried.
pub(crate) async fn give_back(shared: &Arc<Shared>, destination: &str, ids: Vec<i64>) {
    let settlement = Settlement {
        destinations: vec![destination.to_owned()],
        given_back: ids,
        ..Settlement::default()
    };
    enter(shared, settlement).await;
}

/// The same for a message that came for a destination just as it was paused.
pub(crate) async fn put_back(shared: Arc<Shared>, destination: String, job: Job) {
    give_back(&shared, &destination, Ready::Job(job).ids()).await;
}

/// Enters outcomes until the server has stopped and nothing is left.
pub(crate) async fn keep(shared: Arc<Shared>, done: tokio_util::sync::CancellationToken) {
    let pipe = &shared.queue.settled;
    let Some(mut receiver) = pipe.open().await else {
        return;
    };
    while let Some(first) = pipe::next(&mut receiver, &done).await {
        let mut count = first.finished.len();
        let mut all = vec![first];
        if count < MOST_AT_ONCE {
            sleep(GATHER).await;
        }
        while count < MOST_AT_ONCE
            && let Ok(more) = receiver.try_recv()
        {
            count += more.finished.len();
            all.push(more);
        }
        write(&shared, all, &done).await;
    }
    pipe.close(receiver).await;
}

async fn write(
    shared: &Arc<Shared>,
    settlements: Vec<Settlement>,
    done: &tokio_util::sync::CancellationToken,
) {
    let mut settlements = settlements;
    // Reports first: should the power be cut in between, a sender is told twice, and never not at all.
    for settlement in &mut settlements {
        for report in settlement.reports.drain(..) {
            if !accept(shared, report, done).await {
                return;
            }
        }
    }
    store::fail_point!("settle-before-commit");
    let settlements = Arc::new(settlements);
    loop {
        let mine = Arc::clone(&settlements);
        let written = shared.store.write(move |tx| enter_all(tx, &mine)).await;
        match written {
            Ok(entered) => {
                store::fail_point!("settle-after-commit");
                for (destination, at_ms) in entered.due {
                    shared.queue.waits(&destination, at_ms);
                }
                remove_files(shared, entered.files).await;
                store::fail_point!("settle-after-removal");
                return;
            }
            Err(error) => {
                tracing::error!("what became of deliveries cannot be written down: {error}");
                // At the end of the server they are given up: what was delivered is delivered again after the start.
                if timeout(RETRY, done.cancelled()).await.is_ok() {
                    return;
                }
            }
        }
    }
}

/// What follows when it is entered.
#[derive(Debug, Default)]
struct Entered {
    /// Content files of messages that are done with.
    files: Vec<String>,
    /// When the next thing is due for each destination.
    due: Vec<(String, i64)>,
}

fn enter_all(tx: &Tx<'_>, settlements: &[Settlement]) -> Result<Entered, StoreError> {
    let now_ms = clock::now_ms();
    let mut entered = Entered::default();
    let mut destinations = BTreeSet::new();
    for settlement in settlements {
        entered
            .files
            .extend(queue::finish(tx, &settlement.finished)?);
        queue::give_back(tx, &settlement.given_back, now_ms)?;
        for moved in &settlement.moved {
            queue::move_on(tx, moved, now_ms)?;
        }
        match &settlement.pause {
            Some(Rest::Begins(pause)) => queue::pause(tx, pause)?,
            Some(Rest::Ends(destination)) => queue::resume(tx, destination)?,
            None => {}
        }
        destinations.extend(&settlement.destinations);
    }
    for destination in destinations {
        if let Some(at_ms) = queue::next_due(tx, destination)? {
            entered.due.push((destination.clone(), at_ms));
        }
    }
    Ok(entered)
}

/// Takes a report over, however long the disk makes that take, and gives up one that no disk would take: others must not wait
/// for it for ever. False when the server ended before.
async fn accept(
    shared: &Arc<Shared>,
    mut report: Report,
    done: &tokio_util::sync::CancellationToken,
) -> bool {
    let accepted = Arc::new(report.accepted);
    let (token, recipients) = (report.on.as_str(), report.about);
    loop {
        let content = report.arrived.hand_over();
        let taken = shared.store.accept(Arc::clone(&accepted), content).await;
        match taken {
            Ok(_) => break,
            Err(error) if is_for_good(&error) => {
                report.arrived.refused();
                tracing::error!(
                    token,
                    recipients,
                    "a report to a sender is lost, as it is refused for good: {error}"
                );
                return true;
            }
            Err(error) => {
                tracing::error!(token, "a report to a sender cannot be stored: {error}");
                if timeout(RETRY, done.cancelled()).await.is_ok() {
                    return false;
                }
            }
        }
    }
    for recipient in &accepted.recipients {
        shared
            .queue
            .waits(&recipient.destination, recipient.next_at_ms);
    }
    true
}

/// Whether the same try fails the same way however often it is made. A spool that has fallen over takes the report after the
/// next start, and what the tables refuse may be another message.
fn is_for_good(error: &StoreError) -> bool {
    matches!(error, StoreError::Refused { .. })
}

/// Removes content files of messages that are done with.
pub(crate) async fn remove_files(shared: &Arc<Shared>, files: Vec<String>) {
    if files.is_empty() {
        return;
    }
    let spool = shared.spool();
    let removed = tokio::task::spawn_blocking(move || {
        for name in files {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(spool.join(name));
        }
    });
    let _ = removed.await;
}
