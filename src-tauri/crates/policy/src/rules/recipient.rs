//! Rules at RCPT. Most of what can be held against a client or a sender is said here, so that the journal knows for
//! whom the refused mail was.

use settings::Settings;
use smtp::{Address, ForwardPath, ReversePath};

use super::{qualify, sender_address, wire, wire_path};
use crate::decision::Finding;
use crate::destination::{Destination, Way, destination};
use crate::facts::{Facts, Port};
use crate::plan::{Target, target};
use crate::reason::Reason;
use crate::trust::Trust;

/// The recipient in question as an address. `None` for a bare postmaster and for what cannot be completed.
fn recipient_address(facts: &Facts, settings: &Settings) -> Option<Address> {
    match facts.recipient.as_ref()? {
        ForwardPath::Postmaster => None,
        ForwardPath::Unqualified(local) => qualify(local, settings),
        ForwardPath::Address(address) => Some(address.clone()),
    }
}

fn shown(facts: &Facts) -> String {
    facts.recipient.as_ref().map(wire_path).unwrap_or_default()
}

/// N recipients pass and N+1 does not. A recipient named twice counts once.
pub(crate) fn limit(facts: &Facts, settings: &Settings) -> Finding {
    let limit = settings.general.max_recipients;
    let taken = facts.envelope.taken();
    let input = format!("{taken} of {limit} taken");
    let again = facts
        .recipient
        .as_ref()
        .is_some_and(|path| facts.envelope.has(path));
    if again {
        Finding::pass(input, "already a recipient")
    } else if taken >= limit as usize {
        Finding::refuse(input, Reason::TooManyRecipients { limit })
    } else {
        Finding::pass(input, "within the limit")
    }
}

/// Mail to other domains is taken from our own clients only. Nothing that comes later can change that.
pub(crate) fn relay_control(facts: &Facts, settings: &Settings) -> Finding {
    let trust = Trust::of(facts, settings);
    let path = shown(facts);
    match &facts.recipient {
        None => Finding::skip("no recipient"),
        Some(ForwardPath::Postmaster) => Finding::pass(path, "our own postmaster"),
        Some(ForwardPath::Address(address)) if settings.is_local(address) => {
            Finding::pass(path, "one of our domains")
        }
        Some(ForwardPath::Unqualified(_)) if !trust.may_relay() => Finding::refuse(
            &path,
            Reason::RecipientNotQualified {
                recipient: path.clone(),
            },
        ),
        Some(ForwardPath::Unqualified(_)) => Finding::pass(path, "completed with our domain"),
        Some(ForwardPath::Address(_)) => match trust {
            Trust::User(user) => Finding::pass(path, format!("{user} is signed in")),
            Trust::LocalNetwork => Finding::pass(path, "the client is in the local network"),
            Trust::Stranger => Finding::refuse(
                &path,
                Reason::RelayDenied {
                    recipient: path.clone(),
                    can_sign_in: settings.general.smtp_auth || facts.client.port != Port::Smtp,
                },
            ),
        },
    }
}

/// A stranger cannot write as one of us.
pub(crate) fn local_sender(facts: &Facts, settings: &Settings) -> Finding {
    if Trust::of(facts, settings).may_relay() {
        return Finding::skip("the client is one of ours");
    }
    match &facts.envelope.sender {
        Some(ReversePath::Address(address))
            if settings.is_local(address) && settings.general.smtp_auth =>
        {
            let sender = wire(address);
            Finding::refuse(
                &sender,
                Reason::LocalSenderNeedsLogin {
                    sender: sender.clone(),
                },
            )
        }
        Some(ReversePath::Address(address)) if settings.is_local(address) => Finding::pass(
            address.to_string(),
            "nobody signs in, so it cannot be checked",
        ),
        Some(path) => Finding::pass(path.to_string(), "not an address of ours"),
        None => Finding::skip("no sender"),
    }
}

/// A signed-in user sends as the own address. The null sender is free, for receipts and notifications.
pub(crate) fn sender_owned(facts: &Facts, settings: &Settings) -> Finding {
    let Trust::User(user) = Trust::of(facts, settings) else {
        return Finding::skip("not signed in");
    };
    if !settings.general.sender_must_match_login {
        return Finding::skip("off");
    }
    let Some(path) = &facts.envelope.sender else {
        return Finding::skip("no sender");
    };
    let Some(address) = sender_address(path, settings) else {
        return Finding::pass("<>", "the null sender is free");
    };
    let sender = wire(&address);
    if settings
        .user_of_address(&address)
        .is_some_and(|owner| owner.name == user)
    {
        Finding::pass(sender, format!("belongs to {user}"))
    } else {
        Finding::refuse(
            &sender,
            Reason::SenderNotOwned {
                sender: sender.clone(),
                user: user.to_owned(),
            },
        )
    }
}

/// A device of the local network that did not sign in can write as one of us only.
pub(crate) fn trusted_sender(facts: &Facts, settings: &Settings) -> Finding {
    if Trust::of(facts, settings) != Trust::LocalNetwork {
        return Finding::skip("not a local device without login");
    }
    // Mail to our own users is plain inbound mail, whoever wrote it.
    if recipient_address(facts, settings).is_none_or(|address| settings.is_local(&address)) {
        return Finding::skip("the recipient is one of ours");
    }
    let Some(path) = &facts.envelope.sender else {
        return Finding::skip("no sender");
    };
    match sender_address(path, settings) {
        None => Finding::pass("<>", "the null sender is free"),
        Some(address) if settings.is_local(&address) => {
            Finding::pass(address.to_string(), "one of our domains")
        }
        Some(address) => {
            let sender = wire(&address);
            Finding::refuse(
                &sender,
                Reason::TrustedSenderNotLocal {
                    sender: sender.clone(),
                },
            )
        }
    }
}

/// A recipient in our domains is somebody.
pub(crate) fn exists(facts: &Facts, settings: &Settings) -> Finding {
    let Some(path) = &facts.recipient else {
        return Finding::skip("no recipient");
    };
    match target(path, settings) {
        Target::User(user) => Finding::pass(path.to_string(), format!("mailbox of {}", user.name)),
        Target::Group(group) => Finding::pass(
            path.to_string(),
            format!("group {} with {} members", group.name, group.members.len()),
        ),
        // RFC 5321 §4.5.1
        Target::Postmaster(mailbox) => {
            Finding::pass(path.to_string(), format!("postmaster, read by {mailbox}"))
        }
        Target::Elsewhere => Finding::skip("not in our domains"),
        Target::Nobody => {
            let recipient = wire_path(path);
            Finding::refuse(
                &recipient,
                Reason::NoSuchUser {
                    recipient: recipient.clone(),
                },
            )
        }
    }
}

/// Which way the mail would take. There always is one; whether it can be gone, the queue finds out.
pub(crate) fn route(facts: &Facts, settings: &Settings) -> Finding {
    let Some(path) = &facts.recipient else {
        return Finding::skip("no recipient");
    };
    let way = match target(path, settings) {
        Target::Nobody => return Finding::skip("nobody to deliver to"),
        Target::Elsewhere => path
            .address()
            .map_or(Destination::Relay, |address| destination(address, settings)),
        Target::User(_) | Target::Group(_) | Target::Postmaster(_) => Destination::Mailbox,
    };
    Finding::pass(path.to_string(), Way(&way, settings).to_string())
}
