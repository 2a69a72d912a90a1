//! The server dies at each step of taking a message over and of delivering it, and nothing that it took is lost.
//!
//! `FAILPOINTS` has the program end itself at a place, without tidying; only a program built with the feature `failpoints`
//! knows these places, and no program for people is. `cargo xtask test` builds it so.

#[path = "crash/account.rs"]
mod account;
#[path = "crash/letter.rs"]
mod letter;
#[path = "crash/load.rs"]
mod load;
#[path = "crash/sink.rs"]
mod sink;

use std::os::unix::process::ExitStatusExt as _;
use std::time::Instant;

use anyhow::{Result, ensure};
use postroom_tests::machine::until;

use account::{nothing_in_part, office, settle};
use load::{EVERYBODY, Kind, MIXED, send};
use sink::Sink;

const SESSIONS: usize = 4;
/// Letters that fill the spool's log quickly.
const LARGE: &Kind = &Kind {
    sizes: &[120_000],
    recipients: EVERYBODY,
};
const SIGABRT: i32 = 6;
const HOW_TO_BUILD: &str = "or postroomd is built without its places to die; type: cargo build -p control --features failpoints";

fn dies_at(place: &str, passed: usize) -> String {
    match passed {
        0 => format!("{place}=return"),
        _ => format!("{place}={passed}*off->return"),
    }
}

/// Lets the server die at this place while many sessions send, several times, and settles accounts.
fn dies_in_the_middle(place: &str, kind: &Kind, passed: &[usize]) -> Result<()> {
    let sink = Sink::open()?;
    let mut daemon = office(&sink)?;
    let (mut sent, mut died) = (Vec::new(), Vec::new());
    for (round, passed) in passed.iter().enumerate() {
        // What the last death left is delivered first: otherwise it may die again before it has a port.
        daemon = daemon.restart()?;
        daemon.queue_is_empty()?;
        let point = dies_at(place, *passed);
        daemon = daemon.restart_with(&[("FAILPOINTS", &point)])?;
        let what = format!("the server dies at {point}, {HOW_TO_BUILD}");
        let name = format!("r{round}");
        sent.extend(send(daemon.smtp()?, SESSIONS, &name, kind, |_| {
            until(&what, || Ok(daemon.has_ended()?.then_some(())))
        })?);
        died.push(Instant::now());
        nothing_in_part(&daemon)?;
    }
    daemon = daemon.restart()?;
    let twice = settle(&daemon, &sink, &sent, &died)?;
    let promised = sent.iter().filter(|letter| letter.promised).count();
    println!(
        "{place}: {} letters, {promised} promised, {twice} copies twice",
        sent.len()
    );
    Ok(())
}

/// Lets the server die at this place of its start, after it died with records in the log that the tables do not have.
fn dies_while_it_starts(place: &str) -> Result<()> {
    let sink = Sink::open()?;
    let mut daemon = office(&sink)?;
    let (mut sent, mut died) = (Vec::new(), Vec::new());
    for (round, before) in ["spool-after-flush", "accept-before-reply"]
        .into_iter()
        .enumerate()
    {
        let point = dies_at(before, 5);
        daemon = daemon.restart_with(&[("FAILPOINTS", &point)])?;
        let what = format!("the server dies at {point}, {HOW_TO_BUILD}");
        let name = format!("r{round}");
        sent.extend(send(daemon.smtp()?, SESSIONS, &name, MIXED, |_| {
            until(&what, || Ok(daemon.has_ended()?.then_some(())))
        })?);
        for _ in 0..2 {
            let status = daemon.start_that_fails(&[("FAILPOINTS", &dies_at(place, 0))])?;
            ensure!(
                status.signal() == Some(SIGABRT) || status.code() == Some(128 + SIGABRT),
                "it does not die at {place}: {status}"
            );
        }
        died.push(Instant::now());
    }
    daemon = daemon.restart()?;
    settle(&daemon, &sink, &sent, &died).map(drop)
}

macro_rules! places {
    ($($name:ident: $place:literal, $kind:ident $passed:expr;)*) => {
        $(
            #[test]
            fn $name() -> Result<()> {
                dies_in_the_middle($place, $kind, &$passed)
            }
        )*
    };
}

// How often a place is passed before the server dies there: none, so that it dies at the first letter, or some, in the
// middle of work. Some places are passed while it starts.
places! {
    it_dies_before_the_file_of_a_large_letter_is_flushed: "content-before-flush", MIXED [0, 1, 3];
    it_dies_before_the_name_of_that_file_is_flushed: "content-before-name", MIXED [0, 1, 3];
    it_dies_before_that_file_belongs_to_a_letter: "content-after-name", MIXED [0, 1, 3];
    it_dies_before_a_letter_is_in_the_log: "spool-before-write", MIXED [0, 1, 13];
    it_dies_before_the_log_is_flushed: "spool-before-flush", MIXED [0, 1, 13];
    it_dies_before_the_queue_knows_a_letter_of_the_log: "spool-after-flush", MIXED [0, 1, 13];
    it_dies_before_a_letter_of_the_log_is_on_its_way_to_the_queue: "spool-before-enter", MIXED [0, 1, 13];
    it_dies_before_the_queue_has_a_letter_that_may_be_promised: "store-before-commit", MIXED [20, 33];
    it_dies_when_the_queue_has_the_letter: "store-after-commit", MIXED [20, 33];
    it_dies_before_the_letter_is_handed_on: "accept-before-hand-on", MIXED [0, 1, 13];
    it_dies_before_its_reply: "accept-before-reply", MIXED [0, 1, 13];
    it_dies_before_it_goes_on_in_another_segment: "spool-before-turn", LARGE [0, 1];
    it_dies_before_it_writes_into_that_segment: "spool-after-turn", LARGE [0, 1];
    it_dies_before_a_segment_is_used_again: "spool-before-reclaim", LARGE [0, 1];
    it_dies_when_a_part_of_a_copy_is_written: "mailbox-in-part", MIXED [0, 1, 3];
    it_dies_before_a_copy_can_be_seen: "mailbox-before-rename", MIXED [0, 1, 13];
    it_dies_before_a_copy_is_flushed: "mailbox-after-rename", MIXED [0, 1, 13];
    it_dies_before_a_flushed_copy_is_entered: "mailbox-after-flush", MIXED [0, 1];
    it_dies_before_deliveries_are_committed: "settle-before-commit", MIXED [0, 1, 4];
    it_dies_after_deliveries_are_committed: "settle-after-commit", MIXED [0, 1, 4];
    it_dies_after_the_files_of_delivered_letters_are_gone: "settle-after-removal", MIXED [0, 1, 4];
    it_dies_before_it_sends_to_the_relay: "relay-before-sending", MIXED [0, 1, 13];
    it_dies_after_the_relay_has_taken_a_letter: "relay-after-reply", MIXED [0, 1, 13];
}

#[test]
fn it_dies_before_what_the_log_alone_knows_is_committed() -> Result<()> {
    dies_while_it_starts("recovery-before-commit")
}

#[test]
fn it_dies_after_what_the_log_alone_knew_is_committed() -> Result<()> {
    dies_while_it_starts("recovery-after-commit")
}
