//! One session: moves bytes between the socket and `smtp::Session`, and brings its questions to [`crate::session`].

use std::io;
use std::sync::Arc;

use policy::facts::{Client, Port};
use smtp::{Action, Input, Session};
use tokio::time::sleep;

use crate::places::Place;
use crate::rates::Counts;
use crate::session::Conversation;
use crate::shared::Shared;
use crate::stream::Stream;

/// Read at once; the session needs no more before it has answered.
const READ: usize = 32 * 1024;
/// Replies gathered for one write; pipelined commands are answered together (RFC 2920 §3.2).
const GATHERED: usize = 16 * 1024;

/// Serves one client from its first byte to its last.
pub async fn serve(
    shared: Arc<Shared>,
    stream: Stream,
    client: Client,
    place: Place,
    counts: Counts,
) {
    let (ip, port) = (client.ip, client.port);
    let mut conversation = Conversation::new(shared.clone(), client, place.load, counts);
    let session = Session::new(conversation.profile());
    let mut connection = Connection {
        shared,
        stream: Some(stream),
        session,
        conversation,
        place,
        out: Vec::new(),
        heard: false,
        stopping: false,
    };
    let ended = connection.run(port == Port::Submissions).await;
    if let Err(error) = ended {
        tracing::debug!(%ip, "a connection ended early: {error}");
    }
    connection.conversation.closed().await;
    connection.place.done();
    if let Some(stream) = connection.stream.take() {
        stream.close().await;
    }
}

struct Connection {
    shared: Arc<Shared>,
    /// `None` only while a handshake has taken the socket over.
    stream: Option<Stream>,
    session: Session,
    conversation: Conversation,
    place: Place,
    out: Vec<u8>,
    /// Something of the client was read.
    heard: bool,
    /// The session knows that the server stops; it ends when what it does is done.
    stopping: bool,
}

/// What follows when the actions of one input are carried out.
enum Next {
    /// The session waits for bytes.
    Read,
    /// It asked, and this is the answer.
    Answer(smtp::Answer),
    /// TLS is up.
    Tls(policy::facts::Tls),
    /// The session is over.
    End,
}

impl Connection {
    async fn run(&mut self, implicit_tls: bool) -> io::Result<()> {
        // RFC 8314 §3.3: on the submissions port TLS comes before the greeting.
        if implicit_tls {
            let tls = self.start_tls().await?;
            self.tls_started(tls);
        }
        if self.conversation.rejects_early() {
            let early = self.socket()?.has_input();
            self.conversation.notice_early(early);
        }
        let mut actions = self.session.handle(Input::Connected);
        let mut buffer = vec![0; READ];
        loop {
            actions = match self.carry_out(actions).await? {
                Next::Read => self.read(&mut buffer).await?,
                Next::Answer(answer) => {
                    // What was decided and what the session makes of it rest on the same settings.
                    if let Some(profile) = self.conversation.changed_profile() {
                        self.session.set_profile(profile);
                    }
                    self.session.handle(Input::Answer(answer))
                }
                Next::Tls(tls) => self.tls_started(tls),
                Next::End => return Ok(()),
            };
        }
    }

    fn tls_started(&mut self, tls: policy::facts::Tls) -> Vec<Action> {
        self.conversation.tls_started(tls.clone());
        self.session.set_profile(self.conversation.profile());
        self.session.handle(Input::TlsStarted {
            version: tls.version,
            cipher: tls.cipher,
        })
    }

    async fn carry_out(&mut self, actions: Vec<Action>) -> io::Result<Next> {
        let mut next = Next::Read;
        for action in actions {
            match action {
                Action::Reply(reply) => {
                    let reply = self.conversation.replied(reply).await;
                    self.out.extend(reply.to_wire());
                    self.conversation.after_reply().await;
                    if self.out.len() > GATHERED {
                        self.flush().await?;
                    }
                }
                Action::Content(bytes) => self.conversation.content(bytes).await,
                Action::Ask(question) => {
                    next = Next::Answer(self.conversation.answer(question).await);
                    if self.conversation.is_blocked() {
                        self.session.block();
                    }
                }
                Action::Wait(time) => {
                    self.flush().await?;
                    tokio::select! {
                        () = sleep(time) => {}
                        () = self.shared.stop.cancelled() => {}
                    }
                }
                Action::TransactionEnded(_) => self.conversation.transaction_ended().await,
                Action::StartTls => {
                    self.socket()?.drain()?;
                    self.flush().await?;
                    next = Next::Tls(self.start_tls().await?);
                }
                Action::Close => {
                    // The journal first: whoever reads the last reply may ask for its token at once.
                    self.conversation.closed().await;
                    self.place.done();
                    self.flush().await?;
                    return Ok(Next::End);
                }
            }
        }
        if matches!(next, Next::Read) {
            self.flush().await?;
        }
        Ok(next)
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        self.socket()?.write(&out).await
    }

    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<Vec<Action>> {
        let wait = self.session.timeout();
        let stop = self.shared.stop.clone();
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let read = tokio::select! {
            read = stream.read(buffer, wait) => read,
            () = stop.cancelled(), if !self.stopping => {
                self.stopping = true;
                return Ok(self.session.handle(Input::Shutdown));
            }
        };
        match read {
            Ok(0) => Ok(self.session.handle(Input::PeerClosed)),
            Ok(count) => {
                if self.conversation.rejects_early() {
                    self.notice_early();
                }
                Ok(self.session.handle(Input::Bytes(&buffer[..count])))
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Ok(self.session.handle(Input::TimedOut))
            }
            Err(error) => Err(error),
        }
    }

    /// Tells the session what stands behind the octets that were just read, and whether the first ones of all were sent
    /// before the greeting had arrived. No time is spent on waiting for either.
    fn notice_early(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        self.session.more_waits(stream.has_input());
        if !std::mem::replace(&mut self.heard, true) && stream.is_unacknowledged() {
            self.session.spoke_early();
        }
    }

    async fn start_tls(&mut self) -> io::Result<policy::facts::Tls> {
        let stream = self.stream.take().ok_or(io::ErrorKind::NotConnected)?;
        match stream.start_tls(&self.shared.acceptor).await {
            Ok(stream) => {
                let tls = stream.tls();
                self.stream = Some(stream);
                tls.ok_or_else(|| io::Error::other("TLS without a version"))
            }
            Err(error) => {
                self.conversation.handshake_failed(&error);
                Err(error)
            }
        }
    }

    fn socket(&mut self) -> io::Result<&mut Stream> {
        self.stream
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}
