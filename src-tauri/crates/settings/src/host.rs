//! A server that mail is handed to, as the admin writes it: by name or by address, and perhaps with its port.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use smtp::Domain;

use crate::Service;

/// A host that mail is handed to. A name is looked up for its addresses only, never for its MX.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RelayHost {
    /// A host name, also one without a dot.
    Name(Domain),
    /// An address. IPv4 inside IPv6 is unmapped.
    Address(IpAddr),
}

/// Why a text is no host, or no place where LMTP is spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Neither a name nor an address.
    #[error("\"{0}\" is neither a host name nor an IP address")]
    Host(String),
    /// A name or an address that carries a port.
    #[error("\"{0}\" holds a port; the port has a setting of its own")]
    Port(String),
    /// An address that no single host can have.
    #[error("{0} is not the address of a host")]
    NoHost(IpAddr),
    /// Not in one of the two forms that LMTP has.
    #[error(
        "\"{0}\" needs a host with its port, such as 127.0.0.1:24, or a socket, such as unix:/run/lmtp"
    )]
    Lmtp(String),
    /// A socket whose path does not begin at the root.
    #[error("\"{0}\" is not a full path; it must start with /")]
    Path(String),
}

impl RelayHost {
    /// Reads a host name in either label form, or an address; brackets may stand around an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(ip) = address(text) {
            let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
            return if ip.is_unspecified() || ip.is_multicast() || broadcast {
                Err(HostError::NoHost(ip))
            } else {
                Ok(Self::Address(ip))
            };
        }
        match Domain::parse(text) {
            Ok(name) => Ok(Self::Name(name)),
            Err(_) if has_port(text) => Err(HostError::Port(text.into())),
            Err(_) => Err(HostError::Host(text.into())),
        }
    }

    /// Whether whoever connects to `port` of this host comes out at one of this server's own listeners. What a name
    /// means in the DNS is not known here, nor which addresses this machine has; the rest is seen by the greeting.
    pub(crate) fn is_listener(&self, port: u16, service: &Service) -> bool {
        let mut listeners = [&service.smtp, &service.submission, &service.submissions]
            .into_iter()
            .flatten();
        listeners.any(|listener| listener.port() == port && self.reaches(listener))
    }

    fn reaches(&self, listener: &SocketAddr) -> bool {
        let at = listener.ip().to_canonical();
        match self {
            // RFC 6761 §6.3: these names mean the loopback.
            Self::Name(name) => is_localhost(name) && (at.is_loopback() || at.is_unspecified()),
            // A listener on [::] takes IPv4 as well.
            Self::Address(ip) => {
                *ip == at
                    || (ip.is_loopback() && at.is_unspecified() && (at.is_ipv6() || ip.is_ipv4()))
            }
        }
    }
}

/// An address, perhaps in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip: IpAddr = bare.unwrap_or(text).parse().ok()?;
    Some(ip.to_canonical())
}

/// Whether the text would be a host if its port were taken off.
fn has_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (Domain::parse(host).is_ok() || address(host).is_some())
    })
}

fn is_localhost(name: &Domain) -> bool {
    let ascii = name.ascii();
    ascii == "localhost" || ascii == "localhost.localdomain" || ascii.ends_with(".localhost")
}

impl fmt::Display for RelayHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Address(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// Where a mail store takes local mail over LMTP (RFC 2033): `host:port`, or `unix:` and the full path of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LmtpAddress {
    /// A TCP port. RFC 2033 §5 assigns none, so it must be named.
    Tcp {
        /// The machine.
        host: RelayHost,
        /// The port, never 0.
        port: u16,
    },
    /// A socket of this machine.
    Unix(String),
}

impl FromStr for LmtpAddress {
    type Err = HostError;
    fn from_str(text: &str) -> Result<Self, HostError> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') && !path.contains('\0') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(HostError::Path(path.into()))
            };
        }
        let malformed = || HostError::Lmtp(text.into());
        let (host, port) = text.rsplit_once(':').ok_or_else(malformed)?;
        let port = port.parse().ok().filter(|port| *port != 0);
        // Without its brackets an IPv6 address would end in what looks like a port.
        if host.contains(':') && !host.starts_with('[') {
            return Err(malformed());
        }
        Ok(Self::Tcp {
            host: RelayHost::parse(host)?,
            port: port.ok_or_else(malformed)?,
        })
    }
}

impl fmt::Display for LmtpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

impl Serialize for LmtpAddress {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LmtpAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
