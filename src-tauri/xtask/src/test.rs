//! `cargo xtask test`: from nothing to every test done.

use anyhow::Result;

use crate::{debian, lint, pages, rust};

/// The programs under test can be told where to die; no others can.
const PLACES_TO_DIE: [&str; 2] = ["--features", "control/failpoints,postroom-tests/failpoints"];

/// Sets up what is missing, checks the style, and runs every test: Rust, pages, and the real window.
pub fn test() -> Result<()> {
    debian::install(&[debian::BUILD, debian::TEST].concat())?;
    rust::install_nextest()?;
    pages::install()?;
    pages::build()?;
    lint::check()?;
    pages::test()?;
    // The tests start both programs, so these are built first; in one go with the tests, so that no dependency is
    // compiled twice with other features.
    let build = ["build", "--workspace", "--lib", "--bins", "--tests"];
    rust::cargo("Build everything", &[&build[..], &PLACES_TO_DIE].concat())?.run()?;
    let run = ["nextest", "run", "--workspace", "--no-fail-fast"];
    rust::cargo(
        "Test Rust, mail clients and the window",
        &[&run[..], &PLACES_TO_DIE].concat(),
    )?
    .advice(
        "The names of the failed tests stand above; pictures of the window are in tests/e2e/shots.",
    )
    .run()
}
