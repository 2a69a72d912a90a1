//! Delivery into Maildirs: one folder a user, one file a message.
//!
//! A message is complete and on the disk before it can be seen: written to `tmp`, flushed, renamed into `new`, and the
//! folder flushed as well. Either all mailboxes of a message get it or, as far as the disk still obeys, none.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use settings::accounts::MAX_USERS;
use settings::{Mailbox, Problem, Settings};

use crate::content::Content;

/// One copy to write: the mailbox and what stands above the message as it came.
#[derive(Debug)]
pub struct Copy {
    /// Name of the mailbox, checked by the settings to be safe as a folder name.
    pub mailbox: String,
    /// Return-Path, Delivered-To and Received, each ended by CRLF.
    pub head: String,
}

/// Files that lie in `new`, so that they can be taken back while nobody was told of them.
#[derive(Debug, Default)]
pub struct Delivered(Vec<PathBuf>);

impl Delivered {
    /// Removes the files again, because the message could not be acknowledged after all.
    pub fn take_back(self) {
        for path in self.0 {
            // What cannot be removed stays: a copy too many is better than one lost.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether mail can be stored below the folder that the settings name: makes it if need be, and writes a file.
///
/// # Errors
/// What is in the way, at the setting.
pub fn try_root(settings: &Settings) -> Result<(), Problem> {
    let Mailbox::Maildir(Some(folder)) = &settings.service.mailbox else {
        return Ok(());
    };
    let tried = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| tempfile::tempfile_in(folder));
    tried.map(drop).map_err(|error| {
        Problem::new(
            "service.mailbox.maildir",
            "cannot_write",
            format!("no mail can be stored in {folder}: {error}"),
        )
        .arg("folder", folder)
    })
}

/// A file in `tmp` that goes away unless it reaches `new`.
struct Pending {
    tmp: PathBuf,
    new: PathBuf,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.tmp);
    }
}

/// Writes all copies durably below `root`; blocking.
///
/// # Errors
/// The first failure; then no copy of this message is left in any mailbox.
pub fn deliver(
    root: &Path,
    host: &str,
    copies: &[Copy],
    content: &Content,
) -> io::Result<Delivered> {
    let mut pending = Vec::with_capacity(copies.len());
    for copy in copies {
        pending.push(write_copy(root, host, copy, content)?);
    }
    let mut delivered = Delivered::default();
    for file in &pending {
        if let Err(error) = publish(file) {
            delivered.0.push(file.new.clone());
            delivered.take_back();
            return Err(error);
        }
        delivered.0.push(file.new.clone());
    }
    Ok(delivered)
}

fn publish(file: &Pending) -> io::Result<()> {
    fs::rename(&file.tmp, &file.new)?;
    flush_folder(file.new.parent().unwrap_or(&file.new))
}

fn write_copy(root: &Path, host: &str, copy: &Copy, content: &Content) -> io::Result<Pending> {
    let maildir = root.join(&copy.mailbox);
    make_maildir(root, &maildir)?;
    let name = unique_name(host);
    let pending = Pending {
        tmp: maildir.join("tmp").join(&name),
        new: maildir.join("new").join(&name),
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&pending.tmp)?;
    file.write_all(copy.head.as_bytes())?;
    content.copy_to(&mut file)?;
    file.sync_data()?;
    Ok(pending)
}

/// Makes the three folders, and flushes what names them, so that the message is found after a power cut too. Folders
/// that are there already may have been made just before a crash, so they are flushed once in each process as well.
fn make_maildir(root: &Path, maildir: &Path) -> io::Result<()> {
    static FLUSHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let known = |set: &BTreeSet<PathBuf>| set.contains(maildir);
    let is_flushed = known(&FLUSHED.lock().unwrap_or_else(PoisonError::into_inner));
    if is_flushed && maildir.join("new").is_dir() && maildir.join("tmp").is_dir() {
        return Ok(());
    }
    for part in ["tmp", "cur", "new"] {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(maildir.join(part))?;
    }
    flush_folder(maildir)?;
    flush_folder(root)?;
    let mut flushed = FLUSHED.lock().unwrap_or_else(PoisonError::into_inner);
    // One entry a mailbox; should there be more than users can be, it begins anew and only flushes once too often.
    if flushed.len() > MAX_USERS {
        flushed.clear();
    }
    flushed.insert(maildir.to_owned());
    Ok(())
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Unique over processes, restarts and threads, as the Maildir convention asks: time, process, counter, host.
fn unique_name(host: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!(
        "{}.M{:06}P{}Q{count}.{host}",
        now.as_secs(),
        now.subsec_micros(),
        std::process::id()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(mailbox: &str) -> Copy {
        Copy {
            mailbox: mailbox.into(),
            head: format!("Delivered-To: {mailbox}@office.example\r\n"),
        }
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder)
            .map(|list| list.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default()
    }

    #[test]
    fn each_mailbox_gets_one_complete_private_file() {
        let root = tempfile::tempdir().unwrap();
        let content = Content::from_bytes(b"Subject: x\r\n\r\nbody\r\n");
        deliver(
            root.path(),
            "mail.office.example",
            &[copy("alice"), copy("bob")],
            &content,
        )
        .unwrap();
        for user in ["alice", "bob"] {
            let new = files(&root.path().join(user).join("new"));
            assert_eq!(new.len(), 1);
            let text = fs::read_to_string(&new[0]).unwrap();
            assert_eq!(
                text,
                format!("Delivered-To: {user}@office.example\r\nSubject: x\r\n\r\nbody\r\n")
            );
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(&new[0]).unwrap().permissions(),
            );
            assert_eq!(mode & 0o777, 0o600);
            assert!(files(&root.path().join(user).join("tmp")).is_empty());
        }
    }

    #[test]
    fn when_one_mailbox_fails_none_gets_the_message() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("bob"), "not a folder").unwrap();
        let content = Content::from_bytes(b"x");
        assert!(deliver(root.path(), "h", &[copy("alice"), copy("bob")], &content).is_err());
        assert!(files(&root.path().join("alice/new")).is_empty());
        assert!(files(&root.path().join("alice/tmp")).is_empty());
    }

    #[test]
    fn a_delivery_can_be_taken_back() {
        let root = tempfile::tempdir().unwrap();
        let done = deliver(
            root.path(),
            "h",
            &[copy("alice")],
            &Content::from_bytes(b"x"),
        )
        .unwrap();
        done.take_back();
        assert!(files(&root.path().join("alice/new")).is_empty());
    }
}
