//! A network of addresses, and whether it may be trusted as local.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Addresses that share their first bits: `192.168.1.0/24`, `fd00:1:2::/48`. Host bits are cleared on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The part before the slash is no IP address.
    #[error("\"{0}\" is not an address or network; write for example 192.168.1.0/24")]
    Address(String),
    /// The part after the slash is no prefix length for this kind of address.
    #[error("\"{0}\" is not a prefix length; IPv4 has 0 to 32, IPv6 0 to 128")]
    Prefix(String),
}

impl Network {
    /// The network of `address` with `prefix` leading bits; longer prefixes are cut to the address length.
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        let address = address.to_canonical();
        let prefix = prefix.min(bits(address));
        Self {
            address: mask(address, prefix),
            prefix,
        }
    }

    /// Whether `address` lies in this network. An IPv4 address inside IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        bits(address) == bits(self.address) && mask(address, self.prefix) == self.address
    }

    /// Number of leading bits that all addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Why this network should not be trusted as local: a code and the words that follow its name. `None` if it may.
    ///
    /// A public or very wide network is how servers become open relays, so both are refused.
    pub fn unfit_as_local(&self) -> Option<(&'static str, &'static str)> {
        if self.is_link_local() {
            return None;
        }
        if !is_private(self.address) {
            return Some((
                "public_network",
                "is not a private network: trusting it would let strangers send mail through this server",
            ));
        }
        let shortest = match self.address {
            IpAddr::V4(v4) if v4.is_loopback() => 8,
            IpAddr::V4(_) => 16,
            IpAddr::V6(_) => 48,
        };
        (self.prefix < shortest).then_some((
            "network_too_wide",
            "is too wide: name the networks of your office, at most a /16 (IPv4) or a /48 (IPv6)",
        ))
    }

    fn is_link_local(&self) -> bool {
        match self.address {
            IpAddr::V4(v4) => v4.is_link_local() && self.prefix >= 16,
            IpAddr::V6(v6) => v6.is_unicast_link_local() && self.prefix >= 10,
        }
    }
}

/// RFC 1918, RFC 4193 and this machine.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback(),
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let keep = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & keep).into())
        }
        IpAddr::V6(v6) => {
            let keep = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & keep).into())
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (head, tail) = match text.trim().split_once('/') {
            Some((head, tail)) => (head, Some(tail)),
            None => (text.trim(), None),
        };
        let address: IpAddr = head
            .parse()
            .map_err(|_| NetworkError::Address(text.into()))?;
        let longest = bits(address);
        let prefix = match tail {
            None => longest,
            Some(digits) => digits
                .parse::<u8>()
                .ok()
                .filter(|prefix| *prefix <= longest)
                .ok_or_else(|| NetworkError::Prefix(digits.into()))?,
        };
        // A mapped address with its IPv6 prefix becomes the IPv4 network it stands for.
        match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(v4)) => Ok(Self::new(v4.into(), prefix.saturating_sub(96))),
            _ => Ok(Self::new(address, prefix)),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn both_sides_of_a_prefix() {
        let office = network("192.168.1.77/24");
        assert_eq!(office.to_string(), "192.168.1.0/24");
        assert!(office.contains("192.168.1.255".parse().unwrap()));
        assert!(!office.contains("192.168.2.0".parse().unwrap()));
        assert!(network("0.0.0.0/0").contains("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn a_mapped_address_counts_as_ipv4() {
        assert!(network("10.1.0.0/16").contains("::ffff:10.1.2.3".parse().unwrap()));
        assert_eq!(network("::ffff:10.1.0.0/112"), network("10.1.0.0/16"));
    }

    #[test]
    fn public_and_wide_networks_are_unfit_and_private_ones_fit() {
        for unfit in [
            "203.0.113.0/24",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "2001:db8::/64",
            "fc00::/7",
            "::/0",
        ] {
            assert!(network(unfit).unfit_as_local().is_some(), "{unfit}");
        }
        for fit in [
            "10.1.0.0/16",
            "192.168.1.0/24",
            "127.0.0.0/8",
            "fe80::/10",
            "fd00:1:2::/48",
            "::1/128",
        ] {
            assert_eq!(network(fit).unfit_as_local(), None, "{fit}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_words() {
        assert!(matches!(
            "office".parse::<Network>(),
            Err(NetworkError::Address(_))
        ));
        assert!(matches!(
            "10.0.0.0/33".parse::<Network>(),
            Err(NetworkError::Prefix(_))
        ));
    }
}
