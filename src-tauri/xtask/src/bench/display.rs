//! A display without a screen.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;

use super::process::Running;

/// An X server of our own on a free display number. Dropping it ends it.
pub struct Display {
    _server: Running,
    /// What goes into `DISPLAY`.
    pub name: String,
}

impl Display {
    /// Starts the X server and waits until it takes clients.
    pub fn start() -> Result<Self> {
        let mut command = Command::new("Xvfb");
        command.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1280x900x24",
            "-nolisten",
            "tcp",
        ]);
        let mut server = Running::start(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        )?;
        let number = server.stdout()?.wait_for("", Duration::from_secs(15))?;
        Ok(Self {
            _server: server,
            name: format!(":{number}"),
        })
    }
}
