//! The bytes of a message while it arrives: in memory when small, in an unnamed spool file when not, so that memory
//! does not grow with the message.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

/// Up to this many bytes stay in memory.
const IN_MEMORY: usize = 128 * 1024;

/// A message as it came.
#[derive(Debug)]
pub struct Content {
    kept: Kept,
    /// Octets that are not copied, in order and apart from each other.
    skip: Vec<Range<u64>>,
}

#[derive(Debug)]
enum Kept {
    /// All of it.
    Memory(Vec<u8>),
    /// A spool file without a name: it vanishes with the process, whatever happens.
    Spooled(File),
}

impl Content {
    /// A message that is in memory already.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::new(Kept::Memory(bytes.to_vec()))
    }

    fn new(kept: Kept) -> Self {
        Self {
            kept,
            skip: Vec::new(),
        }
    }

    /// Leaves the Return-Path fields of earlier hops out of every copy: RFC 5321 §4.4 has the final delivery make the
    /// only one. Blocking.
    ///
    /// # Errors
    /// What reading the spool says.
    pub fn drop_return_path(&mut self) -> io::Result<()> {
        let ranges = match &self.kept {
            Kept::Memory(bytes) => message::trace::return_path_fields(bytes),
            Kept::Spooled(file) => {
                let mut file = file;
                let mut head = Vec::new();
                file.seek(SeekFrom::Start(0))?;
                file.take(message::MAX_HEADER_BLOCK)
                    .read_to_end(&mut head)?;
                message::trace::return_path_fields(&head)
            }
        };
        let wide = |range: Range<usize>| range.start as u64..range.end as u64;
        self.skip = ranges.into_iter().map(wide).collect();
        Ok(())
    }

    /// Writes all bytes to `to`; blocking.
    ///
    /// # Errors
    /// What reading the spool or writing the copy says.
    pub fn copy_to(&self, to: &mut File) -> io::Result<()> {
        let mut at = 0;
        for gap in &self.skip {
            self.copy_range(at..gap.start, to)?;
            at = gap.end;
        }
        self.copy_range(at..u64::MAX, to)
    }

    fn copy_range(&self, range: Range<u64>, to: &mut File) -> io::Result<()> {
        match &self.kept {
            Kept::Memory(bytes) => {
                let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                to.write_all(
                    bytes
                        .get(bound(range.start)..bound(range.end))
                        .unwrap_or_default(),
                )
            }
            Kept::Spooled(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(range.start))?;
                io::copy(&mut file.take(range.end - range.start), to).map(drop)
            }
        }
    }
}

/// Collects a message.
#[derive(Debug, Default)]
pub struct Arriving {
    buffer: Vec<u8>,
    file: Option<File>,
    failed: Option<io::Error>,
}

impl Arriving {
    /// Takes the next bytes. A failing disk is remembered and told by [`Self::finish`]: the client must be heard out first.
    pub async fn push(&mut self, bytes: Vec<u8>, spool: &Path) {
        if self.failed.is_some() {
            return;
        }
        if self.buffer.is_empty() && bytes.len() > IN_MEMORY / 2 {
            self.buffer = bytes;
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
        if self.buffer.len() > IN_MEMORY {
            self.spill(spool).await;
        }
    }

    /// The whole message.
    ///
    /// # Errors
    /// What the spool said when a part of it could not be written.
    pub async fn finish(mut self, spool: &Path) -> io::Result<Content> {
        if self.file.is_some() && !self.buffer.is_empty() {
            self.spill(spool).await;
        }
        match (self.failed, self.file) {
            (Some(error), _) => Err(error),
            (None, Some(file)) => Ok(Content::new(Kept::Spooled(file))),
            (None, None) => Ok(Content::new(Kept::Memory(self.buffer))),
        }
    }

    async fn spill(&mut self, spool: &Path) {
        let buffer = std::mem::take(&mut self.buffer);
        let file = self.file.take();
        let spool = spool.to_owned();
        let written = tokio::task::spawn_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => tempfile::tempfile_in(spool)?,
            };
            file.write_all(&buffer)?;
            io::Result::Ok(file)
        })
        .await;
        match written {
            Ok(Ok(file)) => self.file = Some(file),
            Ok(Err(error)) => self.failed = Some(error),
            Err(_) => self.failed = Some(io::Error::other("writing to the spool was interrupted")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn through(bytes: &[u8], step: usize) -> Vec<u8> {
        let spool = tempfile::tempdir().unwrap();
        let mut arriving = Arriving::default();
        for chunk in bytes.chunks(step) {
            arriving.push(chunk.to_vec(), spool.path()).await;
        }
        let content = arriving.finish(spool.path()).await.unwrap();
        let mut out = tempfile::tempfile().unwrap();
        content.copy_to(&mut out).unwrap();
        out.seek(SeekFrom::Start(0)).unwrap();
        let mut copy = Vec::new();
        out.read_to_end(&mut copy).unwrap();
        copy
    }

    #[tokio::test]
    async fn a_message_comes_out_as_it_went_in_whatever_its_size() {
        for size in [0, 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY + 17] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            assert_eq!(through(&bytes, 8191).await, bytes);
            assert_eq!(through(&bytes, 100_000).await, bytes);
        }
    }

    #[tokio::test]
    async fn a_return_path_of_an_earlier_hop_is_left_out_in_memory_and_on_disk() {
        let spool = tempfile::tempdir().unwrap();
        for size in [10, 2 * IN_MEMORY] {
            let body = "x".repeat(size);
            let text = format!(
                "Return-Path: <a@b>\r\n\t(old)\r\nSubject: s\r\nreturn-path:<c>\r\n\r\nReturn-Path: kept\r\n{body}"
            );
            let mut arriving = Arriving::default();
            arriving.push(text.into_bytes(), spool.path()).await;
            let mut content = arriving.finish(spool.path()).await.unwrap();
            content.drop_return_path().unwrap();
            let mut out = tempfile::tempfile().unwrap();
            content.copy_to(&mut out).unwrap();
            out.seek(SeekFrom::Start(0)).unwrap();
            let mut copy = String::new();
            out.read_to_string(&mut copy).unwrap();
            assert_eq!(
                copy,
                format!("Subject: s\r\n\r\nReturn-Path: kept\r\n{body}")
            );
        }
    }

    #[tokio::test]
    async fn a_spool_that_cannot_be_written_is_told_at_the_end() {
        let mut arriving = Arriving::default();
        let nowhere = Path::new("/nonexistent/spool");
        arriving.push(vec![0; IN_MEMORY + 1], nowhere).await;
        arriving.push(vec![0; 10], nowhere).await;
        assert!(arriving.finish(nowhere).await.is_err());
    }
}
