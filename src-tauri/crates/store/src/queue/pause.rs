//! Table `destination`.

use rusqlite::{Connection, params};

use super::REASON;
use crate::text::clamp;
use crate::{StoreError, Tx};

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
