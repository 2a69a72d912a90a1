//! All rules, in the order in which they are asked.

use settings::Settings;

use super::Stage;
use super::exempt::Kind;
use crate::decision::Finding;
use crate::facts::Facts;
use crate::rules::{auth, checks, client, helo, lists, message, recipient, sender};

/// A rule: one question to facts and settings.
pub(super) struct Rule {
    pub stage: Stage,
    pub name: &'static str,
    /// Path of the setting that it reads, or empty.
    pub setting: &'static str,
    /// Who need not be asked.
    pub kind: Kind,
    pub check: fn(&Facts, &Settings) -> Finding,
}

const fn rule(
    stage: Stage,
    name: &'static str,
    setting: &'static str,
    kind: Kind,
    check: fn(&Facts, &Settings) -> Finding,
) -> Rule {
    Rule {
        stage,
        name,
        setting,
        kind,
        check,
    }
}

/// The order; the first refusal answers.
///
/// Relay control comes before everything else that looks at a recipient, so that no rule after it can open the relay.
/// What holds against a client or a sender is asked at RCPT: programs of users greet with short names and sign in
/// afterwards, and the journal shall know for whom refused mail was.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule(Stage::Connect, "server_load", "", Kind::Everybody, client::server_load),
    rule(Stage::Connect, "max_nonexistent_accounts", "security.advanced.max_nonexistent_accounts", Kind::Ban, client::not_banned),
    rule(Stage::Connect, "max_connections", "security.connection_policy.max_connections", Kind::Rates, client::max_connections),
    rule(Stage::Connect, "max_connections_per_minute", "security.connection_policy.max_connections_per_minute", Kind::Rates, client::connection_rate),
    rule(Stage::Connect, "reject_unauthorized_pipelining", "security.advanced.reject_unauthorized_pipelining", Kind::Everybody, client::waits_for_greeting),
    rule(Stage::Helo, "helo", "", Kind::Everybody, helo::greeted),
    rule(Stage::AuthStart, "smtp_auth", "general.smtp_auth", Kind::Everybody, auth::enabled),
    rule(Stage::AuthStart, "auth_requires_tls", "general.auth_requires_tls", Kind::Everybody, auth::encrypted),
    rule(Stage::AuthStart, "failed_logins", "", Kind::Everybody, auth::not_blocked),
    rule(Stage::Auth, "password", "users", Kind::Everybody, auth::password),
    rule(Stage::Auth, "account_enabled", "users", Kind::Everybody, auth::account_enabled),
    rule(Stage::Sender, "max_nonexistent_accounts", "security.advanced.max_nonexistent_accounts", Kind::Ban, client::not_banned),
    rule(Stage::Sender, "helo_needed", "security.advanced.reject_non_fqdn_helo", Kind::Policies, helo::needed),
    rule(Stage::Sender, "submission_login", "general.smtp_auth", Kind::Everybody, sender::submission_login),
    rule(Stage::Sender, "login_current", "users", Kind::Everybody, sender::login_current),
    rule(Stage::Sender, "declared_size", "general.max_message_size_mb", Kind::Everybody, sender::declared_size),
    rule(Stage::Sender, "max_messages_per_minute", "security.connection_policy.max_messages_per_minute", Kind::Rates, client::message_rate),
    rule(Stage::Sender, "storage", "", Kind::Everybody, sender::storage),
    rule(Stage::Sender, "sender_qualified", "general.domain", Kind::Everybody, sender::qualified),
    rule(Stage::Recipient, "max_nonexistent_accounts", "security.advanced.max_nonexistent_accounts", Kind::Ban, client::not_banned),
    rule(Stage::Recipient, "max_recipients", "general.max_recipients", Kind::Everybody, recipient::limit),
    rule(Stage::Recipient, "relay_control", "general.smtp_auth", Kind::Everybody, recipient::relay_control),
    rule(Stage::Recipient, "lists", "security.lists", Kind::Everybody, lists::envelope),
    rule(Stage::Recipient, "reject_unknown_client_hostname", "security.connection_policy.reject_unknown_client_hostname", Kind::Policies, client::reverse_name),
    rule(Stage::Recipient, "reject_non_fqdn_helo", "security.advanced.reject_non_fqdn_helo", Kind::Policies, helo::fully_qualified),
    rule(Stage::Recipient, "reject_unknown_helo", "security.advanced.reject_unknown_helo", Kind::Policies, helo::exists),
    rule(Stage::Recipient, "reject_non_fqdn", "security.sender_policy.reject_non_fqdn", Kind::Policies, sender::fully_qualified),
    rule(Stage::Recipient, "reject_unknown_domain", "security.sender_policy.reject_unknown_domain", Kind::Policies, sender::domain_exists),
    rule(Stage::Recipient, "local_sender", "general.smtp_auth", Kind::Everybody, recipient::local_sender),
    rule(Stage::Recipient, "sender_must_match_login", "general.sender_must_match_login", Kind::Everybody, recipient::sender_owned),
    rule(Stage::Recipient, "skip_auth_for_local_network", "general.skip_auth_for_local_network", Kind::Everybody, recipient::trusted_sender),
    rule(Stage::Recipient, "dnsbl", "security.checks.dnsbl_zones", Kind::Dnsbl, checks::dnsbl),
    rule(Stage::Recipient, "spf", "security.checks.spf", Kind::Spf, checks::spf),
    rule(Stage::Recipient, "recipient_exists", "users", Kind::Everybody, recipient::exists),
    rule(Stage::Recipient, "route", "delivery.relay_enabled", Kind::Everybody, recipient::route),
    rule(Stage::Data, "max_nonexistent_accounts", "security.advanced.max_nonexistent_accounts", Kind::Ban, client::not_banned),
    rule(Stage::Data, "max_recipients", "general.max_recipients", Kind::Everybody, message::all_recipients_taken),
    rule(Stage::Message, "max_message_size_mb", "general.max_message_size_mb", Kind::Everybody, message::size),
    rule(Stage::Message, "header_size", "", Kind::Everybody, message::header_size),
    rule(Stage::Message, "max_hops", "general.max_hops", Kind::Everybody, message::hops),
    rule(Stage::Message, "max_attachment_size_mb", "general.max_attachment_size_mb", Kind::Everybody, message::attachments),
    rule(Stage::Message, "sender_must_match_login", "general.sender_must_match_login", Kind::Everybody, message::authors_owned),
    rule(Stage::Message, "disable_auto_forwarding", "general.disable_auto_forwarding", Kind::Everybody, message::not_auto_forwarded),
    rule(Stage::Message, "lists", "security.lists", Kind::Everybody, lists::authors),
    rule(Stage::Message, "from_field", "security.checks.dmarc", Kind::Dmarc, checks::from_field),
    rule(Stage::Message, "antivirus", "security.checks.antivirus", Kind::Antivirus, checks::antivirus),
    rule(Stage::Message, "dkim", "security.checks.dkim", Kind::Dkim, checks::dkim),
    rule(Stage::Message, "arc", "security.checks.dkim", Kind::Dkim, checks::arc),
    rule(Stage::Message, "dmarc", "security.checks.dmarc", Kind::Dmarc, checks::dmarc),
];

/// The rules of a stage, in order.
pub(super) fn rules_of(stage: Stage) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.stage == stage)
}
