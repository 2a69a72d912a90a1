//! Commands without effect, and errors.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use postroom_tests::{Dialogue, Reply};
use serde_json::json;

use super::{ALICE_ADDRESS, STRANGER, advanced, client, opened};

/// What is a second late for the server is about as late for the client.
const LATE: Duration = Duration::from_millis(900);

fn timed(dialogue: &mut Dialogue, line: &str) -> Result<(Reply, bool)> {
    let asked = Instant::now();
    let reply = dialogue.say(line)?;
    Ok((reply, asked.elapsed() >= LATE))
}

#[test]
fn every_tenth_command_without_effect_is_answered_late_and_a_message_begins_the_count_anew()
-> Result<()> {
    let daemon = advanced(&json!({}))?;
    let mut dialogue = opened(&daemon, client(1))?;
    let mut late = Vec::new();
    for number in 1..=20 {
        let verb = ["NOOP", "RSET", "VRFY alice", "noop x"][number % 4];
        if timed(&mut dialogue, verb)?.1 {
            late.push(number);
        }
    }
    ensure!(late == [10, 20], "{late:?}");
    for _ in 0..5 {
        dialogue.command("NOOP", 250)?;
    }
    let reply = dialogue.send_message(STRANGER, ALICE_ADDRESS, "Subject: reset\n\nx\n")?;
    ensure!(reply.code == 250, "{reply}");
    for number in 1..=10 {
        let (_, is_late) = timed(&mut dialogue, "NOOP")?;
        ensure!(is_late == (number == 10), "{number}");
    }
    Ok(())
}

#[test]
fn beyond_their_limit_twenty_commands_without_effect_end_the_connection() -> Result<()> {
    let daemon = advanced(&json!({"max_junk_commands": 3}))?;
    let mut dialogue = opened(&daemon, client(1))?;
    let mut late = Vec::new();
    for number in 1..=23 {
        let (reply, is_late) = timed(&mut dialogue, "NOOP")?;
        ensure!(reply.code == 250, "{number}: {reply}");
        if is_late {
            late.push(number);
        }
    }
    // The tenth is late anyway; with ten errors, from the fourteenth on, each.
    ensure!(late == [vec![10], (14..=23).collect()].concat(), "{late:?}");
    let reply = dialogue.expect(421)?;
    ensure!(
        reply.text().starts_with("4.7.0 Error: too many errors"),
        "{reply}"
    );
    ensure!(dialogue.is_closed()?);
    Ok(())
}

#[test]
fn a_server_that_stops_does_not_wait_for_the_second() -> Result<()> {
    let mut daemon = advanced(&json!({}))?;
    let mut dialogue = opened(&daemon, client(1))?;
    // Late by three seconds together.
    dialogue.send("RSET\r\n".repeat(30).as_bytes())?;
    dialogue.command("RSET", 250)?;
    let asked = Instant::now();
    daemon.stop()?;
    ensure!(asked.elapsed() < Duration::from_secs(15));
    Ok(())
}
