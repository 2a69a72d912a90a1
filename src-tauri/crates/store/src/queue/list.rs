//! Searching the queue.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use serde::{Deserialize, Serialize};

use super::{Attempt, Pause, state};
use crate::StoreError;
use crate::text::clamp;

/// Characters of a recipient in the history, as it is written there.
const ADDRESS: usize = 400;

/// Which recipients are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Part of an address, the sender, the subject, the token or the reason; empty for all.
    pub text: String,
    /// `waiting`, `sending`, `held` or `returning`; anything else for all.
    pub state: String,
    /// Only this destination.
    pub destination: Option<String>,
    /// Only recipients up to this number. Numbers grow with time, so whoever acts on what they saw touches nothing that
    /// came later.
    pub up_to: Option<i64>,
}

/// A recipient in the queue, with what is known of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Number of the recipient.
    pub id: i64,
    /// Number of the message.
    pub message: i64,
    /// The short word under which the journal knows it.
    pub token: String,
    /// Reverse-path, empty for the null sender.
    pub sender: String,
    /// The recipient's address.
    pub recipient: String,
    /// Where it goes.
    pub destination: String,
    /// Octets.
    pub size: u64,
    /// Its subject.
    pub subject: String,
    /// When it was accepted.
    pub accepted_at_ms: i64,
    /// `waiting`, `sending`, `held` or `returning`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next; the pause of its destination is included.
    pub next_at_ms: i64,
    /// When it is returned.
    pub expires_at_ms: i64,
    /// What was said at the last attempt, of it or of its destination.
    pub reason: String,
}

/// Some recipients and how many there are in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub rows: Vec<Row>,
    /// All that match.
    pub total: u64,
}

const COLUMNS: &str = "recipient.id, recipient.id >> 14, token, sender, address, recipient.destination, size, subject,
    accepted_at_ms, state, attempts, max(next_at_ms, coalesce(paused_until_ms, 0)), expires_at_ms,
    iif(recipient.reason = '', coalesce(destination.reason, ''), recipient.reason)";
const TABLES: &str = "recipient JOIN message ON message.id = recipient.id >> 14
    LEFT JOIN destination ON destination.name = recipient.destination";

/// At most `limit` recipients that match, below the number `before` when it is given.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn list(
    conn: &Connection,
    filter: &Filter,
    before: Option<i64>,
    limit: usize,
) -> Result<Page, StoreError> {
    let (condition, values) = condition(filter);
    let total = total(conn, filter, &condition, &values)?;
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE {condition} AND recipient.id < {} ORDER BY recipient.id DESC LIMIT {limit}",
        before.unwrap_or(i64::MAX)
    ))?;
    let rows = statement.query_map(params_from_iter(values), row)?;
    Ok(Page {
        rows: rows.collect::<Result<_, _>>()?,
        total,
    })
}

fn total(
    conn: &Connection,
    filter: &Filter,
    condition: &str,
    values: &[Value],
) -> Result<u64, StoreError> {
    let sql = if *filter == Filter::default() {
        "SELECT count(*) FROM recipient".to_owned()
    } else {
        format!(
            "SELECT count(*) FROM recipient JOIN message ON message.id = recipient.id >> 14 WHERE {condition}"
        )
    };
    let all: i64 = conn
        .prepare_cached(&sql)?
        .query_row(params_from_iter(values), |row| row.get(0))?;
    Ok(u64::try_from(all).unwrap_or(0))
}

/// One recipient.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn show(conn: &Connection, id: i64) -> Result<Option<Row>, StoreError> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE recipient.id = ?1"
        ))?
        .query_row([id], row)
        .optional()?)
}

/// How many recipients are in the queue, and how many of them are held.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn count(conn: &Connection) -> Result<(u64, u64), StoreError> {
    let (all, held): (i64, i64) = conn
        .prepare_cached("SELECT count(*), coalesce(sum(state = 2), 0) FROM recipient")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((number(all), number(held)))
}

fn number(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// What the queue looks like from afar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    /// Recipients that are not held.
    pub waiting: u64,
    /// Recipients that are held.
    pub held: u64,
    /// When the oldest message in the queue was accepted.
    pub oldest_at_ms: Option<i64>,
    /// Destinations that cannot be reached and for which something waits, with the number of
    /// recipients that do; those first that are tried soonest.
    pub paused: Vec<(Pause, u64)>,
}

