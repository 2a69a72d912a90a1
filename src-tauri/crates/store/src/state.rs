//! Table `state`: what the running server says of itself (its state, addresses, problems), for
//! windows and command lines in other processes.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use crate::{StoreError, Tx};

/// A value and when it was said, in milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What was said.
    pub value: Value,
    /// When.
    pub at_ms: i64,
}

/// Says `value` under `key` in the place of what was said before.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn set(tx: &Tx<'_>, key: &str, value: &Value, at_ms: i64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO state (key, value, at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms",
    )?
    .execute(params![key, value.to_string(), at_ms])?;
    Ok(())
}

/// What was last said under `key`.
///
/// # Errors
/// [`StoreError::Damaged`] when it is not JSON.
pub fn get(conn: &Connection, key: &str) -> Result<Option<Said>, StoreError> {
    let row: Option<(String, i64)> = conn
        .prepare_cached("SELECT value, at_ms FROM state WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((text, at_ms)) = row else {
        return Ok(None);
    };
    let value = serde_json::from_str(&text).map_err(|error| StoreError::Damaged {
        path: PathBuf::new(),
        detail: format!("the state {key} cannot be read ({error})"),
    })?;
    Ok(Some(Said { value, at_ms }))
}

/// Takes back what was said under `key`; tells whether there was anything.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn remove(tx: &Tx<'_>, key: &str) -> Result<bool, StoreError> {
    Ok(tx
        .prepare_cached("DELETE FROM state WHERE key = ?1")?
        .execute([key])?
        > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::memory;
    use serde_json::json;

    #[test]
    fn the_last_word_counts() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        set(&tx, "server", &json!({"running": true}), 1).unwrap();
        set(&tx, "server", &json!({"running": false}), 2).unwrap();
        let said = get(&conn, "server").unwrap().unwrap();
        assert_eq!((said.value, said.at_ms), (json!({"running": false}), 2));
        assert!(remove(&tx, "server").unwrap());
        assert_eq!(get(&conn, "server").unwrap(), None);
    }
}
