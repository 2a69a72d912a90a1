//! The scanner against small messages, against random ones in random pieces, and against its bounds.

use proptest::prelude::*;

use super::body::MAX_BOUNDARY_LINE;
use super::*;
use crate::scan::{MAX_HEADER_BLOCK, MAX_HEADERS};

fn scan(text: &str) -> Scan {
    Scanner::scan(text.replace('\n', "\r\n").as_bytes())
}

/// `depth type decoded-size`, with `*` for an attachment, one part each.
fn tree(scan: &Scan) -> Vec<String> {
    scan.parts
        .iter()
        .map(|part| {
            let mark = if part.attachment { "*" } else { "" };
            format!(
                "{} {} {}{mark}",
                part.depth, part.content_type, part.decoded_size
            )
        })
        .collect()
}

fn body<'a>(message: &'a str, part: &Part) -> &'a str {
    let range = usize::try_from(part.raw.start).unwrap()..usize::try_from(part.raw.end).unwrap();
    &message[range]
}

#[test]
fn a_plain_message_is_one_text() {
    let scan = scan("Subject: x\nReceived: a\nRECEIVED: b\n\nhello\n");
    assert_eq!(tree(&scan), ["0 text/plain 7"]);
    assert_eq!((scan.size, scan.header_size, scan.hops()), (47, 40, 2));
    assert_eq!(scan.problems, []);
}

#[test]
fn the_line_end_before_a_boundary_belongs_to_the_boundary() {
    let text = "Content-Type: multipart/mixed; boundary=\"b\"\n\npreamble\n--b\n\none\n\n--b  \nContent-Type: text/html\n\ntwo\n--b--\nepilogue\n";
    let text = text.replace('\n', "\r\n");
    let scan = Scanner::scan(text.as_bytes());
    assert_eq!(tree(&scan)[1..], ["1 text/plain 5", "1 text/html 3"]);
    assert_eq!(body(&text, &scan.parts[1]), "one\r\n");
    assert_eq!(body(&text, &scan.parts[2]), "two");
    assert_eq!(scan.problems, []);
}

#[test]
fn a_boundary_inside_a_line_is_text() {
    let scan = scan(
        "Content-Type: multipart/mixed; boundary=XX\n\n--XX\n\nhi --XX inside\n--XXy\n --XX\n--XX--\n",
    );
    assert_eq!(tree(&scan)[1..], ["1 text/plain 28"]);
}

#[test]
fn an_inner_boundary_that_begins_with_the_outer_one_is_kept_apart() {
    let scan = scan(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=a-b\n\n\
         --a-b\n\nx\n--a-b\nContent-Type: text/html\n\nyy\n--a-b--\n--a\nContent-Type: image/png\n\nzzz\n--a--\n",
    );
    assert_eq!(
        tree(&scan)[2..],
        ["2 text/plain 1", "2 text/html 2", "1 image/png 3*"]
    );
    assert_eq!(scan.problems, []);
}

#[test]
fn attachments_are_what_is_named_or_disposed_as_such_or_no_text() {
    let part = |header: &str| {
        let scan = scan(&format!("{header}\n\nx"));
        (scan.parts[0].attachment, scan.parts[0].filename.clone())
    };
    assert_eq!(part("Content-Type: text/plain"), (false, None));
    assert_eq!(part("Content-Disposition: inline"), (false, None));
    assert_eq!(part("Content-Disposition: ATTACHMENT"), (true, None));
    assert_eq!(part("Content-Disposition: x-unknown"), (true, None));
    assert_eq!(part("Content-Type: image/png"), (true, None));
    assert_eq!(
        part("Content-Type: text/plain; name=\"a.txt\""),
        (true, Some("a.txt".to_owned()))
    );
    assert_eq!(
        part("Content-Disposition: inline; filename=b.txt\nContent-Type: text/plain; name=a.txt"),
        (true, Some("b.txt".to_owned()))
    );
    assert_eq!(part("Content-Type: nonsense"), (false, None));
}

