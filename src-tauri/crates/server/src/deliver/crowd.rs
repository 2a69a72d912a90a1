//! How many connections lead to one address at a time, over all destinations whose mail goes there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections to one address, being opened or open. Hundreds of domains may have the same host, which takes a crowd of us for
/// an attack.
const MOST: usize = 20;
/// Who finds no seat for so long tries another server.
const WAIT: Duration = Duration::from_secs(60);

/// Who is at which address. An address is known only while somebody is there or waits for a seat, so there are never more
/// than there are workers.
#[derive(Debug, Default, Clone)]
pub(crate) struct Crowd(Arc<Mutex<HashMap<SocketAddr, Gate>>>);

#[derive(Debug)]
struct Gate {
    seats: Arc<Semaphore>,
    /// Those with a seat and those who wait for one.
    there: usize,
}

/// The right to one connection; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    crowd: Crowd,
    address: SocketAddr,
    /// None while it is waited for.
    permit: Option<OwnedSemaphorePermit>,
}

impl Crowd {
    /// Waits a while for a seat, in the order in which they are asked for; none when all stay taken.
    pub async fn enter(&self, address: SocketAddr) -> Option<Seat> {
        let (mut seat, seats) = self.join(address);
        seat.permit = Some(timeout(WAIT, seats.acquire_owned()).await.ok()?.ok()?);
        Some(seat)
    }

    /// Counts somebody in who has no seat yet.
    fn join(&self, address: SocketAddr) -> (Seat, Arc<Semaphore>) {
        let mut gates = self.lock();
        let gate = gates.entry(address).or_insert_with(|| Gate {
            seats: Arc::new(Semaphore::new(MOST)),
            there: 0,
        });
        gate.there += 1;
        let seat = Seat {
            crowd: self.clone(),
            address,
            permit: None,
        };
        (seat, Arc::clone(&gate.seats))
    }

    /// How many are there or wait.
    #[cfg(test)]
    pub fn there(&self, address: SocketAddr) -> usize {
        self.lock().get(&address).map_or(0, |gate| gate.there)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Whether somebody waits for a seat at this address.
    pub fn is_wanted(&self) -> bool {
        let gates = self.crowd.lock();
        gates
            .get(&self.address)
            .is_some_and(|gate| gate.there > MOST)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // First, so that a gate with nobody there has all its seats.
        drop(self.permit.take());
        let mut gates = self.crowd.lock();
        if let Some(gate) = gates.get_mut(&self.address) {
            gate.there = gate.there.saturating_sub(1);
            if gate.there == 0 {
                gates.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_twenty_seats_and_who_gets_none_has_waited_a_minute() {
        let crowd = Crowd::default();
        let mut seats = Vec::new();
        for _ in 0..MOST {
            seats.push(crowd.enter(at(1)).await.unwrap());
        }
        assert!(!seats[0].is_wanted());
        let began = tokio::time::Instant::now();
        assert!(crowd.enter(at(1)).await.is_none());
        assert_eq!(began.elapsed(), WAIT);
        // Another address is another crowd.
        assert!(crowd.enter(at(2)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_next_seat_that_is_left_and_nothing_stays_behind() {
        let crowd = Crowd::default();
        let mut seats = Vec::new();
        for _ in 0..MOST {
            seats.push(crowd.enter(at(1)).await.unwrap());
        }
        let mine = crowd.clone();
        let waiting = tokio::spawn(async move { mine.enter(at(1)).await });
        tokio::task::yield_now().await;
        assert!(seats[0].is_wanted());
        seats.pop();
        let got = waiting.await.unwrap();
        assert!(got.is_some() && !seats[0].is_wanted());
        // Who gives up waiting is forgotten as well.
        let gave_up = timeout(Duration::from_secs(1), crowd.enter(at(1))).await;
        assert!(gave_up.is_err() && !seats[0].is_wanted());
        drop((seats, got));
        assert!(crowd.lock().is_empty());
    }
}
