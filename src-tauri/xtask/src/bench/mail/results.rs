//! What has been measured, and the table of it.

use super::backlog::Backlog;
use super::footprint::Footprint;
use super::measure::Measured;
use super::options::Options;
use super::peer::Kind;
use super::scenario::{self, Scenario, Way};
use super::table::{Aim, Row};
use crate::bench::median;

/// Memory with fifty sessions.
pub const BUSY: &str = "memory under 50 sessions (PSS, MB)";
/// Memory for a large message.
pub const RISE: &str = "rise of memory by a message of 100 MB (PSS, MB)";
/// The line about a dead next hop.
pub const BACKLOG: &str = "accepting with messages waiting for a dead next hop";
const PROCESSOR_AIM: f64 = 0.3;
const BACKLOG_AIM: f64 = 0.9;
const LAG_AIM: f64 = 1.0;
const BUSY_AIM: f64 = 40.0;
const RISE_AIM: f64 = 2.0;
/// Processors' worth of other programs' work that makes a rate doubtful.
const DISTURBED: f64 = 0.3;

/// All of it.
#[derive(Default)]
pub struct Results {
    entries: Vec<Entry>,
    /// Of Postroom, each run.
    pub footprints: Vec<Footprint>,
    /// Of Postroom, once.
    pub backlog: Option<Backlog>,
}

struct Entry {
    run: usize,
    scenario: &'static str,
    kind: Kind,
    measured: Measured,
}

impl Results {
    /// Takes a measurement in.
    pub fn add(&mut self, run: usize, scenario: &'static str, kind: Kind, measured: Measured) {
        self.entries.push(Entry {
            run,
            scenario,
            kind,
            measured,
        });
    }

    /// The lines that were asked for.
    pub fn rows(&self, options: &Options) -> Vec<Row> {
        let scenarios = scenario::ALL
            .iter()
            .filter(|scenario| options.wants(scenario.name));
        let mut rows: Vec<Row> = scenarios.map(|scenario| self.rate(scenario)).collect();
        if options.wants(scenario::PROCESSOR) {
            rows.push(self.processor());
        }
        if options.only.is_none() {
            rows.push(self.lag(
                Way::Inbound,
                "longest wait from the end of sending to the last delivery, inbound (s)",
            ));
            rows.push(self.lag(Way::Relay, "the same, relay (s)"));
        }
        if options.wants(BACKLOG) {
            rows.push(self.backlog());
        }
        for (name, aim, of) in [
            (
                BUSY,
                BUSY_AIM,
                (|footprint| footprint.busy) as fn(&Footprint) -> f64,
            ),
            (RISE, RISE_AIM, |footprint| footprint.rise),
        ] {
            if options.wants(name) {
                let seen: Vec<f64> = self.footprints.iter().map(of).collect();
                rows.push(ours(name, median(&seen), Aim::AtMost(aim)));
            }
        }
        rows
    }

    /// Says what the numbers may not be worth.
    pub fn print_doubts(&self) {
        let others: Vec<f64> = self
            .entries
            .iter()
            .map(|entry| entry.measured.others)
            .collect();
        if let Some(others) = median(&others).filter(|others| *others > DISTURBED) {
            println!(
                "\nOther programs used {others:.1} processors meanwhile (median): the rates are too low, and the ratios are rough."
            );
        }
        let cut = self
            .entries
            .iter()
            .filter(|entry| !entry.measured.whole)
            .count();
        if cut > 0 {
            println!("\n{cut} loads were cut off; their rates are those of what was done by then.");
        }
    }

    fn rate(&self, scenario: &Scenario) -> Row {
        let ratio = self.ratio(scenario.name, |measured| measured.rate);
        Row {
            what: format!("{} (/s)", scenario.name),
            numbers: Kind::ALL
                .map(|kind| self.median(scenario.name, kind, |measured| measured.rate)),
            ratio,
            aim: Aim::AtLeast(scenario.aim),
            judged: ratio,
        }
    }

