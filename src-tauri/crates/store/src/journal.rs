//! Table `journal`: one record for every connection, transaction and login, with the facts, the
//! revision of the settings and the trace of the rules, so that every reply can be explained later.
//!
//! Nearly all of it was written by strangers. It is bound to statements as values, cleaned of control
//! characters and cut to the column's size here, whatever the caller did before.

mod again;
mod counts;
mod json;
mod list;
mod shortened;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, named_params, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::setting::Revision;
use crate::text::clamp;
use crate::{StoreError, Tx};

pub use crate::token::tokens_in;
pub use again::add_step;
pub use counts::{Counts, Hour, counts_since, per_hour, refusals_since};
pub use json::Json;
pub use list::{Filter, Summary, list};

/// Characters in the short columns; names and addresses are shorter by their own rules.
const ADDRESS: usize = 400;
const SHORT: usize = 320;
const REPLY: usize = 1000;
/// Octets of JSON in each of the large columns.
const LARGE: usize = 64 << 10;
const MOST_RECIPIENTS: usize = 1000;
/// Rows that one call of [`prune`] removes, so that mail does not wait for it.
const PRUNE_AT_ONCE: i64 = 5000;

/// What the record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A connection that saw no transaction, perhaps refused at the greeting.
    Connection,
    /// A mail transaction.
    Transaction,
    /// A login that failed or was refused.
    Login,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Positive reply.
    Accepted,
    /// Permanent refusal (5xx).
    Refused,
    /// Temporary refusal (4xx): the client may come back.
    Deferred,
    /// The client gave up.
    Aborted,
    /// Accepted in the reply and discarded, as a rule asked.
    Dropped,
}

impl Kind {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Connection, "connection"),
        (Self::Transaction, "transaction"),
        (Self::Login, "login"),
    ];
}

impl Outcome {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Accepted, "accepted"),
        (Self::Refused, "refused"),
        (Self::Deferred, "deferred"),
        (Self::Aborted, "aborted"),
        (Self::Dropped, "dropped"),
    ];
}

/// Both enumerations are kept by name, so that the database can be read without the program.
macro_rules! kept_by_name {
    ($type:ty) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let name = Self::ALL
                    .iter()
                    .find(|(value, _)| value == self)
                    .map_or("", |(_, name)| name);
                Ok(name.into())
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?;
                let found = Self::ALL.iter().find(|(_, name)| *name == text);
                found
                    .map(|(value, _)| *value)
                    .ok_or(FromSqlError::InvalidType)
            }
        }
    };
}
kept_by_name!(Kind);
kept_by_name!(Outcome);

/// A complete record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The word that a refusal ends with.
    pub token: String,
    /// When the thing began, in milliseconds since 1970 UTC; together with the token it identifies the
    /// record, so it must not change between two [`upsert`]s.
    pub at_ms: i64,
    /// What it is about.
    pub kind: Kind,
    /// The client's address.
    pub client_ip: String,
    /// The name the client gave itself; empty before EHLO.
    pub helo: String,
    /// The login name; empty without login.
    pub login: String,
    /// The reverse-path; empty before MAIL.
    pub sender: String,
    /// The forward-paths, also the refused ones.
    pub recipients: Vec<String>,
    /// Octets of the message; 0 when none came.
    pub size: u64,
    /// Its `Message-ID`.
    pub message_id: String,
    /// Its `Subject`.
    pub subject: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The reply that decided it.
    pub reply: String,
    /// Path of the setting that decided it; empty when none did.
    pub decided_by: String,
    /// The settings it was decided under.
    pub revision: Revision,
    /// What was known, as JSON.
    pub facts: Json,
    /// What each rule said, as JSON.
    pub trace: Json,
}

/// Writes the record, or brings the one with the same token and moment up to date. Returns its number.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn upsert(tx: &Tx<'_>, entry: &Entry) -> Result<i64, StoreError> {
    let id: i64 = tx
        .prepare_cached(
            "INSERT INTO journal (token, at_ms, kind, outcome, client_ip, helo, login, sender, recipients,
               size, message_id, subject, reply, decided_by, revision)
             VALUES (:token, :at_ms, :kind, :outcome, :client_ip, :helo, :login, :sender, :recipients,
               :size, :message_id, :subject, :reply, :decided_by, :revision)
             ON CONFLICT (token, at_ms) DO UPDATE SET kind = excluded.kind, outcome = excluded.outcome,
               client_ip = excluded.client_ip, helo = excluded.helo, login = excluded.login,
               sender = excluded.sender, recipients = excluded.recipients, size = excluded.size,
               message_id = excluded.message_id, subject = excluded.subject, reply = excluded.reply,
               decided_by = excluded.decided_by, revision = excluded.revision
             RETURNING id",
        )?
        .query_row(
            named_params! {
                ":token": clamp(&entry.token, SHORT),
                ":at_ms": entry.at_ms,
                ":kind": entry.kind,
                ":outcome": entry.outcome,
                ":client_ip": clamp(&entry.client_ip, SHORT),
                ":helo": clamp(&entry.helo, SHORT),
                ":login": clamp(&entry.login, SHORT),
                ":sender": clamp(&entry.sender, ADDRESS),
                ":recipients": recipients_text(&entry.recipients),
                ":size": i64::try_from(entry.size).unwrap_or(i64::MAX),
                ":message_id": clamp(&entry.message_id, SHORT),
                ":subject": clamp(&entry.subject, SHORT),
                ":reply": clamp(&entry.reply, REPLY),
                ":decided_by": clamp(&entry.decided_by, SHORT),
                ":revision": entry.revision.0,
            },
            |row| row.get(0),
        )?;
    tx.prepare_cached(
        "INSERT INTO journal_detail (id, facts, trace) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET facts = excluded.facts, trace = excluded.trace",
    )?
    .execute(params![id, entry.facts.clamped(), entry.trace.clamped()])?;
    Ok(id)
}

