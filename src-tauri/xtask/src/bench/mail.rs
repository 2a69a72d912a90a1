//! `cargo xtask bench mail`: mail through Postroom, through Debian's Postfix and through `ceiling`, the limit of the
//! machine, in turns, so that each ratio compares measurements that are seconds apart.
//!
//! The load is made by Postfix's `smtp-source`, the next hop is its `smtp-sink`; they share the processors with the
//! servers, so that rates are true for this set-up only. Everything stays on 127.0.0.1 and ends by itself. When a
//! measurement is broken off, a Postfix may stay behind; the next measurement ends it.
//!
//! # What limits Postroom
//!
//! On two processors, with 20,000 messages of 4 KB over 10 kept connections, the processors are the limit and not the disk:
//! smtp-source takes most of one of them. Of Postroom's share 56 % is the kernel's (waking threads and switching between
//! them 25 %, the flush of the log 4 %, sockets, pages and directories of ext4), 18 % the C library's (memory, of it 4 %
//! threads that wait for each other's pool), and 25 % its own: SQLite 7 %, JSON of the mail log 4 %, the session and the rest.
//! By thread: sessions and Maildirs 56 %, rows and mail log 27 %, the log of the spool 13 %, checkpoints 4 %. `ceiling` keeps
//! neither rows nor a mail log and does not look into a message, which is the rest of the way to it.
//!
//! - One session alone on kept connections (1.9 of the 2.4 aimed at): a message takes 0.64 ms and `ceiling` 0.40, which is the
//!   flush; nothing else waits meanwhile, so each change of thread on the way from session to log and back counts whole.
//! - Ten sessions on kept connections (3.1 of 5.5; `ceiling` itself reaches 5.0) and on new ones (2.8 of 3.2): the shares above.
//! - 100 KB on kept connections (2.6 of 3.6): the same octets are written to the log and again to the Maildir.
//! - One message to 100 recipients (3.5 of 4): a hundred files are made and a hundred rows go in and out; most of it is
//!   ext4 making files.
//! - Refusals (1.4 of 1.5): a refusal is an entry of the mail log with its facts, written by a thread of its own.
//! - Another allocator (mimalloc 0.1.52) gives some 8 % more on new connections and takes 55 MB instead of 28, so it is not used.

mod account;
mod backlog;
mod footprint;
mod load;
mod measure;
mod options;
mod peer;
mod place;
mod postfix;
mod postroom;
mod results;
mod scenario;
mod sink;
mod table;

use std::env;
use std::time::Duration;

use anyhow::Result;

use account::{Account, Share};
use options::Options;
use peer::{Kind, Peer, Role};
use place::{Owner, Place};
use results::Results;
use scenario::{Scenario, Way};
use sink::Sink;

use crate::{debian, rust};

/// How long a server may work on after a measurement.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// Measures what is asked for and prints the table.
pub fn measure(words: &[&str]) -> Result<()> {
    if words.contains(&"--help") {
        println!("{}", options::USAGE);
        return Ok(());
    }
    let options = Options::parse(words)?;
    debian::install(debian::LOAD)?;
    build(&options)?;
    let _share = match options.undisturbed {
        true => Some(Share::take()?),
        false => None,
    };
    let ground = Ground {
        place: Place::take(options.folder.as_deref())?,
        owner: Owner::find()?,
        source: Account::open("load"),
        options,
    };
    let mut results = Results::default();
    for run in 0..ground.options.runs {
        println!("\n==> Run {} of {}", run + 1, ground.options.runs);
        ground.phase(run, &[Way::Inbound, Way::Refusal], &mut results)?;
        ground.phase(run, &[Way::Relay], &mut results)?;
        if ground.wants_ours(results::BUSY) || ground.wants_ours(results::RISE) {
            match footprint::measure(&ground.place, &ground.source) {
                Ok(footprint) => results.footprints.push(footprint),
                Err(error) => eprintln!("    memory of Postroom: {error:#}"),
            }
        }
    }
    if ground.wants_ours(results::BACKLOG) {
        println!("\n==> Mail that waits for a dead next hop");
        match backlog::measure(&ground.options, &ground.place, &ground.source) {
            Ok(backlog) => results.backlog = Some(backlog),
            Err(error) => eprintln!("    Postroom with a backlog: {error:#}"),
        }
    }
    table::print(&results.rows(&ground.options));
    results.print_doubts();
    Ok(())
}

