//! Tables `nonexistent` and `ban`: clients that wrote to accounts which do not exist here, and those that are blocked for it
//! until their day ends. The server counts in memory; these rows let it go on after a restart.

use rusqlite::{Connection, params};
use serde::Serialize;

use crate::text::clamp;
use crate::{StoreError, Tx};

/// Rows that are read at a start; more are never written.
const MOST_ACCOUNTS: i64 = 1_000_000;
const MOST_BANS: i64 = 100_000;
/// Octets of a recipient.
const RECIPIENT: usize = 320;

/// A client that is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ban {
    /// An IPv4 address, or the first address of an IPv6 network of 64 bits.
    pub client: String,
    /// The local day, as `2026-01-31`.
    pub day: String,
    /// The address that was seen last.
    pub ip: String,
    /// Accounts that do not exist.
    pub accounts: u32,
    /// Since when, in milliseconds since 1970 UTC.
    pub since_ms: i64,
    /// When the day ends, in milliseconds since 1970 UTC.
    pub until_ms: i64,
    /// The recipient that was one too many.
    pub last: String,
}

/// What is known of a day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Day {
    /// Clients with the numbers of the accounts they wrote to.
    pub accounts: Vec<(String, i64)>,
    /// Those that are blocked.
    pub bans: Vec<Ban>,
}

/// The latest local day of which anything is known.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn latest_day(conn: &Connection) -> Result<Option<String>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT max(day) FROM (SELECT day FROM nonexistent UNION ALL SELECT day FROM ban)",
        )?
        .query_row([], |row| row.get(0))?)
}

/// Everything of a local day and of later ones: a clock that was set back makes days that are still to come.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn since_day(conn: &Connection, day: &str) -> Result<Day, StoreError> {
    let accounts = conn
        .prepare_cached("SELECT client, account FROM nonexistent WHERE day >= ?1 LIMIT ?2")?
        .query_map(params![day, MOST_ACCOUNTS], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let bans = select(
        conn,
        "WHERE day >= ?1 ORDER BY since_ms DESC, client LIMIT ?2",
        params![day, MOST_BANS],
    )?;
    Ok(Day { accounts, bans })
}

/// Who is blocked at `now_ms`, the latest first. A block that seems to begin later than now was made under another clock
/// and counts while its end is ahead.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn blocked(conn: &Connection, now_ms: i64, most: u32) -> Result<Vec<Ban>, StoreError> {
    select(
        conn,
        "WHERE until_ms > ?1 ORDER BY since_ms DESC, client LIMIT ?2",
        params![now_ms, most],
    )
}

fn select(
    conn: &Connection,
    rest: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<Ban>, StoreError> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT client, day, ip, accounts, since_ms, until_ms, last FROM ban {rest}"
    ))?;
    let rows = statement.query_map(values, |row| {
        Ok(Ban {
            client: row.get(0)?,
            day: row.get(1)?,
            ip: row.get(2)?,
            accounts: row.get(3)?,
            since_ms: row.get(4)?,
            until_ms: row.get(5)?,
            last: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that `client` wrote to an account that does not exist.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn count(tx: &Tx<'_>, client: &str, account: i64, day: &str) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO nonexistent (client, account, day) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET day = excluded.day",
    )?
    .execute(params![client, account, day])?;
    Ok(())
}

/// Notes that a client is blocked.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn block(tx: &Tx<'_>, ban: &Ban) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO ban (client, day, ip, accounts, since_ms, until_ms, last)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        ban.client,
        ban.day,
        ban.ip,
        ban.accounts,
        ban.since_ms,
        ban.until_ms,
        clamp(&ban.last, RECIPIENT)
    ])?;
    Ok(())
}

/// Forgets everything about a client, which ends its block; tells whether there was anything.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn forget(tx: &Tx<'_>, client: &str) -> Result<bool, StoreError> {
    let accounts = tx
        .prepare_cached("DELETE FROM nonexistent WHERE client = ?1")?
        .execute([client])?;
    let bans = tx
        .prepare_cached("DELETE FROM ban WHERE client = ?1")?
        .execute([client])?;
    Ok(accounts + bans > 0)
}

