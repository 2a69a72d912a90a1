//! One socket, in clear text or inside TLS, with a time-out on every wait.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A client that does not take our bytes for this long is gone.
const WRITE: Duration = Duration::from_secs(60);
/// A handshake takes at most this long.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// Clear text that is thrown away before a handshake; more is an attack.
const MAX_DRAINED: usize = 512 * 1024;
const GOODBYE: Duration = Duration::from_secs(2);

/// The connection to a client.
#[derive(Debug)]
pub enum Stream {
    /// Clear text.
    Plain(TcpStream),
    /// After a handshake.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Reads what is there, at most the buffer. 0 means the other side is done.
    ///
    /// # Errors
    /// `TimedOut` after `wait`, or what the socket says.
    pub async fn read(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        let read = async {
            match self {
                Self::Plain(stream) => stream.read(buffer).await,
                Self::Tls(stream) => stream.read(buffer).await,
            }
        };
        timeout(wait, read)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// `TimedOut` if the client does not take them, or what the socket says.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let write = async {
            match self {
                Self::Plain(stream) => stream.write_all(bytes).await,
                Self::Tls(stream) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
            }
        };
        timeout(WRITE, write)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Throws away what has arrived and was not read. Called before the reply to STARTTLS is sent: what is there by then
    /// was sent in clear text and must not reach the TLS session (RFC 3207 §4.2).
    ///
    /// # Errors
    /// When the client sends without end, or the socket fails.
    pub fn drain(&mut self) -> io::Result<()> {
        let Self::Plain(stream) = self else {
            return Ok(());
        };
        let mut scrap = [0; 8192];
        for _ in 0..MAX_DRAINED / scrap.len() {
            match stream.try_read(&mut scrap) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("the client sends without waiting for TLS"))
    }

    /// Makes the handshake. What the client sent in clear text before it was read by nobody but the session, which forgot it.
    ///
    /// # Errors
    /// What went wrong in the handshake.
    pub async fn start_tls(self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        match self {
            Self::Plain(stream) => {
                let stream = timeout(HANDSHAKE, acceptor.accept(stream))
                    .await
                    .map_err(|_| io::ErrorKind::TimedOut)??;
                Ok(Self::Tls(Box::new(stream)))
            }
            Self::Tls(_) => Err(io::Error::other("TLS is already in use")),
        }
    }

    /// Version and cipher suite, inside TLS.
    pub fn tls(&self) -> Option<policy::facts::Tls> {
        let Self::Tls(stream) = self else { return None };
        let connection = stream.get_ref().1;
        let version = match connection.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3".into(),
            rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2".into(),
            other => format!("{other:?}"),
        };
        let cipher = connection
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default();
        Some(policy::facts::Tls { version, cipher })
    }

    /// Says goodbye properly, so that the last reply is not lost to a reset.
    pub async fn close(mut self) {
        let goodbye = async {
            let _ = match &mut self {
                Self::Plain(stream) => stream.shutdown().await,
                Self::Tls(stream) => stream.shutdown().await,
            };
            // Unread input would turn the close into a reset that can overtake our reply.
            let mut rest = [0; 4096];
            for _ in 0..16 {
                let read = match &mut self {
                    Self::Plain(stream) => stream.read(&mut rest).await,
                    Self::Tls(stream) => stream.get_mut().0.read(&mut rest).await,
                };
                if !matches!(read, Ok(count) if count > 0) {
                    break;
                }
            }
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}
