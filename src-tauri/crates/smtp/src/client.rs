//! The client's side of one connection, SMTP or LMTP, as a machine: input in, actions out.
//!
//! The machine opens the conversation (greeting, EHLO, STARTTLS, AUTH), hands over any number of messages one after
//! the other, and says what became of each recipient. Whoever drives it owns the socket, the time and the messages.
//!
//! Rules for the driver:
//! - Carry the actions out in their order; [`Action::Write`] in one write each.
//! - When all actions are carried out, read from the socket and give [`Input::Bytes`], or [`Input::TimedOut`] when
//!   [`Client::timeout`] has passed since [`Client::progress`] last changed. Octets that trickle in do not count.
//! - After [`Action::StartTls`] do the handshake and give [`Input::TlsStarted`] before anything else. Where TLS comes
//!   before the greeting, give [`Input::TlsStarted`] before [`Input::Connected`].
//! - After [`Action::Ready`] or [`Action::Done`] a message may be given, if [`Client::is_ready`]. Answer each
//!   [`Action::MoreContent`] with [`Input::Content`]; a message that cannot be read on gets [`Input::ContentLost`].
//! - When a write fails, read and give what the server still said, then [`Input::PeerClosed`].

mod capabilities;
mod opening;
mod outcome;
mod profile;
mod reply;
mod sasl;
mod several;
mod stuffing;
mod transaction;
mod transcript;
mod wire;

use std::time::Duration;

use crate::reply::Reply;
pub use capabilities::Capabilities;
pub use outcome::{Outcome, Phase, Trouble};
pub use profile::{Login, Mail, Profile, Protocol, Recipient, StartTls};
use reply::Replies;
use sasl::{Exchange, Mechanism, Secrets};
pub use stuffing::Stuffing;
use transaction::Transaction;
pub use transcript::{Line, Side, Transcript};

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection is open.
    Connected,
    /// The server sent this.
    Bytes(&'a [u8]),
    /// The TLS handshake is done.
    TlsStarted {
        /// Nobody in between can read along: the certificate is the hop's, or the admin takes any.
        private: bool,
    },
    /// Hand this message over. Only when [`Client::is_ready`]; otherwise all recipients are deferred.
    Mail(Mail),
    /// Ask with MAIL and RCPT what would become of this message, and forget it with RSET: nothing is sent. Conditions are
    /// those of [`Input::Mail`]; in the outcomes, delivered means that the recipient would be taken.
    Probe(Mail),
    /// The next octets of the message.
    Content {
        /// Any number of octets, cut anywhere.
        bytes: &'a [u8],
        /// The message ends with them.
        last: bool,
    },
    /// The message cannot be read on; the reason in words.
    ContentLost(&'a str),
    /// Say goodbye.
    Quit,
    /// Nothing came within [`Client::timeout`].
    TimedOut,
    /// Everything together took longer than the driver allows.
    TookTooLong,
    /// The server closed the connection, or it broke.
    PeerClosed,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this.
    Write(Vec<u8>),
    /// Start the TLS handshake.
    StartTls,
    /// The conversation is open; a message can be given.
    Ready,
    /// Give the next octets of the message.
    MoreContent,
    /// What became of the recipients, in their order.
    Done(Vec<Outcome>),
    /// The conversation could not be opened.
    Failed(Trouble),
    /// Close the connection, once everything before is sent. Nothing follows.
    Close,
}

/// The machine.
#[derive(Debug)]
pub struct Client {
    profile: Profile,
    state: State,
    replies: Replies,
    actions: Vec<Action>,
    capabilities: Capabilities,
    tls: Tls,
    authenticated: bool,
    /// Messages begun on this connection.
    messages: u32,
    /// Something was there before the command was sent that it would answer.
    early: bool,
    progress: u64,
    transcript: Transcript,
    secrets: Secrets,
}

/// How well the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    None,
    /// Encrypted, but nobody knows to whom.
    Unverified,
    Private,
}

