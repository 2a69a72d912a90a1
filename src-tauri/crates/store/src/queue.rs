//! Tables `message`, `recipient`, `destination` and `delivery`: what Postroom answers for and has not delivered yet.
//!
//! What the texts in `parameters` and `destination` mean, the server knows; here they are kept.

mod acts;
mod attempt;
mod due;
mod list;
mod pause;
#[cfg(test)]
mod tests;
mod way;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::journal::{self, Entry};
use crate::spool::{FileMark, Identity, Stored};
use crate::text::clamp;
use crate::{StoreError, Tx};

pub use acts::{Act, Acted, Which, act, changes};
pub use attempt::{Attempt, Fate, Finished, attempts_of, finish, prune};
pub use due::{
    Due, DueRecipient, give_back, has_returns, next_due, reset, schedule, take_due, take_notices,
    take_returns,
};
pub use list::{Filter, Glance, Page, Row, count, glance, head, history, list, show};
pub use pause::{Pause, pause, pauses, prune_pauses, resume};
pub use way::{Moved, Times, move_on, route_anew, time_anew};

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

/// The number of a message's recipient.
pub fn recipient_id(message: i64, place: usize) -> i64 {
    (message << 14) | i64::try_from(place).unwrap_or(0)
}

/// The message that a recipient belongs to.
pub fn message_of(recipient: i64) -> i64 {
    recipient >> 14
}

/// Enters a record of the log that the tables do not know yet.
pub(crate) fn enter(tx: &Tx<'_>, id: i64, facts: &[u8]) -> Result<(), StoreError> {
    let (mut accepted, file): (Accepted, Option<FileMark>) = serde_json::from_slice(facts)
        .map_err(|error| StoreError::Spool {
            path: "the log".into(),
            detail: format!("its record cannot be understood ({error})"),
        })?;
    for recipient in &mut accepted.recipients {
        recipient.sending = false;
    }
    insert(tx, id, &accepted, file.as_ref())?;
    mark(tx, id)
}

pub(crate) fn insert(
    tx: &Tx<'_>,
    id: i64,
    accepted: &Accepted,
    file: Option<&FileMark>,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO message (id, token, accepted_at_ms, sender, parameters, subject, head, size, file, file_seal)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
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
        file.map(|file| &file.name),
        file.map(|file| file.seal),
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

/// What this database seals its records with.
pub(crate) fn identity(conn: &Connection) -> Result<Identity, StoreError> {
    let identity = conn
        .prepare_cached("SELECT identity FROM spool_mark")?
        .query_row([], |row| row.get(0))?;
    Ok(Identity(identity))
}

/// Messages whose content lies in this segment, at most `limit`.
pub(crate) fn in_segment(
    conn: &Connection,
    segment: u64,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let first = i64::try_from(segment << 18).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(
        "SELECT id FROM message WHERE id >= ?1 AND id < ?1 + 262144 AND file IS NULL LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![first, limit], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The content lies in a file now. False when the message is gone meanwhile.
pub(crate) fn moved(tx: &Tx<'_>, id: i64, file: &FileMark) -> Result<bool, StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE message SET file = ?2, file_seal = ?3 WHERE id = ?1 AND file IS NULL",
        )?
        .execute(params![id, file.name, file.seal])?;
    Ok(changed > 0)
}

/// Where the content of a message lies; `None` when there is no such message.
pub(crate) fn stored(conn: &Connection, id: i64) -> Result<Option<Stored>, StoreError> {
    let row = conn
        .prepare_cached(
            "SELECT file, file_seal, size - length(CAST(head AS BLOB)) FROM message WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let name: Option<String> = row.get(0)?;
            let seal: Option<u32> = row.get(1)?;
            Ok(Stored {
                file: name.zip(seal).map(|(name, seal)| FileMark { name, seal }),
                length: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
            })
        })
        .optional()?;
    Ok(row)
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
