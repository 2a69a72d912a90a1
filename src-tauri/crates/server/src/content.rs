//! The bytes of a message while it arrives: in memory when small, in a file of the spool folder when not, so that memory
//! does not grow with the message.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::spool::{Content, IN_LOG, Writing};

/// Collects a message.
#[derive(Debug, Default)]
pub struct Arriving {
    buffer: Vec<u8>,
    file: Option<Spooled>,
    failed: Option<io::Error>,
}

/// A message that has arrived whole. Unless it is kept, nothing of it stays on the disk.
#[derive(Debug)]
pub struct Arrived {
    /// What came.
    pub content: Content,
    file: Option<Unlink>,
}

impl Arrived {
    /// Somebody answers for the message now, and for its file.
    pub fn keep(mut self) {
        if let Some(file) = self.file.take() {
            file.keep();
        }
    }
}

#[derive(Debug)]
struct Spooled {
    writing: Writing,
    unlink: Unlink,
}

/// Removes a file when dropped.
#[derive(Debug)]
struct Unlink(PathBuf);

impl Unlink {
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Unlink {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

impl Arriving {
    /// Takes the next bytes. A failing disk is remembered and told by [`Self::finish`]: the client must be heard out first.
    pub async fn push(&mut self, bytes: Vec<u8>, spool: &Path) {
        if self.failed.is_some() {
            return;
        }
        if self.buffer.is_empty() && bytes.len() > IN_LOG / 2 {
            self.buffer = bytes;
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
        if self.buffer.len() > IN_LOG {
            self.spill(spool).await;
        }
    }

    /// The whole message. What lies in a file is on the disk, its name included.
    ///
    /// # Errors
    /// What the spool said when a part of it could not be written.
    pub async fn finish(mut self, spool: &Path) -> io::Result<Arrived> {
        if self.file.is_some() {
            self.spill(spool).await;
        }
        match (self.failed, self.file) {
            (Some(error), _) => Err(error),
            (None, Some(Spooled { writing, unlink })) => {
                let file = tokio::task::spawn_blocking(move || writing.finish())
                    .await
                    .map_err(io::Error::other)??;
                Ok(Arrived {
                    content: Content::File(Arc::new(file)),
                    file: Some(unlink),
                })
            }
            (None, None) => Ok(Arrived {
                content: Content::Memory(Arc::new(self.buffer)),
                file: None,
            }),
        }
    }

    async fn spill(&mut self, spool: &Path) {
        let buffer = std::mem::take(&mut self.buffer);
        let file = self.file.take();
        let spool = spool.to_owned();
        let written = tokio::task::spawn_blocking(move || {
            let mut spooled = match file {
                Some(spooled) => spooled,
                None => begin(&spool)?,
            };
            spooled.writing.push(&buffer)?;
            io::Result::Ok((spooled, buffer))
        })
        .await;
        match written {
            Ok(Ok((spooled, mut buffer))) => {
                self.file = Some(spooled);
                // Filled again, so that memory is asked for once.
                buffer.clear();
                self.buffer = buffer;
            }
            Ok(Err(error)) => self.failed = Some(error),
            Err(_) => self.failed = Some(io::Error::other("writing to the spool was interrupted")),
        }
    }
}

fn begin(spool: &Path) -> io::Result<Spooled> {
    let writing = Writing::begin(spool, crate::random())?;
    let unlink = Unlink(writing.path().to_owned());
    Ok(Spooled { writing, unlink })
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
        let arrived = arriving.finish(spool.path()).await.unwrap();
        let length = arrived.content.length();
        arrived
            .content
            .read_at(0, usize::try_from(length).unwrap())
            .unwrap()
    }

    #[tokio::test]
    async fn a_message_comes_out_as_it_went_in_whatever_its_size() {
        for size in [0, 1, IN_LOG, IN_LOG + 1, 3 * IN_LOG + 17] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            assert_eq!(through(&bytes, 8191).await, bytes);
            assert_eq!(through(&bytes, 100_000).await, bytes);
        }
    }

    #[tokio::test]
    async fn a_large_message_that_nobody_answers_for_leaves_no_file() {
        let spool = tempfile::tempdir().unwrap();
        let mut arriving = Arriving::default();
        arriving.push(vec![b'x'; 2 * IN_LOG], spool.path()).await;
        let arrived = arriving.finish(spool.path()).await.unwrap();
        let files = || std::fs::read_dir(spool.path()).unwrap().count();
        assert_eq!(files(), 1);
        drop(arrived);
        assert_eq!(files(), 0);
    }

    #[tokio::test]
    async fn a_large_message_that_is_kept_keeps_its_file() {
        let spool = tempfile::tempdir().unwrap();
        let mut arriving = Arriving::default();
        arriving.push(vec![b'x'; 2 * IN_LOG], spool.path()).await;
        arriving.finish(spool.path()).await.unwrap().keep();
        assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_spool_that_cannot_be_written_is_told_at_the_end() {
        let mut arriving = Arriving::default();
        let nowhere = Path::new("/nonexistent/spool");
        arriving.push(vec![0; IN_LOG + 1], nowhere).await;
        arriving.push(vec![0; 10], nowhere).await;
        assert!(arriving.finish(nowhere).await.is_err());
    }
}
