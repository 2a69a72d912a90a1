//! Mail programs people really use send to the server in every way they can, and the letter lies in the Maildir.
//!
//! A program that is not installed is a failure with the line to type, never a test that passes for want of a client.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use postroom_tests::program::{program, run};
use postroom_tests::{Daemon, Dialogue, User};
use serde_json::json;
use tempfile::TempDir;

const ALICE: User = User {
    name: "alice",
    password: "open sesame, 42",
};
const ALICE_ADDRESS: &str = "alice@office.example";
const STRANGER: &str = "stranger@elsewhere.example";

const SWAKS: &str = "apt-get install -y swaks libnet-ssleay-perl";
const CURL: &str = "apt-get install -y curl";
const MSMTP: &str = "apt-get install -y msmtp";
const PYTHON: &str = "apt-get install -y python3";
const NODE: &str = "apt-get install -y nodejs";
const NODEMAILER: &str = "npm --prefix ui ci";
/// The package asks what to set up; the answer is nothing, only its test programs are wanted.
const POSTFIX: &str = "echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections; \
                       DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postfix";

/// How a letter comes to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From outside, without a login.
    Inbound,
    /// Submission: STARTTLS, then a login with this mechanism.
    StartTls(&'static str),
    /// Submission inside TLS, with a login.
    Implicit(&'static str),
}

const WAYS: [Way; 5] = [
    Way::Inbound,
    Way::StartTls("PLAIN"),
    Way::StartTls("LOGIN"),
    Way::Implicit("PLAIN"),
    Way::Implicit("LOGIN"),
];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::StartTls(_) => "starttls",
            Self::Implicit(_) => "implicit",
        }
    }

    fn mechanism(self) -> &'static str {
        match self {
            Self::Inbound => "",
            Self::StartTls(mechanism) | Self::Implicit(mechanism) => mechanism,
        }
    }
}

/// One letter to Alice: from a stranger outside, or from herself.
struct Letter<'a> {
    way: Way,
    server: SocketAddr,
    sender: &'static str,
    subject: String,
    password: &'static str,
    /// A folder for the files a client wants.
    folder: &'a Path,
}

impl Letter<'_> {
    fn host(&self) -> String {
        self.server.ip().to_string()
    }

    fn port(&self) -> String {
        self.server.port().to_string()
    }

    /// The letter as a file, for clients that send one.
    fn file(&self) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.eml", self.subject));
        let text = format!(
            "From: {}\r\nTo: {ALICE_ADDRESS}\r\nSubject: {}\r\n\r\nA letter.\r\n.\r\n..two dots\r\n",
            self.sender, self.subject
        );
        fs::write(&path, text)?;
        Ok(path)
    }

    /// The arguments of the scripts in `clients/`.
    fn arguments(&self) -> [String; 9] {
        [
            self.host(),
            self.port(),
            self.way.name().to_owned(),
            self.way.mechanism().to_owned(),
            ALICE.name.to_owned(),
            self.password.to_owned(),
            self.sender.to_owned(),
            ALICE_ADDRESS.to_owned(),
            self.subject.clone(),
        ]
    }
}

/// Lets a client send one letter each way, and looks for each in the Maildir.
fn every_way(client: impl Fn(&Letter<'_>) -> Result<Command>) -> Result<()> {
    let office = Daemon::start(&json!({}), &[ALICE])?;
    let folder = TempDir::new()?;
    for way in WAYS {
        let letter = letter(&office, way, ALICE.password, folder.path())?;
        run(client(&letter)?).with_context(|| format!("{way:?}"))?;
        let arrived = office.delivered(ALICE.name)?.containing(&letter.subject)?;
        ensure!(
            arrived.len() == 1,
            "{way:?}: the letter lies there {} times",
            arrived.len()
        );
        check_trace(&arrived, way)?;
    }
    ensure!(
        office.delivered(ALICE.name)?.unfinished()?.is_empty(),
        "files are left in tmp/"
    );
    Ok(())
}

fn letter<'a>(
    office: &Daemon,
    way: Way,
    password: &'static str,
    folder: &'a Path,
) -> Result<Letter<'a>> {
    let (server, sender) = match way {
        Way::Inbound => (office.smtp()?, STRANGER),
        Way::StartTls(_) => (office.submission()?, ALICE_ADDRESS),
        Way::Implicit(_) => (office.submissions()?, ALICE_ADDRESS),
    };
    let subject = format!("letter-{}-{}", way.name(), way.mechanism());
    Ok(Letter {
        way,
        server,
        sender,
        subject,
        password,
        folder,
    })
}

