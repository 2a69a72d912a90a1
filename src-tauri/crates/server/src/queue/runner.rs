//! The one who looks into the tables: for what is due, for what must be told, and for what was done by hand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use store::queue::{self, Due, Fate, Finished};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lanes::MAILBOX;
use super::mail::{Job, Mail, Waiting};
use super::report::{self, Event};
use super::settle::{self, Settlement, has_sender, wants_delay, wants_failure};
use super::{mailbox, outbound};
use crate::clock;
use crate::shared::Shared;

/// Recipients taken from the tables at once.
const AT_ONCE: usize = 200;
/// How often delays and expiries are looked for, and lanes without workers.
const LOOK: Duration = Duration::from_secs(20);
/// After the store failed.
const PAUSE: Duration = Duration::from_secs(2);
/// Deliveries under way may end for this long when the server stops.
const GRACE: Duration = Duration::from_secs(15);

/// Delivers until the server stops, and then until what is under way has ended.
pub(crate) async fn run(shared: Arc<Shared>) {
    let done = CancellationToken::new();
    let keepers = TaskTracker::new();
    keepers.spawn(settle::keep(Arc::clone(&shared), done.clone()));
    // The flush of mailboxes settles too, so it ends first.
    let flushed = CancellationToken::new();
    let flushers = TaskTracker::new();
    flushers.spawn(mailbox::flush(Arc::clone(&shared), flushed.clone()));
    let mut looked = None;
    while !shared.stop.is_cancelled() {
        if let Err(error) = look(&shared, &mut looked).await {
            tracing::error!("the queue could not be read: {error}");
            sleep(PAUSE).await;
        }
        wait(&shared).await;
    }
    shared.queue.lanes.drain();
    shared.deliveries.close();
    if timeout(GRACE, shared.deliveries.wait()).await.is_err() {
        tracing::warn!(
            "some deliveries did not end in time and are made again after the next start"
        );
    }
    flushed.cancel();
    flushers.close();
    let _ = timeout(GRACE, flushers.wait()).await;
    done.cancel();
    keepers.close();
    let _ = timeout(GRACE, keepers.wait()).await;
}

/// Waits until something may be due.
async fn wait(shared: &Arc<Shared>) {
    let now_ms = clock::now_ms();
    let due_in = shared.queue.lanes.next_at().map_or(LOOK, |at_ms| {
        Duration::from_millis(u64::try_from(at_ms - now_ms).unwrap_or(0)).min(LOOK)
    });
    tokio::select! {
        () = shared.stop.cancelled() => {}
        () = shared.queue.wake.notified() => {}
        () = shared.queue.changed.notified() => load(shared),
        () = sleep(due_in) => {}
    }
}

/// Reads the schedule anew, as after a start.
fn load(shared: &Arc<Shared>) {
    let read = shared
        .store
        .read(|conn| Ok((queue::schedule(conn)?, queue::pauses(conn)?)));
    match read {
        Ok((schedule, pauses)) => shared.queue.lanes.load(schedule, pauses),
        Err(error) => {
            tracing::error!("the queue's schedule could not be read: {error}");
            shared.queue.changed.notify_one();
        }
    }
}

async fn look(
    shared: &Arc<Shared>,
    looked: &mut Option<std::time::Instant>,
) -> Result<(), StoreError> {
    if looked.is_none() {
        load(shared);
    }
    return_by_hand(shared).await?;
    if looked.is_none_or(|last| last.elapsed() > LOOK) {
        *looked = Some(std::time::Instant::now());
        tell_delays(shared).await?;
        for destination in shared.queue.lanes.deserted() {
            start_worker(shared, &destination);
        }
    }
    for (destination, room) in shared.queue.lanes.due(clock::now_ms()) {
        take(shared, &destination, room.min(AT_ONCE)).await?;
    }
    Ok(())
}

/// Moves what is due for a destination from the tables into its lane.
async fn take(shared: &Arc<Shared>, destination: &str, room: usize) -> Result<(), StoreError> {
    let (key, now_ms) = (destination.to_owned(), clock::now_ms());
    let (due, next) = shared
        .store
        .note(move |tx| {
            let due = queue::take_due(tx, &key, now_ms, room)?;
            Ok((due, queue::next_due(tx, &key)?))
        })
        .await?;
    shared.queue.lanes.next_due(destination, next);
    for one in due {
        if let Some(job) = job(shared, destination, one).await
            && shared.queue.lanes.add(destination, job)
        {
            start_worker(shared, destination);
        }
    }
    Ok(())
}

