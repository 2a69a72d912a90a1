//! The server's side of one connection, as a machine: input in, actions out.
//!
//! The machine knows the protocol and nothing else. Where something must be decided it asks, and until the answer
//! comes it does nothing; what the client has sent ahead waits in a bounded buffer. Whoever drives it owns the
//! socket, the time and the answers.
//!
//! Rules for the driver:
//! - Carry the actions out in their order; a [`Action::Reply`] that is a refusal gets its token on the way.
//! - Read from the socket only while [`Session::is_asking`] is false, at most 64 KiB at once.
//! - After [`Action::StartTls`], do the handshake and give [`Input::TlsStarted`] before anything else. On a port with
//!   implicit TLS give [`Input::TlsStarted`] before [`Input::Connected`].
//! - A transaction begins when [`Question::Sender`] is accepted. It is over when [`Question::Data`] is refused, when
//!   [`Question::Message`] is answered, or with [`Action::TransactionEnded`].

mod buffer;
mod machine;
mod manners;
mod receive;

use std::time::Duration;

use crate::address::{ForwardPath, ReversePath};
use crate::command::{MailParameters, RcptParameters};
use crate::content::Content;
use crate::domain::Domain;
use crate::reply::Reply;
use crate::sasl::{Credentials, Exchange, InitialResponse, Mechanism};
use buffer::Buffer;
use receive::LineEnd;

/// Longest command line in octets with its CRLF. RFC 5321 §4.5.3.1.4 starts at 512 and extensions add to it; the sum
/// of ours stays below 4096.
pub const MAX_LINE: usize = 4096;
/// Longest AUTH command or response line in octets with its CRLF (RFC 4954 §4).
pub const MAX_AUTH_LINE: usize = 12_288;
/// Most octets a client can send ahead while a question is open.
pub const MAX_BUFFER: usize = 128 * 1024;
/// Octets beyond the size limit that are read and dropped so that the refusal comes at the usual place; after these
/// the connection is closed.
const MAX_DROPPED: u64 = 2 << 30;
/// Every so many commands without effect one is answered late.
const JUNK_STEP: u32 = 10;
/// How late.
const LATE: Duration = Duration::from_secs(1);

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Port 25: mail from other servers.
    Inbound,
    /// Port 587: mail from users.
    Submission,
    /// Port 465: mail from users, in TLS from the first octet.
    Submissions,
}

/// What the session needs to know of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What the port is for.
    pub role: Role,
    /// The server's name in the greeting.
    pub hostname: Domain,
    /// The text behind the name in the greeting.
    pub banner: String,
    /// Largest message in octets.
    pub max_message_size: u64,
    /// Whether there is a certificate for STARTTLS.
    pub offers_starttls: bool,
    /// Whether users can sign in on this port.
    pub offers_auth: bool,
    /// Whether they can do so only inside TLS.
    pub auth_needs_tls: bool,
    /// Errors with which the connection is closed: mistakes, refusals for good, commands without effect beyond their
    /// limit. An accepted message makes up for all.
    pub max_errors: u32,
    /// Errors from which on every reply comes a second late.
    pub slow_errors: u32,
    /// Commands without effect (NOOP, VRFY, ETRN, RSET) before a message that are no errors.
    pub max_junk_commands: u32,
    /// Clients that send commands before they may are sent away.
    pub rejects_early: bool,
    /// Accepted recipients after which the session itself says no; the limit of the settings is the policy's.
    pub max_recipients_hard: usize,
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection is open.
    Connected,
    /// The client sent this.
    Bytes(&'a [u8]),
    /// The answer to the open question.
    Answer(Answer),
    /// The TLS handshake is done.
    TlsStarted {
        /// The protocol version.
        version: String,
        /// The cipher suite.
        cipher: String,
    },
    /// Nothing came within [`Session::timeout`].
    TimedOut,
    /// The client closed the connection, or it broke.
    PeerClosed,
    /// The server is about to stop.
    Shutdown,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this.
    Reply(Reply),
    /// Decide this and give [`Input::Answer`].
    Ask(Question),
    /// The next octets of the message, without dot-stuffing, otherwise as they came.
    Content(Vec<u8>),
    /// Wait this long before what follows, once everything before is sent. Ends at once when the server stops.
    Wait(Duration),
    /// Start the TLS handshake, once everything before is sent.
    StartTls,
    /// The transaction ended without a message. Comes directly behind the refusal that ended it, where there is one.
    TransactionEnded(EndedBy),
    /// Close the connection, once everything before is sent. Nothing follows.
    Close,
}

