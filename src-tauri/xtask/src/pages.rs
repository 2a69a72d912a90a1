//! The pages in `ui/`: their packages, their build, their tests.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::place;
use crate::step::Step;

/// The oldest Node.js that the tools in `ui/package.json` work with.
const OLDEST_NODE: (u32, u32) = (20, 19);

/// Installs the packages of `ui/package-lock.json`, when they are not there or the list has changed.
pub fn install() -> Result<()> {
    check_node()?;
    let lock = place::ui()?.join("package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("{} cannot be read", lock.display()))?;
    if fs::read(stamp()?).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    npm(
        "Install the packages of the pages",
        &["ci", "--no-audit", "--no-fund"],
    )?
    .advice("Is the network there? Is package-lock.json in step with package.json?")
    .run()?;
    fs::write(stamp()?, wanted).context("ui/node_modules cannot be written to")
}

/// Builds the pages into `ui/dist`. The program cannot be compiled before they are there.
pub fn build() -> Result<()> {
    npm("Build the pages", &["run", "--silent", "build"])?.run()
}

/// Runs the pages' own tests.
pub fn test() -> Result<()> {
    npm("Test the pages", &["test"])?.run()
}

/// Checks types, rules and layout of the pages' source.
pub fn lint() -> Result<()> {
    npm("Check the pages' types", &["run", "--silent", "check"])?.run()?;
    npm("Check the pages' rules", &["run", "--silent", "lint"])?.run()?;
    npm("Check the pages' layout", &["run", "--silent", "format"])?
        .advice("`npx prettier --write .` in ui/ puts it right.")
        .run()
}

fn npm(name: &str, arguments: &[&str]) -> Result<Step> {
    Ok(Step::new(name, "npm")?.args(arguments).dir(place::ui()?))
}

/// A copy of the list that was installed last.
fn stamp() -> Result<PathBuf> {
    Ok(place::ui()?.join("node_modules/.installed-package-lock.json"))
}

fn check_node() -> Result<()> {
    let printed = Step::new("Look for Node.js", "node")?
        .args(["--version"])
        .advice("Install Node.js 20.19 or newer with npm.")
        .output()?;
    match version(&printed) {
        Some(found) if found >= OLDEST_NODE => Ok(()),
        _ => bail!("Node.js 20.19 or newer is needed, found {}", printed.trim()),
    }
}

/// Major and minor number of `v20.19.2`.
fn version(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert!(version("v22.0.0").unwrap() > OLDEST_NODE);
        assert!(version("v20.9.0").unwrap() < OLDEST_NODE);
        assert_eq!(version("twenty"), None);
    }
}
