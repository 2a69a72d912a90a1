//! Rules at DATA and after the last byte.

use settings::Settings;
use smtp::{Address, ReversePath};

use super::wire;
use crate::decision::Finding;
use crate::facts::{Facts, MessageFacts};
use crate::reason::Reason;
use crate::trust::Trust;

/// A message of ours that lost recipients to the limit is not sent in part; other servers send the rest again.
pub(crate) fn all_recipients_taken(facts: &Facts, settings: &Settings) -> Finding {
    let limit = settings.general.max_recipients;
    let over = facts.envelope.over_limit;
    let count = u32::try_from(facts.envelope.taken())
        .unwrap_or(u32::MAX)
        .saturating_add(over);
    let input = format!("{count} recipients, limit {limit}");
    if over == 0 {
        Finding::pass(input, "all were within the limit")
    } else if Trust::of(facts, settings).may_relay() {
        Finding::refuse(input, Reason::NothingSentTooManyRecipients { count, limit })
    } else {
        Finding::pass(input, "the sending server keeps the rest")
    }
}

fn with_message(facts: &Facts, check: impl FnOnce(&MessageFacts) -> Finding) -> Finding {
    facts
        .message
        .as_ref()
        .map_or_else(|| Finding::skip("no message"), check)
}

/// Bytes as they arrived, RFC 1870 §5.
pub(crate) fn size(facts: &Facts, settings: &Settings) -> Finding {
    with_message(facts, |message| {
        let limit = settings.general.max_message_bytes();
        let input = format!("{} of {limit} bytes", message.size);
        if message.size > limit || message.oversize {
            Finding::refuse(
                input,
                Reason::MessageTooLarge {
                    size: message.size,
                    limit,
                },
            )
        } else {
            Finding::pass(input, "within the limit")
        }
    })
}

/// Fields that nobody has read could be hops, authors, or marks of forwarding.
pub(crate) fn header_size(facts: &Facts, _: &Settings) -> Finding {
    with_message(facts, |message| {
        if message.header_too_large {
            Finding::refuse("not read to its end", Reason::HeaderTooLarge)
        } else {
            Finding::pass("read to its end", "within the limit")
        }
    })
}

/// RFC 5321 §6.3: loops are found by counting Received fields.
pub(crate) fn hops(facts: &Facts, settings: &Settings) -> Finding {
    with_message(facts, |message| {
        let limit = settings.general.max_hops;
        let input = format!("{} of {limit} hops", message.hops);
        if message.hops > limit as usize {
            Finding::refuse(
                input,
                Reason::TooManyHops {
                    hops: message.hops,
                    limit,
                },
            )
        } else {
            Finding::pass(input, "within the limit")
        }
    })
}

/// The largest attachment, decoded, is within the limit.
pub(crate) fn attachments(facts: &Facts, settings: &Settings) -> Finding {
    let general = &settings.general;
    let (Some(limit), Some(limit_mb)) = (
        general.max_attachment_bytes(),
        general.max_attachment_size_mb,
    ) else {
        return Finding::skip("no limit");
    };
    with_message(facts, |message| match &message.largest_attachment {
        None => Finding::pass("no attachment", "nothing to measure"),
        Some(largest) => {
            let input = format!("\"{}\", {} of {limit} bytes", largest.name, largest.size);
            if largest.size > limit {
                let reason = Reason::AttachmentTooLarge {
                    name: largest.name.clone(),
                    size: largest.size,
                    limit_mb,
                };
                Finding::refuse(input, reason)
            } else {
                Finding::pass(input, "the largest attachment is within the limit")
            }
        }
    })
}

/// What people see as the sender belongs to the signed-in user too: every mailbox of From and Sender.
pub(crate) fn authors_owned(facts: &Facts, settings: &Settings) -> Finding {
    let Trust::User(user) = Trust::of(facts, settings) else {
        return Finding::skip("not signed in");
    };
    if !settings.general.sender_must_match_login {
        return Finding::skip("off");
    }
    let owned = |address: &&Address| {
        settings
            .user_of_address(address)
            .is_some_and(|owner| owner.name == user)
    };
    with_message(facts, |message| {
        // Where a line is no field, readers disagree about which fields there are, and an author could hide from us.
        let unreadable = message
            .header_problem
            .iter()
            .chain(&message.unreadable_authors);
        if let Some(text) = unreadable.into_iter().next() {
            return Finding::refuse(text, Reason::UnreadableAuthor);
        }
        if message.from.is_empty() {
            return without_author(facts, message, user);
        }
        match message
            .from
            .iter()
            .chain(&message.sender)
            .find(|address| !owned(address))
        {
            Some(stranger) => {
                let author = wire(stranger);
                Finding::refuse(
                    &author,
                    Reason::AuthorNotOwned {
                        author: author.clone(),
                        user: user.to_owned(),
                    },
                )
            }
            None => Finding::pass(message.from[0].to_string(), format!("belongs to {user}")),
        }
    })
}

/// Scripts leave the From field out; then nothing is shown that could be forged, and the envelope's sender, which was
/// checked, is all there is. A field without an address, or no sender at all, is another matter.
fn without_author(facts: &Facts, message: &MessageFacts, user: &str) -> Finding {
    let has_sender = !matches!(facts.envelope.sender, None | Some(ReversePath::Null));
    if message.from_fields == 0 && message.sender.is_empty() && has_sender {
        Finding::pass(
            "no From header",
            format!("the sender of the envelope belongs to {user}"),
        )
    } else {
        Finding::refuse("no address in From", Reason::NoAuthor)
    }
}

/// Nothing in the header says that a machine passed the message on by itself. Notifications are never forwards.
pub(crate) fn not_auto_forwarded(facts: &Facts, settings: &Settings) -> Finding {
    if !settings.general.disable_auto_forwarding {
        return Finding::skip("auto-forwarding is allowed");
    }
    let trust = Trust::of(facts, settings);
    if !trust.may_relay() {
        return Finding::skip("mail from other servers");
    }
    with_message(facts, |message| {
        if message.notification {
            return Finding::pass("a notification", "not a forward");
        }
        let foreign = !message
            .from
            .iter()
            .any(|address| settings.is_local(address));
        let mine = |address: &Address| match trust {
            Trust::User(user) => settings
                .user_of_address(address)
                .is_some_and(|owner| owner.name == user),
            _ => settings.is_local(address),
        };
        let mark = message
            .forward_marks
            .first()
            .cloned()
            .or_else(|| {
                (message.resent && foreign).then(|| "Resent-From with a foreign From".into())
            })
            .or_else(|| {
                (foreign && message.delivered_to.iter().any(mine))
                    .then(|| "Delivered-To with a foreign From".into())
            });
        match mark {
            Some(mark) => Finding::refuse(mark, Reason::AutoForwarded),
            None => Finding::pass("no mark of forwarding", "sent by a person"),
        }
    })
}
