//! A domain name: one value for both spellings, the A-label on the wire and the U-label on the screen.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::text::serde_as_text;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// Longest name in octets, without the trailing dot (RFC 1035 §2.3.4 counts 255 with length octets).
const MAX_NAME: usize = 253;
/// Longest label in octets (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A syntactically valid domain name, held as lower-case A-labels and shown as U-labels.
///
/// Two spellings of the same name (`BÜRO.example`, `xn--bro-hoa.example`) are equal, hash alike and sort alike.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

/// Why a text is not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Nothing was given.
    #[error("a domain name is missing")]
    Empty,
    /// More than 253 octets as A-labels.
    #[error("a domain name has at most 253 characters")]
    TooLong,
    /// A label (the text between two dots) is empty or has more than 63 octets.
    #[error("each part of a domain name has 1 to 63 characters")]
    LabelLength,
    /// A character other than letters, digits and hyphens.
    #[error("a domain name holds only letters, digits, hyphens and dots")]
    Character,
    /// A label begins or ends with a hyphen.
    #[error("a part of a domain name cannot begin or end with a hyphen")]
    Hyphen,
    /// The text is an IP address.
    #[error("an IP address is not a domain name")]
    Ip,
    /// The letters are not allowed in an international domain name (UTS #46), or an A-label is broken.
    #[error("not a valid international domain name")]
    International,
}

impl Domain {
    /// Reads a name in either spelling; one trailing dot is dropped.
    pub fn parse(text: &str) -> Result<Domain, DomainError> {
        if text.is_empty() || text == "." {
            return Err(DomainError::Empty);
        }
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Err(DomainError::Ip);
        }
        let name = if text.is_ascii() && !has_a_label(text) {
            Cow::Borrowed(text)
        } else {
            to_ascii(text)?
        };
        let name = name.strip_suffix('.').unwrap_or(&name);
        check(name)?;
        Ok(Domain(name.to_ascii_lowercase().into_boxed_str()))
    }

    /// The name of this machine for itself (RFC 6761 §6.3), where no other is known.
    pub fn localhost() -> Domain {
        Domain("localhost".into())
    }

    /// The name as lower-case A-labels, for the wire, for DNS and for comparing.
    pub fn ascii(&self) -> &str {
        &self.0
    }

    /// The name as U-labels, for people.
    pub fn unicode(&self) -> String {
        self.shown().into_owned()
    }

    /// Whether the name has a dot, so that it can be fully qualified.
    pub fn is_fqdn(&self) -> bool {
        self.0.contains('.')
    }

    fn shown(&self) -> Cow<'_, str> {
        if !has_a_label(&self.0) {
            return Cow::Borrowed(&self.0);
        }
        match Uts46::new().to_unicode(
            self.0.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
        ) {
            (shown, Ok(())) => shown,
            (_, Err(_)) => Cow::Borrowed(&self.0),
        }
    }
}

/// Whether a label begins with the prefix of an A-label (RFC 5890 §2.3.1).
fn has_a_label(name: &str) -> bool {
    name.split('.').any(|label| {
        label
            .get(..4)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"))
    })
}

fn to_ascii(text: &str) -> Result<Cow<'_, str>, DomainError> {
    // Punycode is quadratic in the length of a label, so an absurd input is turned away before it.
    if text.len() > 4 * MAX_NAME {
        return Err(DomainError::TooLong);
    }
    // Lengths and hyphens are judged by `check`, which can say what is wrong. UTS #46 §4.2 as browsers use it, but
    // with CheckHyphens limited to both ends: names such as `r3---sn.example` exist.
    Uts46::new()
        .to_ascii(
            text.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Ignore,
        )
        .map_err(|_| DomainError::International)
}

/// The letter-digit-hyphen rule of RFC 5321 §4.1.2 `sub-domain` and the lengths of RFC 1035 §2.3.4.
fn check(name: &str) -> Result<(), DomainError> {
    if name.len() > MAX_NAME {
        return Err(DomainError::TooLong);
    }
    for label in name.split('.') {
        let bytes = label.as_bytes();
        if bytes.is_empty() || bytes.len() > MAX_LABEL {
            return Err(DomainError::LabelLength);
        }
        if !bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        {
            return Err(DomainError::Character);
        }
        if bytes.starts_with(b"-") || bytes.ends_with(b"-") {
            return Err(DomainError::Hyphen);
        }
    }
    // Fullwidth digits and a trailing dot can still hide an address from the first look.
    if name.parse::<Ipv4Addr>().is_ok() {
        Err(DomainError::Ip)
    } else {
        Ok(())
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({})", self.0)
    }
}

impl FromStr for Domain {
    type Err = DomainError;
    fn from_str(text: &str) -> Result<Domain, DomainError> {
        Domain::parse(text)
    }
}

serde_as_text!(Domain);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_spellings_of_a_name_are_one_value() {
        let u = Domain::parse("BÜRO.example").unwrap();
        let a = Domain::parse("xn--bro-hoa.Example.").unwrap();
        assert_eq!(u, a);
        assert_eq!(u.ascii(), "xn--bro-hoa.example");
        assert_eq!(a.to_string(), "büro.example");
        assert!(u.is_fqdn() && !Domain::parse("localhost").unwrap().is_fqdn());
    }

    #[test]
    fn a_refused_name_says_why() {
        use DomainError::*;
        let long = "a".repeat(64);
        let cases: &[(&str, DomainError)] = &[
            ("", Empty),
            (".", Empty),
            ("a..b", LabelLength),
            (".a", LabelLength),
            (&long, LabelLength),
            ("a_b.example", Character),
            ("a b", Character),
            ("a\r\nb", Character),
            ("-a.example", Hyphen),
            ("a-.example", Hyphen),
            ("192.0.2.1", Ip),
            ("192.0.2.1.", Ip),
            ("::1", Ip),
            ("１.２.３.４", Ip),
            ("xn--a", International),
            ("ü_b.example", International),
        ];
        for (text, error) in cases {
            assert_eq!(Domain::parse(text), Err(*error), "{text:?}");
        }
        assert_eq!(Domain::parse(&["abcdefgh"; 29].join(".")), Err(TooLong));
        assert_eq!(Domain::parse(&"ü".repeat(100_000)), Err(TooLong));
    }

    #[test]
    fn hyphens_in_the_third_and_fourth_place_and_numeric_names_are_real() {
        for name in [
            "r3---sn.example",
            "123.com",
            "c--n.com",
            "iana.123",
            "0x7f.example",
        ] {
            assert_eq!(Domain::parse(name).unwrap().ascii(), name);
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_from_either_spelling(text in "\\PC{0,40}") {
            if let Ok(domain) = Domain::parse(&text) {
                prop_assert_eq!(&Domain::parse(domain.ascii()).unwrap(), &domain);
                prop_assert_eq!(&Domain::parse(&domain.unicode()).unwrap(), &domain);
                prop_assert!(domain.ascii().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.'));
            }
        }

        #[test]
        fn international_names_are_read_again(text in "[a-zß-öα-ωא-תก-ฮ一-十]{1,12}\\.[a-zа-я]{2,5}") {
            if let Ok(domain) = Domain::parse(&text) {
                prop_assert_eq!(&Domain::parse(&domain.unicode()).unwrap(), &domain);
            }
        }
    }
}