/// Forgets the days before `day`; returns how many rows. What is of a later day was written before the clock was set back,
/// and counts for `day`, which ends at `until_ms`.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn keep_only(tx: &Tx<'_>, day: &str, until_ms: i64) -> Result<usize, StoreError> {
    let accounts = tx
        .prepare_cached("DELETE FROM nonexistent WHERE day < ?1")?
        .execute([day])?;
    let bans = tx
        .prepare_cached("DELETE FROM ban WHERE day < ?1")?
        .execute([day])?;
    tx.prepare_cached("UPDATE nonexistent SET day = ?1 WHERE day > ?1")?
        .execute([day])?;
    tx.prepare_cached("UPDATE ban SET day = ?1, until_ms = ?2 WHERE day > ?1")?
        .execute(params![day, until_ms])?;
    Ok(accounts + bans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::memory;

    fn ban(client: &str, since_ms: i64) -> Ban {
        Ban {
            client: client.into(),
            day: "2026-01-31".into(),
            ip: client.into(),
            accounts: 20,
            since_ms,
            until_ms: 1_000,
            last: "zoe@office.example".into(),
        }
    }

    #[test]
    fn a_day_comes_back_as_it_was_and_another_day_does_not() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        count(&tx, "192.0.2.1", 7, "2026-01-31").unwrap();
        count(&tx, "192.0.2.1", 7, "2026-01-31").unwrap();
        count(&tx, "192.0.2.1", -8, "2026-01-31").unwrap();
        count(&tx, "192.0.2.2", 7, "2026-01-30").unwrap();
        block(&tx, &ban("192.0.2.1", 5)).unwrap();
        assert_eq!(latest_day(&conn).unwrap().as_deref(), Some("2026-01-31"));
        let day = since_day(&conn, "2026-01-31").unwrap();
        assert_eq!(
            day.accounts,
            [("192.0.2.1".into(), -8), ("192.0.2.1".into(), 7)]
        );
        assert_eq!(day.bans, [ban("192.0.2.1", 5)]);
        assert_eq!(since_day(&conn, "2026-02-01").unwrap(), Day::default());
        assert_eq!(keep_only(&tx, "2026-01-31", 9).unwrap(), 1);
        assert_eq!(keep_only(&tx, "2026-02-01", 9).unwrap(), 3);
        assert_eq!(latest_day(&conn).unwrap(), None);
    }

    #[test]
    fn what_was_written_before_the_clock_was_set_back_is_kept_for_the_new_day() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        count(&tx, "192.0.2.1", 7, "2026-01-31").unwrap();
        block(&tx, &ban("192.0.2.1", 5)).unwrap();
        assert_eq!(keep_only(&tx, "2025-06-01", 700).unwrap(), 0);
        let day = since_day(&conn, "2025-06-01").unwrap();
        assert_eq!(day.accounts, [("192.0.2.1".into(), 7)]);
        let kept = Ban {
            day: "2025-06-01".into(),
            until_ms: 700,
            ..ban("192.0.2.1", 5)
        };
        assert_eq!(day.bans, [kept]);
    }

    #[test]
    fn who_is_blocked_is_listed_until_the_end_and_can_be_forgotten() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        block(&tx, &ban("192.0.2.1", 5)).unwrap();
        block(&tx, &ban("2001:db8::", 6)).unwrap();
        count(&tx, "192.0.2.1", 7, "2026-01-31").unwrap();
        assert_eq!(
            blocked(&conn, 999, 10).unwrap(),
            [ban("2001:db8::", 6), ban("192.0.2.1", 5)]
        );
        assert_eq!(blocked(&conn, 999, 1).unwrap().len(), 1);
        assert!(blocked(&conn, 1_000, 10).unwrap().is_empty());
        assert!(forget(&tx, "192.0.2.1").unwrap());
        assert!(!forget(&tx, "192.0.2.1").unwrap());
        assert_eq!(blocked(&conn, 999, 10).unwrap(), [ban("2001:db8::", 6)]);
    }
}
