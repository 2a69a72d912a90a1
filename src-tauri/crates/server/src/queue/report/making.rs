//! How a report is written, and how it travels.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use message::dsn;
use smtp::{Address, Body, Domain, MailParameters, Ret, ReversePath};
use store::journal::{Entry, Kind, Outcome};
use store::queue::{Accepted, NewRecipient};

use super::{Event, Report, new_recipient};
use crate::clock;
use crate::content::Arrived;
use crate::queue::mail::{Carriage, Mail};
use crate::queue::ways;
use crate::snapshot::Snapshot;

/// Larger messages are not returned whole (RFC 3461 §6.2).
const WHOLE_UP_TO: u64 = 50 << 10;
/// Octets of a message that are looked at for its header block.
const HEAD: usize = 64 << 10;
/// The same where a report must not need a file.
const SMALL_HEAD: usize = 32 << 10;
/// Recipients of a report that must not need a file: each takes at most some 7 KB.
const IN_SMALL: usize = 10;

/// What reports on a message are made of.
#[derive(Debug)]
pub(super) struct Making {
    pub mail: Arc<Mail>,
    pub snapshot: Arc<Snapshot>,
    pub spool: PathBuf,
}

impl Making {
    /// Reports on all events. Where the spool takes no files they are more and smaller ones: whether the log has room for
    /// those is found out when they are accepted, and waited for. Blocking.
    pub fn reports(&self, events: &[Event]) -> Vec<Report> {
        let original = Original::of(&self.mail);
        self.pieces(events, dsn::MOST_RECIPIENTS, &original)
            .or_else(|error| {
                tracing::warn!(
                    token = self.mail.token,
                    "a large report becomes several small ones, as it cannot be written: {error}"
                );
                self.pieces(events, IN_SMALL, &original.small())
            })
            .unwrap_or_else(|error| {
                tracing::error!(
                    token = self.mail.token,
                    recipients = events.len(),
                    "a sender is not told of them: {error}"
                );
                Vec::new()
            })
    }

    fn pieces(
        &self,
        events: &[Event],
        most: usize,
        original: &Original,
    ) -> io::Result<Vec<Report>> {
        let pieces = events.chunks(most);
        let made = pieces.map(|piece| self.report(piece, original));
        made.filter_map(Result::transpose).collect()
    }

    /// `None` when there is nobody to tell.
    fn report(&self, events: &[Event], original: &Original) -> io::Result<Option<Report>> {
        let mail = &self.mail;
        let (ReversePath::Address(to), Some(host)) =
            (&mail.sender, &self.snapshot.settings.general.hostname)
        else {
            return Ok(None);
        };
        let Ok(from) = Address::new("MAILER-DAEMON", host) else {
            return Ok(None);
        };
        let now_ms = clock::now_ms();
        let recipients = recipients(to, &self.snapshot, now_ms);
        if recipients.is_empty() {
            tracing::warn!(
                token = mail.token,
                "nobody can be told that a message was not delivered"
            );
            return Ok(None);
        }
        let token = store::token::new(crate::random());
        let built = write(mail, events, original, (host, &from, to), (&token, now_ms));
        let accepted = Accepted {
            token: token.clone(),
            accepted_at_ms: now_ms,
            sender: String::new(),
            parameters: carriage(&built).to_text(),
            subject: format!("report on {}", mail.token),
            head: String::new(),
            size: built.bytes.len() as u64,
            recipients,
            entry: self.entry(token, to, host, built.bytes.len(), now_ms),
        };
        Ok(Some(Report {
            accepted,
            arrived: Arrived::own(built.bytes, &self.spool)?,
            on: mail.token.clone(),
            about: events.len(),
        }))
    }

    fn entry(
        &self,
        token: String,
        to: &Address,
        host: &Domain,
        octets: usize,
        now_ms: i64,
    ) -> Entry {
        Entry {
            token,
            at_ms: now_ms,
            kind: Kind::Transaction,
            outcome: Outcome::Accepted,
            client_ip: String::new(),
            helo: host.ascii().to_owned(),
            login: String::new(),
            sender: "<>".into(),
            recipients: vec![to.to_string()],
            size: octets as u64,
            message_id: String::new(),
            subject: format!("report on {}", self.mail.token),
            reply: String::new(),
            decided_by: String::new(),
            revision: self.snapshot.revision,
            facts: serde_json::json!({ "report_on": self.mail.token }).into(),
            trace: serde_json::Value::Array(Vec::new()).into(),
        }
    }
}

