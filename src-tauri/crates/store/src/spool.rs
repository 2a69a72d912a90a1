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

mod intake;
mod log;
mod record;
mod recovery;
mod segments;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::StoreError;

pub(crate) use intake::{Intake, closed};
pub(crate) use log::Log;
pub(crate) use record::{Identity, Position};
pub(crate) use recovery::{orphans, recover};
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

/// Content in a file of its own.
#[derive(Debug)]
pub struct SpoolFile {
    file: File,
    name: String,
    length: u64,
}

impl Content {
    /// Octets.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.length,
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
            Self::File(file) => {
                let left = file.length.saturating_sub(offset);
                let mut part = vec![0; usize::try_from(left).unwrap_or(max).min(max)];
                file.file.read_exact_at(&mut part, offset)?;
                Ok(part)
            }
        }
    }

    /// Name of its file in the spool folder, if it has one.
    pub(crate) fn file_name(&self) -> Option<&str> {
        match self {
            Self::Memory(_) => None,
            Self::File(file) => Some(&file.name),
        }
    }
}

impl SpoolFile {
    /// Makes an empty file in the spool folder for content that is on its way; `random` keeps names apart.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(folder: &Path, random: u64) -> std::io::Result<(File, String)> {
        let name = format!("content-{random:016x}");
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = crate::data_dir::private_file(&mut options, &folder.join(&name))?;
        Ok((file, name))
    }

    /// Takes a file of the spool folder that is written and flushed, its name included.
    pub fn new(file: File, name: String, length: u64) -> Self {
        Self { file, name, length }
    }
}

/// The content of message `id`, read whole from the log and checked, or as a handle of its file.
///
/// # Errors
/// [`StoreError::Damaged`] when what lies there is not what was accepted.
pub(crate) fn content(
    folder: &Path,
    identity: Identity,
    id: i64,
    file: Option<&str>,
) -> Result<Content, StoreError> {
    if let Some(name) = file {
        return in_file(folder, name.to_owned());
    }
    let position = Position::of(id);
    let path = segment_path(folder, position.segment);
    let read = File::open(&path).and_then(|file| record::read(&file, identity, position));
    match read {
        Ok(Some(record)) => Ok(Content::Memory(Arc::new(record.content))),
        // It may have been moved out of the log since the caller looked.
        _ if folder.join(moved_name(id)).exists() => in_file(folder, moved_name(id)),
        Ok(None) => Err(StoreError::Damaged {
            path,
            detail: format!("the record at octet {} is not sound", position.offset),
        }),
        Err(error) => Err(StoreError::from_io(&path, &error)),
    }
}

fn in_file(folder: &Path, name: String) -> Result<Content, StoreError> {
    let path = folder.join(&name);
    let open = || -> std::io::Result<(File, u64)> {
        let file = File::open(&path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    };
    let (file, length) = open().map_err(|error| StoreError::from_io(&path, &error))?;
    Ok(Content::File(Arc::new(SpoolFile::new(file, name, length))))
}

/// The file into which content is moved that has waited in the log for long.
fn moved_name(id: i64) -> String {
    format!("content-moved-{id:x}")
}

/// Copies content out of the log into a file of its own, durably but for its name. Returns that.
pub(crate) fn move_out(folder: &Path, identity: Identity, id: i64) -> Result<String, StoreError> {
    let content = content(folder, identity, id, None)?;
    let name = moved_name(id);
    let path = folder.join(&name);
    let write = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let file = crate::data_dir::private_file(&mut options, &path)?;
        if let Content::Memory(bytes) = &content {
            file.write_all_at(bytes, 0)?;
        }
        file.sync_all()
    };
    write().map_err(|error| StoreError::from_io(&path, &error))?;
    Ok(name)
}

/// Waits until the names of the files in the folder are on the disk.
pub(crate) fn flush_folder(folder: &Path) -> Result<(), StoreError> {
    let flush = || File::open(folder)?.sync_all();
    flush().map_err(|error| StoreError::from_io(folder, &error))
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
