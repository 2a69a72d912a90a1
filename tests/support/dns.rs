//! A name server of the test's own on a free port of the loopback: it knows the records that the test gives it, and can
//! be told to fail in the ways in which name servers fail.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::{CNAME, MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

mod table;

use table::Table;

/// Ports tried for one that is free for datagrams and streams alike.
const TRIES: usize = 50;
/// The largest datagram.
const DATAGRAM: usize = 65_535;
/// A string of a TXT record holds so many octets (RFC 1035 §3.3.14).
const TXT_PART: usize = 255;
/// How long a client may take over its question.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the server takes questions for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// SERVFAIL: it could not find out.
    Fails,
    /// REFUSED: it does not want to.
    Refuses,
    /// No answer ever.
    Silent,
    /// The right answer, that much later.
    Late(Duration),
    /// The right answer under another number than the question's, as a forger would send it.
    WrongNumber,
}

/// A running name server; it ends when dropped.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    asked: Mutex<Vec<(String, RecordType)>>,
    stop: AtomicBool,
    /// Connections and late answers.
    threads: Mutex<Vec<JoinHandle<()>>>,
    streams: Mutex<Vec<TcpStream>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dns {
    /// Starts a server that knows no name.
    ///
    /// # Errors
    /// The loopback has no free port.
    pub fn start() -> Result<Self> {
        let (datagrams, streams) = sockets()?;
        let address = datagrams.local_addr()?;
        let shared = Arc::new(Shared::default());
        let listening = vec![
            {
                let shared = shared.clone();
                thread::spawn(move || answer_datagrams(&shared, &datagrams))
            },
            {
                let shared = shared.clone();
                thread::spawn(move || answer_streams(&shared, &streams))
            },
        ];
        Ok(Self {
            address,
            shared,
            listening,
        })
    }

    /// Where it is asked; the value for the setting `service.dns_servers`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds A or AAAA records.
    ///
    /// # Errors
    /// `host` is no name; so in all that follow.
    pub fn host(&self, host: &str, addresses: &[IpAddr]) -> Result<&Self> {
        for address in addresses {
            self.record(host, (*address).into())?;
        }
        Ok(self)
    }

    /// Adds an MX record. The exchange `.` says that the domain takes no mail.
    ///
    /// # Errors
    /// As [`Dns::host`].
    pub fn mx(&self, domain: &str, preference: u16, exchange: &str) -> Result<&Self> {
        let exchange = MX::new(preference, rooted(exchange)?);
        self.record(domain, RData::MX(exchange))
    }

    /// Adds a TXT record, cut into strings as it must be.
    ///
    /// # Errors
    /// As [`Dns::host`].
    pub fn txt(&self, name: &str, text: &str) -> Result<&Self> {
        let parts = text
            .as_bytes()
            .chunks(TXT_PART)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect();
        self.record(name, RData::TXT(TXT::new(parts)))
    }

    /// Adds the name of an address.
    ///
    /// # Errors
    /// As [`Dns::host`].
    pub fn ptr(&self, address: IpAddr, name: &str) -> Result<&Self> {
        let name = rooted(name)?;
        self.record(&Name::from(address).to_ascii(), RData::PTR(PTR(name)))
    }

    /// Makes `name` another name of `target`.
    ///
    /// # Errors
    /// As [`Dns::host`].
    pub fn alias(&self, name: &str, target: &str) -> Result<&Self> {
        let target = rooted(target)?;
        self.record(name, RData::CNAME(CNAME(target)))
    }

    /// Adds a record of any kind.
    ///
    /// # Errors
    /// As [`Dns::host`].
    pub fn record(&self, name: &str, data: RData) -> Result<&Self> {
        let name = Name::from_ascii(name)?;
        lock(&self.shared.table).add(&name, data);
        Ok(self)
    }

    /// Forgets all records and moods of a name.
    pub fn forget(&self, name: &str) -> &Self {
        lock(&self.shared.table).forget(name);
        self
    }

    /// Takes all questions for `name` in this mood.
    pub fn mood(&self, name: &str, mood: Mood) -> &Self {
        lock(&self.shared.table).moods.insert(plain(name), mood);
        self
    }

    /// Seconds for which answers may be kept, also those that say there is nothing; 60 at first.
    pub fn keep_for(&self, seconds: u32) -> &Self {
        lock(&self.shared.table).ttl = seconds;
        self
    }

    /// The questions so far, in order, with names in lower case and without the final dot.
    #[must_use]
    pub fn asked(&self) -> Vec<(String, RecordType)> {
        lock(&self.shared.asked).clone()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Each wakes one thread that waits for a client.
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            let _ = socket.send_to(&[], self.address);
        }
        let _ = TcpStream::connect(self.address);
        for thread in self.listening.drain(..) {
            let _ = thread.join();
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

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// The answer to a question and how long to wait with it; none for what is no question.
    fn answer(&self, question: &[u8]) -> Option<(Message, Duration)> {
        let question = Message::from_vec(question).ok()?;
        let query = question.queries.first()?;
        lock(&self.asked).push((plain(&query.name().to_ascii()), query.query_type()));
        lock(&self.table).answer(&question, query)
    }
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// A datagram socket and a listener on the same port.
fn sockets() -> Result<(UdpSocket, TcpListener)> {
    for _ in 0..TRIES {
        let streams = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        if let Ok(datagrams) = UdpSocket::bind(streams.local_addr()?) {
            return Ok((datagrams, streams));
        }
    }
    bail!("no port of the loopback is free for both UDP and TCP")
}

fn answer_datagrams(shared: &Arc<Shared>, socket: &UdpSocket) {
    let mut buffer = vec![0; DATAGRAM];
    while !shared.stopped() {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let question = buffer.get(..length).unwrap_or_default();
        let Some((answer, wait)) = shared.answer(question) else {
            continue;
        };
        let Ok(bytes) = datagram(&answer, question) else {
            continue;
        };
        if wait.is_zero() {
            let _ = socket.send_to(&bytes, client);
        } else if let Ok(socket) = socket.try_clone() {
            lock(&shared.threads).push(thread::spawn(move || {
                thread::sleep(wait);
                let _ = socket.send_to(&bytes, client);
            }));
        }
    }
}

/// An answer that is too long for the client is sent empty, with the mark that tells it to come back over TCP.
fn datagram(answer: &Message, question: &[u8]) -> Result<Vec<u8>> {
    let bytes = answer.to_vec()?;
    let longest = Message::from_vec(question)?.max_payload();
    if bytes.len() <= usize::from(longest) {
        return Ok(bytes);
    }
    Ok(answer.truncate().to_vec()?)
}

fn answer_streams(shared: &Arc<Shared>, listener: &TcpListener) {
    for stream in listener.incoming() {
        if shared.stopped() {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(kept) = stream.try_clone() else {
            continue;
        };
        lock(&shared.streams).push(kept);
        let owned = shared.clone();
        lock(&shared.threads).push(thread::spawn(move || {
            // The client has hung up, or the test is over.
            let _ = answer_stream(&owned, stream);
        }));
    }
}

fn answer_stream(shared: &Shared, mut stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    loop {
        // RFC 1035 §4.2.2: two octets of length before each message.
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut question)?;
        let Some((answer, wait)) = shared.answer(&question) else {
            continue;
        };
        thread::sleep(wait);
        let bytes = answer.to_vec()?;
        let length = u16::try_from(bytes.len()).context("an answer of more than 65535 octets")?;
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(&bytes)?;
        stream.flush()?;
        if shared.stopped() {
            return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
        }
    }
}

/// A name that ends at the root.
fn rooted(name: &str) -> Result<Name> {
    let mut name = Name::from_ascii(name)?;
    name.set_fqdn(true);
    Ok(name)
}
