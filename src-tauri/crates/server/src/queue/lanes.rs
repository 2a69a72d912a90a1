//! One lane for each destination that has something to do: what is ready, who works on it, and until when it rests.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::mail::Job;

/// Messages that are ready or on their way into a lane; more wait in the tables.
const READY: usize = 256;
const READY_FOR_MAILBOXES: usize = 2_048;
/// Octets of content that all lanes hold in memory.
const MEMORY: usize = 16 << 20;
/// Workers of one destination: connections to it. It begins with a few, and each message that got through allows one more.
const FIRST_WORKERS: usize = 5;
const MOST_WORKERS: usize = 20;
/// Workers of all destinations.
const ALL_WORKERS: usize = 200;
/// A worker without work keeps its connection open for so long.
const IDLE: Duration = Duration::from_secs(2);
/// Nothing waits in the tables.
const NEVER: i64 = i64::MAX;

/// The key of the lane that fills mailboxes.
pub(crate) const MAILBOX: &str = "mailbox";

/// All lanes.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<String, Lane>,
    memory: usize,
    workers: usize,
    /// Mailboxes are filled by one worker: it is the disk's work, and one keeps it busy.
    mailbox_is_disk: bool,
}

#[derive(Debug)]
struct Lane {
    ready: VecDeque<Job>,
    reserved: usize,
    under_way: usize,
    workers: usize,
    /// Workers that wait for work.
    idle: usize,
    /// Workers that were called and have not come yet.
    called: usize,
    limit: usize,
    failures: u32,
    paused_until_ms: i64,
    next_due_ms: i64,
    bell: Arc<Notify>,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            reserved: 0,
            under_way: 0,
            workers: 0,
            idle: 0,
            called: 0,
            limit: FIRST_WORKERS,
            failures: 0,
            paused_until_ms: 0,
            next_due_ms: NEVER,
            bell: Arc::default(),
        }
    }
}

impl Lane {
    fn room(&self, name: &str) -> usize {
        let most = if name == MAILBOX {
            READY_FOR_MAILBOXES
        } else if self.failures > 0 {
            // One message tries whether the destination is back.
            1
        } else {
            READY
        };
        most.saturating_sub(self.ready.len() + self.reserved + self.under_way)
    }

    fn is_forgotten(&self) -> bool {
        self.ready.is_empty()
            && self.reserved == 0
            && self.under_way == 0
            && self.workers == 0
            && self.failures == 0
            && self.next_due_ms == NEVER
    }
}

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

/// Work, or the end of it.
#[derive(Debug)]
pub(crate) enum Turn {
    Work(Job),
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

    pub fn reserve(&self, destination: &str, octets: usize, now_ms: i64) -> bool {
        let mut state = self.lock();
        if state.memory + octets > MEMORY {
            return false;
        }
        let lane = state.lanes.entry(destination.to_owned()).or_default();
        if lane.paused_until_ms > now_ms || lane.room(destination) == 0 {
            return false;
        }
        lane.reserved += 1;
        state.memory += octets;
        true
    }

    pub fn unreserve(&self, destination: &str, octets: usize) {
        let mut state = self.lock();
        state.memory = state.memory.saturating_sub(octets);
        if let Some(lane) = state.lanes.get_mut(destination) {
            lane.reserved = lane.reserved.saturating_sub(1);
        }
    }

    /// Uses a reserved place.
    pub fn put(&self, destination: &str, job: Job, now_ms: i64) -> Put {
        let mut state = self.lock();
        let lane = state.lanes.entry(destination.to_owned()).or_default();
        lane.reserved = lane.reserved.saturating_sub(1);
        if lane.paused_until_ms > now_ms {
            state.memory = state.memory.saturating_sub(job.octets());
            return Put::Paused(job);
        }
        lane.ready.push_back(job);
        if state.wants_worker(destination) {
            Put::Start
        } else {
            Put::Taken
        }
    }

    /// Whether the runner must think about its timer.
    pub fn waits(&self, destination: &str, at_ms: i64) -> bool {
        let mut state = self.lock();
        let lane = state.lanes.entry(destination.to_owned()).or_default();
        let sooner = at_ms < lane.next_due_ms;
        lane.next_due_ms = lane.next_due_ms.min(at_ms);
        sooner && lane.room(destination) > 0
    }

    /// Replaces what is known of the tables.
    pub fn load(&self, schedule: Vec<(String, i64)>, pauses: Vec<store::queue::Pause>) {
        let mut state = self.lock();
        for lane in state.lanes.values_mut() {
            lane.next_due_ms = NEVER;
            lane.failures = 0;
            lane.paused_until_ms = 0;
        }
        for (destination, at_ms) in schedule {
            state.lanes.entry(destination).or_default().next_due_ms = at_ms;
        }
        for pause in pauses {
            let lane = state.lanes.entry(pause.destination).or_default();
            lane.failures = pause.failures;
            lane.paused_until_ms = pause.until_ms;
        }
        state.lanes.retain(|_, lane| !lane.is_forgotten());
    }

    /// Destinations with due mail in the tables and room in their lane, with how much, the longest waiting first.
    pub fn due(&self, now_ms: i64) -> Vec<(String, usize)> {
        let state = self.lock();
        if state.memory >= MEMORY {
            return Vec::new();
        }
        let mut due: Vec<(i64, &String, usize)> = state
            .lanes
            .iter()
            .filter(|(_, lane)| lane.next_due_ms.max(lane.paused_until_ms) <= now_ms)
            .map(|(name, lane)| (lane.next_due_ms, name, lane.room(name)))
            .filter(|(_, _, room)| *room > 0)
            .collect();
        due.sort_unstable();
        due.into_iter()
            .map(|(_, name, room)| (name.clone(), room))
            .collect()
    }

