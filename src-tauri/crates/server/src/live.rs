//! What clients do at the moment, for people who watch.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use settings::security::ConnectionPolicy;

use crate::clock;
use crate::rates::Counts;
use crate::shared::Shared;

/// Clients that are told of.
const MOST: usize = 200;

/// Clients and their counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// All clients that have a session or did something in their minute.
    pub total: u32,
    /// The busiest, those at a limit first.
    pub clients: Vec<LiveClient>,
}

/// The counters of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The limits that it has reached.
    pub limited: Vec<Limited>,
}

/// A limit of the connection policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limited {
    /// `max_connections`
    Connections,
    /// `max_connections_per_minute`
    ConnectionsInMinute,
    /// `max_messages_per_minute`
    MessagesInMinute,
}

/// The clients of a running server.
pub(crate) fn live(shared: &Shared) -> Live {
    let now = Instant::now();
    let mut all: BTreeMap<IpAddr, (usize, Option<Counts>)> = BTreeMap::new();
    for (ip, held) in shared.places.held() {
        all.entry(ip).or_default().0 = held;
    }
    for (ip, counts) in shared.rates.clients(now) {
        all.entry(ip).or_default().1 = Some(counts);
    }
    let current = shared.current.get();
    let policy = &current.settings.security.connection_policy;
    let total = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let mut clients: Vec<LiveClient> = all
        .into_iter()
        .map(|(ip, (held, counts))| client(ip, held, counts, now, policy))
        .collect();
    clients.sort_by_key(|one| {
        let events = one
            .connections
            .saturating_add(one.connections_in_minute)
            .saturating_add(one.messages_in_minute);
        std::cmp::Reverse((!one.limited.is_empty(), events))
    });
    clients.truncate(MOST);
    Live { total, clients }
}

fn client(
    ip: IpAddr,
    held: usize,
    counts: Option<Counts>,
    now: Instant,
    policy: &ConnectionPolicy,
) -> LiveClient {
    let connections = u32::try_from(held).unwrap_or(u32::MAX);
    let in_minute = counts.map_or((0, 0), |counts| (counts.connections, counts.messages));
    let reached = |limit: Option<u32>, count: u32| limit.is_some_and(|limit| count >= limit);
    let limits = [
        (Limited::Connections, policy.max_connections, connections),
        (
            Limited::ConnectionsInMinute,
            policy.max_connections_per_minute,
            in_minute.0,
        ),
        (
            Limited::MessagesInMinute,
            policy.max_messages_per_minute,
            in_minute.1,
        ),
    ];
    LiveClient {
        client: name(ip),
        connections,
        connections_in_minute: in_minute.0,
        messages_in_minute: in_minute.1,
        minute_ends_ms: counts.map_or(0, |counts| {
            let left = counts.ends.saturating_duration_since(now).as_millis();
            clock::now_ms().saturating_add(i64::try_from(left).unwrap_or_default())
        }),
        limited: limits
            .into_iter()
            .filter(|(_, limit, count)| reached(*limit, *count))
            .map(|(limited, ..)| limited)
            .collect(),
    }
}

/// How a client is written: IPv6 clients are networks of 64 bits.
pub fn name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("{v6}/64"),
    }
}

/// Reads what [`name`] writes, and plain addresses.
pub fn parse(client: &str) -> Option<IpAddr> {
    client
        .trim()
        .trim_end_matches("/64")
        .parse()
        .ok()
        .map(crate::rates::counted_as)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_client_can_be_read_again() {
        for (text, shown) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::/64"),
            ("2001:db8::/64", "2001:db8::/64"),
        ] {
            assert_eq!(name(parse(text).unwrap()), shown, "{text}");
        }
        assert_eq!(parse("everybody"), None);
    }

    #[test]
    fn a_limit_that_is_reached_is_shown_as_such() {
        let now = Instant::now();
        let counts = Counts {
            connections: 3,
            messages: 2,
            ends: now,
        };
        let policy = ConnectionPolicy {
            max_connections: Some(2),
            max_connections_per_minute: Some(3),
            max_messages_per_minute: Some(3),
            ..ConnectionPolicy::default()
        };
        let ip = IpAddr::from([192, 0, 2, 1]);
        let limited = |held| client(ip, held, Some(counts), now, &policy).limited;
        assert_eq!(limited(1), [Limited::ConnectionsInMinute]);
        assert_eq!(
            limited(2),
            [Limited::Connections, Limited::ConnectionsInMinute]
        );
    }
}
