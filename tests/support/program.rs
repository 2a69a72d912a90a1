//! Programs that tests start: found or asked for, and never waited for without end.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

/// Seconds a program may take; the slowest needs two.
const SECONDS: &str = "60";

/// Where Debian keeps what is not in everybody's search path.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// A command for an installed program, ended by force when it does not end by itself.
///
/// # Errors
/// The program is not there; the error is the line to type, so that a missing client can never pass for a good one.
pub fn program(name: &str, install: &str) -> Result<Command> {
    let path = find(name).ok_or_else(|| anyhow!("`{name}` is not installed; type: {install}"))?;
    Ok(bounded(&path))
}

/// The same for a program whose place is known.
#[must_use]
pub fn bounded(path: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", SECONDS]).arg(path);
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// It cannot be started or ends with a failure; the error holds everything it printed.
pub fn run(mut command: Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    bail!("{command:?}: {}\n{printed}{complaint}", output.status)
}

pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let searched = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&searched)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
