//! Table `login_failure`: failed logins by client address, from which follows who is refused for a
//! while.

use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::text::clamp;
use crate::{StoreError, Tx};

/// So many failures within [`WINDOW_MS`] block an address.
pub const FAILURES: u32 = 10;
/// Ten minutes, in milliseconds.
pub const WINDOW_MS: i64 = 10 * 60 * 1000;
/// A block ends fifteen minutes after the last failure, in milliseconds.
pub const BLOCK_MS: i64 = 15 * 60 * 1000;

/// Bounds of the table; the oldest rows give way. A single address cannot push the others out.
const MOST_ROWS: i64 = 10_000;
const MOST_ROWS_PER_IP: i64 = 100;
const LOGIN: usize = 320;

/// An address that may not try to log in at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// The client's address.
    pub ip: String,
    /// Its failures in the ten minutes up to the last one.
    pub failures: u32,
    /// When it may try again, in milliseconds since 1970 UTC.
    pub until_ms: i64,
    /// The login it tried last.
    pub last_login: String,
}

/// An IPv4 client that comes in over an IPv6 socket is the same client.
fn key(ip: IpAddr) -> String {
    ip.to_canonical().to_string()
}

/// Notes that `login` (any text a client sent) failed from `ip`.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn record(tx: &Tx<'_>, ip: IpAddr, login: &str, at_ms: i64) -> Result<(), StoreError> {
    let ip = key(ip);
    tx.prepare_cached("INSERT INTO login_failure (ip, at_ms, login) VALUES (?1, ?2, ?3)")?
        .execute(params![ip, at_ms, clamp(login, LOGIN)])?;
    tx.prepare_cached(
        "DELETE FROM login_failure WHERE id IN
         (SELECT id FROM login_failure WHERE ip = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![ip, MOST_ROWS_PER_IP])?;
    tx.prepare_cached(
        "DELETE FROM login_failure WHERE id <= (SELECT id FROM login_failure ORDER BY id DESC LIMIT 1 OFFSET ?1)",
    )?
    .execute([MOST_ROWS])?;
    Ok(())
}

/// The failures of `ip` at or after `since_ms`; more than a hundred are not told apart.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn count_since(conn: &Connection, ip: IpAddr, since_ms: i64) -> Result<u32, StoreError> {
    Ok(conn
        .prepare_cached("SELECT count(*) FROM login_failure WHERE ip = ?1 AND at_ms >= ?2")?
        .query_row(params![key(ip), since_ms], |row| row.get(0))?)
}

/// When `ip` last failed.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn last_at(conn: &Connection, ip: IpAddr) -> Result<Option<i64>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT max(at_ms) FROM login_failure WHERE ip = ?1")?
        .query_row([key(ip)], |row| row.get(0))?)
}

/// Until when `ip` is blocked at `now_ms`; `None` when it is not. Failures later than now, left by a
/// clock that was set back, do not count.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn blocked_until(
    conn: &Connection,
    ip: IpAddr,
    now_ms: i64,
) -> Result<Option<i64>, StoreError> {
    let last: Option<i64> = conn
        .prepare_cached(
            "SELECT last FROM
               (SELECT max(at_ms) AS last FROM login_failure WHERE ip = ?1 AND at_ms <= ?2)
             WHERE last > ?2 - ?3
               AND (SELECT count(*) FROM login_failure
                    WHERE ip = ?1 AND at_ms > last - ?4 AND at_ms <= ?2) >= ?5",
        )?
        .query_row(
            params![key(ip), now_ms, BLOCK_MS, WINDOW_MS, FAILURES],
            |row| row.get(0),
        )
        .optional()?;
    Ok(last.map(|last| last + BLOCK_MS))
}

