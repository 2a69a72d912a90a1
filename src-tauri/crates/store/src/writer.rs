//! The one writer: a thread that owns the connection and commits what waits together.
//!
//! A commit costs one write to the disk however many changes are in it. Each change runs in a
//! savepoint of its own, so that one that fails is undone alone; all are answered only after the
//! commit they share is as durable as the most demanding of them wants it ([`Durability`]).

use std::any::Any;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::checkpoint::Checkpoint;
use crate::spool::{Position, Segments};
use crate::{StoreError, queue};

/// What must be on the disk before a change is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Durability {
    /// The commit is visible to all at once; a power cut may undo the last moments. What lies in the spool log is on the
    /// disk nevertheless, and brings its rows back.
    Log,
    /// The commit itself.
    Commit,
}

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

/// The way to the thread.
#[derive(Clone)]
pub(crate) struct Jobs(SyncSender<Box<dyn Job>>);

impl Jobs {
    /// Queues `work`; `answer` gets its result after the commit, on the writer thread.
    pub(crate) fn queue<T, F, A>(
        &self,
        durability: Durability,
        work: F,
        answer: A,
    ) -> Result<(), StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        A: FnOnce(Result<T, StoreError>) + Send + 'static,
    {
        let job = change(durability, work, answer);
        self.0.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => stopped(),
        })
    }

    /// The same, waiting for a place. Not for the writer's own thread. When the writer has ended nobody is answered.
    pub(crate) fn queue_waiting<T, F, A>(&self, durability: Durability, work: F, answer: A)
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        A: FnOnce(Result<T, StoreError>) + Send + 'static,
    {
        let _ = self.0.send(change(durability, work, answer));
    }
}

fn change<T, F, A>(durability: Durability, work: F, answer: A) -> Box<dyn Job>
where
    T: Send + 'static,
    F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    A: FnOnce(Result<T, StoreError>) + Send + 'static,
{
    Box::new(Change {
        durability,
        work: Some(work),
        outcome: None,
        answer,
    })
}

/// The owner of the thread; dropping it lets the thread finish what waits and close the database.
pub(crate) struct Writer {
    jobs: Option<Jobs>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread with its connection; `path` names the database in errors. `segments` are those of the spool log,
    /// which are freed when their messages are done.
    pub(crate) fn start(
        conn: Connection,
        path: PathBuf,
        segments: Arc<Segments>,
    ) -> Result<Self, StoreError> {
        let (jobs, waiting) = sync_channel(QUEUE);
        let known = path.clone();
        let checkpoint = Checkpoint::start(path.clone())?;
        let thread = thread::Builder::new()
            .name("store".into())
            .stack_size(STACK)
            .spawn(move || {
                let ledger = Ledger {
                    conn: &conn,
                    segments: &segments,
                    durability: Durability::Commit,
                };
                serve(ledger, &waiting, &path, checkpoint);
            })
            .map_err(|error| StoreError::from_io(&known, &error))?;
        Ok(Self {
            jobs: Some(Jobs(jobs)),
            thread: Some(thread),
        })
    }

    /// The way to the thread.
    pub(crate) fn jobs(&self) -> Result<&Jobs, StoreError> {
        self.jobs.as_ref().ok_or_else(stopped)
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
    /// What it wants on the disk.
    fn durability(&self) -> Durability;
    /// Does the work inside the open savepoint.
    fn run(&mut self, tx: &Tx<'_>) -> Result<(), StoreError>;
    /// Tells the caller how it ended; `group` is the fate of the shared transaction.
    fn answer(self: Box<Self>, group: &Result<(), StoreError>, path: &Path);
}

struct Change<T, F, A> {
    durability: Durability,
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
    fn durability(&self) -> Durability {
        self.durability
    }

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

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".into())
}

/// The thread's belongings.
struct Ledger<'a> {
    conn: &'a Connection,
    segments: &'a Segments,
    durability: Durability,
}

fn serve(
    mut ledger: Ledger<'_>,
    waiting: &Receiver<Box<dyn Job>>,
    path: &Path,
    checkpoint: Checkpoint,
) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter().take(GROUP - 1));
        while !group.is_empty() {
            let (ran, fate) = ledger.commit_together(&mut group);
            let rest = group.split_off(ran);
            for job in group {
                job.answer(&fate, path);
            }
            group = rest;
        }
        checkpoint.look(ledger.conn);
    }
    // Its connection closes first: the last one to close tidies the log up.
    drop(checkpoint);
}

impl Ledger<'_> {
    /// Runs and commits the group. Returns how many of its jobs have their answer (at least one of a
    /// group that is not empty) and what became of the transaction they were in; the others were not
    /// begun and can go into a new one.
    fn commit_together(&mut self, group: &mut [Box<dyn Job>]) -> (usize, Result<(), StoreError>) {
        let most = group.iter().map(|job| job.durability()).max();
        let wanted = most.unwrap_or(Durability::Commit);
        if let Err(error) = self.begin(wanted) {
            return (group.len(), Err(error));
        }
        for (place, job) in group.iter_mut().enumerate() {
            if let Err(error) = self.run_alone(job.as_mut()) {
                self.undo();
                return (place + 1, Err(error));
            }
        }
        crate::fail_point!("store-before-commit");
        let fate = run(self.conn, "COMMIT");
        match fate {
            Ok(()) => self.committed(wanted),
            Err(_) => self.undo(),
        }
        (group.len(), fate)
    }

    fn begin(&mut self, wanted: Durability) -> Result<(), StoreError> {
        if self.durability != wanted {
            let pragma = match wanted {
                Durability::Log => "PRAGMA synchronous = NORMAL",
                Durability::Commit => "PRAGMA synchronous = FULL",
            };
            self.conn.execute_batch(pragma)?;
            self.durability = wanted;
        }
        run(self.conn, "BEGIN IMMEDIATE")
    }

    /// Runs one job in its savepoint. An error means that the whole transaction is lost, not merely
    /// this job: SQLite ends it by itself when the disk is full or fails.
    fn run_alone(&self, job: &mut dyn Job) -> Result<(), StoreError> {
        run(self.conn, "SAVEPOINT job")?;
        let outcome = job.run(&Tx { conn: self.conn });
        if self.conn.is_autocommit() {
            return Err(outcome.err().unwrap_or_else(|| StoreError::Defect {
                detail: "a change ended the transaction it shared".into(),
            }));
        }
        if outcome.is_err() {
            run(self.conn, "ROLLBACK TO job")?;
        }
        run(self.conn, "RELEASE job")
    }

    /// Frees what the commit has made free, where it is on the disk.
    fn committed(&self, durability: Durability) {
        crate::fail_point!("store-after-commit");
        if durability == Durability::Commit
            && let Ok(mark) = queue::marked(self.conn)
        {
            let entered = Position::of(mark).segment;
            // In doubt a segment is in use.
            let in_use = |segment| queue::uses_segment(self.conn, segment).unwrap_or(true);
            self.segments.reclaim(entered, in_use);
        }
    }

    fn undo(&self) {
        if !self.conn.is_autocommit() {
            // When even this fails the connection is past help and the next BEGIN reports it.
            let _ = run(self.conn, "ROLLBACK");
        }
    }
}

fn run(conn: &Connection, statement: &str) -> Result<(), StoreError> {
    conn.prepare_cached(statement)?.execute([])?;
    Ok(())
}
