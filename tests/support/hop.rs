//! The next server on a message's way, played by the test: SMTP or LMTP on the loopback, obeying until it is told to
//! refuse, fall silent or hang up at some word, and remembering everything it was told.

use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::machine::until;

mod certificate;
mod conversation;

pub use certificate::{Authority, Certificate};

/// Where in a conversation something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The greeting.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH, and each line that belongs to it.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The dot at the end; in LMTP for each recipient.
    End,
    /// RSET, QUIT and everything else.
    Other,
}

/// What the hop does there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Says this; `\n` parts the lines of a reply. After 221 and 421 it hangs up.
    Say(String),
    /// Sends these octets as they are.
    Raw(String),
    /// Says what it would have said, that much later.
    Late(Duration),
    /// Hangs up without a word.
    HangUp,
    /// Never says anything again, and hangs up only on its own side of the wire.
    HalfClose,
    /// Never says anything again.
    Silence,
}

impl Act {
    /// A reply.
    #[must_use]
    pub fn say(reply: &str) -> Self {
        Self::Say(reply.into())
    }
}

/// How the hop is private.
#[derive(Debug, Clone, Default)]
pub enum Encryption {
    /// Not at all.
    #[default]
    None,
    /// With STARTTLS and this certificate.
    StartTls(Certificate),
    /// From the first octet.
    Implicit(Certificate),
    /// It agrees to STARTTLS and then speaks no TLS.
    Broken,
}

/// What a hop is like.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Its name in greeting and EHLO.
    pub name: String,
    /// LMTP instead of SMTP.
    pub lmtp: bool,
    /// What it announces, beside STARTTLS and AUTH.
    pub extensions: Vec<String>,
    /// STARTTLS.
    pub encryption: Encryption,
    /// The mechanisms of AUTH it announces; none for no AUTH.
    pub mechanisms: String,
    /// The name and the password it takes.
    pub login: (String, String),
    /// So many messages may begin on a connection; the next MAIL is answered with 421.
    pub most_mails: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            name: "hop.example".into(),
            lmtp: false,
            extensions: [
                "PIPELINING",
                "SIZE 0",
                "8BITMIME",
                "SMTPUTF8",
                "DSN",
                "ENHANCEDSTATUSCODES",
            ]
            .map(str::to_owned)
            .to_vec(),
            encryption: Encryption::None,
            mechanisms: String::new(),
            login: (String::new(), String::new()),
            most_mails: usize::MAX,
        }
    }
}

impl Manner {
    /// Announces one thing less.
    #[must_use]
    pub fn without(mut self, extension: &str) -> Self {
        self.extensions
            .retain(|known| known.split(' ').next() != Some(extension));
        self
    }
}

/// Something said at a word, when the line holds a text.
#[derive(Debug, Clone)]
struct Rule {
    at: At,
    holds: String,
    act: Act,
}

/// A message the hop took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The line with MAIL.
    pub mail: String,
    /// The lines with RCPT that were accepted.
    pub to: Vec<String>,
    /// The message, dots undone.
    pub body: Vec<u8>,
    /// The connection was encrypted.
    pub tls: bool,
    /// Who signed in, or empty.
    pub login: String,
    /// Which connection, from 1.
    pub connection: usize,
}

impl Taken {
    /// The message as text, with plain line ends.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).replace("\r\n", "\n")
    }
}

#[derive(Debug, Default)]
struct Shared {
    manner: Mutex<Manner>,
    rules: Mutex<Vec<Rule>>,
    said: Mutex<Vec<String>>,
    taken: Mutex<Vec<Taken>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    stop: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    streams: Mutex<Vec<TcpStream>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// What is to happen at a word.
    fn act(&self, at: At, line: &str) -> Option<Act> {
        let rules = lock(&self.rules);
        // The one that was given last stands.
        let rule = rules
            .iter()
            .rev()
            .find(|rule| rule.at == at && line.contains(&rule.holds));
        rule.map(|rule| rule.act.clone())
    }
}

/// A running hop; it ends when dropped.
#[derive(Debug)]
pub struct Hop {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl Hop {
    /// A hop on a free port that takes everything, without TLS.
    ///
    /// # Errors
    /// The loopback has no free port.
    pub fn start() -> Result<Self> {
        Self::start_as(Manner::default())
    }

    /// The same with other manners.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_as(manner: Manner) -> Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), manner)
    }

    /// The same at a place that is known.
    ///
    /// # Errors
    /// Somebody is there.
    pub fn start_at(address: SocketAddr, manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| address.to_string())?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            manner: Mutex::new(manner),
            ..Shared::default()
        });
        let listening = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || listen(&shared, &listener))
        };
        Ok(Self {
            address,
            shared,
            listening: Some(listening),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Another address of the machine with the same port.
    #[must_use]
    pub fn beside(&self, ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, self.port())
    }

    /// From now on it does this there.
    pub fn at(&self, at: At, act: Act) -> &Self {
        self.when(at, "", act)
    }

    /// The same, where the line holds a text.
    pub fn when(&self, at: At, holds: &str, act: Act) -> &Self {
        lock(&self.shared.rules).push(Rule {
            at,
            holds: holds.into(),
            act,
        });
        self
    }

    /// Everything is as in the beginning.
    pub fn obey(&self) -> &Self {
        lock(&self.shared.rules).clear();
        self
    }

    /// Is different from the next connection on.
    pub fn change(&self, change: impl FnOnce(&mut Manner)) -> &Self {
        change(&mut lock(&self.shared.manner));
        self
    }

    /// All lines of all clients, in the order in which they came.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        lock(&self.shared.said).clone()
    }

    /// The messages it took.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        lock(&self.shared.taken).clone()
    }

    /// Waits until it has taken so many messages, and no more.
    ///
    /// # Errors
    /// They do not come, or too many do.
    pub fn wait_for(&self, count: usize) -> Result<Vec<Taken>> {
        let taken = until(
            &format!("{count} messages at the hop; it heard {:?}", self.said()),
            || {
                let taken = self.taken();
                Ok((taken.len() >= count).then_some(taken))
            },
        )?;
        ensure!(taken.len() == count, "{} messages came", taken.len());
        Ok(taken)
    }

    /// Waits for a line that begins so.
    ///
    /// # Errors
    /// It does not come.
    pub fn wait_for_line(&self, start: &str) -> Result<String> {
        until(&format!("a line `{start}…` at the hop"), || {
            Ok(self.said().into_iter().find(|line| line.starts_with(start)))
        })
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The most connections that were there at a time, without those that had said QUIT.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.shared.most_open.load(Ordering::SeqCst)
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the one who waits for clients.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
        for stream in lock(&self.shared.streams).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let threads = std::mem::take(&mut *lock(&self.shared.threads));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn listen(shared: &Arc<Shared>, listener: &TcpListener) {
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(kept) = stream.try_clone() else {
            continue;
        };
        lock(&shared.streams).push(kept);
        let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_open.fetch_max(open, Ordering::SeqCst);
        let mine = Arc::clone(shared);
        lock(&shared.threads).push(thread::spawn(move || {
            // The client has gone, or the test is over.
            let _ = conversation::hold(&mine, stream, number);
        }));
    }
}
