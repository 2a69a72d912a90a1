//! A message sent to this server by itself, the way a stranger would, to see that it arrives.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use serde::Serialize;
use server::clock;
use smtp::{Address, Domain};
use store::token;
use ts_rs::TS;

use crate::{Control, Failure, FailureKind};

/// Longest wait for each step.
const WAIT: Duration = Duration::from_secs(40);
const LONGEST_REPLY: usize = 100;

/// How the test went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct TestResult {
    /// Whether the message was taken.
    pub ok: bool,
    /// Every line, with `>` for ours and `<` for the server's.
    pub transcript: Vec<String>,
    /// Opens the entry of the mail log.
    pub token: Option<String>,
    /// What it means.
    pub text: String,
}

impl Control {
    /// Sends a test message to `to`, a user of this server, through its own port.
    ///
    /// # Errors
    /// When the server does not run, or `to` is no address.
    pub fn test_message(&self, to: &str) -> Result<TestResult, Failure> {
        let settings = self.snapshot()?.settings;
        let Some(domain) = settings.general.domain else {
            return Err(Failure::new(
                FailureKind::Unavailable,
                "set up the domain first",
            ));
        };
        let to = recipient(to.trim(), &domain)?;
        let address = self.status()?.listeners.into_iter().find_map(|listener| {
            let smtp = listener.service == "smtp" && listener.problem.is_none();
            smtp.then(|| listener.address.parse::<SocketAddr>().ok())
                .flatten()
        });
        let Some(address) = address else {
            return Err(Failure::new(
                FailureKind::Unavailable,
                "no port for incoming mail is open; see why at the server's state, then try again",
            ));
        };
        let mut dialogue = Dialogue::default();
        let sent = dialogue.send(reachable(address), &domain, &to);
        let last = dialogue
            .lines
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("< "))
            .unwrap_or_default();
        let token = token_of(last);
        let (ok, text) = match sent {
            Ok(true) => (
                true,
                format!("The message was taken and lies in the mailbox of {to}."),
            ),
            Ok(false) => (false, format!("The server refused the message: {last}")),
            Err(error) => (
                false,
                format!("The server could not be reached at {address}: {error}"),
            ),
        };
        Ok(TestResult {
            ok,
            transcript: dialogue.lines,
            token,
            text,
        })
    }
}

fn recipient(text: &str, domain: &Domain) -> Result<Address, Failure> {
    let full = if text.contains('@') {
        text.to_owned()
    } else {
        format!("{text}@{}", domain.ascii())
    };
    Address::parse(&full).map_err(|error| {
        Failure::new(
            FailureKind::Problems,
            format!("\"{text}\" is no address: {error}"),
        )
    })
}

/// An unspecified address is reached through the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The token in brackets of a refusal, or the one after "queued as".
fn token_of(reply: &str) -> Option<String> {
    token::tokens_in(reply)
        .into_iter()
        .next()
        .or_else(|| reply.rsplit(' ').next().and_then(token::parse))
}

#[derive(Default)]
struct Dialogue {
    lines: Vec<String>,
}

impl Dialogue {
    /// Sends the message; true when it was taken.
    fn send(
        &mut self,
        address: SocketAddr,
        domain: &Domain,
        to: &Address,
    ) -> std::io::Result<bool> {
        let stream = TcpStream::connect_timeout(&address, WAIT)?;
        stream.set_read_timeout(Some(WAIT))?;
        stream.set_write_timeout(Some(WAIT))?;
        let mut replies = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        let utf8 = if to.needs_smtputf8() { " SMTPUTF8" } else { "" };
        let text = message(domain, to);
        let steps = [
            None,
            // By its address: of a name others would ask the DNS whether it may send from here, and it may not.
            Some(format!("EHLO {}", literal(address.ip()))),
            Some(format!("MAIL FROM:<>{utf8}")),
            Some(format!("RCPT TO:<{}>", to.to_ascii_domain())),
            Some("DATA".into()),
            Some(text),
        ];
        let mut taken = true;
        for step in steps {
            if let Some(line) = step {
                self.lines
                    .extend(line.lines().map(|line| format!("> {line}")));
                stream.write_all(format!("{line}\r\n").as_bytes())?;
            }
            let code = self.reply(&mut replies)?;
            if code >= 400 {
                taken = false;
                break;
            }
        }
        stream.write_all(b"QUIT\r\n")?;
        Ok(taken)
    }

    fn reply(&mut self, from: &mut impl BufRead) -> std::io::Result<u16> {
        for _ in 0..LONGEST_REPLY {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            self.lines.push(format!("< {line}"));
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line
                    .get(..3)
                    .and_then(|code| code.parse().ok())
                    .unwrap_or(599));
            }
        }
        Err(std::io::Error::other("the reply does not end"))
    }
}

/// RFC 5321 §4.1.3.
fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

/// A small message, without the dot that ends it on the wire being doubled anywhere.
fn message(domain: &Domain, to: &Address) -> String {
    let now = clock::now_ms();
    // The author is of a domain that never exists (RFC 2606 §2): our own may ask that mail from strangers in its name be refused.
    format!(
        "From: Postroom <test@postroom.invalid>\r\nTo: <{to}>\r\nSubject: Test message from Postroom\r\nDate: {}\r\n\
         Message-ID: <{now}.test@{domain}>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\nThis message went through the server and back.\r\n.",
        clock::mail_date(now),
        domain = domain.ascii(),
        to = to.to_ascii_domain(),
    )
}
