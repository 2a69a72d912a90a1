//! Copies the write-ahead log into the database while the writer goes on.
//!
//! A checkpoint writes pages all over the database and flushes twice, which takes tens of milliseconds: too long for those
//! who wait for a commit. A thread of its own copies what is there; SQLite lets the writer append meanwhile. Because the writer
//! is then always a little ahead, the log would never begin anew under load. So when it has grown to [`FINISH_AT`], the writer copies
//! the little that is left itself, and the log starts again.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::data_dir::sibling;
use crate::{StoreError, open};

/// Octets of log from which on it is copied.
const COPY_AT: u64 = 8 << 20;
/// To this the log's file shrinks when it begins anew: below what is copied, so that its length tells how much is in it.
pub(crate) const SHRINKS_TO: i64 = 4 << 20;
/// Octets of log at which the writer finishes the copy.
const FINISH_AT: u64 = 32 << 20;
/// Walks the tree of a page at a time; SQLite's own buffers are on the heap.
const STACK: usize = 256 << 10;

/// The thread. Dropping it waits for its end.
pub(crate) struct Checkpoint {
    log: PathBuf,
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoint {
    /// Starts the thread for the database at `path`.
    pub(crate) fn start(path: PathBuf) -> Result<Self, StoreError> {
        let (bell, rings) = sync_channel(1);
        let database = path.clone();
        let thread = thread::Builder::new()
            .name("checkpoint".into())
            .stack_size(STACK)
            .spawn(move || serve(&database, &rings))
            .map_err(|error| StoreError::from_io(&path, &error))?;
        Ok(Self {
            log: sibling(&path, "-wal"),
            bell: Some(bell),
            thread: Some(thread),
        })
    }

    /// To be called by the writer between two commits.
    pub(crate) fn look(&self, conn: &Connection) {
        let length = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        if length > FINISH_AT {
            copy(conn);
        } else if length > COPY_AT
            && let Some(bell) = &self.bell
        {
            // It has been rung already when this fails.
            let _ = bell.try_send(());
        }
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        self.bell = None;
        if let Some(thread) = self.thread.take() {
            // It ends by panic only through a defect of the program; the log is then copied by the next start.
            let _ = thread.join();
        }
    }
}

fn serve(path: &std::path::Path, rings: &Receiver<()>) {
    let mut conn = None;
    let mut copied = 0;
    while rings.recv().is_ok() {
        let length = std::fs::metadata(sibling(path, "-wal")).map_or(0, |log| log.len());
        // Between two commits the log is as long as before: there is nothing new worth copying.
        if length.abs_diff(copied) < COPY_AT / 2 {
            continue;
        }
        if conn.is_none() {
            // Tried again the next time; the writer finishes meanwhile.
            conn = open::checkpointer(path).ok();
        }
        if let Some(conn) = &conn {
            copy(conn);
            copied = length;
        }
    }
}

/// What cannot be copied now, because somebody reads it or the disk is full, is copied the next time.
fn copy(conn: &Connection) {
    let _ = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
}
