//! Mail servers that others wrote, each run in the foreground in a temporary folder of its own.

use std::fs::{self, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use tempfile::TempDir;

use crate::machine::{free_port, until};
use crate::program;

/// Whom mail belongs to that another server delivers: nobody.
pub(crate) const NOBODY: u32 = 65_534;
/// A server gets this long to end by itself.
const GOODBYE: Duration = Duration::from_secs(10);
/// Runs a server until its own input ends, which it also does when the test is killed: a server that makes itself the
/// head of a session would live on. `$1` is the file with the server's number, `$2` says that it has ended, and `$3` takes
/// what it prints. The guard's own output stays open until the guard ends.
const GUARD: &str = r#"
pid=$1 ended=$2 printed=$3
shift 3
{ "$@"; echo "$?" > "$ended"; } > "$printed" 2>&1 &
read -r _
# Again and again, for it may be about to start and have no number yet.
until [ -e "$ended" ]; do
    kill -TERM $(sed 1q "$pid")
    sleep 0.1
done 2> /dev/null
"#;

/// Whether this user may run other mail servers. Who may not is told that something was left out.
#[must_use]
pub fn can_run_servers() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt as _;
        own.uid() == 0
    });
    if !is_root {
        eprintln!("LEFT OUT: only root can run Postfix and Dovecot, and this user is not root");
    }
    is_root
}

/// How a server is run.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub name: &'a str,
    /// What to type where it is not installed.
    pub install: &'a str,
    pub arguments: &'a [&'a str],
    /// The file into which it writes its number.
    pub pid: &'a str,
}

/// A process with its folder; both go with this value.
#[derive(Debug)]
pub(crate) struct Running {
    child: Option<Child>,
    pub folder: TempDir,
    pub port: u16,
}

impl Running {
    /// A folder that other users can walk through, and a port.
    pub fn prepare(name: &str) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("postroom-{name}-"))
            .tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        Ok(Self {
            child: None,
            folder,
            port: free_port()?,
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder inside that belongs to a user.
    pub fn folder_of(&self, name: &str, user: u32) -> Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(&path)?;
        chown(&path, Some(user), Some(user))?;
        Ok(path)
    }

    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text)?;
        Ok(path)
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Starts the program and waits until it takes connections.
    pub fn start(&mut self, program: &Program<'_>) -> Result<()> {
        let name = program.name;
        let path = program::find(name)
            .ok_or_else(|| anyhow!("`{name}` is not installed; type: {}", program.install))?;
        let ended = self.path("ended");
        let child = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(self.path(program.pid))
            .arg(&ended)
            .arg(self.path("printed"))
            .arg(path)
            .args(program.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What ends the test's own group must leave the guard time to end the server.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        self.child = Some(child);
        let address = self.address();
        until(&format!("{name} listens"), || {
            if let Ok(status) = fs::read_to_string(&ended) {
                bail!("{name} has ended: {status}");
            }
            Ok(TcpStream::connect(address).is_ok().then_some(()))
        })
        .with_context(|| self.said())
    }

    /// Everything it printed and logged.
    pub fn said(&self) -> String {
        let read = |name| fs::read_to_string(self.path(name)).unwrap_or_default();
        format!("{}{}", read("printed"), read("log"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        drop(child.stdin.take());
        if let Some(output) = child.stdout.take() {
            let (says, ended) = mpsc::channel();
            // Ends with the guard, which is killed below if it does not end by itself.
            thread::spawn(move || says.send(io::copy(&mut { output }, &mut io::sink())));
            let _ = ended.recv_timeout(GOODBYE);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The number of a user of this machine.
pub(crate) fn number_of(user: &str) -> Result<u32> {
    let users = fs::read_to_string(Path::new("/etc/passwd"))?;
    let mut lines = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let found = lines.find(|fields| fields.first() == Some(&user));
    let number = found.as_ref().and_then(|fields| fields.get(2));
    Ok(number
        .with_context(|| format!("there is no user {user}"))?
        .parse()?)
}
