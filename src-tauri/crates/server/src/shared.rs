//! What all sessions of a running server share.

use std::path::PathBuf;
use std::sync::Arc;

use settings::{Mailbox, Settings};
use smtp::Address;
use smtp::client::Trouble;
use store::queue::Times;
use store::{Store, StoreError};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::bans::Bans;
use crate::checks::Auth;
use crate::clock;
use crate::deliver::crowd::Crowd;
use crate::deliver::trust::Trust;
use crate::list_hits::ListHits;
use crate::machine::Machine;
use crate::names::Names;
use crate::places::Places;
use crate::queue::{Conversions, Queue, mailbox};
use crate::rates::Rates;
use crate::relay_password::{Keychain, RelayPassword};
use crate::snapshot::{Current, Snapshot};
use crate::storing::Storing;
use crate::tls::Certificates;
use crate::turned_away::TurnedAway;

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
    /// How often each client comes.
    pub rates: Rates,
    /// Who wrote to accounts that do not exist.
    pub bans: Bans,
    /// Clients that were sent away before the greeting.
    pub turned_away: TurnedAway,
    /// Matches of the black and white lists.
    pub list_hits: ListHits,
    /// Networks of this machine.
    pub machine: Machine,
    /// Bounds password checks.
    pub hashing: Semaphore,
    /// Entries of refused and abandoned sessions that wait to be written: fewer than the writer's queue holds, so that a
    /// flood of refusals never keeps an accepted message from its entry.
    pub journal_turns: Arc<Semaphore>,
    /// Set when the server stops: sessions end.
    pub stop: CancellationToken,
    /// Set after the last session, which may have accepted something: those who deliver end.
    pub end: CancellationToken,
    /// Owns the tasks of all sessions.
    pub sessions: TaskTracker,
    /// Deliveries under way.
    pub queue: Queue,
    /// Owns those who deliver.
    pub deliveries: TaskTracker,
    /// Whether mail can be stored.
    pub storing: Storing,
    /// What is asked of other servers' certificates.
    pub trust: Trust,
    /// The DNS, as deliveries ask it.
    pub names: Names,
    /// The DNS, as tests of mail ask it.
    pub auth: Auth,
    /// Connections to other servers, by address.
    pub crowd: Crowd,
    /// Bounds the memory for messages that are converted on their way.
    pub conversions: Conversions,
    /// The relay's password, wherever it lies.
    password: Arc<RelayPassword>,
}

impl Shared {
    /// Puts the parts together.
    pub fn new(
        store: Store,
        snapshot: Snapshot,
        certificates: Arc<Certificates>,
        config: Arc<rustls::ServerConfig>,
        keychain: Option<Arc<dyn Keychain>>,
    ) -> Self {
        let names = Names::new(&snapshot.settings.service.dns_servers);
        let auth = Auth::new(&snapshot.settings.service.dns_servers);
        let bans = store
            .read(|conn| Bans::read(conn, &clock::now()))
            .unwrap_or_else(|error| {
                tracing::error!("who is blocked could not be read: {error}");
                Bans::new(&clock::now())
            });
        let password = Arc::new(RelayPassword::new(store.clone(), keychain));
        let queue = Queue::default();
        queue
            .lanes
            .mailbox_is_disk(mailbox::is_disk(&snapshot.settings.service.mailbox));
        Self {
            store,
            current: Current::new(snapshot),
            certificates,
            acceptor: TlsAcceptor::from(config),
            places: Places::default(),
            rates: Rates::default(),
            bans,
            turned_away: TurnedAway::default(),
            list_hits: ListHits::default(),
            machine: Machine::default(),
            hashing: Semaphore::new(CHECKS_AT_ONCE),
            journal_turns: Arc::new(Semaphore::new(JOURNAL_TURNS)),
            stop: CancellationToken::new(),
            end: CancellationToken::new(),
            sessions: TaskTracker::new(),
            queue,
            deliveries: TaskTracker::new(),
            storing: Storing::default(),
            trust: Trust::new(),
            names,
            auth,
            crowd: Crowd::default(),
            conversions: Conversions::default(),
            password,
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
            // Not used while another program keeps the mailboxes.
            Mailbox::Maildir(None) | Mailbox::Lmtp(_) => self.store.data_dir().mail(),
        }
    }

    /// The routes of mail have changed with the settings: what waits goes the new ways, and nothing rests any more.
    ///
    /// # Errors
    /// When the queue cannot be written; the old ways hold for what waits then.
    pub async fn route_anew(&self, settings: &Settings) -> Result<(), StoreError> {
        self.names.ask(&settings.service.dns_servers);
        self.auth.ask(&settings.service.dns_servers);
        self.queue
            .lanes
            .mailbox_is_disk(mailbox::is_disk(&settings.service.mailbox));
        let (settings, now_ms) = (settings.clone(), clock::now_ms());
        self.store
            .write(move |tx| {
                store::queue::route_anew(tx, now_ms, |address, mailbox| {
                    if !mailbox.is_empty() {
                        return None;
                    }
                    let address = Address::parse(address).ok()?;
                    // Whose mailbox it is where it became ours, is found out at its turn.
                    Some(policy::destination(&address, &settings).key())
                })
            })
            .await?;
        self.queue.look_again();
        Ok(())
    }

    /// Messages are tried for another time: that holds for what waits as well.
    ///
    /// # Errors
    /// When the queue cannot be written; the old times hold for what waits then.
    pub async fn time_anew(&self, settings: &Settings) -> Result<(), StoreError> {
        let delivery = &settings.delivery;
        let times = Times {
            give_up_ms: policy::attempt::expires_at_ms(0, delivery),
            warn_ms: policy::attempt::warn_at_ms(0, delivery),
        };
        let now_ms = clock::now_ms();
        self.store
            .write(move |tx| store::queue::time_anew(tx, times, now_ms))
            .await?;
        self.queue.look_again();
        Ok(())
    }

    /// The relay's password, where the settings ask for a login.
    ///
    /// # Errors
    /// Why it cannot be had, in words for the queue.
    pub async fn relay_password(
        &self,
        settings: &Settings,
    ) -> Result<Option<Zeroizing<String>>, Trouble> {
        if !settings.delivery.relay_auth {
            return Ok(None);
        }
        let password = Arc::clone(&self.password);
        // The keychain may think for a while.
        let got = tokio::task::spawn_blocking(move || password.get()).await;
        match got {
            Ok(Ok(Some(password))) => Ok(Some(password)),
            Ok(Ok(None)) => Err(Trouble::new(
                (4, 7, 8),
                "the relay wants a login, and no password for it is stored; set it in the Delivery pane",
            )
            .whole_hop()),
            Ok(Err(error)) => Err(Trouble::new((4, 7, 8), error.to_string()).whole_hop()),
            Err(error) => Err(Trouble::new((4, 3, 0), error.to_string()).whole_hop()),
        }
    }

    /// Where large messages wait while they arrive.
    pub fn spool(&self) -> PathBuf {
        self.store.data_dir().spool()
    }
}
