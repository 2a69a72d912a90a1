//! The order of the rules, as one table, and the walk through it.

use serde::{Deserialize, Serialize};
use settings::Settings;

use crate::decision::{Decision, Finding, Outcome, Step};
use crate::facts::Facts;
use crate::rules::{auth, client, message, recipient, sender};

/// The points of a session at which something must be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A client connected; before the greeting.
    Connect,
    /// EHLO or HELO.
    Helo,
    /// AUTH was asked for; before credentials.
    AuthStart,
    /// Credentials came.
    Auth,
    /// MAIL.
    Sender,
    /// RCPT, once for each.
    Recipient,
    /// DATA, or the first BDAT.
    Data,
    /// After the last byte of the message.
    Message,
}

impl Stage {
    /// The word for it in traces.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Helo => "helo",
            Self::AuthStart | Self::Auth => "auth",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Data => "data",
            Self::Message => "message",
        }
    }
}

/// A rule: one question to facts and settings.
struct Rule {
    stage: Stage,
    name: &'static str,
    setting: Option<&'static str>,
    check: fn(&Facts, &Settings) -> Finding,
}

const fn rule(
    stage: Stage,
    name: &'static str,
    setting: &'static str,
    check: fn(&Facts, &Settings) -> Finding,
) -> Rule {
    let setting = if setting.is_empty() {
        None
    } else {
        Some(setting)
    };
    Rule {
        stage,
        name,
        setting,
        check,
    }
}

/// All rules in the order in which they are asked; the first refusal answers.
///
/// Relay control comes before everything else that looks at a recipient, so that no rule after it can open the relay.
const RULES: &[Rule] = &[
    rule(Stage::Connect, "server_load", "", client::server_load),
    rule(Stage::Helo, "helo", "", client::helo),
    rule(
        Stage::AuthStart,
        "smtp_auth",
        "general.smtp_auth",
        auth::enabled,
    ),
    rule(
        Stage::AuthStart,
        "auth_requires_tls",
        "general.auth_requires_tls",
        auth::encrypted,
    ),
    rule(Stage::AuthStart, "failed_logins", "", auth::not_blocked),
    rule(Stage::Auth, "password", "users", auth::password),
    rule(
        Stage::Auth,
        "account_enabled",
        "users",
        auth::account_enabled,
    ),
    rule(
        Stage::Sender,
        "submission_login",
        "general.smtp_auth",
        sender::submission_login,
    ),
    rule(
        Stage::Sender,
        "login_current",
        "users",
        sender::login_current,
    ),
    rule(
        Stage::Sender,
        "declared_size",
        "general.max_message_size_mb",
        sender::declared_size,
    ),
    rule(Stage::Sender, "storage", "", sender::storage),
    rule(
        Stage::Sender,
        "sender_qualified",
        "general.domain",
        sender::qualified,
    ),
    rule(
        Stage::Recipient,
        "max_recipients",
        "general.max_recipients",
        recipient::limit,
    ),
    rule(
        Stage::Recipient,
        "relay_control",
        "general.smtp_auth",
        recipient::relay_control,
    ),
    rule(
        Stage::Recipient,
        "local_sender",
        "general.smtp_auth",
        recipient::local_sender,
    ),
    rule(
        Stage::Recipient,
        "sender_must_match_login",
        "general.sender_must_match_login",
        recipient::sender_owned,
    ),
    rule(
        Stage::Recipient,
        "skip_auth_for_local_network",
        "general.skip_auth_for_local_network",
        recipient::trusted_sender,
    ),
    rule(
        Stage::Recipient,
        "recipient_exists",
        "users",
        recipient::exists,
    ),
    rule(
        Stage::Recipient,
        "route",
        "delivery.relay_enabled",
        recipient::route,
    ),
    rule(
        Stage::Data,
        "max_recipients",
        "general.max_recipients",
        message::all_recipients_taken,
    ),
    rule(
        Stage::Message,
        "max_message_size_mb",
        "general.max_message_size_mb",
        message::size,
    ),
    rule(Stage::Message, "header_size", "", message::header_size),
    rule(
        Stage::Message,
        "max_hops",
        "general.max_hops",
        message::hops,
    ),
    rule(
        Stage::Message,
        "max_attachment_size_mb",
        "general.max_attachment_size_mb",
        message::attachments,
    ),
    rule(
        Stage::Message,
        "sender_must_match_login",
        "general.sender_must_match_login",
        message::authors_owned,
    ),
    rule(
        Stage::Message,
        "disable_auto_forwarding",
        "general.disable_auto_forwarding",
        message::not_auto_forwarded,
    ),
];

/// The facts that must be fetched for a stage, because an active rule reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// [`Facts::load`]
    pub load: bool,
    /// [`Facts::network`]
    pub network: bool,
    /// Failed logins of the address, in [`Facts::attempt`].
    pub failures: bool,
    /// Whether the login is still the account's, in [`Facts::login`].
    pub login: bool,
    /// [`Facts::storage`]
    pub storage: bool,
}

/// Which facts the active rules of `stage` read. The message itself is always read while it arrives.
pub fn needs(stage: Stage, settings: &Settings) -> Needs {
    Needs {
        load: stage == Stage::Connect,
        network: matches!(stage, Stage::Sender) && settings.general.skip_auth_for_local_network,
        failures: matches!(stage, Stage::AuthStart | Stage::Auth),
        login: stage == Stage::Sender,
        storage: stage == Stage::Sender,
    }
}

/// Asks every rule of `stage`. The first refusal is the answer; the trace holds what all of them found.
pub fn decide(stage: Stage, facts: &Facts, settings: &Settings) -> Decision {
    let mut decision = Decision {
        refusal: None,
        trace: Vec::with_capacity(8),
    };
    for rule in RULES.iter().filter(|rule| rule.stage == stage) {
        let finding = (rule.check)(facts, settings);
        let (result, text, setting) = match finding.outcome {
            Outcome::Pass(text) => ("pass", text, rule.setting),
            Outcome::Skip(text) => ("skip", text.into(), rule.setting),
            Outcome::Refuse(reason) => {
                let words = reason.text();
                let setting = reason.setting().or(rule.setting);
                decision.refusal.get_or_insert(*reason);
                ("refuse", words.into(), setting)
            }
        };
        decision.trace.push(Step {
            stage: stage.word().into(),
            check: rule.name.into(),
            result: result.into(),
            input: finding.input,
            text,
            setting: setting.map(Into::into),
        });
    }
    decision
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
