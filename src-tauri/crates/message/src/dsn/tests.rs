//! Reports read back with our own scanner: what they say, and that no original or reply can disturb them.

use proptest::prelude::*;

use super::*;
use crate::eight_bit::Look;
use crate::{Scan, Scanner};

const HEAD: &[u8] = b"Subject: Lunch on Friday\r\nMessage-ID: <1@office.example>\r\n\r\n";
const BODY: &[u8] = b"At noon?\r\n";

struct Names {
    host: Domain,
    from: Address,
    to: Address,
    anna: Address,
    zoe: Address,
}

fn names() -> Names {
    let address = |text: &str| Address::parse(text).unwrap();
    Names {
        host: Domain::parse("mx.office.example").unwrap(),
        from: address("MAILER-DAEMON@mx.office.example"),
        to: address("boss@office.example"),
        anna: address("anna@example.org"),
        zoe: address("zoë@büro.example"),
    }
}

fn failed(address: &Address) -> Recipient<'_> {
    Recipient {
        original: None,
        address,
        action: Action::Failed,
        status: (5, 1, 1),
        diagnostic: Some("550 5.1.1 no such user"),
        remote_mta: Some("mail.example.org"),
        last_attempt: Some("Tue, 24 Nov 2026 05:00:02 +0000"),
        will_retry_until: None,
        text: "The mailbox does not exist.",
    }
}

fn report<'a>(names: &'a Names, recipients: &'a [Recipient<'a>]) -> Report<'a> {
    Report {
        reporting_mta: &names.host,
        from: &names.from,
        to: &names.to,
        envid: None,
        arrival: "Tue, 24 Nov 2026 05:00:00 +0000",
        now: "Tue, 24 Nov 2026 05:00:03 +0000",
        message_id: "<K7QF2M@mx.office.example>",
        boundary: "f3a9c2",
        original: Original {
            head: HEAD,
            body: Some(BODY),
        },
        original_message_id: Some("<1@office.example>"),
        recipients,
        smtputf8: false,
    }
}

/// The three parts: type and octets.
fn parts(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let range = |at: u64| usize::try_from(at).unwrap();
    Scanner::scan(bytes)
        .parts
        .into_iter()
        .filter(|part| part.depth == 1)
        .map(|part| {
            let body = &bytes[range(part.raw.start)..range(part.raw.end)];
            (part.content_type, body.to_vec())
        })
        .collect()
}

fn text(bytes: &[u8], index: usize) -> String {
    String::from_utf8(parts(bytes)[index].1.clone()).unwrap()
}

fn value(scan: &Scan, name: &str) -> String {
    let found: Vec<String> = scan.fields(name).map(crate::Header::text).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0].clone()
}

#[test]
fn a_failure_is_reported_in_three_parts() {
    let names = names();
    let built = build(&report(&names, &[failed(&names.anna)]));
    let scan = Scanner::scan(&built.bytes);
    assert_eq!(scan.problems, []);
    assert_eq!(
        value(&scan, "From"),
        "Mail Delivery System <MAILER-DAEMON@mx.office.example>"
    );
    assert_eq!(value(&scan, "To"), "<boss@office.example>");
    assert_eq!(
        value(&scan, "Subject"),
        "Your message to anna@example.org could not be delivered"
    );
    assert_eq!(value(&scan, "Auto-Submitted"), "auto-replied");
    assert_eq!(value(&scan, "In-Reply-To"), "<1@office.example>");
    assert_eq!(value(&scan, "References"), "<1@office.example>");
    assert_eq!(value(&scan, "Message-ID"), "<K7QF2M@mx.office.example>");
    assert_eq!(value(&scan, "MIME-Version"), "1.0");
    assert_eq!(
        crate::report_type(&scan).as_deref(),
        Some("delivery-status")
    );
    assert!(!built.eight_bit && !built.smtputf8);
    let parts = parts(&built.bytes);
    let kinds: Vec<&str> = parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["text/plain", "message/delivery-status", "message/rfc822"]
    );
    assert_eq!(parts[2].1, [HEAD, BODY].concat());
}

#[test]
fn the_words_say_what_happened_and_what_can_be_done() {
    let names = names();
    let built = build(&report(&names, &[failed(&names.anna)]));
    assert_eq!(
        text(&built.bytes, 0).replace("\r\n", "\n"),
        "This is the mail server mx.office.example. It reports on a message you\nsent:\n\n    Subject: Lunch on Friday\n    \
         Accepted: Tue, 24 Nov 2026 05:00:00 +0000\n\nIt could not be delivered to this recipient:\n\n<anna@example.org>\n    \
         The mailbox does not exist.\n    The answer of mail.example.org was:\n    > 550 5.1.1 no such user\n    \
         Please check the address for mistakes and send the message again. If\n    it is right, ask the recipient for their \
         current address.\n\nBelow this text are the details for mail administrators, and your\nmessage.\n"
    );
}

