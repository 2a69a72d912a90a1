//! Who wrote to accounts that do not exist here, by local day, and who is blocked for it until the day ends.
//!
//! Counted in memory and kept in the store, so that a restart forgets nobody. What counts, and how much is too much, is the
//! policy's; whether it is reached is found here, where the sessions of a client come together.
//!
//! Bounds: [`MOST_CLIENTS`] clients and [`MOST_ACCOUNTS`] accounts. When one is reached, the tenth of the clients with the
//! fewest accounts is forgotten, never one that is blocked: a flood from many addresses, each with a try or two, makes room
//! for itself and not for who tries many names. When all are blocked, newcomers are not counted until the day ends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::ZonedDateTime;
use jiff::civil::Date;
use policy::facts::Nonexistent;
use ring::digest::{SHA256, digest};
use smtp::ForwardPath;
use store::ban::{self, Ban};
use store::{Connection, StoreError, Tx};

use crate::rates::counted_as;

/// Clients of which anything is remembered.
const MOST_CLIENTS: usize = 10_000;
/// Accounts remembered of all clients together, eight octets each.
const MOST_ACCOUNTS: usize = 500_000;

/// The clients of a day.
#[derive(Debug)]
pub struct Bans(Mutex<State>);

#[derive(Debug)]
struct State {
    day: Date,
    clients: HashMap<IpAddr, Client>,
    /// Of all clients.
    accounts: usize,
    most_clients: usize,
    most_accounts: usize,
}

#[derive(Debug, Default)]
struct Client {
    /// Numbers made from the names of the accounts.
    accounts: Vec<u64>,
    blocked: bool,
}

/// What is to be kept of a recipient that was counted.
#[derive(Debug)]
pub struct Counted {
    client: String,
    account: i64,
    day: String,
    forgotten: Vec<IpAddr>,
    ban: Option<Ban>,
}

impl Counted {
    /// Whether the client is blocked from this recipient on.
    pub fn blocks(&self) -> bool {
        self.ban.is_some()
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn keep(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        for client in &self.forgotten {
            ban::forget(tx, &client.to_string())?;
        }
        ban::count(tx, &self.client, self.account, &self.day)?;
        self.ban.as_ref().map_or(Ok(()), |ban| ban::block(tx, ban))
    }
}

impl Bans {
    /// Goes on where the last server of this day stopped.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn read(conn: &Connection, now: &ZonedDateTime) -> Result<Self, StoreError> {
        let today = now.date();
        let latest = ban::latest_day(conn)?.and_then(|day| day.parse::<Date>().ok());
        let mut state = State::of(latest.map_or(today, |latest| latest.max(today)));
        state.turn_page(today);
        let kept = ban::since_day(conn, &state.day.to_string())?;
        for (client, account) in kept.accounts {
            if let Ok(ip) = client.parse() {
                state.add(ip, account.cast_unsigned());
            }
        }
        for ban in kept.bans {
            if let Ok(ip) = ban.client.parse::<IpAddr>() {
                state.clients.entry(ip).or_default().blocked = true;
            }
        }
        Ok(Self(Mutex::new(state)))
    }

    /// Knows nobody.
    pub fn new(now: &ZonedDateTime) -> Self {
        Self(Mutex::new(State::of(now.date())))
    }

    /// What is known of the client at `ip`, before it writes to `recipient`.
    pub fn fact(
        &self,
        ip: IpAddr,
        recipient: Option<&ForwardPath>,
        now: impl FnOnce() -> ZonedDateTime,
    ) -> Nonexistent {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ip = counted_as(ip);
        // Nearly everybody is unknown, and costs no look at the calendar.
        if !state.clients.contains_key(&ip) {
            return Nonexistent::default();
        }
        let now = now();
        state.turn_page(now.date());
        let Some(client) = state.clients.get(&ip) else {
            return Nonexistent::default();
        };
        Nonexistent {
            count: u32::try_from(client.accounts.len()).unwrap_or(u32::MAX),
            known: recipient
                .and_then(account)
                .is_some_and(|account| client.accounts.contains(&account)),
            blocked_until: client.blocked.then(|| {
                state
                    .ends(&now)
                    .strftime("%Y-%m-%dT%H:%M:%S%:z")
                    .to_string()
            }),
        }
    }

