//! Mail addresses and the paths of the envelope.
//!
//! An address is kept as its meaning: the local part without quotes and backslashes, the domain as a [`Domain`].
//! Printing puts quotes back wherever they are needed, so no address can end its brackets early, add a parameter or
//! begin a new line.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::domain::{Domain, DomainError};
use crate::local_part::LocalPart;
use crate::text::serde_as_text;

/// Longest address in octets: a path has 256 with its brackets (RFC 5321 §4.5.3.1.3).
const MAX_ADDRESS: usize = 254;

/// Why a text is not an address or a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@`, or nothing behind it.
    #[error("the domain is missing")]
    NoDomain,
    /// There is nothing before the `@`.
    #[error("the part before the @ is missing")]
    NoLocalPart,
    /// The local part has more than 64 octets (64 characters when international).
    #[error("the part before the @ is longer than 64 characters")]
    LocalPartTooLong,
    /// The local part holds a character that is not allowed there, or not without quotes.
    #[error("the part before the @ holds a character that is not allowed there")]
    LocalPart,
    /// A quoted local part does not end.
    #[error("a quotation mark is not closed")]
    Quote,
    /// The domain is not one.
    #[error("{0}")]
    Domain(#[from] DomainError),
    /// The square brackets hold no IP address.
    #[error("the square brackets hold no IP address")]
    Literal,
    /// The whole is longer than 254 octets.
    #[error("the address is longer than 254 characters")]
    TooLong,
    /// A path without its angle brackets.
    #[error("the address is not in angle brackets")]
    Brackets,
    /// A source route (`<@a,@b:user@c>`) that does not follow its grammar.
    #[error("the source route is malformed")]
    SourceRoute,
}

/// What stands behind the `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
    Literal(IpAddr),
}

impl Host {
    /// Reads a domain or a literal as it stands in an address: no trailing dot.
    pub fn parse(text: &str) -> Result<Host, AddressError> {
        if let Some(literal) = text.strip_prefix('[') {
            return parse_literal(literal.strip_suffix(']').ok_or(AddressError::Literal)?)
                .map(Host::Literal);
        }
        // RFC 5321 §4.1.2 `Domain` ends with a sub-domain, never with a dot.
        if text.ends_with('.') {
            return Err(DomainError::LabelLength.into());
        }
        match Domain::parse(text) {
            Ok(domain) => Ok(Host::Domain(domain)),
            Err(DomainError::Empty) => Err(AddressError::NoDomain),
            Err(error) => Err(error.into()),
        }
    }

    fn to_ascii(&self) -> String {
        match self {
            Host::Domain(domain) => domain.ascii().to_owned(),
            Host::Literal(_) => self.to_string(),
        }
    }
}

/// RFC 5321 §4.1.3; a general literal with another tag has no meaning here.
fn parse_literal(text: &str) -> Result<IpAddr, AddressError> {
    let tagged = text
        .get(..5)
        .is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    let address = if tagged {
        text.get(5..)
            .and_then(|rest| rest.parse::<Ipv6Addr>().ok())
            .map(IpAddr::V6)
    } else {
        text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    };
    address.ok_or(AddressError::Literal)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Domain(domain) => write!(f, "{domain}"),
            Host::Literal(IpAddr::V4(ip)) => write!(f, "[{ip}]"),
            Host::Literal(IpAddr::V6(ip)) => write!(f, "[IPv6:{ip}]"),
        }
    }
}

/// A complete address, `local@host`.
///
/// Equality takes the local part as written (normalised to NFC); [`Address::same_mailbox`] folds case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: LocalPart,
    host: Host,
}

impl Address {
    /// Reads `local@host` in the form of RFC 5321 §4.1.2 (and RFC 6531 §3.3), without angle brackets.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        match Mailbox::parse(text)? {
            Mailbox::Full(address) => Ok(address),
            Mailbox::Unqualified(_) => Err(AddressError::NoDomain),
        }
    }

    /// Joins a local part, given as its meaning without quotes, and a domain.
    pub fn new(local: &str, domain: &Domain) -> Result<Address, AddressError> {
        Address::from_parts(LocalPart::from_text(local)?, Host::Domain(domain.clone()))
    }

    /// Joins two parts that were already read; the only error is the length of the whole.
    pub fn from_parts(local: LocalPart, host: Host) -> Result<Address, AddressError> {
        if let Host::Domain(domain) = &host
            && local.is_ascii()
            && local.as_str().len() + 1 + domain.ascii().len() > MAX_ADDRESS
        {
            return Err(AddressError::TooLong);
        }
        Ok(Address { local, host })
    }

    /// The meaning of the part before the `@`: no quotes, no backslashes.
    pub fn local(&self) -> &str {
        self.local.as_str()
    }

    /// The part before the `@` as its own value.
    pub fn local_part(&self) -> &LocalPart {
        &self.local
    }

    /// What stands behind the `@`.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The domain; none when the address has an address literal.
    pub fn domain(&self) -> Option<&Domain> {
        match &self.host {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        }
    }

    /// The form for a wire without SMTPUTF8: the domain as A-labels. The local part stays as it is, see
    /// [`Address::needs_smtputf8`].
    pub fn to_ascii_domain(&self) -> String {
        format!("{}@{}", self.local, self.host.to_ascii())
    }

    /// Whether only a server with SMTPUTF8 can take the address (RFC 6531 §3.2): the local part is not ASCII.
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }

    /// Whether both name one mailbox, upper and lower case aside.
    pub fn same_mailbox(&self, other: &Address) -> bool {
        self.host == other.host && self.local.folded() == other.local.folded()
    }

    /// The local part lower-cased and without `+extension`; a local part that begins with `+` has no extension.
    pub fn base_local(&self) -> String {
        self.local.base()
    }

    /// One spelling for all addresses of a mailbox, for use as a key: lower case, domain as A-labels, quotes as needed.
    pub fn folded(&self) -> String {
        self.to_ascii_domain().to_lowercase()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.host)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Address, AddressError> {
        Address::parse(text)
    }
}