/// Why a transaction ended without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// RSET.
    Reset,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// QUIT.
    Quit,
    /// A bare CR or LF, in a command or in the message.
    BareLineEnd,
    /// The client made too many mistakes, or sent too much ahead.
    TooManyErrors,
    /// The client was silent for too long.
    TimedOut,
    /// The connection is gone.
    PeerClosed,
    /// The server stops.
    Shutdown,
    /// An answer was [`Answer::Close`].
    Answer,
}

/// Something to be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// May the client talk to us?
    Connect,
    /// The client gives its name.
    Helo {
        /// As the client wrote it: printable, without spaces, otherwise anything.
        name: String,
        /// EHLO rather than HELO.
        extended: bool,
    },
    /// The client sent commands before it might (RFC 2920 §3.1): with which words is it sent away?
    SpokeEarly,
    /// The client is blocked since [`Session::block`]: with which words is it sent away?
    Blocked,
    /// May the client try to sign in now? Asked also where AUTH is not announced, so that the refusal can say why; yes
    /// is not enough there.
    AuthStart {
        /// How.
        mechanism: Mechanism,
    },
    /// Are these right?
    Auth(Credentials),
    /// May this sender send?
    Sender {
        /// The sender.
        path: ReversePath,
        /// What stood behind it.
        parameters: MailParameters,
    },
    /// Is mail taken for this recipient?
    Recipient {
        /// The recipient.
        path: ForwardPath,
        /// What stood behind it.
        parameters: RcptParameters,
    },
    /// May the content come?
    Data {
        /// Recipients accepted so far.
        recipients: usize,
    },
    /// The content is complete: is it taken, durably?
    Message {
        /// Octets of the message, also those that were not handed out.
        size: u64,
        /// The message is larger than the limit, and only its beginning was handed out: it must be refused.
        oversize: bool,
    },
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, with the usual reply.
    Accept,
    /// Yes, with this positive reply (where the usual one carries no data of the protocol's: not for EHLO and DATA).
    AcceptWith(Reply),
    /// No; to [`Question::Connect`] this closes the connection.
    Refuse(Reply),
    /// No, and close the connection.
    Close(Reply),
}

/// The machine.
#[derive(Debug)]
pub struct Session {
    profile: Profile,
    state: State,
    buffer: Buffer,
    actions: Vec<Action>,
    tls: Option<Tls>,
    hello: Option<Hello>,
    authenticated: bool,
    transaction: Option<Transaction>,
    /// Refusals may hold UTF-8: the latest MAIL said SMTPUTF8.
    utf8: bool,
    /// Since the last accepted message.
    errors: u32,
    /// Commands without effect since the last accepted message.
    junk: u32,
    /// The next reply comes late.
    late: bool,
    /// Behind the octets that were handed in more waited in the socket.
    more_waits: bool,
    /// The client sent something before the greeting reached it.
    early: bool,
    blocked: bool,
    line_end: LineEnd,
    stopping: bool,
}

/// What the handshake agreed on.
#[derive(Debug)]
struct Tls {
    version: String,
    cipher: String,
}

/// How the client introduced itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hello {
    extended: bool,
}

#[derive(Debug)]
struct Transaction {
    utf8: bool,
    /// A RCPT came, accepted or not.
    addressed: bool,
    recipients: usize,
    /// Set when the content has begun.
    content: Option<Content>,
}

#[derive(Debug)]
enum State {
    /// Before [`Input::Connected`].
    New,
    /// The next line is a command.
    Commands,
    /// A question is open.
    Asking(Pending),
    /// The next line is a response of an AUTH exchange.
    Auth(Exchange),
    /// Inside DATA.
    Data,
    /// Inside a chunk of `size` octets; `left` are to come.
    Chunk { size: u64, left: u64, last: bool },
    /// Inside a chunk nobody wants; then this is the reply.
    Unwanted { left: u64, reply: Reply },
    /// Inside a line that is too long, to be dropped up to its end.
    LongLine { auth: bool },
    /// Between STARTTLS and the end of the handshake.
    Handshake,
    /// It is over.
    Closed,
}

