//! Reports to senders (RFC 3464): which of them, and with what.

use std::sync::Arc;

use message::dsn::{self, Action};
use policy::facts::{Client, Envelope, Port};
use policy::{Facts, plan};
use smtp::client::Trouble;
use smtp::{Address, Body, Domain, ForwardPath, MailParameters, Ret, ReversePath};
use store::journal::{Entry, Kind, Outcome};
use store::queue::{Accepted, NewRecipient};
use store::spool::Content;

use super::mail::{Carriage, Mail, Waiting};
use super::settle::has_sender;
use crate::clock;
use crate::shared::Shared;
use crate::snapshot::Snapshot;

/// Larger messages are not returned whole (RFC 3461 §6.2), so that a report always has room in the log.
const WHOLE_UP_TO: u64 = 50 << 10;
/// Octets of a message that are looked at for its header block.
const HEAD: usize = 64 << 10;

/// Something a sender is told about one recipient.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    address: Address,
    orcpt: Option<String>,
    action: Action,
    status: (u8, u16, u16),
    diagnostic: Option<String>,
    remote: Option<String>,
    until_ms: Option<i64>,
    text: String,
}

impl Event {
    fn new(waiting: &Waiting, action: Action, status: (u8, u8, u16), text: String) -> Self {
        let (class, subject, detail) = status;
        let status = (class, u16::from(subject), detail);
        Self {
            address: waiting.address.clone(),
            orcpt: waiting.parameters.orcpt.clone(),
            action,
            status,
            diagnostic: None,
            remote: None,
            until_ms: None,
            text,
        }
    }

    /// It has the message; a server elsewhere will not say more.
    pub fn delivered(waiting: &Waiting, hop: &str, reply: &str) -> Self {
        let is_here = !waiting.mailbox.is_empty();
        let (action, text) = if is_here {
            (
                Action::Delivered,
                "The message is in the mailbox.".to_owned(),
            )
        } else {
            let text =
                "The next server took the message. It does not say when the message is delivered.";
            (Action::Relayed, text.to_owned())
        };
        Self {
            diagnostic: Some(reply.to_owned()).filter(|reply| !reply.is_empty()),
            remote: remote(hop).filter(|_| !is_here),
            ..Self::new(waiting, action, (2, 0, 0), text)
        }
    }

    /// It never will have it.
    pub fn failed(waiting: &Waiting, trouble: &Trouble, hop: &str) -> Self {
        let (class, subject, detail) = trouble.status;
        let status = (class.max(5), subject, detail);
        Self {
            diagnostic: trouble.reply.clone(),
            remote: trouble.reply.as_ref().and_then(|_| remote(hop)),
            ..Self::new(waiting, Action::Failed, status, trouble.text.clone())
        }
    }

    /// It was tried as long as the settings say. RFC 3463 §3.5: 4.7 is delivery time expired.
    pub fn expired(waiting: &Waiting, trouble: &Trouble, hop: &str) -> Self {
        Self {
            diagnostic: trouble.reply.clone(),
            remote: trouble.reply.as_ref().and_then(|_| remote(hop)),
            ..Self::new(waiting, Action::Failed, (5, 4, 7), gave_up(&trouble.text))
        }
    }

    /// The same for one that was not even tried at the end, as its destination could not be reached.
    pub fn expired_untried(waiting: &Waiting, reason: &str) -> Self {
        Self::new(waiting, Action::Failed, (5, 4, 7), gave_up(reason))
    }

    /// The admin gave it back.
    pub fn returned(waiting: &Waiting) -> Self {
        let mut text =
            "The administrator of this server took the message out of the queue.".to_owned();
        if !waiting.reason.is_empty() {
            text.push_str(&format!(
                " Until then it could not be delivered: {}",
                waiting.reason
            ));
        }
        Self::new(waiting, Action::Failed, (5, 0, 0), text)
    }

    /// It is late.
    pub fn delayed(waiting: &Waiting, reason: &str) -> Self {
        let why = if reason.is_empty() {
            "It has not been possible to deliver the message yet.".to_owned()
        } else {
            reason.to_owned()
        };
        Self {
            until_ms: Some(waiting.expires_at_ms),
            ..Self::new(waiting, Action::Delayed, (4, 4, 7), why)
        }
    }
}

fn gave_up(reason: &str) -> String {
    if reason.is_empty() {
        "The time for trying is over.".to_owned()
    } else {
        format!("The time for trying is over. At the last attempt: {reason}")
    }
}

