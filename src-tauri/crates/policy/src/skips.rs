//! Which tests the white list lifts.

use serde::{Deserialize, Serialize};
use settings::Settings;
use settings::security::{Criterion, ListRule};
use ts_rs::TS;

use crate::facts::Facts;
use crate::lists::{self, matching};
use crate::stage::Stage;

/// The tests that a rule of the white list can lift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Lists in the DNS.
    Dnsbl,
    /// SPF
    Spf,
    /// clamd
    Antivirus,
    /// DKIM
    Dkim,
    /// DMARC
    Dmarc,
}

const TESTS: [Test; 5] = [
    Test::Dnsbl,
    Test::Spf,
    Test::Antivirus,
    Test::Dkim,
    Test::Dmarc,
];

/// A test that a white rule leaves as it is.
const RUN: bool = false;
/// A test that a white rule lifts.
const SKIP: bool = true;

/// What a white rule lifts, by its criterion: the tests in the order of [`TESTS`].
#[rustfmt::skip]
const MATRIX: [(Criterion, [bool; 5]); 5] = [
    //                      DNSBL SPF   AV    DKIM  DMARC
    (Criterion::Ip,        [SKIP, SKIP, SKIP, SKIP, SKIP]),
    (Criterion::IpMask,    [SKIP, SKIP, RUN,  SKIP, SKIP]),
    (Criterion::Sender,    [RUN,  SKIP, SKIP, RUN,  RUN ]),
    (Criterion::Recipient, [RUN,  SKIP, SKIP, RUN,  RUN ]),
    (Criterion::Domain,    [RUN,  SKIP, SKIP, SKIP, SKIP]),
];

/// The tests that a white rule of this criterion lifts, and those that still run.
pub fn lifted(criterion: Criterion) -> (Vec<Test>, Vec<Test>) {
    TESTS.into_iter().partition(|test| lifts(criterion, *test))
}

fn lifts(criterion: Criterion, test: Test) -> bool {
    let row = MATRIX.iter().find(|(row, _)| *row == criterion);
    let cells = TESTS
        .iter()
        .zip(row.map(|(_, cells)| *cells).unwrap_or_default());
    cells
        .into_iter()
        .any(|(column, cell)| *column == test && cell)
}

/// Whether a white rule of this criterion also lifts what looks at the client itself: names, greetings, sender policy, rates
/// and bans.
pub fn lifts_policies(criterion: Criterion) -> bool {
    criterion == Criterion::Ip
}

/// What white rules lift, each with the name of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skips<'a> {
    /// DNSBL
    pub dnsbl: Option<&'a str>,
    /// SPF
    pub spf: Option<&'a str>,
    /// Antivirus
    pub antivirus: Option<&'a str>,
    /// DKIM
    pub dkim: Option<&'a str>,
    /// DMARC
    pub dmarc: Option<&'a str>,
    /// Names, greetings, sender policy, rates and bans.
    pub all_policies: Option<&'a str>,
}

impl<'a> Skips<'a> {
    /// Adds what a rule lifts; a test that is lifted already keeps the name it has.
    fn add(&mut self, rule: &'a ListRule) {
        let name = rule.name.as_str();
        for (test, place) in [
            (Test::Dnsbl, &mut self.dnsbl),
            (Test::Spf, &mut self.spf),
            (Test::Antivirus, &mut self.antivirus),
            (Test::Dkim, &mut self.dkim),
            (Test::Dmarc, &mut self.dmarc),
        ] {
            if lifts(rule.criterion, test) {
                place.get_or_insert(name);
            }
        }
        if lifts_policies(rule.criterion) {
            self.all_policies.get_or_insert(name);
        }
    }
}

/// The tests that white rules lift at this stage: those of all rules that match. A rule for a recipient counts for that
/// recipient; for the message as a whole it counts only when every recipient has one.
pub fn skips<'a>(stage: Stage, facts: &Facts, settings: &'a Settings) -> Skips<'a> {
    let mut skips = Skips::default();
    let recipient = match stage {
        Stage::Recipient => facts.recipient.as_ref(),
        _ => None,
    };
    for rule in matching(facts, settings, recipient).white {
        skips.add(rule);
    }
    if stage == Stage::Message
        && let Some(rule) = lists::covering(facts, settings)
    {
        skips.add(rule);
    }
    skips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventeen_cells_skip_and_eight_run() {
        let skipped: usize = Criterion::ALL.iter().map(|row| lifted(*row).0.len()).sum();
        let run: usize = Criterion::ALL.iter().map(|row| lifted(*row).1.len()).sum();
        assert_eq!((skipped, run), (17, 8));
        assert_eq!(lifted(Criterion::IpMask).1, [Test::Antivirus]);
        assert_eq!(lifted(Criterion::Sender), lifted(Criterion::Recipient));
        assert_eq!(lifted(Criterion::Domain).1, [Test::Dnsbl]);
    }
}
