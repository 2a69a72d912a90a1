//! What is known when a question is asked. Facts are gathered by the server, kept in the journal, and enough to
//! decide again later: whatever a rule reads stands here or in the settings.

mod security;

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use settings::Network;
use smtp::{Address, Domain, ForwardPath, MailParameters, RcptParameters, ReversePath};

use crate::{Decision, Reason};

pub use security::{
    ArcFact, AuthResult, ClientName, ContentTests, DkimFact, DmarcFact, DmarcPolicy, DnsblAnswer,
    DnsblFact, NameFact, Nonexistent, Rates, ScanFact, SpfFact,
};

/// Everything known about a session and its transaction so far. What nobody needed to fetch is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The other end.
    pub client: Client,
    /// How much of the server is in use; gathered at connect.
    pub load: Option<Load>,
    /// Networks of this machine; gathered when local clients may send without login.
    pub network: Option<MachineNetwork>,
    /// Room on the disks that a message needs; gathered at MAIL.
    pub storage: Option<Storage>,
    /// The name given with EHLO or HELO.
    pub helo: Option<String>,
    /// The login in question during AUTH.
    pub attempt: Option<Attempt>,
    /// The login that succeeded.
    pub login: Option<Login>,
    /// The transaction.
    pub envelope: Envelope,
    /// The recipient in question during RCPT.
    pub recipient: Option<ForwardPath>,
    /// The message after its last byte.
    pub message: Option<MessageFacts>,
    /// What the client did so far; gathered at connect and at MAIL.
    #[serde(default)]
    pub rates: Option<Rates>,
    /// Accounts that do not exist and to which the client wrote; gathered at connect and at RCPT.
    #[serde(default)]
    pub nonexistent: Option<Nonexistent>,
    /// What it said before it might; noticed at any time.
    #[serde(default)]
    pub spoke_early: bool,
    /// What the DNS calls it; gathered at RCPT.
    #[serde(default)]
    pub client_name: Option<ClientName>,
    /// Whether the name it greeted with exists; gathered at RCPT.
    #[serde(default)]
    pub helo_name: Option<NameFact>,
    /// Whether the sender's domain exists; gathered at RCPT.
    #[serde(default)]
    pub sender_domain: Option<NameFact>,
    /// What lists in the DNS say of the client; gathered at RCPT.
    #[serde(default)]
    pub dnsbl: Option<Vec<DnsblFact>>,
    /// Set while no name server answers anything at all: why. Gathered with whatever the DNS is asked for.
    #[serde(default)]
    pub resolver_down: Option<String>,
    /// SPF; gathered at RCPT.
    #[serde(default)]
    pub spf: Option<SpfFact>,
    /// Tests of the content; gathered after the last byte.
    #[serde(default)]
    pub tests: Option<ContentTests>,
}

/// Which of the three kinds of port the client came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Port {
    /// Port 25: mail from other servers.
    Smtp,
    /// Port 587: users, STARTTLS (RFC 6409).
    Submission,
    /// Port 465: users, TLS from the first byte (RFC 8314).
    Submissions,
}

/// The client of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// Address of the TCP peer; an IPv4 address inside IPv6 is unmapped.
    pub ip: IpAddr,
    /// Where it came in.
    pub port: Port,
    /// TLS version and cipher suite, once there are any.
    pub tls: Option<Tls>,
}

/// What was negotiated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tls {
    /// For example `TLSv1.3`.
    pub version: String,
    /// Name of the cipher suite.
    pub cipher: String,
}

/// Sessions that are open, this one included, and how many the server can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// All sessions.
    pub sessions: usize,
    /// The most that are served at once.
    pub capacity: usize,
    /// Sessions of this client's address.
    pub sessions_of_client: usize,
    /// The most of one address, so that one client cannot take all places.
    pub capacity_of_client: usize,
}

/// Networks that this machine is attached to, and its gateways.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MachineNetwork {
    /// Networks of its interfaces.
    pub attached: Vec<Network>,
    /// Default gateways: behind NAT, strangers can seem to come from there.
    pub gateways: Vec<IpAddr>,
}

/// Room for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// Bytes that can still be written, on the fullest of the disks that hold mail, spool and database.
    pub free: u64,
}

/// A try to sign in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The login name as it was sent, cut to a sane length; empty before credentials came.
    pub login: String,
    /// Whether the password is right; `None` before it was checked.
    pub password: Option<PasswordCheck>,
    /// Failed logins of this address within the window.
    pub failures: u32,
    /// Set while the address may not try again: the local time when it may.
    pub blocked_until: Option<String>,
}

/// What the check of a password said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordCheck {
    /// It is the user's.
    Right,
    /// It is not, or there is no such user.
    Wrong,
    /// It could not be checked now.
    Unavailable,
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Login {
    /// User name.
    pub user: String,
    /// False once the password was changed after this session signed in.
    pub current: bool,
}

/// The envelope so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Envelope {
    /// MAIL FROM as it was sent.
    pub sender: Option<ReversePath>,
    /// SIZE parameter, in bytes (RFC 1870).
    pub declared_size: Option<u64>,
    /// All parameters of MAIL, kept for whoever passes the message on.
    pub parameters: MailParameters,
    /// Recipients accepted so far, as they were sent.
    pub recipients: Vec<ForwardPath>,
    /// Parameters of RCPT (RFC 3461) of those recipients that came with any.
    pub notifications: Vec<(ForwardPath, RcptParameters)>,
    /// Recipients that were told yes and get nothing, because of a black list rule that discards.
    #[serde(default)]
    pub discarded: Vec<ForwardPath>,
    /// Recipients refused because there were too many.
    pub over_limit: u32,
}

