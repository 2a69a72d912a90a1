//! Table `list_hit`: how often rules of the black and white lists matched. The server counts in memory and adds up here now
//! and then, so that a message costs no write of its own.

use rusqlite::{Connection, params};
use serde::Serialize;

use crate::{StoreError, Tx};

const DAY_MS: i64 = 86_400_000;
/// Days whose hits are told apart.
const DAYS: i64 = 7;

/// What a rule matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hits {
    /// Name of the rule.
    pub rule: String,
    /// Matches of the last seven days, today included; days are those of UTC.
    pub hits: u64,
    /// The last match ever, in milliseconds since 1970 UTC.
    pub last_ms: i64,
}

/// Matches of one rule since the last time they were added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Name of the rule.
    pub rule: String,
    /// How many.
    pub hits: u32,
    /// When the last one was, in milliseconds since 1970 UTC.
    pub last_ms: i64,
}

/// Adds matches to those that are there.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn add(tx: &Tx<'_>, batches: &[Batch]) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO list_hit (rule, day, hits, last_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET hits = hits + excluded.hits, last_ms = max(last_ms, excluded.last_ms)",
    )?;
    for batch in batches {
        let day = batch.last_ms.div_euclid(DAY_MS);
        statement.execute(params![batch.rule, day, batch.hits, batch.last_ms])?;
    }
    Ok(())
}

/// Rules that ever matched, by name.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn all(conn: &Connection, now_ms: i64) -> Result<Vec<Hits>, StoreError> {
    let since = now_ms.div_euclid(DAY_MS) - DAYS + 1;
    let mut statement = conn.prepare_cached(
        "SELECT rule, sum(CASE WHEN day >= ?1 THEN hits ELSE 0 END), max(last_ms)
         FROM list_hit GROUP BY rule ORDER BY rule",
    )?;
    let rows = statement.query_map([since], |row| {
        Ok(Hits {
            rule: row.get(0)?,
            hits: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
            last_ms: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Gives the matches of a rule to its new name, in the place of any that the name had.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn rename(tx: &Tx<'_>, from: &str, to: &str) -> Result<(), StoreError> {
    if from == to {
        return Ok(());
    }
    tx.prepare_cached("DELETE FROM list_hit WHERE rule = ?1")?
        .execute([to])?;
    tx.prepare_cached("UPDATE list_hit SET rule = ?2 WHERE rule = ?1")?
        .execute([from, to])?;
    Ok(())
}

/// Forgets days that are no longer told apart, except for each rule's last one, and rules that the settings have no more;
/// returns how many rows.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn prune(tx: &Tx<'_>, now_ms: i64) -> Result<usize, StoreError> {
    let since = now_ms.div_euclid(DAY_MS) - DAYS + 1;
    let old = tx
        .prepare_cached(
            "DELETE FROM list_hit WHERE day < ?1 AND EXISTS
             (SELECT 1 FROM list_hit AS later WHERE later.rule = list_hit.rule AND later.day > list_hit.day)",
        )?
        .execute([since])?;
    let gone = tx
        .prepare_cached(
            "DELETE FROM list_hit WHERE rule NOT IN
             (SELECT key FROM setting WHERE section = 'security.lists' AND to_revision IS NULL)",
        )?
        .execute([])?;
    Ok(old + gone)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::open::memory;
    use crate::setting::{self, Row};

    fn batch(rule: &str, hits: u32, last_ms: i64) -> Batch {
        Batch {
            rule: rule.into(),
            hits,
            last_ms,
        }
    }

    fn counted(conn: &Connection, now_ms: i64) -> Vec<(String, u64, i64)> {
        let all = all(conn, now_ms).unwrap().into_iter();
        all.map(|hits| (hits.rule, hits.hits, hits.last_ms))
            .collect()
    }

    #[test]
    fn matches_add_up_over_seven_days_and_the_last_one_stays_known() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        add(&tx, &[batch("a", 2, 5), batch("b", 1, 6)]).unwrap();
        add(&tx, &[batch("a", 3, 4)]).unwrap();
        add(&tx, &[batch("a", 1, 6 * DAY_MS)]).unwrap();
        let sixth = 6 * DAY_MS + 1;
        assert_eq!(
            counted(&conn, sixth),
            [("a".into(), 6, 6 * DAY_MS), ("b".into(), 1, 6)]
        );
        assert_eq!(
            counted(&conn, sixth + DAY_MS),
            [("a".into(), 1, 6 * DAY_MS), ("b".into(), 0, 6)]
        );
    }

    #[test]
    fn a_rule_keeps_its_matches_under_a_new_name() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        add(&tx, &[batch("a", 2, 5), batch("b", 1, 6)]).unwrap();
        rename(&tx, "a", "b").unwrap();
        rename(&tx, "b", "b").unwrap();
        assert_eq!(counted(&conn, 9), [("b".into(), 2, 5)]);
    }

    #[test]
    fn old_days_and_rules_that_are_gone_are_forgotten() {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        let rule = |name: &str| Row {
            section: "security.lists".into(),
            key: name.into(),
            value: json!({}),
        };
        setting::replace(&tx, &[rule("a"), rule("b")], "", "", 1).unwrap();
        add(
            &tx,
            &[
                batch("a", 2, 5),
                batch("a", 2, 5 + DAY_MS),
                batch("b", 1, 5),
                batch("gone", 1, 20 * DAY_MS),
            ],
        )
        .unwrap();
        assert_eq!(prune(&tx, 20 * DAY_MS).unwrap(), 2);
        assert_eq!(
            counted(&conn, 20 * DAY_MS),
            [("a".into(), 0, 5 + DAY_MS), ("b".into(), 0, 5)]
        );
        assert_eq!(prune(&tx, 20 * DAY_MS).unwrap(), 0);
    }
}
