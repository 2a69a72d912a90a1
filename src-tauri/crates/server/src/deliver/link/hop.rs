//! Where a link goes, what it carries, and what it was like.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use smtp::client::Protocol;
use smtp::{Address, Domain, RcptParameters, Ret, ReversePath};
use zeroize::Zeroizing;

use crate::deliver::trust::Judge;

/// A server to hand messages to.
#[derive(Debug, Clone)]
pub struct Hop {
    /// Its name, for texts.
    pub name: String,
    /// Where it listens.
    pub at: HopAddress,
    /// What it speaks.
    pub protocol: Protocol,
    /// How to be private with it.
    pub tls: HopTls,
    /// Who we are for it.
    pub auth: Option<HopAuth>,
    /// Our host name.
    pub helo: Domain,
}

impl Hop {
    /// Its name with its address, for texts.
    pub fn peer(&self) -> String {
        super::socket::peer(self)
    }
}

/// Where a hop listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HopAddress {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsMode {
    /// Never.
    Never,
    /// With STARTTLS where it is offered; a handshake that fails leads to a second connection without.
    Opportunistic,
    /// With STARTTLS, or nothing is sent.
    Starttls,
    /// With the first octet (RFC 8314 §3.3).
    Implicit,
}

/// How to be private with a hop.
#[derive(Debug, Clone)]
pub struct HopTls {
    /// When TLS begins.
    pub mode: TlsMode,
    /// What is asked of its certificate.
    pub config: Arc<rustls::ClientConfig>,
    /// The name it must have.
    pub name: ServerName<'static>,
    /// Where `config` asks nothing: tells afterwards what the certificate was worth.
    pub judge: Option<Arc<Judge>>,
    /// The admin said that any certificate is good enough, knowing that whoever is on the way can then read the password.
    /// Where this is false, a certificate that proves nothing protects no password.
    pub takes_any: bool,
}

/// Who we are for a hop.
#[derive(Clone)]
pub struct HopAuth {
    /// The name.
    pub username: String,
    /// The password, never shown.
    pub password: Zeroizing<String>,
    /// The password may cross a connection that others can read.
    pub in_clear: bool,
}

impl fmt::Debug for HopAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HopAuth({:?})", self.username)
    }
}

/// Where the octets of a message come from. Called on a thread that may block.
pub trait Body: Send + Sync {
    /// At most `max` octets from `offset` on.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>>;
}

/// A message to hand over.
#[derive(Clone)]
pub struct Outgoing {
    /// The sender.
    pub sender: ReversePath,
    /// The message.
    pub body: Arc<dyn Body>,
    /// Its octets, all that `body` has.
    pub size: u64,
    /// Its body holds octets above 127.
    pub eight_bit: bool,
    /// Its headers need SMTPUTF8.
    pub smtputf8: bool,
    /// How much a notification returns.
    pub ret: Option<Ret>,
    /// The sender's name for the transaction.
    pub envid: Option<String>,
    /// The recipients.
    pub recipients: Vec<OutgoingRecipient>,
}

/// A recipient of an outgoing message.
#[derive(Debug, Clone)]
pub struct OutgoingRecipient {
    /// The caller's own number, given back with the outcome.
    pub id: i64,
    /// The address.
    pub address: Address,
    /// NOTIFY and ORCPT.
    pub parameters: RcptParameters,
}

/// What a connection is like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkSummary {
    /// The hop with its address, for texts.
    pub peer: String,
    /// The encryption, if any.
    pub tls: Option<TlsSummary>,
    /// Why there is none although it was tried.
    pub clear_because: Option<String>,
    /// The hop knows us.
    pub authenticated: bool,
}

/// The encryption of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSummary {
    /// For example `TLSv1.3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The certificate proved whose it is.
    pub verified: bool,
    /// Why it did not.
    pub why_not: Option<String>,
    /// The certificate, in DER form.
    pub certificate: Option<Arc<[u8]>>,
}
