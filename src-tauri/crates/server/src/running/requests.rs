//! Requests of other processes and of the window: changes that must be tried before they are stored.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use settings::{Problem, Settings, change};
use store::ban;
use store::request::{self, Request};
use store::{StoreError, Tx};
use store::{secret, setting};

use super::{Running, read_settings, storage};
use crate::deliver::maildir;
use crate::snapshot::Snapshot;
use crate::{clock, live, tls};

/// Kind of the request to apply settings.
pub const APPLY: &str = "apply";
/// Kind of the request to start serving.
pub const START: &str = "start";
/// Kind of the request to stop serving.
pub const STOP: &str = "stop";

/// Kind of the request to tell what clients do at the moment; the answer is a [`crate::live::Live`].
pub const LIVE: &str = "live";
/// Kind of the request to forget what a client did in its minute.
pub const FORGET_RATES: &str = "forget_rates";
/// Kind of the request to end the block of a client that wrote to accounts which do not exist.
pub const LIFT: &str = "lift";

/// What the last two requests are about; they are answered by whether there was anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfClient {
    /// Its address, or any of its network.
    pub ip: IpAddr,
}

/// A settings document to be tried and stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Apply {
    /// What to change; see `Settings::merged`.
    pub document: Value,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
}

impl Apply {
    /// A change by `author`.
    pub fn new(document: &Value, author: &str, reason: &str) -> Self {
        Self {
            document: document.clone(),
            author: author.into(),
            reason: reason.into(),
        }
    }

    /// Lays the document over what is stored now, so that nothing that was changed meanwhile is lost, and stores it.
    ///
    /// # Errors
    /// The outer error when the database cannot be written, the inner one for values that cannot be taken.
    pub fn store(&self, tx: &Tx<'_>) -> Result<Result<Snapshot, Vec<Problem>>, StoreError> {
        let old = match Snapshot::read(tx)? {
            Ok(old) => old.settings,
            Err(problems) => return Ok(Err(problems)),
        };
        let settings = match old.merged(&self.document) {
            Ok(settings) => settings,
            Err(problems) => return Ok(Err(problems)),
        };
        Self::forget_vanished(tx, &old, &settings)?;
        let revision = setting::replace(
            tx,
            &rows(&settings),
            &self.author,
            &self.reason,
            clock::now_ms(),
        )?;
        Ok(Ok(Snapshot { revision, settings }))
    }

    /// Removes the passwords of users that `new` has no more: a later user of the same name must not inherit one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_vanished(tx: &Tx<'_>, old: &Settings, new: &Settings) -> Result<(), StoreError> {
        for user in old
            .users
            .iter()
            .filter(|user| new.user(&user.name).is_none())
        {
            secret::remove(tx, secret::PASSWORD, &user.name)?;
        }
        Ok(())
    }
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// In force, as this revision.
    Revision(i64),
    /// Refused; nothing was changed.
    Problems(Vec<Problem>),
}

impl Running {
    pub(super) async fn answer(&mut self, request: Request) {
        let answer = match request.kind.as_str() {
            APPLY => match serde_json::from_value::<Apply>(request.body) {
                Ok(apply) => serde_json::to_value(self.apply(apply).await).unwrap_or_default(),
                Err(error) => unreadable(&error),
            },
            LIVE => serde_json::to_value(live::live(&self.shared)).unwrap_or_default(),
            FORGET_RATES => match serde_json::from_value::<OfClient>(request.body) {
                Ok(of) => json!(self.shared.rates.forget(of.ip)),
                Err(error) => unreadable(&error),
            },
            LIFT => match serde_json::from_value::<OfClient>(request.body) {
                Ok(of) => self.lift(of.ip).await,
                Err(error) => unreadable(&error),
            },
            // Start and stop are the supervisor's; it looks for them itself.
            START | STOP => return,
            other => {
                json!({"problems": [Problem::new("", "unknown_request", format!("unknown request {other}"))]})
            }
        };
        let id = request.id;
        let written = self
            .shared
            .store
            .write(move |tx| request::answer(tx, id, &answer, clock::now_ms()))
            .await;
        if let Err(error) = written {
            tracing::error!("a request could not be answered: {error}");
        }
    }

    async fn lift(&self, ip: IpAddr) -> Value {
        let client = crate::rates::counted_as(ip);
        let was_known = self.shared.bans.lift(client);
        let stored = self
            .shared
            .store
            .write(move |tx| ban::forget(tx, &client.to_string()))
            .await;
        match stored {
            Ok(was_stored) => json!(was_known || was_stored),
            Err(error) => json!({"problems": [storage(&error)]}),
        }
    }

    /// Try, store, put in force. If trying fails, nothing was stored and the old settings run on.
    async fn apply(&mut self, apply: Apply) -> Applied {
        let base = match read_settings(&self.shared.store) {
            Ok(snapshot) => snapshot,
            Err(problem) => return Applied::Problems(vec![problem]),
        };
        let new = match base.settings.merged(&apply.document) {
            Ok(settings) => settings,
            Err(problems) => return Applied::Problems(problems),
        };
        let effects = change::effects(&self.shared.current.get().settings, &new);
        let certificate = match effects
            .certificate
            .then(|| tls::load(&new, &self.shared.store.data_dir().tls()))
        {
            Some(Err(problem)) => return Applied::Problems(vec![problem]),
            Some(Ok(loaded)) => Some(loaded),
            None => None,
        };
        if effects.mailbox
            && let Err(problem) = maildir::try_root(&new)
        {
            return Applied::Problems(vec![problem]);
        }
        if effects.rebind
            && let Err(problems) = self.listeners.change(&self.shared, &new).await
        {
            self.publish();
            return Applied::Problems(problems);
        }
        let stored = self.shared.store.write(move |tx| apply.store(tx)).await;
        let problems = match stored {
            Ok(Ok(snapshot)) => {
                if let Some(loaded) = certificate {
                    self.shared.certificates.replace(loaded);
                }
                let revision = snapshot.revision.0;
                let settings = snapshot.settings.clone();
                self.problem = None;
                self.shared.current.replace(snapshot);
                self.change_queue(effects, &settings).await;
                self.publish();
                return Applied::Revision(revision);
            }
            Ok(Err(problems)) => problems,
            Err(error) => vec![storage(&error)],
        };
        // Back to the sockets of the settings that stay in force.
        let old = self.shared.current.get();
        if let Err(problems) = self.listeners.change(&self.shared, &old.settings).await {
            self.problem = problems.into_iter().next();
        }
        self.publish();
        Applied::Problems(problems)
    }
}

fn unreadable(error: &serde_json::Error) -> Value {
    json!({"problems": [Problem::new("", "unreadable", error.to_string())]})
}

/// The settings as the store keeps them.
pub fn rows(settings: &Settings) -> Vec<setting::Row> {
    settings
        .to_rows()
        .into_iter()
        .map(|row| setting::Row {
            section: row.section,
            key: row.key,
            value: row.value,
        })
        .collect()
}