#[test]
fn the_decoded_size_counts() {
    let scan = scan(
        "Content-Type: application/pdf\nContent-Transfer-Encoding: BASE64\n\naGVsbG8g\nd29ybGQ=\n",
    );
    assert_eq!(tree(&scan), ["0 application/pdf 11*"]);
    assert_eq!(scan.largest_attachment().unwrap().decoded_size, 11);
}

#[test]
fn an_attached_message_counts_whole_and_is_looked_into() {
    let text = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nReceived: not ours\n\
                Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: image/gif\n\nabc\n--c--\n\n--b--\n";
    let text = text.replace('\n', "\r\n");
    let scan = Scanner::scan(text.as_bytes());
    let inner = body(&text, &scan.parts[1]);
    assert!(inner.starts_with("Received: not") && inner.ends_with("--c--\r\n"));
    assert_eq!(
        tree(&scan)[1..],
        [
            format!("1 message/rfc822 {}*", inner.len()),
            "2 multipart/mixed 44".to_owned(),
            "3 image/gif 3*".to_owned()
        ]
    );
    assert_eq!(scan.hops(), 0);
}

#[test]
fn an_encoded_attached_message_is_one_attachment() {
    let scan =
        scan("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n");
    assert_eq!(tree(&scan), ["0 message/rfc822 5*"]);
}

#[test]
fn parts_of_a_digest_are_messages_unless_they_say_otherwise() {
    let scan = scan(
        "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\nhi\n--b\nContent-Type: text/plain\n\nyo\n--b--\n",
    );
    assert_eq!(
        tree(&scan)[1..],
        ["1 message/rfc822 16*", "2 text/plain 2", "1 text/plain 2"]
    );
}

#[test]
fn an_outer_boundary_ends_everything_inside() {
    let scan = scan(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--a\n\ny\n--a--\n",
    );
    assert_eq!(tree(&scan)[2..], ["2 text/plain 1", "1 text/plain 1"]);
    assert_eq!(scan.problems, [Problem::MissingEndBoundary]);
}

#[test]
fn a_boundary_inside_a_header_block_ends_the_part() {
    let scan = scan(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: image/png\n--a\n\ny\n--a--\n",
    );
    assert_eq!(tree(&scan)[1..], ["1 image/png 0*", "1 text/plain 1"]);
    assert_eq!(scan.problems, [Problem::HeaderWithoutEnd]);
}

#[test]
fn a_boundary_directly_after_the_header_makes_an_empty_part() {
    let scan = scan("Content-Type: multipart/mixed; boundary=a\n\n--a\n\n--a--\n");
    assert_eq!(tree(&scan)[1..], ["1 text/plain 0"]);
}

#[test]
fn a_header_block_without_an_empty_line_ends_at_the_first_line_that_is_no_field() {
    let scan = scan("Content-Type: multipart/mixed; boundary=a\n--a\n\ny\n--a--\n");
    assert_eq!(tree(&scan)[1..], ["1 text/plain 1"]);
    assert_eq!(scan.problems, [Problem::HeaderWithoutEnd]);
}

#[test]
fn fields_behind_a_line_that_is_none_are_known_up_to_the_empty_line_and_are_body_too() {
    let scan = scan(
        "Received: a\nBad line\nFrom: boss@office.example\nFrom\u{a0}: x@y.example\nRECEIVED:\n b\n\nReceived: body\n",
    );
    assert_eq!(scan.hops(), 2);
    assert_eq!(scan.fields("From").count(), 1);
    assert_eq!(tree(&scan), ["0 text/plain 91"]);
    assert_eq!(scan.header_size, 13);
    assert_eq!(scan.problems, [Problem::HeaderWithoutEnd]);
    assert_eq!(scan.header_problems, [Problem::HeaderWithoutEnd]);
    let unended = self::scan("Bad line\nReceived: a");
    assert_eq!(unended.hops(), 1);
}

