//! How often clients come at the moment, and how to let one go on at once.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use server::{FORGET_RATES, LIVE, OfClient, live};
use settings::Problem;
use ts_rs::TS;

use crate::{Control, Failure, Owner};

/// Clients and their counters, as the server has them now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, TS)]
pub struct LiveRates {
    /// Whether a server runs; else nothing is counted.
    pub running: bool,
    /// All clients that are connected or did something in their minute.
    pub total: u32,
    /// The 200 busiest, those at a limit first.
    pub clients: Vec<LiveClient>,
}

/// The counters of a client. A minute begins with its first event and lasts 60 s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LiveClient {
    /// An IPv4 address, or an IPv6 network of 64 bits.
    pub client: String,
    /// Connections open now.
    pub connections: u32,
    /// Connections of its minute, refused ones included.
    pub connections_in_minute: u32,
    /// Messages begun in its minute, refused ones included.
    pub messages_in_minute: u32,
    /// When its minute ends, milliseconds since 1970; 0 when none runs.
    pub minute_ends_ms: i64,
    /// The limits it has reached.
    #[ts(type = "(\"connections\" | \"connections_in_minute\" | \"messages_in_minute\")[]")]
    pub limited: Vec<String>,
}

impl From<live::LiveClient> for LiveClient {
    fn from(one: live::LiveClient) -> Self {
        let word = |limited: &live::Limited| match limited {
            live::Limited::Connections => "connections".into(),
            live::Limited::ConnectionsInMinute => "connections_in_minute".into(),
            live::Limited::MessagesInMinute => "messages_in_minute".into(),
        };
        Self {
            client: one.client,
            connections: one.connections,
            connections_in_minute: one.connections_in_minute,
            messages_in_minute: one.messages_in_minute,
            minute_ends_ms: one.minute_ends_ms,
            limited: one.limited.iter().map(word).collect(),
        }
    }
}

impl Control {
    /// What clients do at the moment.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn rates_live(&self) -> Result<LiveRates, Failure> {
        if !self.is_serving()? {
            return Ok(LiveRates::default());
        }
        let answer = self.ask_server(LIVE, serde_json::json!({}))?;
        let live: live::Live = serde_json::from_value(answer).unwrap_or_default();
        Ok(LiveRates {
            running: true,
            total: live.total,
            clients: live.clients.into_iter().map(Into::into).collect(),
        })
    }

    /// Forgets what a client did in its minute, so that it can go on at once.
    ///
    /// # Errors
    /// What is no client, or when the server does not answer.
    pub fn rates_unblock(&self, client: &str) -> Result<(), Failure> {
        let ip = parse(client)?;
        if self.owner()? == Owner::None {
            // Nothing is counted, so nothing is to be forgotten.
            return Ok(());
        }
        let body = serde_json::to_value(OfClient { ip }).unwrap_or_default();
        self.ask_server(FORGET_RATES, body).map(drop)
    }
}

/// The address that stands for a client.
pub(crate) fn parse(client: &str) -> Result<IpAddr, Failure> {
    live::parse(client).ok_or_else(|| {
        Failure::problem(Problem::new(
            "client",
            "ip_address",
            format!("\"{}\" is not an IP address", client.trim()),
        ))
    })
}
