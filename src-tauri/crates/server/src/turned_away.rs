//! Connections that were refused before the greeting, so that a client which comes again and again does not fill the disk.
//!
//! The first refusal of a client for a reason gets an entry of its own at once. Those of the next [`MINUTE`] for the same
//! reason are counted, tell that entry's token, and are written down in its trace as one number when the minute has ended;
//! the overview, which counts entries, counts them as one. A program that is killed loses the numbers of the last minute.
//!
//! Bound: [`MOST`] pairs of client and reason. Newcomers to a full table share one entry a minute for each reason.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use policy::Reason;
use serde_json::json;
use store::{StoreError, Tx, journal};

use crate::rates::{MINUTE, counted_as};
use crate::record::note;

/// Pairs of client and reason in their minute.
const MOST: usize = 1_024;

/// The refusals of the last minute.
#[derive(Debug)]
pub(crate) struct TurnedAway(Mutex<Table>);

#[derive(Debug)]
struct Table {
    most: usize,
    minutes: HashMap<Key, Minute>,
}

/// Who was refused, and why; no client where several share an entry.
type Key = (Option<IpAddr>, Discriminant<Reason>);

#[derive(Debug)]
struct Minute {
    more: More,
    ends: Instant,
}

/// Connections for which the entry of another one stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct More {
    token: String,
    at_ms: i64,
    count: u32,
    is_shared: bool,
}

impl More {
    /// Writes their number into the entry.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn keep(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        let of = if self.is_shared {
            "other clients"
        } else {
            "this client"
        };
        let text = format!(
            "within a minute, {} more connections of {of} were refused for the same reason",
            self.count
        );
        let step = json!(note("connect", "repeated", text));
        journal::add_step(tx, &self.token, self.at_ms, &step).map(drop)
    }
}

impl Default for TurnedAway {
    fn default() -> Self {
        Self::with_room_for(MOST)
    }
}

impl TurnedAway {
    fn with_room_for(most: usize) -> Self {
        Self(Mutex::new(Table {
            most,
            minutes: HashMap::new(),
        }))
    }

    /// The client at `ip` is refused for `reason`; `entry` is the token and the moment of the entry that it would get. The
    /// token of the entry that stands for it instead, if one does, and what is to be kept of minutes that have ended.
    pub fn came(
        &self,
        ip: IpAddr,
        reason: &Reason,
        (token, at_ms): (&str, i64),
        now: Instant,
    ) -> (Option<String>, Vec<More>) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (Some(counted_as(ip)), discriminant(reason));
        let mut ended = Vec::new();
        if table.minutes.len() >= table.most && !table.minutes.contains_key(&key) {
            ended = table.take(|minute| minute.ends <= now);
            if table.minutes.len() >= table.most {
                key.0 = None;
            }
        }
        if let Some(minute) = table.minutes.get_mut(&key)
            && minute.ends > now
        {
            minute.more.count = minute.more.count.saturating_add(1);
            return (Some(minute.more.token.clone()), ended);
        }
        let begun = Minute {
            more: More {
                token: token.into(),
                at_ms,
                count: 0,
                is_shared: key.0.is_none(),
            },
            ends: now + MINUTE,
        };
        let before = table.minutes.insert(key, begun);
        ended.extend(before.and_then(Minute::worth_keeping));
        (None, ended)
    }

    /// What is to be kept of the minutes that have ended.
    pub fn ended(&self, now: Instant) -> Vec<More> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.take(|minute| minute.ends <= now)
    }

    /// What is to be kept of all minutes, for there will be no others.
    pub fn all(&self) -> Vec<More> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.take(|_| true)
    }
}

impl Table {
    fn take(&mut self, which: impl Fn(&Minute) -> bool) -> Vec<More> {
        let taken = self.minutes.extract_if(|_, minute| which(minute));
        taken
            .filter_map(|(_, minute)| minute.worth_keeping())
            .collect()
    }
}

impl Minute {
    fn worth_keeping(self) -> Option<More> {
        (self.more.count > 0).then_some(self.more)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn client(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn more(token: &str, count: u32, is_shared: bool) -> More {
        More {
            token: token.into(),
            at_ms: 7,
            count,
            is_shared,
        }
    }

    #[test]
    fn a_client_gets_one_entry_a_minute_for_each_reason() {
        let table = TurnedAway::default();
        let now = Instant::now();
        let came =
            |last, reason: &Reason, token, now| table.came(client(last), reason, (token, 7), now);
        let (early, full) = (Reason::SpokeEarly, Reason::ServerFull);
        assert_eq!(came(1, &early, "A", now), (None, vec![]));
        assert_eq!(came(1, &full, "B", now), (None, vec![]));
        assert_eq!(came(2, &early, "C", now), (None, vec![]));
        for _ in 0..4_000 {
            let late = now + Duration::from_secs(59);
            assert_eq!(came(1, &early, "D", late), (Some("A".into()), vec![]));
        }
        assert!(table.ended(now + Duration::from_secs(59)).is_empty());
        // The next one ends the minute itself, should nobody have looked.
        let next = came(1, &early, "E", now + MINUTE);
        assert_eq!(next, (None, vec![more("A", 4_000, false)]));
        assert!(table.ended(now + 2 * MINUTE).is_empty());
        assert!(table.0.lock().unwrap().minutes.is_empty());
    }

    #[test]
    fn the_table_is_bounded_and_newcomers_share_an_entry() {
        let table = TurnedAway::with_room_for(2);
        let now = Instant::now();
        let came =
            |last, token, now| table.came(client(last), &Reason::SpokeEarly, (token, 7), now);
        for (last, token) in [(1, "A"), (2, "B"), (3, "C")] {
            assert_eq!(came(last, token, now), (None, vec![]));
        }
        for last in 4..200 {
            assert_eq!(came(last, "D", now), (Some("C".into()), vec![]));
        }
        assert_eq!(table.0.lock().unwrap().minutes.len(), 3);
        assert_eq!(came(1, "E", now), (Some("A".into()), vec![]));
        // A full table makes room once minutes have ended.
        let (token, mut ended) = came(9, "F", now + MINUTE);
        ended.sort_by(|a, b| a.token.cmp(&b.token));
        assert_eq!(token, None);
        assert_eq!(ended, [more("A", 1, false), more("C", 196, true)]);
    }

    #[test]
    fn what_is_left_at_the_end_is_kept() {
        let table = TurnedAway::default();
        let now = Instant::now();
        for token in ["A", "B"] {
            table.came(client(1), &Reason::SpokeEarly, (token, 7), now);
        }
        assert_eq!(table.all(), [more("A", 1, false)]);
    }
}
