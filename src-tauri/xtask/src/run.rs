//! `cargo xtask run`: from nothing to an open window.

use anyhow::Result;

use crate::step::Step;
use crate::{debian, pages, place, rust};

/// Sets up what is missing, builds, and opens the window; `arguments` go to it.
pub fn run(arguments: &[&str]) -> Result<()> {
    debian::install(debian::BUILD)?;
    pages::install()?;
    pages::build()?;
    rust::cargo("Build Postroom", &["build", "--package", "postroom"])?.run()?;
    Step::new("Open the window", place::built("debug", "postroom")?)?
        .args(arguments)
        .run()
}
