//! One lane for each destination that has something to do: what is ready, who works on it, and until when it rests.
//!
//! Nothing that one destination does keeps another waiting. Mailboxes have workers and memory of their own. Elsewhere, a
//! destination that takes mail is apart from those of which nobody knows yet whether they do: hundreds of silent servers
//! fill the places of the unknown ones at most, and leave them after some seconds of silence ([`Lanes::stall`]); among these
//! who never failed comes before who did.

mod known;
mod lane;
mod places;
mod state;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::lane::NEVER;
use self::state::{State, row};
use super::mail::{Job, Ready};

/// Octets of content that lanes hold in memory: those of mailboxes, and all others together.
const MEMORY: usize = 16 << 20;
/// Messages from the tables that wait in lanes.
const ROWS: usize = 8_192;
/// Larger content lies in a file and is read in pieces.
const IN_LOG: u64 = store::spool::IN_LOG as u64;
/// A worker without work keeps its connection open for so long.
const IDLE: Duration = Duration::from_secs(2);

/// The key of the lane that fills mailboxes.
pub(crate) const MAILBOX: &str = "mailbox";

/// All lanes.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<State>);

/// What a place in a lane has come to.
#[derive(Debug)]
pub(crate) enum Put {
    /// Somebody takes it.
    Taken,
    /// A worker must be started; it counts as working already.
    Start,
    /// The destination was paused meanwhile.
    Paused(Job),
}

/// See [`Lanes::presence`].
#[derive(Debug)]
pub(crate) struct Presence<'a> {
    lanes: &'a Lanes,
    destination: String,
    has_left: bool,
}

impl Presence<'_> {
    /// The lane has let the worker go already, with [`Turn::Leave`].
    pub fn has_left(&mut self) {
        self.has_left = true;
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if !self.has_left {
            self.lanes.lock().leave(&self.destination);
        }
    }
}

/// A worker that waits long for a server to speak, until this is dropped; it takes nobody's place.
#[derive(Debug)]
pub(crate) struct Stalled<'a> {
    lanes: &'a Lanes,
    destination: String,
}

impl Drop for Stalled<'_> {
    fn drop(&mut self) {
        self.lanes.lock().go_on(&self.destination);
    }
}

/// Work, or the end of it.
#[derive(Debug)]
pub(crate) enum Turn {
    Work(Ready),
    /// The worker has left its lane.
    Leave,
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether mailboxes are folders of this machine.
    pub fn mailbox_is_disk(&self, is_disk: bool) {
        self.lock().mailbox_is_disk = is_disk;
    }

    /// A place for a message that is about to be accepted, with so many octets of content in memory.
    pub fn reserve(&self, destination: &str, octets: usize, now_ms: i64) -> bool {
        let mut state = self.lock();
        if *state.memory_of(destination) + octets > MEMORY {
            return false;
        }
        let free = state.places.free();
        let lane = state.lane(destination);
        let is_served = destination == MAILBOX || lane.workers > 0 || free.has(lane.is_proven);
        // What nobody can work on waits in the tables, where it can be seen and taken out.
        if !is_served || lane.paused_until_ms > now_ms || lane.room(destination) == 0 {
            return false;
        }
        lane.reserved += 1;
        *state.memory_of(destination) += octets;
        true
    }

    pub fn unreserve(&self, destination: &str, octets: usize) {
        let mut state = self.lock();
        state.free(destination, octets);
        if let Some(lane) = state.lanes.get_mut(destination) {
            lane.reserved = lane.reserved.saturating_sub(1);
        }
    }

    /// Uses a reserved place.
    pub fn put(&self, destination: &str, job: Job, now_ms: i64) -> Put {
        let mut state = self.lock();
        let lane = state.lane(destination);
        lane.reserved = lane.reserved.saturating_sub(1);
        if lane.paused_until_ms > now_ms {
            state.free(destination, job.octets());
            return Put::Paused(job);
        }
        lane.ready.push_back(Ready::Job(job));
        if state.wants_worker(destination) {
            Put::Start
        } else {
            Put::Taken
        }
    }

    /// Something is due in the tables at this moment. Whether the runner must think about its timer.
    pub fn waits(&self, destination: &str, at_ms: i64) -> bool {
        let mut state = self.lock();
        let lane = state.lane(destination);
        let sooner = at_ms < lane.next_due_ms;
        lane.next_due_ms = lane.next_due_ms.min(at_ms);
        sooner && lane.room_for_rows(destination) > 0
    }

