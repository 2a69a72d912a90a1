//! The trace fields this server writes at the top of a message (RFC 5321 §4.4).
//!
//! Much of what stands in them comes from strangers: the EHLO name, a name from the DNS. It can neither begin a
//! new field nor pretend to be another clause.

use std::net::IpAddr;
use std::ops::Range;

use smtp::{Address, Domain, ReversePath};

/// RFC 5322 §2.1.1: lines should not be longer than this.
const LINE: usize = 78;
/// RFC 5321 §4.5.3.1.2: a domain has at most 255 octets; what is longer is cut.
const MAX_NAME: usize = 255;

/// What encrypted the connection, for people: `TLSv1.3`, `TLS_AES_128_GCM_SHA256`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The protocol version.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
}

/// One `Received` field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The name the client gave with EHLO or HELO, whatever it is.
    pub from_helo: String,
    /// The client's address.
    pub client_ip: IpAddr,
    /// The client's name by the DNS, when known.
    pub client_name: Option<String>,
    /// The name of this server.
    pub by: Domain,
    /// The protocol keyword, see [`protocol`].
    pub with: &'static str,
    /// The encryption, when there is any.
    pub tls: Option<Tls>,
    /// The token of the transaction in the journal.
    pub id: String,
    /// The recipient, to be given only when there is just one: others must not be told about each other.
    pub for_: Option<Address>,
    /// The moment in the form of RFC 5322 §3.3.
    pub date: String,
}

impl Received {
    /// The field with its line end, folded.
    #[must_use]
    pub fn to_header(&self) -> String {
        let mut field = Folded::new("Received:");
        field.word("from");
        field.word(&host_name(&self.from_helo));
        let address = address_literal(self.client_ip);
        match &self.client_name {
            Some(name) => {
                field.word(&format!("({}", host_name(name)));
                field.word(&format!("{address})"));
            }
            None => field.word(&format!("({address})")),
        }
        field.line();
        field.word("by");
        field.word(self.by.ascii());
        field.words("(Postroom) with");
        field.word(self.with);
        field.word("id");
        field.word(&safe(&self.id));
        if let Some(tls) = &self.tls {
            field.line();
            field.word(&format!("(using {}", safe(&tls.version)));
            field.word("cipher");
            field.word(&format!("{})", safe(&tls.cipher)));
        }
        if let Some(recipient) = &self.for_ {
            field.line();
            field.word("for");
            field.word(&format!("<{}>", recipient.to_ascii_domain()));
        }
        field.text.push(';');
        field.line();
        field.words(&printable_ascii(&self.date));
        field.end()
    }
}

/// The keyword of the `with` clause (RFC 3848, RFC 6531 §4.3).
#[must_use]
pub fn protocol(extended: bool, smtputf8: bool, tls: bool, authenticated: bool) -> &'static str {
    match (extended, smtputf8, tls, authenticated) {
        (false, ..) => "SMTP",
        (true, false, false, false) => "ESMTP",
        (true, false, false, true) => "ESMTPA",
        (true, false, true, false) => "ESMTPS",
        (true, false, true, true) => "ESMTPSA",
        (true, true, false, false) => "UTF8SMTP",
        (true, true, false, true) => "UTF8SMTPA",
        (true, true, true, false) => "UTF8SMTPS",
        (true, true, true, true) => "UTF8SMTPSA",
    }
}

/// The `Return-Path` field with its line end, for final delivery (RFC 5321 §4.4).
#[must_use]
pub fn return_path(path: &ReversePath) -> String {
    match path {
        ReversePath::Address(address) => {
            format!("Return-Path: <{}>\r\n", address.to_ascii_domain())
        }
        other => format!("Return-Path: {other}\r\n"),
    }
}

/// The `Delivered-To` field with its line end.
#[must_use]
pub fn delivered_to(address: &Address) -> String {
    format!("Delivered-To: {}\r\n", address.to_ascii_domain())
}

/// RFC 5321 §4.1.3.
fn address_literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

/// A name as a domain when it is one, else made harmless.
fn host_name(name: &str) -> String {
    match Domain::parse(name) {
        Ok(domain) => domain.ascii().to_owned(),
        Err(_) => safe(name),
    }
}

/// Only characters of host names, address literals and tokens stay, so that nothing can end a clause or a comment.
fn safe(text: &str) -> String {
    let safe: String = text
        .chars()
        .take(MAX_NAME)
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-._:[]+/".contains(c) {
                c
            } else {
                '?'
            }
        })
        .collect();
    if safe.is_empty() {
        "?".to_owned()
    } else {
        safe
    }
}

fn printable_ascii(text: &str) -> String {
    text.chars()
        .take(MAX_NAME)
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect()
}

/// A field that is folded between words.
pub(crate) struct Folded {
    text: String,
    column: usize,
}

impl Folded {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            text: name.to_owned(),
            column: name.len(),
        }
    }

    pub(crate) fn word(&mut self, word: &str) {
        let length = word.chars().count();
        // One place is kept for the semicolon that may follow.
        if self.column > 8 && self.column + 1 + length >= LINE {
            self.line();
        }
        if !self.text.ends_with('\t') {
            self.text.push(' ');
            self.column += 1;
        }
        self.text.push_str(word);
        self.column += length;
    }

    fn words(&mut self, words: &str) {
        words
            .split(' ')
            .filter(|word| !word.is_empty())
            .for_each(|word| self.word(word));
    }

    /// Begins the next line, unless this one is empty.
    pub(crate) fn line(&mut self) {
        if !self.text.ends_with('\t') {
            self.text.push_str("\r\n\t");
            // A tab is counted as it is shown.
            self.column = 8;
        }
    }

    pub(crate) fn end(mut self) -> String {
        self.text.push_str("\r\n");
        self.text
    }
}

