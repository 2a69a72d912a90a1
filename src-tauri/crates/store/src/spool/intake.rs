//! The thread that takes messages in: writes those that wait together into the log, flushes once, answers, and has them
//! entered into the tables.
//!
//! The answer does not wait for the tables: what is in the log is safe, and comes back from it after a crash. A message must
//! not be left out on the way, though: the tables know the log up to a mark, and nothing before the mark is looked for
//! again. So when one cannot be entered (the disk of the database is full, another program holds it), none behind it is
//! ([`Gate`]), nothing more is taken in, and those that are in the log already are entered in their order as soon as that is possible.
//! One that the tables refuse for good, whatever is done about their surroundings, is put aside ([`refused`]).

use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::record::Position;
use super::{Content, FileMark, Log, record, refused, segment_path};
use crate::queue::{self, Accepted};
use crate::writer::{Durability, Jobs};
use crate::{StoreError, Tx};

/// Messages that may wait to be taken in.
const WAITING: usize = 1_024;
/// Messages that share one flush.
const GROUP: usize = 256;
/// How often those that could not be entered are tried again.
const RETRY: Duration = Duration::from_millis(500);
const STACK: usize = 512 << 10;

type Answer = Box<dyn FnOnce(Result<i64, StoreError>) + Send>;

/// A message on its way into the log.
struct Coming {
    accepted: Arc<Accepted>,
    facts: Vec<u8>,
    content: Content,
    answer: Answer,
}

/// What the thread is asked for.
enum Work {
    Take(Coming),
    /// Something could not be entered.
    Look,
    Stop,
}

/// A message that is in the log and not in the tables.
struct Logged {
    id: i64,
    accepted: Arc<Accepted>,
    file: Option<FileMark>,
}

/// Closed from the first message that could not be entered until all are.
type Gate = Arc<AtomicBool>;

/// The sending side. Dropping it lets the thread finish what waits.
pub(crate) struct Intake {
    gate: Gate,
    work: SyncSender<Work>,
    thread: Option<JoinHandle<()>>,
}

impl Intake {
    /// Starts the thread on an open log. `aside` is kept at the number of messages that lie aside.
    pub(crate) fn start(
        log: Log,
        jobs: Jobs,
        aside: Arc<AtomicUsize>,
    ) -> Result<Self, std::io::Error> {
        let (work, waiting) = sync_channel(WAITING);
        let (refuse, refused) = channel();
        let bell = work.clone();
        let gate = Gate::default();
        let taken = Gate::clone(&gate);
        let thread = thread::Builder::new()
            .name("spool".into())
            .stack_size(STACK)
            .spawn(move || {
                let taker = Taker {
                    log,
                    jobs,
                    gate: taken,
                    bell,
                    refuse,
                    refused,
                    behind: Vec::new(),
                    aside,
                    in_a_row: Arc::default(),
                };
                taker.serve(&waiting);
            })?;
        Ok(Self {
            gate,
            work,
            thread: Some(thread),
        })
    }

    /// Whether messages are in the log that the tables could not take yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.gate.load(Ordering::Acquire)
    }

    /// Queues a message; `answer` is called on the thread.
    pub(crate) fn take(
        &self,
        accepted: Arc<Accepted>,
        content: Content,
        answer: impl FnOnce(Result<i64, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        if accepted.recipients.len() > queue::MOST_RECIPIENTS {
            return Err(StoreError::Refused {
                detail: format!("{} recipients are too many", accepted.recipients.len()),
            });
        }
        let facts = facts(&accepted, content.file_mark())?;
        let coming = Coming {
            accepted,
            facts,
            content,
            answer: Box::new(answer),
        };
        self.work
            .try_send(Work::Take(coming))
            .map_err(|error| match error {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => closed(),
            })
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        // It has ended already when this fails.
        let _ = self.work.send(Work::Stop);
        if let Some(thread) = self.thread.take() {
            // It ends by panic only through a defect that its callers were told of.
            let _ = thread.join();
        }
    }
}

