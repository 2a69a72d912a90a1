//! The tests of mail from strangers, tried out for an address, a sender or a file of the admin's: what they find, and what
//! a message would come to for it.
//!
//! The settings are those of a draft, not the stored ones. Nothing is stored and nobody is refused. What a finding leads to
//! is asked of [`policy`], one test at a time, so that nothing else stands in its way.

mod effect;
mod words;

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::facts::{ContentTests, SpfFact};
use serde::{Deserialize, Serialize};
use server::checks::{self, Auth, Want, auth_results, clamd};
use settings::security::{Checks, DnsblZone};
use settings::{ClamdAddress, Problem, Settings};
use smtp::{Address, Domain, ReversePath};
use store::spool::Content;
use tokio::time::timeout;
use ts_rs::TS;

use crate::{Control, Failure, FailureKind};
use effect::Asked;

/// Longest wait for everything that is tried at once.
const WAIT: Duration = Duration::from_secs(60);

/// A test of mail from strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// Lists in the DNS.
    Dnsbl,
    /// SPF.
    Spf,
    /// DKIM.
    Dkim,
    /// DMARC.
    Dmarc,
    /// ARC.
    Arc,
    /// clamd.
    Antivirus,
}

/// What a message comes to for what a test found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CheckEffect {
    /// Nothing is against it.
    Pass,
    /// It goes on, with the result in its header and in the mail log.
    Recorded,
    /// It is refused.
    Refuse,
    /// The sender is asked to come back.
    Defer,
    /// It is taken and thrown away.
    Discard,
    /// The test is switched off, so it comes to nothing.
    Off,
}

/// What one test found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct CheckFinding {
    /// Which test.
    pub test: CheckName,
    /// What it was about: a list, a domain, a signature.
    pub subject: String,
    /// The result in one word: of RFC 8601 for SPF, DKIM, DMARC and ARC.
    pub result: String,
    /// The same in a sentence.
    pub text: String,
    /// What the message would come to.
    pub effect: CheckEffect,
    /// The reply that the sender would get, or empty.
    pub reply: String,
    /// Milliseconds that it took.
    pub took_ms: u64,
}

/// What is to be tried.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct CheckTrial {
    /// Address of the client; needed for SPF.
    pub ip: String,
    /// The name it greets with, or empty.
    pub helo: String,
    /// Address of the sender; empty for the null sender.
    pub sender: String,
    /// File that holds the message, for the tests of content.
    pub path: Option<String>,
    /// The tests to make.
    pub tests: Vec<CheckName>,
    /// As `security.checks`.
    pub checks: Checks,
    /// As `service.clamd`.
    #[ts(type = "string | null")]
    pub clamd: Option<ClamdAddress>,
}

/// What the tests of a message found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct CheckedMessage {
    /// Each of them.
    pub findings: Vec<CheckFinding>,
    /// The `Authentication-Results` field that the message would get, or empty.
    pub header: String,
}

/// What a trial says of a client and its sender, read.
struct Stranger {
    ip: IpAddr,
    helo: String,
    sender: ReversePath,
}

impl Control {
    /// Asks lists in the DNS about an address. Blocking, a minute at most.
    ///
    /// # Errors
    /// That the address is none, or that nothing answered in time.
    pub fn check_dnsbl(
        &self,
        ip: &str,
        zones: Vec<DnsblZone>,
    ) -> Result<Vec<CheckFinding>, Failure> {
        let ip = address(ip).map_err(Failure::problem)?;
        let auth = Auth::new(&self.snapshot()?.settings.service.dns_servers);
        wait_for(async {
            let begun = Instant::now();
            let found = checks::dnsbl(auth.names(), ip, &zones).await;
            let took = milliseconds(begun);
            found
                .iter()
                .map(|fact| {
                    let asked = Asked::list(ip, fact, &zones);
                    asked.finding(CheckName::Dnsbl, words::dnsbl(fact), took)
                })
                .collect()
        })
    }

