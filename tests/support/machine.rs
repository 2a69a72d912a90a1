//! The machine under the server: ports nobody else takes, disks that are full, and patience.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long something may take that takes moments on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(10);

/// Ports below those that the system hands out by itself, so that nobody gets one between the look and the use.
const PORTS: std::ops::Range<u64> = 12_000..30_000;

/// Looks again and again until there is something to see.
///
/// # Errors
/// `look` fails, or nothing is to be seen for a minute; `what` names it.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        if began.elapsed() > PATIENCE {
            bail!("waited in vain: {what}");
        }
        thread::sleep(GLANCE);
    }
}

/// A number nobody can foresee, below `end`.
#[must_use]
pub fn any_below(end: u64) -> u64 {
    RandomState::new().build_hasher().finish() % end.max(1)
}

/// A port of the loopback that is free.
///
/// # Errors
/// A thousand of them are taken.
pub fn free_port() -> Result<u16> {
    for _ in 0..1000 {
        let port = u16::try_from(PORTS.start + any_below(PORTS.end - PORTS.start))?;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free");
}

/// A disk of a few megabytes in the memory, gone with this value.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// A disk of so many bytes at a folder that exists. None where this user may not mount.
    ///
    /// # Errors
    /// The system refuses for another reason.
    pub fn at(folder: &Path, bytes: u64) -> Result<Option<Self>> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700")])
            .arg("tmpfs")
            .arg(folder)
            .output()
            .context("cannot start mount")?;
        if mounted.status.success() {
            let folder = folder.to_owned();
            return Ok(Some(Self { folder }));
        }
        let complaint = String::from_utf8_lossy(&mounted.stderr).into_owned();
        if complaint.contains("superuser") || complaint.contains("permi") {
            return Ok(None);
        }
        bail!("cannot mount: {complaint}");
    }

    /// Fills what is left of the disk. The room is there again when the file of this name is removed.
    ///
    /// # Errors
    /// Writing fails for another reason than want of room.
    pub fn fill(&self) -> Result<PathBuf> {
        let ballast = self.folder.join("ballast");
        let mut file = File::create(&ballast)?;
        for size in [64 * 1024, 1] {
            let block = vec![0; size];
            loop {
                match file.write_all(&block) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(ballast)
    }

    /// Makes the disk one that can only be read.
    ///
    /// # Errors
    /// The system refuses.
    pub fn forbid_writing(&self) -> Result<()> {
        let done = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(&self.folder)
            .status()?;
        if !done.success() {
            bail!("cannot make the disk read-only");
        }
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also while a process that is about to end has files open there.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(&self.folder)
            .status();
        // A temporary folder around the disk could not be removed while the disk was there.
        let _ = fs::remove_dir(&self.folder);
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}
