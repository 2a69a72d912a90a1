//! What a person can ask for: the verbs behind panes, command line and tests.
//!
//! A [`Control`] works on one data folder. Whether the server runs in this process, in another or not at all makes no
//! difference to the verbs: they meet it in the database. What never lives here: a window, a socket protocol, a rule.

mod accounts;
pub mod bindings;
pub mod cli;
mod explain;
mod failure;
mod first_run;
mod journal;
mod overview;
mod service;
mod settings_verbs;
mod test_message;

pub use accounts::Removed;
pub use failure::{Failure, FailureKind};
pub use first_run::{DnsCheck, Identity, PortCheck};
pub use journal::{Entry, JournalFilter, JournalPage, Summary};
pub use overview::{Notice, Overview, TopRefusal};
pub use service::{Owner, Status};
pub use settings::{Group, Problem, User};
pub use settings_verbs::{Applied, SettingsView};
pub use store::DataDir;
pub use test_message::TestResult;

use std::collections::HashMap;
use std::sync::Mutex;

use server::{Supervisor, Wish};
use store::{Lock, LockError, Store};

/// The verbs, on one data folder.
#[derive(Debug)]
pub struct Control {
    store: Store,
    supervisor: Option<Supervisor>,
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
            supervisor: None,
            removed: Mutex::default(),
        })
    }

    /// Opens the data folder and serves its mail from this process, unless another process does already.
    ///
    /// # Errors
    /// As [`Self::open`], or when the system gives no thread.
    pub fn open_and_serve(folder: &DataDir) -> Result<Self, Failure> {
        let mut control = Self::open(folder)?;
        match Lock::acquire(folder) {
            Ok(lock) => control.supervise(lock)?,
            Err(LockError::Held { .. }) => {}
            Err(LockError::Store(error)) => return Err(error.into()),
        }
        Ok(control)
    }

    fn supervise(&mut self, lock: Lock) -> Result<(), Failure> {
        let supervisor =
            Supervisor::start(self.store.clone(), lock, Wish::Run).map_err(|error| {
                Failure::new(
                    FailureKind::Io,
                    format!("the system gives no thread: {error}"),
                )
            })?;
        self.supervisor = Some(supervisor);
        Ok(())
    }

    /// Stops the server of this process, if there is one, and waits until running transactions have ended.
    pub fn quit(&self) {
        if let Some(supervisor) = &self.supervisor {
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
