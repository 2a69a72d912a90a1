//! What the admin does with recipients that wait.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::attempt::{note, remove_if_done, remove_recipient};
use super::list::{Filter, condition};
use super::{message_of, state};
use crate::{StoreError, Tx};

/// Key under which changes are counted, in table `state`.
const CHANGES: &str = "queue_changes";
/// For so long nobody is told of a delay or of the end of one that is to be tried at once: time for the attempt.
const TRIED_FIRST_MS: i64 = 3_600_000;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Due at once, whatever its destination's pause.
    Retry,
    /// Not tried, and never expiring, until it is released.
    Hold,
    /// Waits again, due at once, whatever its destination's pause.
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

/// What an act did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acted {
    /// Recipients that it changed.
    pub changed: usize,
    /// Content files of messages that are gone; they may be removed once the change is on the disk.
    pub files: Vec<String>,
    /// Numbers that are not in the queue.
    pub gone: Vec<i64>,
    /// Recipients that are being sent at the moment and were left alone.
    pub under_way: Vec<i64>,
}

/// Does it. A recipient that is being sent at the moment is left alone: what becomes of it is known within minutes.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn act(tx: &Tx<'_>, act: Act, which: &Which, now_ms: i64) -> Result<Acted, StoreError> {
    let ids = match which {
        Which::Ids(ids) => ids.clone(),
        Which::Matching(filter) => matching(tx, filter)?,
    };
    let mut acted = Acted::default();
    for id in ids {
        match state_of(tx, id)? {
            None => acted.gone.push(id),
            Some(state::SENDING) => acted.under_way.push(id),
            Some(_) => acted.changed += usize::from(act_on(tx, act, id, now_ms, &mut acted.files)?),
        }
    }
    bump(tx, now_ms)?;
    Ok(acted)
}

fn act_on(
    tx: &Tx<'_>,
    act: Act,
    id: i64,
    now_ms: i64,
    files: &mut Vec<String>,
) -> Result<bool, StoreError> {
    match act {
        Act::Retry => try_at_once(tx, id, now_ms, false),
        Act::Hold => set_state(tx, id, &[state::WAITING, state::RETURN], state::HELD),
        Act::Release => try_at_once(tx, id, now_ms, true),
        Act::Return => set_state(tx, id, &[state::WAITING, state::HELD], state::RETURN),
        Act::Remove => drop_one(tx, id, now_ms, files),
    }
}

fn state_of(conn: &Connection, id: i64) -> Result<Option<i64>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT state FROM recipient WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?)
}

fn matching(tx: &Tx<'_>, filter: &Filter) -> Result<Vec<i64>, StoreError> {
    let (condition, values) = condition(filter);
    let mut statement = tx.prepare(&format!(
        "SELECT recipient.id FROM recipient JOIN message ON message.id = recipient.id >> 14 WHERE {condition}"
    ))?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Due at once, whatever its destination's pause. One whose time ran out while it did not wait is tried before its sender
/// hears of it. Of those that are not held nothing becomes when only the `held` are meant.
fn try_at_once(tx: &Tx<'_>, id: i64, now_ms: i64, held: bool) -> Result<bool, StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE recipient SET state = 0, next_at_ms = ?2,
               notice_at_ms = iif(state <> 0 OR notice_at_ms <= ?2, max(notice_at_ms, ?3), notice_at_ms)
             WHERE id = ?1 AND (state = 2 OR (state IN (0, 3) AND NOT ?4))",
        )?
        .execute(params![id, now_ms, now_ms.saturating_add(TRIED_FIRST_MS), held])?;
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

#[cfg(test)]
mod tests;
