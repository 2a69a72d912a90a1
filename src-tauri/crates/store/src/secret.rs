//! Table `secret`: password hashes and keys, apart from the settings so that no revision, export or
//! log can hold one.

use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use crate::{StoreError, Tx};

/// The kind under which the hash of a user's password is kept, by the user's name.
pub const PASSWORD: &str = "password";

/// Keeps `value` under `kind` and `name` in the place of an earlier one.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn set(
    tx: &Tx<'_>,
    kind: &str,
    name: &str,
    value: &[u8],
    at_ms: i64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO secret (kind, name, value, changed_at_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET value = excluded.value, changed_at_ms = excluded.changed_at_ms",
    )?
    .execute(params![kind, name, value, at_ms])?;
    Ok(())
}

/// The value, wiped from memory when dropped; `None` when there is none.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn get(
    conn: &Connection,
    kind: &str,
    name: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT value FROM secret WHERE kind = ?1 AND name = ?2")?
        .query_row([kind, name], |row| row.get(0).map(Zeroizing::new))
        .optional()?)
}

/// When the value was last set, in milliseconds since 1970 UTC: a session that signed in before that
/// has to sign in again.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn changed_at(conn: &Connection, kind: &str, name: &str) -> Result<Option<i64>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT changed_at_ms FROM secret WHERE kind = ?1 AND name = ?2")?
        .query_row([kind, name], |row| row.get(0))
        .optional()?)
}

/// The names that have a secret of this kind, in order: who can sign in at all.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn names(conn: &Connection, kind: &str) -> Result<Vec<String>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT name FROM secret WHERE kind = ?1 ORDER BY name")?;
    let names = statement.query_map([kind], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Forgets the value; tells whether there was one.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn remove(tx: &Tx<'_>, kind: &str, name: &str) -> Result<bool, StoreError> {
    let removed = tx
        .prepare_cached("DELETE FROM secret WHERE kind = ?1 AND name = ?2")?
        .execute([kind, name])?;
    Ok(removed > 0)
}

/// Moves the value of `from` to `to`, over a left-over value of that name; tells whether there was
/// one to move.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn rename(tx: &Tx<'_>, kind: &str, from: &str, to: &str) -> Result<bool, StoreError> {
    let moved = tx
        .prepare_cached("UPDATE OR REPLACE secret SET name = ?3 WHERE kind = ?1 AND name = ?2")?
        .execute([kind, from, to])?;
    Ok(moved > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::memory;

    #[test]
    fn a_secret_is_kept_replaced_and_forgotten() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        set(&tx, PASSWORD, "alice", b"one", 10).unwrap();
        set(&tx, PASSWORD, "alice", b"two", 20).unwrap();
        assert_eq!(
            get(&conn, PASSWORD, "alice").unwrap().unwrap().as_slice(),
            b"two"
        );
        assert_eq!(changed_at(&conn, PASSWORD, "alice").unwrap(), Some(20));
        assert!(remove(&tx, PASSWORD, "alice").unwrap());
        assert!(!remove(&tx, PASSWORD, "alice").unwrap());
        assert!(get(&conn, PASSWORD, "alice").unwrap().is_none());
    }

    #[test]
    fn kinds_do_not_see_each_other() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        set(&tx, PASSWORD, "alice", b"hash", 1).unwrap();
        set(&tx, "relay", "alice", b"key", 1).unwrap();
        set(&tx, PASSWORD, "bob", b"hash", 1).unwrap();
        assert_eq!(names(&conn, PASSWORD).unwrap(), ["alice", "bob"]);
        assert_eq!(names(&conn, "relay").unwrap(), ["alice"]);
    }

    #[test]
    fn a_renamed_user_keeps_the_password_and_a_stale_one_of_the_new_name_is_gone() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        set(&tx, PASSWORD, "alice", b"hers", 5).unwrap();
        set(&tx, PASSWORD, "ally", b"stale", 1).unwrap();
        assert!(rename(&tx, PASSWORD, "alice", "ally").unwrap());
        assert_eq!(
            get(&conn, PASSWORD, "ally").unwrap().unwrap().as_slice(),
            b"hers"
        );
        assert!(get(&conn, PASSWORD, "alice").unwrap().is_none());
        assert!(!rename(&tx, PASSWORD, "nobody", "somebody").unwrap());
    }
}
