//! Which servers to try for a destination, in which order, and how each is to be spoken to.
//!
//! Here the answers of the DNS become hops, or words for the sender. Opening a hop is [`super::link`]'s, and when to try
//! again is the queue's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use policy::Destination;
use rustls::pki_types::ServerName;
use settings::{Delivery, LmtpAddress, Mailbox, RelayCertificate, RelayHost, Settings};
use smtp::client::{Protocol, Trouble};
use smtp::{Domain, Host};
use zeroize::Zeroizing;

use super::link::{Hop, HopAddress, HopAuth, HopTls, TlsMode};
use super::trust::{Trust, Trusted};
use crate::names::{Answer, LookUp};

mod exchanges;
#[cfg(test)]
mod fake;
mod machine;

use machine::Surroundings;

/// RFC 5321 §5.1 lets a client limit how many addresses it tries.
const MOST_HOPS: usize = 10;

/// A server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// Its name as the DNS or the admin has it; for TLS and for people.
    name: String,
    address: SocketAddr,
}

/// The hops to try for `destination` in order, at most ten and at least one. `password` is the relay's, where it has one.
///
/// # Errors
/// Why there is none: with a status of class 5 the mail can go back at once, with one of class 4 it should wait. What the
/// admin got wrong always waits, because the mail itself is not at fault.
pub async fn route(
    destination: &Destination,
    settings: &Settings,
    names: &impl LookUp,
    trust: &Trust,
    password: Option<Zeroizing<String>>,
) -> Result<Vec<Hop>, Trouble> {
    let around = Surroundings::look(settings);
    match destination {
        Destination::Mailbox => mailbox(settings, names, trust, &around).await,
        Destination::Relay => relay(settings, names, trust, &around, password).await,
        Destination::Domain(domain) => {
            let port = settings.delivery.direct_port;
            let targets = match Host::parse(domain) {
                Ok(Host::Literal(ip)) => literal(SocketAddr::new(ip, port), &around)?,
                _ => exchanges::targets(domain, port, names, &around).await?,
            };
            let manner = Manner {
                protocol: Protocol::Smtp,
                mode: TlsMode::Opportunistic,
                trusted: trust.any().map_err(no_tls)?,
                takes_any: false,
                auth: None,
                helo: host_name(settings),
            };
            Ok(manner.hops(targets))
        }
    }
}

/// The server at an address that stands in the recipient's own (RFC 5321 §4.1.3).
fn literal(address: SocketAddr, around: &Surroundings) -> Result<Vec<Target>, Trouble> {
    if around.is_ours(address) {
        return Err(trouble(
            (5, 4, 6),
            format!("the address {} is this server itself", address.ip()),
        ));
    }
    Ok(vec![Target {
        name: address.ip().to_string(),
        address,
    }])
}

async fn relay(
    settings: &Settings,
    names: &impl LookUp,
    trust: &Trust,
    around: &Surroundings,
    password: Option<Zeroizing<String>>,
) -> Result<Vec<Hop>, Trouble> {
    let delivery = &settings.delivery;
    let Some(host) = delivery.relay_host() else {
        return Err(trouble(
            (4, 3, 5),
            "no relay is set, though mail is to go through one",
        ));
    };
    let auth = relay_login(delivery, password)?;
    let (mode, certificate) = relay_tls(delivery);
    let targets = named("relay", &host, delivery.relay_port, names, around).await?;
    let manner = Manner {
        protocol: Protocol::Smtp,
        mode,
        trusted: trust.by(certificate).map_err(no_tls)?,
        // Only where encryption is insisted on, the choice of the certificate is the admin's own.
        takes_any: delivery.relay_tls && *certificate == RelayCertificate::Any,
        auth,
        helo: host_name(settings),
    };
    Ok(manner.hops(targets))
}

fn relay_login(
    delivery: &Delivery,
    password: Option<Zeroizing<String>>,
) -> Result<Option<HopAuth>, Trouble> {
    if !delivery.relay_auth {
        return Ok(None);
    }
    let Some(password) = password else {
        return Err(trouble(
            (4, 7, 8),
            "the relay wants a password, and none is stored",
        ));
    };
    Ok(Some(HopAuth {
        username: delivery.relay_username.clone(),
        password,
        in_clear: delivery.relay_auth_in_clear,
    }))
}

fn relay_tls(delivery: &Delivery) -> (TlsMode, &RelayCertificate) {
    let implicit = delivery.relay_tls_is_implicit();
    // Where encryption is not insisted on, a certificate is not either: whoever could show a false one could as well
    // hide that there is encryption at all.
    match (delivery.relay_tls, implicit) {
        (true, true) => (TlsMode::Implicit, &delivery.relay_certificate),
        (true, false) => (TlsMode::Starttls, &delivery.relay_certificate),
        // Such a port has no unencrypted way.
        (false, true) => (TlsMode::Implicit, &RelayCertificate::Any),
        (false, false) => (TlsMode::Opportunistic, &RelayCertificate::Any),
    }
}

