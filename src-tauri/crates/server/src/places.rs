//! How many sessions are open, in all and of each address, so that nobody takes all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use policy::facts::Load;
use settings::Network;

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
    of_client: HashMap<IpAddr, usize>,
}

/// A session's entry in the register; leaves it when dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    ip: IpAddr,
    /// How full the server was when the session came, itself included.
    pub load: Load,
}

impl Places {
    /// Enters a session of `ip`. `None` when even the places for refusals, its own or all, are taken; then the socket is
    /// just closed.
    pub fn enter(&self, ip: IpAddr) -> Option<Place> {
        // An IPv6 subscriber has a whole /64 of addresses and counts as one client.
        let ip = if ip.is_ipv6() {
            Network::new(ip, 64).address()
        } else {
            ip
        };
        let mut open = self.lock();
        if open.all >= CAPACITY + REFUSED_AT_ONCE {
            return None;
        }
        // A client beyond its share is told so a few times; after that its sockets are just closed, so that it cannot use
        // up the places of others with refusals.
        let held = open.of_client.get(&ip).copied().unwrap_or_default();
        if held >= CAPACITY_OF_CLIENT + REFUSED_OF_CLIENT {
            return None;
        }
        open.all += 1;
        let of_client = open.of_client.entry(ip).or_default();
        *of_client += 1;
        let sessions_of_client = *of_client;
        let load = Load {
            sessions: open.all,
            capacity: CAPACITY,
            sessions_of_client,
            capacity_of_client: CAPACITY_OF_CLIENT,
        };
        drop(open);
        Some(Place {
            places: self.clone(),
            ip,
            load,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.lock();
        open.all = open.all.saturating_sub(1);
        if let Some(count) = open.of_client.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
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
        let first = places.enter(ip).unwrap();
        let second = places.enter(ip).unwrap();
        assert_eq!(
            (second.load.sessions, second.load.sessions_of_client),
            (2, 2)
        );
        drop((first, second));
        assert!(places.lock().of_client.is_empty());
        assert_eq!(places.enter(ip).unwrap().load.sessions, 1);
    }

    #[test]
    fn beyond_the_last_place_for_a_refusal_there_is_none() {
        let places = Places::default();
        let held: Vec<_> = (0..CAPACITY + REFUSED_AT_ONCE)
            .map(|n| {
                places
                    .enter(IpAddr::from([192, 0, 2, (n % 200) as u8]))
                    .unwrap()
            })
            .collect();
        assert!(places.enter(IpAddr::from([192, 0, 2, 2])).is_none());
        drop(held);
    }

    #[test]
    fn a_client_that_holds_its_share_leaves_the_rest_to_others() {
        let places = Places::default();
        let greedy = IpAddr::from([192, 0, 2, 1]);
        let held: Vec<_> = std::iter::from_fn(|| places.enter(greedy))
            .take(CAPACITY)
            .collect();
        assert_eq!(held.len(), CAPACITY_OF_CLIENT + REFUSED_OF_CLIENT);
        let other = places.enter(IpAddr::from([192, 0, 2, 2])).unwrap();
        assert!(other.load.sessions <= other.load.capacity);
    }
}
