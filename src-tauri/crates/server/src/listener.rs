//! Sockets that wait for clients: opened all or none, kept over changes that do not concern them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::facts::{Client, Port};
use settings::{Problem, Settings};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::connection;
use crate::shared::Shared;
use crate::status::{Listening, ServiceName};
use crate::stream::Stream;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// After a failed accept, usually for want of file descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// An address of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    service: ServiceName,
    index: usize,
    address: SocketAddr,
}

/// An open socket and the task that accepts on it.
#[derive(Debug)]
struct Open {
    wanted: Wanted,
    bound: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// All sockets of the server.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    open: Vec<Open>,
    failed: Vec<(Wanted, Problem)>,
}

fn wanted(settings: &Settings) -> Vec<Wanted> {
    let service = &settings.service;
    [
        (ServiceName::Smtp, &service.smtp),
        (ServiceName::Submission, &service.submission),
        (ServiceName::Submissions, &service.submissions),
    ]
    .into_iter()
    .flat_map(|(service, list)| {
        list.iter().enumerate().map(move |(index, address)| Wanted {
            service,
            index,
            address: *address,
        })
    })
    .collect()
}

impl Listeners {
    /// Opens what the settings want, as far as it can be had; what cannot is kept as a problem and tried again.
    pub fn open(&mut self, shared: &Arc<Shared>, settings: &Settings) {
        self.failed.clear();
        for want in wanted(settings) {
            if self.open.iter().any(|open| same(&open.wanted, &want)) {
                continue;
            }
            match bind(want.address) {
                Ok(listener) => self.start(shared, want, listener),
                Err(error) => self.failed.push((want, problem(&want, &error))),
            }
        }
    }

    /// Goes over from the open sockets to those that `settings` want. All or nothing: if one cannot be opened, what
    /// was open stays open.
    ///
    /// # Errors
    /// What could not be opened, at the setting that names it.
    pub async fn change(
        &mut self,
        shared: &Arc<Shared>,
        settings: &Settings,
    ) -> Result<(), Vec<Problem>> {
        let wanted = wanted(settings);
        let (keep, close): (Vec<Open>, Vec<Open>) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|open| wanted.iter().any(|want| same(&open.wanted, want)));
        self.open = keep;
        let missing: Vec<Wanted> = wanted
            .iter()
            .filter(|want| !self.open.iter().any(|open| same(&open.wanted, want)))
            .copied()
            .collect();
        // A socket of ours that goes away can be in the way of a new one on the same port, so it goes first.
        let (in_the_way, aside): (Vec<Open>, Vec<Open>) = close.into_iter().partition(|open| {
            missing
                .iter()
                .any(|want| want.address.port() == open.bound.port())
        });
        let mut moved = Vec::new();
        for open in in_the_way {
            moved.push(open.wanted);
            open.close().await;
        }
        let mut bound = Vec::new();
        let mut problems = Vec::new();
        let mut still_failed = Vec::new();
        for want in missing {
            match bind(want.address) {
                Ok(listener) => bound.push((want, listener)),
                // What could not be opened before says nothing about this change.
                Err(error) if self.failed.iter().any(|(known, _)| same(known, &want)) => {
                    still_failed.push((want, problem(&want, &error)));
                }
                Err(error) => problems.push(problem(&want, &error)),
            }
        }
        if problems.is_empty() {
            for (want, listener) in bound {
                self.start(shared, want, listener);
            }
            for open in aside {
                open.close().await;
            }
            self.failed = still_failed;
            return Ok(());
        }
        drop(bound);
        self.open.extend(aside);
        for want in moved {
            match bind(want.address) {
                Ok(listener) => self.start(shared, want, listener),
                Err(error) => self.failed.push((want, problem(&want, &error))),
            }
        }
        Err(problems)
    }

    /// Whether something that should be open is not.
    pub fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Whether anything is open.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// What can be said of each address.
    pub fn report(&self) -> Vec<Listening> {
        let open = self.open.iter().map(|open| Listening {
            service: open.wanted.service,
            address: open.bound.to_string(),
            problem: None,
        });
        let failed = self.failed.iter().map(|(want, problem)| Listening {
            service: want.service,
            address: want.address.to_string(),
            problem: Some(problem.clone()),
        });
        open.chain(failed).collect()
    }

    /// Closes all sockets; sessions go on until they end or are told to.
    pub async fn close(self) {
        for open in &self.open {
            open.stop.cancel();
        }
        for open in self.open {
            open.close().await;
        }
    }

    fn start(&mut self, shared: &Arc<Shared>, wanted: Wanted, listener: TcpListener) {
        let bound = listener.local_addr().unwrap_or(wanted.address);
        let stop = shared.stop.child_token();
        let task = tokio::spawn(accept(
            shared.clone(),
            listener,
            wanted.service,
            stop.clone(),
        ));
        self.open.push(Open {
            wanted,
            bound,
            stop,
            task,
        });
    }
}

