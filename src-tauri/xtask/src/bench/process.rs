//! A program under measurement: what it says, and that it ends with the measurement.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A started program. Dropping it ends it.
pub struct Running {
    child: Child,
    /// When it was started.
    pub started: Instant,
}

impl Running {
    /// Starts the program.
    pub fn start(command: &mut Command) -> Result<Self> {
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("{} could not be started", command.get_program().display()))?;
        Ok(Self { child, started })
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard output, for whoever reads it in another way than line by line.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard output and error.
    pub fn pipes(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        self.child.stdout.take().zip(self.child.stderr.take())
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Its standard output, line by line.
    pub fn stdout(&mut self) -> Result<Lines> {
        self.child
            .stdout
            .take()
            .map(Lines::of)
            .context("standard output was not asked for")
    }

    /// Its standard error, line by line.
    pub fn stderr(&mut self) -> Result<Lines> {
        self.child
            .stderr
            .take()
            .map(Lines::of)
            .context("standard error was not asked for")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a program prints. They are read on until its end, so that it never waits for a reader.
pub struct Lines(Receiver<String>);

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                // Nobody listens any more: read on all the same.
                let _ = sender.send(line);
            }
        });
        Self(receiver)
    }

    /// Waits for a line with this beginning and returns the rest of it.
    pub fn wait_for(&self, beginning: &str, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        let mut others = String::new();
        while let Ok(line) = self
            .0
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if let Some(rest) = line.strip_prefix(beginning) {
                return Ok(rest.trim().to_owned());
            }
            others.push_str(&line);
            others.push('\n');
        }
        bail!(
            "the program did not print `{beginning}` within {} s, but:\n{others}",
            patience.as_secs()
        )
    }
}
