//! What is known of one destination.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use super::MAILBOX;
use crate::queue::mail::Ready;

/// Messages that are ready or on their way into a lane; more wait in the tables.
pub(super) const READY: usize = 256;
const READY_FOR_MAILBOXES: usize = 2_048;
/// Messages that are fetched from the tables ahead of their turn: for a destination that takes mail, for one of which it is
/// not known, and for mailboxes.
const ROWS_OF_PROVEN: usize = 40;
const ROWS_OF_UNKNOWN: usize = 10;
const ROWS_OF_MAILBOXES: usize = 400;
/// Workers of one destination: connections to it. It begins with a few, and each message that got through allows one more.
pub(super) const FIRST_WORKERS: usize = 5;
const MOST_WORKERS: usize = 20;
/// Nothing waits in the tables.
pub(super) const NEVER: i64 = i64::MAX;

#[derive(Debug)]
pub(super) struct Lane {
    pub ready: VecDeque<Ready>,
    /// Of these, how many come from the tables.
    pub rows: usize,
    pub reserved: usize,
    pub under_way: usize,
    pub workers: usize,
    /// Workers that wait for work.
    pub idle: usize,
    /// Workers that were called and have not come yet.
    pub called: usize,
    /// Workers that wait long for a server to speak.
    pub stalled: usize,
    pub limit: usize,
    pub failures: u32,
    pub paused_until_ms: i64,
    pub next_due_ms: i64,
    /// It took mail some time ago, and did not fail since.
    pub is_proven: bool,
    pub bell: Arc<Notify>,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            rows: 0,
            reserved: 0,
            under_way: 0,
            workers: 0,
            idle: 0,
            called: 0,
            stalled: 0,
            limit: FIRST_WORKERS,
            failures: 0,
            paused_until_ms: 0,
            next_due_ms: NEVER,
            is_proven: false,
            bell: Arc::default(),
        }
    }
}

impl Lane {
    /// Messages that it may still get.
    pub fn room(&self, name: &str) -> usize {
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

    /// Messages that it may still get from the tables.
    pub fn room_for_rows(&self, name: &str) -> usize {
        let most = if name == MAILBOX {
            ROWS_OF_MAILBOXES
        } else if self.is_proven {
            ROWS_OF_PROVEN
        } else {
            ROWS_OF_UNKNOWN
        };
        most.saturating_sub(self.rows).min(self.room(name))
    }

    pub fn allow_one_more(&mut self) {
        self.limit = (self.limit + 1).min(MOST_WORKERS);
    }

    pub fn is_forgotten(&self) -> bool {
        self.ready.is_empty()
            && self.reserved == 0
            && self.under_way == 0
            && self.workers == 0
            && self.failures == 0
            && self.next_due_ms == NEVER
    }
}
