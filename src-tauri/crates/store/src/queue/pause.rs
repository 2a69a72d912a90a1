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

/// Removes pauses that ended before a moment at destinations for which nothing waits any more, some hundreds at once; returns
/// how many. A destination to which something waits keeps its count of failures.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn prune_pauses(tx: &Tx<'_>, before_ms: i64) -> Result<usize, StoreError> {
    // What waits is found in an index; the others are few, and looked through once if at all.
    Ok(tx
        .prepare_cached(
            "DELETE FROM destination WHERE name IN (
               SELECT name FROM destination WHERE paused_until_ms < ?1
                 AND NOT EXISTS (SELECT 1 FROM recipient WHERE recipient.destination = name AND state = 0)
                 AND name NOT IN (SELECT destination FROM recipient WHERE state <> 0) LIMIT 500)",
        )?
        .execute([before_ms])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::memory;

    #[test]
    fn a_pause_goes_when_it_is_long_over_and_nothing_waits_for_its_destination() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        for (name, until_ms) in [("done", 10), ("waiting", 10), ("held", 10), ("lately", 100)] {
            let paused = Pause {
                destination: name.into(),
                failures: 3,
                until_ms,
                reason: String::new(),
            };
            pause(&tx, &paused).unwrap();
        }
        for (id, name, state) in [(1, "waiting", 0), (2, "held", 2)] {
            tx.execute(
                "INSERT INTO recipient VALUES (?1, 'a@b.example', '', '', ?2, ?3, 0, 0, 0, 0, '')",
                params![id, name, state],
            )
            .unwrap();
        }
        assert_eq!(prune_pauses(&tx, 50).unwrap(), 1);
        let left: Vec<String> = pauses(&tx)
            .unwrap()
            .into_iter()
            .map(|pause| pause.destination)
            .collect();
        assert_eq!(left, ["held", "lately", "waiting"]);
        assert_eq!(prune_pauses(&tx, 50).unwrap(), 0);
    }
}
