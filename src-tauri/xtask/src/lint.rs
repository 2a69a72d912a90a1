//! `cargo xtask lint`: layout, rules and types of all source.

use anyhow::Result;

use crate::{debian, pages, rust};

/// Sets up what is missing and checks everything.
pub fn lint() -> Result<()> {
    debian::install(debian::BUILD)?;
    pages::install()?;
    pages::build()?;
    check()
}

/// Checks everything; the pages must have been built.
pub fn check() -> Result<()> {
    rust::cargo("Check the layout of Rust", &["fmt", "--all", "--check"])?
        .advice("`cargo fmt` puts it right.")
        .run()?;
    rust::cargo(
        "Check Rust with clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ],
    )?
    .run()?;
    pages::lint()
}
