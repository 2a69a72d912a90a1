//! Tables `message`, `recipient`, `destination` and `delivery`: what Postroom answers for and has not delivered yet.
//!
//! What the texts in `parameters` and `destination` mean, the server knows; here they are kept.

mod acts;
mod attempt;
mod list;
#[cfg(test)]
mod tests;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::journal::{self, Entry};
use crate::spool::Content;
use crate::text::clamp;
use crate::{StoreError, Tx};

pub use acts::{Act, Which, act, changes};
pub use attempt::{Attempt, Fate, Finished, attempts_of, finish, prune};
pub use list::{Filter, Glance, Page, Row, count, glance, head, history, list, show};

/// Recipients of one message; a recipient's number has this many places for them.
pub const MOST_RECIPIENTS: usize = 1 << 14;
const REASON: usize = 600;

/// What a recipient waits for.
pub(crate) mod state {
    pub(crate) const WAITING: i64 = 0;
    pub(crate) const SENDING: i64 = 1;
    pub(crate) const HELD: i64 = 2;
    pub(crate) const RETURN: i64 = 3;
}

/// A message that is taken over with all it needs, in one change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Accepted {
    /// The short word under which the journal knows it.
    pub token: String,
    /// When, in milliseconds since 1970 UTC.
    pub accepted_at_ms: i64,
    /// Reverse-path as on the wire; empty for the null sender.
    pub sender: String,
    /// What MAIL said beside the sender, as JSON.
    pub parameters: String,
    /// Subject, for people who look for it.
    pub subject: String,
    /// Trace fields that stand above the content.
    pub head: String,
    /// Octets of head and content.
    pub size: u64,
    /// To whom it goes, at most [`MOST_RECIPIENTS`].
    pub recipients: Vec<NewRecipient>,
    /// Its record in the journal.
    pub entry: Entry,
}

/// Somebody a message goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRecipient {
    /// The address as on the wire.
    pub address: String,
    /// The user whose mailbox it is; empty for recipients elsewhere.
    pub mailbox: String,
    /// What RCPT said beside the address, as JSON; empty for nothing.
    pub parameters: String,
    /// Where the server sends it.
    pub destination: String,
    /// The caller delivers it at once; nobody else takes it up.
    pub sending: bool,
    /// When it is due.
    pub next_at_ms: i64,
    /// When the sender is to be told of a delay, or when it expires.
    pub notice_at_ms: i64,
    /// When it is returned.
    pub expires_at_ms: i64,
}

/// A message with those of its recipients that are due.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Number of the message.
    pub message: i64,
    /// See [`Accepted::token`].
    pub token: String,
    /// See [`Accepted::accepted_at_ms`].
    pub accepted_at_ms: i64,
    /// See [`Accepted::sender`].
    pub sender: String,
    /// See [`Accepted::parameters`].
    pub parameters: String,
    /// See [`Accepted::subject`].
    pub subject: String,
    /// See [`Accepted::head`].
    pub head: String,
    /// See [`Accepted::size`].
    pub size: u64,
    /// Name of the file with the content, where it is not in the log.
    pub file: Option<String>,
    /// The recipients.
    pub recipients: Vec<DueRecipient>,
}

/// A recipient that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRecipient {
    /// Its number.
    pub id: i64,
    /// See [`NewRecipient::address`].
    pub address: String,
    /// See [`NewRecipient::mailbox`].
    pub mailbox: String,
    /// See [`NewRecipient::parameters`].
    pub parameters: String,
    /// Attempts so far.
    pub attempts: u32,
    /// See [`NewRecipient::expires_at_ms`].
    pub expires_at_ms: i64,
    /// What was said at the last attempt.
    pub reason: String,
    /// See [`NewRecipient::destination`].
    pub destination: String,
}

/// The number of a message's recipient.
pub fn recipient_id(message: i64, place: usize) -> i64 {
    (message << 14) | i64::try_from(place).unwrap_or(0)
}

/// The message that a recipient belongs to.
pub fn message_of(recipient: i64) -> i64 {
    recipient >> 14
}

/// Takes a message over: into the log, the queue and the journal. Returns its number. Everything is on the disk when
/// [`crate::Store::accept`] or [`crate::Store::write`] says so.
///
/// # Errors
/// [`StoreError`] when the log or the database cannot be written.
pub fn accept(tx: &Tx<'_>, accepted: &Accepted, content: &Content) -> Result<i64, StoreError> {
    let facts = serde_json::to_vec(&(accepted, content.file_name())).map_err(|error| {
        StoreError::Defect {
            detail: error.to_string(),
        }
    })?;
    let in_log = match content {
        Content::Memory(bytes) => bytes.as_slice(),
        Content::File(_) => &[],
    };
    let id = tx.stage(&facts, in_log)?;
    insert(tx, id, accepted, content.file_name())?;
    Ok(id)
}

