//! The writing end of the log. It belongs to one thread ([`super::intake`]).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use super::record::{self, Identity, Position, SEGMENT};
use super::segment_path;
use super::segments::Segments;
use crate::StoreError;
use crate::data_dir::private_file;

/// A segment gets all its blocks in advance only where this much room is left after it.
const ROOM_FOR_BLOCKS: u64 = 1 << 30;
/// Memory for staged records that is kept from one group to the next.
const KEPT: usize = 1 << 20;

/// The log, open for writing.
pub(crate) struct Log {
    segments: Arc<Segments>,
    identity: Identity,
    number: u64,
    file: File,
    /// Everything before it is on the disk and belongs to messages that were accepted.
    end: u64,
    /// Records that are not written yet, in order, from `end` on.
    staged: Vec<u8>,
    /// Where each of them begins.
    begins: Vec<u64>,
    /// What lies behind `end` is not known: writing goes on in another segment.
    is_torn: bool,
}

impl Log {
    /// Opens the log in a new segment above all there are and `floor`: what lies behind the last sound record of an earlier
    /// one is not known.
    pub(crate) fn open(
        segments: Arc<Segments>,
        identity: Identity,
        floor: u64,
    ) -> Result<Self, StoreError> {
        let number = segments.look()?.max(floor) + 1;
        let file = open_segment(&segments, number)?;
        segments.begin(number);
        Ok(Self {
            segments,
            identity,
            number,
            file,
            end: 0,
            staged: Vec::new(),
            begins: Vec::new(),
            is_torn: false,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.segments.folder()
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Puts a record behind those that are staged; it is written with the next [`Self::flush`].
    pub(crate) fn stage(&mut self, facts: &[u8], content: &[u8]) -> Result<Position, StoreError> {
        if !record::fits(facts.len(), content.len()) {
            return Err(StoreError::Refused {
                detail: format!(
                    "a message with {} octets of facts and {} of content is too large for the spool log",
                    facts.len(),
                    content.len()
                ),
            });
        }
        let space = record::space(facts.len(), content.len());
        if self.is_torn || self.next() + space > SEGMENT {
            self.turn()?;
        }
        let at = Position {
            segment: self.number,
            offset: self.next(),
        };
        record::write(&mut self.staged, self.identity, at, facts, content);
        self.begins.push(at.offset);
        Ok(at)
    }

    /// Writes what is staged and waits until it is on the disk.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        crate::fail_point!("spool-before-write");
        self.write().map_err(|error| self.error(&error))?;
        crate::fail_point!("spool-after-flush");
        self.end = self.next();
        self.staged.clear();
        self.begins.clear();
        // One huge message must not hold memory for ever.
        self.staged.shrink_to(KEPT);
        Ok(())
    }

    fn write(&self) -> io::Result<()> {
        self.file.write_all_at(&self.staged, self.end)?;
        crate::fail_point!("spool-before-flush");
        self.file.sync_data()?;
        self.is_in_its_place()
    }

    /// Somebody removed the file, or took its folder away: what is written into it is found by nobody after a crash.
    fn is_in_its_place(&self) -> io::Result<()> {
        let there = fs::metadata(segment_path(self.segments.folder(), self.number))?;
        let ours = self.file.metadata()?;
        if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            "another file is in its place",
        ))
    }

    /// What is staged could not be written, and nobody answers for it.
    pub(crate) fn forget(&mut self) {
        // A record that got to the disk would be entered after a crash, and its client come again: two copies, none
        // lost. Breaking the headers makes even that unlikely; when that fails too, nothing else can be done.
        for begin in self.begins.drain(..) {
            let _ = record::strike_out(&self.file, begin);
        }
        self.staged.clear();
        self.is_torn = true;
    }

    fn next(&self) -> u64 {
        self.end + self.staged.len() as u64
    }

    /// Goes on in a new segment. Records of one group may lie in two; the first part is on the disk then.
    fn turn(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        crate::fail_point!("spool-before-turn");
        let number = self.number + 1;
        self.file = open_segment(&self.segments, number)?;
        crate::fail_point!("spool-after-turn");
        self.segments.begin(number);
        self.number = number;
        self.end = 0;
        self.is_torn = false;
        Ok(())
    }

    fn error(&self, error: &io::Error) -> StoreError {
        StoreError::from_io(&segment_path(self.segments.folder(), self.number), error)
    }
}

/// Opens a segment, from a spare one where there is one: its blocks are there already. Flushes the folder, so that the file
/// is found after a power cut.
fn open_segment(segments: &Segments, number: u64) -> Result<File, StoreError> {
    let folder = segments.folder();
    let path = segment_path(folder, number);
    let open = || -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        // One that is there already was begun by a try that failed.
        if !path.exists()
            && let Some(old) = segments.spare()
        {
            fs::rename(&old, &path)?;
        }
        let file = private_file(&mut options, &path)?;
        give_blocks(folder, &file)?;
        File::open(folder)?.sync_all()?;
        Ok(file)
    };
    open().map_err(|error| StoreError::from_io(&path, &error))
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
