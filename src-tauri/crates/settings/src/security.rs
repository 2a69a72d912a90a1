//! Section *Security*: who is refused and who is let through, and the tests that mail from strangers must pass.

pub mod exchange;
mod index;
pub mod lists;
pub mod mask;
pub mod value;
mod zones;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::field::section;
use crate::{Problem, Row, Service};

pub use index::Found;
pub use lists::{Criterion, ListAction, ListKind, ListRule, Lists};
pub use value::ListValue;

/// The five parts of the Security pane.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// Tab *Black and White Lists*.
    #[ts(as = "Vec<ListRule>")]
    pub lists: Lists,
    /// Tab *Sender Policy*.
    pub sender_policy: SenderPolicy,
    /// Tab *Connection Policy*.
    pub connection_policy: ConnectionPolicy,
    /// Tab *Advanced*.
    pub advanced: Advanced,
    /// Tab *Checks*.
    pub checks: Checks,
}

section! {
    /// What a sender's address must be.
    SenderPolicy at "security.sender_policy" {
        /// Refuse senders whose domain is not a full name, such as boss@office instead of boss@office.example.
        reject_non_fqdn: bool = true;
        /// Refuse senders whose domain the DNS does not know: no answer could ever reach them.
        reject_unknown_domain: bool = true;
        /// For which recipients an unknown domain counts: all, or only those that do not exist here anyway.
        unknown_domain_scope: UnknownDomainScope = UnknownDomainScope::AllRecipients;
    }
}

/// For which recipients the sender's domain must exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum UnknownDomainScope {
    /// For each.
    AllRecipients,
    /// Only for those that do not exist here.
    UnknownRecipientsOnly,
}

section! {
    /// How much a client may ask of the server.
    ConnectionPolicy at "security.connection_policy" {
        /// Refuse clients whose address has no name in the DNS.
        reject_unknown_client_hostname: bool = false;
        /// What the name must be: any, or one that leads back to the client's address. Many honest servers fail the second.
        client_hostname: ClientHostname = ClientHostname::Reverse;
        /// Connections that one client may keep open at the same time.
        max_connections: Option<u32> = Some(50), 1..=1_000;
        /// Messages that one client may send in a minute.
        max_messages_per_minute: Option<u32> = None, 1..=10_000;
        /// Connections that one client may open in a minute.
        max_connections_per_minute: Option<u32> = None, 1..=10_000;
    }
}

/// Which name of a client is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ClientHostname {
    /// There is one.
    Reverse,
    /// There is one, and it has the client's address.
    ForwardConfirmed,
}

section! {
    /// Manners of clients.
    Advanced at "security.advanced" {
        /// Refuse clients that send commands before they may: programs that do not listen for the answer are rarely mail servers.
        reject_unauthorized_pipelining: bool = true;
        /// Refuse clients that greet with a name that is not full, such as localhost.
        reject_non_fqdn_helo: bool = true;
        /// Refuse clients that greet with a name the DNS does not know. Some honest servers do.
        reject_unknown_helo: bool = false;
        /// Different accounts that do not exist here to which one client may write in a day; then it is blocked until midnight.
        max_nonexistent_accounts: Option<u32> = Some(20), 1..=10_000;
        /// Commands without effect (NOOP, VRFY, ETRN, RSET) that a client may send before a message. Every tenth is answered a second late.
        max_junk_commands: u32 = 100, 1..=1_000;
    }
}

section! {
    /// Tests of mail from strangers.
    Checks at "security.checks" {
        /// Lists in the DNS of addresses that send spam.
        dnsbl_zones: Vec<DnsblZone> = Vec::new();
        /// SPF: whether the sender's domain lets this client send (RFC 7208).
        spf: Check = Check::Record;
        /// DKIM: whether the signatures of the message are right (RFC 6376).
        dkim: Check = Check::Record;
        /// DMARC: what the domain of the From field asks for when neither SPF nor DKIM speaks for it.
        dmarc: Check = Check::Enforce;
        /// What becomes of a message in which clamd finds malware. Off, nothing is scanned.
        antivirus: Antivirus = Antivirus::Off;
        /// What becomes of a message when clamd cannot be asked.
        antivirus_unavailable: AntivirusUnavailable = AntivirusUnavailable::Defer;
    }
}

/// A list in the DNS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct DnsblZone {
    /// Its domain, for example `zen.spamhaus.org`.
    pub zone: String,
    /// Answers that count, as addresses (`127.0.0.2`) or ranges (`127.0.0.2-127.0.0.11`). Empty means every answer in 127.0.0.0/8.
    #[serde(default)]
    pub answers: Vec<String>,
}

/// What a test leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// It is not made.
    Off,
    /// Its result stands in a header field of the message and in the mail log.
    Record,
    /// A message that fails is refused.
    Enforce,
}

/// What a message with malware leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Antivirus {
    /// Nothing is scanned.
    Off,
    /// It is refused.
    Reject,
    /// It is taken and thrown away.
    Discard,
}

/// What happens when nobody can scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum AntivirusUnavailable {
    /// The sender is asked to come back.
    Defer,
    /// The message is taken without.
    Accept,
}

impl Security {
    /// One row for each part, and one for each rule of the lists.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let row =
            |part: &str, key: &str, value: Result<serde_json::Value, serde_json::Error>| Row {
                section: format!("security.{part}"),
                key: key.into(),
                value: value.unwrap_or_default(),
            };
        let mut rows = vec![
            row(
                "sender_policy",
                "",
                serde_json::to_value(&self.sender_policy),
            ),
            row(
                "connection_policy",
                "",
                serde_json::to_value(&self.connection_policy),
            ),
            row("advanced", "", serde_json::to_value(&self.advanced)),
            row("checks", "", serde_json::to_value(&self.checks)),
        ];
        rows.extend(
            self.lists
                .rules()
                .iter()
                .map(|rule| row("lists", &rule.name, serde_json::to_value(rule))),
        );
        rows
    }

    pub(crate) fn check(&self, service: &Service) -> Vec<Problem> {
        let mut problems = self.lists.check();
        problems.extend(self.sender_policy.check_ranges());
        problems.extend(self.connection_policy.check_ranges());
        problems.extend(self.advanced.check_ranges());
        problems.extend(self.checks.check_ranges());
        problems.extend(zones::check(&self.checks.dnsbl_zones));
        if self.checks.antivirus != Antivirus::Off && service.clamd.is_none() {
            problems.push(Problem::new(
                "security.checks.antivirus",
                "no_clamd",
                "nobody could scan: first say where clamd listens, for example unix:/run/clamav/clamd.ctl",
            ));
        }
        problems
    }
}
