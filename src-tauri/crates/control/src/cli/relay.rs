//! `relay`: test it, and its password.

use std::io::Write;

use clap::{Args, Subcommand};
use settings::{Delivery, RelayCertificate, RelayTlsMode};

use super::accounts::password;
use super::output::{Output, shown};
use crate::{
    Control, Failure, FailureKind, RelayPasswordStatus, RelayStep, RelayTest, SeenCertificate,
    StepResult,
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Go through everything that sending needs, step by step, without sending a message.
    Test(TestArguments),
    /// Set or forget the password for the relay; without an option, say whether there is one.
    Password {
        /// Read it from standard input: its first line.
        #[arg(long, conflicts_with = "clear")]
        stdin: bool,
        /// Forget it.
        #[arg(long)]
        clear: bool,
    },
}

/// What is not given is as stored.
#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// Sender to try.
    #[arg(long, requires = "to")]
    from: Option<String>,
    /// Recipient to try; it gets no message.
    #[arg(long, requires = "from")]
    to: Option<String>,
    /// Host name or address of the relay.
    #[arg(long)]
    server: Option<String>,
    /// Its port.
    #[arg(long)]
    port: Option<u16>,
    /// Whether the connection must be encrypted.
    #[arg(long)]
    tls: Option<bool>,
    /// How encryption begins: auto, starttls or implicit.
    #[arg(long, value_parser = tls_mode)]
    tls_mode: Option<RelayTlsMode>,
    /// verify, any, or the SHA-256 fingerprint of the one that is right.
    #[arg(long, value_parser = certificate)]
    certificate: Option<RelayCertificate>,
    /// Whether to sign in.
    #[arg(long)]
    auth: Option<bool>,
    /// User name at the relay.
    #[arg(long)]
    username: Option<String>,
    /// Read the password from standard input instead of using the stored one.
    #[arg(long)]
    password_stdin: bool,
    /// Whether the password may cross an unencrypted connection.
    #[arg(long)]
    auth_in_clear: Option<bool>,
}

fn tls_mode(text: &str) -> Result<RelayTlsMode, String> {
    match text {
        "auto" => Ok(RelayTlsMode::Auto),
        "starttls" => Ok(RelayTlsMode::Starttls),
        "implicit" => Ok(RelayTlsMode::Implicit),
        _ => Err("there are auto, starttls and implicit".into()),
    }
}

fn certificate(text: &str) -> Result<RelayCertificate, String> {
    let hex: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    match text {
        "verify" => Ok(RelayCertificate::Verify),
        "any" => Ok(RelayCertificate::Any),
        _ if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(RelayCertificate::Pin(hex.to_ascii_lowercase()))
        }
        _ => Err("write verify, any, or a SHA-256 fingerprint of 64 hex digits".into()),
    }
}

impl TestArguments {
    fn over(self, stored: Delivery, typed: Option<String>) -> RelayTest {
        RelayTest {
            server: self.server.unwrap_or(stored.relay_server),
            port: self.port.unwrap_or(stored.relay_port),
            tls: self.tls.unwrap_or(stored.relay_tls),
            tls_mode: self.tls_mode.unwrap_or(stored.relay_tls_mode),
            certificate: self.certificate.unwrap_or(stored.relay_certificate),
            auth: self.auth.unwrap_or(stored.relay_auth),
            username: self.username.unwrap_or(stored.relay_username),
            password: typed,
            auth_in_clear: self.auth_in_clear.unwrap_or(stored.relay_auth_in_clear),
            from: self.from,
            to: self.to,
        }
    }
}

pub(super) fn run(control: &Control, verb: Verb, output: &Output) -> Result<(), Failure> {
    match verb {
        Verb::Test(arguments) => test(control, arguments, output),
        Verb::Password { stdin: true, .. } => {
            output.value(&control.relay_password_set(&password()?)?, place);
            Ok(())
        }
        Verb::Password { clear: true, .. } => {
            output.value(&control.relay_password_clear()?, place);
            Ok(())
        }
        Verb::Password { .. } => {
            output.value(&control.relay_password_status()?, place);
            Ok(())
        }
    }
}

fn place(status: &RelayPasswordStatus) -> String {
    use server::relay_password::Place;
    match status.place {
        None => "no password for the relay is stored",
        Some(Place::Keychain) => "the password for the relay is in the keychain of the desktop",
        Some(Place::File) => "the password for the relay is in the data folder",
    }
    .into()
}

fn test(control: &Control, arguments: TestArguments, output: &Output) -> Result<(), Failure> {
    let typed = if arguments.password_stdin {
        Some(password()?.to_string())
    } else {
        None
    };
    let stored = control.settings_get()?.settings.delivery;
    let mut live = Live::default();
    let steps = control.relay_test(arguments.over(stored, typed), &mut |step| {
        if !output.json {
            live.show(step);
        }
    })?;
    if output.json {
        output.value(&steps, |_| String::new());
    } else {
        for certificate in steps.iter().filter_map(|step| step.certificate.as_ref()) {
            say(&described(certificate));
        }
    }
    let failed = steps.iter().find(|step| step.result == StepResult::Failed);
    failed.map_or(Ok(()), |step| {
        Err(Failure::new(FailureKind::Unavailable, step.text.clone()))
    })
}

/// Prints lines as they are said, and each step's end once.
#[derive(Default)]
struct Live {
    /// Lines of each step that were printed, and whether its end was.
    printed: std::collections::HashMap<String, (usize, bool)>,
}

impl Live {
    fn show(&mut self, step: &RelayStep) {
        let name = format!("{:?}", step.step).to_lowercase();
        let (lines, ended) = self.printed.entry(name.clone()).or_default();
        for line in step.transcript.iter().skip(*lines) {
            say(&format!("    {line}"));
        }
        *lines = step.transcript.len();
        if step.result != StepResult::Running && !*ended {
            *ended = true;
            let result = format!("{:?}", step.result).to_lowercase();
            let text = if step.text.is_empty() {
                String::new()
            } else {
                format!(": {}", step.text)
            };
            say(&format!("{name:<9} {result}{text}"));
        }
    }
}

fn described(certificate: &SeenCertificate) -> String {
    let worth = match (&certificate.problem, certificate.verified) {
        (Some(problem), _) => problem.clone(),
        (None, true) => "accepted".into(),
        (None, false) => "not verified".into(),
    };
    format!(
        "\ncertificate of {}\n  signed by    {}\n  made for     {}\n  valid until  {}\n  SHA-256      {}\n  {worth}",
        certificate.subject,
        certificate.issuer,
        certificate.names.join(", "),
        server::clock::mail_date(certificate.valid_until_ms),
        certificate.sha256,
    )
}

fn say(line: &str) {
    let mut stdout = std::io::stdout();
    // Whoever closed the pipe has read enough.
    let _ = writeln!(stdout, "{}", shown(line));
    let _ = stdout.flush();
}
