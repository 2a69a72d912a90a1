//! Rules about the name that a client greets with. They are asked at RCPT, where it is known for whom the mail was and
//! whether somebody signed in: programs of users greet with the short name of their machine.

use settings::Settings;
use smtp::{Domain, Host};

use crate::decision::{Fact, Finding};
use crate::facts::{Facts, NameFact};
use crate::reason::Reason;

/// The name is kept for the record. RFC 5321 §4.1.4: a server must not refuse mail because it does not match the address.
pub(crate) fn greeted(facts: &Facts, _: &Settings) -> Finding {
    Finding::pass(facts.helo.clone().unwrap_or_default(), "greeted")
}

/// Without a greeting the rules about its name could be passed by.
pub(crate) fn needed(facts: &Facts, settings: &Settings) -> Finding {
    let advanced = &settings.security.advanced;
    if !advanced.reject_non_fqdn_helo && !advanced.reject_unknown_helo {
        return Finding::skip("off");
    }
    match &facts.helo {
        Some(helo) => Finding::pass(helo, "greeted"),
        None => Finding::refuse("no greeting", Reason::HeloNeeded),
    }
}

/// What a greeting can be (RFC 5321 §4.1.1.1).
enum Form {
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Literal,
    /// A name with a dot in it.
    Full,
    /// A name without.
    Short,
    /// Neither, such as an address without brackets.
    Malformed,
}

fn form(helo: &str) -> Form {
    if helo.starts_with('[') {
        return Host::parse(helo).map_or(Form::Malformed, |_| Form::Literal);
    }
    // No host name has an underscore, and many honest hosts have one in theirs.
    match Domain::parse(&helo.replace('_', "a")) {
        Ok(name) if name.is_fqdn() => Form::Full,
        Ok(_) => Form::Short,
        Err(_) => Form::Malformed,
    }
}

/// The name is a full one, or an address in brackets.
pub(crate) fn fully_qualified(facts: &Facts, settings: &Settings) -> Finding {
    if !settings.security.advanced.reject_non_fqdn_helo {
        return Finding::skip("off");
    }
    let Some(helo) = &facts.helo else {
        return Finding::skip("no greeting");
    };
    match form(helo) {
        Form::Literal => Finding::pass(helo, "an address literal"),
        Form::Full => Finding::pass(helo, "a full name"),
        Form::Short | Form::Malformed => {
            Finding::refuse(helo, Reason::HeloNotFqdn { helo: helo.clone() })
        }
    }
}

/// The DNS knows the name. A host need not take mail itself, so a null MX is no objection.
pub(crate) fn exists(facts: &Facts, settings: &Settings) -> Finding {
    if !settings.security.advanced.reject_unknown_helo {
        return Finding::skip("off");
    }
    let Some(helo) = &facts.helo else {
        return Finding::skip("no greeting");
    };
    match form(helo) {
        Form::Literal => return Finding::pass(helo, "an address literal has no name"),
        Form::Malformed => {
            return Finding::refuse(helo, Reason::HeloUnknown { helo: helo.clone() });
        }
        Form::Full | Form::Short => {}
    }
    match &facts.helo_name {
        None => Finding::missing(Fact::HeloName),
        Some(NameFact::Exists | NameFact::NullMx) => Finding::pass(helo, "the name exists"),
        Some(NameFact::Missing) => {
            Finding::refuse(helo, Reason::HeloUnknown { helo: helo.clone() })
        }
        Some(NameFact::Unknown(why)) => Finding::undecided(
            format!("{helo}: {why}"),
            Reason::HeloUnchecked { helo: helo.clone() },
        ),
    }
}
