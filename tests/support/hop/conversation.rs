//! One client at the hop.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConnection, StreamOwned};

use super::{Act, At, Encryption, Manner, Shared, Taken, lock};

/// A client that says nothing for so long is not the server under test.
const PATIENCE: Duration = Duration::from_secs(120);
const GLANCE: Duration = Duration::from_millis(5);
/// Octets of a message or a line; a client without end must not fill the memory.
const MOST: usize = 64 << 20;
/// What a hop that speaks no TLS says in its place.
const NO_TLS: &[u8] = b"this is no TLS record at all\r\n";

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }
}

/// What follows a word.
enum Then {
    GoOn(bool),
    End,
}

struct Conversation {
    shared: Arc<Shared>,
    manner: Manner,
    wire: Wire,
    read: Vec<u8>,
    mail: Taken,
    /// Messages that began.
    mails: usize,
    /// It does not count as open any more.
    has_left: bool,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Serves a client to its end.
pub(super) fn hold(shared: &Arc<Shared>, stream: TcpStream, number: usize) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut conversation = Conversation {
        manner: lock(&shared.manner).clone(),
        shared: Arc::clone(shared),
        wire: Wire::Plain(stream),
        read: Vec::new(),
        mails: 0,
        has_left: false,
        mail: Taken {
            connection: number,
            ..Taken::default()
        },
    };
    if let Encryption::Implicit(_) = conversation.manner.encryption {
        conversation.secure()?;
    }
    conversation.talk()
}

impl Conversation {
    fn talk(&mut self) -> Result<()> {
        let protocol = if self.manner.lmtp { "LMTP" } else { "ESMTP" };
        let greeting = format!("220 {} {protocol} of a test", self.manner.name);
        let mut then = self.answer(At::Greeting, "", &greeting)?;
        while let Then::GoOn(_) = then {
            let line = self.line()?;
            lock(&self.shared.said).push(line.clone());
            then = self.word(&line)?;
        }
        Ok(())
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.has_left, true) {
            self.shared.open.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn word(&mut self, line: &str) -> Result<Then> {
        let verb = line.split(' ').next().unwrap_or_default();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "LHLO" => {
                let reply = self.hello();
                self.answer(At::Hello, line, &reply)
            }
            "HELO" => self.answer(At::Hello, line, &format!("250 {}", self.manner.name)),
            "STARTTLS" => self.start_tls(line),
            "AUTH" => self.auth(line),
            "MAIL" => {
                self.forget();
                self.mails += 1;
                let usual = if self.mails > self.manner.most_mails {
                    "421 4.7.0 too many messages on this connection"
                } else {
                    "250 2.1.0 sender ok"
                };
                let then = self.answer(At::Mail, line, usual)?;
                if let Then::GoOn(true) = then {
                    self.mail.mail = line.into();
                }
                Ok(then)
            }
            "RCPT" => {
                let usual = if self.mail.mail.is_empty() {
                    "503 5.5.1 no sender"
                } else {
                    "250 2.1.5 recipient ok"
                };
                let then = self.answer(At::Rcpt, line, usual)?;
                if let Then::GoOn(true) = then {
                    self.mail.to.push(line.into());
                }
                Ok(then)
            }
            "DATA" => self.data(line),
            "RSET" => {
                self.forget();
                self.answer(At::Other, line, "250 2.0.0 forgotten")
            }
            "QUIT" => {
                self.leave();
                self.answer(At::Other, line, "221 2.0.0 goodbye")
            }
            "NOOP" => self.answer(At::Other, line, "250 2.0.0 nothing"),
            _ => self.answer(At::Other, line, "500 5.5.2 unknown"),
        }
    }

    fn forget(&mut self) {
        let Taken {
            tls,
            login,
            connection,
            ..
        } = std::mem::take(&mut self.mail);
        self.mail = Taken {
            tls,
            login,
            connection,
            ..Taken::default()
        };
    }