/// The queue in a few numbers, with at most `limit` pauses.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn glance(conn: &Connection, limit: usize) -> Result<Glance, StoreError> {
    let (all, held) = count(conn)?;
    // Numbers of messages grow with time.
    let oldest_at_ms = conn
        .prepare_cached("SELECT accepted_at_ms FROM message ORDER BY id LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let mut statement = conn.prepare_cached(
        "SELECT name, failures, paused_until_ms, destination.reason,
           (SELECT count(*) FROM recipient WHERE recipient.destination = name AND state = 0) AS waiting
         FROM destination WHERE waiting > 0 ORDER BY paused_until_ms, name LIMIT ?1",
    )?;
    let paused = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let pause = Pause {
            destination: row.get(0)?,
            failures: row.get(1)?,
            until_ms: row.get(2)?,
            reason: row.get(3)?,
        };
        Ok((pause, number(row.get(4)?)))
    })?;
    Ok(Glance {
        waiting: all.saturating_sub(held),
        held,
        oldest_at_ms,
        paused: paused.collect::<Result<_, _>>()?,
    })
}

/// The trace fields that stand above the content of a message; `None` when it is not in the queue any more.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn head(conn: &Connection, message: i64) -> Result<Option<String>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT head FROM message WHERE id = ?1")?
        .query_row([message], |row| row.get(0))
        .optional()?)
}

/// The newest attempts for one recipient, oldest first.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn history(conn: &Connection, of: &Row, limit: usize) -> Result<Vec<Attempt>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT at_ms, recipient, outcome, hop, reply FROM
           (SELECT * FROM delivery WHERE token = ?1 AND at_ms >= ?2 AND recipient = ?3
            ORDER BY at_ms DESC, id DESC LIMIT ?4)
         ORDER BY at_ms, id",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = rusqlite::params![
        of.token,
        of.accepted_at_ms,
        clamp(&of.recipient, ADDRESS),
        limit
    ];
    let rows = statement.query_map(values, |row| {
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

fn row(row: &rusqlite::Row<'_>) -> Result<Row, rusqlite::Error> {
    let state = match row.get(9)? {
        state::SENDING => "sending",
        state::HELD => "held",
        state::RETURN => "returning",
        _ => "waiting",
    };
    Ok(Row {
        id: row.get(0)?,
        message: row.get(1)?,
        token: row.get(2)?,
        sender: row.get(3)?,
        recipient: row.get(4)?,
        destination: row.get(5)?,
        size: u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
        subject: row.get(7)?,
        accepted_at_ms: row.get(8)?,
        state: state.into(),
        attempts: row.get(10)?,
        next_at_ms: row.get(11)?,
        expires_at_ms: row.get(12)?,
        reason: row.get(13)?,
    })
}

/// The filter as a condition on `recipient` and `message`, and its values.
pub(super) fn condition(filter: &Filter) -> (String, Vec<Value>) {
    let mut parts = vec!["1".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let state = match filter.state.as_str() {
        "waiting" => Some(state::WAITING),
        "sending" => Some(state::SENDING),
        "held" => Some(state::HELD),
        "returning" => Some(state::RETURN),
        _ => None,
    };
    if let Some(state) = state {
        parts.push(format!("state = {state}"));
    }
    if let Some(destination) = &filter.destination {
        values.push(destination.clone().into());
        parts.push(format!("recipient.destination = ?{}", values.len()));
    }
    if let Some(last) = filter.up_to {
        parts.push(format!("recipient.id <= {last}"));
    }
    let text = filter.text.trim();
    if !text.is_empty() {
        values.push(text.to_lowercase().into());
        let place = values.len();
        let columns = [
            "address",
            "sender",
            "subject",
            "token",
            "recipient.reason",
            "recipient.destination",
        ];
        let any: Vec<String> = columns
            .iter()
            .map(|column| format!("instr(lower({column}), ?{place}) > 0"))
            .collect();
        parts.push(format!("({})", any.join(" OR ")));
    }
    (parts.join(" AND "), values)
}
