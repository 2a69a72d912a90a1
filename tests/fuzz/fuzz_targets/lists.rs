//! Files of black and white list rules, of any octets.
//!
//! The first octet chooses the format, the rest is the file. Checked: no panic, lines in their order, whatever is taken can
//! be stored, what is written again is read as the same rules, and the index finds what a walk through the rules finds.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz lists -- -max_total_time=60`
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use settings::security::exchange::{
    Format, ImportVerdict, OnExisting, fits, guess, import, read, write,
};
use settings::security::{ListValue, Lists};

const FORMATS: [Format; 4] = [
    Format::Csv,
    Format::PostfixClient,
    Format::PostfixSender,
    Format::PostfixRecipient,
];

fn look_up(lists: &Lists) {
    let rules = lists.rules().iter().filter(|rule| rule.enabled);
    for rule in rules {
        let ip: IpAddr = match ListValue::parse(rule.criterion, &rule.value) {
            Ok(ListValue::Ip(ip)) => ip,
            Ok(ListValue::Masked(masked)) => masked.ends().1,
            _ => continue,
        };
        let found = lists.of_client(ip);
        let same = |other: &&settings::security::ListRule| {
            other.list == rule.list
                && ListValue::parse(other.criterion, &other.value)
                    == ListValue::parse(rule.criterion, &rule.value)
        };
        assert!(
            found.iter().any(|other| same(other)),
            "{rule:?} is not found"
        );
    }
}

fuzz_target!(|octets: &[u8]| {
    let Some((first, file)) = octets.split_first() else {
        return;
    };
    let _ = guess(file);
    let format = FORMATS[usize::from(*first) % FORMATS.len()];
    let lines = read(format, file);
    assert!(lines.iter().map(|line| line.number).is_sorted());
    let taken = import(&Lists::default(), lines, OnExisting::Replace);
    let lists = taken.lists;
    look_up(&lists);
    for format in FORMATS {
        let again = import(
            &lists,
            read(format, write(format, lists.rules()).as_bytes()),
            OnExisting::Replace,
        );
        let expected = lists
            .rules()
            .iter()
            .filter(|rule| fits(format, rule.criterion))
            .count();
        assert_eq!(again.lines.len(), expected);
        for line in &again.lines {
            assert_eq!(
                line.verdict,
                ImportVerdict::Same,
                "{line:?} of {:?}",
                lists.rules()
            );
        }
    }
});
