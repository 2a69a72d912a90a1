//! Debian's Postfix as a relay that wants TLS and a login, with users of its own (Cyrus SASL's database) and mailboxes.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use crate::hop::Certificate;
use crate::maildir::Maildir;
use crate::peer::{NOBODY, Program, Running, number_of};
use crate::program;

const INSTALL: &str = "sudo apt-get install postfix libsasl2-modules sasl2-bin";
/// The domain for which it has mailboxes.
pub const DOMAIN: &str = "elsewhere.example";
/// Whom it lets send, with this password.
pub const LOGIN: (&str, &str) = ("office-4711", "a pass word=,ü");
const NAME: &str = "relay.example";

/// A running Postfix; it ends with this value.
#[derive(Debug)]
pub struct Postfix(Running);

impl Postfix {
    /// Starts one that shows this certificate, keeps mail for anybody at [`DOMAIN`] and hands everything else to the
    /// next server.
    ///
    /// # Errors
    /// It is not installed or does not start; the error holds what it said.
    pub fn start(certificate: &Certificate, next: SocketAddr) -> Result<Self> {
        let mut running = Running::prepare("postfix")?;
        let postfix = number_of("postfix")?;
        running.folder_of("spool", 0)?;
        running.folder_of("data", postfix)?;
        running.folder_of("mail", NOBODY)?;
        running.write("etc/cert.pem", &certificate.pem)?;
        running.write("etc/key.pem", &certificate.key_pem)?;
        add_login(&running)?;
        running.write("etc/main.cf", &main_cf(&running, next))?;
        running.write("etc/master.cf", &master_cf(running.port))?;
        let etc = running.path("etc").display().to_string();
        running.start(&Program {
            name: "postfix",
            install: INSTALL,
            arguments: &["-c", &etc, "start-fg"],
            pid: "spool/pid/master.pid",
        })?;
        Ok(Self(running))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The mail it keeps.
    #[must_use]
    pub fn mail(&self) -> Maildir {
        Maildir::new(&self.0.path("mail/all"))
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.said()
    }
}

/// Puts the login into a database of its own.
fn add_login(running: &Running) -> Result<()> {
    let database = running.path("etc/sasldb2");
    let conf = format!(
        "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN CRAM-MD5\nsasldb_path: {}\n",
        database.display()
    );
    running.write("etc/sasl/smtpd.conf", &conf)?;
    let mut command = program::program("saslpasswd2", INSTALL)?;
    command
        .args(["-p", "-c", "-u", NAME, "-f"])
        .arg(&database)
        .arg(LOGIN.0)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        use std::io::Write as _;
        input.write_all(LOGIN.1.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // Its SMTP server reads it as another user.
    fs::set_permissions(&database, Permissions::from_mode(0o644)).context("no database was made")
}

fn main_cf(running: &Running, next: SocketAddr) -> String {
    let at = running.folder.path().display();
    format!(
        "compatibility_level = 3.6
queue_directory = {at}/spool
data_directory = {at}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {at}/log
maillog_file_prefixes = {at}
myhostname = {NAME}
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
biff = no
local_transport = error:no local mail
smtputf8_enable = yes
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {at}/mail
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:{NOBODY}
virtual_gid_maps = static:{NOBODY}
relayhost = [{}]:{}
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {at}/etc/cert.pem
smtpd_tls_key_file = {at}/etc/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = {NAME}
cyrus_sasl_config_path = {at}/etc/sasl
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
",
        next.ip(),
        next.port()
    )
}

fn master_cf(port: u16) -> String {
    format!(
        "127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"
    )
}