/// Where the `Return-Path` fields of a header block stand, with their continuation lines; `head` begins with the block.
#[must_use]
pub fn return_path_fields(head: &[u8]) -> Vec<Range<usize>> {
    const NAME: &[u8] = b"return-path:";
    let mut fields: Vec<Range<usize>> = Vec::new();
    let mut inside = false;
    let mut at = 0;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        let continues = line
            .first()
            .is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        if !continues {
            let name = line.get(..NAME.len());
            inside = name.is_some_and(|name| name.eq_ignore_ascii_case(NAME));
        }
        match fields.last_mut() {
            Some(last) if inside && last.end == at => last.end = end,
            _ if inside => fields.push(at..end),
            _ => {}
        }
        at = end;
    }
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Scanner;

    fn received() -> Received {
        Received {
            from_helo: "mail.example.org".into(),
            client_ip: "192.0.2.1".parse().unwrap(),
            client_name: None,
            by: Domain::parse("mx.office.example").unwrap(),
            with: protocol(true, false, false, false),
            tls: None,
            id: "K7QF2M".into(),
            for_: None,
            date: "Tue, 24 Nov 2026 05:00:00 +0000".into(),
        }
    }

    #[test]
    fn the_smallest_field_names_client_server_and_moment() {
        assert_eq!(
            received().to_header(),
            "Received: from mail.example.org ([192.0.2.1])\r\n\tby mx.office.example (Postroom) with ESMTP id K7QF2M;\r\n\
             \tTue, 24 Nov 2026 05:00:00 +0000\r\n"
        );
    }

    #[test]
    fn a_complete_field_has_name_encryption_and_recipient() {
        let field = Received {
            client_name: Some("host.example.org".into()),
            client_ip: "2001:db8::1".parse().unwrap(),
            with: protocol(true, false, true, true),
            tls: Some(Tls {
                version: "TLSv1.3".into(),
                cipher: "TLS_AES_256_GCM_SHA384".into(),
            }),
            for_: Some(Address::parse("anna@büro.example").unwrap()),
            ..received()
        };
        assert_eq!(
            field.to_header(),
            "Received: from mail.example.org (host.example.org [IPv6:2001:db8::1])\r\n\
             \tby mx.office.example (Postroom) with ESMTPSA id K7QF2M\r\n\
             \t(using TLSv1.3 cipher TLS_AES_256_GCM_SHA384)\r\n\
             \tfor <anna@xn--bro-hoa.example>;\r\n\tTue, 24 Nov 2026 05:00:00 +0000\r\n"
        );
    }

    #[test]
    fn a_mapped_address_is_shown_as_what_it_is() {
        let field = Received {
            client_ip: "::ffff:192.0.2.7".parse().unwrap(),
            ..received()
        };
        assert!(field.to_header().contains("([192.0.2.7])"));
    }

    #[test]
    fn a_hostile_helo_can_neither_end_the_field_nor_add_a_clause() {
        let field = Received {
            from_helo: "x (y [10.0.0.1]) by z;\r\nFrom: a@b\r\n\r\n".into(),
            client_name: Some("a) by (b".into()),
            ..received()
        };
        let text = field.to_header();
        assert!(text.starts_with(
            "Received: from x??y?[10.0.0.1]??by?z???From:?a?b???? (a??by??b [192.0.2.1])"
        ));
    }

    #[test]
    fn protocol_keywords_follow_the_registry() {
        assert_eq!(protocol(false, false, true, true), "SMTP");
        assert_eq!(protocol(true, false, true, false), "ESMTPS");
        assert_eq!(protocol(true, true, true, true), "UTF8SMTPSA");
    }

    #[test]
    fn paths_are_written_with_their_ascii_domain() {
        let address = Address::parse("\"a b\"@büro.example").unwrap();
        assert_eq!(
            delivered_to(&address),
            "Delivered-To: \"a b\"@xn--bro-hoa.example\r\n"
        );
        assert_eq!(return_path(&ReversePath::Null), "Return-Path: <>\r\n");
        assert_eq!(
            return_path(&ReversePath::Address(address)),
            "Return-Path: <\"a b\"@xn--bro-hoa.example>\r\n"
        );
    }

    proptest! {
        #[test]
        fn whatever_a_client_says_it_stays_one_field_with_short_lines(
            helo in any::<String>(), name in any::<Option<String>>(), id in any::<String>(), date in any::<String>(),
        ) {
            let field = Received { from_helo: helo, client_name: name, id, date, ..received() };
            let text = field.to_header();
            prop_assert!(text.is_ascii());
            for line in text.split_terminator("\r\n") {
                prop_assert!(!line.contains(['\r', '\n', '\0']));
                prop_assert!(line.len() <= LINE || line.trim().split(' ').count() <= 2, "{line:?}");
                prop_assert!(line.len() <= 998 || line.trim().split(' ').count() == 1);
            }
            let scan = Scanner::scan(format!("{text}Subject: x\r\n\r\n").as_bytes());
            prop_assert_eq!((scan.hops(), scan.headers.len()), (1, 2));
        }
    }
}
