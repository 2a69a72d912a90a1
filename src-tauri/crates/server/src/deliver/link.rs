//! A connection to the next hop, SMTP or LMTP: moves bytes between the socket and [`smtp::client::Client`], with a
//! bound on every wait and on the whole.
//!
//! It knows nothing of routes, queues or retries: it is told where to go, and says what became of each recipient.

mod hop;
mod probe;
mod socket;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use smtp::client::{Action, Client, Input, Login, Mail, Profile, Recipient, StartTls};
use tokio::time::{Instant, timeout};

pub use hop::{
    Body, Hop, HopAddress, HopAuth, HopTls, LinkSummary, Outgoing, OutgoingRecipient, TlsMode,
    TlsSummary,
};
pub use smtp::client::{Line, Outcome, Phase, Protocol, Side, Transcript, Trouble};
use socket::{Heard, Socket};

use super::crowd::Seat;

/// A conversation must be open after this time, whatever the hop does.
const OPENING: Duration = Duration::from_secs(15 * 60);
/// A message must be through after this time, and a second for each of so many octets. A hop that answers every
/// command at the last moment is given up rather than served for days.
const MESSAGE: Duration = Duration::from_secs(30 * 60);
const OCTETS_A_SECOND: u64 = 4096;
/// Octets of a message read at once.
const CHUNK: usize = 64 * 1024;
/// The disk has this long for them.
const DISK: Duration = Duration::from_secs(60);

/// Takes lines of the conversation as they are said.
pub type Watch<'a> = &'a mut (dyn FnMut(&Line) + Send);

/// An open conversation with a hop.
#[derive(Debug)]
pub struct Link {
    client: Client,
    socket: Option<Socket>,
    /// Its place among the connections to the same address, where those are counted.
    seat: Option<Seat>,
    summary: LinkSummary,
    /// A message is on its way, or was when its future was dropped.
    busy: bool,
    /// Each wait ends after this time at the latest.
    patience: Option<Duration>,
    /// All waits together end then.
    until: Instant,
    /// The conversation's progress, and since when it stands there.
    stands: (u64, Instant),
    /// End of the transcript that was watched.
    watched: usize,
}

/// Why there is no conversation.
enum Unopened {
    /// The handshake failed, so that without TLS it might go on.
    Handshake(Trouble),
    Other(Trouble),
}

/// What the conversation came to.
enum Came {
    Ready,
    Failed(Trouble),
    Done(Vec<Outcome>),
    Closed,
}

/// Connects, greets, starts TLS and signs in, as far as the hop asks for it.
///
/// # Errors
/// What is in the way; it concerns the whole hop.
pub async fn open(hop: &Hop) -> Result<Link, Trouble> {
    open_watched(hop, None, &mut |_| {}).await
}

/// The same, telling each line of the conversation as it is said, and with at most `patience` for each wait.
///
/// # Errors
/// What is in the way; it concerns the whole hop.
pub async fn open_watched(
    hop: &Hop,
    patience: Option<Duration>,
    watch: Watch<'_>,
) -> Result<Link, Trouble> {
    let until = Instant::now() + OPENING;
    let starttls = match hop.tls.mode {
        TlsMode::Never | TlsMode::Implicit => StartTls::Never,
        TlsMode::Opportunistic => StartTls::IfOffered,
        TlsMode::Starttls => StartTls::Required,
    };
    let mut link = Link::new(hop, starttls, patience, until);
    match link.open(hop, watch).await {
        Ok(()) => Ok(link),
        // RFC 7435 §1.2: encryption was a wish, and mail in clear text is better than none.
        Err(Unopened::Handshake(trouble)) if hop.tls.mode == TlsMode::Opportunistic => {
            let mut link = Link::new(hop, StartTls::Never, patience, until);
            link.summary.clear_because = Some(trouble.text);
            match link.open(hop, watch).await {
                Ok(()) => Ok(link),
                Err(Unopened::Handshake(trouble) | Unopened::Other(trouble)) => Err(trouble),
            }
        }
        Err(Unopened::Handshake(trouble) | Unopened::Other(trouble)) => Err(trouble),
    }
}

impl Link {
    fn new(hop: &Hop, starttls: StartTls, patience: Option<Duration>, until: Instant) -> Self {
        let peer = socket::peer(hop);
        let login = hop.auth.as_ref().map(|auth| Login {
            username: auth.username.clone(),
            password: auth.password.clone(),
            in_clear: auth.in_clear,
        });
        let client = Client::new(Profile {
            peer: peer.clone(),
            protocol: hop.protocol,
            helo: hop.helo.clone(),
            starttls,
            login,
        });
        let summary = LinkSummary {
            peer,
            ..LinkSummary::default()
        };
        Self {
            client,
            socket: None,
            seat: None,
            summary,
            busy: false,
            patience,
            until,
            stands: (0, Instant::now()),
            watched: 0,
        }
    }

