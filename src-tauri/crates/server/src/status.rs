//! What the server says of itself, in the database, so that every window and command line can read it.

use serde::{Deserialize, Serialize};
use settings::Problem;
use store::{Store, StoreError, state};

use crate::{clock, storing};

/// Key of the state table.
const KEY: &str = "server";

/// Whether mail is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Ports are being opened.
    Starting,
    /// At least one port is open.
    Running,
    /// Somebody stopped it.
    Stopped,
    /// It cannot run; the problem says why.
    Failed,
}

/// The three kinds of port, by the names of their settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceName {
    /// `service.smtp`
    Smtp,
    /// `service.submission`
    Submission,
    /// `service.submissions`
    Submissions,
}

impl ServiceName {
    /// The name as the setting has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
        }
    }
}

/// One configured address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// For what.
    pub service: ServiceName,
    /// The address: really bound, or as configured when it could not be.
    pub address: String,
    /// Why it is not open.
    pub problem: Option<Problem>,
}

/// The state of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// See [`State`].
    pub state: State,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Process that serves.
    pub pid: u32,
    /// The settings it serves under.
    pub revision: i64,
    /// Addresses, open or not.
    pub listeners: Vec<Listening>,
    /// Why it failed, or what needs attention while it runs.
    pub problem: Option<Problem>,
    /// Networks that count as local now.
    pub local_networks: Vec<String>,
    /// End of the certificate in use, seconds since 1970.
    pub certificate_not_after: Option<i64>,
}

impl Status {
    /// A state without ports.
    pub fn plain(state: State, problem: Option<Problem>) -> Self {
        Self {
            state,
            since_ms: clock::now_ms(),
            pid: std::process::id(),
            revision: 0,
            listeners: Vec::new(),
            problem,
            local_networks: Vec::new(),
            certificate_not_after: None,
        }
    }

    /// Queues the status for writing.
    pub(crate) fn publish(&self, store: &Store) {
        let value = serde_json::to_value(self).unwrap_or_default();
        drop(store.write(move |tx| state::set(tx, KEY, &value, clock::now_ms())));
    }
}

/// What the server of this data folder last said of itself. Whether it still lives, the lock tells.
///
/// # Errors
/// When the database cannot be read.
pub fn last_said(store: &Store) -> Result<Option<Status>, StoreError> {
    let said = store.read(|conn| state::get(conn, KEY))?;
    let said: Option<Status> = said.and_then(|said| serde_json::from_value(said.value).ok());
    // The database cannot tell of itself that it is not written.
    Ok(said.map(|said| match said.state {
        State::Running => Status {
            problem: storing::said(store.data_dir()).or(said.problem),
            ..said
        },
        _ => said,
    }))
}
