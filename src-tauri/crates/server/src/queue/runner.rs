//! The one who looks into the tables: for what is due, for what must be told, and for what was done by hand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use store::StoreError;
use store::queue::{self, Due, DueRecipient, Fate, Finished};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lanes::MAILBOX;
use super::load::Remains;
use super::mail::{Mail, Ready, Waiting};
use super::report::{self, Event};
use super::settle::{self, Settlement, has_sender, wants_delay, wants_failure};
use super::{load, mailbox, outbound};
use crate::clock;
use crate::shared::Shared;

/// Recipients taken from the tables at once.
const AT_ONCE: usize = 200;
/// How often delays and expiries are looked for, and what may have been forgotten.
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
    tokio::select! {
        () = shared.end.cancelled() => {}
        () = look_on(&shared) => {}
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

/// Looks for as long as it is let. Broken off at any point it leaves recipients behind that count as being sent, until the
/// next start.
async fn look_on(shared: &Arc<Shared>) {
    let mut looked = Looked::default();
    loop {
        if let Err(error) = look(shared, &mut looked).await {
            tracing::error!("the queue could not be read: {error}");
            sleep(PAUSE).await;
        }
        wait(shared, &mut looked).await;
    }
}

/// Waits until something may be due.
async fn wait(shared: &Arc<Shared>, looked: &mut Looked) {
    let now_ms = clock::now_ms();
    let due_in = shared.queue.lanes.next_at().map_or(LOOK, |at_ms| {
        Duration::from_millis(u64::try_from(at_ms - now_ms).unwrap_or(0)).min(LOOK)
    });
    tokio::select! {
        () = shared.queue.wake.notified() => {}
        () = shared.queue.changed.notified() => looked.knows_pauses = false,
        () = sleep(due_in) => {}
    }
}

/// What the runner knows of the tables.
#[derive(Debug, Default)]
struct Looked {
    /// Which destinations rest. Otherwise it has just started, or somebody changed the queue by hand.
    knows_pauses: bool,
    /// When the tables were last looked through.
    at: Option<Instant>,
}

async fn look(shared: &Arc<Shared>, looked: &mut Looked) -> Result<(), StoreError> {
    if !looked.knows_pauses || looked.at.is_none_or(|last| last.elapsed() > LOOK) {
        read_schedule(shared, !looked.knows_pauses).await?;
        looked.knows_pauses = true;
        looked.at = None;
        return_by_hand(shared).await?;
        tell_delays(shared).await?;
        looked.at = Some(Instant::now());
    }
    let (started, stranded) = shared.queue.lanes.deserted();
    for destination in started {
        start_worker(shared, &destination);
    }
    for (destination, ready) in stranded {
        let ids = ready.iter().flat_map(Ready::ids).collect();
        settle::give_back(shared, &destination, ids).await;
    }
    for (destination, room) in shared.queue.lanes.due(clock::now_ms()) {
        take(shared, &destination, room).await?;
    }
    Ok(())
}

/// Learns from the tables what is due, in case a word of it was lost; after a start and after changes by hand also which
/// destinations rest.
async fn read_schedule(shared: &Arc<Shared>, with_pauses: bool) -> Result<(), StoreError> {
    let store = shared.store.clone();
    let read = tokio::task::spawn_blocking(move || {
        store.read(|conn| Ok((queue::schedule(conn)?, queue::pauses(conn)?)))
    });
    let Ok(read) = read.await else {
        return Ok(());
    };
    let (schedule, pauses) = read?;
    if with_pauses {
        shared.queue.lanes.pauses(pauses);
    }
    shared.queue.lanes.schedule(schedule);
    Ok(())
}

/// Moves what is due for a destination from the tables into its lane.
async fn take(shared: &Arc<Shared>, destination: &str, room: usize) -> Result<(), StoreError> {
    let (key, now_ms) = (destination.to_owned(), clock::now_ms());
    let was_due_ms = shared.queue.lanes.ask(destination);
    let taken = shared
        .store
        .note(move |tx| {
            let due = queue::take_due(tx, &key, now_ms, room, AT_ONCE)?;
            Ok((due, queue::next_due(tx, &key)?))
        })
        .await;
    let (due, next) = match taken {
        Ok(taken) => taken,
        Err(error) => {
            shared.queue.lanes.waits(destination, was_due_ms);
            return Err(error);
        }
    };
    if let Some(at_ms) = next {
        shared.queue.lanes.waits(destination, at_ms);
    }
    for one in due {
        if shared.queue.lanes.add(destination, Ready::Row(one)) {
            start_worker(shared, destination);
        }
    }
    Ok(())
}

/// Tells senders that their mail is late, or returns it when its time is over.
async fn tell_delays(shared: &Arc<Shared>) -> Result<(), StoreError> {
    loop {
        let now_ms = clock::now_ms();
        // Read before anything is taken: what is taken must be told.
        let pauses = shared.store.read(queue::pauses)?;
        let due = shared
            .store
            .note(move |tx| queue::take_notices(tx, now_ms, AT_ONCE))
            .await?;
        let count: usize = due.iter().map(|one| one.recipients.len()).sum();
        let reasons: HashMap<String, String> = pauses
            .into_iter()
            .map(|pause| (pause.destination, pause.reason))
            .collect();
        for one in due {
            tell(shared, one, &reasons, now_ms).await;
        }
        if count < AT_ONCE {
            return Ok(());
        }
    }
}

pub(super) async fn tell(
    shared: &Arc<Shared>,
    due: Due,
    reasons: &HashMap<String, String>,
    now_ms: i64,
) {
    let Remains { mail, recipients } = load::remains(shared, due).await;
    let mut events = Vec::new();
    let mut settlement = Settlement::default();
    for (row, waiting) in &recipients {
        let reason = if row.reason.is_empty() {
            reasons.get(&row.destination).cloned().unwrap_or_default()
        } else {
            row.reason.clone()
        };
        let waiting = waiting.as_ref();
        let fate = if now_ms >= row.expires_at_ms {
            let told = waiting.filter(|waiting| wants_failure(waiting));
            events.extend(told.map(|waiting| Event::expired_untried(waiting, &reason)));
            Fate::Failed
        } else {
            let told = waiting.filter(|waiting| wants_delay(waiting) && has_sender(&mail));
            events.extend(told.map(|waiting| Event::delayed(waiting, &reason)));
            Fate::Told {
                notice_at_ms: row.expires_at_ms,
                reason: reason.clone(),
            }
        };
        settlement.destinations.push(row.destination.clone());
        settlement
            .finished
            .push(finished(&mail, row, waiting, fate, reason));
    }
    settlement.reports = report::about(shared, &mail, events).await;
    settle::enter(shared, settlement).await;
}

/// Returns to their senders what the admin wants returned.
pub(super) async fn return_by_hand(shared: &Arc<Shared>) -> Result<(), StoreError> {
    while shared.store.read(queue::has_returns)? {
        let due = shared
            .store
            .note(move |tx| queue::take_returns(tx, AT_ONCE))
            .await?;
        for one in due {
            let Remains { mail, recipients } = load::remains(shared, one).await;
            let mut events = Vec::new();
            let mut settlement = Settlement::default();
            for (row, waiting) in &recipients {
                let waiting = waiting.as_ref();
                let told = waiting.filter(|waiting| wants_failure(waiting));
                events.extend(told.map(Event::returned));
                let reply = "returned to the sender by hand".to_owned();
                settlement
                    .finished
                    .push(finished(&mail, row, waiting, Fate::Failed, reply));
            }
            settlement.reports = report::about(shared, &mail, events).await;
            settle::enter(shared, settlement).await;
        }
    }
    Ok(())
}

/// What became of a recipient that was not tried.
fn finished(
    mail: &Mail,
    row: &DueRecipient,
    waiting: Option<&Waiting>,
    fate: Fate,
    reply: String,
) -> Finished {
    let address = waiting.map(|waiting| waiting.address.to_string());
    Finished {
        recipient: row.id,
        token: mail.token.clone(),
        address: address.unwrap_or_else(|| row.address.clone()),
        at_ms: clock::now_ms(),
        fate,
        hop: String::new(),
        reply,
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
