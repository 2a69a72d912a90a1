//! The power is cut: what the system had not written to the disk yet is gone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use postroom_tests::Daemon;
use postroom_tests::machine::free_port;
use serde_json::json;

use super::account::{office, settle};
use super::load::{Kind, MIXED, send};
use super::sink::Sink;
use super::until_promised;

const SESSIONS: usize = 4;
const LETTERS: u64 = 200;
/// Mailboxes get nothing: what is delivered is committed for good.
const AWAY: &Kind = &Kind {
    sizes: MIXED.sizes,
    recipients: &[
        &["quinn@elsewhere.example"],
        &["quinn@elsewhere.example", "rita@elsewhere.example"],
    ],
};

/// The files of the database, kept elsewhere.
struct Copy {
    data: PathBuf,
    files: Vec<(String, Vec<u8>)>,
}

impl Copy {
    fn of(data: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for name in ["postroom.db", "postroom.db-wal"] {
            let content = fs::read(data.join(name)).unwrap_or_default();
            files.push((name.to_owned(), content));
        }
        ensure!(files.iter().any(|(_, content)| !content.is_empty()));
        let data = data.to_owned();
        Ok(Self { data, files })
    }

    fn put_back(&self) -> Result<()> {
        for (name, content) in &self.files {
            fs::write(self.data.join(name), content)?;
        }
        // Shared memory; made anew from the two others.
        fs::remove_file(self.data.join("postroom.db-shm")).context("the index of the log")
    }
}

fn relay(daemon: &Daemon, port: u16) -> Result<()> {
    daemon.apply(&json!({"delivery": {"relay_port": port}}))
}

/// Commits of the queue are not waited for, because the spool's log has the same on the disk. Here the database loses all
/// of them: it is put back to what it was before the letters came.
#[test]
fn what_the_database_lost_when_the_power_was_cut_comes_back_from_the_log() -> Result<()> {
    let sink = Sink::open()?;
    let mut daemon = office(&sink)?;
    // The relay is away and known to be: letters for it only wait, and nothing commits for good while they come.
    relay(&daemon, free_port()?)?;
    let address = daemon.smtp()?;
    let mut sent = send(address, 1, "first", AWAY, |watch| until_promised(watch, 10))?;
    daemon.queue_says_why()?;
    daemon.kill()?;
    let copy = Copy::of(&daemon.data_folder())?;
    daemon = daemon.restart()?;
    sent.extend(send(daemon.smtp()?, SESSIONS, "second", AWAY, |watch| {
        until_promised(watch, LETTERS)?;
        daemon.kill()
    })?);
    copy.put_back()?;
    let died = std::time::Instant::now();

    daemon = daemon.restart()?;
    ensure!(daemon.queue()?.total > LETTERS / 2, "{:?}", daemon.queue()?);
    relay(&daemon, sink.port())?;
    settle(&daemon, &sink, &sent, &[died]).map(drop)
}
