//! Table `request`: what other processes (the window, the command line) ask of the running server,
//! and what it answered.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde_json::Value;

use crate::text::clamp;
use crate::{StoreError, Tx};

/// Unanswered requests at the same time; more than this means that no server answers.
const MOST_OPEN: i64 = 1000;
const KIND: usize = 100;
/// Octets of JSON in a request or an answer.
const BODY: usize = 1 << 20;

/// A question that waits for the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    /// The number under which it is answered.
    pub id: i64,
    /// What is asked.
    pub kind: String,
    /// The particulars.
    pub body: Value,
    /// When it was asked, in milliseconds since 1970 UTC.
    pub asked_at_ms: i64,
}

/// Puts a request before the server and returns its number.
///
/// # Errors
/// [`StoreError::Busy`] when a thousand wait already, [`StoreError::Sql`] when the body is over 1 MiB.
pub fn ask(tx: &Tx<'_>, kind: &str, body: &Value, at_ms: i64) -> Result<i64, StoreError> {
    let open: i64 = tx
        .prepare_cached("SELECT count(*) FROM request WHERE answered_at_ms IS NULL")?
        .query_row([], |row| row.get(0))?;
    if open >= MOST_OPEN {
        return Err(StoreError::Busy);
    }
    tx.prepare_cached("INSERT INTO request (kind, body, asked_at_ms) VALUES (?1, ?2, ?3)")?
        .execute(params![clamp(kind, KIND), bounded(body)?, at_ms])?;
    Ok(tx.last_insert_rowid())
}

/// The requests without an answer, oldest first.
///
/// # Errors
/// [`StoreError::Damaged`] when a body is not JSON.
pub fn pending(conn: &Connection) -> Result<Vec<Request>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, kind, body, asked_at_ms FROM request WHERE answered_at_ms IS NULL ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get::<_, String>(2)?,
            row.get(3)?,
        ))
    })?;
    rows.map(|row| {
        let (id, kind, body, asked_at_ms) = row?;
        Ok(Request {
            id,
            kind,
            body: parsed(&body)?,
            asked_at_ms,
        })
    })
    .collect()
}

/// Answers a request; tells whether it still waited for one.
///
/// # Errors
/// [`StoreError::Sql`] when the answer is over 1 MiB.
pub fn answer(tx: &Tx<'_>, id: i64, answer: &Value, at_ms: i64) -> Result<bool, StoreError> {
    let answered = tx
        .prepare_cached("UPDATE request SET answer = ?2, answered_at_ms = ?3 WHERE id = ?1 AND answered_at_ms IS NULL")?
        .execute(params![id, bounded(answer)?, at_ms])?;
    Ok(answered > 0)
}

/// The answer to a request; `None` while there is none, and when the request is unknown.
///
/// # Errors
/// [`StoreError::Damaged`] when the answer is not JSON.
pub fn answer_of(conn: &Connection, id: i64) -> Result<Option<Value>, StoreError> {
    let text: Option<Option<String>> = conn
        .prepare_cached("SELECT answer FROM request WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    text.flatten().map(|text| parsed(&text)).transpose()
}

/// Forgets requests asked before a moment, answered or not; returns how many.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn prune(tx: &Tx<'_>, before_ms: i64) -> Result<usize, StoreError> {
    Ok(tx
        .prepare_cached("DELETE FROM request WHERE asked_at_ms < ?1")?
        .execute([before_ms])?)
}

fn bounded(value: &Value) -> Result<String, StoreError> {
    let text = value.to_string();
    if text.len() > BODY {
        return Err(StoreError::Sql {
            detail: format!("a request or answer of {} octets is too long", text.len()),
        });
    }
    Ok(text)
}

fn parsed(text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged {
        path: PathBuf::new(),
        detail: format!("a request cannot be read ({error})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::memory;
    use serde_json::json;

    #[test]
    fn a_request_waits_until_it_is_answered_once() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        let id = ask(&tx, "restart", &json!({"why": "port"}), 5).unwrap();
        let other = ask(&tx, "stop", &Value::Null, 6).unwrap();
        assert_eq!(
            pending(&conn)
                .unwrap()
                .iter()
                .map(|r| r.id)
                .collect::<Vec<_>>(),
            [id, other]
        );
        assert_eq!(answer_of(&conn, id).unwrap(), None);
        assert!(answer(&tx, id, &json!("done"), 7).unwrap());
        assert!(!answer(&tx, id, &json!("again"), 8).unwrap());
        assert_eq!(answer_of(&conn, id).unwrap(), Some(json!("done")));
        assert_eq!(pending(&conn).unwrap().len(), 1);
    }

    #[test]
    fn numbers_are_not_used_again_after_pruning() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        let id = ask(&tx, "stop", &Value::Null, 5).unwrap();
        assert_eq!(prune(&tx, 5).unwrap(), 0);
        assert_eq!(prune(&tx, 6).unwrap(), 1);
        assert!(ask(&tx, "stop", &Value::Null, 9).unwrap() > id);
        assert_eq!(answer_of(&conn, id).unwrap(), None);
    }

    #[test]
    fn requests_without_a_server_do_not_pile_up() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        for _ in 0..MOST_OPEN {
            ask(&tx, "stop", &Value::Null, 1).unwrap();
        }
        assert_eq!(ask(&tx, "stop", &Value::Null, 1), Err(StoreError::Busy));
    }

    #[test]
    fn an_endless_body_is_refused() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        let error = ask(&tx, "stop", &Value::from("x".repeat(BODY)), 1).unwrap_err();
        assert!(matches!(error, StoreError::Sql { .. }), "{error}");
    }
}