fn build(options: &Options) -> Result<()> {
    let release = |name, package, program| {
        rust::cargo(
            name,
            &["build", "--release", "--package", package, "--bin", program],
        )?
        .run()
    };
    if options.servers.contains(&Kind::Ceiling) {
        release("Build the limit", "xtask", "ceiling")?;
    }
    if options.servers.contains(&Kind::Postroom) && env::var_os("POSTROOMD").is_none() {
        release("Build Postroom for use", "control", "postroomd")?;
    }
    Ok(())
}

/// What all measurements stand on.
struct Ground {
    options: Options,
    place: Place,
    owner: Option<Owner>,
    /// To which the load and the next hops are booked.
    source: Account,
}

/// A server and where it passes mail on to. The server ends first.
struct Stand {
    peer: Peer,
    sink: Option<Sink>,
}

impl Ground {
    fn wants_ours(&self, name: &str) -> bool {
        self.options.wants(name) && self.options.servers.contains(&Kind::Postroom)
    }

    /// Starts the servers afresh, takes them through all scenarios of these ways in turns, and ends them.
    fn phase(&self, run: usize, ways: &[Way], results: &mut Results) -> Result<()> {
        let wanted: Vec<&Scenario> = scenario::ALL
            .iter()
            .filter(|scenario| ways.contains(&scenario.way) && self.options.wants(scenario.name))
            .collect();
        let (Some(way), false) = (ways.first(), wanted.is_empty()) else {
            return Ok(());
        };
        let mut stands = Vec::new();
        for kind in &self.options.servers {
            match self.start(*kind, *way) {
                Ok(stand) => stands.push(stand),
                // The ceiling passes nothing on, and is not expected to.
                Err(_) if *kind == Kind::Ceiling && *way == Way::Relay => {}
                Err(error) => eprintln!("    {} is left out: {error:#}", kind.name()),
            }
        }
        for scenario in wanted {
            println!("  {}", scenario.name);
            // Each of them is the first one in its turn.
            if !stands.is_empty() {
                stands.rotate_left(1);
            }
            for stand in &stands {
                self.measure(run, scenario, stand, results)?;
            }
        }
        Ok(())
    }

    fn start(&self, kind: Kind, way: Way) -> Result<Stand> {
        let (role, sink) = if way == Way::Relay {
            let sink = Sink::start(&self.source, self.owner.as_ref())?;
            (Role::Relay { hop: sink.port }, Some(sink))
        } else {
            (Role::Inbound { largest_mb: None }, None)
        };
        let peer = Peer::start(kind, kind.name(), &role, &self.place, self.owner.as_ref())?;
        measure::warm_up(way, &peer, sink.as_ref(), &self.source)?;
        Ok(Stand { peer, sink })
    }

    fn measure(
        &self,
        run: usize,
        scenario: &Scenario,
        stand: &Stand,
        results: &mut Results,
    ) -> Result<()> {
        let Stand { peer, sink } = stand;
        match measure::measure(scenario, peer, sink.as_ref(), &self.source) {
            Ok(measured) => {
                println!(
                    "    {:9} {:6.0}/s, last delivery {:.2} s after the end, {:.2} CPU s for 1,000; others used {:.2} CPU{}",
                    peer.kind.name(),
                    measured.rate,
                    measured.lag,
                    measured.processor,
                    measured.others,
                    if measured.whole { "" } else { "; cut off" },
                );
                results.add(run, scenario.name, peer.kind, measured);
            }
            Err(error) => eprintln!("    {:9} fails: {error:#}", peer.kind.name()),
        }
        peer.calm_down(AFTERWARDS)
    }
}
