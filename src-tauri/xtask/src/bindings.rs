//! `cargo xtask bindings`: writes the types that cross into the window, after a Rust type changed.

use anyhow::Result;

use crate::rust;

/// Lets the test that compares the file with the types write it first.
pub fn bindings() -> Result<()> {
    rust::cargo(
        "Write the window's types",
        &["test", "--quiet", "--package", "control", "bindings"],
    )?
    .env("POSTROOM_WRITE_BINDINGS", "1")
    .run()
}
