//! The segments of the log: which are full, and which can be used again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{segment_number, segment_path};
use crate::StoreError;

/// Segments without messages that are kept for use.
const SPARE: usize = 4;

/// Segments that one commit looks at: each is a question to the tables, and with much mail waiting there are hundreds.
const LOOKED_AT: usize = 8;

/// Shared by the thread that writes the log and the one that knows which messages are done.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The one that is written; it is never freed.
    current: u64,
    /// Those before it, oldest first.
    full: Vec<u64>,
    spare: Vec<PathBuf>,
    /// Where among the full ones the next look begins.
    next: usize,
}

impl Segments {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            state: Mutex::default(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds what lies in the folder. Returns the newest segment, or 0.
    pub(super) fn look(&self) -> Result<u64, StoreError> {
        let mut found = State::default();
        let entries = fs::read_dir(&self.folder)
            .map_err(|error| StoreError::from_io(&self.folder, &error))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("spare-") {
                found.spare.push(entry.path());
            } else if let Some(number) = segment_number(&name) {
                found.full.push(number);
            }
        }
        found.full.sort_unstable();
        let newest = found.full.last().copied().unwrap_or(0);
        *self.lock() = found;
        Ok(newest)
    }

    /// Writing goes on in this segment.
    pub(super) fn begin(&self, number: u64) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.current, number);
        if before != 0 && before != number {
            state.full.push(before);
        }
        state.full.retain(|full| *full != number);
    }

    /// The file of a segment that is not needed any more.
    pub(super) fn spare(&self) -> Option<PathBuf> {
        self.lock().spare.pop()
    }

    /// Frees some of the segments before `entered` in which no message waits; `in_use` tells whether one does. To be called only when the
    /// commit that removed the last message, and entered the segment's last record, is on the disk.
    pub(crate) fn reclaim(&self, entered: u64, mut in_use: impl FnMut(u64) -> bool) {
        let mut state = self.lock();
        let State {
            full, spare, next, ..
        } = &mut *state;
        for _ in 0..LOOKED_AT.min(full.len()) {
            if *next >= full.len() {
                *next = 0;
            }
            let Some(number) = full.get(*next).copied() else {
                break;
            };
            if number >= entered || in_use(number) {
                *next += 1;
                continue;
            }
            full.remove(*next);
            crate::fail_point!("spool-before-reclaim");
            let path = segment_path(&self.folder, number);
            let kept = self.folder.join(format!("spare-{number:010}"));
            if spare.len() < SPARE && fs::rename(&path, &kept).is_ok() {
                spare.push(kept);
            } else {
                // Tried again the next time the log is opened.
                let _ = fs::remove_file(&path);
            }
        }
    }
}