    /// Hands a message over and says what became of each recipient, in their order.
    pub async fn send(&mut self, mail: &Outgoing) -> Vec<(i64, Outcome)> {
        self.busy = true;
        self.until = Instant::now() + MESSAGE + Duration::from_secs(mail.size / OCTETS_A_SECOND);
        let actions = self.client.handle(Input::Mail(envelope(mail)));
        let came = self.run(actions, Some(mail), None, &mut |_| {}).await;
        self.busy = false;
        let outcomes = match came {
            Ok(Came::Done(outcomes)) => outcomes,
            _ => Vec::new(),
        };
        let mut outcomes = outcomes.into_iter();
        let lost = || {
            let text = format!("the connection to {} is not open", self.summary.peer);
            Trouble::new((4, 4, 2), text).whole_hop().into_outcome()
        };
        mail.recipients
            .iter()
            .map(|to| (to.id, outcomes.next().unwrap_or_else(lost)))
            .collect()
    }

    /// Whether another message can be sent, as far as is known: a hop that has gone silently is noticed by the next
    /// message, whose trouble is then `stale`.
    pub fn is_alive(&self) -> bool {
        !self.busy && self.socket.is_some() && self.client.is_ready()
    }

    /// Keeps the seat for as long as the connection is there.
    pub(crate) fn sit(&mut self, seat: Option<Seat>) {
        self.seat = seat;
    }

    /// Whether somebody else waits for a connection to the same address.
    pub(crate) fn is_wanted(&self) -> bool {
        self.seat.as_ref().is_some_and(Seat::is_wanted)
    }

    /// Says goodbye.
    pub async fn quit(mut self) {
        if self.is_alive() {
            let actions = self.client.handle(Input::Quit);
            self.until = Instant::now() + self.client.timeout();
            // The goodbye is a courtesy; nothing depends on the answer.
            let _ = self.run(actions, None, None, &mut |_| {}).await;
        }
        self.close().await;
    }

    /// What the connection is like.
    pub fn summary(&self) -> LinkSummary {
        LinkSummary {
            authenticated: self.client.is_authenticated(),
            ..self.summary.clone()
        }
    }

    /// What was said, as far as it is kept.
    pub fn transcript(&self) -> &Transcript {
        self.client.transcript()
    }

    async fn open(&mut self, hop: &Hop, watch: Watch<'_>) -> Result<(), Unopened> {
        let wait = self.at_most(socket::CONNECT);
        let socket = match Socket::connect(&hop.at, wait).await {
            Ok(socket) => socket,
            Err(error) => return Err(Unopened::Other(self.unreachable(&error, watch))),
        };
        let text = format!("connected to {}", self.summary.peer);
        self.note(Phase::Connect, &text, watch);
        self.socket = Some(socket);
        if hop.tls.mode == TlsMode::Implicit {
            let private = self.handshake(hop, watch).await?;
            self.client.handle(Input::TlsStarted { private });
        }
        self.stands.1 = Instant::now();
        let actions = self.client.handle(Input::Connected);
        let came = self.run(actions, None, Some(hop), watch).await;
        let trouble = match came? {
            Came::Ready => return Ok(()),
            Came::Failed(trouble) => trouble,
            Came::Done(_) | Came::Closed => {
                let text = format!("{} ended the conversation", self.summary.peer);
                Trouble::new((4, 4, 2), text).whole_hop()
            }
        };
        Err(Unopened::Other(trouble))
    }

    fn unreachable(&mut self, error: &io::Error, watch: Watch<'_>) -> Trouble {
        let text = socket::unreachable(&self.summary.peer, error);
        self.note(Phase::Connect, &text, watch);
        Trouble::new((4, 4, 1), text).whole_hop()
    }

    /// Carries out what the machine wants until it comes to something.
    async fn run(
        &mut self,
        actions: Vec<Action>,
        mail: Option<&Outgoing>,
        hop: Option<&Hop>,
        watch: Watch<'_>,
    ) -> Result<Came, Unopened> {
        let mut actions = VecDeque::from(actions);
        let (mut came, mut offset) = (None, 0);
        loop {
            while let Some(action) = actions.pop_front() {
                self.watched(watch);
                match action {
                    Action::Write(bytes) => {
                        if !self.write(&bytes).await {
                            // What was to follow has no receiver any more; what was found out is still told.
                            actions
                                .retain(|a| !matches!(a, Action::Write(_) | Action::MoreContent));
                            actions.extend(self.last_words().await);
                        }
                    }
                    Action::MoreContent => actions.extend(self.content(mail, &mut offset).await),
                    Action::StartTls => {
                        let Some(hop) = hop else { continue };
                        let private = self.handshake(hop, watch).await?;
                        actions.extend(self.client.handle(Input::TlsStarted { private }));
                    }
                    Action::Ready => came = Some(Came::Ready),
                    Action::Done(outcomes) => came = Some(Came::Done(outcomes)),
                    Action::Failed(trouble) => came = Some(Came::Failed(trouble)),
                    Action::Close => {
                        self.close().await;
                        came = came.or(Some(Came::Closed));
                    }
                }
            }
            self.watched(watch);
            if let Some(came) = came {
                return Ok(came);
            }
            if self.client.is_closed() {
                return Ok(Came::Closed);
            }
            actions.extend(self.hear().await);
        }
    }