impl Open {
    async fn close(self) {
        self.stop.cancel();
        if self.task.await.is_err() {
            tracing::error!("a listener ended badly");
        }
    }
}

fn same(a: &Wanted, b: &Wanted) -> bool {
    // Two requests for "any free port" are told apart by their place in the list.
    a.service == b.service
        && a.address == b.address
        && (a.address.port() != 0 || a.index == b.index)
}

/// Opens one socket. `[::]` takes IPv4 as well; on a machine without IPv6 it means all IPv4 addresses.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match listen(address) {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && no_ipv6(&error) => {
            listen(SocketAddr::new(
                IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                address.port(),
            ))
        }
        other => other,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn no_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

fn problem(want: &Wanted, error: &io::Error) -> Problem {
    let path = format!("service.{}[{}]", want.service.word(), want.index);
    let (code, message) = explain_bind(want.address, error);
    Problem::new(path, code, message)
        .arg("address", want.address)
        .arg("port", want.address.port())
}

/// Why an address cannot be had, and what to do.
pub fn explain_bind(address: SocketAddr, error: &io::Error) -> (&'static str, String) {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => (
            "port_taken",
            format!(
                "port {port} is taken by another program; stop that program, or choose another port here"
            ),
        ),
        io::ErrorKind::PermissionDenied => (
            "port_not_allowed",
            format!(
                "this user may not open port {port}; choose a port from 1024 up, for example {}, or allow it with: \
                 sudo setcap cap_net_bind_service=+ep FILE (FILE is the program)",
                fallback(port)
            ),
        ),
        io::ErrorKind::AddrNotAvailable => (
            "address_not_here",
            format!("this machine has no address {}", address.ip()),
        ),
        _ => (
            "cannot_listen",
            format!("{address} cannot be opened: {error}"),
        ),
    }
}

/// The usual stand-in for a port that only the system may open.
pub fn fallback(port: u16) -> u16 {
    match port {
        25 => 2525,
        587 => 2587,
        465 => 2465,
        other => other.saturating_add(2000),
    }
}

/// Accepts until told to stop. Sessions that are under way go on.
async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    service: ServiceName,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => begin(&shared, stream, peer, service),
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    sleep(BREATH).await;
                }
            },
        }
    }
}

/// Tells of a session that a fault of the program ended.
struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(
                "a session was ended by a fault of the program; other sessions are not affected"
            );
        }
    }
}

fn begin(shared: &Arc<Shared>, stream: TcpStream, peer: SocketAddr, service: ServiceName) {
    // RFC 4291 §2.5.5.2: a mapped address is the IPv4 address it holds.
    let ip = peer.ip().to_canonical();
    // Counted here, so that a connection that never gets through its handshake counts as well.
    let counts = shared.rates.connected(ip, Instant::now());
    let current = shared.current.get();
    let share = current.settings.security.connection_policy.max_connections;
    let Some(place) = shared.places.enter(ip, share) else {
        return;
    };
    // Replies are small and each is waited for.
    let _ = stream.set_nodelay(true);
    let owned = shared.clone();
    let port = match service {
        ServiceName::Smtp => Port::Smtp,
        ServiceName::Submission => Port::Submission,
        ServiceName::Submissions => Port::Submissions,
    };
    let client = Client {
        ip,
        port,
        tls: None,
    };
    shared.sessions.spawn(async move {
        let _witness = Witness;
        connection::serve(owned, Stream::Plain(stream), client, place, counts).await;
    });
}
