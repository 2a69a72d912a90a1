//! Where a recipient's mail goes next. Recipients with one destination are sent together.

use std::fmt;

use settings::{LmtpAddress, Mailbox, Settings};
use smtp::{Address, Host};

/// The next place on the way to a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// The mailboxes of our own users.
    Mailbox,
    /// The relay, which takes everything that is not for us.
    Relay,
    /// The mail servers of this domain, as A-labels, or the one at this address literal with its brackets.
    Domain(String),
}

impl Destination {
    /// One word for it, for the queue's table: `mailbox`, `relay`, `domain:third.example`, `domain:[192.0.2.1]`.
    pub fn key(&self) -> String {
        match self {
            Self::Mailbox => "mailbox".into(),
            Self::Relay => "relay".into(),
            Self::Domain(name) => format!("domain:{name}"),
        }
    }

    /// What [`Destination::key`] made; `None` for any other text.
    pub fn parse(key: &str) -> Option<Self> {
        match key {
            "mailbox" => Some(Self::Mailbox),
            "relay" => Some(Self::Relay),
            _ => {
                let host = Host::parse(key.strip_prefix("domain:")?).ok()?;
                Some(Self::Domain(name(&host)))
            }
        }
    }
}

/// Where mail for `address` goes under these settings.
pub fn destination(address: &Address, settings: &Settings) -> Destination {
    if settings.is_local(address) {
        Destination::Mailbox
    } else if settings.delivery.relay_enabled {
        Destination::Relay
    } else {
        Destination::Domain(name(address.host()))
    }
}

fn name(host: &Host) -> String {
    match host {
        Host::Domain(domain) => domain.ascii().to_owned(),
        Host::Literal(_) => host.to_string(),
    }
}

/// The way to a destination in words, to follow on a recipient.
pub(crate) struct Way<'a>(pub(crate) &'a Destination, pub(crate) &'a Settings);

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(destination, settings) = self;
        match destination {
            Destination::Mailbox => match &settings.service.mailbox {
                Mailbox::Maildir(_) => f.write_str("delivered here"),
                Mailbox::Lmtp(LmtpAddress::Unix(path)) => {
                    write!(f, "to the mail store at the socket {path}")
                }
                Mailbox::Lmtp(at) => write!(f, "to the mail store at {at}"),
            },
            Destination::Relay => {
                let delivery = &settings.delivery;
                match delivery.relay_host() {
                    Some(host) => write!(f, "to the relay {host}:{}", delivery.relay_port),
                    None => f.write_str("to the relay"),
                }
            }
            Destination::Domain(name) if name.starts_with('[') => {
                write!(f, "to the server at {name}")
            }
            Destination::Domain(name) => write!(f, "to the mail servers of {name}"),
        }
    }
}

#[cfg(test)]
mod tests;
