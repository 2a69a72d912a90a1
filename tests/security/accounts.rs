//! Clients that guess the names of accounts.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use postroom_tests::{Daemon, Dialogue};
use serde_json::json;
use store::Connection;

use super::{ALICE, ALICE_ADDRESS, STRANGER, advanced, client, greeted, opened, told, turned_away};

const BLOCKED: &str = "too many unknown recipients from 127.0.9.";

fn guesses(daemon: &Daemon) -> Result<Dialogue> {
    let mut dialogue = opened(daemon, client(1))?;
    dialogue.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    Ok(dialogue)
}

fn guess(dialogue: &mut Dialogue, name: &str) -> Result<()> {
    let reply = dialogue.command(&format!("RCPT TO:<{name}@office.example>"), 550)?;
    ensure!(reply.text().starts_with("5.1.1"), "{reply}");
    Ok(())
}

/// A client that has guessed three times too often.
fn ban(daemon: &Daemon) -> Result<()> {
    let mut dialogue = guesses(daemon)?;
    for name in ["a", "b", "c"] {
        guess(&mut dialogue, name)?;
    }
    // Whatever comes next.
    let reply = dialogue.command("NOOP", 421)?;
    ensure!(reply.text().contains(BLOCKED), "{reply}");
    ensure!(dialogue.is_closed()?);
    Ok(())
}

#[test]
fn the_limit_of_different_names_blocks_a_client_and_nobody_else() -> Result<()> {
    let daemon = advanced(&json!({"max_nonexistent_accounts": 3}))?;
    let mut dialogue = guesses(&daemon)?;
    guess(&mut dialogue, "a")?;
    guess(&mut dialogue, "b")?;
    dialogue.command(&format!("RCPT TO:<{ALICE_ADDRESS}>"), 250)?;
    dialogue.command("QUIT", 221)?;
    // Counted over sessions, and one name once however it is spelt.
    let mut dialogue = guesses(&daemon)?;
    for name in ["A", "b+tag", "B", "a"] {
        guess(&mut dialogue, name)?;
    }
    dialogue.command("RSET", 250)?;
    dialogue.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    guess(&mut dialogue, "c")?;
    let reply = dialogue.command(&format!("RCPT TO:<{ALICE_ADDRESS}>"), 421)?;
    ensure!(reply.text().contains("blocked until 20"), "{reply}");
    ensure!(dialogue.is_closed()?);
    turned_away(&daemon, client(1), BLOCKED)?;
    greeted(&daemon, client(2))?;
    Ok(())
}

#[test]
fn a_block_outlives_a_restart_and_can_be_lifted() -> Result<()> {
    let daemon = advanced(&json!({"max_nonexistent_accounts": 3}))?;
    ban(&daemon)?;
    let list = told(&daemon, &["blocks", "list"])?;
    let only = &list[0];
    ensure!(
        list.as_array().is_some_and(|list| list.len() == 1)
            && only["client"] == "127.0.9.1"
            && only["reason"] == "nonexistent_accounts"
            && only["count"] == 3
            && only["last"] == "<c@office.example>",
        "{list}"
    );
    let daemon = daemon.restart()?;
    turned_away(&daemon, client(1), BLOCKED)?;
    daemon.command(&["blocks", "lift", "127.0.9.1"])?;
    greeted(&daemon, client(1))?;
    ensure!(told(&daemon, &["blocks", "list"])? == json!([]));
    // Not remembered either.
    let daemon = daemon.restart()?;
    let mut dialogue = guesses(&daemon)?;
    guess(&mut dialogue, "d")?;
    guess(&mut dialogue, "e")?;
    dialogue.command("NOOP", 250)?;
    Ok(())
}

#[test]
fn a_block_can_be_lifted_while_no_server_runs() -> Result<()> {
    let mut daemon = advanced(&json!({"max_nonexistent_accounts": 3}))?;
    ban(&daemon)?;
    daemon.stop()?;
    daemon.command(&["blocks", "lift", "127.0.9.1"])?;
    let daemon = daemon.restart()?;
    greeted(&daemon, client(1))?;
    Ok(())
}

#[test]
fn a_block_ends_with_its_day() -> Result<()> {
    let mut daemon = advanced(&json!({"max_nonexistent_accounts": 3}))?;
    ban(&daemon)?;
    daemon.stop()?;
    let database = Connection::open(daemon.data_folder().join("postroom.db"))?;
    let day = 86_400_000;
    database.execute_batch(&format!(
        "UPDATE nonexistent SET day = '2026-01-01';
         UPDATE ban SET day = '2026-01-01', since_ms = since_ms - {day}, until_ms = until_ms - {day};"
    ))?;
    drop(database);
    let daemon = daemon.restart()?;
    greeted(&daemon, client(1))?;
    ensure!(told(&daemon, &["blocks", "list"])? == json!([]));
    Ok(())
}

#[test]
fn ours_may_mistype_and_exempt_hosts_may_guess() -> Result<()> {
    let daemon = advanced(&json!({"max_nonexistent_accounts": 2}))?;
    let mut alice = Dialogue::connect_from(client(3), daemon.submission()?)?;
    alice.expect(220)?;
    alice.command("EHLO client.example", 250)?;
    alice.start_tls()?;
    alice.command("EHLO client.example", 250)?;
    ensure!(alice.auth_plain(ALICE.name, ALICE.password)?.code == 235);
    alice.command(&format!("MAIL FROM:<{ALICE_ADDRESS}>"), 250)?;
    for name in ["a", "b", "c"] {
        guess(&mut alice, name)?;
    }
    alice.command("RSET", 250)?;
    greeted(&daemon, client(3))?;
    daemon.apply(&json!({"service": {"exempt_hosts": ["127.0.9.1"]}}))?;
    let mut dialogue = guesses(&daemon)?;
    for name in ["a", "b", "c"] {
        guess(&mut dialogue, name)?;
    }
    greeted(&daemon, client(1))?;
    Ok(())
}

#[test]
fn recipients_elsewhere_are_not_guesses() -> Result<()> {
    let daemon = advanced(&json!({"max_nonexistent_accounts": 1}))?;
    let mut dialogue = guesses(&daemon)?;
    let reply = dialogue.command("RCPT TO:<x@far.example>", 550)?;
    ensure!(reply.text().starts_with("5.7.1"), "{reply}");
    dialogue.command("NOOP", 250)?;
    let ip: IpAddr = client(1);
    greeted(&daemon, ip).context("blocked")?;
    Ok(())
}

#[test]
fn sessions_that_guess_at_the_same_time_are_blocked_like_one() -> Result<()> {
    let daemon = advanced(&json!({"max_nonexistent_accounts": 3}))?;
    let mut sessions = (0..30)
        .map(|_| guesses(&daemon))
        .collect::<Result<Vec<_>>>()?;
    for (number, session) in sessions.iter_mut().enumerate() {
        session.send(format!("RCPT TO:<n{number}@office.example>\r\n").as_bytes())?;
    }
    for session in &mut sessions {
        session.reply()?;
    }
    turned_away(&daemon, client(1), BLOCKED)?;
    let list = told(&daemon, &["blocks", "list"])?;
    ensure!(list[0]["count"] == 3, "{list}");
    Ok(())
}
