use super::*;
use proptest::prelude::*;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn a_quoted_local_part_is_its_meaning_and_is_quoted_again() {
    for (text, local, printed) in [
        (r#""a b"@x.example"#, "a b", r#""a b"@x.example"#),
        (r#""alice"@x.example"#, "alice", "alice@x.example"),
        (
            r#""a\"b\\c"@x.example"#,
            r#"a"b\c"#,
            r#""a\"b\\c"@x.example"#,
        ),
        (
            r#""a> SIZE=1 <b"@x.example"#,
            "a> SIZE=1 <b",
            r#""a> SIZE=1 <b"@x.example"#,
        ),
        (
            r#""u@f.example"@x.example"#,
            "u@f.example",
            r#""u@f.example"@x.example"#,
        ),
        (r#"""@x.example"#, "", r#"""@x.example"#),
        (r#""a..b"@x.example"#, "a..b", r#""a..b"@x.example"#),
    ] {
        assert_eq!(
            (address(text).local(), address(text).to_string().as_str()),
            (local, printed)
        );
    }
}

#[test]
fn international_addresses_compare_across_spellings() {
    let composed = address("Müller@BÜRO.example");
    let decomposed = address("mu\u{308}ller@xn--bro-hoa.example");
    assert!(composed.same_mailbox(&decomposed));
    assert_eq!(composed.folded(), decomposed.folded());
    assert_eq!(composed.to_string(), "Müller@büro.example");
    assert_eq!(composed.to_ascii_domain(), "Müller@xn--bro-hoa.example");
    assert!(composed.needs_smtputf8() && !address("a@büro.example").needs_smtputf8());
}

#[test]
fn normalising_cannot_smuggle_ascii_past_the_quotes() {
    // U+037E is canonically a semicolon.
    assert_eq!(
        address("a\u{37e}b@x.example").to_string(),
        "\"a;b\"@x.example"
    );
}

#[test]
fn the_base_of_a_local_part_has_no_extension() {
    assert_eq!(address("Alice+news+x@x.example").base_local(), "alice");
    assert_eq!(address("+news@x.example").base_local(), "+news");
}

#[test]
fn literals_are_read_and_printed() {
    assert_eq!(address("a@[192.0.2.1]").to_string(), "a@[192.0.2.1]");
    assert_eq!(
        address("a@[ipv6:2001:DB8::1]").to_string(),
        "a@[IPv6:2001:db8::1]"
    );
    assert_eq!(address("a@[IPv6:::]").domain(), None);
}

#[test]
fn malformed_addresses_are_refused() {
    let long_local = format!("{}@x.example", "a".repeat(65));
    let long = format!("{}@{}", "a".repeat(64), ["abcdefgh"; 22].join("."));
    for (text, error) in [
        ("", AddressError::NoLocalPart),
        ("@x.example", AddressError::NoLocalPart),
        ("alice", AddressError::NoDomain),
        ("alice@", AddressError::NoDomain),
        (".a@x.example", AddressError::LocalPart),
        ("a.@x.example", AddressError::LocalPart),
        ("a..b@x.example", AddressError::LocalPart),
        ("a b@x.example", AddressError::LocalPart),
        ("a\\@b@x.example", AddressError::LocalPart),
        ("a(c)@x.example", AddressError::LocalPart),
        ("a\u{0}@x.example", AddressError::LocalPart),
        ("\"a\r\nb\"@x.example", AddressError::LocalPart),
        ("\"a\u{2028}b\"@x.example", AddressError::LocalPart),
        ("a\u{85}b@x.example", AddressError::LocalPart),
        ("\"a\\\u{a9}\"@x.example", AddressError::LocalPart),
        ("\"a\"b@x.example", AddressError::LocalPart),
        ("\"a@x.example", AddressError::Quote),
        ("\"a\\\"@x.example", AddressError::Quote),
        (
            "a@b@x.example",
            AddressError::Domain(DomainError::Character),
        ),
        (
            "a@x.example.",
            AddressError::Domain(DomainError::LabelLength),
        ),
        ("a@192.0.2.1", AddressError::Domain(DomainError::Ip)),
        ("a@[192.0.2]", AddressError::Literal),
        ("a@[192.0.2.1", AddressError::Literal),
        ("a@[x-tag:y]", AddressError::Literal),
        (&long_local, AddressError::LocalPartTooLong),
        (&long, AddressError::TooLong),
    ] {
        assert_eq!(Address::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn paths_tell_null_postmaster_unqualified_and_address_apart() {
    assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
    assert_eq!(
        ForwardPath::parse("<PostMaster>"),
        Ok(ForwardPath::Postmaster)
    );
    assert_eq!(ForwardPath::parse("<>"), Err(AddressError::NoLocalPart));
    assert!(matches!(
        ReversePath::parse("<postmaster>"),
        Ok(ReversePath::Unqualified(_))
    ));
    assert_eq!(
        ReversePath::parse("<\"a b\">").unwrap().to_string(),
        "<\"a b\">"
    );
    assert_eq!(
        ForwardPath::parse("<a@x.example>").unwrap().address(),
        Some(&address("a@x.example"))
    );
    for text in [
        "a@x.example",
        "<a@x.example",
        "< a@x.example>",
        "<a@x.example >",
        "<a@x.example>x",
        "",
        "<",
    ] {
        assert!(ReversePath::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_source_route_is_checked_and_dropped() {
    for text in [
        "<@a.example:u@x.example>",
        "<@a,@[192.0.2.1]:u@x.example>",
        "<@[IPv6:::1]:u@x.example>",
    ] {
        assert_eq!(
            ForwardPath::parse(text).unwrap().to_string(),
            "<u@x.example>"
        );
    }
    for text in [
        "<@a.example>",
        "<@a.example,b:u@x.example>",
        "<@:u@x.example>",
        "<@a_b:u@x.example>",
        "<@[1:u@x.example>",
    ] {
        assert!(ForwardPath::parse(text).is_err(), "{text:?}");
    }
    assert_eq!(
        ReversePath::parse("<@a.example:>"),
        Err(AddressError::NoLocalPart)
    );
}

#[test]
fn splitting_a_path_honours_quotes() {
    assert_eq!(
        split_path(r#"<"a>\"> b"@x> SIZE=1"#),
        Ok((r#"<"a>\"> b"@x>"#, " SIZE=1"))
    );
    assert_eq!(split_path(r#"<"a>@x"#), Err(AddressError::Quote));
}

proptest! {
    #[test]
    fn whatever_local_part_is_printed_reads_back_the_same(text in "[\\PC\\x00-\\x7f]{0,40}") {
        let domain = Domain::parse("x.example").unwrap();
        if let Ok(made) = Address::new(&text, &domain) {
            let printed = made.to_string();
            prop_assert_eq!(&Address::parse(&printed).unwrap(), &made);
            prop_assert!(!printed.chars().any(char::is_control));
            // Nothing behind the path: a quoted `>` or space cannot end it and add a parameter.
            let command = format!("<{printed}>");
            prop_assert_eq!(split_path(&command), Ok((command.as_str(), "")));
            prop_assert_eq!(ReversePath::parse(&command).unwrap(), ReversePath::Address(made));
        }
    }

    #[test]
    fn any_path_that_is_read_is_printed_and_read_again(text in "<[a-z@\"\\\\<> .,:\\[\\]%!0-9ü\u{37e}\u{338}]{0,24}>") {
        if let Ok(path) = ForwardPath::parse(&text) {
            prop_assert_eq!(&ForwardPath::parse(&path.to_string()).unwrap(), &path);
        }
        if let Ok(path) = ReversePath::parse(&text) {
            prop_assert_eq!(&ReversePath::parse(&path.to_string()).unwrap(), &path);
        }
    }
}
