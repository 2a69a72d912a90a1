//! The part of a report for people: what happened, to whom, why, and what can be done.

use super::line::{Letters, one_line, paragraph, sentence};
use super::status::unescape;
use super::{Action, Part, Recipient, Report};
use crate::{Scanner, subject};

/// Octets of the reason in our words.
const MAX_TEXT: usize = 600;
/// Octets of what another server said.
const MAX_REPLY: usize = 1000;
/// Octets of a name, an address or a date.
const MAX_NAME: usize = 500;

/// Recipients about whom more is said than their address: nobody reads on, and programs have the other part.
const DESCRIBED: usize = 100;

const INDENT: &str = "    ";

/// In the order of what matters most to the sender.
const ACTIONS: [Action; 5] = [
    Action::Failed,
    Action::Delayed,
    Action::Relayed,
    Action::Expanded,
    Action::Delivered,
];

pub(super) fn part(report: &Report<'_>, is_whole: bool) -> Part {
    let mut text = opening(report);
    let mut left = DESCRIBED;
    for action in ACTIONS {
        let same = report.recipients.iter().filter(|r| r.action == action);
        let same: Vec<&Recipient<'_>> = same.collect();
        if !same.is_empty() {
            paragraph(&mut text, "", headline(action, same.len() > 1));
            text += "\r\n";
            let (described, listed) = same.split_at(left.min(same.len()));
            left -= described.len();
            for recipient in described {
                block(&mut text, recipient, report);
            }
            for recipient in listed {
                name(&mut text, recipient);
            }
            if !listed.is_empty() {
                text += "\r\n";
            }
        }
    }
    if report.recipients.len() > DESCRIBED {
        let listed =
            "Of some recipients only the address stands here. The details below say more of each.";
        paragraph(&mut text, "", listed);
        text += "\r\n";
    }
    let returned = if is_whole {
        "Below this text are the details for mail administrators, and your message."
    } else {
        "Below this text are the details for mail administrators, and the headers of your message."
    };
    paragraph(&mut text, "", returned);
    Part {
        content_type: if text.is_ascii() {
            "text/plain; charset=us-ascii"
        } else {
            "text/plain; charset=utf-8"
        },
        description: "Notification",
        octets: text.into_bytes(),
    }
}

/// Who writes, and about which message.
fn opening(report: &Report<'_>) -> String {
    let mut text = String::new();
    let host = report.reporting_mta.ascii();
    let first = format!("This is the mail server {host}. It reports on a message you sent:");
    paragraph(&mut text, "", &first);
    text += "\r\n";
    let about = subject(&Scanner::scan(report.original.head));
    let about = sentence(&about, MAX_NAME, Letters::Unicode);
    if !about.is_empty() {
        paragraph(&mut text, INDENT, &format!("Subject: {about}"));
    }
    let arrival = sentence(report.arrival, MAX_NAME, Letters::Ascii);
    paragraph(&mut text, INDENT, &format!("Accepted: {arrival}"));
    text += "\r\n";
    text
}

const fn headline(action: Action, several: bool) -> &'static str {
    match (action, several) {
        (Action::Failed, false) => "It could not be delivered to this recipient:",
        (Action::Failed, true) => "It could not be delivered to these recipients:",
        (Action::Delayed, false) => "It has not reached this recipient yet:",
        (Action::Delayed, true) => "It has not reached these recipients yet:",
        (Action::Relayed, false) => {
            "It was passed on to the server of this recipient, which will not confirm delivery:"
        }
        (Action::Relayed, true) => {
            "It was passed on to the servers of these recipients, which will not confirm delivery:"
        }
        (Action::Expanded, false) => {
            "It was distributed to all members of this group; there is no word on each of them:"
        }
        (Action::Expanded, true) => {
            "It was distributed to all members of these groups; there is no word on each of them:"
        }
        (Action::Delivered, false) => "It was delivered to this recipient:",
        (Action::Delivered, true) => "It was delivered to these recipients:",
    }
}

