//! What is known when a question is asked. Facts are gathered by the server, kept in the journal, and enough to
//! decide again later: whatever a rule reads stands here or in the settings.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use settings::Network;
use smtp::{Address, ForwardPath, MailParameters, RcptParameters, ReversePath};

use crate::{Decision, Reason};

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
        }
    }
}

impl Envelope {
    /// Whether the path names a recipient that was accepted already, however it is spelt.
    pub fn has(&self, path: &ForwardPath) -> bool {
        self.recipients
            .iter()
            .any(|known| same_recipient(known, path))
    }

    /// Keeps what became of a RCPT, for the decisions that follow.
    pub fn decided(&mut self, path: ForwardPath, decision: &Decision) {
        match &decision.refusal {
            None if !self.has(&path) => self.recipients.push(path),
            Some(Reason::TooManyRecipients { .. }) => {
                self.over_limit = self.over_limit.saturating_add(1)
            }
            _ => {}
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
