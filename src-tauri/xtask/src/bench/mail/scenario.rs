//! What is sent, and what is hoped for.

use super::peer::Kind;

const KB: u64 = 1024;

/// One kind of load.
pub struct Scenario {
    /// As it stands in the table.
    pub name: &'static str,
    /// Who takes it and what becomes of it.
    pub way: Way,
    /// Octets of a message.
    pub size: u64,
    /// Sessions at once.
    pub sessions: u32,
    /// Whether a session sends all over one connection.
    pub kept: bool,
    /// Recipients of a message.
    pub recipients: u32,
    /// Messages for Postfix: a good second's work.
    pub messages: u64,
    /// As many times more for the others, which are quicker.
    pub more: u64,
    /// Postroom's rate divided by Postfix's, at least.
    pub aim: f64,
}

/// What becomes of a load.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It arrives in mailboxes.
    Inbound,
    /// Nobody by that name is here.
    Refusal,
    /// It is passed on to the next hop.
    Relay,
}

impl Scenario {
    /// How many messages are sent to a server.
    pub fn messages_for(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Postfix => self.messages,
            _ => self.messages * self.more,
        }
    }
}

/// New connections, one recipient, 4 KB, ten sessions: what most scenarios change one thing of.
const USUAL: Scenario = Scenario {
    name: "",
    way: Way::Inbound,
    size: 4 * KB,
    sessions: 10,
    kept: false,
    recipients: 1,
    messages: 1500,
    more: 3,
    aim: 1.0,
};

/// A few messages that are not counted.
pub fn warm_up(way: Way) -> Scenario {
    Scenario {
        way,
        sessions: 5,
        kept: true,
        ..USUAL
    }
}

/// The one from which processor time is told.
pub const PROCESSOR: &str = "inbound 4 KB, new connections, 10 sessions";

/// All scenarios of the table.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "inbound 4 KB, new connections, 1 session",
        sessions: 1,
        messages: 600,
        aim: 1.8,
        ..USUAL
    },
    Scenario {
        name: PROCESSOR,
        aim: 3.2,
        ..USUAL
    },
    Scenario {
        name: "inbound 4 KB, new connections, 50 sessions",
        sessions: 50,
        aim: 3.3,
        ..USUAL
    },
    Scenario {
        name: "inbound 4 KB, kept connections, 1 session",
        sessions: 1,
        kept: true,
        messages: 700,
        aim: 2.4,
        ..USUAL
    },
    Scenario {
        name: "inbound 4 KB, kept connections, 10 sessions",
        kept: true,
        messages: 2000,
        more: 4,
        aim: 5.5,
        ..USUAL
    },
    Scenario {
        name: "inbound 100 KB, new connections, 10 sessions",
        size: 100 * KB,
        messages: 700,
        more: 2,
        aim: 2.7,
        ..USUAL
    },
    Scenario {
        name: "inbound 100 KB, kept connections, 10 sessions",
        size: 100 * KB,
        kept: true,
        messages: 800,
        more: 2,
        aim: 3.6,
        ..USUAL
    },
    Scenario {
        name: "one message to 100 recipients, all delivered",
        sessions: 1,
        recipients: 100,
        messages: 25,
        more: 4,
        aim: 4.0,
        ..USUAL
    },
    Scenario {
        name: "refusing unknown recipients, 10 sessions",
        way: Way::Refusal,
        size: 64,
        messages: 4000,
        more: 2,
        aim: 1.5,
        ..USUAL
    },
    Scenario {
        name: "relay 4 KB, new connections, 10 sessions",
        way: Way::Relay,
        aim: 2.0,
        ..USUAL
    },
    Scenario {
        name: "relay 4 KB, new connections, 50 sessions",
        way: Way::Relay,
        sessions: 50,
        aim: 2.0,
        ..USUAL
    },
];