/// Whom it is about.
fn name(text: &mut String, recipient: &Recipient<'_>) {
    let address = one_line(&recipient.address.to_string(), MAX_NAME, Letters::Unicode);
    match wrote_to(recipient) {
        Some(other) => paragraph(text, "", &format!("<{address}> (you wrote to {other})")),
        None => paragraph(text, "", &format!("<{address}>")),
    }
}

/// What there is to say about one recipient.
fn block(text: &mut String, recipient: &Recipient<'_>, report: &Report<'_>) {
    name(text, recipient);
    let reason = sentence(recipient.text, report.room(MAX_TEXT), Letters::Unicode);
    paragraph(text, INDENT, &reason);
    let reply = sentence(
        recipient.diagnostic.unwrap_or_default(),
        report.room(MAX_REPLY),
        Letters::Unicode,
    );
    if !reply.is_empty() {
        let name = recipient
            .remote_mta
            .map(|name| sentence(name, MAX_NAME, Letters::Unicode));
        let who = name.filter(|name| !name.is_empty());
        let who = who.unwrap_or_else(|| "the other server".to_owned());
        paragraph(text, INDENT, &format!("The answer of {who} was:"));
        paragraph(text, "    > ", &reply);
    }
    match recipient.action {
        Action::Failed => paragraph(text, INDENT, advice(recipient.status)),
        Action::Delayed => paragraph(text, INDENT, &patience(recipient)),
        Action::Relayed | Action::Expanded | Action::Delivered => {}
    }
    text.push_str("\r\n");
}

/// The address the sender used, when it is another one.
fn wrote_to(recipient: &Recipient<'_>) -> Option<String> {
    let (kind, address) = recipient.original?.split_once(';')?;
    let address = match kind.to_ascii_lowercase().as_str() {
        "rfc822" => address.to_owned(),
        "utf-8" => unescape(address)?,
        _ => return None,
    };
    let same = [
        recipient.address.to_string(),
        recipient.address.to_ascii_domain(),
    ]
    .iter()
    .any(|known| known.eq_ignore_ascii_case(&address));
    let address = one_line(&address, MAX_NAME, Letters::Unicode);
    (!same && !address.is_empty()).then_some(address)
}

fn patience(recipient: &Recipient<'_>) -> String {
    let until = recipient
        .will_retry_until
        .map(|moment| sentence(moment, MAX_NAME, Letters::Ascii));
    match until.filter(|until| !until.is_empty()) {
        Some(until) => format!(
            "You need not send it again: delivery will be tried until {until}, and you will be told if it fails for good."
        ),
        None => "You need not send it again: delivery will be tried further, and you will be told if it fails for good."
            .to_owned(),
    }
}

/// What the sender can do, by the cause the status names (RFC 3463 §3).
const fn advice(status: (u8, u16, u16)) -> &'static str {
    match status {
        (_, 1, 2 | 10) => {
            "Please check the part of the address after the @: no mail is taken there. If it is right, ask the recipient for \
             another address."
        }
        (_, 1, 7 | 8) => {
            "Your own address was not accepted as a sender. Please check the address your mail program sends with."
        }
        (_, 1, _) => {
            "Please check the address for mistakes and send the message again. If it is right, ask the recipient for their \
             current address."
        }
        (_, 2, 2) => {
            "The mailbox has no room. Please send the message again later, or tell the recipient in another way."
        }
        (_, 2, 3) | (_, 3, 4) => {
            "The message is too large for the recipient. Please send it in smaller pieces, or share large files in another way."
        }
        (_, 2, _) => {
            "The mailbox takes no mail at the moment. Please tell the recipient in another way."
        }
        (_, 4, 6) => {
            "Mail for this address goes in a circle. Please send this report to your mail administrator."
        }
        (_, 4, _) | (4, ..) => {
            "The trouble lasted too long, so delivery was given up. Please send the message again later, or tell the recipient \
             in another way."
        }
        (_, 6, _) => {
            "The other server cannot take a message of this form. Please send it as plain text, or with an address made of \
             ordinary letters only."
        }
        (_, 7, _) => {
            "The other server does not want this message. Please send its answer to the recipient in another way, or to your \
             mail administrator."
        }
        _ => "If you do not know why, please send this report to your mail administrator.",
    }
}