/// Enters a record of the log that the tables do not know yet.
pub(crate) fn enter(tx: &Tx<'_>, id: i64, facts: &[u8]) -> Result<(), StoreError> {
    let (mut accepted, file): (Accepted, Option<String>) =
        serde_json::from_slice(facts).map_err(|error| StoreError::Damaged {
            path: std::path::PathBuf::new(),
            detail: format!("a record of the spool log cannot be read ({error})"),
        })?;
    for recipient in &mut accepted.recipients {
        recipient.sending = false;
    }
    insert(tx, id, &accepted, file.as_deref())?;
    mark(tx, id)
}

fn insert(tx: &Tx<'_>, id: i64, accepted: &Accepted, file: Option<&str>) -> Result<(), StoreError> {
    if accepted.recipients.len() > MOST_RECIPIENTS {
        return Err(StoreError::Defect {
            detail: format!("{} recipients are too many", accepted.recipients.len()),
        });
    }
    tx.prepare_cached(
        "INSERT INTO message (id, token, accepted_at_ms, sender, parameters, subject, head, size, file)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        id,
        accepted.token,
        accepted.accepted_at_ms,
        accepted.sender,
        accepted.parameters,
        clamp(&accepted.subject, 320),
        accepted.head,
        i64::try_from(accepted.size).unwrap_or(i64::MAX),
        file,
    ])?;
    let mut add = tx.prepare_cached(
        "INSERT INTO recipient (id, address, mailbox, parameters, destination, state, attempts, next_at_ms,
           notice_at_ms, expires_at_ms, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9, '')",
    )?;
    for (place, recipient) in accepted.recipients.iter().enumerate() {
        let state = if recipient.sending {
            state::SENDING
        } else {
            state::WAITING
        };
        add.execute(params![
            recipient_id(id, place),
            recipient.address,
            recipient.mailbox,
            recipient.parameters,
            recipient.destination,
            state,
            recipient.next_at_ms,
            recipient.notice_at_ms,
            recipient.expires_at_ms,
        ])?;
    }
    journal::upsert(tx, &accepted.entry)?;
    Ok(())
}

/// The number of the last record of the log that the tables know.
pub(crate) fn marked(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.query_row("SELECT number FROM spool_mark", [], |row| row.get(0))?)
}

/// Notes that the log is entered up to this message.
pub(crate) fn mark(conn: &Connection, id: i64) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE spool_mark SET number = ?1 WHERE number < ?1")?
        .execute([id])?;
    Ok(())
}

/// Whether any message has its content in this segment of the log.
pub(crate) fn uses_segment(conn: &Connection, segment: u64) -> Result<bool, StoreError> {
    let first = i64::try_from(segment << 18).unwrap_or(i64::MAX);
    let found: Option<i64> = conn
        .prepare_cached(
            "SELECT 1 FROM message WHERE id >= ?1 AND id < ?1 + 262144 AND file IS NULL LIMIT 1",
        )?
        .query_row([first], |row| row.get(0))
        .optional()?;
    Ok(found.is_some())
}

/// Names of all content files that messages have.
pub(crate) fn files(conn: &Connection) -> Result<std::collections::HashSet<String>, StoreError> {
    let mut statement = conn.prepare("SELECT file FROM message WHERE file IS NOT NULL")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// After a start: what was being sent is not any more, and waits again.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn reset(tx: &Tx<'_>) -> Result<usize, StoreError> {
    Ok(tx.execute("UPDATE recipient SET state = 0 WHERE state = 1", [])?)
}

/// Each destination for which something waits, with the moment at which the first of it is due.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn schedule(conn: &Connection) -> Result<Vec<(String, i64)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT destination, min(next_at_ms) FROM recipient WHERE state = 0 GROUP BY destination",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the next thing for this destination is due.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn next_due(conn: &Connection, destination: &str) -> Result<Option<i64>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT min(next_at_ms) FROM recipient WHERE destination = ?1 AND state = 0",
        )?
        .query_row([destination], |row| row.get(0))?)
}

/// Takes up to `limit` recipients of a destination that are due, in the order in which they are, and marks them as being
/// sent.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn take_due(
    tx: &Tx<'_>,
    destination: &str,
    now_ms: i64,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let ids = {
        let mut statement = tx.prepare_cached(
            "SELECT id FROM recipient WHERE destination = ?1 AND state = 0 AND next_at_ms <= ?2
             ORDER BY next_at_ms LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![destination, now_ms, limit], |row| row.get(0))?;
        rows.collect::<Result<Vec<i64>, _>>()?
    };
    take(tx, ids)
}

/// Takes up to `limit` recipients whose sender is to be told something: of a delay, or that time is up.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn take_notices(tx: &Tx<'_>, now_ms: i64, limit: usize) -> Result<Vec<Due>, StoreError> {
    let ids = {
        let mut statement = tx.prepare_cached(
            "SELECT id FROM recipient WHERE state = 0 AND notice_at_ms <= ?1 ORDER BY notice_at_ms LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![now_ms, limit], |row| row.get(0))?;
        rows.collect::<Result<Vec<i64>, _>>()?
    };
    take(tx, ids)
}

