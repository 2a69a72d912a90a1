//! The server is killed in the middle of its work, again and again, and nothing that it took is lost.
//!
//! `POSTROOM_CRASHES=1000` kills it a thousand times instead of thirty; `POSTROOM_SEED=…` chooses the moments of an earlier
//! run, whose output names it. A long run is for `cargo test -p postroom-tests --test crash -- --nocapture`: nextest ends
//! what takes minutes.

#[path = "crash/account.rs"]
mod account;
#[path = "crash/letter.rs"]
mod letter;
#[path = "crash/load.rs"]
mod load;
#[path = "crash/power.rs"]
mod power;
#[path = "crash/sink.rs"]
mod sink;
#[path = "crash/waiting.rs"]
mod waiting;

use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::{any_below, until};
use postroom_tests::{Dialogue, program};

use account::{nothing_in_part, office, settle};
use load::{MIXED, Watch, send};
use sink::Sink;

const CRASHES: u64 = 30;
const SESSIONS: usize = 8;
/// After so many crashes the mailboxes are looked at before the next start; later that takes too long.
const WATCHED: u64 = 10;
/// The server dies at most so long after it took its first letter.
const LATEST_MS: u64 = 500;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Numbers that look random and are the same for the same seed (xorshift64).
struct Moments(u64);

impl Moments {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Waits until so many letters are promised.
fn until_promised(watch: &Watch, letters: u64) -> Result<()> {
    until("mail flows", || {
        Ok((watch.promised.load(Ordering::Relaxed) >= letters).then_some(()))
    })
}

#[test]
fn killed_at_any_moment_it_delivers_every_letter_it_took_and_none_in_part() -> Result<()> {
    let crashes = number("POSTROOM_CRASHES").unwrap_or(CRASHES);
    let seed = number("POSTROOM_SEED").unwrap_or_else(|| any_below(u64::MAX) | 1);
    println!("POSTROOM_SEED={seed} POSTROOM_CRASHES={crashes}");
    let mut moments = Moments(seed);
    let sink = Sink::open()?;
    let mut daemon = office(&sink)?;
    let (mut sent, mut died, mut slowest) = (Vec::new(), Vec::new(), Duration::ZERO);
    for round in 0..crashes {
        let moment = Duration::from_millis(moments.below(LATEST_MS));
        let address = daemon.smtp()?;
        sent.extend(send(
            address,
            SESSIONS,
            &format!("r{round}"),
            MIXED,
            |watch| {
                until_promised(watch, 1)?;
                thread::sleep(moment);
                daemon.kill()
            },
        )?);
        died.push(Instant::now());
        if round < WATCHED {
            nothing_in_part(&daemon)?;
        }
        let began = Instant::now();
        daemon = daemon
            .restart()
            .with_context(|| format!("after crash {round}"))?;
        Dialogue::open(daemon.smtp()?)?;
        slowest = slowest.max(began.elapsed());
    }
    let promised = sent.iter().filter(|letter| letter.promised).count();
    ensure!(promised as u64 >= crashes, "only {promised} letters");
    let twice = settle(&daemon, &sink, &sent, &died)?;
    println!(
        "{crashes} crashes, {promised} letters promised, {} at the sink, {twice} copies twice, slowest start {slowest:?}",
        sink.taken().len()
    );
    Ok(())
}

/// The places at which a test may have it die (`failpoints.rs`) are in a program only when somebody asks for them by name.
#[test]
fn no_program_for_people_can_be_told_where_to_die() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new(env!("CARGO"));
    // Everything that `cargo build --package postroom --package control` would put into the two programs.
    cargo.current_dir(root).args([
        "tree",
        "--offline",
        "--edges=normal",
        "--prefix=none",
        "--format={p} {f}",
        "--package=postroom",
        "--package=control",
    ]);
    let tree = program::run(cargo)?;
    ensure!(tree.contains("store v"), "{tree}");
    for line in tree.lines() {
        ensure!(
            !line.starts_with("fail v") && !line.contains("failpoints"),
            "{line}"
        );
    }
    Ok(())
}
