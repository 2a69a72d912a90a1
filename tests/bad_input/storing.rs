//! A spool that cannot be written and a database that another program holds: the client hears 452 and keeps its message,
//! the status says what is the matter until it is over, and mail is taken again without a restart.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Daemon, Dialogue, Reply};
use serde_json::{Value, json};
use store::Connection;

use super::disks::{holds_exactly, letter};
use super::{ALICE, ALICE_ADDRESS, STRANGER};

const SMALL: usize = 1_000;
/// Too large for the log: it lies in a file of its own.
const LARGE: usize = 1_000_000;

/// What `status` has to say beside that the server runs.
fn problem(daemon: &Daemon) -> Result<Value> {
    let printed = daemon.command(&["--json", "status"])?;
    let status: Value = serde_json::from_str(&printed).context(printed)?;
    ensure!(status["state"] == "running", "{status}");
    Ok(status["problem"].clone())
}

fn waits_for_problem(daemon: &Daemon, code: &str) -> Result<Value> {
    until(&format!("the status says {code}"), || {
        Ok(Some(problem(daemon)?).filter(|problem| problem["code"] == code))
    })
}

/// The status says why mail is put off, to people as to programs.
pub fn says_that_storing_fails(daemon: &Daemon, cause: &str, words: &str) -> Result<()> {
    let problem = until(&format!("the status says {cause}"), || {
        let problem = waits_for_problem(daemon, "storage_failing")?;
        Ok(Some(problem).filter(|problem| problem["args"]["cause"] == cause))
    })?;
    let said = daemon.command(&["status"])?;
    ensure!(said.contains(words), "{said}");
    ensure!(said.contains("Nothing that was accepted is lost"), "{said}");
    let message = problem["message"].as_str().unwrap_or_default();
    ensure!(message.contains(words), "{problem}");
    Ok(())
}

pub fn nothing_is_the_matter(daemon: &Daemon) -> Result<()> {
    until("the status says nothing more", || {
        Ok(problem(daemon)?.is_null().then_some(()))
    })
}

fn send(guest: &mut Dialogue, size: usize) -> Result<Reply> {
    guest.send_message(STRANGER, ALICE_ADDRESS, &letter(0, size))
}

fn is_taken(guest: &mut Dialogue, size: usize) -> Result<()> {
    let reply = send(guest, size)?;
    ensure!(reply.code == 250, "{reply}");
    Ok(())
}

fn is_put_off(guest: &mut Dialogue, size: usize, words: &str) -> Result<Reply> {
    let reply = send(guest, size)?;
    ensure!(
        reply.code == 452 && reply.text().starts_with("4.3.1 "),
        "{reply}"
    );
    ensure!(reply.text().contains(words), "{reply}");
    Ok(reply)
}

#[test]
fn a_spool_folder_that_is_not_there_puts_mail_off_until_it_is_back() -> Result<()> {
    for is_file in [false, true] {
        let daemon = Daemon::start(&json!({}), &[ALICE])?;
        let spool = daemon.data_folder().join("spool");
        let away = daemon.data_folder().join("spool-away");
        let mut guest = Dialogue::open(daemon.smtp()?)?;
        is_taken(&mut guest, SMALL)?;
        daemon.queue_is_empty()?;
        nothing_is_the_matter(&daemon)?;

        fs::rename(&spool, &away)?;
        if is_file {
            fs::write(&spool, "not a folder")?;
        }
        for size in [SMALL, LARGE, SMALL] {
            let reply = is_put_off(&mut guest, size, "cannot be written")?;
            let token = reply.token().context("no token")?.to_owned();
            let why = daemon.command(&["explain", &token])?;
            ensure!(why.contains("452 4.3.1"), "{why}");
        }
        says_that_storing_fails(
            &daemon,
            "unwritable",
            "cannot be written; see that it is there",
        )?;

        if is_file {
            fs::remove_file(&spool)?;
        }
        fs::rename(&away, &spool)?;
        nothing_is_the_matter(&daemon)?;
        is_taken(&mut guest, SMALL)?;
        is_taken(&mut guest, LARGE)?;
        daemon.queue_is_empty()?;
        holds_exactly(&daemon.mail("alice"), 3)?;
    }
    Ok(())
}

#[test]
fn a_database_that_another_program_holds_puts_mail_off_until_it_is_free() -> Result<()> {
    let daemon = Daemon::start(&json!({}), &[ALICE])?;
    let mut guest = Dialogue::open(daemon.smtp()?)?;
    is_taken(&mut guest, SMALL)?;
    daemon.queue_is_empty()?;

    let other = Connection::open(daemon.data_folder().join("postroom.db"))?;
    other.execute_batch("BEGIN EXCLUSIVE")?;
    // It is in the spool log, and answered for.
    is_taken(&mut guest, SMALL)?;
    let behind = waits_for_problem(&daemon, "queue_behind")?;
    let message = behind["message"].as_str().unwrap_or_default();
    ensure!(message.contains("safe in the spool log"), "{behind}");
    is_put_off(&mut guest, SMALL, "the mail database is busy")?;
    says_that_storing_fails(&daemon, "busy", "another program holds it")?;

    other.execute_batch("ROLLBACK")?;
    drop(other);
    nothing_is_the_matter(&daemon)?;
    is_taken(&mut guest, SMALL)?;
    is_taken(&mut guest, LARGE)?;
    daemon.queue_is_empty()?;
    holds_exactly(&daemon.mail("alice"), 4)?;
    let accepted = daemon.command(&["log", "--outcome", "accepted"])?;
    ensure!(accepted.lines().count() == 4, "{accepted}");
    Ok(())
}
