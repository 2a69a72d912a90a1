//! What is due, and what is being sent.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::message_of;
use crate::{StoreError, Tx};

/// A message with those of its recipients that are due.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Number of the message.
    pub message: i64,
    /// See [`super::Accepted::token`].
    pub token: String,
    /// See [`super::Accepted::accepted_at_ms`].
    pub accepted_at_ms: i64,
    /// See [`super::Accepted::sender`].
    pub sender: String,
    /// See [`super::Accepted::parameters`].
    pub parameters: String,
    /// See [`super::Accepted::subject`].
    pub subject: String,
    /// See [`super::Accepted::head`].
    pub head: String,
    /// See [`super::Accepted::size`].
    pub size: u64,
    /// The recipients.
    pub recipients: Vec<DueRecipient>,
}

/// A recipient that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRecipient {
    /// Its number.
    pub id: i64,
    /// See [`super::NewRecipient::address`].
    pub address: String,
    /// See [`super::NewRecipient::mailbox`].
    pub mailbox: String,
    /// See [`super::NewRecipient::parameters`].
    pub parameters: String,
    /// Attempts so far.
    pub attempts: u32,
    /// See [`super::NewRecipient::expires_at_ms`].
    pub expires_at_ms: i64,
    /// What was said at the last attempt.
    pub reason: String,
    /// See [`super::NewRecipient::destination`].
    pub destination: String,
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
    // From each destination's first entry in the index straight to the next destination's, past all that waits in between.
    let mut statement = conn.prepare_cached(
        "WITH RECURSIVE each (name) AS (
           SELECT min(destination) FROM recipient WHERE state = 0
           UNION ALL
           SELECT (SELECT min(destination) FROM recipient WHERE state = 0 AND destination > each.name)
           FROM each WHERE each.name IS NOT NULL)
         SELECT name, (SELECT min(next_at_ms) FROM recipient WHERE state = 0 AND destination = name)
         FROM each WHERE name IS NOT NULL",
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

/// Takes up to `messages` messages to a destination that are due, with at most `recipients` recipients in all, in the order
/// in which they are due, and marks them as being sent.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn take_due(
    tx: &Tx<'_>,
    destination: &str,
    now_ms: i64,
    messages: usize,
    recipients: usize,
) -> Result<Vec<Due>, StoreError> {
    let mut ids = {
        let mut statement = tx.prepare_cached(
            "SELECT id FROM recipient WHERE destination = ?1 AND state = 0 AND next_at_ms <= ?2
             ORDER BY next_at_ms LIMIT ?3",
        )?;
        let limit = i64::try_from(recipients).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![destination, now_ms, limit], |row| row.get(0))?;
        rows.collect::<Result<Vec<i64>, _>>()?
    };
    let mut taken = HashSet::new();
    ids.retain(|id| {
        let message = message_of(*id);
        taken.contains(&message) || taken.len() < messages && taken.insert(message)
    });
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

/// Whether somebody said of any recipient that it is to be returned.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn has_returns(conn: &Connection) -> Result<bool, StoreError> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM recipient WHERE state = 3)")?
        .query_row([], |row| row.get(0))?)
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
            "SELECT token, accepted_at_ms, sender, parameters, subject, head, size FROM message WHERE id = ?1",
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
