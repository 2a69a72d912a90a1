//! Whether mail can be stored. When a message had to be put off because it could not be, or the tables do not follow the
//! spool log, everybody who asks for the status is told why and what to do, until trials show that it works again.
//!
//! The status itself lies in the database, which may be the very thing that cannot be written. So this problem lies in a
//! file of its own ([`Board`]).

mod board;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy::Reason;
use settings::Problem;
use store::spool::Writing;
use store::{StoreError, state};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use self::board::Board;
pub(crate) use self::board::said;
use crate::shared::Shared;
use crate::{clock, gather};

/// How often the tables are looked at, and how often storing is tried while it fails.
const GLANCE: Duration = Duration::from_secs(1);
/// The database waits five seconds for another program, twice where changes queue up.
const TRIAL: Duration = Duration::from_secs(15);
/// With less room than this no message is taken, however small.
const ROOM: u64 = 64 * 1024;
/// Characters of an error or a path that are told.
const DETAIL: usize = 300;
/// Key of the state table that a trial writes.
const KEY: &str = "storing_trial";

/// Why a message cannot be stored, as far as it is for somebody to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Full,
    Unwritable,
    Busy,
}

/// What was in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    cause: Cause,
    place: PathBuf,
    detail: String,
}

impl Trouble {
    /// `None` for what is a defect of the program and not of its surroundings.
    fn of(error: &StoreError) -> Option<Self> {
        let (cause, place) = match error {
            StoreError::Full { path } => (Cause::Full, path.clone()),
            StoreError::Permission { path, .. } | StoreError::Io { path, .. } => {
                (Cause::Unwritable, path.clone())
            }
            StoreError::Busy => (Cause::Busy, PathBuf::new()),
            _ => return None,
        };
        Some(Self {
            cause,
            place,
            detail: error.to_string(),
        })
    }

    fn of_spool(error: &io::Error, spool: &Path) -> Self {
        let cause = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Cause::Full
            }
            _ => Cause::Unwritable,
        };
        Self {
            cause,
            place: spool.to_owned(),
            detail: error.to_string(),
        }
    }

    fn no_room(spool: &Path) -> Self {
        Self {
            cause: Cause::Full,
            place: spool.to_owned(),
            detail: "almost no room is left for mail".into(),
        }
    }

    fn reason(&self) -> Reason {
        match self.cause {
            Cause::Full => Reason::StorageFull,
            Cause::Unwritable => Reason::StorageUnwritable,
            Cause::Busy => Reason::StorageBusy,
        }
    }

    /// For the admin: what happened, what it means, what to do.
    fn problem(&self, is_behind: bool) -> Problem {
        let cut = |text: String| text.chars().take(DETAIL).collect::<String>();
        let place = cut(self.place.display().to_string());
        let (word, what) = match self.cause {
            Cause::Full => (
                "full",
                format!("the disk of {place} is full; make room on it"),
            ),
            Cause::Unwritable => (
                "unwritable",
                format!(
                    "{place} cannot be written; see that it is there, that its disk is mounted and sound, and that it belongs to the user who runs Postroom"
                ),
            ),
            Cause::Busy => (
                "busy",
                "the database is busy: another program holds it, such as a backup, or more mail comes than the disk can take; end that program if it stays so".to_owned(),
            ),
        };
        let behind = if is_behind {
            " Mail accepted shortly before is safe in the spool log; it is shown then, and what of it has not been delivered from memory is delivered."
        } else {
            ""
        };
        let detail = cut(self.detail.clone());
        let message = format!(
            "new mail is put off with 452 because it cannot be stored: {what}. Nothing that was accepted is lost, senders try again, and mail is taken again by itself as soon as that works.{behind} ({detail})"
        );
        Problem::new("", "storage_failing", message)
            .arg("cause", word)
            .arg("place", place)
            .arg("detail", detail)
            .arg("behind", is_behind)
    }
}

/// What is known of the trouble at present.
#[derive(Debug, Default)]
pub(crate) struct Storing {
    trouble: Mutex<Option<Trouble>>,
    bell: Notify,
}