/// What the content says, read once when it has arrived.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MessageFacts {
    /// Bytes after dot-unstuffing, before anything is added here.
    pub size: u64,
    /// Whether it passed the size at which the session stopped keeping it.
    pub oversize: bool,
    /// Whether the header at the top level is too large to be read whole, so that the facts from it are not all there.
    #[serde(default)]
    pub header_too_large: bool,
    /// What is wrong with the header at the top level, so that others may find other fields in it.
    #[serde(default)]
    pub header_problem: Option<String>,
    /// `Received` fields at the top level.
    pub hops: usize,
    /// Number of From fields, with or without mailboxes in them.
    pub from_fields: usize,
    /// Mailboxes of all From fields.
    pub from: Vec<Address>,
    /// Mailboxes of all Sender fields.
    pub sender: Vec<Address>,
    /// From or Sender fields, or parts of them, that are no mailboxes.
    pub unreadable_authors: Vec<String>,
    /// The first part of a From field that is no mailbox. The addresses in it that a reader could be shown are in
    /// [`MessageFacts::from`] all the same.
    #[serde(default)]
    pub unreadable_from: Option<String>,
    /// The largest attachment, decoded.
    pub largest_attachment: Option<Attachment>,
    /// Names of header fields that only automatic forwarding leaves.
    pub forward_marks: Vec<String>,
    /// Whether there is a Resent-From or Resent-Sender field.
    pub resent: bool,
    /// Addresses in Delivered-To fields.
    pub delivered_to: Vec<Address>,
    /// Whether it is a delivery or disposition notification (RFC 3464, RFC 8098).
    pub notification: bool,
}

/// A part of a message that counts as attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// File name, or the content type where there is none.
    pub name: String,
    /// Decoded bytes.
    pub size: u64,
}

/// Domains of authors of one message that are asked what they think of it.
pub const MAX_AUTHOR_DOMAINS: usize = 10;

impl MessageFacts {
    /// The domains of all From fields, each once, in their order.
    #[must_use]
    pub fn author_domains(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let domains = self.from.iter().filter_map(Address::domain);
        domains
            .map(Domain::ascii)
            .filter(|domain| seen.insert(*domain))
            .collect()
    }
}

impl Facts {
    /// The facts of a connection before anything was said.
    pub fn of_client(client: Client) -> Self {
        Self {
            client,
            load: None,
            network: None,
            storage: None,
            helo: None,
            attempt: None,
            login: None,
            envelope: Envelope::default(),
            recipient: None,
            message: None,
            rates: None,
            nonexistent: None,
            spoke_early: false,
            client_name: None,
            helo_name: None,
            sender_domain: None,
            dnsbl: None,
            resolver_down: None,
            spf: None,
            tests: None,
        }
    }

    /// Keeps the name that the client greets with, and forgets what was known of another one.
    pub fn greeted(&mut self, name: String) {
        if self.helo.as_ref() != Some(&name) {
            self.helo_name = None;
        }
        self.helo = Some(name);
    }

    /// Forgets everything about a transaction, before another one begins. What is known of the client stays.
    pub fn forget_transaction(&mut self) {
        self.envelope = Envelope::default();
        self.recipient = None;
        self.message = None;
        self.sender_domain = None;
        self.spf = None;
        self.tests = None;
    }

    /// Forgets what the DNS could not tell of the client, so that it is asked again.
    pub fn forget_unknown(&mut self) {
        self.resolver_down = None;
        if matches!(self.client_name, Some(ClientName::Unknown(_))) {
            self.client_name = None;
        }
        if matches!(self.helo_name, Some(NameFact::Unknown(_))) {
            self.helo_name = None;
        }
        let failed = |fact: &DnsblFact| matches!(fact.answer, DnsblAnswer::Failed(_));
        if self.dnsbl.iter().flatten().any(failed) {
            self.dnsbl = None;
        }
    }
}

impl Envelope {
    /// Whether the path names a recipient that was told yes already, however it is spelt.
    pub fn has(&self, path: &ForwardPath) -> bool {
        self.recipients
            .iter()
            .chain(&self.discarded)
            .any(|known| same_recipient(known, path))
    }

    /// How many recipients were told yes, those that get nothing included.
    pub fn taken(&self) -> usize {
        self.recipients.len() + self.discarded.len()
    }

    /// Whether nobody is left who would get the message, because black list rules discard it for all.
    pub fn is_discarded(&self) -> bool {
        self.recipients.is_empty() && !self.discarded.is_empty()
    }

    /// Keeps what became of a RCPT, for the decisions that follow.
    pub fn decided(&mut self, path: ForwardPath, decision: &Decision) {
        match &decision.refusal {
            None if self.has(&path) => {}
            None if decision.discard.is_some() => self.discarded.push(path),
            None => self.recipients.push(path),
            Some(Reason::TooManyRecipients { .. }) => {
                self.over_limit = self.over_limit.saturating_add(1)
            }
            Some(_) => {}
        }
    }
}

fn same_recipient(a: &ForwardPath, b: &ForwardPath) -> bool {
    match (a, b) {
        // Thousands of recipients are compared with each other, so the usual case costs no allocation.
        (ForwardPath::Address(a), ForwardPath::Address(b))
            if a.local().is_ascii() && b.local().is_ascii() =>
        {
            a.host() == b.host() && a.local().eq_ignore_ascii_case(b.local())
        }
        (ForwardPath::Address(a), ForwardPath::Address(b)) => a.same_mailbox(b),
        _ => a == b,
    }
}
