//! The log: every connection leaves a record, every refusal a token that opens it, and nobody else can read it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Daemon, Dialogue, Reply};
use serde_json::Value;

use super::{ALICE, ALICE_ADDRESS, STRANGER, deliver, server, submission};

/// All records, newest first.
fn records(daemon: &Daemon) -> Result<Vec<Value>> {
    Ok(serde_json::from_str(
        &daemon.command(&["--json", "log", "--limit", "200"])?,
    )?)
}

/// The words of the only record, as soon as it is written.
fn only_record(daemon: &Daemon) -> Result<String> {
    let token = until("a record is written", || {
        let records = records(daemon)?;
        ensure!(records.len() < 2, "{records:?}");
        Ok(records
            .first()
            .and_then(|record| record["token"].as_str().map(str::to_owned)))
    })?;
    daemon.command(&["explain", &token])
}

#[test]
fn a_client_that_only_connects_leaves_a_record() -> Result<()> {
    let daemon = server()?;
    drop(Dialogue::connect(daemon.smtp()?)?);
    let record = only_record(&daemon)?;
    ensure!(
        record.contains("127.0.0.1") && record.contains("aborted"),
        "{record}"
    );
    Ok(())
}

#[test]
fn a_client_that_says_hello_and_goodbye_leaves_one_record() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::open(daemon.smtp()?)?;
    client.command("QUIT", 221)?;
    let record = only_record(&daemon)?;
    ensure!(record.contains("client.example"), "{record}");
    Ok(())
}

#[test]
fn a_client_refused_before_mail_leaves_a_record_with_the_reason() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::open(daemon.submission()?)?;
    client.command("NOSUCH", 500)?;
    client.command("QUIT", 221)?;
    let record = only_record(&daemon)?;
    ensure!(
        record.contains("command not recognized") && record.contains("refused"),
        "{record}"
    );
    Ok(())
}

#[test]
fn a_sender_refused_at_mail_leaves_a_record_with_the_setting() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::open(daemon.submission()?)?;
    let refused = client.command(&format!("MAIL FROM:<{ALICE_ADDRESS}>"), 530)?;
    let record = daemon.command(&["explain", refused.token().context("no token")?])?;
    for words in [
        ALICE_ADDRESS,
        "general.smtp_auth",
        "530",
        "client.example",
        "127.0.0.1",
        "revision",
    ] {
        ensure!(record.contains(words), "{words} is missing in:\n{record}");
    }
    Ok(())
}

#[test]
fn a_handshake_that_fails_leaves_a_record_with_the_reason() -> Result<()> {
    for implicit in [false, true] {
        let daemon = server()?;
        let mut client = if implicit {
            Dialogue::connect(daemon.submissions()?)?
        } else {
            let mut client = Dialogue::open(daemon.smtp()?)?;
            client.command("STARTTLS", 220)?;
            client
        };
        client.send(b"this is no handshake\r\n")?;
        let record = only_record(&daemon)?;
        ensure!(record.contains("TLS handshake failed"), "{record}");
    }
    Ok(())
}

#[test]
fn an_accepted_message_leaves_a_record_that_its_reply_names() -> Result<()> {
    let daemon = server()?;
    let mut client = submission(&daemon)?;
    client.auth_plain(ALICE.name, ALICE.password)?;
    let letter =
        format!("From: {ALICE_ADDRESS}\nMessage-ID: <1@client.example>\nSubject: Grüße\n\nx\n");
    let reply = client.send_message(ALICE_ADDRESS, "postmaster@office.example", &letter)?;
    ensure!(reply.code == 250, "{reply}");
    let text = reply.text();
    let token = text.rsplit(' ').next().context("no token")?;
    let record = daemon.command(&["explain", token])?;
    for words in [
        "accepted",
        ALICE_ADDRESS,
        "postmaster@office.example",
        "Grüße",
        "<1@client.example>",
        "TLSv1.3",
    ] {
        ensure!(record.contains(words), "{words} is missing in:\n{record}");
    }
    Ok(())
}

/// The refusal has a token, and its record is there the moment the reply is read.
fn opens(daemon: &Daemon, reply: &Reply) -> Result<()> {
    let token = reply
        .token()
        .with_context(|| format!("no token: {reply}"))?;
    let record = daemon
        .command(&["explain", token])
        .with_context(|| reply.to_string())?;
    ensure!(record.contains(&format!("[{token}]")), "{reply}\n{record}");
    Ok(())
}

