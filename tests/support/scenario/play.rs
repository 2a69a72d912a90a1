//! Lets a scenario happen, with whoever plays the server.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::matching::{check, check_class};
use super::message::dot_stuffed;
use super::{Expected, Message, Placed, Port, Saying, Scenario, Step, World, lay_over};
use crate::Reply;

/// What the mail log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Path of the setting, or empty.
    pub decided_by: String,
    /// accepted, refused, deferred or aborted.
    pub outcome: String,
    /// Each check, how it ended, and what was said of it.
    pub steps: Vec<(String, String, String)>,
}

/// Plays the server.
pub trait Peer {
    /// Puts these settings in force: the whole document, laid over the defaults.
    ///
    /// # Errors
    /// They are refused.
    fn apply(&mut self, settings: &Value) -> Result<()>;
    /// Puts the world outside into order.
    ///
    /// # Errors
    /// It cannot be done here.
    fn world(&mut self, world: &World) -> Result<()>;
    /// The problems of settings laid over those in force, as path and code.
    ///
    /// # Errors
    /// They cannot be asked.
    fn problems(&mut self, settings: &Value) -> Result<Vec<(String, String)>>;
    /// Begins a connection; one that was open is closed. The greeting is a reply.
    ///
    /// # Errors
    /// There is no connection.
    fn connect(&mut self, from: IpAddr, port: Port) -> Result<()>;
    /// Sends octets.
    ///
    /// # Errors
    /// The connection is closed.
    fn send(&mut self, octets: &[u8]) -> Result<()>;
    /// The next reply.
    ///
    /// # Errors
    /// There is none.
    fn reply(&mut self) -> Result<Reply>;
    /// The handshake behind a positive reply to STARTTLS.
    ///
    /// # Errors
    /// It fails.
    fn handshake(&mut self) -> Result<()>;
    /// Whether the server has closed the connection.
    ///
    /// # Errors
    /// Something else came.
    fn is_closed(&mut self) -> Result<bool>;
    /// Ends the client's side, if it is open.
    fn hang_up(&mut self);
    /// How many letters each mailbox has got, ever.
    ///
    /// # Errors
    /// They cannot be counted.
    fn delivered(&mut self) -> Result<BTreeMap<String, usize>>;
    /// How many copies have gone on their way to each destination elsewhere, ever; `None` if that cannot be asked here.
    ///
    /// # Errors
    /// They cannot be counted.
    fn waiting(&mut self) -> Result<Option<BTreeMap<String, usize>>> {
        Ok(None)
    }
    /// Whether a letter of the mailbox holds the text; `None` if letters cannot be read here.
    ///
    /// # Errors
    /// They should be readable and are not.
    fn letter_holds(&mut self, mailbox: &str, text: &str) -> Result<Option<bool>>;
    /// The finished entry that `token` opens.
    ///
    /// # Errors
    /// There is none.
    fn entry(&mut self, token: &str) -> Result<Entry>;
}

/// Plays a scenario to its end.
///
/// # Errors
/// Where it went another way, with the line of the file.
pub fn play(scenario: &Scenario, settings: &Value, peer: &mut dyn Peer) -> Result<()> {
    peer.apply(settings)
        .with_context(|| format!("line {}: the settings", scenario.line))?;
    let before = peer.delivered()?;
    let waiting_before = peer.waiting()?.unwrap_or_default();
    let mut playing = Playing {
        peer,
        settings: settings.clone(),
        before,
        waiting_before,
        token: String::new(),
        due: BTreeMap::new(),
        due_elsewhere: BTreeMap::new(),
        asked: Vec::new(),
        letters: Vec::new(),
        ahead: Vec::new(),
    };
    for placed in &scenario.steps {
        playing
            .step(placed)
            .with_context(|| format!("line {}", placed.line))?;
    }
    playing.peer.hang_up();
    playing.afterwards()
}

struct Playing<'a> {
    peer: &'a mut dyn Peer,
    /// In force, without the defaults.
    settings: Value,
    before: BTreeMap<String, usize>,
    waiting_before: BTreeMap<String, usize>,
    /// The last token that was seen.
    token: String,
    /// Letters that have been said to come.
    due: BTreeMap<String, usize>,
    /// Copies that have been said to go elsewhere.
    due_elsewhere: BTreeMap<String, usize>,
    /// Questions to the mail log, for the end, when every entry is complete.
    asked: Vec<(String, Placed)>,
    letters: Vec<(usize, String, String)>,
    /// Lines that go out with the next one, and their replies.
    ahead: Vec<(String, Vec<Expected>)>,
}

