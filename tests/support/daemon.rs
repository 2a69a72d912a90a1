//! A server of the test's own: `postroomd` on free ports of the loopback, with its data in a temporary folder.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::machine::until;
use crate::maildir::Maildir;
use crate::program;

/// The domain all tests use for the office.
pub const DOMAIN: &str = "office.example";
/// The name the server greets with.
pub const HOSTNAME: &str = "mx.office.example";

/// A file of this name in the test's folder holds the authorities that the server trusts, in PEM.
pub const AUTHORITIES: &str = "authorities.pem";

/// A start takes well under a second; a loaded machine gets more.
const START: Duration = Duration::from_secs(30);

/// An account to be created before the server starts.
#[derive(Debug, Clone, Copy)]
pub struct User {
    /// The login name.
    pub name: &'static str,
    /// The password.
    pub password: &'static str,
}

/// The addresses the server really bound, from its `ready` line.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// Inbound mail.
    pub smtp: Vec<SocketAddr>,
    /// Submission with STARTTLS.
    pub submission: Vec<SocketAddr>,
    /// Submission with TLS from the first octet.
    pub submissions: Vec<SocketAddr>,
}

/// The queue as `queue list` prints it, as far as tests look at it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Queue {
    /// All recipients that wait.
    pub total: u64,
    /// The newest of them.
    pub rows: Vec<Waiting>,
}

/// A recipient in the queue.
#[derive(Debug, Clone, Deserialize)]
pub struct Waiting {
    /// Its number.
    pub id: i64,
    /// Its address.
    pub recipient: String,
    /// `waiting`, `sending`, `held` or `returning`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// What was said at the last one.
    pub reason: String,
}

/// A running server; it ends with this value, and its data with it.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    ready: Ready,
    folder: TempDir,
}

