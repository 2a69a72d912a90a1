//! A server under measurement, whichever it is.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::account::Account;
use super::place::{Folder, Owner, Place, count_files};
use super::postfix::Postfix;
use super::postroom::Postroom;
use crate::bench::process::Running;
use crate::place;

/// The domain of all mailboxes.
pub const DOMAIN: &str = "bench.test";
/// The mailboxes: one, and as many more as `smtp-source` numbers when it writes to a hundred.
const NUMBERED: u32 = 100;
const PATIENCE: Duration = Duration::from_secs(10);
/// A server that uses less than this in [`CALM_SPAN`] does nothing.
const CALM: f64 = 0.01;
const CALM_SPAN: Duration = Duration::from_millis(200);

/// `box`, `1box` … `100box`.
pub fn users() -> impl Iterator<Item = String> {
    let numbered = (1..=NUMBERED).map(|number| format!("{number}box"));
    std::iter::once("box".to_owned()).chain(numbered)
}

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Debian's Postfix.
    Postfix,
    /// The limit of the machine.
    Ceiling,
    /// Ours.
    Postroom,
}

impl Kind {
    /// All, in the order of the table.
    pub const ALL: [Self; 3] = [Self::Postfix, Self::Ceiling, Self::Postroom];

    /// As it is written on the command line and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postfix => "Postfix",
            Self::Ceiling => "ceiling",
            Self::Postroom => "Postroom",
        }
    }
}

/// What the server is set up for.
pub enum Role {
    /// Mail to its own mailboxes.
    Inbound {
        /// Largest message in MB; `None` leaves the default.
        largest_mb: Option<u32>,
    },
    /// Mail from its own clients, to be passed on to this port of 127.0.0.1.
    Relay {
        /// The port.
        hop: u16,
    },
}

/// A running server. Dropping it ends it.
pub struct Peer {
    /// Which one.
    pub kind: Kind,
    /// The port of 127.0.0.1 where it takes mail.
    pub port: u16,
    /// The process, or the one that started all others.
    pub pid: u32,
    mail: PathBuf,
    // In this order: what runs, what it is booked to, where it kept its files.
    _process: Process,
    account: Account,
    _folder: Folder,
}

/// What ends the server when dropped.
enum Process {
    Postfix { _postfix: Postfix },
    Ceiling { _running: Running },
    Postroom { _postroom: Postroom },
}

impl Peer {
    /// Starts a server in a fresh folder `name`.
    pub fn start(
        kind: Kind,
        name: &str,
        role: &Role,
        place: &Place,
        owner: Option<&Owner>,
    ) -> Result<Self> {
        let folder = place.fresh(name)?;
        let account = Account::open(name);
        let (port, pid, mail, process) = match kind {
            Kind::Postfix => {
                place.ensure_passable()?;
                let owner = owner.context("Postfix can be started by root only")?;
                let postfix = Postfix::start(&folder.0, role, owner, &account)?;
                let (port, master, mail) = (postfix.port, postfix.master, postfix.mail());
                (port, master, mail, Process::Postfix { _postfix: postfix })
            }
            Kind::Ceiling => {
                let (port, running) = start_ceiling(&folder.0, role, &account)?;
                let (pid, mail) = (running.pid(), folder.0.join("mail"));
                (port, pid, mail, Process::Ceiling { _running: running })
            }
            Kind::Postroom => {
                let postroom = Postroom::start(&folder.0, role, &account)?;
                let (port, pid, mail) = (postroom.port, postroom.pid(), postroom.mail());
                let process = Process::Postroom {
                    _postroom: postroom,
                };
                (port, pid, mail, process)
            }
        };
        Ok(Self {
            kind,
            port,
            pid,
            mail,
            _process: process,
            account,
            _folder: folder,
        })
    }

    /// Messages in all mailboxes.
    pub fn in_mailboxes(&self) -> u64 {
        let inner = match self.kind {
            Kind::Postfix => "Maildir/new",
            Kind::Ceiling | Kind::Postroom => "new",
        };
        count_files(&self.mail, inner)
    }

    /// Processor seconds so far, of all its processes.
    pub fn seconds(&self) -> Result<f64> {
        self.account.seconds(Some(self.pid))
    }

    /// Waits until it has nothing to do, or the patience is over.
    pub fn calm_down(&self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let mut before = self.seconds()?;
        while Instant::now() < deadline {
            sleep(CALM_SPAN);
            let now = self.seconds()?;
            if now - before < CALM {
                break;
            }
            before = now;
        }
        Ok(())
    }
}

/// The port and the process.
fn start_ceiling(folder: &Path, role: &Role, account: &Account) -> Result<(u16, Running)> {
    ensure!(
        matches!(role, Role::Inbound { .. }),
        "the ceiling passes nothing on"
    );
    let mut command = account.command(place::built("release", "ceiling")?);
    command
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut running = Running::start(&mut command)?;
    let port = running.stdout()?.wait_for("ready ", PATIENCE)?;
    Ok((port.parse()?, running))
}