    /// Asks whether the sender's domain lets a client send for it. Blocking, a minute at most.
    ///
    /// # Errors
    /// What of the trial cannot be read, or that nothing answered in time.
    pub fn check_spf(&self, trial: &CheckTrial) -> Result<Vec<CheckFinding>, Failure> {
        let settings = self.snapshot()?.settings;
        let our_host = our_host(&settings)?;
        let stranger = stranger(trial)?;
        wait_for(async {
            let auth = Auth::new(&settings.service.dns_servers);
            let (_, finding) = try_spf(&auth, &our_host, &stranger, &trial.checks).await;
            vec![finding]
        })
    }

    /// Makes the tests of a message that lies in a file. SPF is asked with them where the trial names a client.
    /// Blocking, a minute at most.
    ///
    /// # Errors
    /// What of the trial cannot be read, or that nothing answered in time.
    pub fn check_message(&self, trial: &CheckTrial) -> Result<CheckedMessage, Failure> {
        let settings = self.snapshot()?.settings;
        let our_host = our_host(&settings)?;
        let scans = trial.tests.contains(&CheckName::Antivirus);
        if scans && trial.clamd.is_none() {
            return Err(Failure::problem(Problem::new(
                "clamd",
                "no_clamd",
                "nobody is there to scan it: write the address of clamd",
            )));
        }
        let stranger = if trial.ip.trim().is_empty() {
            None
        } else {
            Some(stranger(trial)?)
        };
        let octets = read_message(trial, &settings)?;
        let auth = Auth::new(&settings.service.dns_servers);
        wait_for(try_message(
            &auth,
            &our_host,
            trial,
            stranger.as_ref(),
            octets,
        ))
    }
}

async fn try_spf(
    auth: &Auth,
    our_host: &Domain,
    stranger: &Stranger,
    checks: &Checks,
) -> (SpfFact, CheckFinding) {
    let begun = Instant::now();
    let Stranger { ip, helo, sender } = stranger;
    let fact = checks::spf(auth, *ip, helo, sender, our_host).await;
    let asked = Asked::spf(*ip, &fact, checks);
    let finding = asked.finding(CheckName::Spf, words::spf(&fact, *ip), milliseconds(begun));
    (fact, finding)
}

async fn try_message(
    auth: &Auth,
    our_host: &Domain,
    trial: &CheckTrial,
    stranger: Option<&Stranger>,
    octets: Vec<u8>,
) -> CheckedMessage {
    let wanted = |test| trial.tests.contains(&test);
    let mut findings = Vec::new();
    let mut spf = None;
    if let Some(stranger) = stranger.filter(|_| wanted(CheckName::Spf)) {
        let (fact, finding) = try_spf(auth, our_host, stranger, &trial.checks).await;
        findings.push(finding);
        spf = Some(fact);
    }
    let want = Want {
        dkim: wanted(CheckName::Dkim),
        dmarc: wanted(CheckName::Dmarc),
        arc: wanted(CheckName::Arc),
    };
    let scanned = wanted(CheckName::Antivirus);
    let begun = Instant::now();
    let message = server::facts_of(&octets);
    let content = Content::Memory(Arc::new(octets));
    let mut tests = checks::content(auth, &content, &message, spf.as_ref(), want).await;
    if let Some(clamd) = trial.clamd.as_ref().filter(|_| scanned) {
        tests.antivirus = Some(clamd::scan(clamd, &content).await);
    }
    let took = milliseconds(begun);
    findings.extend(words::content(&tests).into_iter().map(|(test, told)| {
        Asked::content(test, &message, &tests, &trial.checks).finding(test, told, took)
    }));
    let header = header(our_host, stranger, spf.as_ref(), &tests);
    CheckedMessage { findings, header }
}

