//! The queue: what waits, why, and what a person does with it.
//!
//! A server that runs sees a change within a moment by itself; none needs to run.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use server::clock;
use settings::Problem;
use store::queue::{self, Act, Attempt, Filter, Row, Which};
use ts_rs::TS;

use crate::{Control, Failure, FailureKind};

/// Rows of one page.
const MAX_PAGE: u32 = 500;
/// Recipients that one call can name; more are chosen by a filter.
const MAX_IDS: usize = 10_000;
/// Attempts shown of one recipient or message.
pub(crate) const MAX_ATTEMPTS: usize = 200;
/// Octets of a header block that are shown.
const MAX_HEAD: usize = 16 * 1024;
const STATES: [&str; 4] = ["waiting", "sending", "held", "returning"];

/// Which recipients are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
pub struct QueueFilter {
    /// Part of an address, the sender, the subject, the token, the destination or the reason; empty for all.
    pub text: String,
    /// waiting, sending, held or returning; empty or all for every one.
    #[ts(type = "QueueRow[\"state\"] | \"all\" | \"\"")]
    pub state: String,
    /// Only this destination: mailbox, relay or domain:NAME.
    pub destination: Option<String>,
    /// Only those up to this number: the highest of the list that a person saw, so that what they do touches nothing
    /// that came later.
    #[ts(optional = nullable)]
    pub up_to: Option<i64>,
}

/// One recipient of a message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct QueueRow {
    /// Number of the recipient.
    pub id: i64,
    /// Number of the message, the same for all its recipients.
    pub message: i64,
    /// Opens the entry of the mail log.
    pub token: String,
    /// MAIL FROM; empty for the null sender.
    pub sender: String,
    /// The recipient.
    pub recipient: String,
    /// Where it goes: mailbox, relay or domain:NAME.
    pub destination: String,
    /// Octets.
    pub size: u64,
    /// Its subject, or empty.
    pub subject: String,
    /// When it was accepted, milliseconds since 1970.
    pub accepted_at_ms: i64,
    /// waiting, sending, held or returning.
    #[ts(type = "\"waiting\" | \"sending\" | \"held\" | \"returning\"")]
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next, milliseconds since 1970; means something while it waits.
    pub next_at_ms: i64,
    /// When it goes back to the sender, milliseconds since 1970.
    pub expires_at_ms: i64,
    /// What was said at the last attempt, of it or of its destination; or empty.
    pub reason: String,
}

/// A page of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct QueuePage {
    /// Newest first.
    pub rows: Vec<QueueRow>,
    /// All that match.
    pub total: u64,
    /// Whether older ones follow.
    pub more: bool,
}

/// One line of the history of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct QueueAttempt {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// For whom.
    pub recipient: String,
    /// delivered, deferred, failed or removed.
    #[ts(type = "\"delivered\" | \"deferred\" | \"failed\" | \"removed\"")]
    pub outcome: String,
    /// Who took it or not: a mailbox, or a server and how the way there was protected.
    pub hop: String,
    /// What was said, or empty.
    pub reply: String,
}

/// A recipient with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct QueueEntry {
    /// The row.
    pub row: QueueRow,
    /// The attempts for this recipient, oldest first.
    pub attempts: Vec<QueueAttempt>,
    /// The header block of the message, at most 16 KB of it.
    pub head: String,
}

/// What to do with recipients in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum QueueAct {
    /// Try at once.
    Retry,
    /// Keep, and neither try nor return until it is released.
    Hold,
    /// End a hold.
    Release,
    /// Back to the sender with a report.
    Return,
    /// Throw away; nobody is told.
    Remove,
}

/// To which recipients it is done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum QueueWhich {
    /// These, at most 10,000. Those that are not in the queue any more are passed over.
    Ids(Vec<i64>),
    /// All that match.
    Matching(QueueFilter),
}

/// What was done to recipients in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueActed {
    /// Recipients that it changed.
    pub changed: u64,
    /// Numbers that were named and are not in the queue.
    pub gone: Vec<i64>,
    /// Recipients that are being sent at the moment and were left alone.
    pub under_way: Vec<i64>,
}

impl QueueActed {
    /// What was named and could not be acted on, as a refusal.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        let under_way = |id: &i64| {
            Problem::new(
                "id",
                "under_way",
                format!("{id} is being sent at this moment, so nothing was done to it; what becomes of it is known within minutes"),
            )
            .arg("value", id)
        };
        let problems: Vec<Problem> = self
            .gone
            .iter()
            .map(|id| not_in_queue(*id))
            .chain(self.under_way.iter().map(under_way))
            .collect();
        (!problems.is_empty()).then(|| Failure::problems(problems))
    }
}

impl Control {
    /// Lists recipients in the queue, newest first: those that follow on the number `after`
    /// where it is given, at most `limit` (and 500).
    ///
    /// # Errors
    /// A filter that is none, or the disk.
    pub fn queue_list(
        &self,
        filter: &QueueFilter,
        after: Option<i64>,
        limit: u32,
    ) -> Result<QueuePage, Failure> {
        let limit = limit.clamp(1, MAX_PAGE) as usize;
        let filter = filter.checked()?;
        let page = self
            .store
            .read(|conn| queue::list(conn, &filter, after, limit + 1))?;
        let more = page.rows.len() > limit;
        Ok(QueuePage {
            rows: page.rows.into_iter().take(limit).map(Into::into).collect(),
            total: page.total,
            more,
        })
    }