/// Takes up to `limit` recipients that are to be returned because somebody said so.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn take_returns(tx: &Tx<'_>, limit: usize) -> Result<Vec<Due>, StoreError> {
    let ids = {
        let mut statement =
            tx.prepare_cached("SELECT id FROM recipient WHERE state = 3 ORDER BY id LIMIT ?1")?;
        let rows =
            statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| row.get(0))?;
        rows.collect::<Result<Vec<i64>, _>>()?
    };
    take(tx, ids)
}

fn take(tx: &Tx<'_>, mut ids: Vec<i64>) -> Result<Vec<Due>, StoreError> {
    // Recipients of one message stand together.
    ids.sort_unstable();
    let mut due: Vec<Due> = Vec::new();
    for id in ids {
        tx.prepare_cached("UPDATE recipient SET state = 1 WHERE id = ?1")?
            .execute([id])?;
        let recipient = one(tx, id)?;
        let message = message_of(id);
        match due.last_mut().filter(|last| last.message == message) {
            Some(last) => last.recipients.push(recipient),
            None => due.push(Due {
                recipients: vec![recipient],
                ..message_row(tx, message)?
            }),
        }
    }
    Ok(due)
}

fn one(conn: &Connection, id: i64) -> Result<DueRecipient, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT address, mailbox, parameters, attempts, expires_at_ms, reason, destination
             FROM recipient WHERE id = ?1",
        )?
        .query_row([id], |row| {
            Ok(DueRecipient {
                id,
                address: row.get(0)?,
                mailbox: row.get(1)?,
                parameters: row.get(2)?,
                attempts: row.get(3)?,
                expires_at_ms: row.get(4)?,
                reason: row.get(5)?,
                destination: row.get(6)?,
            })
        })?)
}

fn message_row(conn: &Connection, id: i64) -> Result<Due, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT token, accepted_at_ms, sender, parameters, subject, head, size, file FROM message WHERE id = ?1",
        )?
        .query_row([id], |row| {
            Ok(Due {
                message: id,
                token: row.get(0)?,
                accepted_at_ms: row.get(1)?,
                sender: row.get(2)?,
                parameters: row.get(3)?,
                subject: row.get(4)?,
                head: row.get(5)?,
                size: u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
                file: row.get(7)?,
                recipients: Vec::new(),
            })
        })?)
}

/// Gives recipients back that were taken and not tried; they are due again at `next_at_ms`.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn give_back(tx: &Tx<'_>, ids: &[i64], next_at_ms: i64) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "UPDATE recipient SET state = 0, next_at_ms = ?2 WHERE id = ?1 AND state = 1",
    )?;
    for id in ids {
        statement.execute(params![id, next_at_ms])?;
    }
    Ok(())
}

/// Sends everything that waits elsewhere: `route` gives the new destination for an address and a mailbox. Forgets all
/// pauses.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn route_anew(
    tx: &Tx<'_>,
    mut route: impl FnMut(&str, &str) -> Option<String>,
) -> Result<usize, StoreError> {
    tx.execute("DELETE FROM destination", [])?;
    let mut moved = 0;
    let mut read =
        tx.prepare("SELECT id, address, mailbox, destination FROM recipient WHERE state <> 1")?;
    let mut write = tx.prepare_cached("UPDATE recipient SET destination = ?2 WHERE id = ?1")?;
    let mut changes: Vec<(i64, String)> = Vec::new();
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let (address, mailbox, old): (String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?);
        if let Some(new) = route(&address, &mailbox).filter(|new| *new != old) {
            changes.push((row.get(0)?, new));
        }
    }
    for (id, destination) in changes {
        moved += write.execute(params![id, destination])?;
    }
    Ok(moved)
}

/// A destination that cannot be reached at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Its name.
    pub destination: String,
    /// Failures in a row.
    pub failures: u32,
    /// Nobody tries before.
    pub until_ms: i64,
    /// Why.
    pub reason: String,
}

/// Writes a pause down.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn pause(tx: &Tx<'_>, pause: &Pause) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO destination (name, failures, paused_until_ms, reason) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET failures = excluded.failures, paused_until_ms = excluded.paused_until_ms,
           reason = excluded.reason",
    )?
    .execute(params![
        pause.destination,
        pause.failures,
        pause.until_ms,
        clamp(&pause.reason, REASON)
    ])?;
    Ok(())
}

/// The destination can be reached again.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn resume(tx: &Tx<'_>, destination: &str) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM destination WHERE name = ?1")?
        .execute([destination])?;
    Ok(())
}

/// All pauses.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn pauses(conn: &Connection) -> Result<Vec<Pause>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT name, failures, paused_until_ms, reason FROM destination")?;
    let rows = statement.query_map([], |row| {
        Ok(Pause {
            destination: row.get(0)?,
            failures: row.get(1)?,
            until_ms: row.get(2)?,
            reason: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
