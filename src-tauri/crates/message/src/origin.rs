//! Facts about who wrote a message and how it came: what `policy` compares with the login, and what the journal shows.

use serde::Serialize;
use smtp::Address;

use crate::mailbox::{Entry, parse_list};
use crate::parameter::Parameterised;
use crate::scan::{Header, Scan};
use crate::text::{MAX_SHOWN, decode_words, lower, printable};

/// `Delivered-To` values that are looked at.
const MAX_DELIVERED_TO: usize = 100;

/// The addresses of all header fields of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// How many such fields there are; RFC 5322 §3.6 allows one.
    pub fields: usize,
    /// Every address a reader could be shown, in order, repetitions included.
    pub addresses: Vec<Address>,
    /// Entries that are no address, made printable, at most 255 characters each.
    pub unreadable: Vec<String>,
}

/// The addresses of all `From` fields.
#[must_use]
pub fn from_addresses(scan: &Scan) -> Addresses {
    addresses(scan, "From")
}

/// The addresses of all `Sender` fields.
#[must_use]
pub fn sender_addresses(scan: &Scan) -> Addresses {
    addresses(scan, "Sender")
}

fn addresses(scan: &Scan, name: &str) -> Addresses {
    let mut found = Addresses::default();
    for field in scan.fields(name) {
        found.fields += 1;
        for entry in parse_list(&field.text()) {
            match entry {
                Entry::Address(address) => found.addresses.push(address),
                Entry::Unreadable(text) => found.unreadable.push(text),
            }
        }
    }
    found
}

/// A header field that a program adds when it forwards mail by itself. Whether it was an automatic forward is for
/// the policy to say: some marks mean it only together with the `From` field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// `Resent-From` (RFC 5322 §3.6.6).
    ResentFrom,
    /// `Resent-Sender`.
    ResentSender,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `X-Forwarded-To`.
    XForwardedTo,
    /// `X-MS-Exchange-Inbox-Rules-Loop`.
    InboxRulesLoop,
    /// `X-Autoforward` or `X-Auto-Forward`, also with more behind it.
    AutoForward,
    /// `Auto-Submitted: auto-forwarded`, which RFC 3834 does not register but programs send.
    AutoSubmitted,
    /// `Delivered-To` with this address.
    DeliveredTo(Address),
}

/// The marks of automatic forwarding a message carries, each kind once, every `Delivered-To`.
#[must_use]
pub fn auto_forward_marks(scan: &Scan) -> Vec<Mark> {
    let mut marks = Vec::new();
    for header in &scan.headers {
        if header.is_named("Delivered-To") {
            delivered_to(header, &mut marks);
        } else if let Some(mark) = mark(header).filter(|mark| !marks.contains(mark)) {
            marks.push(mark);
        }
    }
    marks
}

fn mark(header: &Header) -> Option<Mark> {
    let name = header.name.to_ascii_lowercase();
    match name.as_str() {
        "resent-from" => Some(Mark::ResentFrom),
        "resent-sender" => Some(Mark::ResentSender),
        "x-forwarded-for" => Some(Mark::XForwardedFor),
        "x-forwarded-to" => Some(Mark::XForwardedTo),
        "x-ms-exchange-inbox-rules-loop" => Some(Mark::InboxRulesLoop),
        "auto-submitted" => is_auto_forwarded(&header.text()).then_some(Mark::AutoSubmitted),
        _ => {
            let forwarded = name.starts_with("x-autoforward") || name.starts_with("x-auto-forward");
            forwarded.then_some(Mark::AutoForward)
        }
    }
}

/// RFC 3834 §5: the keyword may be followed by parameters or a comment.
fn is_auto_forwarded(value: &str) -> bool {
    let keyword = value
        .split([';', '(', ' ', '\t'])
        .next()
        .unwrap_or_default();
    keyword.eq_ignore_ascii_case("auto-forwarded")
}

fn delivered_to(header: &Header, marks: &mut Vec<Mark>) {
    for entry in parse_list(&header.text()) {
        if let Entry::Address(address) = entry
            && marks.len() < MAX_DELIVERED_TO
        {
            marks.push(Mark::DeliveredTo(address));
        }
    }
}

