use proptest::prelude::*;

use super::*;
use crate::Scanner;

fn host() -> Domain {
    Domain::parse("mx.office.example").unwrap()
}

fn method(name: &'static str, result: &'static str, properties: &[(&'static str, &str)]) -> Method {
    Method {
        name,
        result,
        reason: String::new(),
        properties: properties
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
    }
}

#[test]
fn results_stand_one_on_a_line_and_the_last_has_no_semicolon() {
    let field = field(
        &host(),
        &[
            method(
                "spf",
                "pass",
                &[("smtp.mailfrom", "anna@far.example"), ("smtp.helo", "")],
            ),
            method(
                "dkim",
                "pass",
                &[("header.d", "far.example"), ("header.s", "k1")],
            ),
            method("dmarc", "pass", &[("header.from", "far.example")]),
            method("iprev", "pass", &[("policy.iprev", "192.0.2.1")]),
        ],
    );
    assert_eq!(
        field,
        "Authentication-Results: mx.office.example;\r\n\
         \tspf=pass smtp.mailfrom=anna@far.example;\r\n\
         \tdkim=pass header.d=far.example header.s=k1;\r\n\
         \tdmarc=pass header.from=far.example;\r\n\
         \tiprev=pass policy.iprev=192.0.2.1\r\n"
    );
}

#[test]
fn without_results_the_field_says_none() {
    assert_eq!(
        field(&host(), &[]),
        "Authentication-Results: mx.office.example; none\r\n"
    );
}

#[test]
fn values_that_are_no_token_are_quoted() {
    let mut result = method(
        "spf",
        "fail",
        &[
            ("smtp.mailfrom", "\"a b\"@far.example"),
            ("policy.iprev", "2001:db8::1"),
            ("header.d", "a; dkim=pass (x)\r\nFrom: boss@office.example"),
            ("header.s", "zoë"),
        ],
    );
    result.reason = "not \"ours\"".into();
    let field = field(&host(), &[result]);
    let unfolded = field.replace("\r\n\t", " ");
    assert_eq!(
        unfolded,
        "Authentication-Results: mx.office.example; spf=fail reason=\"not \\\"ours\\\"\" \
         smtp.mailfrom=\"\\\"a b\\\"@far.example\" policy.iprev=\"2001:db8::1\" \
         header.d=\"a; dkim=pass (x)  From: boss@office.example\" header.s=\"zo?\"\r\n"
    );
}

/// The fields of a header block that speak for us, as text.
fn found(head: &str) -> Vec<String> {
    let head = head.replace('\n', "\r\n");
    claimed(head.as_bytes(), &host())
        .into_iter()
        .map(|range| head[range].replace("\r\n", "\n"))
        .collect()
}

#[test]
fn fields_in_our_name_are_found_whatever_their_spelling() {
    for value in [
        " mx.office.example; spf=pass",
        " MX.Office.EXAMPLE; spf=pass",
        " mx.office.example",
        " mx.office.example 1; spf=pass",
        " mx.office.example/1; spf=pass",
        " mx.office.example.; spf=pass",
        " (x (y\\) z)) mx.office.example; spf=pass",
        " (a; b) mx.office.example (c) ; spf=pass",
        " \"mx.office.example\"; spf=pass",
        " \"mx\\.office.example\" 1; spf=pass",
        " mx.\"office\".example; spf=pass",
        " mx . office . example; spf=pass",
        " mx.(x)office.example; spf=pass",
        "\n mx.office.example;\n\tspf=pass",
        "\tmx.office.example;none",
        "mx.office.example;none",
        " mx.office.example=1; spf=pass",
        " mx.office.example, x; spf=pass",
        " mx.office.example,x.example; spf=pass",
        " mx.office.example.=1; spf=pass",
        " mx.office.example:25; spf=pass",
        " <mx.office.example>; spf=pass",
        " \"mx.office.example=1\"; spf=pass",
        " mx.office.example\u{200b}; spf=pass",
        " mx.office.example\u{fffd}x; spf=pass",
        " mx.office.example/1; spf=pass",
        " (open mx.office.example; spf=pass",
        " \"mx.office.example; spf=pass",
        " mx\u{3002}office\u{3002}example; spf=pass",
    ] {
        let field = format!("Authentication-Results:{value}\n");
        let head = format!("Received: x\n{field}Subject: y\n\nAuthentication-Results: z\n");
        assert_eq!(found(&head), [field], "{value:?}");
    }
    assert_eq!(
        found("AUTHENTICATION-results : mx.office.example; none\n\n").len(),
        1
    );
}

#[test]
fn a_host_with_other_letters_is_known_in_both_its_spellings() {
    let host = Domain::parse("büro.example").unwrap();
    for id in [
        "büro.example",
        "BÜRO.example",
        "xn--bro-hoa.example",
        "\"xn--BRO-hoa.example\"",
    ] {
        let head = format!("Authentication-Results: {id}; none\r\n\r\n");
        assert_eq!(
            claimed(head.as_bytes(), &host),
            [Range {
                start: 0,
                end: head.len() - 2
            }],
            "{id}"
        );
    }
}

#[test]
fn fields_of_others_and_other_fields_stay() {
    for field in [
        "Authentication-Results: mx.other.example; spf=pass smtp.helo=mx.office.example",
        "Authentication-Results: office.example; spf=pass",
        "Authentication-Results: amx.office.example; spf=pass",
        "Authentication-Results: mx.office.example.org; spf=pass",
        "Authentication-Results: other (mx.office.example); spf=pass",
        "Authentication-Results: x@mx.office.example; spf=pass",
        "Authentication-Results: mx.office.example-2; spf=pass",
        "ARC-Authentication-Results: i=1; mx.office.example; spf=pass",
        "X-Authentication-Results: mx.office.example; spf=pass",
        "Authentication-Results-Old: mx.office.example; spf=pass",
        "Authentication-Results",
    ] {
        assert_eq!(
            found(&format!("{field}\nSubject: x\n\n")),
            Vec::<String>::new(),
            "{field}"
        );
    }
}

#[test]
fn fields_beside_each_other_make_one_range() {
    let one = "Authentication-Results: mx.office.example; spf=pass\n";
    assert_eq!(
        found(&format!("{one}{one}A: b\n{one}\n")),
        [one.repeat(2), one.to_owned()]
    );
}

proptest! {
    #[test]
    fn whatever_strangers_say_it_stays_one_field_that_is_ours_and_ends_where_it_should(
        reason in any::<String>(), values in prop::collection::vec(any::<String>(), 0..8),
    ) {
        let methods: Vec<_> = values.iter().map(|value| Method {
            reason: reason.clone(),
            ..method("dkim", "fail", &[("header.d", value), ("header.s", &reason)])
        }).collect();
        let text = field(&host(), &methods);
        prop_assert!(text.is_ascii());
        for line in text.split_terminator("\r\n") {
            prop_assert!(!line.contains(['\r', '\n', '\0']));
            prop_assert!(line.len() <= 998);
        }
        let whole = format!("{text}Subject: x\r\n\r\n");
        let scan = Scanner::scan(whole.as_bytes());
        prop_assert_eq!((scan.headers.len(), scan.problems.len()), (2, 0));
        let ours = Range { start: 0, end: text.len() };
        prop_assert_eq!(claimed(whole.as_bytes(), &host()), [ours]);
        // Outside quotations nothing but our own results remains.
        let unquoted = outside_quotations(&text);
        prop_assert_eq!(unquoted.matches("dkim=").count(), methods.len());
        prop_assert_eq!(unquoted.matches(';').count(), methods.len().max(1));
    }

    #[test]
    fn ranges_are_whole_fields_inside_the_block(head in "(Authentication-Results|A): ?[mx.\"();\\\\ \r\n\t]{0,12}mx.office.example[ -~\r\n]{0,40}") {
        for range in claimed(head.as_bytes(), &host()) {
            prop_assert!(range.start < range.end && range.end <= head.len());
            prop_assert!(range.start == 0 || head.as_bytes()[range.start - 1] == b'\n');
        }
    }

    #[test]
    fn any_octets_are_looked_through(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let head = [b"Authentication-Results:".as_slice(), &octets].concat();
        for range in claimed(&head, &host()) {
            prop_assert!(range.end <= head.len());
        }
    }
}

fn outside_quotations(text: &str) -> String {
    let mut outside = String::new();
    let mut inside = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if inside => drop(characters.next()),
            '"' => inside = !inside,
            _ if !inside => outside.push(character),
            _ => {}
        }
    }
    outside
}
