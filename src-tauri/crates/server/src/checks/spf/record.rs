//! A record (RFC 7208 §4.5, §4.6, §12), read whole: one fault anywhere makes all of it faulty.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policy::facts::AuthResult;

use super::macros::{Place, Template};

/// The terms that count.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub directives: Vec<Directive>,
    pub redirect: Option<Template>,
    pub explanation: Option<Template>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directive {
    /// What comes out when the mechanism matches.
    pub result: AuthResult,
    pub mechanism: Mechanism,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(Template),
    A(Option<Template>, Lengths),
    Mx(Option<Template>, Lengths),
    Ptr(Option<Template>),
    Ip(IpAddr, u8),
    Exists(Template),
}

/// How many bits of an address must be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths {
    pub v4: u8,
    pub v6: u8,
}

/// Whether a TXT record is one of SPF (§4.5).
pub(super) fn is_spf(text: &[u8]) -> bool {
    const VERSION: &[u8] = b"v=spf1";
    text.split_at_checked(VERSION.len())
        .is_some_and(|(version, rest)| {
            version.eq_ignore_ascii_case(VERSION) && matches!(rest.first(), None | Some(b' '))
        })
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// The faulty term.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let fault = || "the record has octets that are not ASCII".to_owned();
        let text = std::str::from_utf8(text).map_err(|_| fault())?;
        if !text.is_ascii() {
            return Err(fault());
        }
        let mut record = Self::default();
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            record
                .term(term)
                .ok_or_else(|| format!("the record has a faulty term: {term}"))?;
        }
        Ok(record)
    }

    fn term(&mut self, term: &str) -> Option<()> {
        // A modifier is a name and `=`, before any `:` or `/` (§4.6.1).
        if let Some(at) = term.find(['=', ':', '/'])
            && term.get(at..)?.starts_with('=')
        {
            let (name, value) = term.split_at(at);
            return self.modifier(name, value.strip_prefix('=')?);
        }
        let (result, mechanism) = match term.chars().next()? {
            '+' => (AuthResult::Pass, term.get(1..)?),
            '-' => (AuthResult::Fail, term.get(1..)?),
            '~' => (AuthResult::SoftFail, term.get(1..)?),
            '?' => (AuthResult::Neutral, term.get(1..)?),
            _ => (AuthResult::Pass, term),
        };
        let mechanism = self::mechanism(mechanism)?;
        self.directives.push(Directive { result, mechanism });
        Some(())
    }

    /// §6: `redirect` and `exp` stand at most once each; others are only looked at for their form.
    fn modifier(&mut self, name: &str, value: &str) -> Option<()> {
        let slot = if name.eq_ignore_ascii_case("redirect") {
            &mut self.redirect
        } else if name.eq_ignore_ascii_case("exp") {
            &mut self.explanation
        } else {
            let first = name.chars().next()?;
            let sound = first.is_ascii_alphabetic()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            return (sound && Template::parse(value, Place::Name).is_some()).then_some(());
        };
        if slot.is_some() {
            return None;
        }
        *slot = Some(Template::domain(value)?);
        Some(())
    }
}

fn mechanism(text: &str) -> Option<Mechanism> {
    let end = text.find([':', '/']).unwrap_or(text.len());
    let (name, argument) = text.split_at(end);
    let value = argument.strip_prefix(':');
    Some(match name.to_ascii_lowercase().as_str() {
        "all" if argument.is_empty() => Mechanism::All,
        "include" => Mechanism::Include(Template::domain(value?)?),
        "exists" => Mechanism::Exists(Template::domain(value?)?),
        "ptr" if argument.is_empty() => Mechanism::Ptr(None),
        "ptr" => Mechanism::Ptr(Some(Template::domain(value?)?)),
        "ip4" => {
            let (ip, length) = network(value?, 32)?;
            Mechanism::Ip(ip.parse::<Ipv4Addr>().ok()?.into(), length)
        }
        "ip6" => {
            let (ip, length) = network(value?, 128)?;
            Mechanism::Ip(ip.parse::<Ipv6Addr>().ok()?.into(), length)
        }
        "a" => {
            let (domain, lengths) = domain_and_lengths(argument)?;
            Mechanism::A(domain, lengths)
        }
        "mx" => {
            let (domain, lengths) = domain_and_lengths(argument)?;
            Mechanism::Mx(domain, lengths)
        }
        _ => return None,
    })
}

fn network(text: &str, most: u8) -> Option<(&str, u8)> {
    match text.split_once('/') {
        Some((ip, length)) => Some((ip, bits(length, most)?)),
        None => Some((text, most)),
    }
}

/// `[ ":" domain-spec ] [ "/" bits ] [ "//" bits ]`
fn domain_and_lengths(argument: &str) -> Option<(Option<Template>, Lengths)> {
    let mut rest = argument;
    let mut lengths = Lengths { v4: 32, v6: 128 };
    if let Some((before, digits)) = rest.rsplit_once("//")
        && is_number(digits)
    {
        lengths.v6 = bits(digits, 128)?;
        rest = before;
    }
    if let Some((before, digits)) = rest.rsplit_once('/')
        && is_number(digits)
    {
        lengths.v4 = bits(digits, 32)?;
        rest = before;
    }
    if rest.is_empty() {
        return Some((None, lengths));
    }
    let domain = Template::domain(rest.strip_prefix(':')?)?;
    Some((Some(domain), lengths))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

/// A number of bits without leading zeros.
fn bits(text: &str, most: u8) -> Option<u8> {
    if !is_number(text) || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().filter(|bits| *bits <= most)
}