#[test]
fn the_status_part_has_the_fields_of_the_standard_in_order() {
    let names = names();
    let mut anna = failed(&names.anna);
    anna.original = Some("rfc822;a+b@example.org");
    let mut zoe = failed(&names.to);
    zoe.action = Action::Delayed;
    zoe.status = (4, 4, 1);
    (zoe.diagnostic, zoe.remote_mta) = (None, Some("192.0.2.1"));
    zoe.will_retry_until = Some("Sun, 29 Nov 2026 05:00:00 +0000");
    let recipients = [anna, zoe];
    let built = build(&Report {
        envid: Some("QQ 314"),
        ..report(&names, &recipients)
    });
    assert_eq!(
        text(&built.bytes, 1).replace("\r\n", "\n"),
        "Original-Envelope-Id: QQ 314\nReporting-MTA: dns; mx.office.example\nArrival-Date: Tue, 24 Nov 2026 05:00:00 +0000\n\n\
         Original-Recipient: rfc822; a+b@example.org\nFinal-Recipient: rfc822; anna@example.org\nAction: failed\nStatus: 5.1.1\n\
         Remote-MTA: dns; mail.example.org\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n\
         Last-Attempt-Date: Tue, 24 Nov 2026 05:00:02 +0000\n\n\
         Final-Recipient: rfc822; boss@office.example\nAction: delayed\nStatus: 4.4.1\nRemote-MTA: dns; [192.0.2.1]\n\
         Last-Attempt-Date: Tue, 24 Nov 2026 05:00:02 +0000\nWill-Retry-Until: Sun, 29 Nov 2026 05:00:00 +0000\n"
    );
    let words = text(&built.bytes, 0);
    assert!(words.contains("<anna@example.org> (you wrote to a+b@example.org)"));
    let words = words.replace("\r\n    ", " ");
    assert!(words.contains("delivery will be tried until Sun, 29 Nov 2026 05:00:00 +0000"));
}

#[test]
fn the_subject_tells_the_kinds_apart() {
    let names = names();
    let subject = |actions: &[Action]| {
        let recipients: Vec<Recipient<'_>> = actions
            .iter()
            .map(|&action| Recipient {
                action,
                ..failed(&names.anna)
            })
            .collect();
        let built = build(&report(&names, &recipients));
        value(&Scanner::scan(&built.bytes), "Subject")
    };
    use Action::*;
    assert_eq!(
        subject(&[Delayed]),
        "Your message to anna@example.org is delayed"
    );
    assert_eq!(
        subject(&[Delivered]),
        "Your message to anna@example.org was delivered"
    );
    assert_eq!(
        subject(&[Relayed]),
        "Your message to anna@example.org was passed on"
    );
    assert_eq!(
        subject(&[Expanded]),
        "Your message to anna@example.org was distributed"
    );
    assert_eq!(
        subject(&[Failed, Failed]),
        "Your message to 2 recipients could not be delivered"
    );
    assert_eq!(
        subject(&[Delayed, Failed]),
        "Your message could not be delivered to all recipients"
    );
    assert_eq!(
        subject(&[Relayed, Delivered]),
        "What became of your message"
    );
    assert_eq!(subject(&[]), "What became of your message");
}

#[test]
fn an_address_beyond_ascii_is_reported_in_the_international_form() {
    let names = names();
    let head = "Subject: Zoë\r\n\r\n".as_bytes();
    let mut zoe = failed(&names.zoe);
    zoe.original = Some("utf-8;zo\\x{EB}@old.example");
    let recipients = [zoe];
    let mut report = report(&names, &recipients);
    report.smtputf8 = true;
    report.original = Original { head, body: None };
    let built = build(&report);
    assert!(built.eight_bit && !built.smtputf8);
    let scan = Scanner::scan(&built.bytes);
    assert_eq!(
        crate::subject(&scan),
        "Your message to zoë@büro.example could not be delivered"
    );
    let found = parts(&built.bytes);
    assert_eq!(found[1].0, "message/global-delivery-status");
    assert_eq!(
        found[2],
        (
            "message/global-headers".to_owned(),
            "Subject: Zoë\r\n".into()
        )
    );
    let status = text(&built.bytes, 1);
    assert!(status.contains("Original-Recipient: utf-8; zoë@old.example\r\n"));
    assert!(status.contains("Final-Recipient: utf-8; zoë@büro.example\r\n"));
    report.original = Original {
        head,
        body: Some(b"x\r\n"),
    };
    assert_eq!(parts(&build(&report).bytes)[2].0, "message/global");
    report.to = &names.zoe;
    assert!(build(&report).smtputf8);
}

