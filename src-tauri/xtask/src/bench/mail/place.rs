//! Where the servers keep their mail while they are measured: a folder on the disk under test.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::place;
use crate::step::Step;

/// Others may pass through.
const PASSABLE: u32 = 0o001;

/// The folder, and the lock that keeps a second measurement out of it.
pub struct Place {
    folder: PathBuf,
    _lock: File,
}

/// A folder that goes away with this value.
pub struct Folder(pub PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is removed before the next measurement.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Under whose rights Postfix writes Maildirs and `smtp-sink` runs: nobody's.
pub struct Owner {
    /// The name of the user.
    pub name: &'static str,
    /// The number of the user.
    pub uid: u32,
    /// The number of the group.
    pub gid: u32,
}

impl Place {
    /// Takes `folder`, or `bench/mail` in cargo's build folder.
    pub fn take(folder: Option<&str>) -> Result<Self> {
        let folder = match folder {
            Some(folder) => std::path::absolute(folder)?,
            None => place::target()?.join("bench/mail"),
        };
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let kind = Step::new("Ask for the file system", "stat")?
            .args(["--file-system", "--format", "%T"])
            .args([&folder])
            .output()?;
        ensure!(
            kind.trim() != "tmpfs",
            "{} is in memory, where every flush is free; name a folder on a disk with --folder",
            folder.display()
        );
        let lock = File::create(folder.join("lock"))?;
        ensure!(
            lock.try_lock().is_ok(),
            "another measurement is going on in {}",
            folder.display()
        );
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// An empty folder of this name.
    pub fn fresh(&self, name: &str) -> Result<Folder> {
        let folder = self.folder.join(name);
        super::postfix::end_left_behind(&folder)?;
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        Ok(Folder(folder))
    }

    /// Whether nobody's rights reach the folder.
    pub fn ensure_passable(&self) -> Result<()> {
        for folder in self.folder.ancestors() {
            ensure!(
                folder.metadata()?.permissions().mode() & PASSABLE != 0,
                "Postfix cannot pass through {}; name another folder with --folder",
                folder.display()
            );
        }
        Ok(())
    }
}

impl Owner {
    /// Looks nobody's numbers up. `None` when this program is not root and all runs under its own rights.
    pub fn find() -> Result<Option<Self>> {
        let ask = |what: &[&str]| -> Result<u32> {
            let number = Step::new("Ask for a number", "id")?.args(what).output()?;
            Ok(number.trim().parse()?)
        };
        if ask(&["-u"])? != 0 {
            return Ok(None);
        }
        let name = "nobody";
        let (uid, gid) = (ask(&["-u", name])?, ask(&["-g", name])?);
        Ok(Some(Self { name, uid, gid }))
    }
}

/// Writes everything to the disk that other measurements have left in memory, so that the next one does not pay for it.
pub fn settle_disk() -> Result<()> {
    Step::new("Flush", "sync")?.output().map(drop)
}

/// Files in `MAILBOX/inner` for every mailbox in `mail`.
pub fn count_files(mail: &Path, inner: &str) -> u64 {
    let Ok(mailboxes) = fs::read_dir(mail) else {
        // The first message makes it.
        return 0;
    };
    let folders = mailboxes
        .flatten()
        .map(|mailbox| mailbox.path().join(inner));
    folders
        .map(|folder| fs::read_dir(folder).map_or(0, |files| files.count() as u64))
        .sum()
}
