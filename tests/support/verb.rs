//! The command line as a script sees it: how a verb ended, and what it printed on which stream.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use crate::{daemon, program};

/// How a verb ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Exit status: 0 done, 1 refused, 2 not understood.
    pub code: i32,
    /// What was printed for the caller.
    pub out: String,
    /// What was said about a refusal.
    pub err: String,
}

impl Verdict {
    /// Insists on a refusal (exit status 1) whose words hold all of these.
    ///
    /// # Errors
    /// It was done, or refused in other words; the error shows them.
    pub fn refused_with(&self, words: &[&str]) -> Result<()> {
        ensure!(self.code == 1, "not refused: {self:?}");
        ensure!(self.out.is_empty(), "printed beside a refusal: {self:?}");
        for word in words {
            ensure!(self.err.contains(word), "does not say {word:?}: {self:?}");
        }
        Ok(())
    }
}

/// Runs a verb on a data folder to its end.
///
/// # Errors
/// The program is not built or was ended by a signal.
pub fn verb(data: &Path, arguments: &[&str]) -> Result<Verdict> {
    verb_with(data, arguments, "")
}

/// The same with something on its standard input.
///
/// # Errors
/// As [`verb`].
pub fn verb_with(data: &Path, arguments: &[&str], input: &str) -> Result<Verdict> {
    let mut child = program::bounded(&daemon::binary()?)
        .arg("--data-dir")
        .arg(data)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A verb that refuses at once does not read.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    Ok(Verdict {
        code: output.status.code().context("ended by a signal")?,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