#[derive(Debug)]
enum State {
    /// Before [`Input::Connected`].
    New,
    Greeting,
    /// EHLO, LHLO or, not extended, HELO was sent.
    Hello {
        extended: bool,
    },
    StartTls,
    Handshake,
    Auth {
        exchange: Exchange,
        /// To be tried if the server does not really have this one.
        others: Vec<Mechanism>,
    },
    Ready,
    Transaction(Box<Transaction>),
    Quit,
    Closed,
}

impl Client {
    /// A client that waits for [`Input::Connected`].
    pub fn new(profile: Profile) -> Client {
        let secrets = Secrets::of(profile.login.as_ref());
        Client {
            profile,
            state: State::New,
            replies: Replies::default(),
            actions: Vec::new(),
            capabilities: Capabilities::default(),
            tls: Tls::None,
            authenticated: false,
            messages: 0,
            early: false,
            progress: 0,
            transcript: Transcript::default(),
            secrets,
        }
    }

    /// Whether a message can be given.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// Whether the conversation is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether the server knows us.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// What the server said it can, since the latest EHLO.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What was said.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Adds what happened outside the conversation to its transcript.
    pub fn note(&mut self, phase: Phase, text: &str) {
        self.transcript.add(phase, Side::Note, text);
    }

    /// A number that changes whenever the server answered or we sent something: then a wait begins anew.
    pub fn progress(&self) -> u64 {
        self.progress
    }

    /// Where the conversation is.
    pub fn phase(&self) -> Phase {
        match &self.state {
            State::New => Phase::Connect,
            State::Greeting => Phase::Greeting,
            State::Hello { .. } => Phase::Hello,
            State::StartTls | State::Handshake => Phase::Tls,
            State::Auth { .. } => Phase::Auth,
            State::Ready => Phase::Idle,
            State::Transaction(transaction) => transaction.phase(),
            State::Quit | State::Closed => Phase::Quit,
        }
    }

    /// How long to wait for the server now (RFC 5321 §4.5.3.2).
    pub fn timeout(&self) -> Duration {
        let seconds = match self.phase() {
            // §4.5.3.2.4
            Phase::Data => 2 * 60,
            // §4.5.3.2.5
            Phase::Content => 3 * 60,
            // §4.5.3.2.6: the server may be storing the message.
            Phase::End => 10 * 60,
            // A server whose silence begins here has most likely been gone since the message before.
            Phase::Reset => 60,
            Phase::Quit => 10,
            // §4.5.3.2.1 to 3; what the RFC does not name is no slower.
            _ => 5 * 60,
        };
        Duration::from_secs(seconds)
    }

    /// Takes an input and says what to do.
    pub fn handle(&mut self, input: Input<'_>) -> Vec<Action> {
        match input {
            Input::Connected => {
                if matches!(self.state, State::New) {
                    self.state = State::Greeting;
                }
            }
            Input::Bytes(bytes) => self.receive(bytes),
            Input::TlsStarted { private } => self.tls_started(private),
            Input::Mail(mail) => self.begin(mail, false),
            Input::Probe(mail) => self.begin(mail, true),
            Input::Content { bytes, last } => self.content(bytes, last),
            Input::ContentLost(why) => self.content_lost(why),
            Input::Quit => self.quit(),
            Input::TimedOut => self.timed_out(),
            Input::TookTooLong => self.took_too_long(),
            Input::PeerClosed => self.peer_closed(),
        }
        std::mem::take(&mut self.actions)
    }

