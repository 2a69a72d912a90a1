//! Disks that are full or cannot be written: the client hears 452 and keeps the message, or its message waits in the
//! queue; nothing is lost.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::{SmallDisk, until};
use postroom_tests::{Daemon, Dialogue, Maildir, Reply, verb};
use serde_json::json;
use tempfile::TempDir;

use super::storing::{nothing_is_the_matter, says_that_storing_fails};
use super::{ALICE, ALICE_ADDRESS, STRANGER, VERBS};

const MEGABYTE: u64 = 1024 * 1024;
/// Messages after which the small disks are full many times over.
const ENOUGH: usize = 200;

fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new()
        .prefix("postroom-test-")
        .tempdir()?)
}

/// Mounting is a right of root; the checks that need no full disk run for everybody.
fn no_disk() -> Result<()> {
    println!("not tested here: a full disk, because this user may not mount one");
    Ok(())
}

/// A message of about so many octets that says its number.
pub fn letter(number: usize, size: usize) -> String {
    let mut text = format!("Subject: letter {number}\n\n");
    while text.len() < size {
        text.push_str("All work and no play makes Jack a dull boy.\n");
    }
    text + "the end\n"
}

/// Sends until the first refusal. Returns how many were taken.
fn send_until_refused(guest: &mut Dialogue, size: usize) -> Result<usize> {
    for number in 0..ENOUGH {
        let reply = guest.send_message(STRANGER, ALICE_ADDRESS, &letter(number, size))?;
        if reply.code != 250 {
            ensure!(reply.text().starts_with("4.3.1 "), "{reply}");
            ensure!(reply.code == 452 && reply.token().is_some(), "{reply}");
            return Ok(number);
        }
    }
    anyhow::bail!("the disk does not get full");
}

/// The disk gets full while a message is on its way, when the server has said go on already. Returns what fills it, and
/// the reply to the message.
fn fill_in_the_middle(
    guest: &mut Dialogue,
    disk: &SmallDisk,
    size: usize,
) -> Result<(PathBuf, Reply)> {
    guest.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    guest.command(&format!("RCPT TO:<{ALICE_ADDRESS}>"), 250)?;
    guest.command("DATA", 354)?;
    let ballast = disk.fill()?;
    let reply = guest.send_content(&letter(0, size))?;
    Ok((ballast, reply))
}

/// Each message that was taken is there once and whole, and nothing else is.
pub fn holds_exactly(mail: &Maildir, count: usize) -> Result<()> {
    let messages = mail.messages()?;
    ensure!(
        messages.len() == count,
        "{} messages, {count} were taken",
        messages.len()
    );
    ensure!(
        messages
            .iter()
            .all(|message| message.ends_with(b"the end\r\n")),
        "a part of a message"
    );
    ensure!(mail.unfinished()?.is_empty(), "{:?}", mail.unfinished()?);
    Ok(())
}

#[test]
fn what_a_full_mail_disk_cannot_hold_waits_and_new_mail_is_refused_until_there_is_room()
-> Result<()> {
    let folder = folder()?;
    let mail = folder.path().join("mail");
    fs::create_dir(&mail)?;
    let Some(disk) = SmallDisk::at(&mail, 4 * MEGABYTE)? else {
        return no_disk();
    };
    let daemon = Daemon::start(
        &json!({"service": {"mailbox": {"maildir": mail}}}),
        &[ALICE],
    )?;
    let alice = Maildir::new(&mail.join("alice"));
    let mut guest = Dialogue::open(daemon.smtp()?)?;
    let spare = mail.join("spare");
    fs::write(&spare, vec![0; 2_000_000])?;
    let mut taken = send_until_refused(&mut guest, 100_000)?;
    ensure!(taken > 5, "only {taken} messages on two megabytes");

    fs::remove_file(spare)?;
    deliver_what_waits(&daemon)?;
    holds_exactly(&alice, taken)?;
    let (ballast, reply) = fill_in_the_middle(&mut guest, &disk, 100_000)?;
    ensure!(reply.code == 250, "the spool has room: {reply}");
    taken += 1;
    let why = daemon.queue_says_why()?;
    ensure!(
        why == ["the disk with the mailbox of alice is full"],
        "{why:?}"
    );
    holds_exactly(&alice, taken - 1)?;
    // The same session hears of it each time, and the log says the same.
    for number in 0..3 {
        let reply = guest.send_message(STRANGER, ALICE_ADDRESS, &letter(number, 1000))?;
        ensure!(
            reply.code == 452 && reply.text().starts_with("4.3.1 "),
            "{reply}"
        );
        let token = reply.token().context("no token")?.to_owned();
        let why = daemon.command(&["explain", &token])?;
        ensure!(why.contains("insufficient system storage"), "{why}");
        guest.command("RSET", 250)?;
    }

    fs::remove_file(ballast)?;
    deliver_what_waits(&daemon)?;
    holds_exactly(&alice, taken)?;
    for number in 0..3 {
        let reply = guest.send_message(STRANGER, ALICE_ADDRESS, &letter(number, 10_000))?;
        ensure!(reply.code == 250, "{reply}");
        taken += 1;
    }
    daemon.queue_is_empty()?;
    holds_exactly(&alice, taken)
}

