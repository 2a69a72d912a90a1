//! What a rule looks for, read from the text that the admin wrote.

use std::fmt;
use std::net::IpAddr;

use smtp::{Address, AddressError, Domain, DomainError, Host};

use super::lists::Criterion;
use super::mask::{MaskError, Masked};

/// The value of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListValue {
    /// One address; IPv4 inside IPv6 is unmapped.
    Ip(IpAddr),
    /// Addresses under a mask.
    Masked(Masked),
    /// One mailbox, with all its `+extensions` unless it names one.
    Mailbox(Address),
    /// Every mailbox at this domain (or address literal), and none at domains below it.
    At(Host),
    /// The domain itself.
    Domain(Domain),
    /// The domains below it, at any depth.
    Below(Domain),
}

/// Why a text is no value for its criterion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Nothing is there.
    #[error("a value is needed, for example {0}")]
    Empty(&'static str),
    /// A mask where one address is asked for.
    #[error("\"{0}\" has a mask; choose \"IP/subnet mask\" for it")]
    HasMask(String),
    /// No address.
    #[error("\"{0}\" is not an IP address; write for example 192.0.2.1 or 2001:db8::1")]
    NotIp(String),
    /// Address or mask.
    #[error(transparent)]
    Mask(MaskError),
    /// The null sender.
    #[error("<> is the sender of notifications; no rule can name it")]
    NullSender,
    /// A domain without `@` where mailboxes are asked for.
    #[error("\"{0}\" has no @; write user@{0} for one address or @{0} for all of the domain")]
    NoAt(String),
    /// A mailbox.
    #[error("\"{text}\" is not a mail address: {why}")]
    Mailbox {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: AddressError,
    },
    /// What stands behind a leading `@`.
    #[error("\"{text}\" is not the domain of an address: {why}")]
    At {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: AddressError,
    },
    /// A mailbox where a domain is asked for.
    #[error("\"{0}\" has an @; a domain is written without it, or choose \"Sender\"")]
    HasAt(String),
    /// A domain.
    #[error("\"{text}\" is not a domain: {why}")]
    Domain {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: DomainError,
    },
}

/// What is allowed but worth a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueNote {
    /// A stable word for it.
    pub code: &'static str,
    /// In English.
    pub message: String,
}

impl ValueError {
    /// A stable word for the kind of mistake.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty(_) => "value_needed",
            Self::HasMask(_) => "has_mask",
            Self::NotIp(_) => "not_an_ip",
            Self::Mask(MaskError::NoMask(_)) => "no_mask",
            Self::Mask(MaskError::Address(_)) => "not_an_ip",
            Self::Mask(_) => "not_a_mask",
            Self::NullSender => "null_sender",
            Self::NoAt(_) => "no_at",
            Self::Mailbox { .. } => "not_an_address",
            Self::At { .. } | Self::Domain { .. } => "not_a_domain",
            Self::HasAt(_) => "has_at",
        }
    }
}

impl ListValue {
    /// Reads a value in the form that its criterion has; white space around it is dropped.
    ///
    /// # Errors
    /// What is wrong with it, in words for whoever wrote it.
    pub fn parse(criterion: Criterion, text: &str) -> Result<Self, ValueError> {
        // Other white space can be part of an international address.
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        if text.is_empty() {
            return Err(ValueError::Empty(example(criterion)));
        }
        match criterion {
            Criterion::Ip => ip(text).map(Self::Ip),
            Criterion::IpMask => Masked::parse(text)
                .map(|(masked, _)| Self::Masked(masked))
                .map_err(ValueError::Mask),
            Criterion::Sender | Criterion::Recipient => mailboxes(text),
            Criterion::Domain => domains(text),
        }
    }

    /// What is worth a word about the value `text`.
    pub fn notes(criterion: Criterion, text: &str) -> Vec<ValueNote> {
        let Criterion::IpMask = criterion else {
            return Vec::new();
        };
        let Ok((masked, dropped)) = Masked::parse(text) else {
            return Vec::new();
        };
        let mut notes = Vec::new();
        let mut note = |code, message| notes.push(ValueNote { code, message });
        if dropped {
            note(
                "host_bits",
                format!("bits outside the mask do not count: this is {masked}"),
            );
        }
        if masked.prefix().is_none() {
            let (first, last) = masked.ends();
            note(
                "mask_with_holes",
                format!(
                    "this mask is not contiguous: it matches 2^{} addresses, among them {first} and {last}",
                    masked.free_bits()
                ),
            );
        }
        if masked.prefix() == Some(0) {
            note("everybody", format!("{masked} is everybody"));
        }
        notes
    }
}

fn example(criterion: Criterion) -> &'static str {
    match criterion {
        Criterion::Ip => "192.0.2.1",
        Criterion::IpMask => "192.0.2.0/24",
        Criterion::Sender | Criterion::Recipient => "user@example.com or @example.com",
        Criterion::Domain => "example.com, or .example.com for the domains below it",
    }
}

fn ip(text: &str) -> Result<IpAddr, ValueError> {
    match text.parse::<IpAddr>() {
        Ok(ip) => Ok(ip.to_canonical()),
        Err(_) if text.contains('/') => Err(ValueError::HasMask(text.into())),
        Err(_) => Err(ValueError::NotIp(text.into())),
    }
}

