//! The policy's own benchmark, and what it prints.

use anyhow::{Result, ensure};

use crate::rust;

/// Microseconds of the slowest case of the benchmark `decide`.
pub fn measure() -> Result<Vec<f64>> {
    println!("\n==> Measure decisions");
    let printed = rust::cargo(
        "Measure decisions",
        &["bench", "--package", "policy", "--bench", "decide"],
    )?
    .output()?;
    print!("{printed}");
    let times: Vec<f64> = printed.lines().filter_map(middle_in_microseconds).collect();
    ensure!(
        !times.is_empty(),
        "the benchmark `decide` of the policy printed no time"
    );
    Ok(times
        .into_iter()
        .max_by(f64::total_cmp)
        .into_iter()
        .collect())
}

/// The middle one of the three times in a line such as `decide/accept  time:   [1.20 µs 1.25 µs 1.31 µs]`.
fn middle_in_microseconds(line: &str) -> Option<f64> {
    let (_, times) = line.split_once("time:")?;
    let mut words = times
        .trim()
        .strip_prefix('[')?
        .strip_suffix(']')?
        .split_whitespace()
        .skip(2);
    let number: f64 = words.next()?.parse().ok()?;
    match words.next()? {
        "ps" => Some(number / 1_000_000.0),
        "ns" => Some(number / 1000.0),
        "µs" | "us" => Some(number),
        "ms" => Some(number * 1000.0),
        "s" => Some(number * 1_000_000.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_time_is_read_in_any_unit() {
        assert_eq!(
            middle_in_microseconds("decide/accept   time:   [1.20 µs 1.25 µs 1.31 µs]"),
            Some(1.25)
        );
        assert_eq!(
            middle_in_microseconds("                time:   [800.0 ns 900.0 ns 1.1 µs]"),
            Some(0.9)
        );
        assert_eq!(
            middle_in_microseconds("Found 3 outliers among 100 measurements (3.00%)"),
            None
        );
    }
}
