//! Where clamd listens, as the admin writes it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{HostError, LmtpAddress, RelayHost};

/// Where clamd takes messages to scan: `host:port`, or `unix:` and the full path of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClamdAddress {
    /// A TCP port; clamd usually has 3310.
    Tcp {
        /// The machine.
        host: RelayHost,
        /// The port, never 0.
        port: u16,
    },
    /// A socket of this machine.
    Unix(String),
}

/// Why a text is no place where clamd can listen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClamdAddressError {
    /// Not in one of the two forms.
    #[error(
        "\"{0}\" needs a host with its port, such as 127.0.0.1:3310, or a socket, such as unix:/run/clamav/clamd.ctl"
    )]
    Form(String),
    /// The host or the path in it is wrong.
    #[error(transparent)]
    Host(HostError),
}

impl FromStr for ClamdAddress {
    type Err = ClamdAddressError;

    fn from_str(text: &str) -> Result<Self, ClamdAddressError> {
        // LMTP servers are written the same way.
        match text.parse::<LmtpAddress>() {
            Ok(LmtpAddress::Tcp { host, port }) => Ok(Self::Tcp { host, port }),
            Ok(LmtpAddress::Unix(path)) => Ok(Self::Unix(path)),
            Err(HostError::Lmtp(text)) => Err(ClamdAddressError::Form(text)),
            Err(error) => Err(ClamdAddressError::Host(error)),
        }
    }
}

impl fmt::Display for ClamdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

impl Serialize for ClamdAddress {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClamdAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_come_out_as_they_went_in() {
        for text in [
            "127.0.0.1:3310",
            "[::1]:3310",
            "scanner:3310",
            "unix:/run/clamd.ctl",
        ] {
            assert_eq!(text.parse::<ClamdAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_refused_with_an_example_of_clamd() {
        for text in ["", "scanner", "/run/clamd.ctl", "127.0.0.1:0", "::1:3310"] {
            let why = text.parse::<ClamdAddress>().unwrap_err().to_string();
            assert!(why.contains(":3310"), "{text}: {why}");
        }
        assert!("unix:clamd.ctl".parse::<ClamdAddress>().is_err());
    }
}
