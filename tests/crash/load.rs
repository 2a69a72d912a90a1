//! Many sessions that send at the same time and remember what they were promised.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use anyhow::{Result, anyhow, ensure};
use postroom_tests::Dialogue;

use super::letter::letter;

/// An address of the network that may send anywhere without a login.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 8, 0, 5));
const SENDER: &str = "alice@office.example";
/// Who gets a letter, in turns: mailboxes of this server, people elsewhere, and both.
pub const EVERYBODY: &[Recipients] = &[
    &["alice@office.example"],
    &["alice@office.example", "bob@office.example"],
    &["quinn@elsewhere.example"],
    &[
        "bob@office.example",
        "quinn@elsewhere.example",
        "rita@elsewhere.example",
    ],
    &["rita@elsewhere.example"],
];
/// Most are small; the largest lies in a file of its own in the spool.
pub const MIXED: &Kind = &Kind {
    sizes: &[400, 2_000, 400, 20_000, 400, 400, 300_000],
    recipients: EVERYBODY,
};

/// The recipients of one letter.
pub type Recipients = &'static [&'static str];

/// What letters are sent, in turns.
#[derive(Debug)]
pub struct Kind {
    /// Their octets.
    pub sizes: &'static [usize],
    /// Their recipients.
    pub recipients: &'static [Recipients],
}

/// A letter that was sent, wholly or in part.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its name.
    pub id: String,
    /// To whom.
    pub recipients: Recipients,
    /// Whether its 250 came.
    pub promised: bool,
}

/// What the sessions have in common while they send.
#[derive(Debug, Default)]
pub struct Watch {
    /// Letters promised so far.
    pub promised: AtomicU64,
    /// The sessions are to end.
    pub over: AtomicBool,
}

/// Sends by so many sessions until the server is gone or `meanwhile` has ended, which runs beside them.
///
/// # Errors
/// `meanwhile` fails.
pub fn send(
    address: SocketAddr,
    sessions: usize,
    name: &str,
    kind: &Kind,
    meanwhile: impl FnOnce(&Watch) -> Result<()>,
) -> Result<Vec<Sent>> {
    let watch = Watch::default();
    thread::scope(|scope| {
        let sessions: Vec<_> = (0..sessions)
            .map(|number| {
                let watch = &watch;
                scope.spawn(move || session(address, &format!("{name}-{number}"), kind, watch))
            })
            .collect();
        let done = meanwhile(&watch);
        watch.over.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        for session in sessions {
            sent.extend(session.join().map_err(|_| anyhow!("a session failed"))?);
        }
        done.map(|()| sent)
    })
}

fn session(address: SocketAddr, name: &str, kind: &Kind, watch: &Watch) -> Vec<Sent> {
    let mut all = Vec::new();
    let Ok(mut client) = open(address) else {
        return all;
    };
    let turns = kind
        .recipients
        .iter()
        .cycle()
        .zip(kind.sizes.iter().cycle());
    for (number, (recipients, size)) in turns.enumerate() {
        if watch.over.load(Ordering::Relaxed) {
            break;
        }
        let mut sent = Sent {
            id: format!("{name}-{number}"),
            recipients,
            promised: false,
        };
        let reply = one(&mut client, &sent, *size);
        sent.promised = reply.is_ok();
        watch
            .promised
            .fetch_add(u64::from(sent.promised), Ordering::Relaxed);
        all.push(sent);
        if reply.is_err() {
            break;
        }
    }
    all
}

fn open(address: SocketAddr) -> Result<Dialogue> {
    let mut client = Dialogue::connect_from(CLIENT, address)?;
    client.expect(220)?;
    client.command("EHLO client.example", 250)?;
    Ok(client)
}

fn one(client: &mut Dialogue, sent: &Sent, size: usize) -> Result<()> {
    client.command(&format!("MAIL FROM:<{SENDER}>"), 250)?;
    for recipient in sent.recipients {
        client.command(&format!("RCPT TO:<{recipient}>"), 250)?;
    }
    client.command("DATA", 354)?;
    let reply = client.send_content(&letter(&sent.id, size))?;
    ensure!(reply.code == 250, "{reply}");
    Ok(())
}
