//! What a person can ask for: the verbs behind panes, command line and tests.
//!
//! A [`Control`] works on one data folder. Whether the server runs in this process, in another or not at all makes no
//! difference to the verbs: they meet it in the database. What never lives here: a window, a socket protocol, a rule.

mod accounts;
pub mod bindings;
mod blocks;
mod checks;
pub mod cli;
mod explain;
mod failure;
mod first_run;
mod journal;
mod lists;
mod mailbox;
mod overview;
mod queue;
mod rates;
mod relay;
mod relay_test;
mod service;
mod settings_verbs;
mod test_message;

pub use accounts::Removed;
pub use blocks::{BlockReason, BlockedClient};
pub use checks::{CheckEffect, CheckFinding, CheckName, CheckTrial, CheckedMessage};
pub use failure::{Failure, FailureKind};
pub use first_run::{DnsCheck, Identity, PortCheck};
pub use journal::{Entry, JournalFilter, JournalPage, Summary};
pub use lists::{ListExported, ListFormat, ListHits, ListImport, ListImportPreview, ListImported};
pub use overview::{Notice, Overview, PausedDestination, QueueGlance, TopRefusal};
pub use policy::lists::overlap::{ListAnalysis, ListNote, ListOverlap, ListSkips, OverlapWhy};
pub use queue::{
    QueueAct, QueueActed, QueueAttempt, QueueEntry, QueueFilter, QueuePage, QueueRow, QueueWhich,
};
pub use rates::{LiveClient, LiveRates};
pub use relay::RelayPasswordStatus;
pub use relay_test::{RelayStep, RelayTest, SeenCertificate, StepName, StepResult};
pub use server::relay_password::{Keychain, KeychainError};
pub use service::{Owner, Status};
pub use settings::security::exchange::{ImportVerdict, ListImportLine, OnExisting};
pub use settings::security::{Criterion, DnsblZone, ListRule};
pub use settings::{Group, Problem, User};
pub use settings_verbs::{Applied, SettingsView};
pub use store::DataDir;
pub use test_message::TestResult;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use server::{Supervisor, Wish};
use store::{Lock, LockError, Store};

/// The verbs, on one data folder.
#[derive(Debug)]
pub struct Control {
    store: Store,
    /// Whether this process serves the folder whenever no other does.
    serves: bool,
    /// The desktop's, where the program around this one has a desktop.
    keychain: Option<Arc<dyn Keychain>>,
    supervisor: Mutex<Option<Supervisor>>,
    removed: Mutex<HashMap<String, Removed>>,
}

impl Control {
    /// Opens the data folder without serving mail from this process.
    ///
    /// # Errors
    /// Why the folder or its database cannot be used, in words.
    pub fn open(folder: &DataDir) -> Result<Self, Failure> {
        Ok(Self {
            store: Store::open(folder)?,
            serves: false,
            keychain: None,
            supervisor: Mutex::default(),
            removed: Mutex::default(),
        })
    }

    /// Keeps the relay's password in this keychain, and asks it for the password when mail is sent.
    #[must_use]
    pub fn with_keychain(mut self, keychain: Option<Arc<dyn Keychain>>) -> Self {
        self.keychain = keychain;
        self
    }

    /// Serves the folder's mail from this process, unless another process does already.
    ///
    /// # Errors
    /// When the lock cannot be made, or the system gives no thread.
    pub fn serving(self) -> Result<Self, Failure> {
        let control = Self {
            serves: true,
            ..self
        };
        control.serve_if_free()?;
        Ok(control)
    }

    /// Begins to serve from this process, unless it does already or another one holds the folder.
    pub(crate) fn serve_if_free(&self) -> Result<(), Failure> {
        // Held all along, so that two who ask at once do not take each other's lock for a stranger's.
        let mut own = self.supervisor();
        if own.as_ref().is_some_and(Supervisor::is_alive) {
            return Ok(());
        }
        let lock = match Lock::acquire(self.store.data_dir()) {
            Ok(lock) => lock,
            Err(LockError::Held { .. }) => return Ok(()),
            Err(LockError::Store(error)) => return Err(error.into()),
        };
        let supervisor =
            Supervisor::start(self.store.clone(), lock, Wish::Run, self.keychain.clone()).map_err(
                |error| {
                    Failure::new(
                        FailureKind::Io,
                        format!("the system gives no thread: {error}"),
                    )
                },
            )?;
        *own = Some(supervisor);
        Ok(())
    }

    pub(crate) fn supervisor(&self) -> MutexGuard<'_, Option<Supervisor>> {
        self.supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the server of this process, if there is one, and waits until running transactions have ended.
    pub fn quit(&self) {
        let own = self.supervisor().take();
        if let Some(supervisor) = own {
            supervisor.quit();
        }
    }
}

/// Who makes a change: the user of the system.
pub fn author() -> String {
    std::env::var("USER")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "admin".into())
}
