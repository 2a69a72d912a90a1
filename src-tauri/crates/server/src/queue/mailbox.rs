//! Fills Maildirs: writes what is ready, and now and then has the disk keep it all with one flush.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use message::trace;
use settings::Mailbox;
use smtp::client::{Outcome, Trouble};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lanes::{MAILBOX, Turn};
use super::mail::{Job, Mail, Ready, Waiting, octets};
use super::pipe::{self, Pipe};
use super::{UnderWay, load, settle, ways};
use crate::deliver::maildir::{self, Copy, Message};
use crate::shared::Shared;

/// Messages written in one go.
const BATCH: usize = 64;
const BATCH_OCTETS: u64 = 2 << 20;
/// Messages that are in mailboxes and not yet flushed; beyond it nothing more is written.
const UNFLUSHED: usize = 4_096;
/// Octets of content in memory that these hold; at half of it, those that are there are flushed.
const UNFLUSHED_OCTETS: usize = 8 << 20;
/// A copy waits at most so long for its flush.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// Copies that are written, with the folder they are below.
#[derive(Debug)]
pub(crate) struct Written {
    root: PathBuf,
    mail: Arc<Mail>,
    outcomes: Vec<(Waiting, Outcome)>,
    /// What its content holds of [`UNFLUSHED_OCTETS`].
    room: Option<OwnedSemaphorePermit>,
}

/// The way to the one who flushes.
#[derive(Debug)]
pub(crate) struct Unflushed {
    pipe: Pipe<Written>,
    room: Arc<Semaphore>,
}

impl Default for Unflushed {
    fn default() -> Self {
        Self {
            pipe: Pipe::new(UNFLUSHED),
            room: Arc::new(Semaphore::new(UNFLUSHED_OCTETS)),
        }
    }
}

impl Unflushed {
    /// Hands it on, when there is room for it.
    async fn send(&self, mut written: Written) {
        let octets = octets(&written.mail.content).min(UNFLUSHED_OCTETS);
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        written.room = Arc::clone(&self.room).acquire_many_owned(octets).await.ok();
        // The one who flushes ends after this one.
        self.pipe.send(written).await;
    }
}

/// Works on the lane of mailboxes until it has been empty for a while, or mailboxes are another program's affair.
pub(crate) async fn work(shared: Arc<Shared>) {
    let lanes = &shared.queue.lanes;
    let mut presence = lanes.presence(MAILBOX);
    while !shared.end.is_cancelled() {
        let Turn::Work(first) = lanes.next(MAILBOX, &shared.end).await else {
            presence.has_left();
            break;
        };
        let snapshot = shared.current.get();
        if !is_disk(&snapshot.settings.service.mailbox) {
            lanes.undo(MAILBOX, first);
            break;
        }
        let mut batch = vec![first];
        batch.extend(lanes.more(MAILBOX, BATCH - 1, BATCH_OCTETS));
        let _under_way: Vec<UnderWay<'_>> = batch
            .iter()
            .map(|ready| shared.queue.under_way(MAILBOX, ready.octets()))
            .collect();
        let batch = with_mailboxes(&shared, batch).await;
        let ids: Vec<i64> = batch.iter().flat_map(Ready::ids).collect();
        let root = shared.mail_root(&snapshot);
        let host = snapshot.settings.general.hostname.clone();
        let store = shared.store.clone();
        let written = tokio::task::spawn_blocking(move || {
            let host = host.as_ref().map_or("localhost", |name| name.ascii());
            let one = |ready| Ok(write(&root, host, load::read(&store, ready)?));
            batch.into_iter().map(one).collect::<Vec<_>>()
        })
        .await;
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                tracing::error!("filling mailboxes fell over, and is done again: {error}");
                settle::give_back(&shared, MAILBOX, ids).await;
                continue;
            }
        };
        for one in written {
            match one {
                Ok(written) => shared.queue.unflushed.send(written).await,
                Err(unreadable) => load::put_off(&shared, unreadable).await,
            }
        }
    }
    drop(presence);
    shared.queue.wake.notify_one();
}

/// Leaves out those whose domain became ours while they waited: whose mailboxes they go to is found out now, and then they
/// come again.
async fn with_mailboxes(shared: &Arc<Shared>, batch: Vec<Ready>) -> Vec<Ready> {
    let (mut known, unknown): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(Ready::has_all_mailboxes);
    for ready in unknown {
        if let Some(job) = load::job(shared, ready).await
            && let Some(job) = ways::keep_those_who_go_there(shared, MAILBOX, job).await
        {
            known.push(Ready::Job(job));
        }
    }
    known
}