/// What the log has of a message beside its content.
fn facts(accepted: &Accepted, file: Option<&FileMark>) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&(accepted, file)).map_err(|error| StoreError::Refused {
        detail: error.to_string(),
    })
}

pub(crate) fn closed() -> StoreError {
    StoreError::Defect {
        detail: "a message came before the spool log was opened or after it was closed".into(),
    }
}

struct Taker {
    log: Log,
    jobs: Jobs,
    gate: Gate,
    bell: SyncSender<Work>,
    refuse: Sender<Arc<Logged>>,
    refused: Receiver<Arc<Logged>>,
    /// In the log and not in the tables, oldest first.
    behind: Vec<Arc<Logged>>,
    /// Messages that lie aside.
    aside: Arc<AtomicUsize>,
    /// Messages that were put aside since the last one that the tables took.
    in_a_row: Arc<AtomicUsize>,
}

impl Taker {
    fn serve(mut self, waiting: &Receiver<Work>) {
        loop {
            let is_behind = self.gate.load(Ordering::Acquire);
            let first = if is_behind {
                waiting.recv_timeout(RETRY).unwrap_or(Work::Look)
            } else {
                // The thread holds a sender itself, so this ends only with Stop.
                waiting.recv().unwrap_or(Work::Stop)
            };
            let mut group = Vec::new();
            let mut stops = false;
            for work in std::iter::once(first).chain(waiting.try_iter().take(GROUP - 1)) {
                match work {
                    Work::Take(coming) => group.push(coming),
                    Work::Look => {}
                    Work::Stop => stops = true,
                }
            }
            match self.catch_up() {
                Ok(()) => self.take(group),
                Err(error) => refuse_all(group, &error),
            }
            if stops {
                // Those that are behind come back from the log at the next start.
                return;
            }
        }
    }

    /// Into the log, onto the disk, answered, and on to the tables.
    fn take(&mut self, group: Vec<Coming>) {
        if group.is_empty() {
            return;
        }
        let mut logged = Vec::with_capacity(group.len());
        let mut staged = Vec::with_capacity(group.len());
        for coming in group {
            let in_log = match &coming.content {
                Content::Memory(bytes) => bytes.as_slice(),
                Content::File(_) => &[],
            };
            match self.log.stage(&coming.facts, in_log) {
                Ok(at) => {
                    logged.push(Logged {
                        id: at.id(),
                        accepted: coming.accepted,
                        file: coming.content.file_mark().cloned(),
                    });
                    staged.push((at.id(), coming.answer));
                }
                Err(error) => (coming.answer)(Err(error)),
            }
        }
        if let Err(error) = self.log.flush() {
            self.log.forget();
            for (_, answer) in staged {
                answer(Err(error.clone()));
            }
            return;
        }
        crate::fail_point!("spool-before-enter");
        // Queued before anybody is told, so that what becomes of a message is entered after it.
        for one in logged {
            self.enter(Arc::new(one));
        }
        for (id, answer) in staged {
            answer(Ok(id));
        }
    }

