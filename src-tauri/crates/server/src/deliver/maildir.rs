//! Delivery into Maildirs: one folder a user, one file a message.
//!
//! A message is complete before it can be seen: written to `tmp`, renamed into `new`. Its copies are on the disk after
//! [`flush`], which one call does for hundreds of them; until then the spool answers for the message, and delivers it again
//! after a power cut, under the same name.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use settings::{Mailbox, Problem, Settings};
use store::spool::Content;

/// Content of up to this many octets is put behind its head in memory, which saves a system call.
const COPIED_WITH_HEAD: usize = 16 << 10;
/// Octets copied at once from the spool.
const COPIED: usize = 256 << 10;

/// One copy to write: the mailbox and what stands above the message as it came.
#[derive(Debug)]
pub struct Copy {
    /// Name of the mailbox, checked by the settings to be safe as a folder name.
    pub mailbox: String,
    /// Return-Path, Delivered-To and Received, each ended by CRLF.
    pub head: String,
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

/// A message of which copies are written.
#[derive(Debug)]
pub struct Message<'a> {
    /// What every copy holds below its head.
    pub content: &'a Content,
    /// Name of the file in each mailbox; see [`file_name`].
    pub name: &'a str,
    /// Octets of the content that are left out, in order and apart from each other.
    pub skip: Vec<Range<u64>>,
}

impl<'a> Message<'a> {
    /// Leaves the Return-Path fields of earlier hops out of every copy: RFC 5321 §4.4 has the final delivery make the only
    /// one. Blocking.
    ///
    /// # Errors
    /// What reading the spool says.
    pub fn new(content: &'a Content, name: &'a str) -> io::Result<Self> {
        let most = usize::try_from(message::MAX_HEADER_BLOCK).unwrap_or(usize::MAX);
        let ranges = match content {
            Content::Memory(bytes) => message::trace::return_path_fields(bytes),
            Content::File(_) => message::trace::return_path_fields(&content.read_at(0, most)?),
        };
        let wide = |range: Range<usize>| range.start as u64..range.end as u64;
        Ok(Self {
            content,
            name,
            skip: ranges.into_iter().map(wide).collect(),
        })
    }
}

/// The name of a message's file: the same whenever the message is delivered again after a crash, so that a copy that may
/// be there already is replaced and not doubled; different for every message of every folder with this host name.
pub fn file_name(accepted_at_ms: i64, message: i64, host: &str) -> String {
    format!("{}.M{message:x}.{host}", accepted_at_ms / 1000)
}

/// Writes one copy below `root` and shows it to the mailbox's readers. A crash of the program loses nothing of it; a power
/// cut may, until [`flush`] was called. Blocking.
///
/// # Errors
/// What the disk says; then nothing of the copy is left, as far as the disk still obeys.
pub fn write(root: &Path, copy: &Copy, message: &Message<'_>) -> io::Result<()> {
    if copy.mailbox.is_empty() {
        // It would become a file of the folder above all mailboxes, which nobody reads.
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the recipient has no mailbox",
        ));
    }
    let maildir = root.join(&copy.mailbox);
    match put(&maildir, copy, message) {
        // The mailbox is new, or somebody removed it: it is made, once.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_maildir(&maildir)?;
            put(&maildir, copy, message)
        }
        done => done,
    }
}

fn put(maildir: &Path, copy: &Copy, message: &Message<'_>) -> io::Result<()> {
    let tmp = maildir.join("tmp").join(message.name);
    let written = write_file(&tmp, copy, message).and_then(|()| {
        store::fail_point!("mailbox-before-rename");
        fs::rename(&tmp, maildir.join("new").join(message.name))
    });
    store::fail_point!("mailbox-after-rename");
    if written.is_err() {
        let _ = fs::remove_file(&tmp);
    }
    written
}

