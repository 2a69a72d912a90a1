//! One scenario on one server.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::account::{Account, busy, own};
use super::load::{Load, Sent};
use super::peer::Peer;
use super::place::settle_disk;
use super::scenario::{self, Scenario, Way};
use super::sink::Sink;

/// A load that takes longer is cut off; its rate is that of what was done by then.
const LONGEST: Duration = Duration::from_secs(15);
/// Longer than this no delivery is waited for.
const DELIVERY: Duration = Duration::from_secs(30);
/// How often deliveries are counted.
const LOOK: Duration = Duration::from_millis(5);
/// How long the machine may take to become quiet before a measurement.
const QUIET_PATIENCE: Duration = Duration::from_secs(3);
/// Processors' worth of work that counts as quiet.
const QUIET: f64 = 0.15;
const WARM_UP: u64 = 50;

/// What was seen.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Messages a second: answered, or delivered where all copies must have arrived.
    pub rate: f64,
    /// Seconds from the end of sending to the last delivery.
    pub lag: f64,
    /// Processor seconds of the server for 1,000 messages, deliveries included.
    pub processor: f64,
    /// Processors' worth of work that other programs did meanwhile.
    pub others: f64,
    /// Whether everything was sent before the load was cut off.
    pub whole: bool,
}

/// Measures one scenario.
pub fn measure(
    scenario: &Scenario,
    peer: &Peer,
    sink: Option<&Sink>,
    source: &Account,
) -> Result<Measured> {
    settle_disk()?;
    wait_for_quiet()?;
    let before = Counts::now(peer, source)?;
    let delivered_before = delivered(peer, sink);
    let load = load(scenario, peer);
    let sent = load.send(source)?;
    ensure!(
        sent.answered > 0,
        "nothing was answered: {}",
        sent.complaint
    );
    let cut_off = sent.seconds >= LONGEST.as_secs_f64();
    ensure!(
        sent.whole || cut_off,
        "{} of {} answered, then: {}",
        sent.answered,
        load.messages,
        sent.complaint
    );
    let end = match scenario.way {
        Way::Refusal => sent.seconds,
        Way::Inbound | Way::Relay => {
            let wanted = delivered_before + sent.answered * u64::from(scenario.recipients);
            wait_for_deliveries(peer, sink, &sent, wanted)?
        }
    };
    let after = Counts::now(peer, source)?;
    let span = sent.began.elapsed().as_secs_f64();
    let answered = sent.answered as f64;
    let counted_until = if scenario.recipients > 1 {
        end
    } else {
        sent.seconds
    };
    Ok(Measured {
        rate: answered / counted_until,
        lag: end - sent.seconds,
        processor: (after.server - before.server) / answered * 1000.0,
        others: ((after.all - before.all) - (after.ours() - before.ours())).max(0.0) / span,
        whole: !cut_off,
    })
}

/// Sends a few messages that are not counted, so that every server has made its folders and tables.
pub fn warm_up(way: Way, peer: &Peer, sink: Option<&Sink>, source: &Account) -> Result<()> {
    let wanted = delivered(peer, sink) + WARM_UP;
    let load = Load {
        messages: WARM_UP,
        ..load(&scenario::warm_up(way), peer)
    };
    let sent = load.send(source)?;
    ensure!(sent.whole, "the warm-up fails: {}", sent.complaint);
    wait_for_deliveries(peer, sink, &sent, wanted).map(drop)
}

/// Processor seconds used so far.
struct Counts {
    server: f64,
    source: f64,
    own: f64,
    all: f64,
}

impl Counts {
    fn now(peer: &Peer, source: &Account) -> Result<Self> {
        Ok(Self {
            server: peer.seconds()?,
            source: source.seconds(None)?,
            own: own()?,
            all: busy()?,
        })
    }

    fn ours(&self) -> f64 {
        self.server + self.source + self.own
    }
}

/// The load of a scenario on this server.
pub fn load(scenario: &Scenario, peer: &Peer) -> Load<'static> {
    let (from, to) = match scenario.way {
        Way::Inbound => ("stranger@sender.test", "box@bench.test"),
        Way::Refusal => ("stranger@sender.test", "nobody@bench.test"),
        Way::Relay => ("box@bench.test", "box@relay.test"),
    };
    Load {
        port: peer.port,
        messages: scenario.messages_for(peer.kind),
        sessions: scenario.sessions,
        size: scenario.size,
        kept: scenario.kept,
        recipients: scenario.recipients,
        from,
        to,
        refused: scenario.way == Way::Refusal,
        longest: LONGEST,
    }
}

fn delivered(peer: &Peer, sink: Option<&Sink>) -> u64 {
    match sink {
        Some(sink) => sink.messages(),
        None => peer.in_mailboxes(),
    }
}

/// Seconds from the beginning of the load to the last delivery.
fn wait_for_deliveries(peer: &Peer, sink: Option<&Sink>, sent: &Sent, wanted: u64) -> Result<f64> {
    let deadline = Instant::now() + DELIVERY;
    loop {
        let there = delivered(peer, sink);
        if there >= wanted {
            break;
        }
        ensure!(
            Instant::now() < deadline,
            "{} messages are not delivered after {} s",
            wanted - there,
            DELIVERY.as_secs()
        );
        sleep(LOOK);
    }
    let seen = sink.and_then(Sink::last).unwrap_or_else(Instant::now);
    let seconds = seen.saturating_duration_since(sent.began).as_secs_f64();
    Ok(seconds.max(sent.seconds))
}

/// Waits until the machine does little, or the patience is over.
fn wait_for_quiet() -> Result<()> {
    let deadline = Instant::now() + QUIET_PATIENCE;
    while Instant::now() < deadline {
        let before = busy()?;
        sleep(Duration::from_millis(300));
        if (busy()? - before) / 0.3 < QUIET {
            break;
        }
    }
    Ok(())
}
