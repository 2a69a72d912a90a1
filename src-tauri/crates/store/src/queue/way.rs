//! Other ways and other times for what waits, when the settings have changed.

use rusqlite::params;

use super::{MOST_RECIPIENTS, message_of, recipient_id};
use crate::{StoreError, Tx};

/// A recipient that was taken and goes another way than the one it waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its number.
    pub recipient: i64,
    /// Where it goes now.
    pub destination: String,
    /// The users in whose mailboxes it ends, when it ends here: one entry of the queue for each.
    pub mailboxes: Vec<String>,
}

/// Has a recipient wait for its new destination, due at `now_ms`.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn move_on(tx: &Tx<'_>, moved: &Moved, now_ms: i64) -> Result<(), StoreError> {
    let (first, others) = match moved.mailboxes.split_first() {
        Some((first, others)) => (first.as_str(), others),
        None => ("", [].as_slice()),
    };
    let changed = tx
        .prepare_cached(
            "UPDATE recipient SET destination = ?2, mailbox = ?3, next_at_ms = ?4,
               state = iif(state = 1, 0, state) WHERE id = ?1",
        )?
        .execute(params![moved.recipient, moved.destination, first, now_ms])?;
    if changed > 0 {
        for mailbox in others {
            add_copy(tx, moved.recipient, mailbox)?;
        }
    }
    Ok(())
}

/// One more recipient of the message, as this one but for its mailbox.
fn add_copy(tx: &Tx<'_>, recipient: i64, mailbox: &str) -> Result<(), StoreError> {
    let message = message_of(recipient);
    let (first, end) = (recipient_id(message, 0), recipient_id(message + 1, 0));
    let highest: i64 = tx
        .prepare_cached("SELECT max(id) FROM recipient WHERE id BETWEEN ?1 AND ?2 - 1")?
        .query_row([first, end], |row| row.get(0))?;
    if highest + 1 >= end {
        return Err(StoreError::Defect {
            detail: format!("a message cannot go to more than {MOST_RECIPIENTS} recipients"),
        });
    }
    tx.prepare_cached(
        "INSERT INTO recipient (id, address, mailbox, parameters, destination, state, attempts, next_at_ms,
           notice_at_ms, expires_at_ms, reason)
         SELECT ?2, address, ?3, parameters, destination, state, attempts, next_at_ms, notice_at_ms, expires_at_ms,
           reason FROM recipient WHERE id = ?1",
    )?
    .execute(params![recipient, highest + 1, mailbox])?;
    Ok(())
}

/// Sends everything that waits elsewhere, due at once: `route` gives the new destination for an address and a mailbox.
/// Forgets all pauses.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn route_anew(
    tx: &Tx<'_>,
    now_ms: i64,
    mut route: impl FnMut(&str, &str) -> Option<String>,
) -> Result<usize, StoreError> {
    tx.execute("DELETE FROM destination", [])?;
    let mut moved = 0;
    let mut read =
        tx.prepare("SELECT id, address, mailbox, destination FROM recipient WHERE state <> 1")?;
    let mut write = tx.prepare_cached(
        "UPDATE recipient SET destination = ?2, next_at_ms = min(next_at_ms, ?3) WHERE id = ?1",
    )?;
    let mut changes: Vec<(i64, String)> = Vec::new();
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let (address, mailbox, old): (String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?);
        if let Some(new) = route(&address, &mailbox).filter(|new| *new != old) {
            changes.push((row.get(0)?, new));
        }
    }
    for (id, destination) in changes {
        moved += write.execute(params![id, destination, now_ms])?;
    }
    Ok(moved)
}

/// How long messages wait, by settings that have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// A message is returned so many milliseconds after it was accepted.
    pub give_up_ms: i64,
    /// Its sender is told of a delay so many milliseconds after it was accepted; `None` for never.
    pub warn_ms: Option<i64>,
}

/// Applies other times to everything that waits. Who was told of a delay is told again only when the new time for it is
/// still to come.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn time_anew(tx: &Tx<'_>, times: Times, now_ms: i64) -> Result<usize, StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE recipient SET
               expires_at_ms = message.accepted_at_ms + ?1,
               notice_at_ms = CASE
                 WHEN message.accepted_at_ms + ?2 > ?3 OR notice_at_ms < expires_at_ms
                   THEN min(ifnull(message.accepted_at_ms + ?2, message.accepted_at_ms + ?1), message.accepted_at_ms + ?1)
                 ELSE message.accepted_at_ms + ?1 END
             FROM message WHERE message.id = recipient.id >> 14",
        )?
        .execute(params![times.give_up_ms, times.warn_ms, now_ms])?;
    Ok(changed)
}
