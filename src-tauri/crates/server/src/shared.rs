//! What all sessions of a running server share.

use std::path::PathBuf;
use std::sync::Arc;

use settings::Mailbox;
use store::Store;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::machine::Machine;
use crate::places::Places;
use crate::snapshot::{Current, Snapshot};
use crate::tls::Certificates;

/// Password checks that run at once; each takes 19 MiB and a core for some 30 ms.
const CHECKS_AT_ONCE: usize = 2;

const JOURNAL_TURNS: usize = 256;

/// The parts behind every session.
pub(crate) struct Shared {
    /// Database and data folder.
    pub store: Store,
    /// Settings in force.
    pub current: Current,
    /// Certificate in use.
    pub certificates: Arc<Certificates>,
    /// Makes TLS sessions.
    pub acceptor: TlsAcceptor,
    /// Open sessions.
    pub places: Places,
    /// Networks of this machine.
    pub machine: Machine,
    /// Bounds password checks.
    pub hashing: Semaphore,
    /// Entries of refused and abandoned sessions that wait to be written: fewer than the writer's queue holds, so that a
    /// flood of refusals never keeps an accepted message from its entry.
    pub journal_turns: Semaphore,
    /// Set when the server stops.
    pub stop: CancellationToken,
    /// Owns the tasks of all sessions.
    pub sessions: TaskTracker,
}

impl Shared {
    /// Puts the parts together.
    pub fn new(
        store: Store,
        snapshot: Snapshot,
        certificates: Arc<Certificates>,
        config: Arc<rustls::ServerConfig>,
    ) -> Self {
        Self {
            store,
            current: Current::new(snapshot),
            certificates,
            acceptor: TlsAcceptor::from(config),
            places: Places::default(),
            machine: Machine::default(),
            hashing: Semaphore::new(CHECKS_AT_ONCE),
            journal_turns: Semaphore::new(JOURNAL_TURNS),
            stop: CancellationToken::new(),
            sessions: TaskTracker::new(),
        }
    }

    /// A word for a new journal entry. Entries are kept apart by their time as well, so a clash is harmless.
    pub fn new_token(&self) -> String {
        store::token::new(crate::random())
    }

    /// Where Maildirs are.
    pub fn mail_root(&self, snapshot: &Snapshot) -> PathBuf {
        match &snapshot.settings.service.mailbox {
            Mailbox::Maildir(Some(folder)) => folder.into(),
            Mailbox::Maildir(None) => self.store.data_dir().mail(),
        }
    }

    /// Where large messages wait while they arrive.
    pub fn spool(&self) -> PathBuf {
        self.store.data_dir().spool()
    }
}
