//! Settings that change while mail waits or a connection is open.

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::{Act, At, Dns, Hop};
use serde_json::json;

use crate::Office;
use crate::direct::direct;
use crate::office::{ALICE, relay};

const BOB: &str = "bob@elsewhere.example";

/// Mail for a domain that nobody serves yet, and which then becomes one of ours.
fn a_domain_becomes_ours(to: &str) -> Result<(Office, Dns)> {
    let dns = Dns::start()?;
    dns.host("branch.example", &["127.0.0.2".parse()?])?;
    let office = Office::with(&direct(&dns, free_port()?))?;
    office.send("soon ours", &[to])?;
    office.waits(to, 1)?;
    office
        .daemon
        .apply(&json!({"general": {"additional_domains": ["branch.example"]}}))?;
    Ok((office, dns))
}

#[test]
fn waiting_mail_for_a_domain_that_becomes_ours_ends_in_our_mailboxes() -> Result<()> {
    let (office, _dns) = a_domain_becomes_ours("alice@branch.example")?;
    until("the mail in Alice's mailbox", || {
        let found = office
            .daemon
            .mail(ALICE.name)
            .containing("Subject: soon ours")?;
        Ok(found
            .first()
            .is_some_and(|mail| mail.contains("Delivered-To: alice@branch.example"))
            .then_some(()))
    })?;
    office.daemon.queue_is_empty()
}

#[test]
fn waiting_mail_for_nobody_in_a_domain_that_becomes_ours_goes_back() -> Result<()> {
    let (office, _dns) = a_domain_becomes_ours("zoe@branch.example")?;
    let report = office.report()?;
    report
        .says("zoe@branch.example", "failed", "5.1.1")
        .map(drop)
}

#[test]
fn a_connection_that_is_open_is_not_used_under_other_settings() -> Result<()> {
    let (first, second) = (Hop::start()?, Hop::start()?);
    let office = Office::relaying_to(&first)?;
    office.send("one", &[BOB])?;
    first.wait_for(1)?;
    // The connection to the first is kept for a while; mail that comes meanwhile must not follow the last.
    office.daemon.apply(&relay(second.address()))?;
    office.send("two", &[BOB])?;
    let taken = second.wait_for(1)?;
    ensure!(taken[0].text().contains("Subject: two"));
    ensure!(first.wait_for(1)?.len() == 1);
    Ok(())
}

#[test]
fn new_times_hold_for_mail_that_waits() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(At::Rcpt, Act::say("450 4.2.0 later"));
    let office = Office::relaying_to(&hop)?;
    office.send("waits", &[BOB])?;
    let before = office.waits(BOB, 1)?;
    ensure!(before.expires_at_ms - before.accepted_at_ms == 120 * 3_600_000);
    office
        .daemon
        .apply(&json!({"delivery": {"give_up_after_hours": 9}}))?;
    until("the new end", || {
        let row = office.waits(BOB, 1)?;
        Ok((row.expires_at_ms - row.accepted_at_ms == 9 * 3_600_000).then_some(()))
    })
    .context("the message still expires as before")
}
