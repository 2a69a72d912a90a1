//! The spool log: what was accepted, on the disk before anybody is told so.
//!
//! # The form, and why
//! Measured on ext4 over a virtio disk, 8 KB a message, one writer, milliseconds until durable: a new file with its fsync and
//! the folder's 0.89; a row in SQLite with `synchronous=FULL` 0.45, and everything is written twice; append to a file
//! and fdatasync 0.33–0.39; write into a part of a file that has its blocks already and fdatasync 0.18, because no metadata
//! changes. A file in a Maildir costs 0.015–0.03 without a sync, and one `syncfs` after 500 of them 4. Links from the
//! spool into a Maildir would save a copy in memory but need a sync for each message.
//!
//! So there is one log in segments of 16 MB that are used again and again. A record holds all that is known of an accepted
//! message, its content included. All sessions that end at the same time share one flush, and are answered after it. The
//! same facts are then committed to the tables, without another flush and without anybody waiting for it, because the log
//! can bring them back: [`crate::Store::recover`] enters the records that lie behind the mark. The mark and the rows are one
//! transaction, so nothing is entered twice.
//!
//! Content above [`IN_LOG`] lies in a file of its own, which the session has flushed before the record is written.
//!
//! A segment is used again when no message in it is waiting, and only after the commit that removed the last one is on
//! the disk. What is left of earlier use cannot be mistaken for a record: each is sealed together with the segment's number
//! and its place.

mod file;
mod intake;
mod log;
pub(crate) mod orphans;
mod reading;
mod record;
mod recovery;
pub(crate) mod refused;
mod segments;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::StoreError;

pub(crate) use file::FileMark;
pub use file::{SpoolFile, Writing};
pub(crate) use intake::{Intake, closed};
pub(crate) use log::Log;
pub(crate) use record::{Identity, Position};
pub(crate) use recovery::{Found, foreign, is_foreign, put_foreign_aside, recover};
pub(crate) use segments::Segments;

/// Content of up to this many octets lies in the log.
pub const IN_LOG: usize = 128 << 10;

/// The content of a message. Clones share it.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory; in the log as well once it is accepted.
    Memory(Arc<Vec<u8>>),
    /// In a file of the spool folder.
    File(Arc<SpoolFile>),
}

impl Content {
    /// Octets.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.length(),
        }
    }

    /// At most `max` octets from `offset` on; fewer only at the end. Blocking.
    ///
    /// # Errors
    /// What reading the file says.
    pub fn read_at(&self, offset: u64, max: usize) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => {
                let from = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                let to = from.saturating_add(max).min(bytes.len());
                Ok(bytes.get(from..to).unwrap_or_default().to_vec())
            }
            Self::File(file) => file.read_at(offset, max),
        }
    }

    /// What names its file in the spool folder, if it has one.
    pub(crate) fn file_mark(&self) -> Option<&FileMark> {
        match self {
            Self::Memory(_) => None,
            Self::File(file) => Some(file.mark()),
        }
    }
}

/// Where the tables say that content lies.
#[derive(Debug)]
pub(crate) struct Stored {
    /// A file of its own; else it is in the log.
    pub file: Option<FileMark>,
    /// Octets.
    pub length: u64,
}

/// The content of message `id`, checked to be what was accepted.
///
/// # Errors
/// [`StoreError::Spool`] when it is not.
pub(crate) fn content(
    folder: &Path,
    identity: Identity,
    id: i64,
    stored: Stored,
) -> Result<Content, StoreError> {
    if let Some(mark) = stored.file {
        let file = SpoolFile::open(folder, mark, stored.length)?;
        return Ok(Content::File(Arc::new(file)));
    }
    let position = Position::of(id);
    let path = segment_path(folder, position.segment);
    let read = File::open(&path).and_then(|file| record::read(&file, identity, position));
    match read {
        Ok(Some(record)) => Ok(Content::Memory(Arc::new(record.content))),
        Ok(None) => Err(StoreError::Spool {
            path,
            detail: format!("the record at octet {} is not sound", position.offset),
        }),
        Err(error) => Err(StoreError::from_io(&path, &error)),
    }
}

/// Copies content out of the log into a file of its own, durably.
pub(crate) fn move_out(folder: &Path, identity: Identity, id: i64) -> Result<FileMark, StoreError> {
    let in_log = Stored {
        file: None,
        length: 0,
    };
    let content = content(folder, identity, id, in_log)?;
    let length = usize::try_from(content.length()).unwrap_or(IN_LOG);
    let octets = content
        .read_at(0, length)
        .map_err(|error| StoreError::from_io(folder, &error))?;
    file::put(folder, &format!("content-moved-{id:x}"), &octets)
}

/// The full segments of the log, oldest first.
pub(crate) fn full_segments(folder: &Path) -> Result<Vec<u64>, StoreError> {
    let mut numbers = recovery::segments(folder)?;
    numbers.sort_unstable();
    numbers.pop();
    Ok(numbers)
}

/// The file of a segment.
pub(crate) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("log-{number:010}"))
}

/// The segment whose file has this name.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.parse().ok()
}

#[cfg(test)]
mod tests;