/// The server's name at the beginning of a description of a connection.
fn remote(hop: &str) -> Option<String> {
    let name = hop.split([',', ' ']).next().unwrap_or_default();
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

/// The reports on a message: one that says it all, or none.
pub(crate) async fn about(
    shared: &Arc<Shared>,
    mail: &Arc<Mail>,
    events: Vec<Event>,
) -> Vec<(Accepted, Content)> {
    // RFC 5321 §4.5.5, RFC 3464 §2: nobody is told about a report.
    if events.is_empty() || !has_sender(mail) {
        return Vec::new();
    }
    let (token, snapshot) = (shared.new_token(), shared.current.get());
    let mail = Arc::clone(mail);
    let random = crate::random();
    let built =
        tokio::task::spawn_blocking(move || build(&mail, &events, &snapshot, token, random));
    built.await.ok().flatten().into_iter().collect()
}

fn build(
    mail: &Mail,
    events: &[Event],
    snapshot: &Snapshot,
    token: String,
    random: u64,
) -> Option<(Accepted, Content)> {
    let ReversePath::Address(to) = &mail.sender else {
        return None;
    };
    let host = snapshot.settings.general.hostname.clone()?;
    let (head, body) = original(mail)?;
    let now_ms = clock::now_ms();
    let (now, arrival) = (
        clock::mail_date(now_ms),
        clock::mail_date(mail.accepted_at_ms),
    );
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
    let from = Address::new("MAILER-DAEMON", &host).ok()?;
    let scan = scanned(&head);
    let built = dsn::build(&dsn::Report {
        reporting_mta: &host,
        from: &from,
        to,
        envid: mail.carriage.mail.envid.as_deref(),
        arrival: &arrival,
        now: &now,
        message_id: &format!("{token}.{random:016x}@{}", host.ascii()),
        boundary: &format!("{random:016x}{token}"),
        original: dsn::Original {
            head: &head,
            body: body.as_deref(),
        },
        original_message_id: scan.as_deref(),
        recipients: &recipients,
        smtputf8: mail.carriage.mail.smtputf8,
    });
    accepted(mail, to, built, snapshot, token, &host, now_ms)
}

fn scanned(head: &[u8]) -> Option<String> {
    let mut scanner = message::Scanner::new();
    scanner.push(head);
    message::message_id(&scanner.finish())
}

/// Header block and, where it is to be returned, the rest.
fn original(mail: &Mail) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let whole =
        mail.carriage.mail.ret != Some(Ret::Headers) && mail.content.length() <= WHOLE_UP_TO;
    let most = if whole {
        usize::try_from(WHOLE_UP_TO).unwrap_or(HEAD)
    } else {
        HEAD
    };
    let content = mail.content.read_at(0, most).ok()?;
    let end = content
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(content.len(), |at| at + 4);
    let mut head = mail.head.as_bytes().to_vec();
    head.extend_from_slice(content.get(..end).unwrap_or_default());
    let body = whole.then(|| content.get(end..).unwrap_or_default().to_vec());
    Some((head, body))
}

fn accepted(
    mail: &Mail,
    to: &Address,
    built: dsn::Built,
    snapshot: &Snapshot,
    token: String,
    host: &Domain,
    now_ms: i64,
) -> Option<(Accepted, Content)> {
    let recipients = recipients(to, snapshot, now_ms);
    if recipients.is_empty() {
        tracing::warn!(
            token = mail.token,
            "nobody can be told that a message was not delivered"
        );
        return None;
    }
    let carriage = Carriage {
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
    };
    let subject = format!("report on {}", mail.token);
    let size = built.bytes.len() as u64;
    let entry = Entry {
        token: token.clone(),
        at_ms: now_ms,
        kind: Kind::Transaction,
        outcome: Outcome::Accepted,
        client_ip: String::new(),
        helo: host.ascii().to_owned(),
        login: String::new(),
        sender: "<>".into(),
        recipients: vec![to.to_string()],
        size,
        message_id: String::new(),
        subject: subject.clone(),
        reply: String::new(),
        decided_by: String::new(),
        revision: snapshot.revision,
        facts: serde_json::json!({ "report_on": mail.token }).into(),
        trace: serde_json::Value::Array(Vec::new()).into(),
    };
    let accepted = Accepted {
        token,
        accepted_at_ms: now_ms,
        sender: String::new(),
        parameters: carriage.to_text(),
        subject,
        head: String::new(),
        size,
        recipients,
        entry,
    };
    Some((accepted, Content::Memory(Arc::new(built.bytes))))
}

/// Where the report goes: the same ways as any message to this address.
fn recipients(to: &Address, snapshot: &Snapshot, now_ms: i64) -> Vec<NewRecipient> {
    let here = Client {
        ip: std::net::Ipv4Addr::LOCALHOST.into(),
        port: Port::Smtp,
        tls: None,
    };
    let facts = Facts {
        envelope: Envelope {
            sender: Some(ReversePath::Null),
            recipients: vec![ForwardPath::Address(to.clone())],
            ..Envelope::default()
        },
        ..Facts::of_client(here)
    };
    let plan = plan(&facts, &snapshot.settings);
    let delivery = &snapshot.settings.delivery;
    plan.deliveries
        .iter()
        .map(|one| new_recipient(one, delivery, now_ms, false))
        .collect()
}

/// A delivery of a plan as the queue keeps it.
pub(crate) fn new_recipient(
    delivery: &policy::Delivery,
    settings: &settings::Delivery,
    now_ms: i64,
    sending: bool,
) -> NewRecipient {
    let expires_at_ms = policy::attempt::expires_at_ms(now_ms, settings);
    let parameters = if delivery.parameters == smtp::RcptParameters::default() {
        String::new()
    } else {
        serde_json::to_string(&delivery.parameters).unwrap_or_default()
    };
    NewRecipient {
        address: delivery.recipient.to_ascii_domain(),
        mailbox: delivery.mailbox.clone().unwrap_or_default(),
        parameters,
        destination: delivery.destination.key(),
        sending,
        next_at_ms: now_ms,
        notice_at_ms: policy::attempt::warn_at_ms(now_ms, settings).unwrap_or(expires_at_ms),
        expires_at_ms,
    }
}
