//! The mail of one user, as a mail reader finds it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A Maildir of a user.
#[derive(Debug, Clone)]
pub struct Maildir {
    root: PathBuf,
}

impl Maildir {
    /// The Maildir in that folder, which need not exist yet.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// All messages in `new/`, by file name. A Maildir that does not exist is empty.
    ///
    /// # Errors
    /// A file or the folder cannot be read.
    pub fn messages(&self) -> io::Result<Vec<Vec<u8>>> {
        let folder = match fs::read_dir(self.root.join("new")) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = folder
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        paths.into_iter().map(fs::read).collect()
    }

    /// The messages that hold this text, line ends aside.
    ///
    /// # Errors
    /// As [`messages`](Self::messages).
    pub fn containing(&self, text: &str) -> io::Result<Vec<String>> {
        let messages = self.messages()?;
        let texts = messages
            .iter()
            .map(|message| String::from_utf8_lossy(message).replace("\r\n", "\n"));
        Ok(texts.filter(|message| message.contains(text)).collect())
    }

    /// Names of files that were begun and not delivered; empty when nothing is under way.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn unfinished(&self) -> io::Result<Vec<String>> {
        match fs::read_dir(self.root.join("tmp")) {
            Ok(folder) => folder
                .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
                .collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