/// Number and record of this token, the newest if several share it; read typed tokens with
/// [`crate::token::parse`] first.
///
/// # Errors
/// [`StoreError::Damaged`] when a column is not JSON.
pub fn find(conn: &Connection, token: &str) -> Result<Option<(i64, Entry)>, StoreError> {
    let row = conn
        .prepare_cached(
            "SELECT token, at_ms, kind, outcome, client_ip, helo, login, sender, recipients, size,
               message_id, subject, reply, decided_by, revision,
               coalesce(facts, 'null'), coalesce(trace, 'null'), id
             FROM journal LEFT JOIN journal_detail USING (id)
             WHERE token = ?1 ORDER BY at_ms DESC LIMIT 1",
        )?
        .query_row([token], |row| Ok((row.get(17)?, stored(row)?)))
        .optional()?;
    let Some((id, (mut entry, [recipients, facts, trace]))) = row else {
        return Ok(None);
    };
    entry.recipients = parsed(&recipients)?;
    entry.facts = parsed(&facts)?;
    entry.trace = parsed(&trace)?;
    Ok(Some((id, entry)))
}

/// The record without its JSON columns, and those as text.
fn stored(row: &rusqlite::Row<'_>) -> Result<(Entry, [String; 3]), rusqlite::Error> {
    let entry = Entry {
        token: row.get(0)?,
        at_ms: row.get(1)?,
        kind: row.get(2)?,
        outcome: row.get(3)?,
        client_ip: row.get(4)?,
        helo: row.get(5)?,
        login: row.get(6)?,
        sender: row.get(7)?,
        recipients: Vec::new(),
        size: size(row.get(9)?),
        message_id: row.get(10)?,
        subject: row.get(11)?,
        reply: row.get(12)?,
        decided_by: row.get(13)?,
        revision: Revision(row.get(14)?),
        facts: Json::default(),
        trace: Json::default(),
    };
    Ok((entry, [row.get(8)?, row.get(15)?, row.get(16)?]))
}

/// Removes the oldest records: those before `before_ms`, and those beyond the newest `max_rows`. At
/// most some thousands at once; returns how many, and is to be called again until that is 0.
///
/// # Errors
/// [`StoreError`] when the database cannot be written.
pub fn prune(tx: &Tx<'_>, before_ms: i64, max_rows: u64) -> Result<usize, StoreError> {
    let rows: i64 = tx
        .prepare_cached("SELECT count(*) FROM journal")?
        .query_row([], |row| row.get(0))?;
    let excess = rows.saturating_sub(i64::try_from(max_rows).unwrap_or(i64::MAX));
    let too_many = tx
        .prepare_cached(
            "DELETE FROM journal WHERE id IN (SELECT id FROM journal ORDER BY at_ms, id LIMIT ?1)",
        )?
        .execute([excess.clamp(0, PRUNE_AT_ONCE)])?;
    let too_old = tx
        .prepare_cached(
            "DELETE FROM journal WHERE id IN
             (SELECT id FROM journal WHERE at_ms < ?1 ORDER BY at_ms, id LIMIT ?2)",
        )?
        .execute([before_ms, PRUNE_AT_ONCE])?;
    Ok(too_many + too_old)
}

/// The recipients as a JSON list within [`LARGE`]; how many were left out stands in the last entry.
fn recipients_text(recipients: &[String]) -> String {
    let mut kept = Vec::new();
    let mut octets = 2;
    for recipient in recipients.iter().take(MOST_RECIPIENTS) {
        let recipient = clamp(recipient, ADDRESS);
        // Quotes, a comma, and room for the closing entry; escapes at most double the rest.
        octets += 2 * recipient.len() + 3;
        if octets > LARGE - 100 {
            break;
        }
        kept.push(recipient);
    }
    let left_out = recipients.len() - kept.len();
    if left_out > 0 {
        kept.push(format!("… and {left_out} more"));
    }
    Value::from(kept).to_string()
}

fn size(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged {
        path: PathBuf::new(),
        detail: format!("a journal record cannot be read ({error})"),
    })
}
