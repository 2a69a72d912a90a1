//! The list of records that the Mail Log shows, filtered and in pages.

use rusqlite::{Connection, OptionalExtension, named_params};
use serde::{Deserialize, Serialize};

use super::{Kind, Outcome, parsed, size};
use crate::StoreError;

const MOST: u32 = 200;
/// A longer search text finds nothing that a shorter one does not.
const PATTERN: usize = 500;

/// Which records to list; what is left empty does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Part of an address, subject, reply, login, client address, HELO name, token or `Message-ID`;
    /// upper and lower case ASCII letters are the same.
    pub text: String,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Part of the reverse-path.
    pub sender: String,
    /// Part of a forward-path.
    pub recipient: String,
    /// At or after this moment, in milliseconds since 1970 UTC.
    pub since_ms: Option<i64>,
    /// Before this moment.
    pub until_ms: Option<i64>,
    /// The page after the record with this number.
    pub before_id: Option<i64>,
    /// Records in the page: 1 to 200.
    pub limit: u32,
}

/// What a line of the list shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The record's number, for [`Filter::before_id`].
    pub id: i64,
    /// Its token.
    pub token: String,
    /// When it began, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// What it is about.
    pub kind: Kind,
    /// How it ended.
    pub outcome: Outcome,
    /// The client's address.
    pub client_ip: String,
    /// The login name; empty without login.
    pub login: String,
    /// The reverse-path.
    pub sender: String,
    /// The forward-paths.
    pub recipients: Vec<String>,
    /// Octets of the message.
    pub size: u64,
    /// Its subject.
    pub subject: String,
    /// The reply that decided it.
    pub reply: String,
    /// Path of the setting that decided it.
    pub decided_by: String,
}

/// The records that match, newest first.
///
/// # Errors
/// [`StoreError::Damaged`] when a column is not JSON.
pub fn list(conn: &Connection, filter: &Filter) -> Result<Vec<Summary>, StoreError> {
    // Newest is by the moment it began; the number decides between equal moments.
    let mut end = (filter.until_ms.unwrap_or(i64::MAX), i64::MIN);
    if let Some(id) = filter.before_id {
        let Some(at_ms) = moment_of(conn, id)? else {
            // Only the oldest records go, and everything before them went with them.
            return Ok(Vec::new());
        };
        end = end.min((at_ms, id));
    }
    let mut statement = conn.prepare_cached(
        "SELECT id, token, at_ms, kind, outcome, client_ip, login, sender, recipients, size, subject,
           reply, decided_by
         FROM journal
         WHERE at_ms >= :since AND (at_ms, id) < (:end_ms, :end_id)
           AND (:outcome IS NULL OR outcome = :outcome)
           AND (:sender IS NULL OR sender LIKE :sender ESCAPE '\\')
           AND (:recipient IS NULL OR recipients LIKE :recipient ESCAPE '\\')
           AND (:text IS NULL OR sender LIKE :text ESCAPE '\\' OR recipients LIKE :text ESCAPE '\\'
             OR subject LIKE :text ESCAPE '\\' OR reply LIKE :text ESCAPE '\\'
             OR login LIKE :text ESCAPE '\\' OR client_ip LIKE :text ESCAPE '\\'
             OR helo LIKE :text ESCAPE '\\' OR token LIKE :text ESCAPE '\\'
             OR message_id LIKE :text ESCAPE '\\')
         ORDER BY at_ms DESC, id DESC LIMIT :limit",
    )?;
    let rows = statement.query_map(
        named_params! {
            ":since": filter.since_ms.unwrap_or(i64::MIN),
            ":end_ms": end.0,
            ":end_id": end.1,
            ":outcome": filter.outcome,
            ":sender": containing(&filter.sender),
            ":recipient": containing(&filter.recipient),
            ":text": containing(&filter.text),
            ":limit": filter.limit.clamp(1, MOST),
        },
        line,
    )?;
    rows.map(|row| {
        let (summary, recipients) = row?;
        Ok(Summary {
            recipients: parsed(&recipients)?,
            ..summary
        })
    })
    .collect()
}

fn moment_of(conn: &Connection, id: i64) -> Result<Option<i64>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT at_ms FROM journal WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?)
}

/// The line without its recipients, and those as text.
fn line(row: &rusqlite::Row<'_>) -> Result<(Summary, String), rusqlite::Error> {
    let summary = Summary {
        id: row.get(0)?,
        token: row.get(1)?,
        at_ms: row.get(2)?,
        kind: row.get(3)?,
        outcome: row.get(4)?,
        client_ip: row.get(5)?,
        login: row.get(6)?,
        sender: row.get(7)?,
        recipients: Vec::new(),
        size: size(row.get(9)?),
        subject: row.get(10)?,
        reply: row.get(11)?,
        decided_by: row.get(12)?,
    };
    Ok((summary, row.get(8)?))
}

/// A LIKE pattern that finds `part` literally; `None` when there is nothing to look for.
fn containing(part: &str) -> Option<String> {
    let part = part.trim();
    if part.is_empty() {
        return None;
    }
    let mut pattern = String::from("%");
    for c in part.chars().take(PATTERN) {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Some(pattern)
}
