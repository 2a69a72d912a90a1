//! Mailboxes that another program keeps, which takes mail by LMTP (RFC 2033): one reply for each recipient.

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Act, At, Daemon, Dialogue, Hop, Manner, User};
use serde_json::{Value, json};

use crate::office::{ALICE, token};
use crate::report::field;
use crate::{ALICE_ADDRESS, Office, Report, letter};

const BOB: User = User {
    name: "bob",
    password: "close sesame, 24",
};
const CAROL: User = User {
    name: "carol",
    password: "a third, 66",
};
const STRANGER: &str = "pat@elsewhere.example";

/// A mail store with our own host name, as one beside us may have it, and the server before it.
fn store() -> Result<(Hop, Office)> {
    let store = Hop::start_as(Manner {
        name: "mx.office.example".into(),
        lmtp: true,
        ..Manner::default().without("DSN")
    })?;
    let settings = json!({"service": {"mailbox": {"lmtp": store.address().to_string()}}});
    let daemon = Daemon::start(&settings, &[ALICE, BOB, CAROL])?;
    Ok((store, Office { daemon }))
}

/// A stranger writes to these users.
fn strangers_letter(office: &Office, to: &[&str]) -> Result<String> {
    let mut client = Dialogue::open(office.daemon.smtp()?)?;
    client.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    for to in to {
        client.command(&format!("RCPT TO:<{to}@office.example>"), 250)?;
    }
    client.command("DATA", 354)?;
    let token = token(&client.send_content(&letter("for the store"))?)?;
    office.is_entered(&token)?;
    Ok(token)
}

#[test]
fn a_letter_goes_to_the_store_once_for_all_its_recipients() -> Result<()> {
    let (store, office) = store()?;
    strangers_letter(&office, &["alice", "bob"])?;
    let taken = store.wait_for(1)?;
    ensure!(
        taken[0]
            .mail
            .starts_with(&format!("MAIL FROM:<{STRANGER}>")),
        "{taken:?}"
    );
    ensure!(taken[0].to.len() == 2, "{taken:?}");
    ensure!(
        store.said()[0] == "LHLO mx.office.example",
        "{:?}",
        store.said()
    );
    // RFC 2033 leaves the final delivery, and with it the Return-Path, to the store.
    ensure!(
        !taken[0].text().contains("Return-Path:"),
        "{}",
        taken[0].text()
    );
    office.daemon.queue_is_empty()
}

#[test]
fn each_recipient_has_its_own_reply_after_the_dot() -> Result<()> {
    let (store, office) = store()?;
    store.when(At::End, "bob@", Act::say("452 4.2.2 his mailbox is full"));
    store.when(
        At::End,
        "carol@",
        Act::say("552 5.2.2 her mailbox is full for good"),
    );
    let token = office.submit(
        &format!("MAIL FROM:<{ALICE_ADDRESS}>"),
        &["alice", "bob", "carol"]
            .map(|name| format!("RCPT TO:<{name}@office.example>"))
            .each_ref()
            .map(String::as_str),
        &letter("for the store"),
    )?;
    // The letter for Alice, and the report to her.
    let taken = until("a letter and a report at the store", || {
        let taken = store.taken();
        Ok((taken.len() == 2).then_some(taken))
    })?;
    ensure!(
        taken[0].to == [format!("RCPT TO:<{ALICE_ADDRESS}>")],
        "{taken:?}"
    );
    let report = [b"Return-Path: <>\r\n".as_slice(), &taken[1].body].concat();
    let report = Report::read(&report)?;
    let only = report.says("carol@office.example", "failed", "5.2.2")?;
    ensure!(field(only, "Diagnostic-Code").contains("her mailbox is full for good"));
    let row = office.only_waits("bob@office.example")?;
    ensure!(
        row.reason.contains("452 4.2.2 his mailbox is full"),
        "{row:?}"
    );
    ensure!(row.destination == "mailbox", "{row:?}");
    let history = office.history(&token)?;
    let alice = history
        .iter()
        .find(|one| one.recipient == ALICE_ADDRESS)
        .context("no Alice")?;
    ensure!(alice.outcome == "delivered", "{history:?}");

    store.obey();
    office.act("retry")?;
    let taken = store.wait_for(3)?;
    ensure!(taken[2].to == ["RCPT TO:<bob@office.example>"], "{taken:?}");
    office.daemon.queue_is_empty()
}

#[test]
fn success_is_reported_as_delivered_by_a_store_that_knows_no_dsn() -> Result<()> {
    let (store, office) = store()?;
    let rcpt = "RCPT TO:<bob@office.example> NOTIFY=SUCCESS";
    office.submit(
        &format!("MAIL FROM:<{ALICE_ADDRESS}>"),
        &[rcpt],
        &letter("tell me"),
    )?;
    let taken = store.wait_for(2)?;
    let report = [b"Return-Path: <>\r\n".as_slice(), &taken[1].body].concat();
    Report::read(&report)?
        .says("bob@office.example", "delivered", "2.0.0")
        .map(drop)
}

#[test]
fn mail_waits_while_the_store_is_away() -> Result<()> {
    let (store, office) = store()?;
    let address = store.address();
    drop(store);
    strangers_letter(&office, &["alice"])?;
    office.waits_because(ALICE_ADDRESS, &["refuses connections"])?;
    let store = Hop::start_at(
        address,
        Manner {
            lmtp: true,
            ..Manner::default()
        },
    )?;
    office.act("retry")?;
    store.wait_for(1)?;
    office.daemon.queue_is_empty()
}

#[test]
fn waiting_mail_goes_into_folders_when_the_setting_changes() -> Result<()> {
    let (store, office) = store()?;
    drop(store);
    strangers_letter(&office, &["alice"])?;
    office.waits(ALICE_ADDRESS, 1)?;
    office
        .daemon
        .apply(&json!({"service": {"mailbox": {"maildir": Value::Null}}}))?;
    office.act("retry")?;
    let mail = office.alices_mail()?.containing("for the store")?;
    ensure!(mail.len() == 1, "{mail:?}");
    Ok(())
}
