//! The settling of accounts: what was promised against what arrived.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use postroom_tests::{Daemon, User};
use serde_json::json;

use super::letter;
use super::load::Sent;
use super::sink::{Sink, Taken};

const ALICE: User = User {
    name: "alice",
    password: "open sesame, 42",
};
const BOB: User = User {
    name: "bob",
    password: "close sesame, 24",
};
/// A delivery counts as under way from its begin until its outcome is written down, which takes milliseconds: outcomes
/// are gathered for five and committed together. A busy machine gets more.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// What a server has sent before its death is read so much later at most.
const LATE: Duration = Duration::from_secs(1);

/// A server whose relay is the sink.
///
/// # Errors
/// It does not start.
pub fn office(sink: &Sink) -> Result<Daemon> {
    let settings = json!({
        "general": {"skip_auth_for_local_network": true},
        "service": {"local_networks": ["127.8.0.0/16"]},
        "delivery": {
            "relay_enabled": true, "relay_server": "127.0.0.1", "relay_port": sink.port(), "relay_tls": false,
        },
    });
    Daemon::start(&settings, &[ALICE, BOB])
}

/// Waits until everything is delivered, and holds what arrived against what was sent; `crashes` are the moments at which
/// the server died. Returns how many copies came twice.
///
/// What is in a mailbox is there once: a copy that is written again after a crash has the same file name. The sink cannot
/// know that it has a letter already: it gets one twice when the server died between the sink's reply and the commit
/// that removes the recipient from the queue. So a second copy must come after a crash, and the first one just before it.
///
/// # Errors
/// A letter is lost, is there twice without need, or not whole.
pub fn settle(daemon: &Daemon, sink: &Sink, sent: &[Sent], crashes: &[Instant]) -> Result<usize> {
    // What failed for a moment need not wait for its schedule.
    daemon.command(&["queue", "retry", "--all"])?;
    daemon.queue_is_empty()?;
    let mailboxes = [mailbox(daemon, "alice")?, mailbox(daemon, "bob")?];
    let taken = sink.taken();
    let mut elsewhere: BTreeMap<(&str, &str), Vec<Instant>> = BTreeMap::new();
    for Taken { id, recipients, at } in &taken {
        let id = id
            .as_ref()
            .map_err(|error| anyhow!("at the sink: {error}"))?;
        for recipient in recipients {
            elsewhere.entry((id, recipient)).or_default().push(*at);
        }
    }
    let mut twice = 0;
    for letter in sent {
        for recipient in letter.recipients {
            let local = recipient.strip_suffix("@office.example");
            let copies = match local {
                Some(user) => mailboxes[usize::from(user == "bob")]
                    .get(&letter.id)
                    .copied()
                    .unwrap_or(0),
                None => elsewhere
                    .get(&(letter.id.as_str(), *recipient))
                    .map_or(0, Vec::len),
            };
            ensure!(
                copies > 0 || !letter.promised,
                "{} was promised to {recipient} and is lost",
                letter.id
            );
            ensure!(
                copies < 2 || local.is_none(),
                "{} is {copies} times in the mailbox of {recipient}",
                letter.id
            );
        }
    }
    for ((id, recipient), copies) in &elsewhere {
        for pair in copies.windows(2) {
            let crash = crashes
                .iter()
                .find(|crash| **crash + LATE >= pair[0] && **crash <= pair[1]);
            let crash =
                crash.with_context(|| format!("{id} came to {recipient} twice without a crash"))?;
            let before = crash.saturating_duration_since(pair[0]);
            ensure!(
                before < UNDER_WAY,
                "{id} came to {recipient} again, {before:?} after it was delivered"
            );
            twice += 1;
        }
    }
    let unfinished = [daemon.mail("alice"), daemon.mail("bob")].map(|mail| mail.unfinished());
    for left in unfinished {
        let left = left?;
        // A crash may leave the beginning of a copy in `tmp/`; its next delivery writes over it, and so nothing stays.
        ensure!(left.is_empty(), "{left:?}");
    }
    Ok(twice)
}

/// Whatever a reader of the mailboxes finds at this moment is whole, also when the server died in the middle of writing.
///
/// # Errors
/// It is not.
pub fn nothing_in_part(daemon: &Daemon) -> Result<()> {
    mailbox(daemon, "alice")?;
    mailbox(daemon, "bob").map(drop)
}

/// How often each letter is in a mailbox.
fn mailbox(daemon: &Daemon, user: &str) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for copy in daemon.mail(user).messages()? {
        let id = letter::whole(&copy).with_context(|| format!("in the mailbox of {user}"))?;
        *counts.entry(id).or_default() += 1;
    }
    Ok(counts)
}