    fn hello(&self) -> String {
        let mut lines = vec![self.manner.name.clone()];
        lines.extend(self.manner.extensions.iter().cloned());
        let offers = matches!(
            self.manner.encryption,
            Encryption::StartTls(_) | Encryption::Broken
        );
        if offers && !self.mail.tls {
            lines.push("STARTTLS".into());
        }
        if !self.manner.mechanisms.is_empty() {
            lines.push(format!("AUTH {}", self.manner.mechanisms));
        }
        format!("250 {}", lines.join("\n"))
    }

    /// Says what the rules have there, or else `usual`; whether it was a yes.
    fn answer(&mut self, at: At, line: &str, usual: &str) -> Result<Then> {
        let reply = match self.shared.act(at, line) {
            None => usual.to_owned(),
            Some(Act::Say(reply)) => reply,
            Some(Act::Raw(octets)) => {
                self.wire.write(octets.as_bytes())?;
                return Ok(Then::GoOn(octets.starts_with(['2', '3'])));
            }
            Some(Act::Late(by)) => {
                if !self.pause(by)? {
                    return Ok(Then::End);
                }
                usual.to_owned()
            }
            Some(Act::HangUp) => return self.hang_up(),
            Some(Act::HalfClose) => {
                self.wire.socket().shutdown(Shutdown::Write)?;
                return self.silence();
            }
            Some(Act::Silence) => return self.silence(),
        };
        self.say(&reply)?;
        if reply.starts_with("221") || reply.starts_with("421") {
            return self.hang_up();
        }
        Ok(Then::GoOn(reply.starts_with(['2', '3'])))
    }

    /// A reply of several lines has its code on each of them.
    fn say(&mut self, reply: &str) -> Result<()> {
        let (code, text) = reply.split_once(' ').unwrap_or((reply, ""));
        let lines: Vec<&str> = text.split('\n').collect();
        let mut wire = String::new();
        for (place, line) in lines.iter().enumerate() {
            let mark = if place + 1 < lines.len() { '-' } else { ' ' };
            wire.push_str(&format!("{code}{mark}{line}\r\n"));
        }
        Ok(self.wire.write(wire.as_bytes())?)
    }

    fn hang_up(&mut self) -> Result<Then> {
        // What was said must arrive before the end does.
        self.wire.socket().shutdown(Shutdown::Write)?;
        self.wire.socket().set_read_timeout(Some(GLANCE * 40))?;
        let mut rest = [0; 4096];
        while matches!(self.wire.socket().read(&mut rest), Ok(count) if count > 0) {}
        self.wire.socket().shutdown(Shutdown::Both)?;
        Ok(Then::End)
    }

    /// Reads until the client goes.
    fn silence(&mut self) -> Result<Then> {
        let mut rest = [0; 4096];
        while self.wire.read(&mut rest)? > 0 {}
        Ok(Then::End)
    }

    /// Waits; false when the test is over meanwhile.
    fn pause(&self, by: Duration) -> Result<bool> {
        let until = Instant::now() + by;
        while Instant::now() < until {
            if self.shared.stop.load(Ordering::SeqCst) {
                return Ok(false);
            }
            thread::sleep(GLANCE);
        }
        Ok(true)
    }

    fn start_tls(&mut self, line: &str) -> Result<Then> {
        let then = self.answer(At::StartTls, line, "220 2.0.0 go ahead")?;
        if !matches!(then, Then::GoOn(true)) {
            return Ok(then);
        }
        match self.manner.encryption {
            Encryption::Broken => {
                // The client has begun, so that this is no word in clear text but a broken answer to it.
                let mut hello = [0; 4096];
                self.wire.read(&mut hello)?;
                self.wire.write(NO_TLS)?;
                self.hang_up()
            }
            _ => self.secure().map(|()| then),
        }
    }

    fn secure(&mut self) -> Result<()> {
        let certificate = match &self.manner.encryption {
            Encryption::StartTls(certificate) | Encryption::Implicit(certificate) => certificate,
            Encryption::None | Encryption::Broken => bail!("there is no certificate"),
        };
        let connection = ServerConnection::new(Arc::clone(&certificate.config))?;
        let socket = self.wire.socket().try_clone()?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        self.wire = Wire::Tls(Box::new(stream));
        self.read.clear();
        self.mail.tls = true;
        Ok(())
    }

