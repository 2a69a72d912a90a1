//! Everything that touches the world: sockets, TLS, time, randomness, threads, delivery.
//!
//! It gathers facts, lets `policy` decide, and carries the decision out. What never lives here: the text of a refusal,
//! or a rule. `control` starts it through [`supervisor::Supervisor`] and reads what it says in [`status`].

mod bans;
pub mod checks;
pub mod clock;
mod connection;
mod content;
pub mod deliver;
pub mod disk;
pub mod dns;
mod gather;
pub mod list_hits;
pub mod listener;
pub mod live;
pub mod machine;
pub mod memory;
pub mod names;
mod places;
mod queue;
mod rates;
mod record;
pub mod relay_password;
mod running;
mod session;
mod shared;
mod snapshot;
pub mod status;
mod storing;
mod stream;
pub mod supervisor;
pub mod tls;
mod turned_away;

pub use gather::{facts_of, message_facts};
pub use running::requests::{
    APPLY, Applied, Apply, FORGET_RATES, LIFT, LIVE, OfClient, START, STOP, rows,
};
pub use snapshot::Snapshot;
pub use supervisor::{Supervisor, Wish};

/// Sixty-four random bits from the system.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // The system's source does not fail once it has started; zero would only make a token guessable.
    let _ = getrandom::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}
