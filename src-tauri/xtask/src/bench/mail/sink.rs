//! The next hop: Postfix's `smtp-sink`, which counts what it gets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::account::Account;
use super::place::Owner;
use crate::bench::folder::free_port;
use crate::bench::process::Running;

const PATIENCE: Duration = Duration::from_secs(10);
const WAITING_CONNECTIONS: &str = "1000";

/// A running `smtp-sink`. Dropping it ends it.
pub struct Sink {
    /// The port of 127.0.0.1 where it listens.
    pub port: u16,
    count: Arc<Count>,
    _process: Running,
}

#[derive(Default)]
struct Count {
    messages: AtomicU64,
    /// When the last one came.
    last: Mutex<Option<Instant>>,
}

impl Sink {
    /// Starts it and waits until it listens.
    pub fn start(account: &Account, owner: Option<&Owner>) -> Result<Self> {
        let port = free_port()?;
        let mut command = account.command("smtp-sink");
        if let Some(owner) = owner {
            command.args(["-u", owner.name]);
        }
        command
            .arg("-c")
            .args([&format!("127.0.0.1:{port}"), WAITING_CONNECTIONS])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = Running::start(&mut command)?;
        let count = Arc::new(Count::default());
        let seen = count.clone();
        if let Some(output) = process.output() {
            thread::spawn(move || seen.follow(output));
        }
        wait_for_port(port)?;
        Ok(Self {
            port,
            count,
            _process: process,
        })
    }

    /// Messages so far.
    pub fn messages(&self) -> u64 {
        self.count.messages.load(Ordering::Acquire)
    }

    /// When the last message came.
    pub fn last(&self) -> Option<Instant> {
        *self
            .count
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    /// Reads `… mesg=17` and a carriage return, over and over.
    fn follow(&self, mut output: impl Read) {
        let mut text = String::new();
        let mut part = [0; 4096];
        while let Ok(read @ 1..) = output.read(&mut part) {
            text.push_str(&String::from_utf8_lossy(
                part.get(..read).unwrap_or_default(),
            ));
            let (whole, rest) = text.rsplit_once('\r').unwrap_or(("", &text));
            if let Some(messages) = messages_in(whole)
                && messages > self.messages.load(Ordering::Acquire)
            {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                self.messages.store(messages, Ordering::Release);
            }
            text = rest.to_owned();
        }
    }
}

fn messages_in(line: &str) -> Option<u64> {
    let (_, number) = line.rsplit_once("mesg=")?;
    number.split_whitespace().next()?.parse().ok()
}

/// Waits until somebody listens at a port of 127.0.0.1.
pub fn wait_for_port(port: u16) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(mut connection) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            // Whether the farewell is read does not matter.
            let _ = connection.write_all(b"QUIT\r\n");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "nobody listens at port {port}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_of_messages_is_the_last_one() {
        assert_eq!(
            messages_in("sess=1 quit=0 mesg=1\rsess=2 quit=1 mesg=12  "),
            Some(12)
        );
        assert_eq!(messages_in("sess=1 quit=0"), None);
    }
}