impl Playing<'_> {
    fn step(&mut self, placed: &Placed) -> Result<()> {
        match &placed.step {
            Step::Exchange(saying, expected) => self.exchange(saying, expected),
            Step::Closed => {
                ensure!(self.peer.is_closed()?, "the connection is still open");
                Ok(())
            }
            Step::Delivered(user, count) => {
                self.due.insert(user.clone(), *count);
                Ok(())
            }
            Step::Waits(destination, count) => {
                self.due_elsewhere.insert(destination.clone(), *count);
                Ok(())
            }
            Step::Letter(user, text) => {
                self.letters.push((placed.line, user.clone(), text.clone()));
                Ok(())
            }
            Step::Decided(_) | Step::Trace(..) | Step::Outcome(_) => {
                ensure!(!self.token.is_empty(), "no token has been seen yet");
                self.asked.push((self.token.clone(), placed.clone()));
                Ok(())
            }
            Step::World(world) => self.peer.world(world),
            Step::PolicyOnly => Ok(()),
            Step::Apply(document) => {
                self.settings = lay_over(self.settings.clone(), document);
                self.peer.apply(&self.settings)
            }
            Step::Takes(document) => {
                let problems = self.peer.problems(document)?;
                ensure!(
                    problems.is_empty(),
                    "the settings have problems: {problems:?}"
                );
                Ok(())
            }
            Step::Refuses(path, code, document) => {
                let problems = self.peer.problems(document)?;
                ensure!(
                    problems.contains(&(path.clone(), code.clone())),
                    "{path} {code} is not among {problems:?}"
                );
                Ok(())
            }
        }
    }

    fn exchange(&mut self, saying: &Saying, expected: &[Expected]) -> Result<()> {
        match saying {
            Saying::Connect(from, port) => {
                self.peer.connect(*from, *port)?;
                self.replied(expected)
            }
            Saying::Lines(lines) => lines.iter().try_for_each(|line| {
                self.say(line, expected)
                    .with_context(|| format!("after `{line}`"))
            }),
            Saying::Ahead(line) => {
                self.ahead.push((line.clone(), expected.to_vec()));
                Ok(())
            }
            Saying::Nothing => self.replied(expected),
            Saying::Tls => {
                self.say("STARTTLS", expected)?;
                self.peer.handshake()
            }
            Saying::Login(name, password) => {
                let response = STANDARD.encode(format!("\0{name}\0{password}"));
                self.say(&format!("AUTH PLAIN {response}"), expected)
            }
            Saying::Data(message) => {
                self.peer.send(&dot_stuffed(&message.octets()?))?;
                self.replied(expected)
            }
            Saying::Chunk(message, last) => self.chunk(message, *last, expected),
        }
    }

    fn chunk(&mut self, message: &Message, last: bool, expected: &[Expected]) -> Result<()> {
        let octets = message.octets()?;
        let command = format!(
            "BDAT {}{}\r\n",
            octets.len(),
            if last { " LAST" } else { "" }
        );
        self.peer.send(command.as_bytes())?;
        self.peer.send(&octets)?;
        self.replied(expected)
    }

    fn say(&mut self, line: &str, expected: &[Expected]) -> Result<()> {
        let ahead = std::mem::take(&mut self.ahead);
        let mut packet = String::new();
        for line in ahead.iter().map(|(line, _)| line.as_str()).chain([line]) {
            packet.push_str(line);
            packet.push_str("\r\n");
        }
        self.peer.send(packet.as_bytes())?;
        for (line, expected) in ahead.iter().filter(|(_, expected)| !expected.is_empty()) {
            self.replied(expected)
                .with_context(|| format!("after `{line}`"))?;
        }
        self.replied(expected)
    }

    fn replied(&mut self, expected: &[Expected]) -> Result<()> {
        let reply = self.peer.reply()?;
        check(&reply, expected)?;
        if reply.code >= 400 {
            check_class(&reply)?;
        }
        if let Some(token) = reply.token().filter(|_| reply.code >= 400) {
            ensure!(token.len() == 6, "\"{token}\" is no token:\n{reply}");
            self.token = token.into();
        } else if let Some((_, token)) = reply.text().split_once("queued as ") {
            self.token = token.into();
        } else {
            ensure!(reply.code < 400, "a refusal without token:\n{reply}");
        }
        Ok(())
    }

    fn afterwards(&mut self) -> Result<()> {
        for (token, placed) in std::mem::take(&mut self.asked) {
            let entry = self
                .peer
                .entry(&token)
                .with_context(|| format!("line {}: the entry of {token}", placed.line))?;
            said_in(&entry, &placed.step)
                .with_context(|| format!("line {}: the entry of {token}", placed.line))?;
        }
        for (line, user, text) in std::mem::take(&mut self.letters) {
            let holds = self.peer.letter_holds(&user, &text)?;
            ensure!(
                holds != Some(false),
                "line {line}: no letter of {user} holds \"{text}\""
            );
        }
        let came = since(self.peer.delivered()?, &self.before);
        self.due.retain(|_, count| *count > 0);
        ensure!(
            came == self.due,
            "letters came to {came:?} and not to {:?}",
            self.due
        );
        if let Some(waiting) = self.peer.waiting()? {
            let waiting = since(waiting, &self.waiting_before);
            self.due_elsewhere.retain(|_, count| *count > 0);
            ensure!(
                waiting == self.due_elsewhere,
                "copies went to {waiting:?} and not to {:?}",
                self.due_elsewhere
            );
        }
        Ok(())
    }
}

/// What has been added to `before`.
fn since(
    mut now: BTreeMap<String, usize>,
    before: &BTreeMap<String, usize>,
) -> BTreeMap<String, usize> {
    for (name, count) in &mut now {
        *count -= before.get(name).copied().unwrap_or_default();
    }
    now.retain(|_, count| *count > 0);
    now
}

fn said_in(entry: &Entry, step: &Step) -> Result<()> {
    match step {
        Step::Decided(path) => ensure!(
            entry.decided_by == *path,
            "decided by \"{}\", not by \"{path}\"",
            entry.decided_by
        ),
        Step::Outcome(outcome) => ensure!(
            entry.outcome == *outcome,
            "the outcome is {}, not {outcome}",
            entry.outcome
        ),
        Step::Trace(check, result, text) => {
            let found = entry
                .steps
                .iter()
                .any(|(name, how, said)| name == check && how == result && said.contains(text));
            ensure!(
                found,
                "no check {check} with the result {result} and \"{text}\" among {:?}",
                entry.steps
            );
        }
        _ => {}
    }
    Ok(())
}