    fn receive(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Closed | State::New | State::Handshake) {
            return;
        }
        self.replies.push(bytes);
        while !self.is_closed() {
            match self.replies.next() {
                None => return,
                Some(Ok(reply)) => self.reply(&reply),
                Some(Err(garbage)) => self.garbage(&garbage.to_string()),
            }
        }
    }

    fn reply(&mut self, reply: &Reply) {
        self.progress += 1;
        let phase = self.phase();
        for line in reply.lines() {
            let line = self.secrets.scrub(&format!("{} {line}", codes(reply)));
            self.transcript.add(phase, Side::Server, &line);
        }
        // RFC 5321 §3.8: 421 may answer any command, and none.
        if reply.code() == 421 && !matches!(self.state, State::Quit) {
            let trouble = self.refused(phase, reply);
            return self.end(trouble);
        }
        if std::mem::take(&mut self.early) {
            return self.garbage("it answered before it was asked");
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::New | State::Handshake | State::Closed => {}
            State::Greeting => self.greeted(reply),
            State::Hello { extended } => self.hello_answered(extended, reply),
            State::StartTls => self.starttls_answered(reply),
            State::Auth { exchange, others } => self.auth_answered(exchange, others, reply),
            State::Ready => {
                self.state = State::Ready;
                self.garbage("it spoke without being asked");
            }
            State::Transaction(transaction) => self.transaction_answered(transaction, reply),
            State::Quit => self.actions.push(Action::Close),
        }
    }

    /// The reply for people: one line without secrets.
    fn shown(&self, reply: &Reply) -> String {
        self.secrets.scrub(&reply.to_string())
    }

    fn refused(&self, phase: Phase, reply: &Reply) -> Trouble {
        outcome::refusal(&self.profile.peer, phase, reply, &self.shown(reply))
    }

    /// Sends a command line, of which the transcript shows `shown`.
    fn command(&mut self, phase: Phase, line: &str, shown: &str) {
        self.transcript.add(phase, Side::Client, shown);
        self.write(format!("{line}\r\n").into_bytes());
    }

    /// Sends what a reply is expected for; what is already there cannot be that reply.
    fn write(&mut self, bytes: Vec<u8>) {
        self.early = !self.replies.is_empty();
        self.progress += 1;
        self.actions.push(Action::Write(bytes));
    }

    fn quit(&mut self) {
        match self.state {
            State::Ready => {
                self.state = State::Quit;
                self.command(Phase::Quit, "QUIT", "QUIT");
            }
            State::Closed => {}
            _ => {
                let text = format!("the connection to {} was given up", self.profile.peer);
                self.end(Trouble::new((4, 4, 2), text).at(self.phase()));
            }
        }
    }

    fn timed_out(&mut self) {
        let (phase, peer) = (self.phase(), &self.profile.peer);
        let text = format!("{peer} fell silent {phase}{}", doubt(phase));
        self.end(Trouble::new((4, 4, 2), text).at(phase).whole_hop());
    }

    fn took_too_long(&mut self) {
        let (phase, peer) = (self.phase(), &self.profile.peer);
        let text = format!(
            "{peer} was so slow that the connection was given up {phase}{}",
            doubt(phase)
        );
        self.end(Trouble::new((4, 4, 2), text).at(phase).whole_hop());
    }

    fn peer_closed(&mut self) {
        let (phase, peer) = (self.phase(), &self.profile.peer);
        let text = format!("the connection to {peer} broke {phase}{}", doubt(phase));
        self.end(Trouble::new((4, 4, 2), text).at(phase).whole_hop());
    }

    fn garbage(&mut self, what: &str) {
        let (phase, peer) = (self.phase(), &self.profile.peer);
        let text = format!("{peer} broke the rules of SMTP {phase}: {what}");
        self.note(phase, what);
        self.end(Trouble::new((4, 5, 0), text).at(phase).whole_hop());
    }

    /// The conversation is over before its time: whatever is open ends with this trouble.
    fn end(&mut self, trouble: Trouble) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed => return,
            State::Transaction(transaction) => self.give_up(*transaction, trouble),
            State::Ready | State::Quit => {}
            _ => self.actions.push(Action::Failed(trouble)),
        }
        self.actions.push(Action::Close);
    }
}

/// What a conversation that breaks off leaves open.
fn doubt(phase: Phase) -> &'static str {
    match phase {
        Phase::End => "; whether it took the message is not known",
        _ => "",
    }
}

/// Code and enhanced code as they stand in front of each line.
fn codes(reply: &Reply) -> String {
    match reply.enhanced() {
        Some((class, subject, detail)) => format!("{} {class}.{subject}.{detail}", reply.code()),
        None => reply.code().to_string(),
    }
}

#[cfg(test)]
mod both_sides;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