/// Every address that is blocked at `now_ms`, the one that waits longest first.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn blocked(conn: &Connection, now_ms: i64) -> Result<Vec<Blocked>, StoreError> {
    let mut statement = conn.prepare_cached(
        "WITH recent AS (
           SELECT ip, max(at_ms) AS last FROM login_failure
           WHERE at_ms > ?1 - ?2 AND at_ms <= ?1 GROUP BY ip),
         counted AS (
           SELECT ip, last,
             (SELECT count(*) FROM login_failure f
              WHERE f.ip = recent.ip AND f.at_ms > last - ?3 AND f.at_ms <= ?1) AS failures,
             (SELECT login FROM login_failure f
              WHERE f.ip = recent.ip AND f.at_ms = last ORDER BY id DESC LIMIT 1) AS login
           FROM recent)
         SELECT ip, failures, last, login FROM counted WHERE failures >= ?4 ORDER BY last DESC, ip",
    )?;
    let rows = statement.query_map(params![now_ms, BLOCK_MS, WINDOW_MS, FAILURES], |row| {
        Ok(Blocked {
            ip: row.get(0)?,
            failures: row.get(1)?,
            until_ms: row.get::<_, i64>(2)? + BLOCK_MS,
            last_login: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets the failures of `ip`, which ends its block; tells whether there were any.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn lift(tx: &Tx<'_>, ip: IpAddr) -> Result<bool, StoreError> {
    let lifted = tx
        .prepare_cached("DELETE FROM login_failure WHERE ip = ?1")?
        .execute([key(ip)])?;
    Ok(lifted > 0)
}

/// Forgets failures before a moment; returns how many.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn prune(tx: &Tx<'_>, before_ms: i64) -> Result<usize, StoreError> {
    Ok(tx
        .prepare_cached("DELETE FROM login_failure WHERE at_ms < ?1")?
        .execute([before_ms])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::memory;

    const MINUTE: i64 = 60_000;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(conn: &Connection, from: &str, times: &[i64]) {
        for at in times {
            record(&Tx::for_test(conn), ip(from), "alice", *at).unwrap();
        }
    }

    #[test]
    fn the_tenth_failure_in_ten_minutes_blocks_and_the_ninth_does_not() {
        let conn = memory();
        let times: Vec<i64> = (1..=9).map(|minute| minute * MINUTE).collect();
        fail(&conn, "192.0.2.1", &times);
        assert_eq!(
            blocked_until(&conn, ip("192.0.2.1"), 9 * MINUTE).unwrap(),
            None
        );
        let tenth = 10 * MINUTE;
        fail(&conn, "192.0.2.1", &[tenth]);
        assert_eq!(
            blocked_until(&conn, ip("192.0.2.1"), tenth).unwrap(),
            Some(tenth + BLOCK_MS)
        );
        assert_eq!(blocked_until(&conn, ip("192.0.2.2"), tenth).unwrap(), None);
        assert_eq!(
            blocked(&conn, tenth).unwrap(),
            [Blocked {
                ip: "192.0.2.1".into(),
                failures: 10,
                until_ms: tenth + BLOCK_MS,
                last_login: "alice".into()
            }]
        );
    }

    #[test]
    fn ten_failures_spread_over_more_than_ten_minutes_do_not_block() {
        let conn = memory();
        let times: Vec<i64> = (0..10).map(|n| n * WINDOW_MS / 9).collect();
        fail(&conn, "192.0.2.1", &times);
        assert_eq!(
            blocked_until(&conn, ip("192.0.2.1"), WINDOW_MS).unwrap(),
            None
        );
        assert!(blocked(&conn, WINDOW_MS).unwrap().is_empty());
    }

    #[test]
    fn a_block_ends_fifteen_minutes_after_the_last_failure() {
        let conn = memory();
        fail(&conn, "192.0.2.1", &[5; 10]);
        let until = 5 + BLOCK_MS;
        assert_eq!(
            blocked_until(&conn, ip("192.0.2.1"), until - 1).unwrap(),
            Some(until)
        );
        assert_eq!(blocked_until(&conn, ip("192.0.2.1"), until).unwrap(), None);
        assert_eq!(blocked(&conn, until - 1).unwrap().len(), 1);
        assert!(blocked(&conn, until).unwrap().is_empty());
        fail(&conn, "192.0.2.1", &[until + 1]);
        assert_eq!(
            blocked_until(&conn, ip("192.0.2.1"), until + 1).unwrap(),
            None
        );
    }

    #[test]
    fn a_block_can_be_lifted() {
        let conn = memory();
        fail(&conn, "192.0.2.1", &[5; 10]);
        let tx = Tx::for_test(&conn);
        assert!(lift(&tx, ip("192.0.2.1")).unwrap());
        assert!(!lift(&tx, ip("192.0.2.1")).unwrap());
        assert_eq!(blocked_until(&conn, ip("192.0.2.1"), 6).unwrap(), None);
    }

    #[test]
    fn an_ipv4_client_is_the_same_over_an_ipv6_socket() {
        let conn = memory();
        fail(&conn, "::ffff:192.0.2.1", &[5; 10]);
        assert!(blocked_until(&conn, ip("192.0.2.1"), 6).unwrap().is_some());
        assert_eq!(count_since(&conn, ip("192.0.2.1"), 5).unwrap(), 10);
        assert_eq!(count_since(&conn, ip("192.0.2.1"), 6).unwrap(), 0);
        assert_eq!(last_at(&conn, ip("192.0.2.1")).unwrap(), Some(5));
        assert_eq!(last_at(&conn, ip("192.0.2.2")).unwrap(), None);
    }

    #[test]
    fn a_clock_set_back_does_not_prolong_a_block() {
        let conn = memory();
        fail(&conn, "192.0.2.1", &[100 * MINUTE; 10]);
        assert_eq!(
            blocked_until(&conn, ip("192.0.2.1"), 5 * MINUTE).unwrap(),
            None
        );
        assert!(blocked(&conn, 5 * MINUTE).unwrap().is_empty());
    }

    #[test]
    fn one_address_keeps_a_hundred_rows_at_most() {
        let conn = memory();
        fail(&conn, "192.0.2.9", &[1]);
        fail(&conn, "192.0.2.1", &(0..150).collect::<Vec<_>>());
        assert_eq!(count_since(&conn, ip("192.0.2.1"), 0).unwrap(), 100);
        assert_eq!(count_since(&conn, ip("192.0.2.1"), 50).unwrap(), 100);
        assert_eq!(count_since(&conn, ip("192.0.2.9"), 0).unwrap(), 1);
    }

    #[test]
    fn the_table_keeps_ten_thousand_rows_at_most() {
        let conn = memory();
        conn.execute(
            "INSERT INTO login_failure (ip, at_ms, login)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10050)
             SELECT 'old' || i, i, '' FROM n",
            [],
        )
        .unwrap();
        fail(&conn, "192.0.2.1", &[20_000]);
        let (rows, oldest): (i64, i64) = conn
            .query_row(
                "SELECT count(*), min(at_ms) FROM login_failure",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!((rows, oldest), (MOST_ROWS, 52));
        assert_eq!(prune(&Tx::for_test(&conn), 20_000).unwrap(), 9_999);
    }
}
