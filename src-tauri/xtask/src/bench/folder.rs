//! A data folder to measure on: set up like an office that has gone through the first-run assistant.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::place;
use crate::step::Step;

/// A data folder of its own, removed when dropped.
pub struct DataFolder {
    path: PathBuf,
    /// The port of 127.0.0.1 where mail from outside is taken.
    pub port: u16,
}

impl DataFolder {
    /// Makes the folder and applies the settings through `postroomd`.
    pub fn new(name: &str) -> Result<Self> {
        let path =
            std::env::temp_dir().join(format!("postroom-bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        let folder = Self {
            path,
            port: free_port()?,
        };
        let document = folder.path.join("settings.json");
        fs::write(&document, settings(folder.port))?;
        Step::new("Apply settings", place::built("release", "postroomd")?)?
            .args([
                "--data-dir".as_ref(),
                folder.data().as_os_str(),
                "settings".as_ref(),
                "apply".as_ref(),
                document.as_os_str(),
            ])
            .output()?;
        Ok(folder)
    }

    /// What goes after `--data-dir`.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where a program under measurement may put everything else.
    pub fn home(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // What cannot be removed is the temporary folder's own business.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn settings(port: u16) -> String {
    format!(
        r#"{{"general":{{"domain":"office.example","hostname":"mail.office.example"}},
            "service":{{"smtp":["127.0.0.1:{port}"],"submission":["127.0.0.1:0"],"submissions":["127.0.0.1:0"]}}}}"#
    )
}

/// A port that nobody has at the moment.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