/// A message from the tables with its content. One that cannot be read stays as it is, for the admin to see; it is tried
/// again by the schedule.
async fn job(shared: &Arc<Shared>, destination: &str, due: Due) -> Option<Job> {
    let store = shared.store.clone();
    let message = due.message;
    let content = tokio::task::spawn_blocking(move || store.content(message)).await;
    let content = match content {
        Ok(Ok(content)) => content,
        Ok(Err(error)) => {
            unreadable(shared, destination, &due, &error.to_string()).await;
            return None;
        }
        Err(error) => {
            unreadable(shared, destination, &due, &error.to_string()).await;
            return None;
        }
    };
    let mail = Mail::due(&due, content).map(Arc::new);
    let recipients: Option<Vec<Waiting>> = due.recipients.iter().map(Waiting::due).collect();
    match (mail, recipients) {
        (Some(mail), Some(recipients)) => Some(Job { mail, recipients }),
        _ => {
            unreadable(
                shared,
                destination,
                &due,
                "its entry in the queue cannot be understood",
            )
            .await;
            None
        }
    }
}

async fn unreadable(shared: &Arc<Shared>, destination: &str, due: &Due, why: &str) {
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
        destination: destination.to_owned(),
        finished,
        reports: Vec::new(),
    };
    settle::enter(shared, settlement).await;
}

/// Tells senders that their mail is late, or returns it when its time is over.
async fn tell_delays(shared: &Arc<Shared>) -> Result<(), StoreError> {
    loop {
        let now_ms = clock::now_ms();
        let due = shared
            .store
            .note(move |tx| queue::take_notices(tx, now_ms, AT_ONCE))
            .await?;
        let count: usize = due.iter().map(|one| one.recipients.len()).sum();
        let pauses = shared.store.read(queue::pauses)?;
        let reasons: HashMap<String, String> = pauses
            .into_iter()
            .map(|pause| (pause.destination, pause.reason))
            .collect();
        for one in due {
            tell(shared, one, &reasons, now_ms).await;
        }
        if count < AT_ONCE || shared.stop.is_cancelled() {
            return Ok(());
        }
    }
}

async fn tell(shared: &Arc<Shared>, due: Due, reasons: &HashMap<String, String>, now_ms: i64) {
    let Some(first) = due.recipients.first() else {
        return;
    };
    let destination = first.destination.clone();
    let rows = due.recipients.clone();
    let Some(job) = job(shared, &destination, due).await else {
        return;
    };
    let mut events = Vec::new();
    let mut finished = Vec::new();
    for (waiting, row) in job.recipients.iter().zip(&rows) {
        let reason = if waiting.reason.is_empty() {
            reasons.get(&row.destination).cloned().unwrap_or_default()
        } else {
            waiting.reason.clone()
        };
        let expired = now_ms >= waiting.expires_at_ms;
        let fate = if expired {
            if wants_failure(waiting) {
                events.push(Event::expired_untried(waiting, &reason));
            }
            Fate::Failed
        } else {
            if wants_delay(waiting) && has_sender(&job.mail) {
                events.push(Event::delayed(waiting, &reason));
            }
            Fate::Deferred {
                next_at_ms: now_ms,
                notice_at_ms: Some(waiting.expires_at_ms),
                reason: reason.clone(),
            }
        };
        finished.push(Finished {
            recipient: waiting.id,
            token: job.mail.token.clone(),
            address: waiting.address.to_string(),
            at_ms: now_ms,
            fate,
            hop: String::new(),
            reply: reason,
        });
    }
    let settlement = Settlement {
        destination,
        finished,
        reports: report::about(shared, &job.mail, events).await,
    };
    settle::enter(shared, settlement).await;
}

/// Returns to their senders what the admin wants returned.
async fn return_by_hand(shared: &Arc<Shared>) -> Result<(), StoreError> {
    loop {
        let due = shared
            .store
            .note(move |tx| queue::take_returns(tx, AT_ONCE))
            .await?;
        let count: usize = due.iter().map(|one| one.recipients.len()).sum();
        for one in due {
            let destination = one
                .recipients
                .first()
                .map(|row| row.destination.clone())
                .unwrap_or_default();
            let Some(job) = job(shared, &destination, one).await else {
                continue;
            };
            let told = job
                .recipients
                .iter()
                .filter(|waiting| wants_failure(waiting));
            let events = told.map(Event::returned).collect();
            let settlement = Settlement {
                destination,
                finished: job
                    .recipients
                    .iter()
                    .map(|waiting| Finished {
                        recipient: waiting.id,
                        token: job.mail.token.clone(),
                        address: waiting.address.to_string(),
                        at_ms: clock::now_ms(),
                        fate: Fate::Failed,
                        hop: String::new(),
                        reply: "returned to the sender by hand".into(),
                    })
                    .collect(),
                reports: report::about(shared, &job.mail, events).await,
            };
            settle::enter(shared, settlement).await;
        }
        if count < AT_ONCE {
            return Ok(());
        }
    }
}

/// Starts a worker who was counted already.
pub(super) fn start_worker(shared: &Arc<Shared>, destination: &str) {
    let is_disk = mailbox::is_disk(&shared.current.get().settings.service.mailbox);
    let mine = Arc::clone(shared);
    if destination == MAILBOX && is_disk {
        shared.deliveries.spawn(mailbox::work(mine));
    } else {
        let destination = destination.to_owned();
        shared.deliveries.spawn(outbound::work(mine, destination));
    }
}