/// What to do when the answer comes.
#[derive(Debug)]
enum Pending {
    Connect,
    Hello(Hello),
    AuthStart {
        mechanism: Mechanism,
        initial: Option<InitialResponse>,
    },
    Auth,
    Sender {
        utf8: bool,
    },
    Recipient,
    Data,
    Chunk {
        size: u64,
        last: bool,
    },
    /// The words with which the client is sent away.
    Farewell,
    /// `close`: the client sends without end.
    Message {
        close: bool,
    },
}

impl Session {
    /// A session that waits for [`Input::Connected`].
    pub fn new(profile: Profile) -> Session {
        Session {
            profile,
            state: State::New,
            buffer: Buffer::default(),
            actions: Vec::new(),
            tls: None,
            hello: None,
            authenticated: false,
            transaction: None,
            utf8: false,
            errors: 0,
            junk: 0,
            late: false,
            more_waits: false,
            early: false,
            blocked: false,
            line_end: LineEnd::default(),
            stopping: false,
        }
    }

    /// Takes changed settings over, from the next command on. A message being received keeps its size limit.
    pub fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
    }

    /// Says whether more waits in the socket behind the octets that are handed in next.
    pub fn more_waits(&mut self, more: bool) {
        self.more_waits = more;
    }

    /// The client sent what is handed in next before the greeting reached it.
    pub fn spoke_early(&mut self) {
        self.early = true;
    }

    /// The next command is not carried out but asks [`Question::Blocked`], and ends the connection.
    pub fn block(&mut self) {
        self.blocked = true;
    }

    /// Whether a question is open, so that nothing may be read from the socket.
    pub fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking(_))
    }

    /// Whether a sender was accepted and the transaction has not ended.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Version and cipher suite of the connection's TLS, if there is any.
    pub fn tls(&self) -> Option<(&str, &str)> {
        self.tls
            .as_ref()
            .map(|tls| (tls.version.as_str(), tls.cipher.as_str()))
    }

    /// How long to wait for the client now.
    pub fn timeout(&self) -> Duration {
        let minutes = match self.state {
            // RFC 5321 §4.5.3.2.5: a client gives up sending a block after 3 minutes, so nothing comes later.
            State::Data | State::Chunk { .. } | State::Unwanted { .. } => 3,
            State::Handshake => 1,
            // RFC 5321 §4.5.3.2.7
            _ => 5,
        };
        Duration::from_secs(60 * minutes)
    }

    /// The keyword for `with` in `Received` (RFC 3848, RFC 6531 §4.3): `SMTP`, `ESMTPSA`, `UTF8SMTPS` …
    pub fn protocol(&self) -> &'static str {
        if !self.hello.is_some_and(|hello| hello.extended) {
            return "SMTP";
        }
        match (self.utf8, self.tls.is_some(), self.authenticated) {
            (false, false, false) => "ESMTP",
            (false, false, true) => "ESMTPA",
            (false, true, false) => "ESMTPS",
            (false, true, true) => "ESMTPSA",
            (true, false, false) => "UTF8SMTP",
            (true, false, true) => "UTF8SMTPA",
            (true, true, false) => "UTF8SMTPS",
            (true, true, true) => "UTF8SMTPSA",
        }
    }

    /// Takes an input and says what to do.
    pub fn handle(&mut self, input: Input<'_>) -> Vec<Action> {
        match input {
            Input::Connected => self.connected(),
            Input::Bytes(bytes) => self.receive(bytes),
            Input::Answer(answer) => {
                self.answered(answer);
                self.resume();
            }
            Input::TlsStarted { version, cipher } => self.tls_started(Tls { version, cipher }),
            Input::TimedOut => self.timed_out(),
            Input::PeerClosed => self.peer_closed(),
            Input::Shutdown => self.shutdown(),
        }
        std::mem::take(&mut self.actions)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod tests;
