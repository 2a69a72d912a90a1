//! Fills Maildirs: writes what is ready, and now and then has the disk keep it all with one flush.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use message::trace;
use settings::Mailbox;
use smtp::client::{Outcome, Trouble};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lanes::{MAILBOX, Turn};
use super::mail::{Job, Mail, Waiting};
use super::settle;
use crate::deliver::maildir::{self, Copy, Message};
use crate::shared::Shared;

/// Messages written in one go.
const BATCH: usize = 64;
/// Messages that are in mailboxes and not yet flushed; beyond it nothing more is written.
const UNFLUSHED: usize = 4_096;
/// A copy waits at most so long for its flush.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// Copies that are written, with the folder they are below.
#[derive(Debug)]
pub(crate) struct Written {
    root: PathBuf,
    mail: Arc<Mail>,
    outcomes: Vec<(Waiting, Outcome)>,
}

/// The way to the one who flushes.
#[derive(Debug)]
pub(crate) struct Unflushed {
    sender: mpsc::Sender<Written>,
    receiver: Mutex<Option<mpsc::Receiver<Written>>>,
}

impl Default for Unflushed {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(UNFLUSHED);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }
}

/// Works on the lane of mailboxes until it has been empty for a while.
pub(crate) async fn work(shared: Arc<Shared>) {
    let mut presence = shared.queue.lanes.presence(MAILBOX);
    loop {
        let Turn::Work(first) = shared.queue.lanes.next(MAILBOX).await else {
            presence.has_left();
            break;
        };
        let mut jobs = vec![first];
        jobs.extend(shared.queue.lanes.more(MAILBOX, BATCH - 1));
        let octets: Vec<usize> = jobs.iter().map(Job::octets).collect();
        let snapshot = shared.current.get();
        let root = shared.mail_root(&snapshot);
        let host = snapshot.settings.general.hostname.clone();
        let written = tokio::task::spawn_blocking(move || {
            let host = host.as_ref().map_or("localhost", |name| name.ascii());
            jobs.into_iter()
                .map(|job| write(&root, host, job))
                .collect::<Vec<_>>()
        })
        .await
        .unwrap_or_default();
        for one in written {
            // The one who flushes ends after this one.
            let _ = shared.queue.unflushed.sender.send(one).await;
        }
        for octets in octets {
            shared.queue.done(MAILBOX, octets);
        }
    }
}

fn write(root: &std::path::Path, host: &str, job: Job) -> Written {
    let name = maildir::file_name(job.mail.accepted_at_ms, job.mail.id, host);
    let outcomes = match Message::new(&job.mail.content, &name) {
        Ok(message) => job
            .recipients
            .into_iter()
            .map(|waiting| {
                let outcome = copy(root, &job.mail, &waiting, &message);
                (waiting, outcome)
            })
            .collect(),
        Err(error) => job
            .recipients
            .into_iter()
            .map(|waiting| (waiting, Outcome::Deferred(unreadable(&error))))
            .collect(),
    };
    Written {
        root: root.to_owned(),
        mail: job.mail,
        outcomes,
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
    let Some(mut receiver) = shared.queue.unflushed.receiver.lock().await.take() else {
        return;
    };
    loop {
        let first = tokio::select! {
            first = receiver.recv() => first,
            () = done.cancelled() => receiver.try_recv().ok(),
        };
        let Some(first) = first else {
            break;
        };
        let written = gather(first, &mut receiver, &done).await;
        settle_flushed(&shared, written).await;
    }
    shared
        .queue
        .unflushed
        .receiver
        .lock()
        .await
        .replace(receiver);
}

async fn gather(
    first: Written,
    receiver: &mut mpsc::Receiver<Written>,
    done: &CancellationToken,
) -> Vec<Written> {
    let mut written = vec![first];
    let until = Instant::now() + FLUSH_AFTER;
    while written.len() < UNFLUSHED / 2 {
        let left = until.saturating_duration_since(Instant::now());
        let wait = if done.is_cancelled() {
            Duration::ZERO
        } else {
            left
        };
        match timeout(wait, receiver.recv()).await {
            Ok(Some(more)) => written.push(more),
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
