//! Fetches the facts that the active rules read: accounts, failed logins, networks. It decides nothing.

pub mod strangers;

use std::net::IpAddr;
use std::time::Duration;

use message::{Mark, Problem, Scan, Scanner};
use policy::facts::{Attachment, Attempt, Login, MessageFacts, PasswordCheck, Storage};
use settings::Settings;
use smtp::Credentials;
use store::login_failure::WINDOW_MS;
use store::{Store, StoreError, login_failure, password, secret};
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::clock;
use crate::disk;
use crate::rates::counted_as;
use crate::shared::Shared;
use crate::snapshot::Snapshot;

/// A login that waits longer than this for its turn is told to come back.
const TURN: Duration = Duration::from_secs(10);
/// Each further failure of an address is answered this much later, up to the longest.
const DELAY_STEP: Duration = Duration::from_millis(300);
pub const LONGEST_DELAY: Duration = Duration::from_secs(3);
/// Unreadable entries of From and Sender that are kept.
const AUTHORS: usize = 20;
/// Stands for a login that is nobody's: people type passwords into the name field, and logs are read by many.
const UNKNOWN: &str = "(unknown)";

/// A turn to check a password. `None` when none comes free in time.
pub async fn turn(shared: &Shared) -> Option<SemaphorePermit<'_>> {
    timeout(TURN, shared.hashing.acquire()).await.ok()?.ok()
}

/// Failed logins of `ip`, and whether it must wait.
///
/// # Errors
/// When the database cannot be read.
pub fn failures(store: &Store, ip: IpAddr) -> Result<Attempt, StoreError> {
    let (now, ip) = (clock::now_ms(), counted_as(ip));
    let (failures, until) = store.read(|conn| {
        Ok((
            login_failure::count_since(conn, ip, now - WINDOW_MS)?,
            login_failure::blocked_until(conn, ip, now)?,
        ))
    })?;
    Ok(Attempt {
        login: String::new(),
        password: None,
        failures,
        blocked_until: until.map(clock::local_time),
    })
}

/// Checks credentials off the async threads, for whoever holds a turn; an unknown user costs the same time as a known one.
pub async fn check_password(
    shared: &Shared,
    settings: &Settings,
    credentials: &Credentials,
    attempt: &mut Attempt,
    turn: Option<&SemaphorePermit<'_>>,
) {
    let user = settings
        .user_of_login(&credentials.login)
        .map(|user| user.name.clone());
    attempt.login = user.clone().unwrap_or_else(|| UNKNOWN.into());
    if turn.is_none() {
        attempt.password = Some(PasswordCheck::Unavailable);
        return;
    }
    let store = shared.store.clone();
    let typed: Zeroizing<String> = credentials.password.clone();
    let checked = tokio::task::spawn_blocking(move || {
        let hash = match user {
            Some(name) => store.read(|conn| secret::get(conn, secret::PASSWORD, &name))?,
            None => None,
        };
        let hash = hash
            .as_deref()
            .and_then(|bytes| std::str::from_utf8(bytes).ok());
        Ok::<bool, StoreError>(password::verify(hash, &typed))
    })
    .await;
    attempt.password = Some(match checked {
        Ok(Ok(true)) => PasswordCheck::Right,
        Ok(Ok(false)) => PasswordCheck::Wrong,
        Ok(Err(_)) | Err(_) => PasswordCheck::Unavailable,
    });
}

/// When the password of `user` was last set: a login made before that is no longer current.
///
/// # Errors
/// When the database cannot be read.
pub fn password_set_at(store: &Store, user: &str) -> Result<Option<i64>, StoreError> {
    store.read(|conn| secret::changed_at(conn, secret::PASSWORD, user))
}

/// Fetches whether `login` still holds.
pub fn refresh_login(store: &Store, login: &mut Login, set_at: Option<i64>) {
    login.current = password_set_at(store, &login.user).is_ok_and(|now| now == set_at);
}

/// Remembers a failed login, and says for how long the reply must wait.
///
/// # Errors
/// When the database cannot be written.
pub async fn record_failure(
    store: &Store,
    ip: IpAddr,
    login: String,
) -> Result<Duration, StoreError> {
    let (now, ip) = (clock::now_ms(), counted_as(ip));
    let count = store
        .write(move |tx| {
            login_failure::record(tx, ip, &login, now)?;
            login_failure::count_since(tx, ip, now - WINDOW_MS)
        })
        .await?;
    Ok((DELAY_STEP * count).min(LONGEST_DELAY))
}

/// Room on the disks that a message needs. Unknown when a file system does not say.
pub fn storage(shared: &Shared, snapshot: &Snapshot) -> Option<Storage> {
    let spool = disk::free_bytes(&shared.spool());
    let mail = disk::free_bytes(&shared.mail_root(snapshot));
    let free = spool.into_iter().chain(mail).min()?;
    Some(Storage { free })
}

/// What a whole message says, in the words of the policy.
#[must_use]
pub fn facts_of(octets: &[u8]) -> MessageFacts {
    let size = u64::try_from(octets.len()).unwrap_or(u64::MAX);
    message_facts(&Scanner::scan(octets), false, size)
}

/// What the scan of a message says, in the words of the policy.
pub fn message_facts(scan: &Scan, oversize: bool, size: u64) -> MessageFacts {
    let from = message::from_addresses(scan);
    let sender = message::sender_addresses(scan);
    let mut facts = MessageFacts {
        size,
        oversize,
        header_too_large: scan.header_problems.contains(&Problem::HeaderTooLarge),
        header_problem: scan.header_problems.first().map(ToString::to_string),
        hops: scan.hops(),
        unreadable_from: from.unreadable.first().cloned(),
        unreadable_authors: from
            .unreadable
            .into_iter()
            .chain(sender.unreadable)
            .take(AUTHORS)
            .collect(),
        from_fields: from.fields,
        from: from.addresses,
        sender: sender.addresses,
        largest_attachment: scan.largest_attachment().map(|part| Attachment {
            name: part
                .filename
                .clone()
                .unwrap_or_else(|| part.content_type.clone()),
            size: part.decoded_size,
        }),
        // RFC 3464 §2, RFC 8098 §3
        notification: message::report_type(scan)
            .is_some_and(|kind| kind == "delivery-status" || kind == "disposition-notification"),
        ..MessageFacts::default()
    };
    for mark in message::auto_forward_marks(scan) {
        let name = match mark {
            Mark::ResentFrom | Mark::ResentSender => {
                facts.resent = true;
                continue;
            }
            Mark::DeliveredTo(address) => {
                facts.delivered_to.push(address);
                continue;
            }
            Mark::XForwardedFor => "X-Forwarded-For",
            Mark::XForwardedTo => "X-Forwarded-To",
            Mark::InboxRulesLoop => "X-MS-Exchange-Inbox-Rules-Loop",
            Mark::AutoForward => "X-Autoforward",
            Mark::AutoSubmitted => "Auto-Submitted: auto-forwarded",
        };
        facts.forward_marks.push(name.into());
    }
    facts
}
