//! The mail log: what was decided, and why.

use policy::Step;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::journal::{self, Filter, Kind, Outcome};
use store::{StoreError, queue, token};
use ts_rs::TS;

use crate::queue::MAX_ATTEMPTS;
use crate::{Control, Failure, FailureKind, QueueAttempt, QueueRow, explain};

/// Rows of one page.
const MAX_PAGE: u32 = 200;
/// Entries that one pasted text can open.
const MAX_OPENED: usize = 20;

/// Which entries to list.
#[derive(Debug, Clone, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
pub struct JournalFilter {
    /// Part of a sender, recipient, address, subject, Message-ID or reply.
    pub text: Option<String>,
    /// accepted, refused, deferred, aborted or dropped.
    #[ts(type = "Summary[\"outcome\"] | null")]
    pub outcome: Option<String>,
    /// Part of the sender.
    #[ts(optional = nullable)]
    pub sender: Option<String>,
    /// Part of a recipient.
    #[ts(optional = nullable)]
    pub recipient: Option<String>,
    /// Not before, milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Only entries before this one, for the next page.
    pub before_id: Option<i64>,
    /// Rows wanted, at most 200.
    pub limit: u32,
}

impl Default for JournalFilter {
    fn default() -> Self {
        Self {
            text: None,
            outcome: None,
            sender: None,
            recipient: None,
            since_ms: None,
            before_id: None,
            limit: 50,
        }
    }
}

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Summary {
    /// Number of the entry.
    pub id: i64,
    /// The word that opens it.
    pub token: String,
    /// When it began, milliseconds since 1970.
    pub at_ms: i64,
    /// connection, transaction or login.
    #[ts(type = "\"connection\" | \"transaction\" | \"login\"")]
    pub kind: String,
    /// Address of the client.
    pub client_ip: String,
    /// MAIL FROM.
    pub sender: Option<String>,
    /// RCPT TO, refused ones as well.
    pub recipients: Vec<String>,
    /// Bytes of the message, if one came.
    pub size: Option<u64>,
    /// Its subject.
    pub subject: Option<String>,
    /// How it ended.
    #[ts(type = "\"accepted\" | \"refused\" | \"deferred\" | \"aborted\" | \"dropped\"")]
    pub outcome: String,
    /// The reply that ended it.
    pub reply: String,
    /// The setting that decided, or empty.
    pub decided_by: String,
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct JournalPage {
    /// Newest first.
    pub rows: Vec<Summary>,
    /// Whether older ones exist.
    pub more: bool,
}

/// An entry with everything that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Entry {
    /// The row.
    #[serde(flatten)]
    pub summary: Summary,
    /// Name the client gave itself.
    pub helo: Option<String>,
    /// User who signed in.
    pub login: Option<String>,
    /// Message-ID.
    pub message_id: Option<String>,
    /// Settings it was decided under.
    pub revision: i64,
    /// What was known.
    #[ts(type = "unknown")]
    pub facts: Value,
    /// The checks, in order.
    #[ts(type = "Array<Step>")]
    pub steps: Vec<Step>,
    /// What became of the message since it was taken, oldest first; the newest 200.
    pub attempts: Vec<QueueAttempt>,
}

impl Control {
    /// Lists entries, newest first.
    ///
    /// # Errors
    /// A filter that is none, or the disk.
    pub fn journal_list(&self, filter: &JournalFilter) -> Result<JournalPage, Failure> {
        let limit = filter.limit.clamp(1, MAX_PAGE);
        let wanted = Filter {
            text: filter.text.clone().unwrap_or_default(),
            outcome: filter.outcome.as_deref().map(outcome).transpose()?,
            sender: filter.sender.clone().unwrap_or_default(),
            recipient: filter.recipient.clone().unwrap_or_default(),
            since_ms: filter.since_ms,
            until_ms: None,
            before_id: filter.before_id,
            limit,
        };
        let rows: Vec<Summary> = self
            .store
            .read(|conn| journal::list(conn, &wanted))?
            .into_iter()
            .map(Into::into)
            .collect();
        Ok(JournalPage {
            more: rows.len() >= limit as usize,
            rows,
        })
    }

