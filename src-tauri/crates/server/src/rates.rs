//! How often each client comes and how much it sends, in fixed minutes, for as long as the server runs.
//!
//! A minute begins with a client's first event and ends 60 s later; the first event after that begins another. Time is
//! the monotonic clock, so a clock that is set changes nothing.
//!
//! The table holds [`MOST`] clients. No entry whose minute has not ended ever gives way: a flood from many addresses could
//! make the server forget whoever was at its limit. Newcomers to a full table share counters instead, chosen by a hash that
//! nobody outside can foresee: at worst a newcomer is sent away for a minute while the flood lasts, and nobody is let in
//! more often than the limit says.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use settings::Network;

/// Clients with counters of their own.
const MOST: usize = 100_000;
/// Counters that newcomers to a full table share.
const SHARED: usize = 4_096;
/// A full table is searched for minutes that have ended at most this often.
const SWEEP: Duration = Duration::from_secs(1);
/// Below this the table is not searched at all.
const SMALL: usize = 1_024;
/// The time in which events are counted.
pub const MINUTE: Duration = Duration::from_secs(60);

/// An IPv6 subscriber has a whole /64 of addresses and counts as one client (RFC 4291 §2.5.4).
pub fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        v6 @ IpAddr::V6(_) => Network::new(v6, 64).address(),
        v4 => v4,
    }
}

/// Events of a client in its minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Connections, refused ones included.
    pub connections: u32,
    /// Messages begun, refused ones included.
    pub messages: u32,
    /// When the minute ends.
    pub ends: Instant,
}

impl Counts {
    fn since(now: Instant) -> Self {
        Self {
            connections: 0,
            messages: 0,
            ends: now + MINUTE,
        }
    }

    /// The counts at `now`: none of the minute before.
    fn at(&mut self, now: Instant) -> &mut Self {
        if self.ends <= now {
            *self = Self::since(now);
        }
        self
    }
}

/// The counters of all clients.
#[derive(Debug, Default)]
pub struct Rates(Mutex<Table>);

#[derive(Debug)]
struct Table {
    most: usize,
    clients: HashMap<IpAddr, Counts>,
    /// Empty until the table is full for the first time.
    shared: Vec<Counts>,
    hasher: RandomState,
    swept: Option<Instant>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            most: MOST,
            clients: HashMap::new(),
            shared: Vec::new(),
            hasher: RandomState::new(),
            swept: None,
        }
    }
}

impl Rates {
    /// Counts a connection of `ip` and gives the counts with it.
    pub fn connected(&self, ip: IpAddr, now: Instant) -> Counts {
        self.count(ip, now, |counts| &mut counts.connections)
    }

    /// Counts a message of `ip` and gives the counts with it.
    pub fn began_message(&self, ip: IpAddr, now: Instant) -> Counts {
        self.count(ip, now, |counts| &mut counts.messages)
    }

    /// Clients with events in their minute.
    pub fn clients(&self, now: Instant) -> Vec<(IpAddr, Counts)> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = table.clients.iter().filter(|(_, counts)| counts.ends > now);
        current.map(|(ip, counts)| (*ip, *counts)).collect()
    }

    /// Forgets what `ip` did in its minute; says whether it did anything.
    pub fn forget(&self, ip: IpAddr) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ip = counted_as(ip);
        if let Some(place) = table.shared_place(ip)
            && let Some(counts) = table.shared.get_mut(place)
        {
            (counts.connections, counts.messages) = (0, 0);
        }
        table.clients.remove(&ip).is_some()
    }

    fn count(
        &self,
        ip: IpAddr,
        now: Instant,
        which: impl FnOnce(&mut Counts) -> &mut u32,
    ) -> Counts {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = table.of(counted_as(ip), now).at(now);
        let count = which(counts);
        *count = count.saturating_add(1);
        *counts
    }
}

impl Table {
    fn of(&mut self, ip: IpAddr, now: Instant) -> &mut Counts {
        if !self.clients.contains_key(&ip) {
            self.sweep(now);
        }
        if self.clients.len() < self.most || self.clients.contains_key(&ip) {
            return self.clients.entry(ip).or_insert_with(|| Counts::since(now));
        }
        if self.shared.is_empty() {
            tracing::warn!(
                "more than {} clients came within a minute; further ones are counted together",
                self.most
            );
            self.shared = vec![Counts::since(now); SHARED];
        }
        let place = self.shared_place(ip).unwrap_or_default();
        &mut self.shared[place]
    }

    fn shared_place(&self, ip: IpAddr) -> Option<usize> {
        let shared = self.shared.len() as u64;
        let place = self.hasher.hash_one(ip).checked_rem(shared)?;
        usize::try_from(place).ok()
    }

