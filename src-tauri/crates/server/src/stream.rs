//! One socket, in clear text or inside TLS, with a time-out on every wait.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
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

/// Octets that wait for the other side's acknowledgement (tcp(7), SIOCOUTQ).
#[cfg(target_os = "linux")]
fn unacknowledged(stream: &TcpStream) -> Option<libc::c_int> {
    let mut octets: libc::c_int = 0;
    #[allow(
        unsafe_code,
        reason = "no safe interface to this question of the system is known"
    )]
    // SAFETY: TIOCOUTQ writes one integer to where the pointer leads, which lives until the call has returned; the
    // descriptor is open for as long as the stream is borrowed.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut octets) };
    (result == 0).then_some(octets)
}

#[cfg(not(target_os = "linux"))]
fn unacknowledged(_: &TcpStream) -> Option<libc::c_int> {
    None
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

    /// Whether something has arrived that was not read.
    pub fn has_input(&mut self) -> bool {
        match self {
            Self::Plain(stream) => {
                rustix::io::ioctl_fionread(&*stream).is_ok_and(|octets| octets > 0)
            }
            Self::Tls(stream) => {
                let state = stream.get_mut().1.process_new_packets();
                state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
            }
        }
    }

    /// Whether the other side has not yet acknowledged all that was written. What was read before it did was sent before it
    /// had the rest: every segment acknowledges what its sender has received (RFC 9293 §3.4). Unknown inside TLS.
    pub fn is_unacknowledged(&self) -> bool {
        match self {
            Self::Plain(stream) => unacknowledged(stream).is_some_and(|octets| octets > 0),
            Self::Tls(_) => false,
        }
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (Stream::Plain(server), client)
    }

    #[tokio::test]
    async fn input_that_waits_is_seen_and_not_taken() {
        let (mut server, mut client) = pair().await;
        assert!(!server.has_input());
        client.write_all(b"ab").await.unwrap();
        let mut one = [0];
        let wait = Duration::from_secs(10);
        assert_eq!(server.read(&mut one, wait).await.unwrap(), 1);
        assert!(server.has_input());
        assert_eq!(server.read(&mut one, wait).await.unwrap(), 1);
        assert!(!server.has_input());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_was_sent_before_the_greeting_arrived_is_told_from_an_answer_to_it() {
        let (mut server, mut client) = pair().await;
        let wait = Duration::from_secs(10);
        // More than the client's side takes in, so that the end of it cannot have arrived.
        let mut sent = 0;
        let Stream::Plain(socket) = &server else {
            panic!("not plain")
        };
        socket.writable().await.unwrap();
        while let Ok(count) = socket.try_write(&[b'x'; 65_536]) {
            sent += count;
        }
        client.write_all(b"early").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(server.read(&mut buffer, wait).await.unwrap(), 5);
        assert!(server.is_unacknowledged());
        let mut rest = vec![0; sent];
        client.read_exact(&mut rest).await.unwrap();
        client.write_all(b"in time").await.unwrap();
        assert_eq!(server.read(&mut buffer, wait).await.unwrap(), 7);
        assert!(!server.is_unacknowledged());
    }
}
