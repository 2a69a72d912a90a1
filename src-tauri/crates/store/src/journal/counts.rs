//! How many messages came and how they fared, for the overview. Logins do not count; connections
//! count when they were turned away, since no transaction of theirs can.

use rusqlite::Connection;
use serde::Serialize;

use crate::StoreError;

const HOUR_MS: i64 = 3_600_000;

/// The messages of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// When the hour (of UTC) began, in milliseconds since 1970.
    pub hour_ms: i64,
    /// Messages accepted.
    pub accepted: u32,
    /// Messages and connections refused, for good or for now.
    pub refused: u32,
}

/// Messages and refused connections by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Positive reply.
    pub accepted: u32,
    /// Permanent refusal.
    pub refused: u32,
    /// Temporary refusal.
    pub deferred: u32,
    /// Given up by the client.
    pub aborted: u32,
    /// Accepted and discarded by a rule.
    pub dropped: u32,
}

/// The hours since `since_ms` in which something came, oldest first. Hours without mail are left out.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn per_hour(conn: &Connection, since_ms: i64) -> Result<Vec<Hour>, StoreError> {
    // Grouped here, because SQLite would sort the whole period in memory first.
    let mut statement = conn.prepare_cached(
        "SELECT at_ms, outcome = 'accepted' FROM journal
         WHERE at_ms >= ?1
           AND (outcome IN ('refused', 'deferred') AND kind <> 'login'
             OR outcome = 'accepted' AND kind = 'transaction')
         ORDER BY at_ms",
    )?;
    let mut rows = statement.query([since_ms])?;
    let mut hours: Vec<Hour> = Vec::new();
    while let Some(row) = rows.next()? {
        let at_ms: i64 = row.get(0)?;
        let hour_ms = at_ms - at_ms.rem_euclid(HOUR_MS);
        let fresh = Hour {
            hour_ms,
            accepted: 0,
            refused: 0,
        };
        let hour = match hours.last_mut() {
            Some(last) if last.hour_ms == hour_ms => last,
            _ => hours.push_mut(fresh),
        };
        let count = if row.get(1)? {
            &mut hour.accepted
        } else {
            &mut hour.refused
        };
        *count += 1;
    }
    Ok(hours)
}

/// The outcomes since `since_ms`.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn counts_since(conn: &Connection, since_ms: i64) -> Result<Counts, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT count(*) FILTER (WHERE outcome = 'accepted' AND kind = 'transaction'),
           count(*) FILTER (WHERE outcome = 'refused'),
           count(*) FILTER (WHERE outcome = 'deferred'),
           count(*) FILTER (WHERE outcome = 'aborted' AND kind = 'transaction'),
           count(*) FILTER (WHERE outcome = 'dropped' AND kind = 'transaction')
         FROM journal WHERE at_ms >= ?1 AND kind <> 'login'",
    )?;
    Ok(statement.query_row([since_ms], |row| {
        Ok(Counts {
            accepted: row.get(0)?,
            refused: row.get(1)?,
            deferred: row.get(2)?,
            aborted: row.get(3)?,
            dropped: row.get(4)?,
        })
    })?)
}
/// Which settings refused most since `since_ms`, with how often, at most `limit` of them. An empty path stands for
/// errors of the protocol.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn refusals_since(
    conn: &Connection,
    since_ms: i64,
    limit: usize,
) -> Result<Vec<(String, u32)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT decided_by, count(*) FROM journal
         WHERE at_ms >= ?1 AND outcome IN ('refused', 'deferred') AND kind <> 'login'
         GROUP BY decided_by ORDER BY count(*) DESC, decided_by LIMIT ?2",
    )?;
    let rows = statement.query_map(
        (since_ms, i64::try_from(limit).unwrap_or(i64::MAX)),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}
