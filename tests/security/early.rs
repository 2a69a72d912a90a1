//! Clients that do not wait for their turn.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Daemon, Dialogue, program};
use serde_json::json;

use super::{ALICE_ADDRESS, STRANGER, advanced, client, greeted, opened, told};

const SYNCHRONIZATION: &str = "5.5.0 Error: SMTP protocol synchronization";

fn sent_away(dialogue: &mut Dialogue) -> Result<String> {
    let reply = dialogue.expect(554)?;
    ensure!(reply.text().starts_with(SYNCHRONIZATION), "{reply}");
    ensure!(dialogue.is_closed()?);
    Ok(reply.token().unwrap_or_default().to_owned())
}

fn signal(daemon: &Daemon, signal: &str) -> Result<()> {
    let mut kill = Command::new("kill");
    kill.args([signal, &daemon.pid().to_string()]);
    program::run(kill).map(drop)
}

/// Whether every thread of the server is (proc_pid_status(5)).
fn is_halted(daemon: &Daemon) -> Result<bool> {
    for thread in fs::read_dir(format!("/proc/{}/task", daemon.pid()))? {
        // A thread may end meanwhile.
        let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
        if status.contains("\nState:") && !status.contains("\nState:\tT") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A client that spoke before the server could greet it: the system takes the connection while the server is halted.
fn early(daemon: &Daemon) -> Result<Dialogue> {
    signal(daemon, "-STOP")?;
    until("the server is halted", || {
        Ok(is_halted(daemon)?.then_some(()))
    })?;
    let talked = Dialogue::connect_from(client(1), daemon.smtp()?).and_then(|mut dialogue| {
        dialogue.send(b"EHLO client.example\r\n")?;
        Ok(dialogue)
    });
    signal(daemon, "-CONT")?;
    talked
}

#[test]
fn who_speaks_before_the_greeting_is_sent_away_and_the_log_says_why() -> Result<()> {
    let daemon = advanced(&json!({}))?;
    let token = sent_away(&mut early(&daemon)?)?;
    let entry = told(&daemon, &["explain", &token])?;
    ensure!(
        entry[0]["decided_by"] == "security.advanced.reject_unauthorized_pipelining",
        "{entry}"
    );
    daemon.apply(&json!({"security": {"advanced": {"reject_unauthorized_pipelining": false}}}))?;
    let mut dialogue = early(&daemon)?;
    dialogue.expect(220)?;
    dialogue.expect(250)?;
    Ok(())
}

#[test]
fn groups_of_commands_may_come_at_once_and_end_where_they_must() -> Result<()> {
    let daemon = advanced(&json!({}))?;
    let group = format!("MAIL FROM:<{STRANGER}>\r\nRCPT TO:<{ALICE_ADDRESS}>\r\nDATA\r\n");
    let mut dialogue = opened(&daemon, client(1))?;
    dialogue.send(group.as_bytes())?;
    for code in [250, 250, 354] {
        dialogue.expect(code)?;
    }
    ensure!(dialogue.send_content("Subject: grouped\n\nx\n")?.code == 250);

    dialogue.send(format!("{group}Subject: not asked for\r\n\r\nx\r\n.\r\n").as_bytes())?;
    dialogue.expect(250)?;
    dialogue.expect(250)?;
    let token = sent_away(&mut dialogue)?;
    let entry = told(&daemon, &["explain", &token])?;
    ensure!(
        entry[0]["outcome"] == "refused"
            && entry[0]["decided_by"] == "security.advanced.reject_unauthorized_pipelining",
        "{entry}"
    );
    Ok(())
}

#[test]
fn the_greeting_of_the_client_ends_a_group_and_after_helo_there_are_none() -> Result<()> {
    let daemon = advanced(&json!({}))?;
    let begin = format!("MAIL FROM:<{STRANGER}>\r\n");
    let mut dialogue = greeted(&daemon, client(1))?;
    dialogue.send(format!("EHLO client.example\r\n{begin}").as_bytes())?;
    sent_away(&mut dialogue)?;

    let mut dialogue = greeted(&daemon, client(1))?;
    dialogue.command("HELO client.example", 250)?;
    dialogue.send(format!("{begin}RCPT TO:<{ALICE_ADDRESS}>\r\n").as_bytes())?;
    sent_away(&mut dialogue)?;

    // What came in clear text must not be taken for something said inside TLS.
    let mut dialogue = opened(&daemon, client(1))?;
    dialogue.send(b"STARTTLS\r\nEHLO client.example\r\n")?;
    sent_away(&mut dialogue)?;

    let mut dialogue = Dialogue::connect_tls(daemon.submissions()?)?;
    dialogue.expect(220)?;
    dialogue.send(b"EHLO client.example\r\nNOOP\r\n")?;
    sent_away(&mut dialogue)?;
    Ok(())
}

#[test]
fn where_it_is_tolerated_nobody_is_sent_away() -> Result<()> {
    let daemon = advanced(&json!({"reject_unauthorized_pipelining": false}))?;
    let mut dialogue = greeted(&daemon, client(1))?;
    let all = format!(
        "EHLO client.example\r\nMAIL FROM:<{STRANGER}>\r\nRCPT TO:<{ALICE_ADDRESS}>\r\nDATA\r\nSubject: at once\r\n\r\nx\r\n.\r\nQUIT\r\n"
    );
    dialogue.send(all.as_bytes())?;
    for code in [250, 250, 250, 354, 250, 221] {
        dialogue.expect(code)?;
    }
    Ok(())
}