#[test]
fn an_original_recipient_beyond_ascii_is_kept_in_seven_bits_when_nothing_else_is_international() {
    let names = names();
    let mut anna = failed(&names.anna);
    anna.original = Some("utf-8;zo\\x{EB}@old.example");
    let recipients = [anna];
    let built = build(&report(&names, &recipients));
    assert_eq!(parts(&built.bytes)[1].0, "message/delivery-status");
    assert!(text(&built.bytes, 1).contains("Original-Recipient: utf-8; zo\\x{EB}@old.example\r\n"));
}

#[test]
fn only_headers_come_back_when_the_body_is_kept_or_cannot_travel() {
    let names = names();
    let recipients = [failed(&names.anna)];
    let third = |head: &[u8], body: Option<&[u8]>| {
        let mut report = report(&names, &recipients);
        report.original = Original { head, body };
        parts(&build(&report).bytes).remove(2)
    };
    let fields = HEAD.strip_suffix(b"\r\n").unwrap();
    let headers = ("text/rfc822-headers".to_owned(), fields.to_vec());
    assert_eq!(third(HEAD, None), headers);
    for body in [&b"a\rb\r\n"[..], b"a\nb\r\n", b"\0\r\n", &[b'x'; 999]] {
        assert_eq!(third(HEAD, Some(body)), headers);
    }
    assert_eq!(third(HEAD, Some(&[b'x'; 998])).0, "message/rfc822");
    assert_eq!(third(HEAD, Some(b"\xff\r\n")).0, "message/rfc822");
    let large = format!("A: {}\r\n", "x".repeat(900)).repeat(1000) + "\r\n";
    assert!(third(large.as_bytes(), None).1.len() <= 64 * 1024);
}

#[test]
fn without_a_failure_only_headers_come_back() {
    let names = names();
    let ended = |action| Recipient {
        action,
        ..failed(&names.anna)
    };
    let kind = |recipients: &[Recipient<'_>]| {
        parts(&build(&report(&names, recipients)).bytes)[2]
            .0
            .clone()
    };
    for action in [
        Action::Delayed,
        Action::Delivered,
        Action::Relayed,
        Action::Expanded,
    ] {
        assert_eq!(kind(&[ended(action)]), "text/rfc822-headers", "{action:?}");
    }
    let mixed = [ended(Action::Delivered), ended(Action::Failed)];
    assert_eq!(kind(&mixed), "message/rfc822");
}

#[test]
fn eight_bits_in_the_original_are_declared_on_its_part_and_on_the_whole() {
    let names = names();
    let recipients = [failed(&names.anna)];
    let mut report = report(&names, &recipients);
    report.original.body = Some(b"Zo\xeb\r\n");
    let built = build(&report);
    assert!(built.eight_bit);
    let text = String::from_utf8_lossy(&built.bytes).replace("\r\n", "\n");
    let encodings: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("Content-Transfer-Encoding: "))
        .collect();
    assert_eq!(encodings, ["8bit", "7bit", "7bit", "8bit"]);
}

#[test]
fn the_boundary_is_lengthened_until_no_part_holds_it() {
    let names = names();
    let recipients = [failed(&names.anna)];
    let mut report = report(&names, &recipients);
    report.original.body = Some(b"\r\n--=_f3a9c2\r\n--=_f3a9c2-0--\r\n");
    let built = build(&report);
    assert_eq!(Scanner::scan(&built.bytes).problems, []);
    assert_eq!(parts(&built.bytes).len(), 3);
    assert!(built.bytes.ends_with(b"--=_f3a9c2-1--\r\n"));
    report.boundary = "\"; x=\r\n";
    assert_eq!(parts(&build(&report).bytes).len(), 3);
}

#[test]
fn a_report_with_eight_bits_can_be_converted_for_a_hop_without_them() {
    let names = names();
    let recipients = [failed(&names.zoe)];
    let mut report = report(&names, &recipients);
    report.smtputf8 = true;
    report.original = Original {
        head: "Subject: Zoë\r\n\r\n".as_bytes(),
        body: Some(b"x\r\n"),
    };
    let converted = crate::seven_bit::convert(&build(&report).bytes).unwrap();
    let kinds: Vec<String> = parts(&converted).into_iter().map(|part| part.0).collect();
    assert_eq!(
        kinds,
        [
            "text/plain",
            "message/global-delivery-status",
            "message/global"
        ]
    );
}

