//! The bytes of a message while it arrives: in memory when small, in a file of the spool folder when not, so that memory
//! does not grow with the message.

use std::io;
use std::ops::Range;
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

/// The header block is not longer; a message with a longer one is refused.
const HEAD: usize = 320 << 10;
/// Copied at once.
const BLOCK: usize = 256 << 10;

impl Arrived {
    /// The message without the parts that `find` names in its beginning, in order and apart from each other.
    ///
    /// # Errors
    /// What the spool said when a message in a file could not be written anew.
    pub async fn without(
        self,
        find: impl FnOnce(&[u8]) -> Vec<Range<usize>> + Send + 'static,
        spool: &Path,
    ) -> io::Result<Self> {
        match &self.content {
            Content::Memory(bytes) => {
                let parts = find(bytes);
                if parts.is_empty() {
                    return Ok(self);
                }
                Ok(Self {
                    content: Content::Memory(Arc::new(remove(bytes, &parts))),
                    file: None,
                })
            }
            Content::File(_) => {
                let spool = spool.to_owned();
                tokio::task::spawn_blocking(move || self.written_anew(find, &spool))
                    .await
                    .map_err(io::Error::other)?
            }
        }
    }

    fn written_anew(
        self,
        find: impl FnOnce(&[u8]) -> Vec<Range<usize>>,
        spool: &Path,
    ) -> io::Result<Self> {
        let head = self.content.read_at(0, HEAD)?;
        let parts = find(&head);
        if parts.is_empty() {
            return Ok(self);
        }
        let Spooled {
            mut writing,
            unlink,
        } = begin(spool)?;
        writing.push(&remove(&head, &parts))?;
        let mut at = head.len() as u64;
        loop {
            let block = self.content.read_at(at, BLOCK)?;
            if block.is_empty() {
                break;
            }
            writing.push(&block)?;
            at += block.len() as u64;
        }
        Ok(Self {
            content: Content::File(Arc::new(writing.finish()?)),
            file: Some(unlink),
        })
    }

    /// A message that this server wrote itself. What has no room in the log lies in a file, name and all on the disk.
    /// Blocking.
    ///
    /// # Errors
    /// What the spool said when the file could not be written.
    pub fn own(octets: Vec<u8>, spool: &Path) -> io::Result<Self> {
        if octets.len() <= IN_LOG {
            return Ok(Self {
                content: Content::Memory(Arc::new(octets)),
                file: None,
            });
        }
        let Spooled {
            mut writing,
            unlink,
        } = begin(spool)?;
        writing.push(&octets)?;
        Ok(Self {
            content: Content::File(Arc::new(writing.finish()?)),
            file: Some(unlink),
        })
    }

    /// Somebody is about to answer for the message: from now on its file stays, whoever goes away meanwhile, unless it is
    /// [refused](Self::refused).
    pub fn hand_over(&mut self) -> Content {
        if let Some(file) = &mut self.file {
            file.stays = true;
        }
        self.content.clone()
    }

    /// Nobody answers for the message, and its file goes.
    pub fn refused(mut self) {
        if let Some(file) = &mut self.file {
            file.stays = false;
        }
    }
}

#[derive(Debug)]
struct Spooled {
    writing: Writing,
    unlink: Unlink,
}

/// Removes a file when dropped, unless it stays.
#[derive(Debug)]
struct Unlink {
    path: PathBuf,
    stays: bool,
}

impl Drop for Unlink {
    fn drop(&mut self) {
        if !self.stays {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn remove(bytes: &[u8], parts: &[Range<usize>]) -> Vec<u8> {
    let mut rest = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for part in parts {
        rest.extend_from_slice(bytes.get(at..part.start).unwrap_or_default());
        at = part.end.max(at);
    }
    rest.extend_from_slice(bytes.get(at..).unwrap_or_default());
    rest
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
    let unlink = Unlink {
        path: writing.path().to_owned(),
        stays: false,
    };
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
    async fn parts_of_the_head_can_be_left_out_whatever_the_size() {
        let spool = tempfile::tempdir().unwrap();
        for size in [100, 3 * IN_LOG] {
            let mut arriving = Arriving::default();
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            arriving.push(bytes.clone(), spool.path()).await;
            let arrived = arriving.finish(spool.path()).await.unwrap();
            let same = arrived.without(|_| vec![], spool.path()).await.unwrap();
            assert_eq!(same.content.length(), size as u64);
            let less = same
                .without(|_| vec![0..10, 20..30], spool.path())
                .await
                .unwrap();
            let rest = [&bytes[10..20], &bytes[30..]].concat();
            assert_eq!(less.content.read_at(0, size).unwrap(), rest);
            drop(less);
            assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn a_large_message_keeps_its_file_from_the_hand_over_on_unless_it_is_refused() {
        let spool = tempfile::tempdir().unwrap();
        let files = || std::fs::read_dir(spool.path()).unwrap().count();
        let mut arrived = Arrived::own(vec![b'x'; 2 * IN_LOG], spool.path()).unwrap();
        arrived.hand_over();
        // The one who handed it over goes away before there is an answer.
        drop(arrived);
        assert_eq!(files(), 1);
        let mut arrived = Arrived::own(vec![b'x'; 2 * IN_LOG], spool.path()).unwrap();
        arrived.hand_over();
        arrived.refused();
        assert_eq!(files(), 1);
    }

    #[test]
    fn a_message_of_our_own_lies_in_a_file_where_the_log_has_no_room() {
        let spool = tempfile::tempdir().unwrap();
        let files = || std::fs::read_dir(spool.path()).unwrap().count();
        for (size, in_files) in [(IN_LOG, 0), (IN_LOG + 1, 1)] {
            let own = Arrived::own(vec![b'x'; size], spool.path()).unwrap();
            assert_eq!((own.content.length(), files()), (size as u64, in_files));
            drop(own);
            assert_eq!(files(), 0);
        }
        let nowhere = Path::new("/nonexistent/spool");
        assert!(Arrived::own(vec![b'x'; IN_LOG], nowhere).is_ok());
        assert!(Arrived::own(vec![b'x'; IN_LOG + 1], nowhere).is_err());
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
