//! What is added to a record after its end.

use rusqlite::params;
use serde_json::Value;

use crate::{StoreError, Tx};

/// Adds a line to the trace of a record; tells whether the record was there and had a trace to add to.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn add_step(tx: &Tx<'_>, token: &str, at_ms: i64, step: &Value) -> Result<bool, StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE journal_detail SET trace = json_insert(trace, '$[#]', json(?3))
             WHERE id = (SELECT id FROM journal WHERE token = ?1 AND at_ms = ?2)
               AND json_valid(trace) AND json_type(trace) = 'array'",
        )?
        .execute(params![token, at_ms, step.to_string()])?;
    Ok(changed > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::journal::tests::entry;
    use crate::journal::{Json, find, upsert};
    use crate::open::memory;

    #[test]
    fn a_line_is_added_behind_the_others_of_that_very_record() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        let mut first = entry("AAAA", 5);
        first.trace = Json::of(&[json!({"check": "one"})]);
        upsert(&tx, &first).unwrap();
        let more = json!({"check": "more"});
        assert!(add_step(&tx, &first.token, first.at_ms, &more).unwrap());
        assert!(!add_step(&tx, &first.token, first.at_ms + 1, &more).unwrap());
        let (_, read) = find(&conn, &first.token).unwrap().unwrap();
        assert_eq!(read.trace, Json::of(&[json!({"check": "one"}), more]));
    }
}
