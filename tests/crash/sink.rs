//! The relay behind the server: takes everything, sometimes slowly, and writes down when it took what.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::letter;

/// Nobody is waited for longer; the server hangs up long before.
const PATIENCE: Duration = Duration::from_secs(60);
/// One letter in so many is answered late.
const SLOW: usize = 16;
const LATE: Duration = Duration::from_millis(30);

/// One letter, as it was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its name, or what is wrong with it.
    pub id: Result<String, String>,
    /// Addresses from RCPT.
    pub recipients: Vec<String>,
    /// When, just before it was answered.
    pub at: Instant,
}

/// A server that ends with this value.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
    over: Arc<AtomicBool>,
}

impl Sink {
    /// Opens it on a free port.
    ///
    /// # Errors
    /// The system gives none.
    pub fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let sink = Self {
            address: listener.local_addr()?,
            taken: Arc::default(),
            over: Arc::default(),
        };
        let (taken, over) = (Arc::clone(&sink.taken), Arc::clone(&sink.over));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let taken = Arc::clone(&taken);
                // Ends when its client is gone, killed or not.
                thread::spawn(move || serve(&stream, &taken));
            }
        });
        Ok(sink)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All it took so far, in order.
    pub fn taken(&self) -> Vec<Taken> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the one who listens.
        let _ = TcpStream::connect(self.address);
    }
}

/// A client that is killed leaves in the middle of anything; what it did not end is not taken.
fn serve(stream: &TcpStream, taken: &Mutex<Vec<Taken>>) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream);
    let mut recipients = Vec::new();
    say(stream, "220 sink.example ESMTP")?;
    loop {
        let line = line(&mut lines)?;
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => say(stream, "250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME")?,
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                recipients.push(address.to_owned());
                say(stream, "250 yes")?;
            }
            "DATA" => {
                say(stream, "354 go on")?;
                let copy = content(&mut lines)?;
                let mut all = taken.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(Taken {
                    id: letter::whole(&copy).map_err(|error| format!("{error:#}")),
                    recipients: std::mem::take(&mut recipients),
                    at: Instant::now(),
                });
                let is_slow = all.len().is_multiple_of(SLOW);
                drop(all);
                if is_slow {
                    thread::sleep(LATE);
                }
                say(stream, "250 taken")?;
            }
            "QUIT" => return say(stream, "221 bye"),
            _ => {
                recipients.clear();
                say(stream, "250 yes")?;
            }
        }
    }
}

fn say(mut stream: &TcpStream, reply: &str) -> Result<()> {
    Ok(stream.write_all(format!("{reply}\r\n").as_bytes())?)
}

fn line(lines: &mut BufReader<&TcpStream>) -> Result<String> {
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").context("the client is gone")?;
    Ok(line.to_owned())
}

/// The lines up to the dot, without the dots that were put before theirs.
fn content(lines: &mut BufReader<&TcpStream>) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let line = line(lines)?;
        if line == "." {
            return Ok(content);
        }
        content.extend_from_slice(line.strip_prefix('.').unwrap_or(&line).as_bytes());
        content.extend_from_slice(b"\r\n");
    }
}