async fn mailbox(
    settings: &Settings,
    names: &impl LookUp,
    trust: &Trust,
    around: &Surroundings,
) -> Result<Vec<Hop>, Trouble> {
    let Mailbox::Lmtp(at) = &settings.service.mailbox else {
        return Err(trouble(
            (4, 3, 5),
            "the mailboxes are folders on this machine, so no server takes mail for them",
        ));
    };
    // RFC 2033 §5: LMTP stays on the machine or in its network; nobody encrypts it.
    let manner = Manner {
        protocol: Protocol::Lmtp,
        mode: TlsMode::Never,
        trusted: trust.any().map_err(no_tls)?,
        takes_any: false,
        auth: None,
        helo: host_name(settings),
    };
    Ok(match at {
        LmtpAddress::Unix(path) => vec![manner.hop(path.clone(), HopAddress::Unix(path.into()))],
        LmtpAddress::Tcp { host, port } => {
            manner.hops(named("mail store", host, *port, names, around).await?)
        }
    })
}

/// The addresses of a host that the admin named; its MX is never asked for. What goes wrong waits for the admin.
async fn named(
    what: &str,
    host: &RelayHost,
    port: u16,
    names: &impl LookUp,
    around: &Surroundings,
) -> Result<Vec<Target>, Trouble> {
    let (name, ips) = match host {
        RelayHost::Address(ip) => (ip.to_string(), vec![*ip]),
        RelayHost::Name(name) => {
            let ips = addresses(what, name, names).await?;
            (name.ascii().to_owned(), machine::reachable(ips))
        }
    };
    let targets: Vec<Target> = ips
        .into_iter()
        .map(|ip| Target {
            name: name.clone(),
            address: SocketAddr::new(ip, port),
        })
        .filter(|target| !around.is_ours(target.address))
        .collect();
    if targets.is_empty() {
        return Err(trouble(
            (4, 4, 6),
            format!("the {what} {host} is this server itself; mail would go round in a circle"),
        ));
    }
    Ok(targets)
}

async fn addresses(what: &str, name: &Domain, names: &impl LookUp) -> Result<Vec<IpAddr>, Trouble> {
    // A name of one part may be meant as the machine's own network has it.
    let asked = if name.is_fqdn() {
        format!("{}.", name.ascii())
    } else {
        name.ascii().to_owned()
    };
    match names.addresses(&asked).await {
        Answer::Found(ips) => Ok(ips),
        Answer::NoRecords => Err(trouble(
            (4, 4, 4),
            format!("the {what} {name} has no address in the DNS"),
        )),
        Answer::NoName => Err(trouble(
            (4, 4, 4),
            format!("the {what} {name} does not exist in the DNS"),
        )),
        Answer::Unknown(why) => Err(trouble(
            (4, 4, 3),
            format!("the {what} {name} could not be looked up: {why}"),
        )),
    }
}

/// How all hops of one destination are spoken to.
struct Manner {
    protocol: Protocol,
    mode: TlsMode,
    trusted: Trusted,
    /// As [`HopTls::takes_any`].
    takes_any: bool,
    auth: Option<HopAuth>,
    helo: Domain,
}

impl Manner {
    fn hops(&self, targets: Vec<Target>) -> Vec<Hop> {
        targets
            .into_iter()
            .take(MOST_HOPS)
            .map(|target| self.hop(target.name, HopAddress::Tcp(target.address)))
            .collect()
    }

    fn hop(&self, name: String, at: HopAddress) -> Hop {
        let tls = HopTls {
            mode: self.mode,
            config: self.trusted.config.clone(),
            name: server_name(&name, &at),
            judge: self.trusted.judge.clone(),
            takes_any: self.takes_any,
        };
        Hop {
            name,
            at,
            protocol: self.protocol,
            tls,
            auth: self.auth.clone(),
            helo: self.helo.clone(),
        }
    }
}

/// The name that a certificate must have: the host's, or its address where the name cannot stand in one.
fn server_name(name: &str, at: &HopAddress) -> ServerName<'static> {
    let ip = match at {
        HopAddress::Tcp(address) => address.ip(),
        HopAddress::Unix(_) => Ipv4Addr::LOCALHOST.into(),
    };
    ServerName::try_from(name.to_owned()).unwrap_or_else(|_| ip.into())
}

fn host_name(settings: &Settings) -> Domain {
    settings
        .general
        .hostname
        .clone()
        .unwrap_or_else(Domain::localhost)
}

fn no_tls(why: String) -> Trouble {
    trouble((4, 7, 5), why)
}

/// A reason that concerns every recipient of the destination.
fn trouble(status: (u8, u8, u16), text: impl AsRef<str>) -> Trouble {
    Trouble::new(status, text).whole_hop()
}

#[cfg(test)]
mod tests;