impl Storing {
    /// A message could not be stored. Returns what its client is told, and what its record says.
    pub(crate) fn failed(&self, error: &StoreError) -> (Reason, String) {
        match Trouble::of(error) {
            Some(trouble) => self.put_off(trouble),
            None => (Reason::StorageFailed, error.to_string()),
        }
    }

    /// A message could not be written to the spool folder.
    pub(crate) fn spool_failed(&self, error: &io::Error, spool: &Path) -> (Reason, String) {
        self.put_off(Trouble::of_spool(error, spool))
    }

    /// A message was put off before it came, because of the room there is.
    pub(crate) fn refused_for_room(&self, free: u64, spool: &Path) {
        if free < ROOM {
            self.put_off(Trouble::no_room(spool));
        }
    }

    fn put_off(&self, trouble: Trouble) -> (Reason, String) {
        let told = (
            trouble.reason(),
            format!("{}: {}", trouble.reason().text(), trouble.detail),
        );
        *self.lock() = Some(trouble);
        self.bell.notify_one();
        told
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn problem(&self, is_behind: bool) -> Option<Problem> {
        let trouble = self.lock().clone();
        match trouble {
            Some(trouble) => Some(trouble.problem(is_behind)),
            None if is_behind => Some(behind()),
            None => None,
        }
    }
}

fn behind() -> Problem {
    Problem::new(
        "",
        "queue_behind",
        "new mail is put off with 452 because the database does not take what was accepted before. That mail is safe in the spool log: some of it may have been delivered already, the rest waits, and queue and mail log do not show it yet. Both follow by themselves, senders try again, and mail is taken again as soon as the database can be written. If this stays so, see whether another program holds the database or its disk is full",
    )
}

/// Keeps the problem up to date until the server stops.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let board = Board::new(shared.store.data_dir());
    let mut shown = None;
    warn(board.show(None).await);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = shared.storing.bell.notified() => {}
            () = sleep(GLANCE) => {
                if shared.storing.lock().is_some() {
                    tokio::select! {
                        () = shared.stop.cancelled() => break,
                        found = trial(&shared) => *shared.storing.lock() = found,
                    }
                }
            }
        }
        let problem = shared.storing.problem(shared.store.is_behind());
        if problem != shown {
            match &problem {
                Some(problem) => tracing::error!("{}", problem.message),
                None => tracing::info!("mail can be stored again"),
            }
            warn(board.show(problem.as_ref()).await);
            shown = problem;
        } else if problem.is_some() {
            // For as long as it lasts, also when somebody removes the file; a failure was told already.
            let _ = board.show(problem.as_ref()).await;
        }
    }
    warn(board.show(None).await);
}

fn warn(shown: io::Result<()>) {
    if let Err(error) = shown {
        tracing::warn!("other programs cannot be told of this: {error}");
    }
}

/// Tries everything that storing a message needs. Returns what is in the way.
async fn trial(shared: &Arc<Shared>) -> Option<Trouble> {
    let spool = shared.spool();
    let free = gather::storage(shared, &shared.current.get()).map(|storage| storage.free);
    if free.is_some_and(|free| free < ROOM) {
        return Some(Trouble::no_room(&spool));
    }
    let folder = spool.clone();
    let written = tokio::task::spawn_blocking(move || write_and_remove(&folder)).await;
    if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
        return Some(Trouble::of_spool(&error, &spool));
    }
    let change = shared
        .store
        .write(|tx| state::set(tx, KEY, &clock::now_ms().into(), clock::now_ms()));
    match timeout(TRIAL, change).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Trouble::of(&error).or_else(|| shared.storing.lock().clone()),
        Err(_) => Trouble::of(&StoreError::Busy),
    }
}

fn write_and_remove(spool: &Path) -> io::Result<()> {
    let mut writing = Writing::begin(spool, crate::random())?;
    let path = writing.path().to_owned();
    let octets = vec![0; usize::try_from(ROOM).unwrap_or(0)];
    let written = writing.push(&octets).and_then(|()| writing.finish());
    let removed = std::fs::remove_file(path);
    written.map(drop).and(removed)
}

#[cfg(test)]
mod tests;