    /// The entries that `text` names: a token, or a whole bounce with tokens in it.
    ///
    /// # Errors
    /// The disk.
    pub fn journal_open(&self, text: &str) -> Result<Vec<Entry>, Failure> {
        let mut tokens = token::tokens_in(text);
        if tokens.is_empty() {
            tokens.extend(token::parse(text.trim()));
        }
        tokens.truncate(MAX_OPENED);
        let found = self.store.read(|conn| {
            let mut entries = Vec::new();
            for token in &tokens {
                if let Some(found) = journal::find(conn, token)? {
                    let attempts = queue::attempts_of(conn, token, found.1.at_ms, MAX_ATTEMPTS)?;
                    let mut entry = Entry::from(found);
                    entry.attempts = attempts.into_iter().map(Into::into).collect();
                    entries.push(entry);
                }
            }
            Ok::<_, StoreError>(entries)
        })?;
        Ok(found)
    }

    /// The entry of a token in words, to be read or mailed.
    ///
    /// # Errors
    /// That there is no such entry.
    pub fn journal_text(&self, token: &str) -> Result<String, Failure> {
        let entries = self.journal_open(token)?;
        if entries.is_empty() {
            return Err(Failure::new(
                FailureKind::Problems,
                format!(
                    "no entry of the mail log has the token \"{}\"; a token has six letters and digits, and entries are kept for the days that service.journal_days says",
                    token.trim()
                ),
            ));
        }
        let texts: Result<Vec<String>, Failure> = entries
            .iter()
            .map(|entry| Ok(explain::text(entry, &self.still_waiting(entry)?)))
            .collect();
        Ok(texts?.join("\n"))
    }

    fn still_waiting(&self, entry: &Entry) -> Result<Vec<QueueRow>, Failure> {
        let filter = queue::Filter {
            text: entry.summary.token.clone(),
            ..queue::Filter::default()
        };
        let page = self
            .store
            .read(|conn| queue::list(conn, &filter, None, MAX_ATTEMPTS))?;
        let rows = page.rows.into_iter();
        Ok(rows
            .filter(|row| row.token == entry.summary.token)
            .map(Into::into)
            .collect())
    }
}

fn outcome(word: &str) -> Result<Outcome, Failure> {
    serde_json::from_value(Value::String(word.into())).map_err(|_| {
        let message = format!(
            "\"{word}\" is no outcome; there are accepted, refused, deferred, aborted and dropped"
        );
        Failure::new(FailureKind::Problems, message)
    })
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// The word that the JSON has for a value.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(Into::into))
        .unwrap_or_default()
}

impl From<journal::Summary> for Summary {
    fn from(row: journal::Summary) -> Self {
        Self {
            id: row.id,
            token: row.token,
            at_ms: row.at_ms,
            kind: word(row.kind),
            client_ip: row.client_ip,
            sender: (row.kind == Kind::Transaction).then_some(row.sender),
            recipients: row.recipients,
            size: (row.size > 0).then_some(row.size),
            subject: some(row.subject),
            outcome: word(row.outcome),
            reply: row.reply,
            decided_by: row.decided_by,
        }
    }
}

impl From<(i64, journal::Entry)> for Entry {
    fn from((id, entry): (i64, journal::Entry)) -> Self {
        Self {
            summary: Summary {
                id,
                token: entry.token,
                at_ms: entry.at_ms,
                kind: word(entry.kind),
                client_ip: entry.client_ip,
                sender: (entry.kind == Kind::Transaction).then_some(entry.sender),
                recipients: entry.recipients,
                size: (entry.size > 0).then_some(entry.size),
                subject: some(entry.subject),
                outcome: word(entry.outcome),
                reply: entry.reply,
                decided_by: entry.decided_by,
            },
            helo: some(entry.helo),
            login: some(entry.login),
            message_id: some(entry.message_id),
            revision: entry.revision.0,
            facts: entry.facts.value(),
            // Of a long trace a part may be left out, and an object stands in its place.
            steps: serde_json::from_str::<Vec<Value>>(entry.trace.text())
                .unwrap_or_default()
                .into_iter()
                .filter_map(|step| serde_json::from_value(step).ok())
                .collect(),
            attempts: Vec::new(),
        }
    }
}
