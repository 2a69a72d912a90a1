//! Debian's Dovecot as the keeper of mailboxes, who takes mail by LMTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::maildir::Maildir;
use crate::peer::{NOBODY, Program, Running};

const INSTALL: &str = "sudo apt-get install dovecot-lmtpd";

/// A running Dovecot; it ends with this value.
#[derive(Debug)]
pub struct Dovecot(Running);

impl Dovecot {
    /// Starts one that knows these users.
    ///
    /// # Errors
    /// It is not installed or does not start; the error holds what it said.
    pub fn start(users: &[&str]) -> Result<Self> {
        let mut running = Running::prepare("dovecot")?;
        let mail = running.folder_of("mail", NOBODY)?;
        let known: String = users
            .iter()
            .map(|user| {
                format!(
                    "{user}:{{PLAIN}}x:{NOBODY}:{NOBODY}::{}/{user}\n",
                    mail.display()
                )
            })
            .collect();
        running.write("users", &known)?;
        let conf = running.write("dovecot.conf", &conf(&running))?;
        let conf = conf.display().to_string();
        running.start(&Program {
            name: "dovecot",
            install: INSTALL,
            arguments: &["-F", "-c", &conf],
            pid: "run/master.pid",
        })?;
        Ok(Self(running))
    }

    /// Where it listens on the network.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Its socket in the file system.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.0.path("lmtp")
    }

    /// The mail of a user.
    #[must_use]
    pub fn mail(&self, user: &str) -> Maildir {
        Maildir::new(&self.0.path("mail").join(user))
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.said()
    }
}

fn conf(running: &Running) -> String {
    let (at, port) = (running.folder.path().display(), running.port);
    format!(
        "base_dir = {at}/run
state_dir = {at}/state
log_path = {at}/log
protocols = lmtp
ssl = no
hostname = store.office.example
first_valid_uid = 1
mail_location = maildir:{at}/mail/%n
auth_username_format = %Ln
passdb {{
  driver = passwd-file
  args = {at}/users
}}
userdb {{
  driver = passwd-file
  args = {at}/users
}}
service lmtp {{
  unix_listener {at}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"
    )
}