/// The server's own lines at the top say how the letter came (RFC 3848).
fn check_trace(arrived: &[String], way: Way) -> Result<()> {
    let letter = arrived.first().context("no letter")?;
    let with = match way {
        Way::Inbound => "with ESMTP ",
        Way::StartTls(_) | Way::Implicit(_) => "with ESMTPSA ",
    };
    ensure!(
        letter.starts_with("Return-Path: <"),
        "no Return-Path at the top:\n{letter}"
    );
    ensure!(
        letter.contains("\nDelivered-To: alice@office.example\n"),
        "no Delivered-To:\n{letter}"
    );
    let unfolded = letter.replace("\n\t", " ");
    ensure!(unfolded.contains(with), "`{with}` is missing:\n{letter}");
    Ok(())
}

/// A wrong password: the client reports failure, and nothing is delivered.
fn wrong_password(client: impl Fn(&Letter<'_>) -> Result<Command>) -> Result<()> {
    let office = Daemon::start(&json!({}), &[ALICE])?;
    let folder = TempDir::new()?;
    for way in [Way::StartTls("PLAIN"), Way::Implicit("LOGIN")] {
        let letter = letter(&office, way, "wrong", folder.path())?;
        ensure!(
            run(client(&letter)?).is_err(),
            "{way:?}: a wrong password was taken"
        );
    }
    ensure!(
        office.delivered(ALICE.name)?.messages()?.is_empty(),
        "a letter was delivered"
    );
    Ok(())
}

fn swaks(letter: &Letter<'_>) -> Result<Command> {
    let mut command = program("swaks", SWAKS)?;
    command
        .args(["--server", &letter.host(), "--port", &letter.port()])
        .args([
            "--ehlo",
            "client.example",
            "--timeout",
            "30s",
            "--suppress-data",
        ])
        .args(["--from", letter.sender, "--to", ALICE_ADDRESS])
        .args([
            "--header",
            &format!("Subject: {}", letter.subject),
            "--body",
            "A letter.\\n..\\n",
        ]);
    match letter.way {
        Way::Inbound => return Ok(command),
        Way::StartTls(_) => command.arg("--tls"),
        Way::Implicit(_) => command.arg("--tls-on-connect"),
    };
    command.args(["--auth", letter.way.mechanism()]).args([
        "--auth-user",
        ALICE.name,
        "--auth-password",
        letter.password,
    ]);
    Ok(command)
}

fn curl(letter: &Letter<'_>) -> Result<Command> {
    let scheme = if matches!(letter.way, Way::Implicit(_)) {
        "smtps"
    } else {
        "smtp"
    };
    let mut command = program("curl", CURL)?;
    command
        .args(["--silent", "--show-error", "--insecure", "--max-time", "30"])
        .args([
            "--url",
            &format!("{scheme}://{}/client.example", letter.server),
        ])
        .args([
            "--mail-from",
            letter.sender,
            "--mail-rcpt",
            ALICE_ADDRESS,
            "--upload-file",
        ])
        .arg(letter.file()?);
    if letter.way != Way::Inbound {
        command
            .arg("--ssl-reqd")
            .args([
                "--login-options",
                &format!("AUTH={}", letter.way.mechanism()),
            ])
            .args(["--user", &format!("{}:{}", ALICE.name, letter.password)]);
    }
    Ok(command)
}

fn msmtp(letter: &Letter<'_>) -> Result<Command> {
    let security = match letter.way {
        Way::Inbound => "tls off\nauth off\n".to_owned(),
        Way::StartTls(mechanism) | Way::Implicit(mechanism) => {
            let starttls = if letter.way == Way::Implicit(mechanism) {
                "off"
            } else {
                "on"
            };
            format!(
                "tls on\ntls_certcheck off\ntls_starttls {starttls}\nauth {}\nuser {}\npassword \"{}\"\n",
                mechanism.to_lowercase(),
                ALICE.name,
                letter.password
            )
        }
    };
    let configuration = letter.folder.join("msmtprc");
    let text = format!(
        "account default\nhost {}\nport {}\nfrom {}\ndomain client.example\ntimeout 30\n{security}",
        letter.host(),
        letter.port(),
        letter.sender
    );
    fs::write(&configuration, text)?;
    // A password in a file others may read is refused.
    fs::set_permissions(&configuration, fs::Permissions::from_mode(0o600))?;
    let mut command = program("msmtp", MSMTP)?;
    command.arg("--file").arg(&configuration).arg(ALICE_ADDRESS);
    command.stdin(fs::File::open(letter.file()?)?);
    Ok(command)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name)
}

fn smtplib(letter: &Letter<'_>) -> Result<Command> {
    let mut command = program("python3", PYTHON)?;
    command
        .arg(script("smtplib_client.py"))
        .args(letter.arguments());
    Ok(command)
}

fn nodemailer(letter: &Letter<'_>) -> Result<Command> {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui");
    ensure!(
        ui.join("node_modules/nodemailer").is_dir(),
        "`nodemailer` is not installed; type: {NODEMAILER}"
    );
    let mut command = program("node", NODE)?;
    command
        .arg(script("nodemailer_client.mjs"))
        .arg(ui)
        .args(letter.arguments());
    Ok(command)
}

