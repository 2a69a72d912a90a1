//! Processor time of a group of processes, those that have ended included, and of everything else on the machine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bench::memory;

/// proc(5) counts in hundredths of a second on every machine that Linux runs on.
const TICKS_A_SECOND: f64 = 100.0;
/// A processor share that other programs hardly disturb; theirs is 1024 each (v1) or 100 each (v2).
const LARGE_SHARE: [(&str, &str); 2] = [("cpu.shares", "20480"), ("cpu.weight", "2000")];

/// An account to which all processes are booked that [`command`](Self::command) starts, and all that these start. It is
/// a control group where one may be made; elsewhere the tables of processes are added up.
pub struct Account {
    group: Option<PathBuf>,
}

impl Account {
    /// Opens an account with a name of its own.
    pub fn open(name: &str) -> Self {
        let name = format!("postroom-bench-{}-{name}", std::process::id());
        let group = ["unified", "", "cpuacct"]
            .iter()
            .map(|hierarchy| Path::new("/sys/fs/cgroup").join(hierarchy).join(&name))
            .find(|group| {
                fs::create_dir(group).is_ok() && used(group).is_some_and(|_| joinable(group))
            });
        Self { group }
    }

    /// A call of `program` that is booked here.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some(group) = &self.group else {
            return Command::new(program);
        };
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"echo $$ > "$0" && exec "$@""#])
            .arg(group.join("cgroup.procs"))
            .arg(program);
        command
    }

    /// Seconds used so far; `root` is the process from which all others of this account come.
    pub fn seconds(&self, root: Option<u32>) -> Result<f64> {
        match (&self.group, root) {
            (Some(group), _) => used(group).context("the control group does not tell what it used"),
            (None, Some(root)) => used_by_tree(root),
            (None, None) => Ok(0.0),
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let Some(group) = &self.group else { return };
        // The last process may take a moment to go; an empty group that stays behind does no harm.
        for _ in 0..40 {
            if fs::remove_dir(group).is_ok() {
                return;
            }
            sleep(Duration::from_millis(50));
        }
    }
}

/// Whether processes may be put there; takes an unusable group away.
fn joinable(group: &Path) -> bool {
    let may = fs::OpenOptions::new()
        .write(true)
        .open(group.join("cgroup.procs"))
        .is_ok();
    if !may {
        // What cannot be used need not be removed either.
        let _ = fs::remove_dir(group);
    }
    may
}

fn used(group: &Path) -> Option<f64> {
    if let Ok(nanoseconds) = fs::read_to_string(group.join("cpuacct.usage")) {
        return Some(nanoseconds.trim().parse::<f64>().ok()? / 1e9);
    }
    let stat = fs::read_to_string(group.join("cpu.stat")).ok()?;
    let microseconds = stat
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec "))?;
    Some(microseconds.parse::<f64>().ok()? / 1e6)
}

/// What a process, its living descendants and its children that have ended used.
fn used_by_tree(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let mut seconds =
        ticks_in(&stat, 4).context("/proc/PID/stat is not as expected")? / TICKS_A_SECOND;
    for child in memory::children(pid)? {
        // One that has just ended is counted in its parent from now on.
        seconds += used_by_tree(child).unwrap_or_default();
    }
    Ok(seconds)
}

/// Seconds that this program has used itself.
pub fn own() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    Ok(ticks_in(&stat, 2).context("/proc/self/stat is not as expected")? / TICKS_A_SECOND)
}

/// From field 14 of proc_pid_stat(5) on: two fields of own time, then two of that of ended children.
fn ticks_in(stat: &str, fields: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let times = rest.split_whitespace().skip(11).take(fields);
    times.map(|ticks| ticks.parse::<f64>().ok()).sum()
}

/// Seconds that all processors have been busy since the machine started.
pub fn busy() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    busy_in(&stat).context("/proc/stat is not as expected")
}

/// User, nice, system, irq, softirq and stolen time of the line `cpu`; idle and waiting for disks are left out.
fn busy_in(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<f64> = line
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    let counted = [0, 1, 2, 5, 6, 7].map(|field| ticks.get(field).copied());
    Some(counted.into_iter().sum::<Option<f64>>()? / TICKS_A_SECOND)
}

/// A large processor share for this program and all that it starts, until dropped.
pub struct Share(PathBuf);

impl Share {
    /// Takes it; takes the rights to make a control group.
    pub fn take() -> Result<Self> {
        let own = format!("postroom-bench-{}", std::process::id());
        for hierarchy in ["cpu", ""] {
            let group = Path::new("/sys/fs/cgroup").join(hierarchy).join(&own);
            if fs::create_dir(&group).is_err() {
                continue;
            }
            let weighed = LARGE_SHARE
                .iter()
                .any(|(file, share)| fs::write(group.join(file), share).is_ok());
            if weighed && enter(&group).is_ok() {
                return Ok(Self(group));
            }
            // Nothing was put in, so it can go.
            let _ = fs::remove_dir(&group);
        }
        anyhow::bail!("no control group with a large processor share can be made here")
    }
}

fn enter(group: &Path) -> std::io::Result<()> {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string())
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(above) = self.0.parent() else { return };
        // At worst an empty group stays behind until the machine is started anew.
        let _ = enter(above).and_then(|()| fs::remove_dir(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_blanks_and_brackets_in_its_name_is_counted_right() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 100 50 20 30 20 0 1 0 9";
        assert_eq!(ticks_in(stat, 4), Some(200.0));
        assert_eq!(ticks_in(stat, 2), Some(150.0));
    }

    #[test]
    fn idle_processors_are_not_busy() {
        assert_eq!(
            busy_in("cpu  100 200 300 9999 8888 10 20 70 0 0\ncpu0 1 1 1\n"),
            Some(7.0)
        );
        assert_eq!(busy_in("cpu  100\n"), None);
    }
}