    fn enter(&self, logged: Arc<Logged>) {
        let (gate, refuse, bell) = (
            Gate::clone(&self.gate),
            self.refuse.clone(),
            self.bell.clone(),
        );
        let mine = Arc::clone(&logged);
        let closing = Gate::clone(&gate);
        let in_a_row = Arc::clone(&self.in_a_row);
        let work = move |tx: &Tx<'_>| {
            if gate.load(Ordering::Acquire) {
                return Err(StoreError::Busy);
            }
            // Closed also when it falls over, before the next of this commit moves the mark on.
            let closes = CloseUnlessEntered(&gate);
            enter_one(tx, &mine)?;
            closes.entered();
            Ok(())
        };
        let answer = move |result: Result<(), StoreError>| {
            if result.is_ok() {
                in_a_row.store(0, Ordering::Release);
            } else {
                closing.store(true, Ordering::Release);
                // The receiver lives as long as the thread.
                let _ = refuse.send(logged);
                // Busy enough to look anyway when there is no place.
                let _ = bell.try_send(Work::Look);
            }
        };
        // Waits while the tables are far behind: then the log waits too.
        self.jobs.queue_waiting(Durability::Log, work, answer);
    }

    /// Enters those that are behind, in their order.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        while self.gate.load(Ordering::Acquire) {
            self.behind.extend(self.refused.try_iter());
            self.behind.sort_unstable_by_key(|one| one.id);
            while !self.behind.is_empty() {
                if let Some(why) = self.enter_behind()? {
                    self.put_first_aside(&why)?;
                }
            }
            // Those that were on their way meanwhile were refused before this was entered.
            self.behind.extend(self.refused.try_iter());
            if self.behind.is_empty() {
                self.gate.store(false, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Enters those that are behind up to the first that the tables refuse for good, and tells why they do.
    fn enter_behind(&mut self) -> Result<Option<StoreError>, StoreError> {
        let all = self.behind.clone();
        let (entered, refused) = self.change(move |tx| {
            for (place, logged) in all.iter().enumerate() {
                let refused = refused::try_to_enter(tx, |tx| enter_one(tx, logged))?;
                if refused.is_some() {
                    return Ok((place, refused));
                }
            }
            Ok((all.len(), None))
        })?;
        if entered > 0 {
            self.in_a_row.store(0, Ordering::Release);
        }
        for logged in self.behind.drain(..entered) {
            // It was put aside, and the mark could not be moved: nearly never, and then a sign too many.
            let _ = refused::remove(self.log.folder(), logged.id);
        }
        Ok(refused)
    }

    /// Lets the others go on without the oldest of those that are behind.
    fn put_first_aside(&mut self, why: &StoreError) -> Result<(), StoreError> {
        let Some(first) = self.behind.first().cloned() else {
            return Ok(());
        };
        if self.in_a_row.load(Ordering::Acquire) >= refused::MOST_IN_A_ROW {
            return Err(why.clone());
        }
        let folder = self.log.folder();
        let facts = facts(&first.accepted, first.file.as_ref())?;
        let content = self.content_in_log(first.id)?;
        refused::put_aside(folder, first.id, &facts, &content, why)?;
        // Before the mark: who looks after it sees it.
        self.aside
            .store(refused::list(folder)?.len(), Ordering::Release);
        let id = first.id;
        self.change(move |tx| queue::mark(tx, id))?;
        self.in_a_row.fetch_add(1, Ordering::AcqRel);
        self.behind.remove(0);
        Ok(())
    }

    /// Nothing where the log does not give it back.
    fn content_in_log(&self, id: i64) -> Result<Vec<u8>, StoreError> {
        let at = Position::of(id);
        let path = segment_path(self.log.folder(), at.segment);
        File::open(&path)
            .and_then(|file| record::read(&file, self.log.identity(), at))
            .map(|record| record.map(|record| record.content).unwrap_or_default())
            .or_else(|error| match error.kind() {
                ErrorKind::NotFound => Ok(Vec::new()),
                _ => Err(StoreError::from_io(&path, &error)),
            })
    }

    /// A change of the tables, waited for.
    fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, wait) = sync_channel(1);
        self.jobs
            .queue_waiting(Durability::Log, work, move |result| {
                // The caller waits below, so the send cannot fail.
                let _ = answer.send(result);
            });
        wait.recv().unwrap_or_else(|_| Err(closed()))
    }
}

/// Closes the gate when it goes out of scope, unless the message was entered.
struct CloseUnlessEntered<'a>(&'a AtomicBool);

impl CloseUnlessEntered<'_> {
    fn entered(self) {
        std::mem::forget(self);
    }
}

impl Drop for CloseUnlessEntered<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn enter_one(tx: &Tx<'_>, logged: &Logged) -> Result<(), StoreError> {
    queue::insert(tx, logged.id, &logged.accepted, logged.file.as_ref())?;
    queue::mark(tx, logged.id)
}

fn refuse_all(group: Vec<Coming>, error: &StoreError) {
    for coming in group {
        (coming.answer)(Err(error.clone()));
    }
}
