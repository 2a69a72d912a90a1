//! What a client is told: of the hop, of us, and of the message.

use std::fmt;

use zeroize::Zeroizing;

use crate::address::{Address, ReversePath};
use crate::command::{RcptParameters, Ret};
use crate::domain::Domain;

/// What is spoken with the hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033: one reply for each recipient after the message.
    Lmtp,
}

/// What to do about STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StartTls {
    /// Do not use it.
    Never,
    /// Use it where it is offered, and go on without it where it is not.
    IfOffered,
    /// Go on only inside TLS.
    Required,
}

/// Who we are for a hop that asks. The password is wiped from memory when this is dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Zeroizing<String>,
    /// The password may cross a connection that others can read.
    pub in_clear: bool,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({:?})", self.username)
    }
}

/// What the client needs to know of the hop and of us.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The hop's name in texts, for example `mx.example.org [192.0.2.1]`.
    pub peer: String,
    /// What is spoken.
    pub protocol: Protocol,
    /// Our host name.
    pub helo: Domain,
    /// What to do about STARTTLS.
    pub starttls: StartTls,
    /// Sign in before anything is sent.
    pub login: Option<Login>,
}

/// A message's envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The sender.
    pub sender: ReversePath,
    /// Octets of the message.
    pub size: u64,
    /// The body holds octets above 127.
    pub eight_bit: bool,
    /// The headers need SMTPUTF8; addresses are looked at apart from this.
    pub smtputf8: bool,
    /// How much a notification returns.
    pub ret: Option<Ret>,
    /// The sender's name for the transaction.
    pub envid: Option<String>,
    /// The recipients.
    pub recipients: Vec<Recipient>,
}

/// One recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: Address,
    /// NOTIFY and ORCPT.
    pub parameters: RcptParameters,
}
