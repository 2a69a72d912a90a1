//! How many sessions are open, in all and of each address, so that nobody takes all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::rates::counted_as;
use policy::facts::Load;

/// Sessions served at once. Each holds little memory until its message arrives.
const CAPACITY: usize = 1_000;
/// Sessions of one address: a client that holds this many open keeps nobody else out.
const CAPACITY_OF_CLIENT: usize = 250;
/// Sessions above the capacity are still accepted so that they can be told why, but no more than these.
const REFUSED_AT_ONCE: usize = 64;

const REFUSED_OF_CLIENT: usize = 8;

/// The register of open sessions.
#[derive(Debug, Clone, Default)]
pub struct Places(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of_client: HashMap<IpAddr, Held>,
}

/// Sessions of one client.
#[derive(Debug, Default, Clone, Copy)]
struct Held {
    /// Sockets, also those that only wait for the client to hang up.
    sockets: usize,
    /// Sessions that have not ended.
    sessions: usize,
}

/// A session's entry in the register; leaves it when dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    ip: IpAddr,
    done: bool,
    /// How full the server was when the session came, itself included.
    pub load: Load,
}

impl Places {
    /// Enters a session of `ip`, of which a client may hold `share` where the settings allow more than usual. `None` when
    /// even the places for refusals, its own or all, are taken; then the socket is just closed.
    pub fn enter(&self, ip: IpAddr, share: Option<u32>) -> Option<Place> {
        let ip = counted_as(ip);
        let share = usize::try_from(share.unwrap_or_default())
            .unwrap_or_default()
            .clamp(CAPACITY_OF_CLIENT, CAPACITY);
        let mut open = self.lock();
        if open.all >= CAPACITY + REFUSED_AT_ONCE {
            return None;
        }
        // A client beyond its share is told so a few times; after that its sockets are just closed, so that it cannot use
        // up the places of others with refusals.
        let held = open.of_client.get(&ip).copied().unwrap_or_default();
        if held.sockets >= share + REFUSED_OF_CLIENT {
            return None;
        }
        open.all += 1;
        let of_client = open.of_client.entry(ip).or_default();
        of_client.sockets += 1;
        of_client.sessions += 1;
        let sessions_of_client = of_client.sessions;
        let load = Load {
            sessions: open.all,
            capacity: CAPACITY,
            sessions_of_client,
            capacity_of_client: share,
        };
        drop(open);
        Some(Place {
            places: self.clone(),
            ip,
            done: false,
            load,
        })
    }

    /// Sessions that each client holds.
    pub fn held(&self) -> HashMap<IpAddr, usize> {
        let open = self.lock();
        let held = open.of_client.iter().filter(|(_, held)| held.sessions > 0);
        held.map(|(ip, held)| (*ip, held.sessions)).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The session is over, though its socket may wait for the client to hang up: the client can begin another one.
    pub fn done(&mut self) {
        if !std::mem::replace(&mut self.done, true)
            && let Some(held) = self.places.lock().of_client.get_mut(&self.ip)
        {
            held.sessions = held.sessions.saturating_sub(1);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.done();
        let mut open = self.places.lock();
        open.all = open.all.saturating_sub(1);
        if let Some(held) = open.of_client.get_mut(&self.ip) {
            held.sockets = held.sockets.saturating_sub(1);
            if held.sockets == 0 {
                open.of_client.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_session_ends() {
        let places = Places::default();
        let ip = IpAddr::from([192, 0, 2, 1]);
        let first = places.enter(ip, None).unwrap();
        let second = places.enter(ip, None).unwrap();
        assert_eq!(
            (second.load.sessions, second.load.sessions_of_client),
            (2, 2)
        );
        drop((first, second));
        assert!(places.held().is_empty());
        assert!(places.lock().of_client.is_empty());
        assert_eq!(places.enter(ip, None).unwrap().load.sessions, 1);
    }

    #[test]
    fn a_session_that_is_over_leaves_its_place_before_its_socket_is_closed() {
        let places = Places::default();
        let ip = IpAddr::from([192, 0, 2, 1]);
        let _first = places.enter(ip, None).unwrap();
        let mut second = places.enter(ip, None).unwrap();
        second.done();
        second.done();
        let third = places.enter(ip, None).unwrap();
        assert_eq!(third.load.sessions_of_client, 2);
        drop(second);
        assert_eq!(places.held()[&ip], 2);
    }

    #[test]
    fn the_settings_can_give_a_client_a_larger_share() {
        let places = Places::default();
        let ip = IpAddr::from([192, 0, 2, 1]);
        for (share, capacity) in [
            (None, 250),
            (Some(5), 250),
            (Some(500), 500),
            (Some(9_999), 1_000),
        ] {
            assert_eq!(
                places.enter(ip, share).unwrap().load.capacity_of_client,
                capacity
            );
        }
    }

    #[test]
    fn beyond_the_last_place_for_a_refusal_there_is_none() {
        let places = Places::default();
        let held: Vec<_> = (0..CAPACITY + REFUSED_AT_ONCE)
            .map(|n| {
                places
                    .enter(IpAddr::from([192, 0, 2, (n % 200) as u8]), None)
                    .unwrap()
            })
            .collect();
        assert!(places.enter(IpAddr::from([192, 0, 2, 2]), None).is_none());
        drop(held);
    }

    #[test]
    fn a_client_that_holds_its_share_leaves_the_rest_to_others() {
        let places = Places::default();
        let greedy = IpAddr::from([192, 0, 2, 1]);
        let held: Vec<_> = std::iter::from_fn(|| places.enter(greedy, None))
            .take(CAPACITY)
            .collect();
        assert_eq!(held.len(), CAPACITY_OF_CLIENT + REFUSED_OF_CLIENT);
        let other = places.enter(IpAddr::from([192, 0, 2, 2]), None).unwrap();
        assert!(other.load.sessions <= other.load.capacity);
    }
}