    /// Adds what the tables say is due to what is known.
    pub fn schedule(&self, schedule: Vec<(String, i64)>) {
        for (destination, at_ms) in schedule {
            self.waits(&destination, at_ms);
        }
    }

    /// Replaces what is known of pauses.
    pub fn pauses(&self, pauses: Vec<store::queue::Pause>) {
        let mut state = self.lock();
        let paused: HashSet<&str> = pauses.iter().map(|one| one.destination.as_str()).collect();
        for (name, lane) in &mut state.lanes {
            if !paused.contains(name.as_str()) {
                lane.failures = 0;
                lane.paused_until_ms = 0;
            }
        }
        for pause in &pauses {
            let lane = state.lane(&pause.destination);
            lane.failures = pause.failures;
            lane.paused_until_ms = pause.until_ms;
        }
        state.lanes.retain(|_, lane| !lane.is_forgotten());
    }

    /// Destinations with due mail in the tables, room in their lane and somebody to work there, with how much; who never
    /// failed comes first, and then who waits longest.
    pub fn due(&self, now_ms: i64) -> Vec<(String, usize)> {
        let state = self.lock();
        let mut due: Vec<(u32, i64, &String, usize)> = state
            .lanes
            .iter()
            .filter(|(name, _)| state.takes_rows(name))
            .filter(|(_, lane)| lane.next_due_ms.max(lane.paused_until_ms) <= now_ms)
            .map(|(name, lane)| {
                let room = lane.room_for_rows(name);
                (lane.failures, lane.next_due_ms, name, room)
            })
            .filter(|(_, _, _, room)| *room > 0)
            .collect();
        due.sort_unstable();
        // More lanes than there are places for would only hold what nobody works on.
        let mut free = state.places.free();
        due.retain(|(_, _, name, _)| {
            let lane = state.lanes.get(*name);
            *name == MAILBOX
                || lane.is_some_and(|lane| lane.workers > 0 || free.take(lane.is_proven))
        });
        due.into_iter()
            .map(|(_, _, name, room)| (name.clone(), room))
            .collect()
    }

    /// When something is due next, as far as there is room for it.
    pub fn next_at(&self) -> Option<i64> {
        let state = self.lock();
        let free = state.places.free();
        state
            .lanes
            .iter()
            .filter(|(name, lane)| {
                lane.next_due_ms != NEVER
                    && state.takes_rows(name)
                    && lane.room_for_rows(name) > 0
                    && (*name == MAILBOX || lane.workers > 0 || free.has(lane.is_proven))
            })
            .map(|(_, lane)| lane.next_due_ms.max(lane.paused_until_ms))
            .min()
    }

    /// The tables are about to be asked what is due for a destination: what is said of it from now on is news. Returns what
    /// was known.
    pub fn ask(&self, destination: &str) -> i64 {
        let mut state = self.lock();
        state.lanes.get_mut(destination).map_or(NEVER, |lane| {
            std::mem::replace(&mut lane.next_due_ms, NEVER)
        })
    }

    /// Puts work from the tables into a lane, without a place reserved before. Whether a worker must be started.
    pub fn add(&self, destination: &str, ready: Ready) -> bool {
        let mut state = self.lock();
        *state.memory_of(destination) += ready.octets();
        state.rows += row(&ready);
        let lane = state.lane(destination);
        lane.rows += row(&ready);
        lane.ready.push_back(ready);
        state.wants_worker(destination)
    }

    /// Destinations with work and nobody on it: those for which a worker must be started, who never failed first, and what
    /// is ready for the others, to wait in the tables.
    pub fn deserted(&self) -> (Vec<String>, Vec<(String, Vec<Ready>)>) {
        let mut state = self.lock();
        let mut names: Vec<(u32, String)> = state
            .lanes
            .iter()
            .filter(|(_, lane)| lane.workers == 0 && !lane.ready.is_empty())
            .map(|(name, lane)| (lane.failures, name.clone()))
            .collect();
        names.sort_by_key(|(failures, _)| *failures);
        let (mut started, mut stranded) = (Vec::new(), Vec::new());
        for (_, name) in names {
            if state.wants_worker(&name) {
                started.push(name);
            } else {
                let ready = state.clear(&name);
                stranded.push((name, ready));
            }
        }
        (started, stranded)
    }