/// Text of strangers, often with what could end a line, a part or a header.
/// The largest report there is: everything said about each recipient is as long as it may be.
#[test]
fn a_report_on_many_is_bounded_and_names_every_one() {
    let names = names();
    let long = |start: &str| format!("{start}{}", " ë".repeat(2000));
    let (reply, reason) = (long("550 5.1.1 no such user"), long("It does not exist."));
    let original = format!("rfc822;{}@example.net", "o".repeat(480));
    let body = vec![b'b'; 50 << 10];
    let anna = Recipient {
        original: Some(&original),
        diagnostic: Some(&reply),
        text: &reason,
        ..failed(&names.anna)
    };
    let size = |count: usize| {
        let recipients = vec![anna; count];
        let mut report = report(&names, &recipients);
        report.original.body = Some(&body);
        let built = build(&report);
        let words = text(&built.bytes, 0);
        assert_eq!(words.matches("<anna@example.org>").count(), count);
        let status = text(&built.bytes, 1);
        assert_eq!(status.matches("Status: 5.1.1").count(), count);
        // The beginning of a reply is in its code and words.
        assert_eq!(
            status.matches("smtp; 550 5.1.1 no such user").count(),
            count
        );
        (words.len(), built.bytes.len())
    };
    let (few, many) = (size(FEW), size(FEW + 1));
    assert!(few.0 > many.0 && few.1 > many.1);
    assert!(few.1 < 256 << 10, "{}", few.1);
    let most = size(MOST_RECIPIENTS);
    assert!(most.0 < 1 << 20 && most.1 < 6 << 20, "{most:?}");
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\0".to_owned()),
        Just("\r\n\r\n".to_owned()),
        Just("--=_f3a9c2".to_owned()),
        Just("--=_f3a9c2--\r\n".to_owned()),
        Just("Bcc: x@y.example".to_owned()),
        Just("ë\u{202e}\u{2028}\u{85}".to_owned()),
        (0_usize..1200).prop_map(|n| "x".repeat(n)),
        (0_usize..1200).prop_map(|n| " ".repeat(n)),
        "[ -~]{0,30}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn hostile_octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        hostile().prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..200),
        hostile().prop_map(|text| format!(
            "Content-Type: multipart/mixed; boundary=\"=_f3a9c2\"\r\n{text}"
        )
        .into_bytes()),
        Just(b"A: b\r\nSubject: x\r\n\r\n".to_vec()),
    ]
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Failed),
        Just(Action::Delayed),
        Just(Action::Delivered),
        Just(Action::Relayed),
        Just(Action::Expanded),
    ]
}

proptest! {
    #[test]
    fn whatever_strangers_write_the_report_is_sound(
        head in hostile_octets(), body in proptest::option::of(hostile_octets()), action in actions(),
        texts in proptest::collection::vec(hostile(), 9), international in any::<bool>(), smtputf8 in any::<bool>(),
        status in any::<(u8, u16, u16)>(),
    ) {
        let names = names();
        let recipient = Recipient {
            original: Some(&texts[0]),
            address: if international { &names.zoe } else { &names.anna },
            action,
            status,
            diagnostic: Some(&texts[1]),
            remote_mta: Some(&texts[2]),
            last_attempt: Some(&texts[3]),
            will_retry_until: Some(&texts[4]),
            text: &texts[5],
        };
        let recipients = [recipient, recipient];
        let report = Report {
            envid: Some(&texts[6]),
            arrival: &texts[7],
            original_message_id: Some(&texts[8]),
            original: Original { head: &head, body: body.as_deref() },
            smtputf8,
            ..report(&names, &recipients)
        };
        let built = build(&report);
        let scan = Scanner::scan(&built.bytes);
        let fields: Vec<&str> = scan.headers.iter().map(|header| header.name.as_str()).collect();
        let mut expected = vec!["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
            "Content-Transfer-Encoding"];
        if fields.contains(&"References") {
            expected.splice(5..5, ["In-Reply-To", "References"]);
        }
        prop_assert_eq!(fields, expected);
        prop_assert_eq!(&scan.header_problems, &[]);
        let found = parts(&built.bytes);
        prop_assert_eq!(found.len(), 3);
        let seen = Look::at(&built.bytes);
        prop_assert!(!seen.nul && !seen.long_line && !seen.eight_bit_header && !built.smtputf8);
        prop_assert_eq!(seen.eight_bit(), built.eight_bit);
        let bare = String::from_utf8_lossy(&built.bytes).replace("\r\n", "").contains(['\r', '\n']);
        prop_assert!(!bare);
        // The groups of the status part, each a header block of known fields.
        let global = smtputf8 || international || !texts[0].is_ascii();
        prop_assert_eq!(global, found[1].0 == "message/global-delivery-status");
        prop_assert!(global || found[1].1.is_ascii());
        let groups = text(&built.bytes, 1);
        prop_assert_eq!(groups.matches("\r\n\r\n").count(), 2);
        for group in groups.split("\r\n\r\n") {
            let scan = Scanner::scan(format!("{group}\r\n\r\n").as_bytes());
            prop_assert_eq!(&scan.problems, &[]);
            prop_assert!(scan.headers.len() <= 9 && scan.fields("Bcc").next().is_none());
        }
    }
}
