//! Alice, who sends mail, and the relay that it goes through.

use std::path::Path;

use anyhow::{Result, ensure};
use postroom_tests::window::Window;
use postroom_tests::{Dialogue, Maildir, verb_with};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{listener, office_that_delivers};

const ALICE: &str = "alice";
const PASSWORD: &str = "a long secret of alice";

/// An office where Alice has an account.
pub fn office_with_alice(delivery: &Value) -> Result<TempDir> {
    let home = office_that_delivers(delivery)?;
    let account = ["user", "add", ALICE, "--password-stdin"];
    let added = verb_with(&home.path().join("data"), &account, PASSWORD)?;
    ensure!(added.code == 0, "{added:?}");
    Ok(home)
}

/// The settings of a relay on this machine without encryption.
pub fn relay_at(port: u16) -> Value {
    json!({
        "relay_enabled": true, "relay_server": "127.0.0.1", "relay_port": port, "relay_tls": false,
    })
}

/// Alice sends a message through the server behind the window. Returns its token.
pub fn send(window: &Window, subject: &str, to: &[String]) -> Result<String> {
    let mut client = Dialogue::connect_tls(listener(window, "submissions")?)?;
    client.expect(220)?;
    client.command("EHLO client.example", 250)?;
    let signed_in = client.auth_login(ALICE, PASSWORD)?;
    ensure!(signed_in.code == 235, "{signed_in}");
    client.command("MAIL FROM:<alice@office.example>", 250)?;
    for address in to {
        client.command(&format!("RCPT TO:<{address}>"), 250)?;
    }
    client.command("DATA", 354)?;
    let message =
        format!("From: Alice <alice@office.example>\nSubject: {subject}\n\nAs we said.\n");
    let accepted = client.send_content(&message)?;
    let text = accepted.text();
    let token = text.split_once("queued as ").map(|(_, token)| token);
    let token = token.filter(|_| accepted.code == 250);
    token
        .map(str::to_owned)
        .ok_or_else(|| anyhow::anyhow!("not accepted: {text}"))
}

/// Alice's mailbox.
pub fn mail_of_alice(home: &Path) -> Maildir {
    Maildir::new(&home.join("data/mail").join(ALICE))
}
