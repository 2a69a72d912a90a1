//! The one writer: a thread that owns the connection and commits what waits together.
//!
//! A commit costs one write to the disk however many changes are in it. Each change runs in a
//! savepoint of its own, so that one that fails is undone alone; all are answered only after the
//! commit they share is on the disk.

use std::any::Any;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::StoreError;

/// Changes that may wait; beyond it the caller is told that the store is busy.
const QUEUE: usize = 1024;
/// Changes that share one commit at most, so that the first does not wait for ever.
const GROUP: usize = 256;
/// SQLite is content with far less; the default of 2 MiB would be address space for nothing.
const STACK: usize = 512 << 10;

/// The open transaction of the writer, which functions that change something take. It reads like a
/// [`Connection`]; begin and commit are the writer's business.
pub struct Tx<'conn> {
    conn: &'conn Connection,
}

impl Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

impl Tx<'_> {
    /// A transaction for the tests of the table files, which have no writer thread.
    #[cfg(test)]
    pub(crate) fn for_test(conn: &Connection) -> Tx<'_> {
        Tx { conn }
    }
}

/// The sending side; dropping it lets the thread finish what waits and close the database.
pub(crate) struct Writer {
    jobs: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread with its connection; `path` names the database in errors.
    pub(crate) fn start(conn: Connection, path: PathBuf) -> Result<Self, StoreError> {
        let (jobs, waiting) = sync_channel(QUEUE);
        let known = path.clone();
        let thread = thread::Builder::new()
            .name("store".into())
            .stack_size(STACK)
            .spawn(move || serve(&conn, &waiting, &path))
            .map_err(|error| StoreError::from_io(&known, &error))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Queues `work`; `answer` gets its result after the commit, on the writer thread.
    pub(crate) fn queue<T, F, A>(&self, work: F, answer: A) -> Result<(), StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        A: FnOnce(Result<T, StoreError>) + Send + 'static,
    {
        let job = Change {
            work: Some(work),
            outcome: None,
            answer,
        };
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => stopped(),
        })
    }

    /// Whether the caller runs on the writer thread, where waiting for it would never end.
    pub(crate) fn is_current(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| thread.thread().id() == thread::current().id())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        // A change may own the last handle of the store; the thread cannot wait for itself.
        if !self.is_current()
            && let Some(thread) = self.thread.take()
        {
            // It ends by panic only through a defect that its callers were told of.
            let _ = thread.join();
        }
    }
}

pub(crate) fn stopped() -> StoreError {
    StoreError::Defect {
        detail: "the writer of the database has stopped".into(),
    }
}

/// A change whose types are forgotten, so that all kinds wait in one queue.
trait Job: Send {
    /// Does the work inside the open savepoint.
    fn run(&mut self, tx: &Tx<'_>) -> Result<(), StoreError>;
    /// Tells the caller how it ended; `group` is the fate of the shared transaction.
    fn answer(self: Box<Self>, group: &Result<(), StoreError>, path: &Path);
}

struct Change<T, F, A> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    answer: A,
}

impl<T, F, A> Job for Change<T, F, A>
where
    T: Send,
    F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send,
    A: FnOnce(Result<T, StoreError>) + Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|panic| {
            Err(StoreError::Defect {
                detail: panic_text(&*panic),
            })
        });
        let verdict = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
        self.outcome = Some(outcome);
        verdict
    }

    fn answer(self: Box<Self>, group: &Result<(), StoreError>, path: &Path) {
        let result = match (self.outcome, group) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(shared)) => Err(shared.clone()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(stopped()),
        };
        (self.answer)(result.map_err(|error| error.at(path)));
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".into())
}

fn serve(conn: &Connection, waiting: &Receiver<Box<dyn Job>>, path: &Path) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter().take(GROUP - 1));
        while !group.is_empty() {
            let (ran, fate) = commit_together(conn, &mut group);
            let rest = group.split_off(ran);
            for job in group {
                job.answer(&fate, path);
            }
            group = rest;
        }
    }
}

/// Runs and commits the group. Returns how many of its jobs have their answer (at least one of a
/// group that is not empty) and what became of the transaction they were in; the others were not
/// begun and can go into a new one.
fn commit_together(
    conn: &Connection,
    group: &mut [Box<dyn Job>],
) -> (usize, Result<(), StoreError>) {
    if let Err(error) = run(conn, "BEGIN IMMEDIATE") {
        return (group.len(), Err(error));
    }
    for (place, job) in group.iter_mut().enumerate() {
        if let Err(error) = run_alone(conn, job.as_mut()) {
            undo(conn);
            return (place + 1, Err(error));
        }
    }
    let fate = run(conn, "COMMIT");
    if fate.is_err() {
        undo(conn);
    }
    (group.len(), fate)
}

/// Runs one job in its savepoint. An error means that the whole transaction is lost, not merely
/// this job: SQLite ends it by itself when the disk is full or fails.
fn run_alone(conn: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    run(conn, "SAVEPOINT job")?;
    let outcome = job.run(&Tx { conn });
    if conn.is_autocommit() {
        return Err(outcome.err().unwrap_or_else(|| StoreError::Defect {
            detail: "a change ended the transaction it shared".into(),
        }));
    }
    if outcome.is_err() {
        run(conn, "ROLLBACK TO job")?;
    }
    run(conn, "RELEASE job")
}

fn undo(conn: &Connection) {
    if !conn.is_autocommit() {
        // When even this fails the connection is past help and the next BEGIN reports it.
        let _ = run(conn, "ROLLBACK");
    }
}

fn run(conn: &Connection, statement: &str) -> Result<(), StoreError> {
    conn.prepare_cached(statement)?.execute([])?;
    Ok(())
}
