//! The settings in force: one immutable value that a transaction keeps from MAIL to its end.

use std::sync::Arc;

use arc_swap::ArcSwap;
use settings::{Problem, Row, Settings};
use store::setting::{self, Revision};
use store::{Connection, StoreError};

/// One revision of the settings.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Number of the revision.
    pub revision: Revision,
    /// What it says.
    pub settings: Settings,
}

impl Snapshot {
    /// Reads the newest revision.
    ///
    /// # Errors
    /// The outer error when the database cannot be read, the inner one when a setting cannot.
    pub fn read(conn: &Connection) -> Result<Result<Self, Vec<Problem>>, StoreError> {
        let (revision, rows) = setting::current(conn)?;
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|row| Row {
                section: row.section,
                key: row.key,
                value: row.value,
            })
            .collect();
        Ok(Settings::from_rows(&rows).map(|settings| Self { revision, settings }))
    }
}

/// Holds the current snapshot; readers never wait.
#[derive(Debug)]
pub struct Current(ArcSwap<Snapshot>);

impl Current {
    /// Starts with `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        // So that no message has to wait for the index of a long list.
        snapshot.settings.security.lists.prepare();
        Self(ArcSwap::from_pointee(snapshot))
    }

    /// The snapshot in force now.
    pub fn get(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Puts another in force, for transactions that begin from now on.
    pub fn replace(&self, snapshot: Snapshot) {
        snapshot.settings.security.lists.prepare();
        self.0.store(Arc::new(snapshot));
    }
}
