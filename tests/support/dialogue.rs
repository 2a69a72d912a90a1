//! SMTP line by line, for tests that must say exactly what is sent and see exactly what comes back.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DEFAULT_VERSIONS, DigitallySignedStruct, Error,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use socket2::{Domain, Socket, Type};

/// How long a reply may take; also the longest delay a server may put on a failed login.
const PATIENCE: Duration = Duration::from_secs(30);
/// RFC 5321 §4.5.3.1.5 allows 512 octets a line; a server that never ends one must not fill the memory.
const MAX_LINE: usize = 64 * 1024;

/// One reply, all its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The lines as received, code included, without line ends.
    pub lines: Vec<String>,
}

impl Reply {
    /// The texts after the code, joined by spaces.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self
            .lines
            .iter()
            .map(|line| line.get(4..).unwrap_or_default());
        texts.collect::<Vec<_>>().join(" ")
    }

    /// Whether an EHLO reply announces this extension.
    #[must_use]
    pub fn announces(&self, keyword: &str) -> bool {
        let mut texts = self.lines.iter().skip(1).filter_map(|line| line.get(4..));
        texts.any(|text| text.split(' ').next() == Some(keyword))
    }

    /// The token in square brackets at the end, which every refusal has.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        let last = self.lines.last()?.strip_suffix(']')?;
        last.rsplit_once('[').map(|(_, token)| token)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

/// A connection to the server under test.
#[derive(Debug)]
pub struct Dialogue {
    wire: Wire,
    /// Octets read and not yet used.
    read: Vec<u8>,
    address: SocketAddr,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// Between the two, while a handshake runs.
    None,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "plain",
            Self::Tls(_) => "tls",
            Self::None => "none",
        })
    }
}

