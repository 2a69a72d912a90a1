//! Table `setting` with its `revision`s: what the user chose, now and at any time before.
//!
//! A section of single values has one row with an empty key; a section that is a list has one row
//! for every entry. What a value means is not known here.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::clamp;
use crate::{StoreError, Tx};

const AUTHOR: usize = 200;
const REASON: usize = 1000;

/// The number of a state of the settings; 0 is the state before anything was stored.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub i64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One stored value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The section, for example `general` or `users`.
    pub section: String,
    /// The entry's name in a list, empty otherwise.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// Who made a revision, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The revision that was made.
    pub revision: Revision,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Who.
    pub author: String,
    /// Why, as the author put it.
    pub reason: String,
}

/// The newest revision, [`Revision`] 0 when there is none.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn latest(conn: &Connection) -> Result<Revision, StoreError> {
    let newest = conn
        .prepare_cached("SELECT coalesce(max(id), 0) FROM revision")?
        .query_row([], |row| row.get(0))?;
    Ok(Revision(newest))
}

/// The newest revision and all values in force, ordered by section and key.
///
/// # Errors
/// [`StoreError::Damaged`] naming the value when one is not JSON.
pub fn current(conn: &Connection) -> Result<(Revision, Vec<Row>), StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT section, key, value FROM setting WHERE to_revision IS NULL ORDER BY section, key",
    )?;
    let rows = statement.query_map([], stored)?;
    Ok((latest(conn)?, parsed(rows)?))
}

/// All values as they were in `revision`; `None` when there never was such a revision.
///
/// # Errors
/// As [`current`].
pub fn as_of(conn: &Connection, revision: Revision) -> Result<Option<Vec<Row>>, StoreError> {
    if revision < Revision(0) || revision > latest(conn)? {
        return Ok(None);
    }
    let mut statement = conn.prepare_cached(
        "SELECT section, key, value FROM setting
         WHERE from_revision <= ?1 AND (to_revision IS NULL OR to_revision > ?1)
         ORDER BY section, key",
    )?;
    let rows = statement.query_map([revision.0], stored)?;
    parsed(rows).map(Some)
}

/// The newest `limit` changes, newest first.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn revisions(conn: &Connection, limit: u32) -> Result<Vec<Change>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, at_ms, author, reason FROM revision ORDER BY id DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| {
        Ok(Change {
            revision: Revision(row.get(0)?),
            at_ms: row.get(1)?,
            author: row.get(2)?,
            reason: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts the complete new set of values in the place of the one in force and returns the revision
/// they have. Only rows that differ are written; when none does, no revision is made either.
///
/// # Errors
/// [`StoreError::Sql`] when an entry is given twice.
pub fn replace(
    tx: &Tx<'_>,
    rows: &[Row],
    author: &str,
    reason: &str,
    at_ms: i64,
) -> Result<Revision, StoreError> {
    let mut wanted: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
    for row in rows {
        if wanted
            .insert((&row.section, &row.key), &row.value)
            .is_some()
        {
            return Err(StoreError::Sql {
                detail: format!("the setting {} {} is given twice", row.section, row.key),
            });
        }
    }
    let (revision, old) = current(tx)?;
    // What stays as it is is taken out of both lists.
    let closing: Vec<&Row> = old
        .iter()
        .filter(|row| {
            let place = (row.section.as_str(), row.key.as_str());
            let same = wanted.get(&place).is_some_and(|value| **value == row.value);
            if same {
                wanted.remove(&place);
            }
            !same
        })
        .collect();
    if closing.is_empty() && wanted.is_empty() {
        return Ok(revision);
    }
    let next = begin(tx, author, reason, at_ms)?;
    let mut close = tx.prepare_cached(
        "UPDATE setting SET to_revision = ?3 WHERE section = ?1 AND key = ?2 AND to_revision IS NULL",
    )?;
    for row in closing {
        close.execute(params![row.section, row.key, next.0])?;
    }
    let mut insert = tx.prepare_cached(
        "INSERT INTO setting (section, key, value, from_revision) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for ((section, key), value) in wanted {
        insert.execute(params![section, key, value.to_string(), next.0])?;
    }
    Ok(next)
}

fn begin(tx: &Tx<'_>, author: &str, reason: &str, at_ms: i64) -> Result<Revision, StoreError> {
    tx.prepare_cached("INSERT INTO revision (at_ms, author, reason) VALUES (?1, ?2, ?3)")?
        .execute(params![at_ms, clamp(author, AUTHOR), clamp(reason, REASON)])?;
    Ok(Revision(tx.last_insert_rowid()))
}

/// The moment `revision` was made, in milliseconds since 1970 UTC; `None` when it does not exist.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn made_at(conn: &Connection, revision: Revision) -> Result<Option<i64>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT at_ms FROM revision WHERE id = ?1")?
        .query_row([revision.0], |row| row.get(0))
        .optional()?)
}

