//! What the journal will say of a connection, a transaction or a login, while it happens.

use std::borrow::Cow;

use policy::{Decision, Facts, Step};
use settings::Settings;
use smtp::{ForwardPath, Reply, ReversePath};
use store::journal::{Entry, Json, Kind, Outcome};
use store::setting::Revision;

/// Steps kept of one entry; a client that goes on and on does not fill the disk.
const MAX_STEPS: usize = 300;
/// Steps kept beyond these when they are refusals or about the whole message.
const KEPT_FOR_DECISIONS: usize = 60;
/// Recipients named in one entry.
const MAX_RECIPIENTS: usize = 100;

/// An entry in the making.
#[derive(Debug)]
pub struct Record {
    /// The short word that ends every refusal and opens this entry.
    pub token: String,
    kind: Kind,
    at_ms: i64,
    steps: Vec<Step>,
    left_out: usize,
    recipients: Vec<String>,
    refusal: Option<Refusal>,
    accepted: Option<String>,
    /// Accepted and thrown away, by this setting.
    discarded: Option<&'static str>,
    posted: bool,
    /// What was posted is not the whole of it any more.
    changed: bool,
    /// Subject and Message-ID, for people who look for a message.
    pub subject: Option<String>,
    /// See [`Self::subject`].
    pub message_id: Option<String>,
}

#[derive(Debug)]
struct Refusal {
    reply: String,
    setting: String,
    temporary: bool,
}

impl Record {
    /// Begins an entry.
    pub fn new(kind: Kind, token: String, at_ms: i64) -> Self {
        Self {
            token,
            kind,
            at_ms,
            steps: Vec::new(),
            left_out: 0,
            recipients: Vec::new(),
            refusal: None,
            accepted: None,
            discarded: None,
            posted: false,
            changed: true,
            subject: None,
            message_id: None,
        }
    }

    /// Begins the entry of a transaction: what was last decided about its connection stands at its head.
    pub fn of_transaction(connection: &Self, token: String, at_ms: i64) -> Self {
        let is_latest = |(at, step): &(usize, &Step)| {
            let later = connection.steps.get(at + 1..).unwrap_or_default();
            step.stage != "protocol"
                && !later
                    .iter()
                    .any(|other| other.stage == step.stage && other.check == step.check)
        };
        let steps = connection.steps.iter().enumerate().filter(is_latest);
        Self {
            steps: steps.map(|(_, step)| step.clone()).collect(),
            ..Self::new(Kind::Transaction, token, at_ms)
        }
    }

    /// When it began, in milliseconds since 1970 UTC; token and moment together name the entry.
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// Adds the checks of a decision.
    pub fn decided(&mut self, decision: &Decision) {
        for step in &decision.trace {
            self.step(step.clone());
        }
    }

    /// Adds one line. What decides the fate of a message finds room even after thousands of recipients.
    pub fn step(&mut self, step: Step) {
        self.changed = true;
        let decides = step.result == "refuse" || matches!(&*step.stage, "data" | "message");
        let most = if decides {
            MAX_STEPS + KEPT_FOR_DECISIONS
        } else {
            MAX_STEPS
        };
        if self.steps.len() < most {
            self.steps.push(step);
        } else {
            self.left_out += 1;
        }
    }

    /// Names a recipient, whatever became of it.
    pub fn recipient(&mut self, path: &ForwardPath) {
        let path = match path {
            ForwardPath::Address(address) => address.to_string(),
            other => other.to_string(),
        };
        self.changed = true;
        if self.recipients.len() < MAX_RECIPIENTS && !self.recipients.contains(&path) {
            self.recipients.push(path);
        }
    }

    /// A refusal went to the client, decided by this setting if by any.
    pub fn refused(&mut self, reply: &Reply, setting: Option<&str>) {
        self.changed = true;
        self.refusal = Some(Refusal {
            reply: reply.to_string(),
            setting: setting.unwrap_or_default().into(),
            temporary: reply.is_temporary(),
        });
    }

