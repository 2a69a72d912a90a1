//! The window: how soon it is painted, and what it needs with its webview.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use super::display::Display;
use super::folder::DataFolder;
use super::memory;
use super::process::Running;
use crate::place;

const RUNS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(4);

/// Milliseconds to the first paint, and MB with all processes of the webview, of each run.
pub fn measure() -> Result<(Vec<f64>, Vec<f64>)> {
    let folder = DataFolder::new("window")?;
    let display = Display::start()?;
    // The first start reads everything from the disk.
    open(&folder, &display)?;
    let runs: Vec<(f64, f64)> = (0..RUNS)
        .map(|_| open(&folder, &display))
        .collect::<Result<_>>()?;
    Ok(runs.into_iter().unzip())
}

fn open(folder: &DataFolder, display: &Display) -> Result<(f64, f64)> {
    let mut command = Command::new(place::built("release", "postroom")?);
    command
        .arg("--data-dir")
        .arg(folder.data())
        .env("DISPLAY", &display.name)
        .env("DBUS_SESSION_BUS_ADDRESS", "disabled:")
        .env("NO_AT_BRIDGE", "1")
        .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
        .env("XDG_DATA_HOME", folder.home())
        .env("XDG_CACHE_HOME", folder.home())
        .env("POSTROOM_TIMINGS", "1")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let mut window = Running::start(&mut command)?;
    let painted = window.stderr()?.wait_for("painted ", PATIENCE)?;
    let milliseconds = painted
        .parse()
        .with_context(|| format!("`{painted}` is no number of milliseconds"))?;
    sleep(SETTLE);
    Ok((milliseconds, memory::pss_with_children(window.pid())?))
}