#[test]
fn what_is_wrong_with_the_top_header_is_kept_apart_from_the_rest() {
    let of = |text: &str| scan(text).header_problems;
    assert_eq!(of("From\u{a0}: x\n\n"), [Problem::HeaderWithoutEnd]);
    assert_eq!(of(" folded\nA: b\n\n"), [Problem::StrayHeaderLine]);
    assert_eq!(of("A: b\nFrom x\n\n"), [Problem::StrayHeaderLine]);
    assert_eq!(of("From x\nFrom : a@x.example\n\n"), []);
    assert_eq!(of("Content-Type: message/rfc822\n\nBad line\n"), []);
    let many = "A: b\n".repeat(MAX_HEADERS + 1);
    assert_eq!(of(&many), [Problem::HeaderTooLarge]);
    assert_eq!(of(&format!("Content-Type: message/rfc822\n\n{many}")), []);
    assert_eq!(
        of(&format!("Bad line\n{many}")),
        [Problem::HeaderWithoutEnd, Problem::HeaderTooLarge]
    );
}

#[test]
fn a_multipart_that_cannot_be_looked_into_is_one_attachment() {
    let without = scan("Content-Type: multipart/mixed\n\n--a\n\nx\n");
    assert_eq!(tree(&without), ["0 multipart/mixed 10*"]);
    assert_eq!(without.problems, [Problem::NoBoundary]);
    let never = scan("Content-Type: multipart/mixed; boundary=a\n\nhello\n");
    assert_eq!(tree(&never), ["0 multipart/mixed 7*"]);
    assert_eq!(never.problems, [Problem::MissingStartBoundary]);
    let long = format!(
        "Content-Type: multipart/mixed; boundary={0}\n\n--{0}\n\nx\n",
        "z".repeat(251)
    );
    assert_eq!(scan(&long).problems, [Problem::NoBoundary]);
}

#[test]
fn an_unfinished_multipart_ends_with_the_message() {
    let scan = scan("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nhello\n");
    assert_eq!(tree(&scan)[1..], ["1 text/plain 7"]);
    assert_eq!(scan.problems, [Problem::MissingEndBoundary]);
}

#[test]
fn an_empty_message_and_one_of_a_header_alone_are_one_empty_text() {
    assert_eq!(tree(&scan("")), ["0 text/plain 0"]);
    let header = scan("Subject: x");
    assert_eq!(tree(&header), ["0 text/plain 0"]);
    assert_eq!(header.headers.len(), 1);
}

#[test]
fn a_header_block_beyond_the_bound_makes_the_message_one_attachment() {
    let text = format!(
        "A: b\nB: {}\n\nbody\n",
        "x".repeat(usize::try_from(MAX_HEADER_BLOCK).unwrap())
    );
    let long = scan(&text);
    assert_eq!(
        tree(&long),
        [format!("0 application/octet-stream {}*", long.size)]
    );
    assert_eq!(
        (long.headers.len(), long.problems.as_slice()),
        (1, [Problem::HeaderTooLarge].as_slice())
    );
    let many = scan(&format!("{}\n\nbody\n", "A: b\n".repeat(MAX_HEADERS + 1)));
    assert_eq!(
        (many.headers.len(), many.problems.as_slice()),
        (MAX_HEADERS, [Problem::HeaderTooLarge].as_slice())
    );
}

#[test]
fn parts_beyond_the_bound_are_one_attachment() {
    let text = format!(
        "Content-Type: multipart/mixed; boundary=a\n\n{}--a--\n",
        "--a\n\nx\n".repeat(2000)
    );
    let scan = scan(&text);
    assert_eq!(scan.parts.len(), MAX_PARTS);
    let last = scan.parts.last().unwrap();
    assert!(last.attachment);
    assert_eq!(last.raw.end, scan.size);
    assert_eq!(scan.problems, [Problem::TooManyParts]);
    let headers_only = format!(
        "Content-Type: multipart/mixed; boundary=a\n\n{}",
        "--a\n".repeat(5000)
    );
    assert_eq!(self::scan(&headers_only).parts.len(), MAX_PARTS);
}

#[test]
fn nesting_beyond_the_bound_is_not_looked_into() {
    let mut text = String::new();
    for level in 0..80 {
        text.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
        ));
    }
    let deep = scan(&text);
    assert_eq!(
        deep.parts.last().map(|part| (part.depth, part.attachment)),
        Some((MAX_DEPTH, true))
    );
    assert!(deep.problems.contains(&Problem::TooDeep));
    let messages = scan(&"Content-Type: message/rfc822\n\n".repeat(80));
    assert_eq!(messages.parts.len(), usize::from(MAX_DEPTH) + 1);
}