/// The text of a report from `from` at `host` to `to`.
fn write(
    mail: &Mail,
    events: &[Event],
    original: &Original,
    (host, from, to): (&Domain, &Address, &Address),
    (token, now_ms): (&str, i64),
) -> dsn::Built {
    let (now, arrival) = (
        clock::mail_date(now_ms),
        clock::mail_date(mail.accepted_at_ms),
    );
    let random = crate::random();
    let untils: Vec<Option<String>> = events
        .iter()
        .map(|event| event.until_ms.map(clock::mail_date))
        .collect();
    let recipients: Vec<dsn::Recipient<'_>> = events
        .iter()
        .zip(&untils)
        .map(|(event, until)| dsn::Recipient {
            original: event.orcpt.as_deref(),
            address: &event.address,
            action: event.action,
            status: event.status,
            diagnostic: event.diagnostic.as_deref(),
            remote_mta: event.remote.as_deref(),
            last_attempt: Some(&now),
            will_retry_until: until.as_deref(),
            text: &event.text,
        })
        .collect();
    dsn::build(&dsn::Report {
        reporting_mta: host,
        from,
        to,
        envid: mail.carriage.mail.envid.as_deref(),
        arrival: &arrival,
        now: &now,
        message_id: &format!("{token}.{random:016x}@{}", host.ascii()),
        boundary: &format!("{random:016x}{token}"),
        original: dsn::Original {
            head: &original.head,
            body: original.body.as_deref(),
        },
        original_message_id: original.message_id().as_deref(),
        recipients: &recipients,
        smtputf8: mail.carriage.mail.smtputf8,
    })
}

fn carriage(built: &dsn::Built) -> Carriage {
    Carriage {
        mail: MailParameters {
            body: if built.eight_bit {
                Body::EightBitMime
            } else {
                Body::SevenBit
            },
            smtputf8: built.smtputf8,
            ..MailParameters::default()
        },
        eight_bit_header: built.smtputf8,
        eight_bit_body: built.eight_bit,
        // The original is given back as it came.
        nul: built.bytes.contains(&0),
    }
}

/// What is given back of a message.
#[derive(Debug)]
struct Original {
    /// Its header block.
    head: Vec<u8>,
    /// All that follows, where it is to be returned.
    body: Option<Vec<u8>>,
}

impl Original {
    fn of(mail: &Mail) -> Self {
        let content = mail.content.read_at(0, HEAD).unwrap_or_else(|error| {
            // The report matters more than what it gives back.
            tracing::warn!(
                token = mail.token,
                "a message cannot be returned with a report on it: {error}"
            );
            Vec::new()
        });
        let is_whole = mail.carriage.mail.ret != Some(Ret::Headers)
            && mail.content.length() <= WHOLE_UP_TO
            && mail.content.length() == content.len() as u64;
        let end = content
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .map_or(content.len(), |at| at + 4);
        let mut head = mail.head.as_bytes().to_vec();
        head.extend_from_slice(content.get(..end).unwrap_or_default());
        let body = is_whole.then(|| content.get(end..).unwrap_or_default().to_vec());
        Self { head, body }
    }

    /// The same for a report that must not need a file.
    fn small(mut self) -> Self {
        self.head.truncate(SMALL_HEAD);
        self.body = None;
        self
    }

    fn message_id(&self) -> Option<String> {
        let mut scanner = message::Scanner::new();
        scanner.push(&self.head);
        message::message_id(&scanner.finish())
    }
}

/// Where the report goes: the same ways as any message to this address.
fn recipients(to: &Address, snapshot: &Snapshot, now_ms: i64) -> Vec<NewRecipient> {
    let delivery = &snapshot.settings.delivery;
    ways::deliveries(to, &snapshot.settings)
        .iter()
        .map(|one| new_recipient(one, delivery, now_ms, false))
        .collect()
}
