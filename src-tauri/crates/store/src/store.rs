//! The handle everything else holds.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::queue::Accepted;
use crate::readers::Readers;
use crate::spool::refused::Entering;
use crate::spool::{self, Content, Found, Intake, Log, Segments};
use crate::writer::{self, Durability, Tx, Writer};
use crate::{DataDir, StoreError, open, queue};

/// Full segments of the spool log whose few messages stay where they are.
const SEGMENTS_LEFT: usize = 8;
/// Messages that do not justify a segment of 16 MB.
const FEW: usize = 64;

/// What a start found; see [`Store::recover`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Messages that were in the log alone.
    pub messages: usize,
    /// Messages that lie aside in the spool folder because the tables refused them, at this start or before.
    pub refused: usize,
    /// Places in the log that cannot be read although sound records follow: mail may be lost there.
    pub gaps: usize,
    /// Where the spool of another database lies, put aside at this start or before; of several the latest.
    pub set_aside: Option<PathBuf>,
}

/// The open database of one data folder. Clones are handles of the same store; the last one
/// dropped finishes the waiting changes and closes the file.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// The writer stands last: fields are dropped in order, and the last connection to close tidies the
/// write-ahead log up.
struct Inner {
    data: DataDir,
    readers: Readers,
    watch: Mutex<Option<Connection>>,
    segments: Arc<Segments>,
    /// Messages that lie aside.
    refused: Arc<AtomicUsize>,
    /// Of the server that holds the folder's lock. It queues changes, so it ends before the writer.
    intake: Mutex<Option<Intake>>,
    writer: Writer,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("data", &self.inner.data)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database of `data`, making folder and file when they are missing, closing both to
    /// other users, and bringing the format up to date. Takes milliseconds, and is to be called
    /// outside async code.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Newer`] leave the file exactly as it was; the other
    /// variants name the folder or file in the way.
    pub fn open(data: &DataDir) -> Result<Self, StoreError> {
        data.create()?;
        open::prepare(data)?;
        let path = data.database();
        let conn = open::writer(&path)?;
        // SQLite made its side files by now, with the mode of the database.
        data.close_files()?;
        let segments = Arc::new(Segments::new(data.spool()));
        let inner = Inner {
            data: data.clone(),
            readers: Readers::new(path.clone()),
            watch: Mutex::new(None),
            writer: Writer::start(conn, path, Arc::clone(&segments))?,
            segments,
            refused: Arc::default(),
            intake: Mutex::new(None),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The folder this store was opened on.
    pub fn data_dir(&self) -> &DataDir {
        &self.inner.data
    }

    /// Makes a change and waits until it is on the disk. The change is all or nothing, also when
    /// `work` fails or panics; changes queued at the same time share one commit. Must not be called
    /// from async code (see [`Store::write`]).
    ///
    /// # Errors
    /// What `work` returned, [`StoreError::Busy`] when 1024 changes wait already, or the reason why
    /// the commit failed.
    pub fn write_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        if self.inner.writer.is_current() {
            return Err(StoreError::Defect {
                detail: "a change waits for another change".into(),
            });
        }
        let (answer, wait) = sync_channel(1);
        self.inner
            .writer
            .jobs()?
            .queue(Durability::Commit, work, move |result| {
                // The caller waits below, so the send cannot fail.
                let _ = answer.send(result);
            })?;
        wait.recv().unwrap_or_else(|_| Err(writer::stopped()))
    }

    /// Like [`Store::write_blocking`], for async code of any runtime. The change is queued at once,
    /// before the future is polled; dropping the future does not take it back.
    ///
    /// # Errors
    /// As [`Store::write_blocking`].
    pub fn write<T, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.queue(Durability::Commit, work)
    }

