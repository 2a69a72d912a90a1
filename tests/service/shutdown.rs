//! The end: asked for, or by force.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use postroom_tests::machine::{any_below, until};
use postroom_tests::{Daemon, Dialogue, program};

use super::{ALICE_ADDRESS, STRANGER, server};

const SENDERS: u64 = 4;
const ROUNDS: u64 = 5;

fn signal(daemon: &Daemon, name: &str) -> Result<()> {
    let mut kill = Command::new("kill");
    kill.args(["-s", name, &daemon.pid().to_string()]);
    program::run(kill).map(drop)
}

#[test]
fn asked_to_end_it_finishes_what_it_does_and_tells_the_others() -> Result<()> {
    let mut daemon = server()?;
    let address = daemon.smtp()?;
    let begin = format!("MAIL FROM:<{STRANGER}>");
    let mut idle = Dialogue::open(address)?;
    let mut between = Dialogue::open(address)?;
    between.command(&begin, 250)?;
    let mut sending = Dialogue::open(address)?;
    sending.command(&begin, 250)?;
    sending.command(&format!("RCPT TO:<{ALICE_ADDRESS}>"), 250)?;
    sending.command("DATA", 354)?;
    sending.send(b"Subject: the last one\r\n\r\nfirst half, ")?;

    signal(&daemon, "TERM")?;
    for other in [&mut idle, &mut between] {
        let bye = other.expect(421)?;
        ensure!(bye.text().starts_with("4.3.2 "), "{bye}");
        ensure!(other.is_closed()?);
    }
    ensure!(
        Dialogue::connect(address).is_err(),
        "new clients are still let in"
    );
    sending.send(b"second half\r\n.\r\n")?;
    sending.expect(250)?;
    sending.expect(421)?;
    ensure!(daemon.stop()?.success());
    // What there was no time to deliver is delivered after the next start.
    daemon = daemon.restart()?;
    let delivered = daemon
        .delivered("alice")?
        .containing("first half, second half")?;
    ensure!(delivered.len() == 1, "{delivered:?}");
    Ok(())
}

/// Sends until the server is gone. Returns the tokens of what it took, by subject.
fn send_on(address: SocketAddr, name: &str, taken: &AtomicU64) -> BTreeMap<String, String> {
    let mut tokens = BTreeMap::new();
    let Ok(mut client) = Dialogue::open(address) else {
        return tokens;
    };
    for number in 0.. {
        let subject = format!("{name}-{number}.");
        let letter = format!(
            "Subject: {subject}\n\n{}the end\n",
            "some text\n".repeat(number % 7 * 300)
        );
        match client.send_message(STRANGER, ALICE_ADDRESS, &letter) {
            Ok(reply) if reply.code == 250 => {
                let token = reply
                    .text()
                    .rsplit(' ')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                tokens.insert(subject, token);
                taken.fetch_add(1, Ordering::Relaxed);
            }
            _ => break,
        }
    }
    tokens
}

/// Kills the server in the middle of its work, after it took so many messages.
fn kill_after(daemon: &Daemon, round: u64, messages: u64) -> Result<BTreeMap<String, String>> {
    let address = daemon.smtp()?;
    let taken = AtomicU64::new(0);
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| {
                let taken = &taken;
                scope.spawn(move || send_on(address, &format!("letter {round}-{number}"), taken))
            })
            .collect();
        until("mail flows", || {
            Ok((taken.load(Ordering::Relaxed) >= messages).then_some(()))
        })?;
        signal(daemon, "KILL")?;
        let mut all = BTreeMap::new();
        for sender in senders {
            all.extend(sender.join().map_err(|_| anyhow!("a sender failed"))?);
        }
        Ok(all)
    })
}

#[test]
fn killed_in_the_middle_of_its_work_it_has_lost_nothing_that_it_took() -> Result<()> {
    let mut daemon = server()?;
    let mut promised = BTreeMap::new();
    for round in 0..ROUNDS {
        let taken = kill_after(&daemon, round, 1 + any_below(40))?;
        ensure!(!taken.is_empty());
        daemon = daemon
            .restart()
            .with_context(|| format!("after kill {round}"))?;
        let (subject, token) = taken.last_key_value().context("nothing was taken")?;
        let entry = daemon.command(&["explain", token])?;
        ensure!(
            entry.contains(subject.as_str()) && entry.contains("accepted"),
            "{entry}"
        );
        promised.extend(taken);
    }
    let messages = daemon.delivered("alice")?.containing("Subject: letter ")?;
    for subject in promised.keys() {
        let copies = messages
            .iter()
            .filter(|message| message.contains(&format!("Subject: {subject}\n")));
        ensure!(copies.count() == 1, "{subject} was promised");
    }
    ensure!(
        messages
            .iter()
            .all(|message| message.ends_with("the end\n")),
        "a part of a message"
    );
    // What was not acknowledged may be there or not, but each sender had one such message at most in each round.
    ensure!(messages.len() as u64 <= promised.len() as u64 + SENDERS * ROUNDS);
    Ok(())
}
