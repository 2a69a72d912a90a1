//! A hop that follows a script.
//!
//! ```text
//! S: a line to send        C: the beginning of a line that must come        D: everything up to the dot
//! M: lines to send in one write, with | between        L: turn to TLS        X: close        H: close this half only
//! B: wait for any octets        N: close and wait for the next connection        P: let time run free and say nothing more
//! Z: nearly five minutes pass        T: a letter a minute
//! U: (first) listen on a socket file instead of a port
//! ```

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::deliver::link::{Hop, HopAddress, HopTls, Protocol, TlsMode};
use crate::deliver::trust::Trust;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}
type Stream = BufReader<Box<dyn Wire>>;

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A scripted hop at work.
pub(crate) struct Script {
    at: HopAddress,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
    /// Trusts the certificate that the hop shows.
    pub trust: Trust,
    _folder: tempfile::TempDir,
}

impl Script {
    /// Where it is, without TLS.
    pub(crate) fn hop(&self) -> Hop {
        Hop {
            name: "mx.test".to_owned(),
            at: self.at.clone(),
            protocol: Protocol::Smtp,
            tls: HopTls {
                mode: TlsMode::Never,
                config: Trust::new().any().unwrap().config,
                name: "mx.test".try_into().unwrap(),
                judge: None,
                takes_any: false,
            },
            auth: None,
            helo: smtp::Domain::parse("us.test").unwrap(),
        }
    }

    /// Waits until the script is through, and closes.
    pub(crate) async fn finished(self) {
        self.task.await.unwrap();
    }

    /// All lines that came, once the script is through.
    pub(crate) async fn heard(self) -> Vec<String> {
        self.task.await.unwrap();
        self.heard.lock().unwrap().clone()
    }
}

/// Starts a hop.
pub(crate) async fn script(text: &str) -> Script {
    let folder = tempfile::tempdir().unwrap();
    let (text, unix) = match text.strip_prefix("U:\n") {
        Some(text) => (text.to_owned(), true),
        None => (text.to_owned(), false),
    };
    let (listener, at) = if unix {
        let path = folder.path().join("lmtp");
        let listener = UnixListener::bind(&path).unwrap();
        (Listener::Unix(listener), HopAddress::Unix(path))
    } else {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        (Listener::Tcp(listener), HopAddress::Tcp(at))
    };
    let (acceptor, trust) = certificate();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let play = Play {
        listener,
        stream: nobody(),
        acceptor,
        heard: heard.clone(),
        runs_free: false,
    };
    let task = tokio::spawn(async move {
        if !text.is_empty() {
            play.all(&text).await;
        }
    });
    Script {
        at,
        heard,
        task,
        trust,
        _folder: folder,
    }
}

fn certificate() -> (TlsAcceptor, Trust) {
    let made = rcgen::generate_simple_self_signed(vec!["mx.test".to_owned()]).unwrap();
    let chain = vec![made.cert.der().clone()];
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let trust = Trust::with_roots(roots).unwrap();
    (TlsAcceptor::from(Arc::new(config)), trust)
}

async fn accept(listener: &Listener) -> Stream {
    let stream: Box<dyn Wire> = match listener {
        Listener::Tcp(listener) => Box::new(listener.accept().await.unwrap().0),
        Listener::Unix(listener) => Box::new(listener.accept().await.unwrap().0),
    };
    BufReader::new(stream)
}

fn nobody() -> Stream {
    BufReader::new(Box::new(tokio::io::empty()))
}

/// A script being played.
struct Play {
    listener: Listener,
    stream: Stream,
    acceptor: TlsAcceptor,
    heard: Arc<Mutex<Vec<String>>>,
    runs_free: bool,
}

impl Play {
    /// Plays to the end; a client that goes away early ends it as well.
    async fn all(mut self, script: &str) {
        self.stream = accept(&self.listener).await;
        for line in script.lines() {
            let (mark, text) = line.split_at(2);
            let text = text.strip_prefix(' ').unwrap_or(text);
            let done = match mark {
                "X:" => None,
                "S:" | "M:" | "T:" => self.say(mark, text).await,
                "C:" | "D:" | "B:" | "P:" => self.listen(mark, text).await,
                _ => self.change(mark).await,
            };
            if done.is_none() {
                return;
            }
        }
    }

    async fn say(&mut self, mark: &str, text: &str) -> Option<()> {
        if mark == "T:" {
            for byte in text.bytes() {
                self.pass(60).await;
                self.stream.write_all(&[byte]).await.ok()?;
            }
            return Some(());
        }
        let lines = match mark {
            "M:" => text.replace('|', "\r\n"),
            _ => text.to_owned(),
        };
        let lines = format!("{lines}\r\n");
        self.stream.write_all(lines.as_bytes()).await.ok()?;
        self.stream.flush().await.ok()
    }

    async fn listen(&mut self, mark: &str, text: &str) -> Option<()> {
        match mark {
            "B:" => drop(self.stream.fill_buf().await.ok()?),
            "D:" => while self.read().await? != "." {},
            "P:" => {
                tokio::time::pause();
                self.read().await?;
            }
            _ => {
                let line = self.read().await?;
                assert!(line.starts_with(text), "{line:?} is not {text:?}");
            }
        }
        Some(())
    }

    async fn change(&mut self, mark: &str) -> Option<()> {
        match mark {
            "L:" => {
                assert!(self.stream.buffer().is_empty());
                let clear = std::mem::replace(&mut self.stream, nobody()).into_inner();
                let inside = self.acceptor.accept(clear).await.ok()?;
                self.stream = BufReader::new(Box::new(inside));
            }
            "H:" => self.stream.shutdown().await.ok()?,
            "N:" => {
                drop(std::mem::replace(&mut self.stream, nobody()));
                self.stream = accept(&self.listener).await;
            }
            "Z:" => self.pass(290).await,
            other => panic!("unknown mark {other:?}"),
        }
        Some(())
    }

    /// Lets this many seconds pass at once; everything else that is due in them happens as well.
    async fn pass(&mut self, seconds: u64) {
        if !std::mem::replace(&mut self.runs_free, true) {
            tokio::time::pause();
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    async fn read(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.stream.read_line(&mut line).await.ok()?;
        if count == 0 || !line.ends_with("\r\n") {
            return None;
        }
        let line = line.trim_end_matches("\r\n").to_owned();
        self.heard.lock().unwrap().push(line.clone());
        Some(line)
    }
}
