//! Cargo and its additions.

use std::env;
use std::ffi::OsString;

use anyhow::Result;

use crate::step::Step;

/// The test runner, in a version that the Rust of this workspace can build.
const NEXTEST: &str = "0.9.143";
const CARGO_FUZZ: &str = "0.13.2";

/// A call of the cargo that called this program. It inherits `CARGO_TARGET_DIR`.
pub fn cargo(name: &str, arguments: &[&str]) -> Result<Step> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    Ok(Step::new(name, cargo)?.args(arguments))
}

/// Installs `cargo nextest` when it is missing.
pub fn install_nextest() -> Result<()> {
    install("cargo-nextest", &["nextest", "--version"], NEXTEST)
}

/// Installs `cargo fuzz` when it is missing.
pub fn install_fuzz() -> Result<()> {
    install("cargo-fuzz", &["fuzz", "--version"], CARGO_FUZZ)
}

fn install(package: &str, probe: &[&str], version: &str) -> Result<()> {
    if cargo("Look for an addition to cargo", probe)?.succeeds() {
        return Ok(());
    }
    cargo(
        &format!("Install {package}"),
        &["install", "--locked", "--version", version, package],
    )?
    .advice("Is the network there?")
    .run()
}
