//! A segment as far as the disk gives it back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::record::SEGMENT;
use crate::StoreError;

/// Octets read at once.
const PIECE: usize = 256 << 10;
/// Octets that are given up where the disk fails: its own unit, or that of the file system.
const LOST: usize = 4 << 10;

/// The octets of a segment, with zeros where they cannot be read.
#[derive(Debug, Default)]
pub(super) struct Octets {
    pub all: Vec<u8>,
    /// Where what cannot be read begins, in steps of [`LOST`].
    lost: Vec<u64>,
}

impl Octets {
    /// Reads a segment.
    ///
    /// # Errors
    /// When the file cannot be opened at all.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: io::Error| StoreError::from_io(path, &error);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len().min(SEGMENT);
        let length = usize::try_from(length).unwrap_or(0);
        Ok(Self::read(length, |piece, at| {
            file.read_exact_at(piece, at)
        }))
    }

    /// Reads so many octets with `read_at`.
    pub(super) fn read(
        length: usize,
        mut read_at: impl FnMut(&mut [u8], u64) -> io::Result<()>,
    ) -> Self {
        let mut all = vec![0; length];
        let mut lost = Vec::new();
        let mut begin = 0;
        for piece in all.chunks_mut(PIECE) {
            if read_at(piece, begin).is_err() {
                let mut at = begin;
                for part in piece.chunks_mut(LOST) {
                    if read_at(part, at).is_err() {
                        part.fill(0);
                        lost.push(at);
                    }
                    at += part.len() as u64;
                }
            }
            begin += piece.len() as u64;
        }
        Self { all, lost }
    }

    /// Whether what lies at `offset` could not be read.
    pub(super) fn is_lost(&self, offset: u64) -> bool {
        let begin = offset - offset % LOST as u64;
        self.lost.binary_search(&begin).is_ok()
    }
}
