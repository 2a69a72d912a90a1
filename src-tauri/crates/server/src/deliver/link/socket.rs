//! The socket of a link: TCP or a socket in the file system, in clear text or inside TLS, with a bound on every wait.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Hop, HopAddress, HopTls, TlsSummary};
use crate::deliver::trust::explain;

/// A connection is made in this time or not at all.
pub(super) const CONNECT: Duration = Duration::from_secs(30);
/// A handshake takes at most this long.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(30);
/// A hop that does not take our bytes for this long is gone (RFC 5321 §4.5.3.2.5).
const WRITE: Duration = Duration::from_secs(3 * 60);
/// How long to look for what a hop said before it broke the connection.
const LAST_WORDS: Duration = Duration::from_secs(1);
const GOODBYE: Duration = Duration::from_secs(2);
const READ: usize = 4096;

/// Anything that carries octets both ways.
trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// The connection to a hop.
pub(super) struct Socket(Box<dyn Wire>);

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

/// What a wait for the hop brought.
pub(super) enum Heard {
    Bytes(Vec<u8>),
    /// The hop closed the connection, or it broke.
    End,
    /// Nothing until the deadline.
    Silence,
}

impl Socket {
    pub(super) async fn connect(at: &HopAddress, wait: Duration) -> io::Result<Self> {
        let connect = async {
            match at {
                HopAddress::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    // What belongs together is written at once; waiting for more only delays the last piece.
                    stream.set_nodelay(true)?;
                    Ok(Self(Box::new(stream)))
                }
                HopAddress::Unix(path) => Ok(Self(Box::new(UnixStream::connect(path).await?))),
            }
        };
        timeout(wait, connect)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?
    }

    pub(super) async fn hear(&mut self, deadline: Instant) -> Heard {
        let mut buffer = vec![0; READ];
        match timeout_at(deadline, self.0.read(&mut buffer)).await {
            Err(_) => Heard::Silence,
            Ok(Ok(count)) if count > 0 => {
                buffer.truncate(count);
                Heard::Bytes(buffer)
            }
            Ok(_) => Heard::End,
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let write = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        timeout_at(deadline.min(Instant::now() + WRITE), write)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// What the hop said before the connection broke.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + LAST_WORDS;
        let mut rest = Vec::new();
        while rest.len() < 4 * READ {
            match self.hear(deadline).await {
                Heard::Bytes(bytes) => rest.extend(bytes),
                Heard::End | Heard::Silence => break,
            }
        }
        rest
    }

    /// Makes the handshake. Octets that came in clear text were read by nobody, or forgotten by the machine.
    ///
    /// # Errors
    /// Why it failed, in words.
    pub(super) async fn start_tls(
        self,
        tls: &HopTls,
        wait: Duration,
    ) -> Result<(Self, TlsSummary), String> {
        let connector = TlsConnector::from(tls.config.clone());
        let stream = match timeout(wait, connector.connect(tls.name.clone(), self.0)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(in_words(&error)),
            Err(_) => return Err("the handshake took too long".to_owned()),
        };
        let summary = summary(&stream, tls);
        Ok((Self(Box::new(stream)), summary))
    }

    /// Ends the connection properly.
    pub(super) async fn close(mut self) {
        // Whether the other side still cares makes no difference any more.
        let _ = timeout(GOODBYE, self.0.shutdown()).await;
    }
}

fn summary<T>(stream: &TlsStream<T>, tls: &HopTls) -> TlsSummary {
    let connection = stream.get_ref().1;
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        other => format!("{other:?}"),
    };
    let cipher = connection
        .negotiated_cipher_suite()
        .map(|suite| format!("{:?}", suite.suite()))
        .unwrap_or_default();
    let verdict = tls
        .judge
        .as_ref()
        .map_or(Ok(()), |judge| judge.verdict(connection, &tls.name));
    TlsSummary {
        version,
        cipher,
        verified: verdict.is_ok(),
        why_not: verdict.err(),
        certificate: connection
            .peer_certificates()
            .and_then(|shown| shown.first())
            .map(|own| own.as_ref().into()),
    }
}

fn in_words(error: &io::Error) -> String {
    let tls = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        (Some(error), _) => explain(error),
        (None, io::ErrorKind::UnexpectedEof) => "it closed the connection".to_owned(),
        (None, _) => error.to_string(),
    }
}

/// The hop with its address, for texts: `mx.example.org [192.0.2.1]`, with the port where it is not 25.
pub(super) fn peer(hop: &Hop) -> String {
    match &hop.at {
        HopAddress::Unix(path) => format!("unix:{}", path.display()),
        HopAddress::Tcp(address) => {
            let ip = address.ip().to_string();
            let port = match address.port() {
                25 => String::new(),
                port => format!(":{port}"),
            };
            if hop.name.is_empty() || hop.name.contains(&ip) {
                format!("[{ip}]{port}")
            } else {
                format!("{} [{ip}]{port}", hop.name)
            }
        }
    }
}

/// Why no connection could be made.
pub(super) fn unreachable(peer: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{peer} refuses connections: nothing listens there")
        }
        io::ErrorKind::TimedOut => format!("{peer} does not answer: the connection took too long"),
        io::ErrorKind::NotFound => format!("{peer} does not exist"),
        io::ErrorKind::PermissionDenied => format!("{peer} may not be opened by this server"),
        _ => format!("{peer} cannot be reached: {error}"),
    }
}
