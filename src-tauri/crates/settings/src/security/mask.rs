//! Addresses under a mask: `192.0.2.0/24`, `192.0.2.0/255.255.255.0`, `2001:db8::/32`, and masks with holes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that agree with `net` in every bit that the mask has. IPv4 takes any mask, IPv6 those that a prefix makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Masked {
    /// IPv4.
    V4 {
        /// The bits, all others 0.
        net: u32,
        /// Which bits count.
        mask: u32,
    },
    /// IPv6.
    V6 {
        /// The bits, all others 0.
        net: u128,
        /// Which bits count; the first ones always.
        mask: u128,
    },
}

/// Why a text is no address with a mask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// There is no slash.
    #[error("\"{0}\" has no mask; write for example 192.0.2.0/24 or 192.0.2.0/255.255.255.0")]
    NoMask(String),
    /// What stands before the slash.
    #[error("\"{0}\" is not an IP address; write for example 192.0.2.0/24")]
    Address(String),
    /// What stands behind the slash of an IPv4 address.
    #[error("\"{0}\" is not a mask; IPv4 has 0 to 32, or four numbers such as 255.255.255.0")]
    MaskV4(String),
    /// What stands behind the slash of an IPv6 address.
    #[error("\"{0}\" is not a prefix length; IPv6 has 0 to 128")]
    MaskV6(String),
    /// An IPv4 address in the form of IPv6, with a prefix that goes beyond IPv4.
    #[error(
        "\"{0}\" holds an IPv4 address in IPv6 form, which needs a prefix length of 96 to 128; better write the IPv4 network"
    )]
    Mapped(String),
}

impl Masked {
    /// Reads an address, a slash and a mask. The second value tells whether bits outside the mask were set and dropped.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<(Self, bool), MaskError> {
        let text = text.trim();
        let (head, tail) = text
            .split_once('/')
            .ok_or_else(|| MaskError::NoMask(text.into()))?;
        let address: IpAddr = head.parse().map_err(|_| MaskError::Address(head.into()))?;
        match address {
            IpAddr::V4(v4) => {
                let mask = mask_v4(tail).ok_or_else(|| MaskError::MaskV4(tail.into()))?;
                Ok(Self::under_v4(v4, mask))
            }
            IpAddr::V6(v6) => {
                let prefix = number(tail, 128).ok_or_else(|| MaskError::MaskV6(tail.into()))?;
                match v6.to_ipv4_mapped() {
                    None => Ok(Self::under_v6(v6, prefix)),
                    Some(v4) if prefix >= 96 => Ok(Self::under_v4(v4, ones_v4(prefix - 96))),
                    Some(_) => Err(MaskError::Mapped(text.into())),
                }
            }
        }
    }

    /// This address and no other.
    pub fn exactly(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::under_v4(v4, u32::MAX).0,
            IpAddr::V6(v6) => Self::under_v6(v6, 128).0,
        }
    }

    fn under_v4(address: Ipv4Addr, mask: u32) -> (Self, bool) {
        let bits = u32::from(address);
        let net = bits & mask;
        (Self::V4 { net, mask }, net != bits)
    }

    fn under_v6(address: Ipv6Addr, prefix: u32) -> (Self, bool) {
        let bits = u128::from(address);
        let mask = ones_v6(prefix);
        let net = bits & mask;
        (Self::V6 { net, mask }, net != bits)
    }

    /// Whether the address is one of these. An IPv4 address inside IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::V4 { net, mask }, IpAddr::V4(v4)) => u32::from(v4) & mask == *net,
            (Self::V6 { net, mask }, IpAddr::V6(v6)) => u128::from(v6) & mask == *net,
            _ => false,
        }
    }

    /// Whether each address of `other` is one of these.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::V4 { net, mask }, Self::V4 { net: n, mask: m }) => {
                mask & m == *mask && n & mask == *net
            }
            (Self::V6 { net, mask }, Self::V6 { net: n, mask: m }) => {
                mask & m == *mask && n & mask == *net
            }
            _ => false,
        }
    }

    /// Whether some address is in both.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::V4 { net, mask }, Self::V4 { net: n, mask: m }) => (net ^ n) & mask & m == 0,
            (Self::V6 { net, mask }, Self::V6 { net: n, mask: m }) => (net ^ n) & mask & m == 0,
            _ => false,
        }
    }

    /// How many leading bits count; `None` for a mask with holes, which no prefix length says.
    pub fn prefix(&self) -> Option<u32> {
        match self {
            Self::V4 { mask, .. } => {
                (mask.leading_ones() == mask.count_ones()).then_some(mask.count_ones())
            }
            Self::V6 { mask, .. } => Some(mask.count_ones()),
        }
    }

    /// How many bits do not count: 2 to that power is the number of addresses.
    pub fn free_bits(&self) -> u32 {
        match self {
            Self::V4 { mask, .. } => mask.count_zeros(),
            Self::V6 { mask, .. } => mask.count_zeros(),
        }
    }

    /// The first and the last of these addresses.
    pub fn ends(&self) -> (IpAddr, IpAddr) {
        match self {
            Self::V4 { net, mask } => (IpAddr::V4((*net).into()), IpAddr::V4((net | !mask).into())),
            Self::V6 { net, mask } => (IpAddr::V6((*net).into()), IpAddr::V6((net | !mask).into())),
        }
    }
}

/// A prefix length or a dotted mask, which may have holes.
fn mask_v4(text: &str) -> Option<u32> {
    if text.contains('.') {
        return text.parse::<Ipv4Addr>().ok().map(u32::from);
    }
    number(text, 32).map(ones_v4)
}

/// Digits alone: `+8` and the like are no lengths.
fn number(text: &str, most: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|n| *n <= most)
}

fn ones_v4(count: u32) -> u32 {
    u32::MAX.checked_shl(32 - count.min(32)).unwrap_or(0)
}

fn ones_v6(count: u32) -> u128 {
    u128::MAX.checked_shl(128 - count.min(128)).unwrap_or(0)
}

impl fmt::Display for Masked {
    /// The shortest spelling; bits outside the mask are 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.ends().0;
        match (self, self.prefix()) {
            (_, Some(prefix)) => write!(f, "{first}/{prefix}"),
            (Self::V4 { mask, .. }, None) => write!(f, "{first}/{}", Ipv4Addr::from(*mask)),
            (Self::V6 { mask, .. }, None) => write!(f, "{first}/{}", mask.count_ones()),
        }
    }
}

#[cfg(test)]
mod tests;