#[test]
fn swaks_delivers_from_outside_and_signed_in() -> Result<()> {
    every_way(swaks)
}

#[test]
fn curl_delivers_from_outside_and_signed_in() -> Result<()> {
    every_way(curl)
}

#[test]
fn msmtp_delivers_from_outside_and_signed_in() -> Result<()> {
    every_way(msmtp)
}

#[test]
fn python_smtplib_delivers_from_outside_and_signed_in() -> Result<()> {
    every_way(smtplib)
}

#[test]
fn nodemailer_delivers_from_outside_and_signed_in() -> Result<()> {
    every_way(nodemailer)
}

#[test]
fn clients_report_a_wrong_password() -> Result<()> {
    wrong_password(swaks)?;
    wrong_password(curl)?;
    wrong_password(smtplib)
}

#[test]
fn swaks_delivers_with_pipelining_with_helo_and_from_the_null_sender() -> Result<()> {
    let office = Daemon::start(&json!({}), &[ALICE])?;
    let folder = TempDir::new()?;
    let variants: [(&str, &[&str]); 4] = [
        ("pipelined", &["--pipeline"]),
        ("helo", &["--protocol", "SMTP"]),
        ("null-sender", &["--from", "<>"]),
        ("encrypted", &["--tls"]),
    ];
    for (name, options) in variants {
        let letter = Letter {
            subject: format!("letter-{name}"),
            ..letter(&office, Way::Inbound, "", folder.path())?
        };
        let mut command = swaks(&letter)?;
        command.args(options);
        run(command).context(name)?;
        let arrived = office.delivered(ALICE.name)?.containing(&letter.subject)?;
        ensure!(
            arrived.len() == 1,
            "{name}: the letter lies there {} times",
            arrived.len()
        );
    }
    Ok(())
}

/// Messages and sessions of the load test: enough for sessions to overlap, few enough to be over in a second.
const LOAD: (&str, usize) = ("10", 100);

#[test]
fn smtp_source_delivers_a_hundred_letters_in_parallel_sessions() -> Result<()> {
    let office = Daemon::start(&json!({}), &[ALICE])?;
    let (sessions, messages) = LOAD;
    let mut command = program("smtp-source", POSTFIX)?;
    command
        .args(["-s", sessions, "-m", &messages.to_string(), "-l", "20000"])
        .args([
            "-M",
            "client.example",
            "-S",
            "letter-load",
            "-f",
            STRANGER,
            "-t",
            ALICE_ADDRESS,
        ])
        .arg(office.smtp()?.to_string());
    run(command)?;
    let arrived = office.delivered(ALICE.name)?.containing("letter-load")?;
    ensure!(
        arrived.len() == messages,
        "{} of {messages} letters arrived",
        arrived.len()
    );
    ensure!(
        arrived.iter().all(|letter| letter.len() >= 20_000),
        "a letter is not whole"
    );
    Ok(())
}

#[test]
fn smtp_source_delivers_many_letters_over_kept_connections() -> Result<()> {
    let office = Daemon::start(&json!({}), &[ALICE])?;
    let mut command = program("smtp-source", POSTFIX)?;
    command
        .args(["-d", "-s", "2", "-m", "20", "-l", "1000"])
        .args([
            "-M",
            "client.example",
            "-S",
            "letter-kept",
            "-f",
            STRANGER,
            "-t",
            ALICE_ADDRESS,
        ])
        .arg(office.smtp()?.to_string());
    run(command)?;
    let arrived = office.delivered(ALICE.name)?.containing("letter-kept")?;
    ensure!(
        arrived.len() == 20,
        "{} of 20 letters arrived",
        arrived.len()
    );
    Ok(())
}

#[test]
fn a_letter_sent_line_by_line_arrives_as_it_was_sent() -> Result<()> {
    let office = Daemon::start(&json!({}), &[ALICE])?;
    let body = "Subject: by hand\n\n.\n..\nthe end";
    let mut dialogue = Dialogue::open(office.submission()?)?;
    dialogue.start_tls()?;
    dialogue.command("EHLO client.example", 250)?;
    ensure!(dialogue.auth_login(ALICE.name, ALICE.password)?.code == 235);
    let text = format!("From: {ALICE_ADDRESS}\n{body}");
    let reply = dialogue.send_message(ALICE_ADDRESS, ALICE_ADDRESS, &text)?;
    ensure!(reply.code == 250, "{reply}");
    dialogue.command("QUIT", 221)?;
    ensure!(
        dialogue.is_closed()?,
        "the connection stays open after QUIT"
    );
    let arrived = office.delivered(ALICE.name)?.containing("by hand")?;
    ensure!(
        arrived.len() == 1
            && arrived
                .iter()
                .all(|letter| letter.ends_with(&format!("{text}\n"))),
        "{arrived:?}"
    );
    Ok(())
}