    /// One recipient with its history and the head of its message.
    ///
    /// # Errors
    /// That it is not in the queue any more, or the disk.
    pub fn queue_show(&self, id: i64) -> Result<QueueEntry, Failure> {
        let found = self.store.read(|conn| {
            let Some(row) = queue::show(conn, id)? else {
                return Ok(None);
            };
            let attempts = queue::history(conn, &row, MAX_ATTEMPTS)?;
            let ours = queue::head(conn, row.message)?.unwrap_or_default();
            Ok(Some((row, attempts, ours)))
        })?;
        let (row, attempts, ours) = found.ok_or_else(|| Failure::problem(not_in_queue(id)))?;
        Ok(QueueEntry {
            head: self.head(&row, &ours),
            attempts: attempts.into_iter().map(Into::into).collect(),
            row: row.into(),
        })
    }

    /// The fields that this server added, and those that came with the message.
    fn head(&self, row: &Row, ours: &str) -> String {
        let content = self.store.content(row.message);
        let start = content.map(|content| content.read_at(0, MAX_HEAD));
        let start = match start {
            Ok(Ok(start)) => start,
            // Delivered in this very moment, or damaged: then the queue says so when it tries.
            Ok(Err(error)) => {
                tracing::warn!("the content of {} cannot be read: {error}", row.token);
                Vec::new()
            }
            Err(error) => {
                tracing::warn!("the content of {} cannot be read: {error}", row.token);
                Vec::new()
            }
        };
        let mut head = ours.as_bytes().to_vec();
        head.extend(header_block(&start));
        head.truncate(MAX_HEAD);
        String::from_utf8_lossy(&head).replace('\r', "")
    }

    /// Does something with recipients in the queue. One that is being sent at the moment is left alone: what becomes of it
    /// is known soon.
    ///
    /// # Errors
    /// Too many numbers, a filter that is none, or the disk. Nothing was changed then.
    pub fn queue_act(&self, act: QueueAct, which: &QueueWhich) -> Result<QueueActed, Failure> {
        let which = match which {
            QueueWhich::Ids(ids) if ids.len() > MAX_IDS => {
                return Err(Failure::problem(
                    Problem::new(
                        "ids",
                        "too_many",
                        format!("at most {MAX_IDS} recipients can be named at once; choose them by what they have in common"),
                    )
                    .arg("max", MAX_IDS),
                ));
            }
            // Named twice is meant once.
            QueueWhich::Ids(ids) => {
                let ids: BTreeSet<i64> = ids.iter().copied().collect();
                Which::Ids(ids.into_iter().collect())
            }
            QueueWhich::Matching(filter) => Which::Matching(filter.checked()?),
        };
        let act = Act::from(act);
        let acted = self
            .store
            .write_blocking(move |tx| queue::act(tx, act, &which, clock::now_ms()))?;
        let spool = self.store.data_dir().spool();
        for name in acted.files {
            // What cannot be removed now is removed at the server's next start.
            if let Err(error) = std::fs::remove_file(spool.join(&name)) {
                tracing::warn!("{name} stays in the spool for now: {error}");
            }
        }
        Ok(QueueActed {
            changed: acted.changed as u64,
            gone: acted.gone,
            under_way: acted.under_way,
        })
    }
}

/// Everything before the first empty line. Whatever ends lines, a message has got this far.
fn header_block(start: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in start.split_inclusive(|byte| *byte == b'\n') {
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        end += line.len();
    }
    start.get(..end).unwrap_or_default()
}

fn not_in_queue(id: i64) -> Problem {
    Problem::new(
        "id",
        "not_in_queue",
        format!("{id} is not in the queue, or not any more; the mail log tells what became of it"),
    )
    .arg("value", id)
}

impl QueueFilter {
    /// As the store has it. A word that is no state must not mean every state.
    fn checked(&self) -> Result<Filter, Failure> {
        let state = self.state.trim();
        if !state.is_empty() && state != "all" && !STATES.contains(&state) {
            return Err(Failure::new(
                FailureKind::Problems,
                format!(
                    "\"{state}\" is no state of the queue; there are {}",
                    STATES.join(", ")
                ),
            ));
        }
        Ok(Filter {
            text: self.text.clone(),
            state: if state == "all" { "" } else { state }.to_owned(),
            destination: self.destination.clone(),
            up_to: self.up_to,
        })
    }
}

impl From<QueueAct> for Act {
    fn from(act: QueueAct) -> Self {
        match act {
            QueueAct::Retry => Self::Retry,
            QueueAct::Hold => Self::Hold,
            QueueAct::Release => Self::Release,
            QueueAct::Return => Self::Return,
            QueueAct::Remove => Self::Remove,
        }
    }
}

impl From<Row> for QueueRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            message: row.message,
            token: row.token,
            sender: row.sender,
            recipient: row.recipient,
            destination: row.destination,
            size: row.size,
            subject: row.subject,
            accepted_at_ms: row.accepted_at_ms,
            state: row.state,
            attempts: row.attempts,
            next_at_ms: row.next_at_ms,
            expires_at_ms: row.expires_at_ms,
            reason: row.reason,
        }
    }
}

impl From<Attempt> for QueueAttempt {
    fn from(attempt: Attempt) -> Self {
        Self {
            at_ms: attempt.at_ms,
            recipient: attempt.recipient,
            outcome: attempt.outcome,
            hop: attempt.hop,
            reply: attempt.reply,
        }
    }
}

#[cfg(test)]
mod tests;
