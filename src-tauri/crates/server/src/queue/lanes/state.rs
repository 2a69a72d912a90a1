//! All lanes together, and the counts over them.

use std::collections::HashMap;

use super::known::Known;
use super::lane::Lane;
use super::places::Places;
use super::{MAILBOX, ROWS};
use crate::queue::mail::Ready;

#[derive(Debug, Default)]
pub(super) struct State {
    pub lanes: HashMap<String, Lane>,
    pub memory: usize,
    pub memory_of_mailboxes: usize,
    pub rows: usize,
    pub places: Places,
    pub known: Known,
    /// Mailboxes are filled by one worker: it is the disk's work, and one keeps it busy.
    pub mailbox_is_disk: bool,
}

/// How it counts among the messages from the tables.
pub(super) fn row(ready: &Ready) -> usize {
    match ready {
        Ready::Job(_) => 0,
        Ready::Row(_) => 1,
    }
}

impl State {
    pub fn memory_of(&mut self, destination: &str) -> &mut usize {
        if destination == MAILBOX {
            &mut self.memory_of_mailboxes
        } else {
            &mut self.memory
        }
    }

    pub fn free(&mut self, destination: &str, octets: usize) {
        let memory = self.memory_of(destination);
        *memory = memory.saturating_sub(octets);
    }

    pub fn lane(&mut self, destination: &str) -> &mut Lane {
        let known = &self.known;
        self.lanes
            .entry(destination.to_owned())
            .or_insert_with(|| Lane {
                is_proven: known.has(destination),
                ..Lane::default()
            })
    }

    /// Takes everything that is ready out of a lane.
    pub fn clear(&mut self, destination: &str) -> Vec<Ready> {
        let Some(lane) = self.lanes.get_mut(destination) else {
            return Vec::new();
        };
        let ready: Vec<Ready> = lane.ready.drain(..).collect();
        let rows = std::mem::take(&mut lane.rows);
        self.rows = self.rows.saturating_sub(rows);
        let octets: usize = ready.iter().map(Ready::octets).sum();
        self.free(destination, octets);
        ready
    }

    pub fn takes_rows(&self, destination: &str) -> bool {
        destination == MAILBOX || self.rows < ROWS
    }

    pub fn pop(&mut self, destination: &str) -> Option<Ready> {
        let lane = self.lanes.get_mut(destination)?;
        let ready = lane.ready.pop_front()?;
        lane.under_way += 1;
        lane.rows = lane.rows.saturating_sub(row(&ready));
        self.rows = self.rows.saturating_sub(row(&ready));
        Some(ready)
    }

    /// Whether the lane needs one more worker, who is counted at once. Wakes one that is idle instead where there is one.
    pub fn wants_worker(&mut self, destination: &str) -> bool {
        let is_mailbox = destination == MAILBOX;
        let only_one = is_mailbox && self.mailbox_is_disk;
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
        if lane.workers >= limit {
            return false;
        }
        if !is_mailbox && !self.places.enter(lane.is_proven, lane.workers == 0) {
            return false;
        }
        lane.workers += 1;
        true
    }

    pub fn leave(&mut self, destination: &str) {
        let Some(lane) = self.lanes.get_mut(destination) else {
            return;
        };
        lane.workers = lane.workers.saturating_sub(1);
        if destination != MAILBOX {
            self.places.leave(lane.is_proven);
        }
        if lane.is_forgotten() {
            self.lanes.remove(destination);
        }
    }

    /// A worker waits long for a server to speak. False when too many do. Workers for mailboxes take no places.
    pub fn stall(&mut self, destination: &str) -> bool {
        if destination == MAILBOX {
            return true;
        }
        let Some(lane) = self.lanes.get_mut(destination) else {
            return false;
        };
        let may = self.places.stall(lane.is_proven);
        lane.stalled += usize::from(may);
        may
    }

    pub fn go_on(&mut self, destination: &str) {
        if let Some(lane) = self.lanes.get_mut(destination)
            && lane.stalled > 0
        {
            lane.stalled -= 1;
            self.places.go_on(lane.is_proven);
        }
    }

    /// The destination takes mail, or has ceased to.
    pub fn prove(&mut self, destination: &str, is_proven: bool) {
        if destination == MAILBOX {
            return;
        }
        if is_proven {
            self.known.learn(destination);
        } else {
            self.known.forget(destination);
        }
        if let Some(lane) = self.lanes.get_mut(destination)
            && lane.is_proven != is_proven
        {
            lane.is_proven = is_proven;
            let counted = lane.workers.saturating_sub(lane.stalled);
            self.places.move_over(counted, is_proven);
        }
    }
}
