//! Postroom with its default settings, in a data folder of its own; but tests that ask the DNS about each stranger are off, as
//! there is none here and the other servers make no such tests, and so is the limit of connections, as all of the load comes
//! from one address.

use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::account::Account;
use super::peer::{DOMAIN, Role, users};
use crate::bench::process::Running;
use crate::place;

const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. Dropping it ends it.
pub struct Postroom {
    data: PathBuf,
    /// The port of 127.0.0.1 where it takes mail.
    pub port: u16,
    process: Running,
}

impl Postroom {
    /// Sets it up in an empty folder and starts it.
    pub fn start(folder: &Path, role: &Role, account: &Account) -> Result<Self> {
        let data = folder.join("data");
        let document = folder.join("settings.json");
        fs::write(&document, settings(role))?;
        let applied = std::process::Command::new(program()?)
            .arg("--data-dir")
            .arg(&data)
            .args(["settings", "apply"])
            .arg(&document)
            .output()?;
        ensure!(
            applied.status.success(),
            "the settings are refused: {}",
            String::from_utf8_lossy(&applied.stderr).trim()
        );
        let mut command = account.command(program()?);
        command
            .arg("--data-dir")
            .arg(&data)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("serve.log"))?);
        let mut process = Running::start(&mut command)?;
        let ready = process.stdout()?.wait_for("ready ", PATIENCE)?;
        let port = smtp_port(&ready).with_context(|| format!("cannot read `ready {ready}`"))?;
        Ok(Self {
            data,
            port,
            process,
        })
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The folder with one Maildir a user.
    pub fn mail(&self) -> PathBuf {
        self.data.join("mail")
    }
}

/// The program: named by `POSTROOMD`, or the one that cargo has built for use.
pub fn program() -> Result<PathBuf> {
    match env::var_os("POSTROOMD") {
        Some(path) => Ok(path.into()),
        None => place::built("release", "postroomd"),
    }
}

fn settings(role: &Role) -> String {
    let users: Vec<String> = users()
        .map(|user| format!(r#"{{"name":"{user}"}}"#))
        .collect();
    let users = users.join(",");
    let more = match role {
        Role::Inbound { largest_mb: None } => String::new(),
        Role::Inbound {
            largest_mb: Some(largest),
        } => format!(r#""max_message_size_mb":{largest},"#),
        Role::Relay { .. } => r#""skip_auth_for_local_network":true,"#.to_owned(),
    };
    let (networks, delivery) = match role {
        Role::Inbound { .. } => ("null", String::new()),
        Role::Relay { hop } => (
            r#"["127.0.0.0/8"]"#,
            format!(
                r#","delivery":{{"relay_enabled":true,"relay_server":"127.0.0.1","relay_port":{hop},"relay_tls":false}}"#
            ),
        ),
    };
    format!(
        r#"{{"general":{{{more}"domain":"{DOMAIN}","hostname":"mx.{DOMAIN}"}},
            "service":{{"smtp":["127.0.0.1:0"],"submission":["127.0.0.1:0"],"submissions":["127.0.0.1:0"],
                        "local_networks":{networks}}},
            "security":{{"sender_policy":{{"reject_unknown_domain":false}},"connection_policy":{{"max_connections":null}},
                         "checks":{{"spf":"off","dkim":"off","dmarc":"off"}}}},
            "users":[{users}]{delivery}}}"#
    )
}

/// The first port of `{"smtp":["127.0.0.1:2525"],…}`.
fn smtp_port(ready: &str) -> Option<u16> {
    let (_, list) = ready.split_once(r#""smtp":[""#)?;
    let (first, _) = list.split_once('"')?;
    Some(first.parse::<SocketAddr>().ok()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_for_inbound_mail_is_told_from_the_others() {
        let ready = r#"{"smtp":["127.0.0.1:2525"],"submission":["127.0.0.1:587"]}"#;
        assert_eq!(smtp_port(ready), Some(2525));
        assert_eq!(smtp_port("{}"), None);
    }
}