/// What angle brackets can hold apart from nothing.
enum Mailbox {
    Full(Address),
    Unqualified(LocalPart),
}

impl Mailbox {
    fn parse(text: &str) -> Result<Mailbox, AddressError> {
        let (local, rest) = LocalPart::parse_prefix(text)?;
        match rest.strip_prefix('@') {
            Some(host) => Ok(Mailbox::Full(Address::from_parts(
                local,
                Host::parse(host)?,
            )?)),
            None if rest.is_empty() => Ok(Mailbox::Unqualified(local)),
            None => Err(AddressError::LocalPart),
        }
    }
}

/// The argument of MAIL FROM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: a notification nobody may answer (RFC 5321 §4.5.5).
    Null,
    /// A local part alone, to be completed by whoever trusts the sender.
    Unqualified(LocalPart),
    /// A full address.
    Address(Address),
}

/// The argument of RCPT TO.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain (RFC 5321 §4.5.1), in any mix of cases.
    Postmaster,
    /// Another local part alone.
    Unqualified(LocalPart),
    /// A full address.
    Address(Address),
}

impl ReversePath {
    /// Reads a path with its angle brackets; a source route is checked and dropped.
    pub fn parse(text: &str) -> Result<ReversePath, AddressError> {
        match whole_path(text)? {
            "" => Ok(ReversePath::Null),
            inner => Ok(match Mailbox::parse(without_source_route(inner)?)? {
                Mailbox::Full(address) => ReversePath::Address(address),
                Mailbox::Unqualified(local) => ReversePath::Unqualified(local),
            }),
        }
    }

    /// The address, if the path is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            ReversePath::Address(address) => Some(address),
            _ => None,
        }
    }
}

impl ForwardPath {
    /// Reads a path with its angle brackets; a source route is checked and dropped.
    pub fn parse(text: &str) -> Result<ForwardPath, AddressError> {
        let inner = whole_path(text)?;
        Ok(match Mailbox::parse(without_source_route(inner)?)? {
            Mailbox::Full(address) => ForwardPath::Address(address),
            Mailbox::Unqualified(local) if local.folded() == "postmaster" => {
                ForwardPath::Postmaster
            }
            Mailbox::Unqualified(local) => ForwardPath::Unqualified(local),
        })
    }

    /// The address, if the path is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            ForwardPath::Address(address) => Some(address),
            _ => None,
        }
    }
}

/// Cuts a path with its brackets off the front of a command argument: `(path, rest)`. A `>` inside quotes does not
/// end it.
pub(crate) fn split_path(text: &str) -> Result<(&str, &str), AddressError> {
    if !text.starts_with('<') {
        return Err(AddressError::Brackets);
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return text.split_at_checked(at + 1).ok_or(AddressError::Brackets),
            _ => {}
        }
    }
    Err(if quoted {
        AddressError::Quote
    } else {
        AddressError::Brackets
    })
}

fn whole_path(text: &str) -> Result<&str, AddressError> {
    let (path, rest) = split_path(text)?;
    if !rest.is_empty() {
        return Err(AddressError::Brackets);
    }
    path.strip_prefix('<')
        .and_then(|path| path.strip_suffix('>'))
        .ok_or(AddressError::Brackets)
}

/// RFC 5321 §4.1.1.3 and appendix C: a source route is accepted and ignored.
fn without_source_route(inner: &str) -> Result<&str, AddressError> {
    let mut rest = inner;
    while let Some(hop) = rest.strip_prefix('@') {
        let search_from = if hop.starts_with('[') {
            hop.find(']').ok_or(AddressError::SourceRoute)?
        } else {
            0
        };
        let end = hop
            .bytes()
            .skip(search_from)
            .position(|b| matches!(b, b',' | b':'))
            .ok_or(AddressError::SourceRoute)?;
        let (host, tail) = hop
            .split_at_checked(search_from + end)
            .ok_or(AddressError::SourceRoute)?;
        Host::parse(host).map_err(|_| AddressError::SourceRoute)?;
        if let Some(mailbox) = tail.strip_prefix(':') {
            return Ok(mailbox);
        }
        rest = tail
            .strip_prefix(',')
            .filter(|next| next.starts_with('@'))
            .ok_or(AddressError::SourceRoute)?;
    }
    Ok(rest)
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReversePath::Null => f.write_str("<>"),
            ReversePath::Unqualified(local) => write!(f, "<{local}>"),
            ReversePath::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardPath::Postmaster => f.write_str("<postmaster>"),
            ForwardPath::Unqualified(local) => write!(f, "<{local}>"),
            ForwardPath::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl FromStr for ReversePath {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<ReversePath, AddressError> {
        ReversePath::parse(text)
    }
}

impl FromStr for ForwardPath {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<ForwardPath, AddressError> {
        ForwardPath::parse(text)
    }
}

serde_as_text!(Address, ReversePath, ForwardPath);

#[cfg(test)]
mod tests;