    /// Whether the entry has not been posted early yet; it counts as posted from now on.
    pub fn first_post(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.posted, true);
        self.changed &= !first;
        first
    }

    /// Whether there is anything to post that was not posted yet.
    pub fn has_news(&self) -> bool {
        !self.posted || self.changed
    }

    /// Whether anything happened that somebody may ask about: a recipient was named, or something was refused.
    pub fn is_worth_keeping(&self) -> bool {
        !self.recipients.is_empty() || self.has_refusal()
    }

    /// Whether the client was refused anything.
    pub fn has_refusal(&self) -> bool {
        self.refusal.is_some()
    }

    /// The message was taken with this reply.
    pub fn accepted(&mut self, reply: &Reply) {
        self.changed = true;
        self.accepted = Some(reply.to_string());
    }

    /// The message was thrown away, by this setting, and the client got this reply.
    pub fn discarded(&mut self, reply: &Reply, setting: &'static str) {
        self.discarded = Some(setting);
        self.accepted(reply);
    }

    /// The message was not taken after all.
    pub fn not_accepted(&mut self) {
        self.accepted = None;
    }

    /// The entry as it stands, with the facts that led to it.
    pub fn entry(&self, facts: &Facts, settings: &Settings, revision: Revision) -> Entry {
        let (outcome, reply, decided_by) = match (&self.accepted, &self.refusal) {
            (Some(reply), _) => match self.discarded {
                Some(setting) => (Outcome::Dropped, reply.clone(), setting.to_owned()),
                None => (Outcome::Accepted, reply.clone(), String::new()),
            },
            (None, Some(refusal)) => {
                let outcome = if refusal.temporary {
                    Outcome::Deferred
                } else {
                    Outcome::Refused
                };
                (outcome, refusal.reply.clone(), refusal.setting.clone())
            }
            (None, None) => (Outcome::Aborted, String::new(), String::new()),
        };
        let left_out = (self.left_out > 0).then(|| {
            let text = format!("{} more checks are not kept", self.left_out);
            note("protocol", "left_out", text)
        });
        let steps: Vec<&Step> = self.steps.iter().chain(&left_out).collect();
        let sender = facts.envelope.sender.as_ref().map(|path| match path {
            ReversePath::Address(address) => address.to_string(),
            other => other.to_string(),
        });
        Entry {
            token: self.token.clone(),
            at_ms: self.at_ms,
            kind: self.kind,
            client_ip: facts.client.ip.to_string(),
            helo: facts.helo.clone().unwrap_or_default(),
            login: self.login(facts, settings).unwrap_or_default(),
            sender: sender
                .filter(|_| self.kind == Kind::Transaction)
                .unwrap_or_default(),
            recipients: self.recipients.clone(),
            size: facts.message.as_ref().map_or(0, |message| message.size),
            message_id: self.message_id.clone().unwrap_or_default(),
            subject: self.subject.clone().unwrap_or_default(),
            outcome,
            reply,
            decided_by,
            revision,
            facts: Json::of(facts),
            trace: Json::of(&steps),
        }
    }

    /// Who signed in, or tried to. What was typed is shown only if it is a user's name: people type passwords there.
    fn login(&self, facts: &Facts, settings: &Settings) -> Option<String> {
        if let Some(login) = &facts.login {
            return Some(login.user.clone());
        }
        let attempt = facts
            .attempt
            .as_ref()
            .filter(|_| self.kind == Kind::Login)?;
        settings
            .user_of_login(&attempt.login)
            .map(|user| user.name.clone())
    }
}

/// A line that says what happened, without a rule behind it.
pub fn note(stage: &'static str, check: &'static str, text: impl Into<Cow<'static, str>>) -> Step {
    Step {
        stage: stage.into(),
        check: check.into(),
        result: "note".into(),
        input: String::new(),
        text: text.into(),
        setting: None,
    }
}

#[cfg(test)]
mod tests {
    use policy::facts::{Client, Port};

    use super::*;

    #[test]
    fn an_entry_names_the_setting_by_which_the_message_was_thrown_away() {
        let facts = Facts::of_client(Client {
            ip: [192, 0, 2, 1].into(),
            port: Port::Smtp,
            tls: None,
        });
        let reply = Reply::new(250, (0, 0), "Ok");
        for setting in ["security.checks.antivirus", "security.lists"] {
            let mut record = Record::new(Kind::Transaction, "TOKEN".into(), 1);
            record.discarded(&reply, setting);
            let entry = record.entry(&facts, &Settings::default(), Revision(1));
            assert_eq!(entry.outcome, Outcome::Dropped);
            assert_eq!(entry.decided_by, setting);
        }
    }
}