/// Our field of the message's header, where a test was made that stands in it.
fn header(
    our_host: &Domain,
    stranger: Option<&Stranger>,
    spf: Option<&SpfFact>,
    tests: &ContentTests,
) -> String {
    let ContentTests {
        dkim, dmarc, arc, ..
    } = tests;
    if spf.is_none() && dkim.is_none() && dmarc.is_none() && arc.is_none() {
        return String::new();
    }
    let found = auth_results::Found {
        sender: stranger.map_or(&ReversePath::Null, |stranger| &stranger.sender),
        client: None,
        spf,
        tests,
    };
    auth_results::header(our_host, &found).trim_end().to_owned()
}

/// The name of this server, which stands in explanations and in the header field.
fn our_host(settings: &Settings) -> Result<Domain, Failure> {
    let named = settings.general.hostname.clone();
    named.ok_or_else(|| {
        let words = "the server has no name yet: set general.hostname first";
        Failure::problem(Problem::new("general.hostname", "not_set_up", words))
    })
}

fn address(text: &str) -> Result<IpAddr, Problem> {
    let text = text.trim();
    text.parse::<IpAddr>()
        .map(|ip| ip.to_canonical())
        .map_err(|_| {
            let words = format!(
                "\"{text}\" is not an IP address; write for example 192.0.2.1 or 2001:db8::1"
            );
            Problem::new("ip", "not_an_ip", words).arg("value", text)
        })
}

fn stranger(trial: &CheckTrial) -> Result<Stranger, Failure> {
    let sender = match trial.sender.trim() {
        "" | "<>" => Ok(ReversePath::Null),
        text => Address::parse(text)
            .map(ReversePath::Address)
            .map_err(|error| {
                let words = format!("\"{text}\" is no address: {error}");
                Problem::new("sender", "not_an_address", words).arg("value", text)
            }),
    };
    match (address(&trial.ip), sender) {
        (Ok(ip), Ok(sender)) => Ok(Stranger {
            ip,
            helo: trial.helo.trim().to_owned(),
            sender,
        }),
        (ip, sender) => Err(Failure::problems(
            [ip.err(), sender.err()].into_iter().flatten().collect(),
        )),
    }
}

/// The message with the line ends of the wire: files on this machine often have shorter ones, and signatures are made
/// over those of the wire. A file for clamd alone stays as it is.
fn read_message(trial: &CheckTrial, settings: &Settings) -> Result<Vec<u8>, Failure> {
    let problem = |code, words: String| Failure::problem(Problem::new("path", code, words));
    let Some(path) = trial.path.as_deref().filter(|path| !path.trim().is_empty()) else {
        return Err(problem("file_needed", "choose a file".into()));
    };
    let limit = settings.general.max_message_bytes();
    let octets = read_up_to(Path::new(path.trim()), limit)
        .map_err(|error| problem("unreadable_file", format!("{path} cannot be read: {error}")))?;
    let Some(octets) = octets else {
        let words = format!("{path} is larger than a message may be here");
        return Err(problem("file_too_large", words));
    };
    if trial.tests == [CheckName::Antivirus] {
        return Ok(octets);
    }
    Ok(with_line_ends(&octets))
}

/// `None` when there is more.
fn read_up_to(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut octets = Vec::new();
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut octets)?;
    Ok(Some(octets).filter(|octets| octets.len() as u64 <= limit))
}

fn with_line_ends(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets.len() + octets.len() / 32);
    let mut before = 0;
    for &octet in octets {
        if octet == b'\n' && before != b'\r' {
            text.push(b'\r');
        }
        text.push(octet);
        before = octet;
    }
    text
}

/// Waits for questions to others, in a place of their own.
fn wait_for<T>(questions: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(FailureKind::Io, format!("the test cannot start: {error}"))
        })?;
    let answer = runtime.block_on(async { timeout(WAIT, questions).await });
    // A look-up that hangs must not keep the person waiting.
    runtime.shutdown_background();
    answer.map_err(|_| {
        let words =
            "nothing answered in time; check this machine's network, or service.dns_servers";
        Failure::new(FailureKind::Unavailable, words)
    })
}

fn milliseconds(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