/// Has everything tried again and waits until it has arrived.
fn deliver_what_waits(daemon: &Daemon) -> Result<()> {
    until("every attempt is over", || {
        let sending = |row: &postroom_tests::daemon::Waiting| row.state == "sending";
        Ok((!daemon.queue()?.rows.iter().any(sending)).then_some(()))
    })?;
    daemon.command(&["queue", "retry", "--all"])?;
    daemon.queue_is_empty()
}

#[test]
fn a_full_data_disk_refuses_for_now_loses_nothing_and_takes_mail_again_when_there_is_room()
-> Result<()> {
    let folder = folder()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let Some(disk) = SmallDisk::at(&data, 16 * MEGABYTE)? else {
        return no_disk();
    };
    // The mail has room: only what the server must write down about it has none.
    let mail = folder.path().join("mail");
    let daemon = Daemon::start_in(
        folder,
        &json!({"service": {"mailbox": {"maildir": mail}}}),
        &[ALICE],
    )?;
    let alice = Maildir::new(&mail.join("alice"));
    let mut guest = Dialogue::open(daemon.smtp()?)?;
    let reply = guest.send_message(STRANGER, ALICE_ADDRESS, &letter(0, 1000))?;
    ensure!(reply.code == 250, "{reply}");

    // The message fits, but not what has to be written down about it; then a large one, not even while it arrives.
    let mut taken = 1;
    for size in [1000, 1_000_000] {
        daemon.queue_is_empty()?;
        let (ballast, reply) = fill_in_the_middle(&mut guest, &disk, size)?;
        ensure!(
            reply.code == 452 && reply.text().starts_with("4.3.1 "),
            "{reply}"
        );
        fs::remove_file(ballast)?;
        daemon.queue_is_empty()?;
        holds_exactly(&alice, taken)?;
    }
    let ballast = disk.fill()?;
    taken += send_until_refused(&mut guest, 1000)?;
    verb(&data, &["settings", "set", "general.max_hops", "31"])?
        .refused_with(&["full", "Make room"])?;
    says_that_storing_fails(&daemon, "full", "is full; make room on it")?;

    fs::remove_file(ballast)?;
    nothing_is_the_matter(&daemon)?;
    for size in [1000, 1_000_000] {
        let reply = guest.send_message(STRANGER, ALICE_ADDRESS, &letter(0, size))?;
        ensure!(reply.code == 250, "{reply}");
        taken += 1;
    }
    daemon.queue_is_empty()?;
    holds_exactly(&alice, taken)?;
    let accepted = daemon.command(&["log", "--outcome", "accepted"])?;
    ensure!(accepted.lines().count() == taken, "{accepted}");
    daemon.command(&["settings", "set", "general.max_hops", "31"])?;
    Ok(())
}

#[test]
fn a_mailbox_that_cannot_be_written_gets_its_mail_later_and_the_others_at_once() -> Result<()> {
    let bob = postroom_tests::User {
        name: "bob",
        ..ALICE
    };
    let daemon = Daemon::start(&json!({}), &[ALICE, bob])?;
    let mail = daemon.data_folder().join("mail");
    fs::create_dir_all(&mail)?;
    let in_the_way = mail.join("bob");
    fs::write(&in_the_way, "not a folder")?;
    let mut guest = Dialogue::open(daemon.smtp()?)?;
    guest.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    guest.command(&format!("RCPT TO:<{ALICE_ADDRESS}>"), 250)?;
    guest.command("RCPT TO:<bob@office.example>", 250)?;
    guest.command("DATA", 354)?;
    let reply = guest.send_content(&letter(0, 1000))?;
    ensure!(reply.code == 250, "{reply}");

    let why = daemon.queue_says_why()?;
    ensure!(
        why.len() == 1 && why[0].contains("the mailbox of bob could not be written"),
        "{why:?}"
    );
    holds_exactly(&daemon.mail("alice"), 1)?;
    // Nor is anybody else's mail held up.
    let reply = guest.send_message(STRANGER, ALICE_ADDRESS, &letter(1, 1000))?;
    ensure!(reply.code == 250, "{reply}");
    until("the second letter", || {
        Ok((daemon.mail("alice").messages()?.len() == 2).then_some(()))
    })?;

    fs::remove_file(in_the_way)?;
    deliver_what_waits(&daemon)?;
    holds_exactly(&daemon.mail("alice"), 2)?;
    holds_exactly(&daemon.mail("bob"), 1)
}

#[test]
fn a_data_folder_that_can_only_be_read_is_told_by_every_verb() -> Result<()> {
    let folder = folder()?;
    let Some(disk) = SmallDisk::at(folder.path(), 16 * MEGABYTE)? else {
        return no_disk();
    };
    let used = folder.path().join("used");
    ensure!(
        verb(
            &used,
            &["settings", "set", "general.domain", "office.example"]
        )?
        .code
            == 0
    );
    disk.forbid_writing()?;
    let told = |data: &Path| {
        let name = data.display().to_string();
        VERBS.iter().try_for_each(|arguments| {
            verb(data, arguments)?
                .refused_with(&["No permission", &name])
                .with_context(|| format!("{arguments:?}"))
        })
    };
    told(&used)?;
    told(&folder.path().join("fresh"))
}