fn mailboxes(text: &str) -> Result<ListValue, ValueError> {
    if text == "<>" {
        return Err(ValueError::NullSender);
    }
    // Addresses are often copied with their brackets.
    let bare = text
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .unwrap_or(text);
    if let Some(host) = bare.strip_prefix('@') {
        return Host::parse(host)
            .map(ListValue::At)
            .map_err(|why| ValueError::At {
                text: text.into(),
                why,
            });
    }
    if !bare.contains('@') && Domain::parse(bare).is_ok() {
        return Err(ValueError::NoAt(bare.into()));
    }
    Address::parse(bare)
        .map(ListValue::Mailbox)
        .map_err(|why| ValueError::Mailbox {
            text: text.into(),
            why,
        })
}

fn domains(text: &str) -> Result<ListValue, ValueError> {
    if text.contains('@') {
        return Err(ValueError::HasAt(text.into()));
    }
    let wrong = |why| ValueError::Domain {
        text: text.into(),
        why,
    };
    match text.strip_prefix('.') {
        Some(parent) => Domain::parse(parent).map(ListValue::Below),
        None => Domain::parse(text).map(ListValue::Domain),
    }
    .map_err(wrong)
}

impl fmt::Display for ListValue {
    /// The one spelling of the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Masked(masked) => write!(f, "{masked}"),
            Self::Mailbox(address) => write!(f, "{address}"),
            Self::At(host) => write!(f, "@{host}"),
            Self::Domain(domain) => write!(f, "{domain}"),
            Self::Below(domain) => write!(f, ".{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Criterion; 5] = [
        Criterion::Ip,
        Criterion::IpMask,
        Criterion::Sender,
        Criterion::Recipient,
        Criterion::Domain,
    ];

    fn code(criterion: Criterion, text: &str) -> &'static str {
        ListValue::parse(criterion, text).unwrap_err().code()
    }

    fn spelt(criterion: Criterion, text: &str) -> String {
        ListValue::parse(criterion, text).unwrap().to_string()
    }

    #[test]
    fn each_criterion_takes_its_forms() {
        assert_eq!(spelt(Criterion::Ip, " ::ffff:192.0.2.1 "), "192.0.2.1");
        assert_eq!(spelt(Criterion::Ip, "2001:DB8:0::1"), "2001:db8::1");
        assert_eq!(
            spelt(Criterion::IpMask, "192.0.2.9/255.255.255.0"),
            "192.0.2.0/24"
        );
        assert_eq!(
            spelt(Criterion::Sender, "<Pat@Elsewhere.Example>"),
            "Pat@elsewhere.example"
        );
        assert_eq!(
            spelt(Criterion::Sender, "@xn--bcher-kva.example"),
            "@bücher.example"
        );
        assert_eq!(
            spelt(Criterion::Recipient, "jörg@bücher.example"),
            "jörg@bücher.example"
        );
        assert_eq!(spelt(Criterion::Domain, ".abc.com"), ".abc.com");
        assert_eq!(spelt(Criterion::Domain, "ABC.com"), "abc.com");
    }

    #[test]
    fn each_mistake_has_its_code() {
        for criterion in ALL {
            assert_eq!(code(criterion, "  "), "value_needed");
        }
        assert_eq!(code(Criterion::Ip, "192.0.2.0/24"), "has_mask");
        assert_eq!(code(Criterion::Ip, "mx.example"), "not_an_ip");
        assert_eq!(code(Criterion::Ip, "192.0.2.256"), "not_an_ip");
        assert_eq!(code(Criterion::IpMask, "192.0.2.1"), "no_mask");
        assert_eq!(code(Criterion::IpMask, "192.0.2.0/40"), "not_a_mask");
        assert_eq!(code(Criterion::Sender, "<>"), "null_sender");
        assert_eq!(code(Criterion::Sender, "example.com"), "no_at");
        assert_eq!(code(Criterion::Sender, "a b@example.com"), "not_an_address");
        assert_eq!(code(Criterion::Sender, "a@"), "not_an_address");
        assert_eq!(code(Criterion::Recipient, "@exa mple"), "not_a_domain");
        assert_eq!(code(Criterion::Recipient, "@"), "not_a_domain");
        assert_eq!(code(Criterion::Domain, "@example.com"), "has_at");
        assert_eq!(code(Criterion::Domain, "."), "not_a_domain");
        assert_eq!(code(Criterion::Domain, "..abc.com"), "not_a_domain");
        assert_eq!(code(Criterion::Domain, "192.0.2.1"), "not_a_domain");
    }

    #[test]
    fn a_mask_with_holes_and_host_bits_is_taken_with_a_word_on_each() {
        let notes = ListValue::notes(Criterion::IpMask, "192.163.1.1/255.100.10.1");
        let codes: Vec<_> = notes.iter().map(|note| note.code).collect();
        assert_eq!(codes, ["host_bits", "mask_with_holes"]);
        assert!(notes[1].message.contains("2^18"), "{}", notes[1].message);
        assert!(ListValue::notes(Criterion::IpMask, "192.0.2.0/24").is_empty());
        assert_eq!(
            ListValue::notes(Criterion::IpMask, "::/0")[0].code,
            "everybody"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_spelt_so_that_it_is_taken_again(text in "\\PC{0,40}|[a-z+.]{0,9}@?[a-z.]{0,9}|[0-9./:]{0,20}") {
            for criterion in ALL {
                if let Ok(value) = ListValue::parse(criterion, &text) {
                    let again = ListValue::parse(criterion, &value.to_string());
                    prop_assert_eq!(again, Ok(value));
                }
            }
        }
    }
}