/// What kind of report a `multipart/report` says it is, in lower case (RFC 6522 §3); `None` for any other message.
#[must_use]
pub fn report_type(scan: &Scan) -> Option<String> {
    let field = scan.fields("Content-Type").next()?;
    let kind = Parameterised::parse(&field.unfolded());
    let value = kind
        .octets("report-type")
        .filter(|_| kind.token == "multipart/report")?;
    Some(lower(value.trim_ascii()))
}

/// The first `Message-ID`, as written with its brackets, at most 255 characters.
#[must_use]
pub fn message_id(scan: &Scan) -> Option<String> {
    let text = scan.fields("Message-ID").next()?.text();
    let text = printable(&text, MAX_SHOWN);
    (!text.is_empty()).then_some(text)
}

/// The first `Subject`, decoded and made printable, at most 255 characters; empty when there is none.
#[must_use]
pub fn subject(scan: &Scan) -> String {
    let field = scan.fields("Subject").next();
    field.map_or_else(String::new, |field| {
        printable(&decode_words(&field.unfolded()), MAX_SHOWN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;

    fn scan(header: &str) -> Scan {
        Scanner::scan(
            format!("{header}\n\nbody\n")
                .replace('\n', "\r\n")
                .as_bytes(),
        )
    }

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn every_from_field_counts() {
        let found = from_addresses(&scan(
            "From: A <a@x.example>\nSubject: x\nfrom:\n b@x.example, broken",
        ));
        assert_eq!(found.fields, 2);
        assert_eq!(
            found.addresses,
            [address("a@x.example"), address("b@x.example")]
        );
        assert_eq!(found.unreadable, ["broken"]);
        assert_eq!(from_addresses(&scan("Subject: x")), Addresses::default());
    }

    #[test]
    fn white_space_before_the_colon_does_not_hide_a_field() {
        assert_eq!(
            from_addresses(&scan("From : a@x.example")).addresses.len(),
            1
        );
    }

    #[test]
    fn the_sender_field_is_read_apart() {
        let scan = scan("From: a@x.example\nSender: s@x.example");
        assert_eq!(sender_addresses(&scan).addresses, [address("s@x.example")]);
    }

    #[test]
    fn the_marks_of_automatic_forwarding_are_found() {
        let scan = scan(
            "Resent-From: a@x.example\nX-Forwarded-To: b\nX-AutoForwarded: yes\nAuto-Submitted: Auto-Forwarded (rule)\n\
             Delivered-To: a@x.example\nDelivered-To: not one\nX-MS-Exchange-Inbox-Rules-Loop: x\nresent-from: b",
        );
        assert_eq!(
            auto_forward_marks(&scan),
            [
                Mark::ResentFrom,
                Mark::XForwardedTo,
                Mark::AutoForward,
                Mark::AutoSubmitted,
                Mark::DeliveredTo(address("a@x.example")),
                Mark::InboxRulesLoop,
            ]
        );
    }

    #[test]
    fn a_message_forwarded_by_a_person_or_an_automatic_reply_has_no_mark() {
        let scan = scan("From: a@x.example\nSubject: Fwd: x\nAuto-Submitted: auto-replied");
        assert_eq!(auto_forward_marks(&scan), []);
    }

    #[test]
    fn a_report_says_of_what_kind_it_is() {
        let kind = |value: &str| report_type(&scan(&format!("Content-Type: {value}")));
        assert_eq!(
            kind("Multipart/Report; boundary=b;\n report-type=\"Delivery-Status\"").as_deref(),
            Some("delivery-status")
        );
        assert_eq!(
            kind("multipart/report; report-type=feedback-report").as_deref(),
            Some("feedback-report")
        );
        assert_eq!(kind("multipart/report; boundary=b"), None);
        assert_eq!(kind("multipart/mixed; report-type=delivery-status"), None);
    }

    #[test]
    fn subject_and_message_id_are_decoded_and_bounded() {
        let long = scan(&format!(
            "Subject: =?utf-8?q?Zo=C3=AB?=\n =?utf-8?q?_x?= {}\nMessage-ID: <1@x>",
            "y".repeat(600)
        ));
        assert!(subject(&long).starts_with("Zoë x yyy"));
        assert_eq!(subject(&long).chars().count(), 255);
        assert_eq!(message_id(&long).as_deref(), Some("<1@x>"));
        assert_eq!(subject(&scan("A: b")), "");
        assert_eq!(message_id(&scan("A: b")), None);
    }
}
