//! One server for every data folder: a lock that the system releases even when a process is killed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::data_dir::private_file;
use crate::{DataDir, StoreError};

/// A glance by [`is_held`] takes the lock for an instant; these many tries outlast it.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Why the lock could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Another process serves this folder.
    #[error(
        "Another Postroom{} already serves the data folder {}. Use that one (every command works beside it), \
         stop it first, or choose another data folder.",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        folder.display()
    )]
    Held {
        /// The process that holds it, when it could be read.
        pid: Option<u32>,
        /// The data folder.
        folder: PathBuf,
    },
    /// The lock file could not be opened or locked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The right to run the server of one data folder, until dropped or until the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock and writes this process's id into it. The folder must exist.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it, [`LockError::Store`] when the file cannot
    /// be used.
    pub fn acquire(data: &DataDir) -> Result<Self, LockError> {
        let path = data.lock();
        let failed = |error: &std::io::Error| StoreError::from_io(&path, error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = private_file(&mut options, &path).map_err(|error| failed(&error))?;
        let mut tries = 1;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < TRIES => {
                    tries += 1;
                    thread::sleep(BETWEEN_TRIES);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held {
                        pid: written_pid(&file),
                        folder: data.root().to_path_buf(),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(failed(&error).into()),
            }
        }
        let mut lock = Self { file };
        // The id is a hint for messages; a full disk must not keep the server from running.
        let _ = lock.write(&format!("{}\n", std::process::id()));
        Ok(lock)
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file stays, because removing it could take another process's fresh lock away; its
        // content is only a hint, so a failure to empty it does no harm.
        let _ = self.write("");
    }
}

/// Whether a server runs on the folder, and as which process: `Some(None)` when it runs but its id
/// could not be read, `None` when no server runs.
///
/// # Errors
/// [`StoreError::Permission`] or [`StoreError::Io`] when the file cannot be looked at.
pub fn is_held(data: &DataDir) -> Result<Option<Option<u32>>, StoreError> {
    let path = data.lock();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::from_io(&path, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(written_pid(&file))),
        Err(TryLockError::Error(error)) => Err(StoreError::from_io(&path, &error)),
    }
}

fn written_pid(mut file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    // The handle may be a long-lived one that was read before.
    file.rewind().ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, DataDir) {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path().join("data"));
        data.create().unwrap();
        (folder, data)
    }

    #[test]
    fn a_second_server_is_told_which_process_has_the_folder() {
        let (_folder, data) = folder();
        let _lock = Lock::acquire(&data).unwrap();
        let error = Lock::acquire(&data).unwrap_err();
        let LockError::Held { pid, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(error.to_string().contains("already serves"), "{error}");
    }

    #[test]
    fn the_lock_is_free_again_once_dropped_and_the_file_stays() {
        let (_folder, data) = folder();
        drop(Lock::acquire(&data).unwrap());
        assert!(data.lock().exists());
        assert_eq!(is_held(&data).unwrap(), None);
        Lock::acquire(&data).unwrap();
    }

    #[test]
    fn asking_whether_it_is_held_does_not_take_it() {
        let (_folder, data) = folder();
        assert_eq!(is_held(&data).unwrap(), None);
        let _lock = Lock::acquire(&data).unwrap();
        assert_eq!(is_held(&data).unwrap(), Some(Some(std::process::id())));
    }

    #[test]
    fn rubbish_in_the_lock_file_of_a_dead_server_does_not_matter() {
        let (_folder, data) = folder();
        std::fs::write(data.lock(), [0xff; 5000]).unwrap();
        assert_eq!(is_held(&data).unwrap(), None);
        let _lock = Lock::acquire(&data).unwrap();
        assert_eq!(is_held(&data).unwrap(), Some(Some(std::process::id())));
    }
}
