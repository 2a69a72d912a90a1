//! `cargo xtask bench`: memory, start-up times, decisions and mail against their aims. Release build, median of several
//! runs.

mod decide;
mod display;
mod folder;
mod mail;
mod memory;
mod process;
mod serve;
mod window;

use anyhow::Result;

use crate::{debian, pages, rust};

/// One number and what it should not exceed.
struct Measure {
    name: &'static str,
    unit: &'static str,
    aim: f64,
    runs: Vec<f64>,
}

/// Builds the programs for use, measures them and prints a table.
pub fn bench() -> Result<()> {
    debian::install(&[debian::BUILD, debian::BENCH].concat())?;
    pages::install()?;
    pages::build()?;
    rust::cargo(
        "Build for use",
        &[
            "build",
            "--release",
            "--package",
            "postroom",
            "--package",
            "control",
            "--bins",
        ],
    )?
    .run()?;

    println!("\n==> Measure the server");
    let (first_connection, idle) = serve::measure()?;
    println!("\n==> Measure the window");
    let (first_paint, window) = window::measure()?;
    let decision = decide::measure()?;

    let measure = |name, unit, aim, runs| Measure {
        name,
        unit,
        aim,
        runs,
    };
    print_table(&[
        measure("memory of the idle server (PSS)", "MB", 12.0, idle),
        measure(
            "memory of the window with its webview (PSS)",
            "MB",
            200.0,
            window,
        ),
        measure(
            "start of the window to first paint",
            "ms",
            600.0,
            first_paint,
        ),
        measure(
            "start to first accepted connection",
            "ms",
            100.0,
            first_connection,
        ),
        measure(
            "one decision of the policy, slowest case",
            "µs",
            5.0,
            decision,
        ),
    ]);
    mail::measure(&[])
}

/// Measures mail alone.
pub fn mail(options: &[&str]) -> Result<()> {
    mail::measure(options)
}

fn print_table(measures: &[Measure]) {
    println!("\n| what | median | aim, at most | reached | runs |");
    println!("|---|---:|---:|---|---|");
    for Measure {
        name,
        unit,
        aim,
        runs,
    } in measures
    {
        let runs_in_words: Vec<String> = runs.iter().map(|run| format!("{run:.1}")).collect();
        match median(runs) {
            Some(median) => {
                let reached = if median <= *aim { "yes" } else { "NO" };
                println!(
                    "| {name} | {median:.1} {unit} | {aim} {unit} | {reached} | {} |",
                    runs_in_words.join(", ")
                );
            }
            None => println!("| {name} | not measured | {aim} {unit} | NO | |"),
        }
    }
}

/// The middle one; the upper of the two middle ones when their number is even.
fn median(runs: &[f64]) -> Option<f64> {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_runs() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[]), None);
    }
}
