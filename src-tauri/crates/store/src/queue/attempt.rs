//! Table `delivery`, and what an attempt changes in the queue.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::{REASON, marked, message_of, recipient_id};
use crate::text::clamp;
use crate::{StoreError, Tx};

const REPLY: usize = 1000;

/// What became of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It has the message.
    Delivered,
    /// It never will.
    Failed,
    /// Tried again later.
    Deferred {
        /// When.
        next_at_ms: i64,
        /// When its sender is told again, or it expires; `None` leaves that as it is.
        notice_at_ms: Option<i64>,
        /// Why, in words.
        reason: String,
    },
    /// It was not tried: its sender was told of the delay. The next attempt is as due as it was.
    Told {
        /// When its sender is told again, or it expires.
        notice_at_ms: i64,
        /// Why it still waits, in words.
        reason: String,
    },
}

/// The end of an attempt for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Number of the recipient.
    pub recipient: i64,
    /// Token of the message.
    pub token: String,
    /// Its address.
    pub address: String,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// What became of it.
    pub fate: Fate,
    /// Who took it or refused it: a mailbox or the name of a server, and how.
    pub hop: String,
    /// What was said.
    pub reply: String,
}

/// One line of the history of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// For whom.
    pub recipient: String,
    /// `delivered`, `deferred`, `failed` or `removed`.
    pub outcome: String,
    /// See [`Finished::hop`].
    pub hop: String,
    /// See [`Finished::reply`].
    pub reply: String,
}

/// Enters what became of recipients. Returns the content files of messages that are done with; they may be removed once the
/// change is on the disk.
///
/// # Errors
/// [`StoreError::Busy`] while the tables do not know one of the messages yet: nothing could be struck out, and the message
/// would be delivered again once they do. Any other [`StoreError`] when the database cannot be written.
pub fn finish(tx: &Tx<'_>, finished: &[Finished]) -> Result<Vec<String>, StoreError> {
    let newest = finished.iter().map(|one| message_of(one.recipient)).max();
    if let Some(newest) = newest
        && newest > marked(tx)?
    {
        return Err(StoreError::Busy);
    }
    let mut touched = BTreeSet::new();
    for one in finished {
        if let Some(outcome) = outcome(&one.fate) {
            note(
                tx,
                &one.token,
                one.at_ms,
                &one.address,
                outcome,
                &one.hop,
                &one.reply,
            )?;
        }
        match &one.fate {
            Fate::Delivered | Fate::Failed => {
                remove_recipient(tx, one.recipient)?;
                touched.insert(message_of(one.recipient));
            }
            Fate::Deferred {
                next_at_ms,
                notice_at_ms,
                reason,
            } => defer(tx, one.recipient, *next_at_ms, *notice_at_ms, reason)?,
            Fate::Told {
                notice_at_ms,
                reason,
            } => tell(tx, one.recipient, *notice_at_ms, reason)?,
        }
    }
    let mut files = Vec::new();
    for message in touched {
        files.extend(remove_if_done(tx, message)?);
    }
    Ok(files)
}

fn outcome(fate: &Fate) -> Option<&'static str> {
    match fate {
        Fate::Delivered => Some("delivered"),
        Fate::Failed => Some("failed"),
        Fate::Deferred { .. } => Some("deferred"),
        Fate::Told { .. } => None,
    }
}

// One that was held or marked for return meanwhile stays so, in both.

fn defer(
    tx: &Tx<'_>,
    recipient: i64,
    next_at_ms: i64,
    notice_at_ms: Option<i64>,
    reason: &str,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE recipient SET attempts = attempts + 1, next_at_ms = ?2,
           notice_at_ms = coalesce(?3, notice_at_ms), reason = ?4,
           state = iif(state = 1, 0, state) WHERE id = ?1",
    )?
    .execute(params![
        recipient,
        next_at_ms,
        notice_at_ms,
        clamp(reason, REASON)
    ])?;
    Ok(())
}

fn tell(tx: &Tx<'_>, recipient: i64, notice_at_ms: i64, reason: &str) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE recipient SET notice_at_ms = ?2, reason = ?3, state = iif(state = 1, 0, state) WHERE id = ?1",
    )?
    .execute(params![recipient, notice_at_ms, clamp(reason, REASON)])?;
    Ok(())
}

pub(super) fn remove_recipient(tx: &Tx<'_>, recipient: i64) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM recipient WHERE id = ?1")?
        .execute([recipient])?;
    Ok(())
}

/// Removes a message without recipients. Returns the name of its file.
pub(super) fn remove_if_done(tx: &Tx<'_>, message: i64) -> Result<Option<String>, StoreError> {
    let file: Option<Option<String>> = tx
        .prepare_cached(
            "DELETE FROM message WHERE id = ?1
             AND NOT EXISTS (SELECT 1 FROM recipient WHERE recipient.id BETWEEN ?2 AND ?3) RETURNING file",
        )?
        .query_row(
            params![
                message,
                recipient_id(message, 0),
                recipient_id(message + 1, 0) - 1
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(file.flatten())
}

pub(super) fn note(
    tx: &Tx<'_>,
    token: &str,
    at_ms: i64,
    recipient: &str,
    outcome: &str,
    hop: &str,
    reply: &str,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO delivery (token, at_ms, recipient, outcome, hop, reply) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        token,
        at_ms,
        clamp(recipient, 400),
        outcome,
        clamp(hop, 320),
        clamp(reply, REPLY)
    ])?;
    Ok(())
}

/// The newest attempts of the message with this token that was accepted at or after `since_ms`, oldest first.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn attempts_of(
    conn: &Connection,
    token: &str,
    since_ms: i64,
    limit: usize,
) -> Result<Vec<Attempt>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT at_ms, recipient, outcome, hop, reply FROM
           (SELECT * FROM delivery WHERE token = ?1 AND at_ms >= ?2 ORDER BY at_ms DESC, id DESC LIMIT ?3)
         ORDER BY at_ms, id",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![token, since_ms, limit], |row| {
        Ok(Attempt {
            at_ms: row.get(0)?,
            recipient: row.get(1)?,
            outcome: row.get(2)?,
            hop: row.get(3)?,
            reply: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes attempts from before a moment and those beyond the newest `max_rows`, some thousands at once; returns how many.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn prune(tx: &Tx<'_>, before_ms: i64, max_rows: i64) -> Result<usize, StoreError> {
    // Numbers grow with time, so the oldest are found without an index of their own.
    Ok(tx
        .prepare_cached(
            "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery ORDER BY id LIMIT 5000)
               AND (at_ms < ?1 OR id <= (SELECT max(id) FROM delivery) - ?2)",
        )?
        .execute(params![before_ms, max_rows])?)
}