impl Wire {
    fn stream(&mut self) -> io::Result<&mut dyn ReadWrite> {
        match self {
            Self::Plain(stream) => Ok(stream),
            Self::Tls(stream) => Ok(stream.as_mut()),
            Self::None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl Dialogue {
    /// Connects and leaves the greeting to be read with [`reply`](Self::reply).
    ///
    /// # Errors
    /// The connection is refused or takes too long.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE)?, address)
    }

    /// Connects from another address of this machine: all of 127.0.0.0/8 is its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_from(source: IpAddr, address: SocketAddr) -> Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect_timeout(&address.into(), PATIENCE)?;
        Self::over(socket.into(), address)
    }

    fn over(stream: TcpStream, address: SocketAddr) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            wire: Wire::Plain(stream),
            read: Vec::new(),
            address,
        })
    }

    /// Connects with TLS from the first octet. The server's certificate is not checked: it signed itself.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), or the handshake fails.
    pub fn connect_tls(address: SocketAddr) -> Result<Self> {
        Self::connect_tls_with(address, DEFAULT_VERSIONS)
    }

    /// The same with these versions of TLS only.
    ///
    /// # Errors
    /// As [`connect_tls`](Self::connect_tls).
    pub fn connect_tls_with(
        address: SocketAddr,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self> {
        let mut dialogue = Self::connect(address)?;
        dialogue.handshake(versions)?;
        Ok(dialogue)
    }

    /// The certificate the server showed, in DER. None without TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let Wire::Tls(stream) = &self.wire else {
            return None;
        };
        let chain = stream.conn.peer_certificates()?;
        Some(chain.first()?.to_vec())
    }

    /// Connects, reads the greeting and says EHLO.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), or either reply is not positive.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let mut dialogue = Self::connect(address)?;
        dialogue.expect(220)?;
        dialogue.command("EHLO client.example", 250)?;
        Ok(dialogue)
    }

    /// The other side.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends octets as they are.
    ///
    /// # Errors
    /// The connection is closed or stuck.
    pub fn send(&mut self, octets: &[u8]) -> Result<()> {
        let stream = self.wire.stream()?;
        stream.write_all(octets)?;
        stream.flush()?;
        Ok(())
    }

    /// Sends one line, its CRLF added, and reads the reply.
    ///
    /// # Errors
    /// The connection fails, or what comes back is no reply.
    pub fn say(&mut self, line: &str) -> Result<Reply> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.reply().with_context(|| format!("after `{line}`"))
    }

    /// Sends one line and insists on the code of the reply.
    ///
    /// # Errors
    /// As [`say`](Self::say), or the code is another; the error shows the reply.
    pub fn command(&mut self, line: &str, code: u16) -> Result<Reply> {
        let reply = self.say(line)?;
        ensure!(reply.code == code, "`{line}` was answered by:\n{reply}");
        Ok(reply)
    }

    /// Reads a reply and insists on its code.
    ///
    /// # Errors
    /// As [`reply`](Self::reply), or the code is another.
    pub fn expect(&mut self, code: u16) -> Result<Reply> {
        let reply = self.reply()?;
        ensure!(reply.code == code, "expected {code}, got:\n{reply}");
        Ok(reply)
    }

    /// Reads one reply of any number of lines.
    ///
    /// # Errors
    /// The connection ends, nothing comes in time, or the lines are no reply (RFC 5321 §4.2.1).
    pub fn reply(&mut self) -> Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let code: u16 = code.with_context(|| format!("no reply line: {line:?}"))?;
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line);
            if !more {
                return Ok(Reply { code, lines });
            }
        }
    }

    /// Whether the other side has closed the connection; waits for it.
    ///
    /// # Errors
    /// Something else comes, or nothing in time.
    pub fn is_closed(&mut self) -> Result<bool> {
        Ok(self.read.is_empty() && self.fill()? == 0)
    }

    /// STARTTLS and the handshake. EHLO is to be said again (RFC 3207 §4.2).
    ///
    /// # Errors
    /// The command is refused or the handshake fails.
    pub fn start_tls(&mut self) -> Result<()> {
        self.command("STARTTLS", 220)?;
        self.secure()
    }

    /// The handshake alone, when the test has sent STARTTLS in its own way.
    ///
    /// # Errors
    /// The server sent more than its reply, or the handshake fails.
    pub fn secure(&mut self) -> Result<()> {
        ensure!(self.read.is_empty(), "octets before the handshake");
        self.handshake(DEFAULT_VERSIONS)
    }

    /// AUTH PLAIN with an initial response.
    ///
    /// # Errors
    /// The connection fails.
    pub fn auth_plain(&mut self, login: &str, password: &str) -> Result<Reply> {
        let response = base64(format!("\0{login}\0{password}").as_bytes());
        self.say(&format!("AUTH PLAIN {response}"))
    }

    /// AUTH LOGIN, question by question.
    ///
    /// # Errors
    /// The connection fails, or the server does not ask.
    pub fn auth_login(&mut self, login: &str, password: &str) -> Result<Reply> {
        self.command("AUTH LOGIN", 334)?;
        self.command(&base64(login.as_bytes()), 334)?;
        self.say(&base64(password.as_bytes()))
    }

    /// MAIL and RCPT for one sender and one recipient, DATA, and the message, which is dot-stuffed here. Returns the
    /// first refusal or the last reply.
    ///
    /// # Errors
    /// The connection fails.
    pub fn send_message(&mut self, from: &str, to: &str, message: &str) -> Result<Reply> {
        for line in [
            format!("MAIL FROM:<{from}>"),
            format!("RCPT TO:<{to}>"),
            "DATA".to_owned(),
        ] {
            let reply = self.say(&line)?;
            if reply.code >= 400 {
                return Ok(reply);
            }
        }
        self.send_content(message)
    }

    /// The content after 354: lines, stuffed dots (RFC 5321 §4.5.2), the final dot; and the reply.
    ///
    /// # Errors
    /// The connection fails.
    pub fn send_content(&mut self, message: &str) -> Result<Reply> {
        let mut content = String::new();
        for line in message.lines() {
            if line.starts_with('.') {
                content.push('.');
            }
            content.push_str(line);
            content.push_str("\r\n");
        }
        content.push_str(".\r\n");
        self.send(content.as_bytes())?;
        self.reply()
    }

    fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.read.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                let line = line
                    .strip_suffix(b"\r\n")
                    .context("a reply line without CRLF")?;
                return Ok(String::from_utf8(line.to_vec())?);
            }
            ensure!(self.read.len() < MAX_LINE, "a reply line without end");
            if self.fill()? == 0 {
                bail!("the server closed the connection");
            }
        }
    }

    fn fill(&mut self) -> Result<usize> {
        let mut chunk = [0; 4096];
        let count = match self.wire.stream()?.read(&mut chunk) {
            Ok(count) => count,
            // A peer that leaves without a close_notify has left all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error).context("no reply"),
        };
        self.read
            .extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn handshake(&mut self, versions: &[&'static SupportedProtocolVersion]) -> Result<()> {
        let Wire::Plain(stream) = std::mem::replace(&mut self.wire, Wire::None) else {
            bail!("the connection is encrypted already");
        };
        let name = ServerName::try_from(crate::daemon::HOSTNAME)?;
        let connection = ClientConnection::new(Arc::new(tls_config(versions)?), name)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        self.wire = Wire::Tls(Box::new(stream));
        Ok(())
    }
}

fn base64(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

fn tls_config(versions: &[&'static SupportedProtocolVersion]) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

/// Takes every certificate, but lets no signature of the handshake pass unchecked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
