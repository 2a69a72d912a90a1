//! Strangers at the door, over real sockets: how many come, how they behave, to whom they write, and what the DNS says of
//! them. What each rule decides is in the scenarios; here is what only a running server does: counting, remembering over
//! restarts, waiting, and staying small.

#[path = "security/accounts.rs"]
mod accounts;
#[path = "security/early.rs"]
mod early;
#[path = "security/flood.rs"]
mod flood;
#[path = "security/junk.rs"]
mod junk;
#[path = "security/mail.rs"]
mod mail;
#[path = "security/rates.rs"]
mod rates;

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, ensure};
use postroom_tests::{Daemon, Dialogue, User};
use serde_json::{Value, json};

const ALICE: User = User {
    name: "alice",
    password: "open sesame, 42",
};
const BOB: User = User {
    name: "bob",
    password: "close sesame, 24",
};
const ALICE_ADDRESS: &str = "alice@office.example";
const BOB_ADDRESS: &str = "bob@office.example";
const STRANGER: &str = "stranger@elsewhere.example";

/// A client of the loopback that no other test uses.
const fn client(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 9, last))
}

/// A server under which nobody asks the DNS, with these settings on top.
fn office(settings: &Value) -> Result<Daemon> {
    Daemon::start(settings, &[ALICE, BOB])
}

/// With these settings of the connection policy.
fn policy(policy: &Value) -> Result<Daemon> {
    office(&json!({"security": {"connection_policy": policy}}))
}

/// With these advanced settings.
fn advanced(advanced: &Value) -> Result<Daemon> {
    office(&json!({"security": {"advanced": advanced}}))
}

/// A connection that was greeted.
fn greeted(daemon: &Daemon, from: IpAddr) -> Result<Dialogue> {
    let mut dialogue = Dialogue::connect_from(from, daemon.smtp()?)?;
    dialogue.expect(220)?;
    Ok(dialogue)
}

/// A connection that said EHLO.
fn opened(daemon: &Daemon, from: IpAddr) -> Result<Dialogue> {
    let mut dialogue = greeted(daemon, from)?;
    dialogue.command("EHLO client.example", 250)?;
    Ok(dialogue)
}

/// A connection that is refused with 421 and these words in the place of the greeting, and closed.
fn turned_away(daemon: &Daemon, from: IpAddr, words: &str) -> Result<Dialogue> {
    let mut dialogue = Dialogue::connect_from(from, daemon.smtp()?)?;
    let reply = dialogue.expect(421)?;
    ensure!(reply.text().contains(words), "{reply}");
    ensure!(dialogue.is_closed()?);
    Ok(dialogue)
}

/// What a verb tells a program.
fn told(daemon: &Daemon, verb: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(
        &daemon.command(&[&["--json"], verb].concat())?,
    )?)
}