    /// When something is due next, as far as there is room for it.
    pub fn next_at(&self) -> Option<i64> {
        let state = self.lock();
        state
            .lanes
            .iter()
            .filter(|(name, lane)| lane.next_due_ms != NEVER && lane.room(name) > 0)
            .map(|(_, lane)| lane.next_due_ms.max(lane.paused_until_ms))
            .min()
    }

    /// What the tables say is due next for a destination.
    pub fn next_due(&self, destination: &str, at_ms: Option<i64>) {
        let mut state = self.lock();
        if let Some(lane) = state.lanes.get_mut(destination) {
            lane.next_due_ms = at_ms.unwrap_or(NEVER);
        }
    }

    /// Puts work from the tables into a lane, without a place reserved before. Whether a worker must be started.
    pub fn add(&self, destination: &str, job: Job) -> bool {
        let mut state = self.lock();
        state.memory += job.octets();
        let lane = state.lanes.entry(destination.to_owned()).or_default();
        lane.ready.push_back(job);
        state.wants_worker(destination)
    }

    /// Destinations with work and nobody on it.
    pub fn deserted(&self) -> Vec<String> {
        let mut state = self.lock();
        let names: Vec<String> = state
            .lanes
            .iter()
            .filter(|(_, lane)| lane.workers == 0 && !lane.ready.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        names
            .into_iter()
            .filter(|name| state.wants_worker(name))
            .collect()
    }

    /// The next work of a lane. Waits a little for it, as a worker with an open connection does.
    pub async fn next(&self, destination: &str) -> Turn {
        loop {
            let bell = {
                let mut state = self.lock();
                let Some(lane) = state.lanes.get_mut(destination) else {
                    return Turn::Leave;
                };
                if let Some(job) = lane.ready.pop_front() {
                    lane.under_way += 1;
                    return Turn::Work(job);
                }
                lane.idle += 1;
                lane.bell.clone()
            };
            let rang = timeout(IDLE, bell.notified()).await.is_ok();
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

    /// Up to `most` more pieces of work, without waiting.
    pub fn more(&self, destination: &str, most: usize) -> Vec<Job> {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(destination) else {
            return Vec::new();
        };
        let count = lane.ready.len().min(most);
        lane.under_way += count;
        lane.ready.drain(..count).collect()
    }

    /// Work is done, with whatever outcome. Whether there is room again for what is due in the tables.
    pub fn done(&self, destination: &str, octets: usize) -> bool {
        let mut state = self.lock();
        let was_full = state.memory >= MEMORY;
        state.memory = state.memory.saturating_sub(octets);
        let Some(lane) = state.lanes.get_mut(destination) else {
            return was_full;
        };
        lane.under_way = lane.under_way.saturating_sub(1);
        // Fetched by the dozen, and before the workers run dry.
        let has_room = lane.next_due_ms != NEVER && lane.ready.len() <= lane.workers;
        was_full || has_room && lane.room(destination) > 0
    }

    /// The presence of a worker in a lane; it leaves when this is dropped.
    pub fn presence(&self, destination: &str) -> Presence<'_> {
        Presence {
            lanes: self,
            destination: destination.to_owned(),
            has_left: false,
        }
    }

    /// The destination took a message: one more connection to it is allowed. Whether it was paused before.
    pub fn reached(&self, destination: &str) -> bool {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(destination) else {
            return false;
        };
        lane.limit = (lane.limit + 1).min(MOST_WORKERS);
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
    ) -> (u32, i64, Vec<Job>) {
        let mut state = self.lock();
        let lane = state.lanes.entry(destination.to_owned()).or_default();
        if lane.paused_until_ms <= now_ms {
            lane.failures = lane.failures.saturating_add(1);
            lane.limit = 1;
            lane.paused_until_ms = now_ms + pause_ms(lane.failures);
        }
        let (failures, until_ms) = (lane.failures, lane.paused_until_ms);
        let jobs: Vec<Job> = lane.ready.drain(..).collect();
        let octets: usize = jobs.iter().map(Job::octets).sum();
        state.memory = state.memory.saturating_sub(octets);
        (failures, until_ms, jobs)
    }

    /// Everything that is ready anywhere, for a server that stops.
    pub fn drain(&self) {
        let mut state = self.lock();
        for lane in state.lanes.values_mut() {
            lane.ready.clear();
        }
    }
}

impl State {
    /// Whether the lane needs one more worker, who is counted at once. Wakes one that is idle instead where there is one.
    fn wants_worker(&mut self, destination: &str) -> bool {
        let only_one = destination == MAILBOX && self.mailbox_is_disk;
        let all = self.workers;
        let Some(lane) = self.lanes.get_mut(destination) else {
            return false;
        };
        if lane.idle > 0 {
            lane.idle -= 1;
            lane.called += 1;
            lane.bell.notify_one();
            return false;
        }
        let limit = if only_one { 1 } else { lane.limit };
        // The first worker of a lane always finds a place, so that many slow destinations keep nobody out.
        let has_place = all < ALL_WORKERS || lane.workers == 0 && all < 2 * ALL_WORKERS;
        if lane.workers >= limit || !has_place {
            return false;
        }
        lane.workers += 1;
        self.workers += 1;
        true
    }

    fn leave(&mut self, destination: &str) {
        self.workers = self.workers.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(destination) {
            lane.workers = lane.workers.saturating_sub(1);
            if lane.is_forgotten() {
                self.lanes.remove(destination);
            }
        }
    }
}

#[cfg(test)]
mod tests;
