//! The writing end of the log. It belongs to the writer thread of the store.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::record::{self, Identity, Position, SEGMENT};
use super::{segment_number, segment_path};
use crate::StoreError;
use crate::data_dir::private_file;

/// Segments without messages that are kept for use.
const SPARE: usize = 4;
/// A segment gets all its blocks in advance only where this much room is left after it.
const ROOM_FOR_BLOCKS: u64 = 1 << 30;

/// The log, open for writing.
pub(crate) struct Log {
    folder: PathBuf,
    identity: Identity,
    number: u64,
    file: File,
    /// Everything before it is on the disk and belongs to messages that were accepted.
    end: u64,
    /// Records that are not written yet, in order, from `end` on.
    staged: Vec<u8>,
    /// Segments that are full, oldest first.
    full: Vec<u64>,
    spare: Vec<PathBuf>,
}

impl Log {
    /// Opens the log behind its last sound record, or in a new segment above `floor` where that is not known.
    pub(crate) fn open(
        folder: &Path,
        identity: Identity,
        last: Option<Position>,
        floor: u64,
    ) -> Result<Self, StoreError> {
        let mut full = Vec::new();
        let mut spare = Vec::new();
        let entries = fs::read_dir(folder).map_err(|error| StoreError::from_io(folder, &error))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("spare-") {
                spare.push(entry.path());
            } else if let Some(number) = segment_number(&name) {
                full.push(number);
            }
        }
        full.sort_unstable();
        let newest = full.last().copied().unwrap_or(0).max(floor);
        let (number, end) = match last.filter(|last| last.segment >= newest) {
            Some(last) => (last.segment, last.offset),
            // What follows an unfinished record is not known; a new segment is.
            None => (newest + 1, 0),
        };
        full.retain(|other| *other != number);
        let path = segment_path(folder, number);
        let file = open_segment(folder, &path, &mut spare)
            .map_err(|error| StoreError::from_io(&path, &error))?;
        Ok(Self {
            folder: folder.to_owned(),
            identity,
            number,
            file,
            end,
            staged: Vec::new(),
            full,
            spare,
        })
    }

    /// Puts a record behind those that are staged; it is written with the next [`Self::flush`].
    pub(crate) fn stage(&mut self, facts: &[u8], content: &[u8]) -> Result<Position, StoreError> {
        let space = record::space(facts.len(), content.len());
        if self.next() + space > SEGMENT {
            // Records of one transaction may lie in two segments; the first part is written and flushed here.
            self.turn().map_err(|error| self.error(&error))?;
        }
        let at = Position {
            segment: self.number,
            offset: self.next(),
        };
        record::write(&mut self.staged, self.identity, at, facts, content);
        Ok(at)
    }

    /// Octets staged; see [`Self::unstage`].
    pub(crate) fn staged(&self) -> (u64, usize) {
        (self.number, self.staged.len())
    }

    /// Takes back what was staged since, because its change failed.
    pub(crate) fn unstage(&mut self, (number, length): (u64, usize)) {
        if number == self.number {
            self.staged.truncate(length);
        } else {
            // The segment was turned in between: its first part is written, and without rows it is nothing.
            self.staged.clear();
        }
    }

    /// Writes what is staged and waits until it is on the disk.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        crate::fail_point!("spool-before-write");
        self.file
            .write_all_at(&self.staged, self.end)
            .map_err(|error| self.error(&error))?;
        crate::fail_point!("spool-before-flush");
        self.file.sync_data().map_err(|error| self.error(&error))?;
        crate::fail_point!("spool-after-flush");
        Ok(())
    }

    /// The change that the staged records belong to is committed: they stay.
    pub(crate) fn keep(&mut self) {
        self.end = self.next();
        self.staged.clear();
        // One huge message must not hold memory for ever.
        self.staged.shrink_to(1 << 20);
    }

    /// The change failed: the next records take the place of the staged ones.
    pub(crate) fn forget(&mut self) {
        if !self.staged.is_empty() {
            self.staged.clear();
            // A record that got to the disk would be entered after a crash, and its client come again: two copies, none
            // lost. Breaking its header makes even that unlikely; when that fails too, nothing else can be done.
            let _ = self.file.write_all_at(&[0; 4], self.end);
        }
    }

    fn next(&self) -> u64 {
        self.end + self.staged.len() as u64
    }

    /// Goes on in a new segment.
    fn turn(&mut self) -> io::Result<()> {
        if !self.staged.is_empty() {
            self.file.write_all_at(&self.staged, self.end)?;
        }
        self.file.sync_data()?;
        let number = self.number + 1;
        let path = segment_path(&self.folder, number);
        self.file = open_segment(&self.folder, &path, &mut self.spare)?;
        self.full.push(self.number);
        self.number = number;
        self.end = 0;
        self.staged.clear();
        Ok(())
    }

    /// Frees segments in which no message waits; `in_use` tells whether one does. To be called only when the commit that
    /// removed the last message is on the disk.
    pub(crate) fn reclaim(&mut self, mut in_use: impl FnMut(u64) -> bool) {
        let folder = self.folder.clone();
        let spare = &mut self.spare;
        self.full.retain(|number| {
            if in_use(*number) {
                return true;
            }
            let path = segment_path(&folder, *number);
            let kept = folder.join(format!("spare-{number:010}"));
            if spare.len() < SPARE && fs::rename(&path, &kept).is_ok() {
                spare.push(kept);
            } else {
                // Tried again the next time the log is opened.
                let _ = fs::remove_file(&path);
            }
            false
        });
    }

    fn error(&self, error: &io::Error) -> StoreError {
        StoreError::from_io(&segment_path(&self.folder, self.number), error)
    }
}

/// Opens a segment, from a spare one where there is one: its blocks are there already. Flushes the folder, so that the file
/// is found after a power cut.
fn open_segment(folder: &Path, path: &Path, spare: &mut Vec<PathBuf>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    let is_new = !path.exists();
    if is_new && let Some(old) = spare.pop() {
        fs::rename(&old, path)?;
    }
    let file = private_file(&mut options, path)?;
    if is_new {
        give_blocks(folder, &file)?;
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// Fills a new segment with zeros where there is room enough: records written over them need no change of metadata, which
/// halves the time of a flush.
fn give_blocks(folder: &Path, file: &File) -> io::Result<()> {
    if file.metadata()?.len() >= SEGMENT || free(folder) < ROOM_FOR_BLOCKS {
        return Ok(());
    }
    let zeros = vec![0; 1 << 20];
    for part in 0..SEGMENT >> 20 {
        // Without the blocks the log is slower but as safe.
        if file.write_all_at(&zeros, part << 20).is_err() {
            return file.set_len(0);
        }
    }
    file.sync_all()
}

fn free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}