#[test]
fn memory_does_not_follow_the_length_of_a_line() {
    let mut scanner = Scanner::new();
    scanner.push(b"Content-Type: multipart/mixed; boundary=a\r\n\r\n");
    for _ in 0..64 {
        scanner.push(&[b'-'; 65536]);
        let held = match &scanner.place {
            Place::Body {
                line: BodyLine::Undecided(held),
                ..
            } => held.len(),
            _ => 0,
        };
        assert!(held <= MAX_BOUNDARY_LINE);
    }
    assert_eq!(scanner.finish().size, 45 + 64 * 65536);
}

/// Lines from which random messages are made: enough of them fit together to build trees.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => Just("".to_owned()),
        3 => Just("--a".to_owned()),
        2 => Just("--b".to_owned()),
        1 => Just("--a--".to_owned()),
        1 => Just("--b-- ".to_owned()),
        2 => Just("Content-Type: multipart/mixed; boundary=a".to_owned()),
        2 => Just("Content-Type: multipart/digest; boundary=\"b\"".to_owned()),
        1 => Just("Content-Type: message/rfc822".to_owned()),
        1 => Just("Content-Transfer-Encoding: quoted-printable".to_owned()),
        1 => Just("Content-Transfer-Encoding: base64".to_owned()),
        1 => Just("Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*1*=%A4".to_owned()),
        1 => Just(" folded".to_owned()),
        1 => Just("From x".to_owned()),
        2 => "[ -~]{0,20}",
        1 => "(=[0-9A-F ]{0,2}|\\r|x){0,6}",
    ];
    let end = prop_oneof![8 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")];
    proptest::collection::vec((line, end), 0..40).prop_map(|lines| {
        let text: String = lines
            .into_iter()
            .flat_map(|(line, end)| [line, end.to_owned()])
            .collect();
        text.into_bytes()
    })
}

fn scan_in_pieces(message: &[u8], cuts: &[usize]) -> Scan {
    let mut scanner = Scanner::new();
    let mut rest = message;
    for &cut in cuts {
        let (piece, tail) = rest.split_at(cut.min(rest.len()));
        scanner.push(piece);
        rest = tail;
    }
    scanner.push(rest);
    scanner.finish()
}

fn assert_sound(scan: &Scan, message: &[u8]) {
    assert_eq!(scan.size, message.len() as u64);
    assert!(scan.header_size <= scan.size);
    assert!((1..=MAX_PARTS).contains(&scan.parts.len()));
    for part in &scan.parts {
        assert!(part.raw.start <= part.raw.end && part.raw.end <= scan.size);
        assert!(part.decoded_size <= part.raw.end - part.raw.start);
        assert!(part.depth <= MAX_DEPTH);
    }
    for (outer, inner) in scan.parts.iter().zip(scan.parts.iter().skip(1)) {
        assert!(outer.raw.start <= inner.raw.start, "parts are in order");
        assert!(inner.depth <= outer.depth + 1, "levels are not skipped");
        if inner.depth > outer.depth {
            assert!(
                inner.raw.end <= outer.raw.end,
                "a part lies inside its container"
            );
        }
    }
}

proptest! {
    #[test]
    fn random_octets_never_upset_the_scanner(message in proptest::collection::vec(any::<u8>(), 0..2000)) {
        assert_sound(&Scanner::scan(&message), &message);
    }

    #[test]
    fn random_messages_give_sound_ranges(message in lines()) {
        assert_sound(&Scanner::scan(&message), &message);
    }

    #[test]
    fn how_a_message_is_cut_into_pieces_does_not_matter(
        message in lines(),
        cuts in proptest::collection::vec(0_usize..40, 0..60),
    ) {
        let whole = Scanner::scan(&message);
        prop_assert_eq!(&scan_in_pieces(&message, &cuts), &whole);
        prop_assert_eq!(&scan_in_pieces(&message, &vec![1; message.len()]), &whole);
    }
}