impl Daemon {
    /// Starts a server for [`DOMAIN`] with these accounts; `settings` is a partial document laid over the defaults of
    /// the tests.
    ///
    /// # Errors
    /// The program is not built, refuses the settings or does not become ready; the error holds what it printed.
    pub fn start(settings: &Value, users: &[User]) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("postroom-test-")
            .tempdir()?;
        Self::start_in(folder, settings, users)
    }

    /// The same in a folder that the test has prepared; the data is in its folder `data`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_in(folder: TempDir, settings: &Value, users: &[User]) -> Result<Self> {
        prepare(folder.path(), settings, users)?;
        Self::serve(folder)
    }

    /// Stops the server as an administrator would and starts it again on the same data, on new ports.
    ///
    /// # Errors
    /// As [`start`](Self::start), and when it does not stop.
    pub fn restart(self) -> Result<Self> {
        self.restart_with(&[])
    }

    /// The same with these variables in the environment of the new server.
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    pub fn restart_with(mut self, environment: &[(&str, &str)]) -> Result<Self> {
        self.stop()?;
        // The folder outlives this value, which ends here.
        let folder = TempDir::new()?;
        let folder = std::mem::replace(&mut self.folder, folder);
        Self::serve_with(folder, environment)
    }

    /// Ends the server as a crash does: at once, by SIGKILL.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Whether the server has ended by itself.
    ///
    /// # Errors
    /// The system does not say.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Starts another server after this one has ended, one that is to end while it starts, and waits for that.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_that_fails(&self, environment: &[(&str, &str)]) -> Result<ExitStatus> {
        let mut command = command(self.folder.path(), &["serve"])?;
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.envs(environment.iter().copied()).status()?)
    }

    fn serve(folder: TempDir) -> Result<Self> {
        Self::serve_with(folder, &[])
    }

    fn serve_with(folder: TempDir, environment: &[(&str, &str)]) -> Result<Self> {
        let log = folder.path().join("serve.log");
        let mut command = Command::new(binary()?);
        let authorities = folder.path().join(AUTHORITIES);
        if authorities.is_file() {
            command.env("SSL_CERT_FILE", authorities);
        }
        let mut child = command
            .envs(environment.iter().copied())
            .arg("--data-dir")
            .arg(data_folder(folder.path()))
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot start postroomd")?;
        match wait_until_ready(child.stdout.take()) {
            Ok(ready) => Ok(Self {
                child,
                ready,
                folder,
            }),
            Err(error) => {
                end(&mut child);
                let printed = fs::read_to_string(&log).unwrap_or_default();
                Err(error.context(format!("postroomd did not become ready:\n{printed}")))
            }
        }
    }

    /// Where inbound mail is taken.
    ///
    /// # Errors
    /// The server listens on no such port.
    pub fn smtp(&self) -> Result<SocketAddr> {
        first(&self.ready.smtp)
    }

    /// Where submissions with STARTTLS are taken.
    ///
    /// # Errors
    /// The server listens on no such port.
    pub fn submission(&self) -> Result<SocketAddr> {
        first(&self.ready.submission)
    }

    /// Where submissions with TLS from the first octet are taken.
    ///
    /// # Errors
    /// The server listens on no such port.
    pub fn submissions(&self) -> Result<SocketAddr> {
        first(&self.ready.submissions)
    }

    /// All bound addresses.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The data folder.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        data_folder(self.folder.path())
    }

    /// The Maildir of a user, as it is at this moment: what was accepted may be still on its way into it.
    #[must_use]
    pub fn mail(&self, user: &str) -> Maildir {
        Maildir::new(&self.data_folder().join("mail").join(user))
    }

    /// The Maildir of a user when nothing is on its way into any mailbox.
    ///
    /// # Errors
    /// Something still waits after a minute.
    pub fn delivered(&self, user: &str) -> Result<Maildir> {
        self.mailboxes_are_served()?;
        Ok(self.mail(user))
    }

    /// Waits until nothing is on its way into any mailbox, whatever waits for other servers.
    ///
    /// # Errors
    /// Something still waits after a minute; the error names it.
    pub fn mailboxes_are_served(&self) -> Result<()> {
        self.waits_for_nothing(&["--destination", "mailbox"])
    }

    /// What waits in the queue at this moment, as `queue list` tells a program.
    ///
    /// # Errors
    /// The verb fails or prints something else.
    pub fn queue(&self) -> Result<Queue> {
        self.queue_of(&[])
    }

    fn queue_of(&self, filter: &[&str]) -> Result<Queue> {
        let list = ["--json", "queue", "list", "--limit", "100"];
        let printed = self.command(&[&list, filter].concat())?;
        serde_json::from_str(&printed).with_context(|| format!("cannot read the queue `{printed}`"))
    }

    /// Waits until nothing waits in the queue: every accepted message is where it goes.
    ///
    /// # Errors
    /// Something still waits after a minute; the error names it.
    pub fn queue_is_empty(&self) -> Result<()> {
        self.waits_for_nothing(&[])
    }

    fn waits_for_nothing(&self, filter: &[&str]) -> Result<()> {
        let mut last = Queue::default();
        let emptied = until("nothing waits in the queue", || {
            last = self.queue_of(filter)?;
            Ok((last.total == 0).then_some(()))
        });
        emptied.with_context(|| format!("{last:?}"))
    }

    /// Waits until everything in the queue waits for a reason, and returns the reasons.
    ///
    /// # Errors
    /// No reason is to be seen within a minute.
    pub fn queue_says_why(&self) -> Result<Vec<String>> {
        until("a reason in the queue", || {
            let rows = self.queue()?.rows;
            let failed = |row: &Waiting| !row.reason.is_empty() && row.state == "waiting";
            let reasons: Vec<String> = rows.iter().map(|row| row.reason.clone()).collect();
            Ok((!rows.is_empty() && rows.iter().all(failed)).then_some(reasons))
        })
    }

    /// Runs a verb of the command line on this server's data and returns what it printed.
    ///
    /// # Errors
    /// The verb fails; the error holds what it printed.
    pub fn command(&self, verb: &[&str]) -> Result<String> {
        program::run(command(self.folder.path(), verb)?)
    }

    /// Applies a partial settings document while the server runs.
    ///
    /// # Errors
    /// The document is refused.
    pub fn apply(&self, settings: &Value) -> Result<()> {
        apply(self.folder.path(), settings)
    }

    /// What the server has logged so far.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("serve.log"))?)
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to finish (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let pid = self.child.id().to_string();
        program::run({
            let mut kill = Command::new("kill");
            kill.args(["-TERM", &pid]);
            kill
        })?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a process that was started here, and no other.
fn end(child: &mut Child) {
    // It may have ended by itself; then there is nothing to do.
    let _ = child.kill();
    let _ = child.wait();
}

fn first(addresses: &[SocketAddr]) -> Result<SocketAddr> {
    addresses
        .first()
        .copied()
        .ok_or_else(|| anyhow!("the server listens on no port of this kind"))
}

fn data_folder(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn prepare(folder: &Path, settings: &Value, users: &[User]) -> Result<()> {
    let mut document = json!({
        "service": {
            "smtp": ["127.0.0.1:0"],
            "submission": ["127.0.0.1:0"],
            "submissions": ["127.0.0.1:0"],
        },
        "general": { "domain": DOMAIN, "hostname": HOSTNAME },
        // Nobody asks the DNS, and all clients come from few addresses, unless the test is about that.
        "security": {
            "sender_policy": { "reject_unknown_domain": false },
            "connection_policy": { "max_connections": null },
            "checks": { "spf": "off", "dkim": "off", "dmarc": "off" },
        },
    });
    lay_over(&mut document, settings);
    apply(folder, &document)?;
    users.iter().try_for_each(|user| add_user(folder, *user))
}

/// Puts a partial document over another: objects are merged, everything else is replaced.
fn lay_over(document: &mut Value, partial: &Value) {
    match (document, partial) {
        (Value::Object(document), Value::Object(partial)) => {
            for (key, value) in partial {
                lay_over(document.entry(key).or_insert(Value::Null), value);
            }
        }
        (document, partial) => *document = partial.clone(),
    }
}

fn apply(folder: &Path, settings: &Value) -> Result<()> {
    let file = folder.join("settings.json");
    fs::write(&file, serde_json::to_vec_pretty(settings)?)?;
    let mut command = command(folder, &["settings", "apply"])?;
    command.arg(&file);
    program::run(command).map(drop)
}

fn add_user(folder: &Path, user: User) -> Result<()> {
    let mut command = command(folder, &["user", "add", user.name, "--password-stdin"])?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "{}", user.password)?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("user {} was not added: {complaint}", user.name);
    }
    Ok(())
}

