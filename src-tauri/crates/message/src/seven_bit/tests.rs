//! The conversion against small messages, and against random ones whose meaning must stay.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::Scanner;

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn converted(text: &str) -> String {
    String::from_utf8(convert(&crlf(text)).unwrap())
        .unwrap()
        .replace("\r\n", "\n")
}

fn error(text: &str) -> Inconvertible {
    convert(&crlf(text)).unwrap_err()
}

#[test]
fn a_message_of_seven_bits_stays_as_it_is_whatever_its_structure() {
    let text = b"Content-Type: multipart/signed\nContent-Transfer-Encoding: 8bit\n\nno parts\r";
    assert_eq!(convert(text).unwrap(), text);
    assert_eq!(convert(b"").unwrap(), b"");
}

#[test]
fn a_text_becomes_quoted_printable_and_its_encoding_field_is_replaced_in_place() {
    assert_eq!(
        converted("MIME-Version: 1.0\ncontent-transfer-encoding :\n 8bit\nSubject: x\n\nZoë\n"),
        "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\nSubject: x\n\nZo=C3=AB\n"
    );
}

#[test]
fn a_message_without_any_description_gets_one() {
    assert_eq!(
        converted("Subject: x\n\nZoë\n"),
        "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\n\nZo=C3=AB\n"
    );
    let latin = convert(b"A: b\r\n\r\nZo\xeb\r\n").unwrap();
    assert!(latin.ends_with(
        b"charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nZo=EB\r\n"
    ));
}

#[test]
fn nuls_are_encoded_in_a_body_and_refused_in_a_header() {
    assert_eq!(
        converted("Subject: x\n\na\n\0.\n"),
        "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\n\na\n=00.\n"
    );
    assert_eq!(error("Subject: \0\n\n\0\n"), Inconvertible::Header);
}

#[test]
fn only_parts_with_octets_above_127_are_touched() {
    assert_eq!(
        converted(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\nContent-Transfer-Encoding: 8bit\n\npre\n--b\n\n\
             plain = text\n--b\nContent-Type: text/html\n\nZoë\n\n--b  \nContent-Type: image/png\n\n\u{ff}\n--b--\nepilogue\n"
        ),
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\nContent-Transfer-Encoding: 7bit\n\npre\n--b\n\n\
         plain = text\n--b\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\nZo=C3=AB\n\n--b  \n\
         Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nw78=\n--b--\nepilogue\n"
    );
}

#[test]
fn an_attached_message_is_converted_inside() {
    assert_eq!(
        converted(
            "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: x\n\nZoë\n"
        ),
        "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: x\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nZo=C3=AB\n"
    );
    assert_eq!(
        converted(
            "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nMIME-Version: 1.0\n\nZoë\n--b--\n"
        ),
        "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nMIME-Version: 1.0\n\
         Content-Transfer-Encoding: quoted-printable\n\nZo=C3=AB\n--b--\n"
    );
}

#[test]
fn an_international_attached_message_is_encoded_as_a_whole() {
    let text = converted("MIME-Version: 1.0\nContent-Type: message/global\n\nSubject: Zoë\n\nx\n");
    let (head, body) = text.split_once("\n\n").unwrap();
    assert!(head.ends_with("Content-Transfer-Encoding: base64"));
    assert_eq!(
        STANDARD.decode(body.trim_end()).unwrap(),
        crlf("Subject: Zoë\n\nx\n")
    );
    assert!(text.ends_with('\n'));
}

#[test]
fn what_cannot_be_converted_says_why() {
    use Inconvertible::*;
    let boundary = |kind: &str, inner: &str| {
        error(&format!(
            "Content-Type: {kind}; boundary=b\n\n--b\n{inner}\n--b--\n"
        ))
    };
    assert_eq!(error("Subject: Zoë\n\nx\n"), Header);
    assert_eq!(boundary("multipart/mixed", "X: ë\n\nx"), Header);
    assert_eq!(boundary("multipart/signed", "\nZoë"), Sealed);
    assert_eq!(boundary("Multipart/Encrypted", "\nZoë"), Sealed);
    assert_eq!(error("A: b\nbad line\n\nZoë\n"), Malformed);
    assert_eq!(error(" A: b\n\nZoë\n"), Malformed);
    assert_eq!(
        error("Content-Type: a/b\nContent-Type: a/b\n\nZoë\n"),
        Malformed
    );
    assert_eq!(error("Content-Type: ab\n\nZoë\n"), Malformed);
    assert_eq!(
        error("Content-Transfer-Encoding: base64\n\nZoë\n"),
        Malformed
    );
    assert_eq!(error("Content-Transfer-Encoding: x-uu\n\nZoë\n"), Malformed);
    assert_eq!(
        error("Content-Type: multipart/mixed\n\n--b\n\nZoë\n--b--\n"),
        Malformed
    );
    assert_eq!(
        error("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nZoë\n"),
        Malformed
    );
    assert_eq!(
        error("Content-Type: multipart/mixed; boundary=b\n\në\n--b\n\n--b--\n"),
        Malformed
    );
    assert_eq!(
        error("Content-Type: message/delivery-status\n\nA: ë\n"),
        Malformed
    );
    let nested =
        |levels: usize| "Content-Type: message/rfc822\n\n".repeat(levels) + "A: b\n\nZoë\n";
    assert!(convert(&crlf(&nested(20))).is_ok());
    assert_eq!(error(&nested(21)), TooDeep);
}

