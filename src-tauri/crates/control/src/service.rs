//! The server itself: how it is, start and stop.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use server::status::{Listening, State, last_said};
use server::{START, STOP, Snapshot, Wish, clock};
use settings::Problem;
use store::request;
use ts_rs::TS;

use crate::{Control, Failure, FailureKind};

/// How long a request may wait for its answer.
const PATIENCE: Duration = Duration::from_secs(15);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Which process serves the mail of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// This one.
    ThisWindow,
    /// Another one.
    OtherProcess,
    /// None.
    None,
}

/// An address the server was asked to listen on.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Listener {
    /// `smtp`, `submission` or `submissions`.
    #[ts(type = "\"smtp\" | \"submission\" | \"submissions\"")]
    pub service: String,
    /// As it is bound, or as it was configured.
    pub address: String,
    /// Why it is not open, in words.
    pub problem: Option<String>,
}

/// How the server is.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Status {
    /// starting, running, stopped or failed.
    #[ts(type = "\"starting\" | \"running\" | \"stopped\" | \"failed\"")]
    pub state: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Its addresses.
    pub listeners: Vec<Listener>,
    /// Why it failed, or what needs attention.
    pub problem: Option<Problem>,
    /// Who runs it.
    pub owner: Owner,
    /// Process that runs it.
    pub pid: Option<u32>,
    /// Data folder.
    pub data_dir: String,
    /// Version of this program.
    pub version: String,
    /// Primary domain, once set.
    pub domain: Option<String>,
    /// Networks that count as local now.
    pub local_networks: Vec<String>,
    /// Revision the server works under.
    pub revision: i64,
    /// Whether the first-run questions are open.
    pub first_run: bool,
}

impl From<Listening> for Listener {
    fn from(listening: Listening) -> Self {
        Self {
            service: listening.service.word().into(),
            address: listening.address,
            problem: listening.problem.map(|problem| problem.message),
        }
    }
}

impl Control {
    /// How the server of this data folder is, whoever runs it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn status(&self) -> Result<Status, Failure> {
        let owner = self.owner()?;
        let said = last_said(&self.store)?.filter(|_| owner != Owner::None);
        let set_up = self.store.read(Snapshot::read)?.ok();
        let domain = set_up
            .as_ref()
            .and_then(|snapshot| snapshot.settings.general.domain.clone());
        let first_run = set_up.is_some_and(|snapshot| !snapshot.settings.is_set_up());
        let state = said.as_ref().map_or(State::Stopped, |said| said.state);
        Ok(Status {
            state: word(state).into(),
            since_ms: said.as_ref().map_or(0, |said| said.since_ms),
            pid: said.as_ref().map(|said| said.pid),
            revision: said.as_ref().map_or(0, |said| said.revision),
            problem: said.as_ref().and_then(|said| said.problem.clone()),
            local_networks: said
                .as_ref()
                .map(|said| said.local_networks.clone())
                .unwrap_or_default(),
            listeners: said
                .map(|said| said.listeners.into_iter().map(Into::into).collect())
                .unwrap_or_default(),
            owner,
            data_dir: self.store.data_dir().root().display().to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            domain: domain.map(|domain| domain.unicode()),
            first_run,
        })
    }

    pub(crate) fn owner(&self) -> Result<Owner, Failure> {
        if self
            .supervisor()
            .as_ref()
            .is_some_and(server::Supervisor::is_alive)
        {
            return Ok(Owner::ThisWindow);
        }
        let held = store::is_held(self.store.data_dir())?;
        Ok(if held.is_some() {
            Owner::OtherProcess
        } else {
            Owner::None
        })
    }

    /// Whether a server works under the settings of this folder now.
    pub(crate) fn is_serving(&self) -> Result<bool, Failure> {
        let said = last_said(&self.store)?;
        Ok(said.is_some_and(|said| said.state == State::Running) && self.owner()? != Owner::None)
    }

    /// Serves mail again after [`Self::server_stop`]. The window takes the folder over when the process that served it
    /// has ended.
    ///
    /// # Errors
    /// When no process serves this folder.
    pub fn server_start(&self) -> Result<(), Failure> {
        self.wish(Wish::Run, START)
    }

    /// Stops serving mail; running transactions end first.
    ///
    /// # Errors
    /// When no process serves this folder.
    pub fn server_stop(&self) -> Result<(), Failure> {
        self.wish(Wish::Stop, STOP)
    }

    fn wish(&self, wish: Wish, kind: &str) -> Result<(), Failure> {
        if self.serves && wish == Wish::Run {
            self.serve_if_free()?;
        }
        let own = self.supervisor();
        if let Some(supervisor) = own.as_ref().filter(|own| own.is_alive()) {
            supervisor.wish(wish);
            return Ok(());
        }
        // Asking takes a while, and looks at the supervisor itself.
        drop(own);
        self.ask_server(kind, json!({})).map(drop)
    }

    /// Puts a request before the process that serves this folder, and waits for the answer.
    pub(crate) fn ask_server(&self, kind: &str, body: Value) -> Result<Value, Failure> {
        if self.owner()? == Owner::None {
            return Err(Failure::new(
                FailureKind::Unavailable,
                "no server runs on this data folder; start it with `postroom serve` or open the window",
            ));
        }
        let kind = kind.to_owned();
        let id = self
            .store
            .write_blocking(move |tx| request::ask(tx, &kind, &body, clock::now_ms()))?;
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if let Some(answer) = self.store.read(|conn| request::answer_of(conn, id))? {
                return Ok(answer);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        Err(Failure::new(
            FailureKind::Unavailable,
            "the server did not answer in time; look at its state, and try again",
        ))
    }

    /// Waits until the running server works under `revision`.
    pub(crate) fn until_in_force(&self, revision: i64) -> Result<(), Failure> {
        let asked = Instant::now();
        while self.is_serving()? && asked.elapsed() < PATIENCE {
            if last_said(&self.store)?.is_some_and(|said| said.revision >= revision) {
                break;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Starting => "starting",
        State::Running => "running",
        State::Stopped => "stopped",
        State::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use store::{DataDir, Lock};

    use super::*;

    #[test]
    fn a_window_takes_the_folder_over_when_the_other_server_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path());
        data.create().unwrap();
        let foreign = Lock::acquire(&data).unwrap();
        let control = Control::open(&data).unwrap().serving().unwrap();
        assert_eq!(control.status().unwrap().owner, Owner::OtherProcess);
        drop(foreign);
        assert_eq!(control.status().unwrap().owner, Owner::None);
        control.server_start().unwrap();
        assert_eq!(control.status().unwrap().owner, Owner::ThisWindow);
        control.quit();
    }

    #[test]
    fn a_command_does_not_become_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open(&DataDir::new(folder.path())).unwrap();
        let failure = control.server_start().unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable);
        assert_eq!(control.status().unwrap().owner, Owner::None);
    }
}