    fn processor(&self) -> Row {
        let name = scenario::PROCESSOR;
        let ratio = self.ratio(name, |measured| measured.processor);
        Row {
            what: "CPU seconds for 1,000 inbound messages, 10 sessions".to_owned(),
            numbers: Kind::ALL.map(|kind| self.median(name, kind, |measured| measured.processor)),
            ratio,
            aim: Aim::AtMost(PROCESSOR_AIM),
            judged: ratio,
        }
    }

    /// The worst of all scenarios and runs.
    fn lag(&self, way: Way, what: &str) -> Row {
        let names: Vec<&str> = scenario::ALL
            .iter()
            .filter(|scenario| scenario.way == way)
            .map(|scenario| scenario.name)
            .collect();
        let numbers = Kind::ALL.map(|kind| {
            let own = self
                .entries
                .iter()
                .filter(|entry| entry.kind == kind && names.contains(&entry.scenario));
            own.map(|entry| entry.measured.lag).max_by(f64::total_cmp)
        });
        Row {
            what: what.to_owned(),
            numbers,
            ratio: None,
            aim: Aim::AtMost(LAG_AIM),
            judged: numbers[2],
        }
    }

    fn backlog(&self) -> Row {
        let Some(backlog) = &self.backlog else {
            return ours(BACKLOG, None, Aim::AtLeast(BACKLOG_AIM));
        };
        let ratio = backlog.ratio();
        Row {
            what: format!(
                "accepting with {} messages waiting for a dead next hop (/s); ratio to none waiting",
                backlog.waiting
            ),
            numbers: [None, None, median(&backlog.with)],
            ratio,
            aim: Aim::AtLeast(BACKLOG_AIM),
            judged: ratio,
        }
    }

    fn median(&self, scenario: &str, kind: Kind, number: fn(&Measured) -> f64) -> Option<f64> {
        let own = self
            .entries
            .iter()
            .filter(|entry| entry.scenario == scenario && entry.kind == kind);
        let numbers: Vec<f64> = own.map(|entry| number(&entry.measured)).collect();
        median(&numbers)
    }

    /// Median of Postroom ÷ Postfix, each pair from the same run.
    fn ratio(&self, scenario: &str, number: fn(&Measured) -> f64) -> Option<f64> {
        let of = |run: usize, kind: Kind| {
            let mut own = self.entries.iter().filter(|entry| {
                entry.run == run && entry.scenario == scenario && entry.kind == kind
            });
            own.next().map(|entry| number(&entry.measured))
        };
        let runs = self.entries.iter().map(|entry| entry.run).max()?;
        let ratios: Vec<f64> = (0..=runs)
            .filter_map(|run| Some(of(run, Kind::Postroom)? / of(run, Kind::Postfix)?))
            .collect();
        median(&ratios)
    }
}

/// A line that is about Postroom alone.
fn ours(what: &str, number: Option<f64>, aim: Aim) -> Row {
    Row {
        what: what.to_owned(),
        numbers: [None, None, number],
        ratio: None,
        aim,
        judged: number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rate: f64) -> Measured {
        Measured {
            rate,
            lag: 0.1,
            processor: 1.0,
            others: 0.0,
            whole: true,
        }
    }

    #[test]
    fn the_ratio_compares_measurements_of_the_same_run() {
        let mut results = Results::default();
        for (run, postfix, postroom) in [(0, 100.0, 200.0), (1, 10.0, 40.0), (2, 50.0, 150.0)] {
            results.add(run, scenario::PROCESSOR, Kind::Postfix, measured(postfix));
            results.add(run, scenario::PROCESSOR, Kind::Postroom, measured(postroom));
        }
        assert_eq!(
            results.ratio(scenario::PROCESSOR, |measured| measured.rate),
            Some(3.0)
        );
    }

    #[test]
    fn a_run_that_lacks_one_of_both_makes_no_ratio() {
        let mut results = Results::default();
        results.add(0, scenario::PROCESSOR, Kind::Postroom, measured(5.0));
        assert_eq!(
            results.ratio(scenario::PROCESSOR, |measured| measured.rate),
            None
        );
    }
}
