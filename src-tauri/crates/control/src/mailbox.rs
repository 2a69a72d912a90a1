//! The folders of mailboxes, as far as changing users touches them. Delivery makes and fills them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use settings::{Mailbox, Problem, Settings};
use store::DataDir;

/// What a change of users means for the folders.
#[derive(Debug, Clone)]
pub(crate) enum Folder {
    /// Nothing.
    Keep,
    /// A user begins under this name, and must not find mail of another.
    Begin(String),
    /// The mail goes along with the user.
    Move {
        /// Name so far.
        from: String,
        /// Name from now on.
        to: String,
    },
}

impl Folder {
    /// Checks and carries out the change; both names have been checked to be safe as folder names. True when a folder
    /// was moved, which [`Self::undo`] takes back.
    ///
    /// # Errors
    /// What is in the way, at the user's name.
    pub(crate) fn change(&self, root: &Path) -> Result<bool, Problem> {
        match self {
            Self::Keep => Ok(false),
            Self::Begin(name) if holds_mail(&root.join(name)) => {
                Err(exists(name, &root.join(name)))
            }
            Self::Begin(_) => Ok(false),
            Self::Move { from, to } => {
                let (old, new) = (root.join(from), root.join(to));
                if new.symlink_metadata().is_ok() {
                    return Err(exists(to, &new));
                }
                match fs::rename(&old, &new).and_then(|()| flush(root)) {
                    Ok(()) => Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                    Err(error) => Err(cannot_move(to, &old, &error)),
                }
            }
        }
    }

    /// Takes a move back, because the settings could not be stored after all.
    pub(crate) fn undo(&self, root: &Path) {
        if let Self::Move { from, to } = self
            && let Err(error) = fs::rename(root.join(to), root.join(from))
        {
            tracing::error!("the mail of {from} stays in the folder {to}: {error}");
        }
    }

    /// Brings over what was delivered under the old name until the server knew the new one.
    pub(crate) fn sweep(&self, root: &Path) {
        let Self::Move { from, to } = self else {
            return;
        };
        let (old, new) = (root.join(from), root.join(to));
        if let Err(error) = sweep(&old, &new)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!("mail for {to} is left in {}: {error}", old.display());
        }
    }
}

/// Where the Maildirs of `settings` are.
pub(crate) fn root(settings: &Settings, data: &DataDir) -> PathBuf {
    match &settings.service.mailbox {
        Mailbox::Maildir(Some(folder)) => folder.into(),
        // Behind LMTP the other program keeps the mail; what lies here is from before.
        Mailbox::Maildir(None) | Mailbox::Lmtp(_) => data.mail(),
    }
}

/// Names in a Maildir are unique in the world, so nothing is overwritten.
fn sweep(old: &Path, new: &Path) -> io::Result<()> {
    let letters = fs::read_dir(old.join("new"))?;
    if new.symlink_metadata().is_err() {
        return fs::rename(old, new);
    }
    for letter in letters {
        let letter = letter?;
        fs::rename(letter.path(), new.join("new").join(letter.file_name()))?;
    }
    flush(&new.join("new"))?;
    // Only empty folders go; a message that is being written in `tmp` keeps its own.
    for part in ["new", "cur", "tmp", ""] {
        fs::remove_dir(old.join(part))?;
    }
    Ok(())
}

/// Whether `maildir` has a message, or anything else that cannot be looked into.
fn holds_mail(maildir: &Path) -> bool {
    ["new", "cur"]
        .iter()
        .any(|part| match fs::read_dir(maildir.join(part)) {
            Ok(mut letters) => letters.next().is_some(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        })
}

fn flush(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

fn exists(name: &str, folder: &Path) -> Problem {
    let folder = folder.display();
    Problem::new(
        format!("users.{name}.name"),
        "mailbox_exists",
        format!("the folder {folder} still holds mail of an earlier user: move it away or choose another name"),
    )
    .arg("folder", folder)
}

fn cannot_move(name: &str, folder: &Path, error: &io::Error) -> Problem {
    let folder = folder.display();
    Problem::new(
        format!("users.{name}.name"),
        "cannot_move",
        format!("the folder {folder} cannot be renamed: {error}"),
    )
    .arg("folder", folder)
}