    /// PLAIN, LOGIN and CRAM-MD5 (RFC 4616, RFC 2195).
    fn auth(&mut self, line: &str) -> Result<Then> {
        if self.shared.act(At::Auth, line).is_some() {
            return self.answer(At::Auth, line, "");
        }
        let mut words = line.split(' ').skip(1);
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let initial = words.next().map(str::to_owned);
        let (name, password) = self.manner.login.clone();
        let is_right = match mechanism.as_str() {
            "PLAIN" => {
                let response = match initial {
                    Some(response) => response,
                    None => self.ask("")?,
                };
                decoded(&response)? == format!("\0{name}\0{password}")
            }
            "LOGIN" => {
                let user = match initial {
                    Some(user) => user,
                    None => self.ask("Username:")?,
                };
                let typed = self.ask("Password:")?;
                decoded(&user)? == name && decoded(&typed)? == password
            }
            "CRAM-MD5" => {
                let challenge = "<1896.697170952@hop.example>";
                let response = decoded(&self.ask(challenge)?)?;
                // Of the digest only its form is looked at here; that it is right, another server finds.
                response
                    .strip_prefix(&format!("{name} "))
                    .is_some_and(|digest| digest.len() == 32)
            }
            _ => return self.answer(At::Auth, line, "504 5.5.4 unknown mechanism"),
        };
        if !is_right {
            return self.answer(At::Auth, line, "535 5.7.8 wrong name or password");
        }
        self.mail.login = name;
        self.answer(At::Auth, line, "235 2.7.0 welcome")
    }

    fn ask(&mut self, challenge: &str) -> Result<String> {
        self.say(&format!("334 {}", STANDARD.encode(challenge)))?;
        let line = self.line()?;
        lock(&self.shared.said).push(line.clone());
        Ok(line)
    }

    fn data(&mut self, line: &str) -> Result<Then> {
        let usual = if self.mail.to.is_empty() {
            "503 5.5.1 no recipients"
        } else {
            "354 go on"
        };
        let then = self.answer(At::Data, line, usual)?;
        if !matches!(then, Then::GoOn(true)) {
            return Ok(then);
        }
        self.mail.body = self.message()?;
        let mail = self.mail.clone();
        let each: Vec<String> = if self.manner.lmtp {
            mail.to.clone()
        } else {
            vec![mail.mail.clone()]
        };
        let mut took = Vec::new();
        for one in each {
            match self.answer(At::End, &one, "250 2.0.0 it is mine now")? {
                Then::GoOn(true) => took.push(one),
                Then::GoOn(false) => {}
                Then::End => return Ok(Then::End),
            }
        }
        if !took.is_empty() {
            let to = if self.manner.lmtp {
                took
            } else {
                mail.to.clone()
            };
            lock(&self.shared.taken).push(Taken { to, ..mail });
        }
        self.forget();
        Ok(Then::GoOn(true))
    }

    /// Everything up to the dot, the doubled dots undone (RFC 5321 §4.5.2).
    fn message(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.octets()?;
            if line == b".\r\n" {
                return Ok(body);
            }
            body.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            if body.len() > MOST {
                bail!("a message without end");
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let octets = self.octets()?;
        let line = octets.strip_suffix(b"\r\n").context("no CRLF")?;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    /// One line with its end, which is CRLF and nothing else.
    fn octets(&mut self) -> Result<Vec<u8>> {
        let mut looked = 0;
        loop {
            let found = self
                .read
                .get(looked..)
                .and_then(|rest| rest.windows(2).position(|two| two == b"\r\n"));
            if let Some(end) = found {
                return Ok(self.read.drain(..looked + end + 2).collect());
            }
            looked = self.read.len().saturating_sub(1);
            if self.read.len() > MOST {
                bail!("a line without end");
            }
            let mut chunk = [0; 16 * 1024];
            let count = self.wire.read(&mut chunk)?;
            if count == 0 {
                bail!("the client has gone");
            }
            self.read
                .extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
    }
}

fn decoded(text: &str) -> Result<String> {
    Ok(String::from_utf8(STANDARD.decode(text)?)?)
}
