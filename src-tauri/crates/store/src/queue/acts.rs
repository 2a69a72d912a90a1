//! What the admin does with recipients that wait.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::attempt::{note, remove_if_done, remove_recipient};
use super::list::{Filter, condition};
use super::{message_of, state};
use crate::{StoreError, Tx};

/// Key under which changes are counted, in table `state`.
const CHANGES: &str = "queue_changes";

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Due at once, whatever its destination's pause.
    Retry,
    /// Not tried, and never expiring, until it is released.
    Hold,
    /// Waits again.
    Release,
    /// Back to the sender with a report.
    Return,
    /// Gone without a word to anybody.
    Remove,
}

/// To which recipients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// These numbers.
    Ids(Vec<i64>),
    /// All that match.
    Matching(Filter),
}

/// Does it. Returns how many recipients it changed, and the content files of messages that are gone. A recipient that is
/// being sent at the moment is not removed or retried: what becomes of it is known within minutes.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn act(
    tx: &Tx<'_>,
    act: Act,
    which: &Which,
    now_ms: i64,
) -> Result<(usize, Vec<String>), StoreError> {
    let ids = match which {
        Which::Ids(ids) => ids.clone(),
        Which::Matching(filter) => matching(tx, filter)?,
    };
    let mut changed = 0;
    let mut files = Vec::new();
    for id in ids {
        let done = match act {
            Act::Retry => retry(tx, id, now_ms)?,
            Act::Hold => set_state(tx, id, &[state::WAITING, state::RETURN], state::HELD)?,
            Act::Release => set_state(tx, id, &[state::HELD], state::WAITING)?,
            Act::Return => set_state(tx, id, &[state::WAITING, state::HELD], state::RETURN)?,
            Act::Remove => drop_one(tx, id, now_ms, &mut files)?,
        };
        changed += usize::from(done);
    }
    bump(tx, now_ms)?;
    Ok((changed, files))
}

fn matching(tx: &Tx<'_>, filter: &Filter) -> Result<Vec<i64>, StoreError> {
    let (condition, values) = condition(filter);
    let mut statement = tx.prepare(&format!(
        "SELECT recipient.id FROM recipient JOIN message ON message.id = recipient.id >> 14 WHERE {condition}"
    ))?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn retry(tx: &Tx<'_>, id: i64, now_ms: i64) -> Result<bool, StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE recipient SET next_at_ms = ?2, state = 0 WHERE id = ?1 AND state IN (0, 2, 3)",
        )?
        .execute(params![id, now_ms])?;
    if changed > 0 {
        tx.prepare_cached(
            "DELETE FROM destination WHERE name = (SELECT destination FROM recipient WHERE id = ?1)",
        )?
        .execute([id])?;
    }
    Ok(changed > 0)
}

fn set_state(tx: &Tx<'_>, id: i64, from: &[i64], to: i64) -> Result<bool, StoreError> {
    let mut changed = 0;
    for old in from {
        changed += tx
            .prepare_cached("UPDATE recipient SET state = ?3 WHERE id = ?1 AND state = ?2")?
            .execute(params![id, old, to])?;
    }
    Ok(changed > 0)
}

fn drop_one(
    tx: &Tx<'_>,
    id: i64,
    now_ms: i64,
    files: &mut Vec<String>,
) -> Result<bool, StoreError> {
    let mut statement =
        tx.prepare_cached("SELECT address FROM recipient WHERE id = ?1 AND state <> 1")?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else {
        return Ok(false);
    };
    let address: String = row.get(0)?;
    let token: String = tx
        .prepare_cached("SELECT token FROM message WHERE id = ?1")?
        .query_row([message_of(id)], |row| row.get(0))?;
    note(
        tx,
        &token,
        now_ms,
        &address,
        "removed",
        "",
        "removed from the queue by hand",
    )?;
    remove_recipient(tx, id)?;
    files.extend(remove_if_done(tx, message_of(id))?);
    Ok(true)
}

fn bump(tx: &Tx<'_>, now_ms: i64) -> Result<(), StoreError> {
    let next = changes(tx)? + 1;
    crate::state::set(tx, CHANGES, &next.into(), now_ms)
}

/// A number that grows whenever somebody changes the queue by hand, so that the server looks again.
///
/// # Errors
/// [`StoreError`] when the database cannot be read.
pub fn changes(conn: &Connection) -> Result<i64, StoreError> {
    Ok(crate::state::get(conn, CHANGES)?
        .and_then(|said| said.value.as_i64())
        .unwrap_or(0))
}
