//! The tests of mail from strangers: lists in the DNS, SPF, DKIM, DMARC, ARC, clamd. Each makes facts; what they lead to
//! is for `policy`.
//!
//! All of them are asked by strangers, who choose the names, the signatures and the records. So every question to the DNS
//! has a time-out and every message a bound on how many it may cause, and what comes back is cleaned before it is told.

mod ask;
pub mod auth_results;
pub mod clamd;
mod dnsbl;
#[cfg(test)]
mod fake;
mod mail_auth;
mod spf;
pub mod who;

use std::net::SocketAddr;
use std::sync::Arc;

pub use dnsbl::dnsbl;
pub use mail_auth::{Want, content};
pub use spf::spf;

use tokio::sync::Semaphore;

use crate::names::Names;

/// Large messages that are read and hashed at the same time; each lies in memory while that lasts.
const LARGE: usize = 4;

/// Asks the DNS for the tests of mail. It remembers answers apart from those that delivery needs, so that strangers
/// cannot push these out.
#[derive(Debug)]
pub struct Auth {
    names: Names,
    large: Arc<Semaphore>,
}

impl Auth {
    /// Asks these servers; none means the system's.
    #[must_use]
    pub fn new(servers: &[SocketAddr]) -> Self {
        Self {
            names: Names::new(servers),
            large: Arc::new(Semaphore::new(LARGE)),
        }
    }

    /// From now on asks these servers; what others said is forgotten.
    pub fn ask(&self, servers: &[SocketAddr]) {
        self.names.ask(servers);
    }

    /// What asks, for the other questions about strangers.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Forgets all answers, for an admin who has just changed a record.
    pub fn forget(&self) {
        self.names.forget();
    }
}