fn write(root: &std::path::Path, host: &str, job: Job) -> Written {
    let name = maildir::file_name(job.mail.accepted_at_ms, job.mail.id, host);
    let message = Message::new(&job.mail.content, &name);
    let outcomes = job
        .recipients
        .into_iter()
        .map(|waiting| {
            let outcome = match &message {
                Ok(message) => copy(root, &job.mail, &waiting, message),
                Err(error) => Outcome::Deferred(unreadable(error)),
            };
            (waiting, outcome)
        })
        .collect();
    Written {
        root: root.to_owned(),
        mail: job.mail,
        outcomes,
        room: None,
    }
}

fn unreadable(error: &std::io::Error) -> Trouble {
    Trouble::new((4, 3, 0), format!("the spool could not be read: {error}"))
}

fn copy(root: &std::path::Path, mail: &Mail, waiting: &Waiting, message: &Message<'_>) -> Outcome {
    // RFC 5321 §4.4: the final delivery names the reverse-path.
    let head = format!(
        "{}{}{}",
        trace::return_path(&mail.sender),
        trace::delivered_to(&waiting.address),
        mail.head
    );
    let copy = Copy {
        mailbox: waiting.mailbox.clone(),
        head,
    };
    match maildir::write(root, &copy, message) {
        Ok(()) => Outcome::Delivered {
            reply: String::new(),
            dsn_passed_on: false,
        },
        Err(error) => Outcome::Deferred(trouble(&waiting.mailbox, &error)),
    }
}

fn trouble(mailbox: &str, error: &std::io::Error) -> Trouble {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        Trouble::new(
            (4, 3, 1),
            format!("the disk with the mailbox of {mailbox} is full"),
        )
    } else {
        Trouble::new(
            (4, 2, 0),
            format!("the mailbox of {mailbox} could not be written: {error}"),
        )
    }
}

/// Flushes what was written and has it settled, until the server has stopped and nothing is left.
pub(crate) async fn flush(shared: Arc<Shared>, done: CancellationToken) {
    let pipe = &shared.queue.unflushed.pipe;
    let Some(mut receiver) = pipe.open().await else {
        return;
    };
    while let Some(first) = pipe::next(&mut receiver, &done).await {
        let written = gather(first, &mut receiver, &done).await;
        settle_flushed(&shared, written).await;
    }
    pipe.close(receiver).await;
}

async fn gather(
    first: Written,
    receiver: &mut mpsc::Receiver<Written>,
    done: &CancellationToken,
) -> Vec<Written> {
    let mut held = octets(&first.mail.content);
    let mut written = vec![first];
    let until = Instant::now() + FLUSH_AFTER;
    while written.len() < UNFLUSHED / 2 && held < UNFLUSHED_OCTETS / 2 {
        let left = until.saturating_duration_since(Instant::now());
        let wait = if done.is_cancelled() {
            Duration::ZERO
        } else {
            left
        };
        match timeout(wait, receiver.recv()).await {
            Ok(Some(more)) => {
                held += octets(&more.mail.content);
                written.push(more);
            }
            Ok(None) | Err(_) => break,
        }
    }
    written
}

async fn settle_flushed(shared: &Arc<Shared>, written: Vec<Written>) {
    let mut roots: Vec<PathBuf> = written
        .iter()
        .filter(|one| has_copies(one))
        .map(|one| one.root.clone())
        .collect();
    roots.dedup();
    let flushed =
        tokio::task::spawn_blocking(move || roots.iter().try_for_each(|root| maildir::flush(root)))
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)));
    store::fail_point!("mailbox-after-flush");
    for one in written {
        let outcomes = match &flushed {
            Ok(()) => one.outcomes,
            // What cannot be known to be on the disk is delivered again, under the same name.
            Err(error) => one
                .outcomes
                .into_iter()
                .map(|(waiting, _)| {
                    let trouble = trouble(&waiting.mailbox, error);
                    (waiting, Outcome::Deferred(trouble))
                })
                .collect(),
        };
        let hop = match outcomes.as_slice() {
            [(only, _)] => format!("mailbox of {}", only.mailbox),
            _ => "mailboxes".to_owned(),
        };
        settle::conclude(shared, MAILBOX, &one.mail, outcomes, &hop).await;
    }
}

fn has_copies(written: &Written) -> bool {
    written
        .outcomes
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::Delivered { .. }))
}

/// Whether mailboxes are folders of this machine and not another program's affair.
pub(crate) fn is_disk(mailbox: &Mailbox) -> bool {
    matches!(mailbox, Mailbox::Maildir(_))
}
