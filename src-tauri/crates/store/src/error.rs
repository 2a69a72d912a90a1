//! The ways in which storing can fail, in words for the person who runs the server.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// Why something could not be stored or read. Every text says what happened, what it means and
/// what to do; after any of them nothing of the failed change is in the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file is not a sound Postroom database. It is never written to in this state.
    #[error(
        "The database {} is damaged: {detail}. Postroom does not run on it and has left the file as it is. \
         Put a backup in its place, or move it away to begin anew; the mail folders are not affected.",
        path.display()
    )]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What SQLite or our own check found.
        detail: String,
    },
    /// What the spool holds of a message is not what was accepted. The database is not concerned.
    #[error(
        "What the spool holds of a message in {} is damaged: {detail}. This message cannot be sent as it came; \
         the database and all other messages are not affected. Check the disk and put that file back from a backup, \
         or remove the message from the queue and ask its sender for it again.",
        path.display()
    )]
    Spool {
        /// The file in the spool folder.
        path: PathBuf,
        /// What our own check found.
        detail: String,
    },
    /// The database was written by a later program.
    #[error(
        "The database {} was written by a newer Postroom (format {found}, this program knows formats up to {known}). \
         Nothing was changed. Start the newer Postroom, or choose another data folder.",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The format of the file.
        found: i64,
        /// The newest format this program can read.
        known: i64,
    },
    /// Too many changes wait, or another process keeps the database locked.
    #[error(
        "The database is busy: too many changes are waiting, or another program holds it. \
         This change was not stored. Try again; if it stays so, look for a backup or another program that has the file open."
    )]
    Busy,
    /// No room for the change.
    #[error(
        "The disk that holds {} is full. This change was not stored; what was stored before is safe. \
         Make room on that disk, then try again.",
        path.display()
    )]
    Full {
        /// The file or folder that could not grow.
        path: PathBuf,
    },
    /// The operating system does not let this user in.
    #[error(
        "No permission for {}: {detail}. Postroom must own its data folder. \
         Give the folder to the user that runs Postroom, or run Postroom as the user that owns it.",
        path.display()
    )]
    Permission {
        /// The file or folder in question.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// The disk or file system failed.
    #[error(
        "Reading or writing {} failed: {detail}. The change was not stored. \
         Check that the disk is healthy and still mounted, then try again.",
        path.display()
    )]
    Io {
        /// The file or folder in question.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// A statement was refused: the change contradicts itself or what is stored.
    #[error(
        "The database refused the change: {detail}. Nothing of it was stored. Please report this as a defect."
    )]
    Sql {
        /// SQLite's words.
        detail: String,
    },
    /// What was to be stored is larger than anything is, or of a shape that cannot be written. The same try fails the same
    /// way however often it is made; after every other error another one may succeed.
    #[error(
        "This can never be stored: {detail}. Nothing of it was. Please report this as a defect."
    )]
    Refused {
        /// What is the matter with it.
        detail: String,
    },
    /// The program itself failed in the middle of a change.
    #[error(
        "A change failed inside Postroom: {detail}. Nothing of it was stored. Please report this as a defect."
    )]
    Defect {
        /// What is known about it.
        detail: String,
    },
}

impl StoreError {
    /// An error of the operating system about `path`.
    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission {
                    path,
                    detail: error.to_string(),
                }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io {
                path,
                detail: error.to_string(),
            },
        }
    }

    /// Whether the change fails as often as it is tried, because of what is in it, and not for what is around it at present.
    pub(crate) fn is_for_good(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Spool { .. }
                | Self::Sql { .. }
                | Self::Refused { .. }
                | Self::Defect { .. }
        )
    }

    /// The same error with `path` named, where it was not known yet.
    pub(crate) fn at(mut self, known: &Path) -> Self {
        if let Self::Damaged { path, .. }
        | Self::Full { path }
        | Self::Permission { path, .. }
        | Self::Io { path, .. } = &mut self
            && path.as_os_str().is_empty()
        {
            *path = known.to_path_buf();
        }
        self
    }
}

impl From<rusqlite::Error> for StoreError {
    /// Table functions use this with `?`; the store adds the path when the error leaves it.
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        let path = PathBuf::new();
        let rusqlite::Error::SqliteFailure(failure, _) = error else {
            return Self::Sql { detail };
        };
        match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged { path, detail },
            ErrorCode::DiskFull => Self::Full { path },
            // Growing the shared-memory file only fails when there is no room for it.
            ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
                Self::Full { path }
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::PermissionDenied | ErrorCode::ReadOnly => Self::Permission { path, detail },
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Self::Io { path, detail },
            _ => Self::Sql { detail },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> StoreError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn every_kind_of_failure_has_its_own_words() {
        assert!(matches!(sqlite(ffi::SQLITE_FULL), StoreError::Full { .. }));
        assert!(matches!(
            sqlite(ffi::SQLITE_IOERR_SHMSIZE),
            StoreError::Full { .. }
        ));
        assert!(matches!(
            sqlite(ffi::SQLITE_NOTADB),
            StoreError::Damaged { .. }
        ));
        assert!(matches!(
            sqlite(ffi::SQLITE_CORRUPT),
            StoreError::Damaged { .. }
        ));
        assert!(matches!(sqlite(ffi::SQLITE_BUSY), StoreError::Busy));
        assert!(matches!(
            sqlite(ffi::SQLITE_READONLY),
            StoreError::Permission { .. }
        ));
        assert!(matches!(sqlite(ffi::SQLITE_IOERR), StoreError::Io { .. }));
        assert!(matches!(
            sqlite(ffi::SQLITE_CONSTRAINT),
            StoreError::Sql { .. }
        ));
    }

    #[test]
    fn a_message_names_the_file_the_meaning_and_the_way_out() {
        let text = sqlite(ffi::SQLITE_FULL)
            .at(Path::new("/data/postroom.db"))
            .to_string();
        assert!(text.contains("/data/postroom.db"), "{text}");
        assert!(text.contains("not stored"), "{text}");
        assert!(text.contains("Make room"), "{text}");
    }

    #[test]
    fn damage_in_the_spool_is_not_said_to_be_in_the_database() {
        let text = StoreError::Spool {
            path: "/data/spool/content-1".into(),
            detail: "it is short".into(),
        }
        .to_string();
        assert!(text.contains("/data/spool/content-1"), "{text}");
        assert!(!text.contains("The database /"), "{text}");
        assert!(text.contains("the database and all other messages are not affected"));
    }

    #[test]
    fn a_path_that_is_known_is_not_replaced() {
        let error = StoreError::Full {
            path: "/first".into(),
        };
        assert_eq!(error.clone().at(Path::new("/second")), error);
    }
}
