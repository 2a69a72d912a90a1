//! Debian's Postfix as it comes, in folders of its own: default limits, default durability.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::account::Account;
use super::peer::{DOMAIN, Role, users};
use super::place::Owner;
use super::sink::wait_for_port;
use crate::bench::folder::free_port;
use crate::step::Step;

/// What Debian fills its /etc/postfix/master.cf with.
const SERVICES: &str = "/usr/share/postfix/master.cf.dist";

/// A running Postfix. Dropping it ends it, and no other one.
pub struct Postfix {
    folder: PathBuf,
    /// The port of 127.0.0.1 where it takes mail.
    pub port: u16,
    /// The process that starts all others.
    pub master: u32,
}

impl Postfix {
    /// Sets it up in an empty folder and starts it. Takes root.
    pub fn start(folder: &Path, role: &Role, owner: &Owner, account: &Account) -> Result<Self> {
        let port = free_port()?;
        for part in ["etc", "queue", "data", "mail", "log"] {
            fs::create_dir(folder.join(part))?;
        }
        chown(folder.join("mail"), Some(owner.uid), Some(owner.gid))?;
        Step::new("Hand a folder over", "chown")?
            .arg("postfix")
            .arg(folder.join("data"))
            .output()?;
        fs::write(folder.join("etc/main.cf"), main_cf(folder, role, owner)?)?;
        fs::copy(SERVICES, folder.join("etc/master.cf"))?;
        let listen = format!("{port}/inet=127.0.0.1:{port} inet n - n - - smtpd");
        edit(folder, &["-F", "*/*/chroot=n"])?;
        edit(folder, &["-MX", "smtp/inet"])?;
        edit(folder, &["-M", &listen])?;
        let mut command = account.command("postfix");
        let started = command
            .arg("-c")
            .arg(folder.join("etc"))
            .arg("start")
            .output()?;
        let mut postfix = Self {
            folder: folder.to_owned(),
            port,
            master: 0,
        };
        wait_for_port(port)
            .with_context(|| String::from_utf8_lossy(&started.stderr).into_owned())?;
        let master = fs::read_to_string(folder.join("queue/pid/master.pid"))?;
        postfix.master = master.trim().parse()?;
        Ok(postfix)
    }

    /// The folder with one Maildir a user.
    pub fn mail(&self) -> PathBuf {
        self.folder.join("mail")
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if !matches!(stop(&self.folder), Ok(true)) {
            eprintln!("Postfix in {} could not be stopped", self.folder.display());
        }
    }
}

/// Ends a Postfix that a measurement which was broken off has left running in `folder`.
pub fn end_left_behind(folder: &Path) -> Result<()> {
    if folder.join("queue/pid/master.pid").exists() {
        // Mostly it runs no more, and Postfix says so.
        stop(folder)?;
    }
    Ok(())
}

fn stop(folder: &Path) -> Result<bool> {
    let step = Step::new("Stop Postfix", "postfix")?.arg("-c");
    Ok(step.arg(folder.join("etc")).arg("stop").succeeds())
}

fn edit(folder: &Path, change: &[&str]) -> Result<()> {
    Step::new("Set Postfix up", "postconf")?
        .arg("-c")
        .arg(folder.join("etc"))
        .args(change)
        .output()
        .map(drop)
}

fn main_cf(folder: &Path, role: &Role, owner: &Owner) -> Result<String> {
    let place = folder.display();
    let mut lines = vec![
        "compatibility_level = 3.6".to_owned(),
        format!("queue_directory = {place}/queue"),
        format!("data_directory = {place}/data"),
        // Its own log file instead of the system's log.
        format!("maillog_file = {place}/log/mail.log"),
        format!("maillog_file_prefixes = {place}/log"),
        format!("myhostname = mx.{DOMAIN}"),
        "inet_interfaces = 127.0.0.1".to_owned(),
        "inet_protocols = ipv4".to_owned(),
        "mynetworks = 127.0.0.0/8".to_owned(),
        "mydestination =".to_owned(),
        "alias_maps =".to_owned(),
        "alias_database =".to_owned(),
    ];
    match role {
        Role::Relay { hop, .. } => lines.push(format!("relayhost = [127.0.0.1]:{hop}")),
        Role::Inbound { .. } => {
            let map = mailboxes(folder)?;
            lines.push(format!("virtual_mailbox_domains = {DOMAIN}"));
            lines.push(format!("virtual_mailbox_base = {place}/mail"));
            lines.push(format!("virtual_mailbox_maps = {map}"));
            lines.push("virtual_minimum_uid = 1".to_owned());
            lines.push(format!("virtual_uid_maps = static:{}", owner.uid));
            lines.push(format!("virtual_gid_maps = static:{}", owner.gid));
        }
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// Writes the table of mailboxes, in the type of table that this Postfix takes by default, and returns its name.
fn mailboxes(folder: &Path) -> Result<String> {
    let kind = Step::new("Ask Postfix", "postconf")?
        .args(["-d", "-h", "default_database_type"])
        .output()?;
    let source = folder.join("etc/mailboxes");
    let lines: Vec<String> = users()
        .map(|user| format!("{user}@{DOMAIN} {user}/Maildir/\n"))
        .collect();
    fs::write(&source, lines.concat())?;
    let map = format!("{}:{}", kind.trim(), source.display());
    // postmap wants a main.cf to read; an empty one will do until the real one is there.
    fs::write(folder.join("etc/main.cf"), "compatibility_level = 3.6\n")?;
    Step::new("Make a table", "postmap")?
        .arg("-c")
        .arg(folder.join("etc"))
        .arg(&map)
        .output()?;
    Ok(map)
}
