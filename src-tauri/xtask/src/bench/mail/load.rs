//! The load: Postfix's `smtp-source`, bounded in count and time.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::account::Account;
use crate::bench::process::Running;

/// One call of `smtp-source`.
#[derive(Clone)]
pub struct Load<'a> {
    /// The port of 127.0.0.1 that is written to.
    pub port: u16,
    /// How many messages.
    pub messages: u64,
    /// How many sessions at once.
    pub sessions: u32,
    /// Octets of a message without its header.
    pub size: u64,
    /// Whether a session sends all its messages over one connection.
    pub kept: bool,
    /// To how many: `1box`, `2box` … when more than one.
    pub recipients: u32,
    /// The sender.
    pub from: &'a str,
    /// The recipient, or what its numbered likes end with.
    pub to: &'a str,
    /// Whether the server is expected to refuse.
    pub refused: bool,
    /// After so long the load is cut off.
    pub longest: Duration,
}

/// What became of a load.
pub struct Sent {
    /// When it began.
    pub began: Instant,
    /// Messages that the server answered with 250, or recipients that it refused.
    pub answered: u64,
    /// Seconds until the last answer.
    pub seconds: f64,
    /// Whether it ended by itself, without a complaint.
    pub whole: bool,
    /// The last thing that `smtp-source` complained about.
    pub complaint: String,
}

impl Load<'_> {
    fn arguments(&self) -> Vec<String> {
        let (messages, sessions, size) = (self.messages, self.sessions, self.size);
        let mut arguments = format!(
            "-c -C 20 -M client.test -m {messages} -s {sessions} -l {size} -f {} -t {}",
            self.from, self.to
        );
        if self.recipients > 1 {
            arguments.push_str(&format!(" -r {}", self.recipients));
        }
        if self.kept {
            arguments.push_str(" -d");
        }
        if self.refused {
            arguments.push_str(" -A");
        }
        arguments.push_str(&format!(" 127.0.0.1:{}", self.port));
        arguments.split(' ').map(str::to_owned).collect()
    }

    /// Sends it, and waits until all is answered or the time is over.
    pub fn send(&self, account: &Account) -> Result<Sent> {
        let mut command = account.command("smtp-source");
        command
            .args(self.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut source = Running::start(&mut command)?;
        let (output, errors) = source.pipes().context("smtp-source has no pipes")?;
        let (done, ended) = channel();
        let reader = thread::spawn(move || {
            let counted = last_number(output);
            // The end of its output is the end of its work.
            let _ = done.send(Instant::now());
            counted
        });
        let complaints = thread::spawn(move || refusals(errors));
        let deadline = source.started + self.longest;
        let end = ended
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .ok();
        let began = source.started;
        let whole = end.is_some() && source.wait()?.success();
        drop(source);
        let counted = reader.join().unwrap_or_default();
        let (refused, complaint) = complaints.join().unwrap_or_default();
        Ok(Sent {
            began,
            answered: if self.refused { refused } else { counted },
            seconds: end.unwrap_or(deadline).duration_since(began).as_secs_f64(),
            whole,
            complaint,
        })
    }
}

/// The last number of a counter that is written over itself with carriage returns.
fn last_number(output: impl Read) -> u64 {
    let mut output = BufReader::new(output);
    let mut last = 0;
    let mut part = Vec::new();
    while output
        .read_until(b'\r', &mut part)
        .is_ok_and(|read| read > 0)
    {
        let text = String::from_utf8_lossy(&part);
        if let Ok(number) = text.trim().parse() {
            last = number;
        }
        part.clear();
    }
    last
}

/// How many replies of code 550 were complained about, and the last complaint of all.
fn refusals(errors: impl Read) -> (u64, String) {
    let (mut count, mut last) = (0, String::new());
    for line in BufReader::new(errors).lines().map_while(Result::ok) {
        count += u64::from(line.contains(" 550"));
        last = line;
    }
    (count, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_read_to_its_end() {
        assert_eq!(last_number(&b"1\r2\r15\r\n"[..]), 15);
        assert_eq!(last_number(&b"\r7\r8"[..]), 8);
        assert_eq!(last_number(&b""[..]), 0);
    }

    #[test]
    fn only_refusals_of_recipients_count_as_refusals() {
        let errors =
            "smtp-source: warning: recipient rejected: 550 5.1.1 no\nsmtp-source: fatal: 421 go\n";
        assert_eq!(
            refusals(errors.as_bytes()),
            (1, "smtp-source: fatal: 421 go".into())
        );
    }
}