    /// Remembers that the client at `ip` wrote to `recipient`, which does not exist, and blocks it if that makes `limit`
    /// accounts. `None` when there is nothing to keep: all of it is known, or the client is blocked already.
    pub fn count(
        &self,
        ip: IpAddr,
        recipient: &ForwardPath,
        limit: u32,
        now: &ZonedDateTime,
    ) -> Option<Counted> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let account = account(recipient)?;
        let counted = counted_as(ip);
        state.turn_page(now.date());
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut is_known = false;
        if let Some(client) = state.clients.get(&counted) {
            is_known = client.accounts.contains(&account);
            // Known and too many: the limit was lowered since.
            if client.blocked || (is_known && client.accounts.len() < most) {
                return None;
            }
        }
        let forgotten = if is_known {
            Vec::new()
        } else {
            state.make_room(counted)?
        };
        state.add(counted, account);
        let until_ms = state.ends(now).timestamp().as_millisecond();
        let day = state.day.to_string();
        let client = state.clients.get_mut(&counted)?;
        client.blocked = client.accounts.len() >= most;
        let ban = client.blocked.then(|| Ban {
            client: counted.to_string(),
            day: day.clone(),
            ip: ip.to_canonical().to_string(),
            accounts: u32::try_from(client.accounts.len()).unwrap_or(u32::MAX),
            since_ms: now.timestamp().as_millisecond(),
            until_ms,
            last: recipient.to_string(),
        });
        Some(Counted {
            client: counted.to_string(),
            account: account.cast_signed(),
            day,
            forgotten,
            ban,
        })
    }

    /// The day that is counted, and when it ends, in milliseconds since 1970 UTC.
    pub fn day(&self, now: &ZonedDateTime) -> (String, i64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.turn_page(now.date());
        let until_ms = state.ends(now).timestamp().as_millisecond();
        (state.day.to_string(), until_ms)
    }

    /// Forgets the client at `ip`, which ends its block. The store must forget it too.
    pub fn lift(&self, ip: IpAddr) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.remove(counted_as(ip)).is_some()
    }
}

impl State {
    fn of(day: Date) -> Self {
        Self {
            day,
            clients: HashMap::new(),
            accounts: 0,
            most_clients: MOST_CLIENTS,
            most_accounts: MOST_ACCOUNTS,
        }
    }

    /// Begins a new day. A clock that is set back resets nothing: what was counted stays until the day ends that was
    /// counted. Where that is further away than tomorrow, the clock had run far ahead, and it stays until today ends, so
    /// that nobody is kept out until that day comes.
    fn turn_page(&mut self, today: Date) {
        let tomorrow = today.tomorrow().unwrap_or(today);
        if self.day < today {
            *self = Self {
                most_clients: self.most_clients,
                most_accounts: self.most_accounts,
                ..Self::of(today)
            };
        } else if self.day > tomorrow {
            self.day = today;
        }
    }

    /// When the day ends where this machine is: a day in which clocks change is not 24 hours long.
    fn ends(&self, now: &ZonedDateTime) -> ZonedDateTime {
        self.day
            .tomorrow()
            .and_then(|next| next.to_zoned_datetime(now.time_zone().clone()))
            .unwrap_or_else(|_| now.clone())
    }

    fn add(&mut self, ip: IpAddr, account: u64) {
        let client = self.clients.entry(ip).or_default();
        if !client.accounts.contains(&account) {
            client.accounts.push(account);
            self.accounts += 1;
        }
    }

    fn remove(&mut self, ip: IpAddr) -> Option<Client> {
        let client = self.clients.remove(&ip)?;
        self.accounts = self.accounts.saturating_sub(client.accounts.len());
        Some(client)
    }

    /// Makes room for one more account of `ip`, and says who was forgotten for it; `None` when there is no room.
    fn make_room(&mut self, ip: IpAddr) -> Option<Vec<IpAddr>> {
        let needs_place = !self.clients.contains_key(&ip);
        if self.accounts < self.most_accounts
            && !(needs_place && self.clients.len() >= self.most_clients)
        {
            return Some(Vec::new());
        }
        let mut others: Vec<(usize, IpAddr)> = self
            .clients
            .iter()
            .filter(|(other, client)| **other != ip && !client.blocked)
            .map(|(other, client)| (client.accounts.len(), *other))
            .collect();
        others.sort_unstable();
        others.truncate((others.len() / 10).max(1));
        let forgotten: Vec<IpAddr> = others.into_iter().map(|(_, other)| other).collect();
        for other in &forgotten {
            self.remove(*other);
        }
        (!forgotten.is_empty()).then_some(forgotten)
    }
}

/// One number for all spellings of an account. It is kept in the store, so every version of the program must make the same.
fn account(path: &ForwardPath) -> Option<u64> {
    let name = match path {
        ForwardPath::Address(address) => address.base_local(),
        ForwardPath::Unqualified(local) => local.base(),
        ForwardPath::Postmaster => return None,
    };
    let hash = digest(&SHA256, name.as_bytes());
    let first = hash.as_ref().first_chunk::<8>()?;
    Some(u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests;
