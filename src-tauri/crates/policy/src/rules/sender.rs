//! Rules about the sender: at MAIL, and the sender policy at RCPT.

use settings::security::UnknownDomainScope;
use settings::{MEGABYTE, Settings};
use smtp::{Host, ReversePath};

use super::wire;
use crate::decision::{Fact, Finding};
use crate::facts::{Facts, NameFact, Port};
use crate::plan::{Target, target};
use crate::reason::Reason;
use crate::trust::Trust;

/// RFC 6409 §4.3: on the submission ports users sign in first. Local devices may be exempt.
pub(crate) fn submission_login(facts: &Facts, settings: &Settings) -> Finding {
    if facts.client.port == Port::Smtp {
        return Finding::skip("mail from other servers comes in here");
    }
    match Trust::of(facts, settings) {
        Trust::User(user) => Finding::pass(user, "signed in"),
        Trust::LocalNetwork => Finding::pass(
            facts.client.ip.to_string(),
            "the local network need not sign in",
        ),
        Trust::Stranger => Finding::refuse("not signed in", Reason::AuthenticationRequired),
    }
}

/// A session ends to be the user's when the password changes or the account is disabled.
pub(crate) fn login_current(facts: &Facts, settings: &Settings) -> Finding {
    let Some(login) = &facts.login else {
        return Finding::skip("not signed in");
    };
    let enabled = settings.user(&login.user).is_some_and(|user| user.enabled);
    if login.current && enabled {
        Finding::pass(&login.user, "the account is as it was at sign-in")
    } else {
        Finding::refuse(&login.user, Reason::LoginOutdated)
    }
}

/// RFC 1870 §6: a size announced above the limit is refused before anything is sent.
pub(crate) fn declared_size(facts: &Facts, settings: &Settings) -> Finding {
    let Some(size) = facts.envelope.declared_size else {
        return Finding::skip("no size announced");
    };
    let limit = settings.general.max_message_bytes();
    let input = format!("{size} of {limit} bytes");
    if size > limit {
        Finding::refuse(input, Reason::DeclaredSizeTooLarge { size, limit })
    } else {
        Finding::pass(input, "within the limit")
    }
}

/// Room that a message needs beyond its announced size: its entry in the journal and the folders' own blocks.
const RESERVE: u64 = 64 * 1024;

/// RFC 5321 §4.2.3: a message that would not fit is put off before it is sent, so that nothing is half-written.
pub(crate) fn storage(facts: &Facts, _: &Settings) -> Finding {
    let Some(storage) = facts.storage else {
        return Finding::skip("not measured");
    };
    let needed = facts
        .envelope
        .declared_size
        .unwrap_or_default()
        .saturating_add(RESERVE);
    let input = format!("{} MB free", storage.free / MEGABYTE);
    if storage.free < needed {
        Finding::refuse(input, Reason::StorageFull)
    } else {
        Finding::pass(input, "there is room")
    }
}

/// A sender without domain is completed for our own clients and refused from others.
pub(crate) fn qualified(facts: &Facts, settings: &Settings) -> Finding {
    let Some(path) = &facts.envelope.sender else {
        return Finding::skip("no sender");
    };
    match path {
        ReversePath::Null => Finding::pass("<>", "the null sender of notifications"),
        ReversePath::Address(address) => Finding::pass(address.to_string(), "a full address"),
        ReversePath::Unqualified(_) if Trust::of(facts, settings).may_relay() => {
            Finding::pass(path.to_string(), "completed with our domain")
        }
        ReversePath::Unqualified(_) => Finding::refuse(
            path.to_string(),
            Reason::SenderNotQualified {
                sender: path.to_string(),
            },
        ),
    }
}

/// The sender's domain is a full name. An address literal is full as it is.
pub(crate) fn fully_qualified(facts: &Facts, settings: &Settings) -> Finding {
    if !settings.security.sender_policy.reject_non_fqdn {
        return Finding::skip("off");
    }
    match &facts.envelope.sender {
        None => Finding::skip("no sender"),
        Some(ReversePath::Null) => Finding::pass("<>", "the null sender of notifications"),
        // It was completed, or refused at MAIL.
        Some(path @ ReversePath::Unqualified(_)) => Finding::pass(path.to_string(), "no domain"),
        Some(ReversePath::Address(address)) => match address.domain() {
            Some(domain) if !domain.is_fqdn() => {
                let sender = wire(address);
                Finding::refuse(
                    &sender,
                    Reason::SenderNotFqdn {
                        sender: sender.clone(),
                    },
                )
            }
            _ => Finding::pass(address.to_string(), "a full name"),
        },
    }
}

/// The sender's domain is one to which an answer could be sent: not one of ours, for which the rules about logins stand,
/// and not in nobody's DNS.
pub(crate) fn domain_exists(facts: &Facts, settings: &Settings) -> Finding {
    let policy = &settings.security.sender_policy;
    if !policy.reject_unknown_domain {
        return Finding::skip("off");
    }
    let address = match &facts.envelope.sender {
        None => return Finding::skip("no sender"),
        Some(ReversePath::Null) => {
            return Finding::pass("<>", "the null sender of notifications");
        }
        Some(path @ ReversePath::Unqualified(_)) => {
            return Finding::pass(path.to_string(), "no domain");
        }
        Some(ReversePath::Address(address)) => address,
    };
    let Host::Domain(domain) = address.host() else {
        return Finding::pass(address.to_string(), "an address literal needs no name");
    };
    if settings.is_local(address) {
        return Finding::pass(address.to_string(), "one of our domains");
    }
    if policy.unknown_domain_scope == UnknownDomainScope::UnknownRecipientsOnly
        && facts
            .recipient
            .as_ref()
            .is_some_and(|path| !matches!(target(path, settings), Target::Nobody))
    {
        return Finding::skip("the recipient exists");
    }
    let input = domain.ascii();
    let (sender, domain) = (wire(address), domain.ascii().to_owned());
    match &facts.sender_domain {
        None => Finding::missing(Fact::SenderDomain),
        Some(NameFact::Exists) => Finding::pass(input, "the domain exists"),
        Some(NameFact::NullMx) => Finding::refuse(input, Reason::SenderNullMx { sender, domain }),
        Some(NameFact::Missing) => Finding::refuse(input, Reason::SenderDomainUnknown { sender }),
        Some(NameFact::Unknown(why)) => Finding::undecided(
            format!("{input}: {why}"),
            Reason::SenderDomainUnchecked { sender },
        ),
    }
}
