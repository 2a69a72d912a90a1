//! `ceiling FOLDER`: no mail server, but the limit of one on this machine; `cargo xtask bench mail` measures beside it.
//!
//! It does what no server can leave out. A message is answered with 250 once it is on the disk, in one log to which all
//! sessions append and for whose flushes they share the waiting; files in Maildirs are made after the answer. It neither
//! parses nor decides, keeps no journal, never shortens its log, and does not read it again after a crash.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// A client that sends more than this is none of ours.
const LARGEST: usize = 256 * 1024 * 1024;
/// Messages that may wait for their files before sessions wait too.
const WAITING: usize = 10_000;

/// What has been taken: the message and its mailboxes.
struct Taken {
    message: Vec<u8>,
    mailboxes: Vec<String>,
}

/// The log. Whoever finds nobody flushing writes what all have appended since, and flushes it for them.
struct Log {
    file: File,
    state: Mutex<State>,
    flushed: Condvar,
}

#[derive(Default)]
struct State {
    /// Appended, and not yet handed to the system.
    waiting: Vec<u8>,
    /// Empty, but with room: what has been flushed last.
    spare: Vec<u8>,
    /// Number of the last message in `waiting`.
    appended: u64,
    /// Number of the last message on the disk.
    durable: u64,
    flushing: bool,
    broken: bool,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once the message is on the disk.
    fn keep(&self, taken: &Taken) -> io::Result<()> {
        let mut state = self.lock();
        for mailbox in &taken.mailboxes {
            state.waiting.extend_from_slice(mailbox.as_bytes());
            state.waiting.push(b' ');
        }
        let length = taken.message.len().to_le_bytes();
        state.waiting.extend_from_slice(&length);
        state.waiting.extend_from_slice(&taken.message);
        state.appended += 1;
        let own = state.appended;
        while state.durable < own {
            if state.broken {
                return Err(io::Error::other("the log cannot be written"));
            }
            if state.flushing {
                state = self
                    .flushed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.flushing = true;
            let spare = std::mem::take(&mut state.spare);
            let mut batch = std::mem::replace(&mut state.waiting, spare);
            let last = state.appended;
            drop(state);
            let done = (&self.file)
                .write_all(&batch)
                .and_then(|()| self.file.sync_data());
            state = self.lock();
            state.flushing = false;
            batch.clear();
            state.spare = batch;
            match done {
                Ok(()) => state.durable = last,
                Err(_) => state.broken = true,
            }
            self.flushed.notify_all();
        }
        Ok(())
    }
}

/// Makes the files, one message after the other: whole in `tmp`, then linked into every mailbox.
fn file_away(queue: Receiver<Taken>, folder: &Path) -> io::Result<()> {
    let mut known: HashSet<String> = HashSet::new();
    for (number, taken) in queue.into_iter().enumerate() {
        let mut first: Option<PathBuf> = None;
        for mailbox in taken.mailboxes {
            let maildir = folder.join("mail").join(&mailbox);
            if known.insert(mailbox) {
                for part in ["tmp", "new", "cur"] {
                    fs::create_dir_all(maildir.join(part))?;
                }
            }
            let new = maildir.join("new").join(number.to_string());
            if let Some(first) = &first {
                fs::hard_link(first, &new)?;
                continue;
            }
            let tmp = maildir.join("tmp").join(number.to_string());
            fs::write(&tmp, &taken.message)?;
            fs::rename(&tmp, &new)?;
            first = Some(new);
        }
    }
    Ok(())
}

/// `box`, `1box` … `100box`: those whom the load writes to.
fn is_mailbox(name: &str) -> bool {
    let number = name.strip_suffix("box");
    number.is_some_and(|number| number.is_empty() || matches!(number.parse(), Ok(1..=100u8)))
}

/// Reads up to the final dot and takes the doubled dots away. `None` when the client leaves.
fn read_message(client: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::with_capacity(8192);
    while message.len() < LARGEST {
        let start = message.len();
        if client.read_until(b'\n', &mut message)? == 0 {
            return Ok(None);
        }
        if message.get(start) == Some(&b'.') {
            message.remove(start);
            if message.get(start..) == Some(b"\r\n") {
                message.truncate(start);
                return Ok(Some(message));
            }
        }
    }
    Ok(None)
}

fn converse(stream: TcpStream, log: &Log, queue: &SyncSender<Taken>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut client = BufReader::with_capacity(64 * 1024, stream);
    let mut mailboxes = Vec::new();
    let mut line = String::new();
    out.write_all(b"220 ceiling\r\n")?;
    loop {
        line.clear();
        if client.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "HELO" | "EHLO" | "MAIL" | "RSET" => {
                mailboxes.clear();
                "250 ok\r\n"
            }
            "RCPT" => {
                let name = line.split(['<', '@']).nth(1).unwrap_or_default();
                if is_mailbox(name) {
                    mailboxes.push(name.to_owned());
                    "250 ok\r\n"
                } else {
                    "550 5.1.1 nobody here\r\n"
                }
            }
            "DATA" if mailboxes.is_empty() => "503 5.5.1 for whom?\r\n",
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let Some(message) = read_message(&mut client)? else {
                    return Ok(());
                };
                let mailboxes = std::mem::take(&mut mailboxes);
                let taken = Taken { message, mailboxes };
                log.keep(&taken)?;
                out.write_all(b"250 kept\r\n")?;
                queue.send(taken).map_err(io::Error::other)?;
                continue;
            }
            "QUIT" => return out.write_all(b"221 bye\r\n"),
            _ => "500 5.5.2 what?\r\n",
        };
        out.write_all(reply.as_bytes())?;
    }
}

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("usage: ceiling FOLDER")?);
    let log = Arc::new(Log {
        file: File::options()
            .append(true)
            .create(true)
            .open(folder.join("log"))?,
        state: Mutex::default(),
        flushed: Condvar::new(),
    });
    let (queue, waiting) = sync_channel(WAITING);
    thread::spawn(move || {
        if let Err(error) = file_away(waiting, &folder) {
            eprintln!("ceiling: no more files are made: {error}");
        }
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("ready {}", listener.local_addr()?.port());
    for stream in listener.incoming().flatten() {
        let (log, queue) = (log.clone(), queue.clone());
        // A client that leaves early is no fault of ours.
        thread::spawn(move || converse(stream, &log, &queue));
    }
    Ok(())
}