    /// Like [`Store::write`] for what may be lost of the last moments when the power is cut, such as the record of a
    /// refusal: everybody sees it when the future is ready, and the disk is not waited for.
    ///
    /// # Errors
    /// As [`Store::write_blocking`].
    pub fn note<T, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.queue(Durability::Log, work)
    }

    /// Takes a message over: it is in the spool log on the disk when the future is ready, which gives its number. Queue and
    /// journal have it moments later; changes queued after that find it there. Dropping the future does not take
    /// it back.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when 1024 messages wait already, or why the log cannot be written or the tables do not follow;
    /// then nobody answers for the message.
    pub fn accept(
        &self,
        accepted: Arc<Accepted>,
        content: Content,
    ) -> impl Future<Output = Result<i64, StoreError>> + Send + use<> {
        let (answer, wait) = oneshot::channel();
        let queued = match &*self.intake() {
            None => Err(spool::closed()),
            Some(intake) => intake.take(accepted, content, move |result| {
                // Nobody waits any more: the message stands all the same.
                let _ = answer.send(result);
            }),
        };
        async move {
            queued?;
            wait.await.unwrap_or_else(|_| Err(spool::closed()))
        }
    }

    /// [`Store::accept`] outside async code. When it returns, queue and journal have the message too.
    ///
    /// # Errors
    /// As [`Store::accept`].
    pub fn accept_blocking(&self, accepted: Accepted, content: Content) -> Result<i64, StoreError> {
        let (answer, wait) = sync_channel(1);
        match &*self.intake() {
            None => return Err(spool::closed()),
            Some(intake) => intake.take(Arc::new(accepted), content, move |result| {
                // The caller waits below, so the send cannot fail.
                let _ = answer.send(result);
            })?,
        }
        let id = wait.recv().unwrap_or_else(|_| Err(spool::closed()))?;
        self.write_blocking(|_| Ok(()))?;
        Ok(id)
    }

    /// Whether messages that are answered for are in the spool log alone, because the tables could not take them. Until
    /// they can nothing more is accepted, and what becomes of those messages cannot be entered either.
    pub fn is_behind(&self) -> bool {
        self.intake().as_ref().is_some_and(Intake::is_behind)
    }

    /// Messages that lie aside in the spool folder (`refused-NUMBER.eml` with the message, `.json` with its recipients)
    /// because the tables refused them, as far as this handle's server knows.
    pub fn refused(&self) -> usize {
        self.inner.refused.load(Ordering::Acquire)
    }

    fn intake(&self) -> MutexGuard<'_, Option<Intake>> {
        self.inner
            .intake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn queue<T, F>(
        &self,
        durability: Durability,
        work: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, wait) = oneshot::channel();
        let queued = self.inner.writer.jobs().and_then(|jobs| {
            jobs.queue(durability, work, move |result| {
                // Nobody waits any more: the change stands all the same.
                let _ = answer.send(result);
            })
        });
        async move {
            queued?;
            wait.await.unwrap_or_else(|_| Err(writer::stopped()))
        }
    }

    /// Makes the queue ready for the server that holds the folder's lock: enters what the log holds and the tables do not,
    /// ends what was being sent, puts files without a message aside, and opens the log for writing. A message that the tables
    /// refuse is put aside, and so is a spool that belongs to another database. Blocking.
    ///
    /// # Errors
    /// When log or database cannot be read or written.
    pub fn recover(&self) -> Result<Recovered, StoreError> {
        // One that wrote the log before has ended, and what it had queued is through.
        let old = self.intake().take();
        drop(old);
        self.inner.data.create_spool()?;
        let set_aside = self.set_foreign_spool_aside()?;
        let folder = self.inner.data.spool();
        let (found, taken) = self.enter_log()?;
        crate::fail_point!("recovery-after-commit");
        for id in taken {
            // It is told of once too often when this fails.
            let _ = spool::refused::remove(&folder, id);
        }
        spool::orphans::sort(&folder, &self.read(queue::files)?);
        let (mark, identity) =
            self.read(|conn| Ok((queue::marked(conn)?, queue::identity(conn)?)))?;
        let segments = Arc::clone(&self.inner.segments);
        let log = Log::open(segments, identity, spool::Position::of(mark).segment)?;
        let jobs = self.inner.writer.jobs()?.clone();
        self.count_refused()?;
        let intake = Intake::start(log, jobs, Arc::clone(&self.inner.refused))
            .map_err(|error| StoreError::from_io(&folder, &error))?;
        *self.intake() = Some(intake);
        Ok(Recovered {
            messages: found.messages,
            refused: self.refused(),
            gaps: found.gaps,
            set_aside,
        })
    }

    /// Enters what the log holds and the tables do not. Returns also the messages that lay aside and are in the tables now.
    fn enter_log(&self) -> Result<(Found, Vec<i64>), StoreError> {
        let folder = self.inner.data.spool();
        self.write_blocking(move |tx| {
            let (mark, identity) = (queue::marked(tx)?, queue::identity(tx)?);
            let mut entering = Entering::begin(tx, &folder)?;
            let mut found = spool::recover(&folder, identity, mark, |id, facts, content| {
                entering.enter(id, facts, content)
            })?;
            let (refused, taken) = entering.end();
            found.messages -= refused;
            queue::reset(tx)?;
            crate::fail_point!("recovery-before-commit");
            Ok((found, taken))
        })
    }

    /// Somebody may have seen to those that lay aside.
    fn count_refused(&self) -> Result<(), StoreError> {
        let refused = spool::refused::list(&self.inner.data.spool())?.len();
        self.inner.refused.store(refused, Ordering::Release);
        Ok(())
    }

    /// A database that has never accepted anything beside a spool with mail in it: somebody began anew and left the spool.
    /// Its mail cannot be delivered from here, but nobody throws it away.
    fn set_foreign_spool_aside(&self) -> Result<Option<PathBuf>, StoreError> {
        let data = &self.inner.data;
        let (mark, identity) =
            self.read(|conn| Ok((queue::marked(conn)?, queue::identity(conn)?)))?;
        if mark == 0 && spool::is_foreign(&data.spool(), identity)? {
            let aside = spool::put_foreign_aside(data)?;
            data.create_spool()?;
            return Ok(Some(aside));
        }
        Ok(spool::foreign(data).pop().map(|(_, aside)| aside))
    }

    /// The content of a message that waits, checked to be what was accepted. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Spool`] when what lies in the spool is not what was accepted.
    pub fn content(&self, message: i64) -> Result<Content, StoreError> {
        let folder = self.inner.data.spool();
        let look = || self.read(|conn| Ok((queue::identity(conn)?, queue::stored(conn, message)?)));
        let (identity, stored) = look()?;
        let gone = || StoreError::Defect {
            detail: format!("the queue has no message {message}"),
        };
        let stored = stored.ok_or_else(gone)?;
        let was_in_log = stored.file.is_none();
        match spool::content(&folder, identity, message, stored) {
            // It may have been moved out of the log between the look and the reading.
            Err(_) if was_in_log => {
                let stored = look()?.1.ok_or_else(gone)?;
                spool::content(&folder, identity, message, stored)
            }
            content => content,
        }
    }

    /// Moves the content of messages that have waited for long out of the log, so that a few of them do not keep whole
    /// segments: those beyond the newest [`SEGMENTS_LEFT`] in which no more than [`FEW`] messages wait. Blocking.
    ///
    /// # Errors
    /// When spool or database cannot be read or written; what was moved before is moved.
    pub fn compact(&self) -> Result<(), StoreError> {
        let folder = self.inner.data.spool();
        let identity = self.read(queue::identity)?;
        let segments = spool::full_segments(&folder)?;
        let old = segments.len().saturating_sub(SEGMENTS_LEFT);
        for segment in segments.into_iter().take(old) {
            let ids = self.read(|conn| queue::in_segment(conn, segment, FEW + 1))?;
            if ids.len() > FEW {
                continue;
            }
            for id in ids {
                let file = spool::move_out(&folder, identity, id)?;
                let path = folder.join(&file.name);
                if !self.write_blocking(move |tx| queue::moved(tx, id, &file))? {
                    // The message is gone; at worst the next start removes its file.
                    let _ = std::fs::remove_file(path);
                }
            }
        }
        Ok(())
    }

    /// Removes content files without a message that lay aside before `before_ms` already, and counts anew the messages that
    /// lie aside. To be called now and then; `now_ms` and `before_ms` are in milliseconds since 1970 UTC. Blocking.
    ///
    /// # Errors
    /// When the spool folder cannot be read or written.
    pub fn tidy_spool(&self, now_ms: i64, before_ms: i64) -> Result<(), StoreError> {
        let folder = self.inner.data.spool();
        self.count_refused()?;
        spool::orphans::prune(&folder, now_ms, before_ms)
            .map_err(|error| StoreError::from_io(&folder, &error))
    }

    /// Reads on one snapshot of the database, beside the writer. Blocks for the time of the queries,
    /// and for a free connection when four reads run already; a read inside a read may wait for ever.
    ///
    /// # Errors
    /// What `work` returned, or the reason why no connection could be opened.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.inner.readers.read(work)
    }

    /// A number that differs from the last one asked for when anything was committed in between, by
    /// this process or another; a few microseconds. It means nothing beyond this handle's process.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        let path = self.inner.data.database();
        let mut watch = self
            .inner
            .watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let conn = match watch.take() {
            Some(conn) => conn,
            None => open::reader(&path)?,
        };
        let version = conn
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        *watch = Some(conn);
        version.map_err(|error| StoreError::from(error).at(&path))
    }

    /// Looks for damage in the whole database, the journal included; seconds when that is large.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first thing found.
    pub fn check(&self) -> Result<(), StoreError> {
        let path = self.inner.data.database();
        // A connection of its own: the others would answer from pages they read before the damage.
        open::check_all(&open::reader(&path)?, &path)
    }
}