    /// Waits for the hop.
    async fn hear(&mut self) -> Vec<Action> {
        let deadline = self.deadline();
        let Some(socket) = &mut self.socket else {
            return self.client.handle(Input::PeerClosed);
        };
        match socket.hear(deadline).await {
            Heard::Bytes(bytes) => self.client.handle(Input::Bytes(&bytes)),
            Heard::End => self.client.handle(Input::PeerClosed),
            Heard::Silence => self.too_late(),
        }
    }

    fn too_late(&mut self) -> Vec<Action> {
        if Instant::now() >= self.until {
            self.client.handle(Input::TookTooLong)
        } else {
            self.client.handle(Input::TimedOut)
        }
    }

    /// Writes all; false when the hop does not take it.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        let deadline = self.deadline();
        match &mut self.socket {
            Some(socket) => socket.write(bytes, deadline).await.is_ok(),
            None => false,
        }
    }

    /// A hop that does not take our bytes may have said why before it went.
    async fn last_words(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(socket) = &mut self.socket {
            let rest = socket.rest().await;
            actions = self.client.handle(Input::Bytes(&rest));
        }
        if !self.client.is_closed() {
            let late = Instant::now() >= self.deadline();
            actions.extend(if late {
                self.too_late()
            } else {
                self.client.handle(Input::PeerClosed)
            });
        }
        actions
    }

    /// The moment at which this wait is over. It begins anew with each complete reply, not with each octet.
    fn deadline(&mut self) -> Instant {
        let now = Instant::now();
        if self.stands.0 != self.client.progress() {
            self.stands = (self.client.progress(), now);
        }
        let wait = self.client.timeout();
        let wait = self.patience.map_or(wait, |patience| patience.min(wait));
        (self.stands.1 + wait).min(self.until)
    }

    fn at_most(&self, wait: Duration) -> Duration {
        self.patience.map_or(wait, |patience| patience.min(wait))
    }

    /// Gives the machine the next octets of the message.
    async fn content(&mut self, mail: Option<&Outgoing>, offset: &mut u64) -> Vec<Action> {
        let Some(mail) = mail else {
            return self.client.handle(Input::ContentLost("there is none"));
        };
        let left = mail.size.saturating_sub(*offset);
        let max = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let (body, from) = (mail.body.clone(), *offset);
        let mut bytes = Vec::new();
        if max > 0 {
            let read = tokio::task::spawn_blocking(move || body.read_at(from, max));
            bytes = match timeout(DISK, read).await {
                Ok(Ok(Ok(bytes))) => bytes,
                Ok(Ok(Err(error))) => {
                    return self.client.handle(Input::ContentLost(&error.to_string()));
                }
                Ok(Err(_)) | Err(_) => {
                    return self
                        .client
                        .handle(Input::ContentLost("the disk does not answer"));
                }
            };
            bytes.truncate(max);
            if bytes.is_empty() {
                return self.client.handle(Input::ContentLost("it ends too early"));
            }
        }
        *offset += bytes.len() as u64;
        let last = *offset >= mail.size;
        self.client.handle(Input::Content {
            bytes: &bytes,
            last,
        })
    }

    /// Makes the handshake; says whether nobody in between can read along.
    async fn handshake(&mut self, hop: &Hop, watch: Watch<'_>) -> Result<bool, Unopened> {
        let wait = self.at_most(socket::HANDSHAKE);
        let result = match self.socket.take() {
            Some(socket) => socket.start_tls(&hop.tls, wait).await,
            None => Err("the connection is gone".to_owned()),
        };
        let (socket, tls) = match result {
            Ok(started) => started,
            Err(why) => {
                let text = format!("TLS with {} could not be started: {why}", self.summary.peer);
                self.note(Phase::Tls, &text, watch);
                let trouble = Trouble::new((4, 7, 5), text).at(Phase::Tls).whole_hop();
                return Err(Unopened::Handshake(trouble));
            }
        };
        let text = match &tls.why_not {
            None => format!("{} with {}", tls.version, tls.cipher),
            Some(why) => format!("{} with {}, certificate: {why}", tls.version, tls.cipher),
        };
        self.note(Phase::Tls, &text, watch);
        let private = tls.verified || hop.tls.takes_any;
        self.summary.tls = Some(tls);
        self.socket = Some(socket);
        Ok(private)
    }

    fn note(&mut self, phase: Phase, text: &str, watch: Watch<'_>) {
        self.client.note(phase, text);
        self.watched(watch);
    }

    fn watched(&mut self, watch: Watch<'_>) {
        for line in self.client.transcript().since(self.watched) {
            watch(line);
        }
        self.watched = self.client.transcript().end();
    }

    async fn close(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
        self.seat = None;
    }
}

fn envelope(mail: &Outgoing) -> Mail {
    let recipients = mail.recipients.iter().map(|to| Recipient {
        address: to.address.clone(),
        parameters: to.parameters.clone(),
    });
    Mail {
        sender: mail.sender.clone(),
        size: mail.size,
        eight_bit: mail.eight_bit,
        smtputf8: mail.smtputf8,
        ret: mail.ret,
        envid: mail.envid.clone(),
        recipients: recipients.collect(),
    }
}
