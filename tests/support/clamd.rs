//! A clamd of the test's own: it speaks `INSTREAM` on a free port of the loopback and finds what the test tells it to.

use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// How long a client may take over its message.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest name of a command.
const COMMAND: usize = 64;

/// What clamd says to every message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Clamd {
    /// Nothing is found.
    #[default]
    Clean,
    /// This is found.
    Finds(String),
    /// The message is larger than it takes.
    TooSmall,
    /// It hangs up at once.
    Away,
}

/// A running scanner; it ends when dropped.
#[derive(Debug)]
pub struct Scanner {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    says: Mutex<Clamd>,
    stop: AtomicBool,
}

impl Scanner {
    /// Starts a scanner that finds nothing.
    ///
    /// # Errors
    /// The loopback has no free port.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let kept = shared.clone();
        // One client at a time is enough for the tests, and leaves no thread behind.
        let listening = thread::spawn(move || {
            for stream in listener.incoming() {
                if kept.stop.load(Ordering::SeqCst) {
                    return;
                }
                // The client hung up, or said something else.
                let _ = stream
                    .map_err(Into::into)
                    .and_then(|stream| kept.serve(stream));
            }
        });
        Ok(Self {
            address,
            shared,
            listening: Some(listening),
        })
    }

    /// Where it listens; the value for the setting `service.clamd`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says this from now on.
    pub fn says(&self, what: Clamd) {
        *self
            .shared
            .says
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = what;
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.listening.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let says = self
            .says
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if says == Clamd::Away {
            return Ok(());
        }
        let (command, end) = command(&mut stream)?;
        let answer = match command.as_str() {
            "PING" => "PONG".into(),
            "VERSION" => "ClamAV 1.4.0/1/Thu Jan  1 00:00:00 2026".into(),
            "INSTREAM" => {
                swallow(&mut stream)?;
                match says {
                    Clamd::Finds(name) => format!("stream: {name} FOUND"),
                    Clamd::TooSmall => "INSTREAM size limit exceeded. ERROR".into(),
                    Clamd::Clean | Clamd::Away => "stream: OK".into(),
                }
            }
            _ => "UNKNOWN COMMAND".into(),
        };
        stream.write_all(answer.as_bytes())?;
        stream.write_all(&[end])?;
        Ok(())
    }
}

/// `zNAME\0` or `nNAME\n`, and how the answer ends.
fn command(stream: &mut TcpStream) -> Result<(String, u8)> {
    let mut first = [0];
    stream.read_exact(&mut first)?;
    let end = match first[0] {
        b'z' => 0,
        b'n' => b'\n',
        _ => bail!("an old form of command"),
    };
    let mut name = Vec::new();
    // Octet by octet, for behind the command comes what belongs to the message.
    while name.len() < COMMAND {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        if octet[0] == end {
            return Ok((String::from_utf8(name)?, end));
        }
        name.push(octet[0]);
    }
    bail!("a command without end")
}

/// Chunks with their lengths before them, up to an empty one.
fn swallow(stream: &mut TcpStream) -> Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u64::from(u32::from_be_bytes(length));
        if length == 0 {
            return Ok(());
        }
        let read = std::io::copy(&mut Read::by_ref(stream).take(length), &mut std::io::sink())?;
        (read == length).then_some(()).context("half a chunk")?;
    }
}