#[test]
fn every_refusal_has_a_token_that_opens_its_record_at_once() -> Result<()> {
    let daemon = server()?;
    daemon.command(&["settings", "set", "general.max_recipients", "1"])?;
    let mut client = Dialogue::open(daemon.smtp()?)?;
    let begin = format!("MAIL FROM:<{STRANGER}>");
    let alice = format!("RCPT TO:<{ALICE_ADDRESS}>");
    for (line, code) in [
        ("HELO", 501),
        ("", 500),
        ("NOSUCH", 500),
        ("RCPT TO:<alice@office.example>", 503),
        ("DATA", 503),
        ("BDAT 0 LAST", 503),
        ("MAIL FROM:nobody", 501),
        ("MAIL FROM:<a@b@c>", 501),
        ("MAIL FROM:<a@b.example> COLOUR=red", 555),
        ("MAIL FROM:<a@b.example> SIZE=99999999999", 552),
        ("AUTH", 501),
        ("AUTH GSSAPI", 504),
        ("EXPN staff", 502),
        ("VRFY", 501),
        ("STARTTLS now", 501),
        (&begin, 250),
        (&begin, 503),
        ("RCPT TO:<nobody@office.example>", 550),
        ("RCPT TO:<victim@elsewhere.example>", 550),
        ("RCPT TO:<unqualified>", 504),
        ("DATA", 554),
        (&alice, 250),
        ("RCPT TO:<bob@office.example>", 452),
        ("RSET", 250),
    ] {
        if line == begin && code == 250 {
            // One client makes only so many mistakes.
            client = Dialogue::open(daemon.smtp()?)?;
        }
        let reply = client.command(line, code)?;
        if code >= 400 {
            opens(&daemon, &reply)?;
        }
    }
    client.command(&begin, 250)?;
    client.command(&alice, 250)?;
    client.command("DATA", 354)?;
    client.send(b"bare\nline feed\r\n.\r\n")?;
    opens(&daemon, &client.expect(550)?)?;
    let looped = "Received: from a by b\n".repeat(60);
    let reply = client.send_message(
        STRANGER,
        ALICE_ADDRESS,
        &format!("{looped}Subject: x\n\nx\n"),
    )?;
    ensure!(reply.code == 554, "{reply}");
    opens(&daemon, &reply)?;
    let mut user = submission(&daemon)?;
    opens(&daemon, &user.auth_plain("alice", "a guess at it")?)?;
    ensure!(user.auth_plain("alice", ALICE.password)?.code == 235);
    user.command(&begin, 250)?;
    opens(&daemon, &user.command(&alice, 553)?)?;
    Ok(())
}

#[test]
fn a_client_that_makes_nothing_but_mistakes_is_shown_out_with_a_token() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::open(daemon.smtp()?)?;
    client.send("NOSUCH\r\n".repeat(200).as_bytes())?;
    let mut last = client.expect(500)?;
    while let Ok(reply) = client.reply() {
        last = reply;
    }
    ensure!(
        last.code == 421 && last.text().contains("too many errors"),
        "{last}"
    );
    opens(&daemon, &last)
}

/// Every file below the folder that others could read or reach.
fn open_to_others(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let meta = fs::metadata(&path)?;
        let mode = meta.permissions().mode() & 0o777;
        let proper = if meta.is_dir() { 0o700 } else { 0o600 };
        if mode != proper {
            found.push(format!("{} {mode:o}", path.display()));
        }
        if meta.is_dir() {
            found.extend(open_to_others(&path)?);
        }
    }
    Ok(found)
}

#[test]
fn nobody_else_can_read_anything_in_the_data_folder() -> Result<()> {
    let daemon = server()?;
    deliver(daemon.smtp()?, "private")?;
    daemon.queue_is_empty()?;
    Dialogue::connect_tls(daemon.submissions()?)?;
    let folder = daemon.data_folder();
    ensure!(fs::metadata(&folder)?.permissions().mode() & 0o777 == 0o700);
    for name in [
        "postroom.db",
        "postroom.db-wal",
        "lock",
        "mail/alice/new",
        "tls",
        "spool",
    ] {
        ensure!(folder.join(name).exists(), "{name} is missing");
    }
    let found = open_to_others(&folder)?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}
