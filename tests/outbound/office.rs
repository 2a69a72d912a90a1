//! The server under test with Alice, who sends mail, and what the tests ask of it.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Daemon, Dialogue, Hop, Maildir, Reply, Taken, User, verb, verb_with};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Report;

pub const ALICE: User = User {
    name: "alice",
    password: "open sesame, 42",
};
pub const ALICE_ADDRESS: &str = "alice@office.example";

/// A recipient in the queue.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    pub id: i64,
    pub token: String,
    pub recipient: String,
    pub destination: String,
    pub state: String,
    pub attempts: u32,
    pub accepted_at_ms: i64,
    pub next_at_ms: i64,
    pub expires_at_ms: i64,
    pub reason: String,
}

/// A line of a recipient's history.
#[derive(Debug, Clone, Deserialize)]
pub struct Attempt {
    pub recipient: String,
    pub outcome: String,
    pub hop: String,
    pub reply: String,
}

/// A server whose mail for elsewhere goes to a hop.
#[derive(Debug)]
pub struct Office {
    pub daemon: Daemon,
}

/// A small letter.
pub fn letter(subject: &str) -> String {
    format!("From: {ALICE_ADDRESS}\nSubject: {subject}\n\nhello\n")
}

/// The settings of a relay at this address, without TLS.
pub fn relay(address: SocketAddr) -> Value {
    json!({"delivery": {
        "relay_enabled": true, "relay_server": address.ip().to_string(), "relay_port": address.port(), "relay_tls": false,
    }})
}

impl Office {
    /// All mail for elsewhere goes to the hop, in clear text.
    pub fn relaying_to(hop: &Hop) -> Result<Self> {
        Self::with(&relay(hop.address()))
    }

    /// With these settings over the defaults of the tests.
    pub fn with(settings: &Value) -> Result<Self> {
        let daemon = Daemon::start(settings, &[ALICE])?;
        Ok(Self { daemon })
    }

    /// Alice's program, signed in.
    pub fn client(&self) -> Result<Dialogue> {
        let mut client = Dialogue::connect_tls(self.daemon.submissions()?)?;
        client.expect(220)?;
        client.command("EHLO client.example", 250)?;
        let reply = client.auth_login(ALICE.name, ALICE.password)?;
        ensure!(reply.code == 235, "{reply}");
        Ok(client)
    }

