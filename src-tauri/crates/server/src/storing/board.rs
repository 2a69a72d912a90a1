//! The file from which other processes learn of the problem.
//!
//! It gets its room when the server starts and is written in place, so that a full disk does not keep it back. Whatever lies
//! in its place and is no file of ours is taken away and not written into: its target belongs to somebody else.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use settings::Problem;
use store::DataDir;

/// Octets of the file, and all that is read of it.
const BOARD: usize = 16 * 1024;
/// For its owner alone.
const MODE: u32 = 0o600;
/// Not through a link, and not waiting for the other end of a pipe.
const FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

/// See above.
#[derive(Debug, Clone)]
pub(super) struct Board {
    path: PathBuf,
    shown: Arc<Mutex<Option<Shown>>>,
}

#[derive(Debug)]
struct Shown {
    file: File,
    text: Vec<u8>,
}

fn place(data: &DataDir) -> PathBuf {
    data.root().join("problem.json")
}

impl Board {
    pub fn new(data: &DataDir) -> Self {
        Self {
            path: place(data),
            shown: Arc::default(),
        }
    }

    /// Writes the problem, unless it stands there already.
    ///
    /// # Errors
    /// The disk: in vain where it has no room from the start. Then the log alone says what is the matter.
    pub async fn show(&self, problem: Option<&Problem>) -> io::Result<()> {
        let mut text = serde_json::to_vec(&problem).unwrap_or_default();
        if text.len() > BOARD {
            text = b"null".to_vec();
        }
        text.resize(BOARD, b' ');
        let mine = self.clone();
        tokio::task::spawn_blocking(move || mine.write(text))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    fn write(&self, text: Vec<u8>) -> io::Result<()> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match shown.take() {
            // Somebody may have removed it: what is written into that one is read by nobody.
            Some(last) if is_in_its_place(&self.path, &last.file)? => {
                if last.text == text {
                    *shown = Some(last);
                    return Ok(());
                }
                last.file
            }
            _ => open(&self.path)?,
        };
        file.write_all_at(&text, 0)?;
        file.set_len(text.len() as u64)?;
        *shown = Some(Shown { file, text });
        Ok(())
    }
}

fn is_in_its_place(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether it is a file that has no other name.
fn is_ours(found: &Metadata) -> bool {
    found.is_file() && found.nlink() == 1
}

fn open(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|found| !is_ours(&found)) {
        fs::remove_file(path)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = options.mode(MODE).custom_flags(FLAGS).open(path)?;
    if !is_ours(&file.metadata()?) {
        return Err(io::Error::other(
            "something else was put in the place of the file",
        ));
    }
    // One that was there already may be open to others.
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok(file)
}

/// What the server of this data folder last said of storing. Whether it still lives, the lock tells.
pub(crate) fn said(data: &DataDir) -> Option<Problem> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(FLAGS);
    let file = options.open(place(data)).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(BOARD as u64).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(words: &str) -> Problem {
        Problem::new("", "storage_failing", words)
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_file_that_somebody_removed_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path());
        let board = Board::new(&data);
        board.show(None).await.unwrap();
        let one = problem("one");
        for _ in 0..2 {
            fs::remove_file(place(&data)).unwrap();
            board.show(Some(&one)).await.unwrap();
            assert_eq!(said(&data), Some(one.clone()));
        }
        let other = folder.path().join("other");
        fs::write(&other, "null").unwrap();
        fs::rename(&other, place(&data)).unwrap();
        board.show(Some(&one)).await.unwrap();
        assert_eq!(said(&data), Some(one));
    }

    #[tokio::test]
    async fn what_a_link_in_its_place_leads_to_is_neither_written_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path());
        let target = folder.path().join("target");
        let theirs = serde_json::to_vec(&problem("theirs")).unwrap();
        for is_soft in [true, false] {
            fs::write(&target, &theirs).unwrap();
            let _ = fs::remove_file(place(&data));
            if is_soft {
                std::os::unix::fs::symlink(&target, place(&data)).unwrap();
                assert_eq!(said(&data), None);
            } else {
                fs::hard_link(&target, place(&data)).unwrap();
            }
            let ours = problem("ours");
            Board::new(&data).show(Some(&ours)).await.unwrap();
            assert_eq!(said(&data), Some(ours));
            assert_eq!(fs::read(&target).unwrap(), theirs);
            assert!(fs::symlink_metadata(place(&data)).unwrap().is_file());
        }
    }

    #[tokio::test]
    async fn a_file_that_was_open_to_others_is_closed_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path());
        fs::write(place(&data), "null").unwrap();
        fs::set_permissions(place(&data), Permissions::from_mode(0o644)).unwrap();
        Board::new(&data).show(None).await.unwrap();
        assert_eq!(mode(&place(&data)), MODE);
    }

    #[tokio::test]
    async fn of_a_file_that_is_too_long_no_more_is_read_or_kept_than_it_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path());
        let mut long = serde_json::to_vec(&problem("long")).unwrap();
        long.resize(BOARD, b' ');
        long.resize(BOARD + 100, b'x');
        fs::write(place(&data), long).unwrap();
        assert_eq!(said(&data), Some(problem("long")));
        let one = problem("one");
        Board::new(&data).show(Some(&one)).await.unwrap();
        assert_eq!(said(&data), Some(one));
        assert_eq!(fs::metadata(place(&data)).unwrap().len(), BOARD as u64);
    }
}