fn write_file(tmp: &Path, copy: &Copy, message: &Message<'_>) -> io::Result<()> {
    // What a crash left under this name is ours.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(tmp)?;
    match message.content {
        Content::Memory(bytes) if bytes.len() <= COPIED_WITH_HEAD => {
            let mut whole = Vec::with_capacity(copy.head.len() + bytes.len());
            whole.extend_from_slice(copy.head.as_bytes());
            let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            for range in kept(&message.skip) {
                let range = bound(range.start)..bound(range.end);
                whole.extend_from_slice(bytes.get(range).unwrap_or_default());
            }
            file.write_all(&whole)
        }
        Content::Memory(bytes) => {
            file.write_all(copy.head.as_bytes())?;
            let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            kept(&message.skip).try_for_each(|range| {
                let range = bound(range.start)..bound(range.end);
                file.write_all(bytes.get(range).unwrap_or_default())
            })
        }
        Content::File(_) => {
            file.write_all(copy.head.as_bytes())?;
            store::fail_point!("mailbox-in-part");
            for range in kept(&message.skip) {
                copy_range(message.content, range, &mut file)?;
            }
            Ok(())
        }
    }
}

/// What lies between the gaps.
fn kept(skip: &[Range<u64>]) -> impl Iterator<Item = Range<u64>> {
    let starts = std::iter::once(0).chain(skip.iter().map(|gap| gap.end));
    let ends = skip
        .iter()
        .map(|gap| gap.start)
        .chain(std::iter::once(u64::MAX));
    starts.zip(ends).map(|(start, end)| start..end)
}

fn copy_range(content: &Content, range: Range<u64>, to: &mut File) -> io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let most = usize::try_from(range.end - at)
            .unwrap_or(COPIED)
            .min(COPIED);
        let part = content.read_at(at, most)?;
        if part.is_empty() {
            break;
        }
        at += part.len() as u64;
        to.write_all(&part)?;
    }
    Ok(())
}

/// Waits until everything that was written below `root` is on the disk. Blocking.
///
/// # Errors
/// What the disk says, also of what it failed to write since the last call.
pub fn flush(root: &Path) -> io::Result<()> {
    let folder = File::open(root)?;
    rustix::fs::syncfs(&folder)?;
    Ok(())
}

/// Makes the three folders of a mailbox.
fn make_maildir(maildir: &Path) -> io::Result<()> {
    for part in ["tmp", "cur", "new"] {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(maildir.join(part))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    fn copy(mailbox: &str) -> Copy {
        Copy {
            mailbox: mailbox.into(),
            head: format!("Delivered-To: {mailbox}@office.example\r\n"),
        }
    }

    fn content(bytes: &[u8]) -> Content {
        Content::Memory(Arc::new(bytes.to_vec()))
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder)
            .map(|list| list.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default()
    }

    #[test]
    fn each_mailbox_gets_one_complete_private_file() {
        let root = tempfile::tempdir().unwrap();
        let content = content(b"Subject: x\r\n\r\nbody\r\n");
        let message = Message::new(&content, "1.M2.mail.office.example").unwrap();
        for user in ["alice", "bob"] {
            write(root.path(), &copy(user), &message).unwrap();
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
        flush(root.path()).unwrap();
    }

    #[test]
    fn a_message_that_is_delivered_again_is_there_once() {
        let root = tempfile::tempdir().unwrap();
        let content = content(b"x");
        let name = file_name(1_700_000_000_000, 77, "h");
        let message = Message::new(&content, &name).unwrap();
        write(root.path(), &copy("alice"), &message).unwrap();
        write(root.path(), &copy("alice"), &message).unwrap();
        assert_eq!(files(&root.path().join("alice/new")).len(), 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("bob"), "not a folder").unwrap();
        let content = content(b"x");
        let message = Message::new(&content, "n").unwrap();
        assert!(write(root.path(), &copy("bob"), &message).is_err());
    }

    #[test]
    fn nothing_is_written_for_nobody() {
        let root = tempfile::tempdir().unwrap();
        let content = content(b"x");
        let message = Message::new(&content, "n").unwrap();
        assert!(write(root.path(), &copy(""), &message).is_err());
        assert!(files(root.path()).is_empty());
    }

    #[test]
    fn the_return_path_of_an_earlier_hop_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        let content = content(
            b"Return-Path: <a@b>\r\n\t(old)\r\nSubject: s\r\nreturn-path:<c>\r\n\r\nReturn-Path: kept\r\n",
        );
        let message = Message::new(&content, "n").unwrap();
        write(root.path(), &copy("alice"), &message).unwrap();
        let text = fs::read_to_string(root.path().join("alice/new/n")).unwrap();
        assert_eq!(
            text,
            "Delivered-To: alice@office.example\r\nSubject: s\r\n\r\nReturn-Path: kept\r\n"
        );
    }
}
