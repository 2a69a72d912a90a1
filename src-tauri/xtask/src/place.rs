//! Where things lie.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The root folder of the source. Asked of cargo at every start, because a build folder may be shared by several checkouts.
pub fn root() -> Result<PathBuf> {
    let here = env::var_os("CARGO_MANIFEST_DIR").context("start this with `cargo xtask`")?;
    let root = PathBuf::from(here).join("../..");
    root.canonicalize()
        .with_context(|| format!("{} is not there", root.display()))
}

/// The folder of the pages' source.
pub fn ui() -> Result<PathBuf> {
    Ok(root()?.join("ui"))
}

/// Cargo's build folder.
pub fn target() -> Result<PathBuf> {
    let root = root()?;
    // A relative folder counts from where cargo was started, which is where this program was started.
    let named = env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
    match named {
        Some(folder) => std::path::absolute(folder).context("CARGO_TARGET_DIR names no folder"),
        None => Ok(root.join("target")),
    }
}

/// A program that cargo has built.
pub fn built(profile: &str, program: &str) -> Result<PathBuf> {
    Ok(target()?.join(profile).join(program))
}