    /// Alice sends a small letter of this subject to each of them. Returns the token.
    pub fn send(&self, subject: &str, to: &[&str]) -> Result<String> {
        let lines: Vec<String> = to.iter().map(|to| format!("RCPT TO:<{to}>")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mail = format!("MAIL FROM:<{ALICE_ADDRESS}>");
        self.submit(&mail, &lines, &letter(subject))
    }

    /// The same, with the commands and the message as they are given.
    pub fn submit(&self, mail: &str, rcpts: &[&str], message: &str) -> Result<String> {
        let mut client = self.client()?;
        client.command(mail, 250)?;
        for rcpt in rcpts {
            client.command(rcpt, 250)?;
        }
        client.command("DATA", 354)?;
        let token = token(&client.send_content(message)?)?;
        self.is_entered(&token)?;
        Ok(token)
    }

    /// Waits until queue and mail log show a message; they follow its acceptance.
    pub fn is_entered(&self, token: &str) -> Result<()> {
        until("a message in the mail log", || {
            let asked = verb(&self.daemon.data_folder(), &["explain", token, "--json"])?;
            let entries: Value = serde_json::from_str(&asked.out).unwrap_or_default();
            Ok(entries.get(0).map(drop))
        })
    }

    /// What waits, oldest first.
    pub fn queue(&self) -> Result<Vec<Row>> {
        let printed = self.daemon.command(&["queue", "list", "--json"])?;
        let page: Value = serde_json::from_str(&printed).context(printed)?;
        let mut rows: Vec<Row> = serde_json::from_value(page["rows"].clone())?;
        rows.reverse();
        Ok(rows)
    }

    /// Waits until one recipient has had so many attempts and waits again.
    pub fn waits(&self, recipient: &str, attempts: u32) -> Result<Row> {
        let mut last = Vec::new();
        until("a recipient waits", || {
            last = self.queue()?;
            let found = last.iter().find(|row| {
                row.recipient == recipient && row.state == "waiting" && row.attempts >= attempts
            });
            Ok(found.cloned())
        })
        .with_context(|| format!("{recipient} in {last:?}"))
    }

    /// Waits until this recipient is the only one in the queue, and waits there.
    pub fn only_waits(&self, recipient: &str) -> Result<Row> {
        self.only(recipient, "waiting")
    }

    /// Waits until this recipient is the only one in the queue, and held.
    pub fn only_held(&self, recipient: &str) -> Result<Row> {
        self.only(recipient, "held")
    }

    fn only(&self, recipient: &str, state: &str) -> Result<Row> {
        let mut last = Vec::new();
        until("one recipient is alone in the queue", || {
            last = self.queue()?;
            let is_it = |row: &&Row| row.recipient == recipient && row.state == state;
            Ok(last
                .first()
                .filter(|_| last.len() == 1)
                .filter(is_it)
                .cloned())
        })
        .with_context(|| format!("{recipient} in {last:?}"))
    }

    /// The same with a reason that holds all of these words, in the list and for people who look at it.
    pub fn waits_because(&self, recipient: &str, words: &[&str]) -> Result<Row> {
        let row = self.waits(recipient, 1)?;
        let shown = self
            .daemon
            .command(&["queue", "show", &row.id.to_string()])?;
        for word in words {
            ensure!(row.reason.contains(word), "no {word:?} in {row:?}");
            ensure!(shown.contains(word), "no {word:?} in:\n{shown}");
        }
        ensure!(!row.reason.contains(['\r', '\n']), "{row:?}");
        Ok(row)
    }

    /// The history of a recipient that waits.
    pub fn attempts(&self, id: i64) -> Result<Vec<Attempt>> {
        let printed = self
            .daemon
            .command(&["queue", "show", &id.to_string(), "--json"])?;
        let entry: Value = serde_json::from_str(&printed).context(printed)?;
        Ok(serde_json::from_value(entry["attempts"].clone())?)
    }

    /// The history of a message, as the mail log has it.
    pub fn history(&self, token: &str) -> Result<Vec<Attempt>> {
        let printed = self.daemon.command(&["explain", token, "--json"])?;
        let entries: Value = serde_json::from_str(&printed).context(printed)?;
        Ok(serde_json::from_value(entries[0]["attempts"].clone())?)
    }

    /// Does something with all that waits; returns how many.
    pub fn act(&self, verb: &str) -> Result<u64> {
        let printed = self.daemon.command(&["queue", verb, "--all", "--json"])?;
        let changed: Value = serde_json::from_str(&printed).context(printed)?;
        changed["changed"].as_u64().context("no number")
    }

    /// Alice's mail when nothing is under way any more, to whomever.
    pub fn alices_mail(&self) -> Result<Maildir> {
        self.daemon.queue_is_empty()?;
        Ok(self.daemon.mail(ALICE.name))
    }

    /// Tries all that waits until the hop has so many messages. An attempt that is under way just now may have met the
    /// hop as it was before.
    pub fn retry_until(&self, hop: &Hop, count: usize) -> Result<Vec<Taken>> {
        until(&format!("{count} messages at the hop"), || {
            self.act("retry")?;
            let taken = hop.taken();
            Ok((taken.len() >= count).then_some(taken))
        })
    }

    /// The one report Alice gets.
    pub fn report(&self) -> Result<Report> {
        let mail = self.daemon.mail(ALICE.name);
        until("a report for Alice", || {
            Ok(mail.messages()?.into_iter().next())
        })
        .and_then(|_| self.only_report())
        .with_context(|| {
            format!(
                "{:?}\n{}",
                self.queue(),
                self.daemon.log().unwrap_or_default()
            )
        })
    }

    fn only_report(&self) -> Result<Report> {
        let messages = self.daemon.mail(ALICE.name).messages()?;
        ensure!(messages.len() == 1, "{} reports", messages.len());
        Report::read(messages.first().context("no report")?)
    }

    /// Nothing waits, and nobody got a report.
    pub fn is_done_without_a_report(&self) -> Result<()> {
        let mail = self.alices_mail()?.messages()?;
        ensure!(
            mail.is_empty(),
            "{}",
            String::from_utf8_lossy(&mail.concat())
        );
        Ok(())
    }

    /// Stores the password for the relay.
    pub fn relay_password(&self, password: &str) -> Result<()> {
        let arguments = ["relay", "password", "--stdin"];
        let done = verb_with(&self.daemon.data_folder(), &arguments, password)?;
        ensure!(done.code == 0, "{done:?}");
        Ok(())
    }
}

/// The token of an accepted message.
pub fn token(reply: &Reply) -> Result<String> {
    ensure!(reply.code == 250, "{reply}");
    let text = reply.text();
    let (_, token) = text.split_once("queued as ").context("no token")?;
    Ok(token.into())
}
