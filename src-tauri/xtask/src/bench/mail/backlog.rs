//! How fast mail is taken while much of it waits for a next hop that is dead.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::account::Account;
use super::load::Load;
use super::options::Options;
use super::peer::{Kind, Peer, Role};
use super::place::{Place, settle_disk};
use crate::bench::folder::free_port;
use crate::bench::median;

/// Messages of one filling load.
const PORTION: u64 = 5_000;
/// Messages of one measurement.
const MEASURED: u64 = 3_000;
const LONGEST: Duration = Duration::from_secs(20);
/// Filling takes no longer than this; what waits by then has to do.
const FILLING: Duration = Duration::from_secs(240);

/// Messages a second with many waiting, and with none.
pub struct Backlog {
    /// How many waited.
    pub waiting: u64,
    /// Rate of the server with a backlog, each run.
    pub with: Vec<f64>,
    /// Rate of its twin without, measured in turns.
    pub without: Vec<f64>,
}

impl Backlog {
    /// Median of the runs' ratios.
    pub fn ratio(&self) -> Option<f64> {
        let ratios: Vec<f64> = self
            .with
            .iter()
            .zip(&self.without)
            .map(|(with, without)| with / without)
            .collect();
        median(&ratios)
    }
}

/// Starts two servers whose next hop refuses connections, fills the queue of one, and measures both in turns.
pub fn measure(options: &Options, place: &Place, source: &Account) -> Result<Backlog> {
    let start = |name| {
        let hop = free_port()?;
        Peer::start(Kind::Postroom, name, &Role::Relay { hop }, place, None)
    };
    let (laden, empty) = (start("backlog-full")?, start("backlog-empty")?);
    let began = Instant::now();
    let mut waiting = 0;
    while waiting < options.waiting && began.elapsed() < FILLING {
        let portion = PORTION.min(options.waiting - waiting);
        waiting += send(&laden, portion, true, source)?.0;
    }
    println!(
        "    {waiting} messages wait after {:.0} s",
        began.elapsed().as_secs_f64()
    );
    let mut backlog = Backlog {
        waiting,
        with: Vec::new(),
        without: Vec::new(),
    };
    for run in 0..options.runs {
        let without = rate(&empty, source)?;
        let with = rate(&laden, source)?;
        println!(
            "    run {}: {with:.0}/s with, {without:.0}/s without",
            run + 1
        );
        backlog.without.push(without);
        backlog.with.push(with);
    }
    Ok(backlog)
}

fn rate(peer: &Peer, source: &Account) -> Result<f64> {
    settle_disk()?;
    peer.calm_down(Duration::from_secs(5))?;
    let (answered, seconds) = send(peer, MEASURED, false, source)?;
    Ok(answered as f64 / seconds)
}

fn send(peer: &Peer, messages: u64, kept: bool, source: &Account) -> Result<(u64, f64)> {
    let sent = Load {
        port: peer.port,
        messages,
        sessions: 10,
        size: 4096,
        kept,
        recipients: 1,
        from: "box@bench.test",
        to: "box@relay.test",
        refused: false,
        longest: LONGEST,
    }
    .send(source)?;
    ensure!(
        sent.answered > 0,
        "nothing was answered: {}",
        sent.complaint
    );
    Ok((sent.answered, sent.seconds))
}
