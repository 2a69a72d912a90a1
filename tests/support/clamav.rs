//! Debian's clamd with a signature of the test's own, so that nothing has to be downloaded and nothing dangerous lies about.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::peer::{Program, Running};

const INSTALL: &str = "sudo apt-get install clamav-daemon";

/// What counts as malware. It does no harm.
pub const MALWARE: &str = "this text is what the test takes for malware: 6b3f1e";
/// What clamd calls it.
pub const NAME: &str = "Postroom.Test.UNOFFICIAL";
/// Octets of the longest message it takes.
pub const LONGEST: usize = 1 << 20;

/// A running clamd; it ends with this value.
#[derive(Debug)]
pub struct Clamav(Running);

impl Clamav {
    /// Starts one.
    ///
    /// # Errors
    /// It is not installed or does not start; the error holds what it said.
    pub fn start() -> Result<Self> {
        let mut running = Running::prepare("clamd")?;
        let signature: String = MALWARE
            .bytes()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        // Name, any kind of file, anywhere in it.
        running.write(
            "signatures/test.ndb",
            &format!("Postroom.Test:0:*:{signature}\n"),
        )?;
        let conf = running.write("clamd.conf", &conf(&running))?;
        let conf = format!("--config-file={}", conf.display());
        running.start(&Program {
            name: "clamd",
            install: INSTALL,
            arguments: &[&conf],
            pid: "pid",
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
        self.0.path("socket")
    }

    /// What it said.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.said()
    }
}

fn conf(running: &Running) -> String {
    let (at, port) = (running.folder.path().display(), running.port);
    format!(
        "Foreground yes
DatabaseDirectory {at}/signatures
PidFile {at}/pid
LogFile {at}/log
TemporaryDirectory {at}
LocalSocket {at}/socket
LocalSocketMode 666
TCPAddr 127.0.0.1
TCPSocket {port}
StreamMaxLength {LONGEST}
ConcurrentDatabaseReload no
"
    )
}