    /// The next work of a lane. Waits a little for it, as a worker with an open connection does.
    pub async fn next(&self, destination: &str, end: &CancellationToken) -> Turn {
        loop {
            let bell = {
                let mut state = self.lock();
                if let Some(ready) = state.pop(destination) {
                    return Turn::Work(ready);
                }
                let Some(lane) = state.lanes.get_mut(destination) else {
                    return Turn::Leave;
                };
                lane.idle += 1;
                lane.bell.clone()
            };
            let rang = tokio::select! {
                () = bell.notified() => true,
                () = sleep(IDLE) => false,
                () = end.cancelled() => false,
            };
            let mut state = self.lock();
            let Some(lane) = state.lanes.get_mut(destination) else {
                return Turn::Leave;
            };
            if lane.called > 0 {
                lane.called -= 1;
                continue;
            }
            lane.idle = lane.idle.saturating_sub(1);
            if !rang && lane.ready.is_empty() {
                state.leave(destination);
                return Turn::Leave;
            }
        }
    }

    /// Up to `most` more pieces of work with so many octets in all, without waiting.
    pub fn more(&self, destination: &str, most: usize, octets: u64) -> Vec<Ready> {
        let mut state = self.lock();
        let (mut more, mut left) = (Vec::new(), octets);
        while more.len() < most {
            let size = state
                .lanes
                .get(destination)
                .and_then(|lane| lane.ready.front())
                .map(Ready::size);
            // A message in a file is copied in pieces; only what is read whole counts.
            let Some(read_whole) = size.map(|size| if size > IN_LOG { 0 } else { size }) else {
                break;
            };
            if read_whole > left {
                break;
            }
            left -= read_whole;
            more.extend(state.pop(destination));
        }
        more
    }

    /// Gives work back that was taken from the lane and is not for this worker.
    pub fn undo(&self, destination: &str, ready: Ready) {
        let mut state = self.lock();
        state.rows += row(&ready);
        if let Some(lane) = state.lanes.get_mut(destination) {
            lane.rows += row(&ready);
            lane.under_way = lane.under_way.saturating_sub(1);
            lane.ready.push_front(ready);
        }
    }

    /// Work is done, with whatever outcome. Whether there is room again for what is due in the tables.
    pub fn done(&self, destination: &str, octets: usize) -> bool {
        let mut state = self.lock();
        state.free(destination, octets);
        let Some(lane) = state.lanes.get_mut(destination) else {
            return false;
        };
        lane.under_way = lane.under_way.saturating_sub(1);
        // Fetched by the dozen, and before the workers run dry.
        lane.next_due_ms != NEVER
            && lane.ready.len() <= lane.workers
            && lane.room_for_rows(destination) > 0
    }

    /// The presence of a worker in a lane; it leaves when this is dropped.
    pub fn presence(&self, destination: &str) -> Presence<'_> {
        Presence {
            lanes: self,
            destination: destination.to_owned(),
            has_left: false,
        }
    }

    /// The worker has waited long for a server to speak, and goes on waiting without keeping others from their place. `None`
    /// when too many do so already.
    pub fn stall(&self, destination: &str) -> Option<Stalled<'_>> {
        self.lock().stall(destination).then(|| Stalled {
            lanes: self,
            destination: destination.to_owned(),
        })
    }

    /// The destination took a message: one more connection to it is allowed. Whether it was paused before.
    pub fn reached(&self, destination: &str) -> bool {
        let mut state = self.lock();
        state.prove(destination, true);
        let Some(lane) = state.lanes.get_mut(destination) else {
            return false;
        };
        lane.allow_one_more();
        lane.paused_until_ms = 0;
        std::mem::take(&mut lane.failures) > 0
    }

    /// The destination could not be reached, and its worker leaves. Returns failures in a row and the end of the pause, and
    /// what was ready. Workers that fail together have failed once.
    pub fn failed(
        &self,
        destination: &str,
        now_ms: i64,
        pause_ms: impl FnOnce(u32) -> i64,
    ) -> (u32, i64, Vec<Ready>) {
        let mut state = self.lock();
        state.prove(destination, false);
        let lane = state.lane(destination);
        if lane.paused_until_ms <= now_ms {
            lane.failures = lane.failures.saturating_add(1);
            lane.limit = 1;
            lane.paused_until_ms = now_ms + pause_ms(lane.failures);
        }
        let (failures, until_ms) = (lane.failures, lane.paused_until_ms);
        (failures, until_ms, state.clear(destination))
    }

    /// Everything that is ready anywhere, for a server that stops.
    pub fn drain(&self) {
        let mut state = self.lock();
        state.rows = 0;
        for lane in state.lanes.values_mut() {
            lane.rows = 0;
            lane.ready.clear();
        }
    }
}

#[cfg(test)]
mod tests;