fn stored(row: &rusqlite::Row<'_>) -> Result<(String, String, String), rusqlite::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn parsed(
    rows: impl Iterator<Item = Result<(String, String, String), rusqlite::Error>>,
) -> Result<Vec<Row>, StoreError> {
    rows.map(|row| {
        let (section, key, text) = row?;
        let value = serde_json::from_str(&text).map_err(|error| StoreError::Damaged {
            path: PathBuf::new(),
            detail: format!("the setting {section} {key} cannot be read ({error})"),
        })?;
        Ok(Row {
            section,
            key,
            value,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::memory;
    use serde_json::json;

    fn row(section: &str, key: &str, value: Value) -> Row {
        Row {
            section: section.into(),
            key: key.into(),
            value,
        }
    }

    fn written(conn: &Connection) -> i64 {
        conn.query_row("SELECT count(*) FROM setting", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn a_new_database_has_no_settings() {
        let conn = memory();
        assert_eq!(current(&conn).unwrap(), (Revision(0), vec![]));
        assert_eq!(as_of(&conn, Revision(0)).unwrap(), Some(vec![]));
        assert_eq!(as_of(&conn, Revision(1)).unwrap(), None);
        assert_eq!(as_of(&conn, Revision(-1)).unwrap(), None);
    }

    #[test]
    fn an_edit_writes_only_the_row_that_changed() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        let general = row("general", "", json!({"max_hops": 30}));
        let alice = row("users", "alice", json!({"name": "Alice"}));
        let bob = row("users", "bob", json!({"name": "Bob"}));
        let first = replace(
            &tx,
            &[general.clone(), alice.clone(), bob.clone()],
            "ann",
            "start",
            100,
        )
        .unwrap();
        assert_eq!(written(&conn), 3);

        let robert = row("users", "bob", json!({"name": "Robert"}));
        let second = replace(
            &tx,
            &[robert.clone(), general.clone(), alice.clone()],
            "ann",
            "rename",
            200,
        )
        .unwrap();
        assert_eq!(written(&conn), 4);
        assert!(second > first);
        assert_eq!(
            current(&conn).unwrap(),
            (second, vec![general, alice, robert])
        );
    }

    #[test]
    fn any_earlier_state_can_be_read() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        let one = vec![row("users", "alice", json!(1))];
        let two = vec![
            row("users", "alice", json!(2)),
            row("users", "bob", json!(1)),
        ];
        let states = [one.clone(), two.clone(), vec![], one.clone()];
        let revisions: Vec<_> = states
            .iter()
            .map(|rows| replace(&tx, rows, "ann", "", 1).unwrap())
            .collect();
        for (revision, rows) in revisions.iter().zip(&states) {
            assert_eq!(
                as_of(&conn, *revision).unwrap().as_ref(),
                Some(rows),
                "{revision}"
            );
        }
    }

    #[test]
    fn the_same_settings_again_make_no_revision() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        let rows = [row("general", "", json!({"b": 1, "a": 2}))];
        let first = replace(&tx, &rows, "ann", "", 1).unwrap();
        let again = [row("general", "", json!({"a": 2, "b": 1}))];
        assert_eq!(replace(&tx, &again, "bob", "", 2).unwrap(), first);
        assert_eq!(revisions(&conn, 10).unwrap().len(), 1);
    }

    #[test]
    fn an_entry_given_twice_is_refused() {
        let conn = memory();
        let rows = [
            row("users", "alice", json!(1)),
            row("users", "alice", json!(2)),
        ];
        let error = replace(&Tx::for_test(&conn), &rows, "ann", "", 1).unwrap_err();
        assert!(error.to_string().contains("users alice"), "{error}");
        assert_eq!(latest(&conn).unwrap(), Revision(0));
    }

    #[test]
    fn the_history_tells_who_when_and_why() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        replace(&tx, &[row("general", "", json!(1))], "ann", "first", 100).unwrap();
        let newest = replace(
            &tx,
            &[row("general", "", json!(2))],
            "bob\n",
            &"y".repeat(5000),
            200,
        )
        .unwrap();
        let history = revisions(&conn, 1).unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!((history[0].revision, history[0].at_ms), (newest, 200));
        assert_eq!(history[0].author, "bob ");
        assert_eq!(history[0].reason.chars().count(), REASON);
        assert_eq!(made_at(&conn, newest).unwrap(), Some(200));
    }

    #[test]
    fn a_value_that_cannot_be_read_is_named() {
        let conn = memory();
        replace(
            &Tx::for_test(&conn),
            &[row("general", "", json!(1))],
            "ann",
            "",
            1,
        )
        .unwrap();
        conn.execute("UPDATE setting SET value = '{'", []).unwrap();
        let error = current(&conn).unwrap_err();
        assert!(
            matches!(&error, StoreError::Damaged { detail, .. } if detail.contains("general")),
            "{error}"
        );
    }
}