#[test]
fn too_many_parts_or_fields_are_refused_rather_than_listed() {
    let parts = format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{}\n\në\n--b--\n",
        "--b\n".repeat(1001)
    );
    assert_eq!(error(&parts), Inconvertible::Malformed);
    let fields = format!("{}\në\n", "A:\n".repeat(2001));
    assert_eq!(error(&fields), Inconvertible::Malformed);
}

/// Undoes quoted-printable the way RFC 2045 §6.7 has it, for text that was written by the rules.
fn decode_quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'=' {
            octets.push(first);
        } else if let Some(after) = tail.strip_prefix(b"\r\n") {
            rest = after;
        } else {
            let digits = std::str::from_utf8(&tail[..2]).unwrap();
            octets.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &tail[2..];
        }
    }
    octets
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(&'static str, Vec<u8>),
    Multipart(Vec<Node>),
    Message(Box<Node>),
}

fn nodes() -> impl Strategy<Value = Node> {
    let octet = prop_oneof![
        3 => any::<u8>(), 2 => Just(b' '), 1 => Just(b'='), 1 => Just(b'\r'), 1 => Just(b'\n'), 3 => Just(b'x')
    ];
    let kind = prop_oneof![Just("text/plain"), Just("text/html"), Just("image/png")];
    let leaf = (kind, proptest::collection::vec(octet, 0..300))
        .prop_map(|(kind, octets)| Node::Leaf(kind, octets));
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Node::Multipart),
            inner.prop_map(|node| Node::Message(Box::new(node))),
        ]
    })
}

fn render(node: &Node, name: &str) -> Vec<u8> {
    let version = "MIME-Version: 1.0\r\n";
    match node {
        Node::Leaf(kind, octets) => {
            let head =
                format!("{version}Content-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
            [head.as_bytes(), octets].concat()
        }
        Node::Message(inner) => {
            let head = format!("{version}Content-Type: message/rfc822\r\n\r\n");
            [head.into_bytes(), render(inner, &format!("{name}m"))].concat()
        }
        Node::Multipart(inner) => {
            let boundary = format!("=_{name}");
            let mut text =
                format!("{version}Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n")
                    .into_bytes();
            for (index, node) in inner.iter().enumerate() {
                text.extend(format!("--{boundary}\r\n").into_bytes());
                text.extend(render(node, &format!("{name}{index}")));
                text.extend_from_slice(b"\r\n");
            }
            text.extend(format!("--{boundary}--\r\n").into_bytes());
            text
        }
    }
}

fn leaves<'a>(node: &'a Node, found: &mut Vec<&'a [u8]>) {
    match node {
        Node::Leaf(_, octets) => found.push(octets),
        Node::Message(inner) => leaves(inner, found),
        Node::Multipart(inner) => inner.iter().for_each(|node| leaves(node, found)),
    }
}

/// The decoded bodies of all leaves, in order.
fn decoded(message: &[u8]) -> Vec<Vec<u8>> {
    let range = |range: &std::ops::Range<u64>| {
        usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()
    };
    Scanner::scan(message)
        .parts
        .iter()
        .filter(|part| part.content_type.starts_with("text/") || part.content_type == "image/png")
        .map(|part| {
            let body = &message[range(&part.raw)];
            let head = &message[..range(&part.raw).start];
            if head.ends_with(b": quoted-printable\r\n\r\n") {
                decode_quoted_printable(body)
            } else if head.ends_with(b": base64\r\n\r\n") {
                let digits: Vec<u8> = body
                    .iter()
                    .copied()
                    .filter(|o| !o.is_ascii_whitespace())
                    .collect();
                STANDARD.decode(digits).unwrap()
            } else {
                body.to_vec()
            }
        })
        .collect()
}

proptest! {
    #[test]
    fn a_converted_message_has_the_same_parts_with_the_same_content(node in nodes()) {
        let message = render(&node, "b");
        let result = convert(&message).unwrap();
        prop_assert!(result.is_ascii());
        let mut expected = Vec::new();
        leaves(&node, &mut expected);
        let found = decoded(&result);
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            prop_assert_eq!(found, expected);
        }
        let kinds = |message: &[u8]| -> Vec<(u16, String)> {
            Scanner::scan(message).parts.into_iter().map(|part| (part.depth, part.content_type)).collect()
        };
        prop_assert_eq!(kinds(&result), kinds(&message));
    }

    #[test]
    fn random_octets_are_converted_to_ascii_or_refused(message in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(result) = convert(&message) {
            prop_assert!(is_plain(&result));
            prop_assert_eq!(convert(&result).unwrap(), result);
        }
    }

    #[test]
    fn random_lines_are_converted_to_ascii_or_refused(lines in proptest::collection::vec(
        prop_oneof![
            3 => Just(""), 2 => Just("--a"), 2 => Just("--b"), 1 => Just("--a--"), 1 => Just("--b--"),
            2 => Just("Content-Type: multipart/mixed; boundary=a"), 1 => Just("Content-Type: multipart/digest; boundary=b"),
            1 => Just("Content-Type: message/rfc822"), 1 => Just("Content-Transfer-Encoding: 8bit"),
            1 => Just("Content-Type: image/png"), 2 => Just("Zoë "), 1 => Just(" x"),
        ], 0..30)) {
        let message = crlf(&lines.join("\n"));
        if let Ok(result) = convert(&message) {
            prop_assert!(result.is_ascii());
            prop_assert_eq!(Scanner::scan(&result).parts.len(), Scanner::scan(&message).parts.len());
        }
    }
}