fn command(folder: &Path, verb: &[&str]) -> Result<Command> {
    let mut command = program::bounded(&binary()?);
    command
        .arg("--data-dir")
        .arg(data_folder(folder))
        .args(verb);
    Ok(command)
}

/// The program: named by `POSTROOMD`, or beside the test's own executable.
pub(crate) fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("POSTROOMD") {
        return Ok(path.into());
    }
    let own = env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join("postroomd"))
        .find(|path| path.is_file())
        .ok_or_else(|| anyhow!("postroomd is not built; type: cargo build -p control"))
}

/// Reads the line `ready {…}`. What the server prints after it is read too and dropped, so that it never waits for
/// a full pipe.
fn wait_until_ready(output: Option<ChildStdout>) -> Result<Ready> {
    let output = output.ok_or_else(|| anyhow!("the output is not piped"))?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(addresses) = line.strip_prefix("ready ") {
                // Nobody listens any more when the wait was given up.
                let _ = sender.send(addresses.to_owned());
            }
        }
    });
    let addresses = receiver
        .recv_timeout(START)
        .context("no line `ready …` on its output")?;
    serde_json::from_str(&addresses).with_context(|| format!("cannot read `ready {addresses}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_document_changes_only_what_it_names() {
        let mut document = json!({"a": {"b": 1, "c": [1, 2]}, "d": 4});
        lay_over(&mut document, &json!({"a": {"c": [3]}, "e": null}));
        assert_eq!(
            document,
            json!({"a": {"b": 1, "c": [3]}, "d": 4, "e": null})
        );
    }
}