    /// Forgets the clients whose minute has ended, when there are many: each minute, and when the table is full each second.
    fn sweep(&mut self, now: Instant) {
        let wait = if self.clients.len() >= self.most {
            SWEEP
        } else {
            MINUTE
        };
        let is_due = self
            .swept
            .is_none_or(|at| now.saturating_duration_since(at) >= wait);
        if !is_due || self.clients.len() < SMALL.min(self.most) {
            return;
        }
        self.swept = Some(now);
        self.clients.retain(|_, counts| counts.ends > now);
        // What a flood needed is given back.
        if self.clients.len() < self.clients.capacity() / 4 {
            self.clients.shrink_to(SMALL);
            self.shared = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    fn rates(most: usize) -> Rates {
        Rates(Mutex::new(Table {
            most,
            ..Table::default()
        }))
    }

    #[test]
    fn a_minute_begins_with_the_first_event_and_does_not_slide() {
        let (rates, start) = (Rates::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(rates.connected(ip(1), at(0)).connections, 1);
        assert_eq!(rates.connected(ip(1), at(30)).connections, 2);
        assert_eq!(rates.connected(ip(1), at(59)).connections, 3);
        assert_eq!(rates.connected(ip(2), at(59)).connections, 1);
        assert_eq!(rates.connected(ip(1), at(60)).connections, 1);
        // The new minute began with its own first event.
        assert_eq!(rates.connected(ip(1), at(119)).connections, 2);
        assert_eq!(rates.connected(ip(2), at(118)).connections, 2);
    }

    #[test]
    fn messages_and_connections_share_the_minute_and_are_counted_apart() {
        let (rates, start) = (Rates::default(), Instant::now());
        rates.connected(ip(1), start);
        rates.began_message(ip(1), start + Duration::from_secs(1));
        let counts = rates.began_message(ip(1), start + Duration::from_secs(2));
        assert_eq!((counts.connections, counts.messages), (1, 2));
        assert_eq!(counts.ends, start + MINUTE);
        let next = rates.began_message(ip(1), start + MINUTE);
        assert_eq!((next.connections, next.messages), (0, 1));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_client_and_an_ipv4_address_is_one_over_any_socket() {
        let (rates, now) = (Rates::default(), Instant::now());
        let parse = |text: &str| -> IpAddr { text.parse().unwrap() };
        rates.connected(parse("2001:db8:1:2::1"), now);
        let neighbour = rates.connected(parse("2001:db8:1:2:ffff::9"), now);
        assert_eq!(neighbour.connections, 2);
        assert_eq!(
            rates.connected(parse("2001:db8:1:3::1"), now).connections,
            1
        );
        rates.connected(parse("192.0.2.1"), now);
        assert_eq!(
            rates.connected(parse("::ffff:192.0.2.1"), now).connections,
            2
        );
    }

    #[test]
    fn who_is_forgotten_begins_anew() {
        let (rates, now) = (Rates::default(), Instant::now());
        rates.connected(ip(1), now);
        assert!(rates.forget(ip(1)));
        assert!(!rates.forget(ip(1)));
        assert!(rates.clients(now).is_empty());
        assert_eq!(rates.connected(ip(1), now).connections, 1);
    }

    #[test]
    fn a_flood_from_many_addresses_makes_nobody_forgotten_and_takes_bounded_memory() {
        let (rates, now) = (rates(1_000), Instant::now());
        for _ in 0..7 {
            rates.connected(ip(1), now);
        }
        for n in 0..20_000 {
            rates.connected(ip(1_000_000 + n), now);
        }
        assert_eq!(rates.connected(ip(1), now).connections, 8);
        let newcomer = ip(9);
        let first = rates.connected(newcomer, now).connections;
        assert_eq!(rates.connected(newcomer, now).connections, first + 1);
        {
            let table = rates.0.lock().unwrap();
            assert_eq!((table.clients.len(), table.shared.len()), (1_000, SHARED));
        }
        // A minute later the flood is forgotten, and its memory is free.
        let later = now + MINUTE;
        assert_eq!(rates.connected(newcomer, later).connections, 1);
        let table = rates.0.lock().unwrap();
        assert_eq!((table.clients.len(), table.shared.len()), (1, 0));
        assert!(table.clients.capacity() < 4 * SMALL);
    }

    #[test]
    fn a_newcomer_to_a_full_table_can_be_unblocked_too() {
        let (rates, now) = (rates(1), Instant::now());
        rates.connected(ip(1), now);
        rates.connected(ip(2), now);
        rates.connected(ip(2), now);
        rates.forget(ip(2));
        assert_eq!(rates.connected(ip(2), now).connections, 1);
    }
}
