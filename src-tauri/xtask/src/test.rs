//! `cargo xtask test`: from nothing to every test done.

use anyhow::Result;

use crate::{debian, lint, pages, rust};

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
    rust::cargo(
        "Build everything",
        &["build", "--workspace", "--lib", "--bins", "--tests"],
    )?
    .run()?;
    rust::cargo(
        "Test Rust, mail clients and the window",
        &["nextest", "run", "--workspace", "--no-fail-fast"],
    )?
    .advice(
        "The names of the failed tests stand above; pictures of the window are in tests/e2e/shots.",
    )
    .run()
}
