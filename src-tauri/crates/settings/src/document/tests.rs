use serde_json::json;

use super::*;

fn office() -> Settings {
    Settings::default()
        .merged(&json!({
            "general": {"domain": "office.example", "hostname": "mail.office.example"},
            "users": [{"name": "bob"}, {"name": "alice", "display_name": "Alice"}],
            "groups": [{"name": "all", "members": ["alice", "bob"]}],
        }))
        .unwrap()
}

fn refused(document: Value) -> Vec<(String, String)> {
    let problems = office().merged(&document).unwrap_err();
    problems.into_iter().map(|p| (p.path, p.code)).collect()
}

fn at(path: &str, code: &str) -> Vec<(String, String)> {
    vec![(path.into(), code.into())]
}

#[test]
fn a_partial_document_changes_only_what_it_names() {
    let new = office()
        .merged(&json!({"general": {"max_hops": 7}}))
        .unwrap();
    assert_eq!(new.general.max_hops, 7);
    assert_eq!(
        Settings {
            general: General {
                max_hops: 50,
                ..new.general.clone()
            },
            ..new
        },
        office()
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_path() {
    let problems = office()
        .merged(&json!({"general": {"max_hopps": 7}}))
        .unwrap_err();
    assert!(
        problems[0].path.starts_with("general.max_hopps"),
        "{problems:?}"
    );
}

#[test]
fn every_wrong_value_is_found_not_only_the_first() {
    let problems = refused(json!({"general": {"domain": "a b", "max_hops": "many", "banner": 5}}));
    let paths: Vec<_> = problems.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths.len(), 3, "{problems:?}");
    for path in ["general.domain", "general.max_hops", "general.banner"] {
        assert!(paths.contains(&path), "{problems:?}");
    }
}

#[test]
fn numbers_stop_at_both_ends_of_their_range() {
    for (field, min, max) in [
        ("max_recipients", 1, 10_000),
        ("max_hops", 1, 200),
        ("max_message_size_mb", 1, 2_048),
        ("max_attachment_size_mb", 1, 2_048),
    ] {
        let path = format!("general.{field}");
        for good in [min, max] {
            assert!(
                office().merged(&json!({"general": {field: good}})).is_ok(),
                "{field} {good}"
            );
        }
        for bad in [min - 1, max + 1] {
            assert_eq!(
                refused(json!({"general": {field: bad}})),
                at(&path, "out_of_range"),
                "{field} {bad}"
            );
        }
    }
}

#[test]
fn a_domain_is_the_same_in_both_label_forms() {
    let settings = office()
        .merged(&json!({"general": {"additional_domains": ["bücher.example"]}}))
        .unwrap();
    let address = Address::parse("alice+x@xn--bcher-kva.example").unwrap();
    assert_eq!(settings.user_of_address(&address).unwrap().name, "alice");
    assert_eq!(
        refused(
            json!({"general": {"additional_domains": ["bücher.example", "XN--BCHER-KVA.example"]}})
        ),
        at("general.additional_domains[1]", "duplicate")
    );
    assert_eq!(
        refused(json!({"general": {"additional_domains": ["OFFICE.example"]}})),
        at("general.additional_domains[0]", "duplicate")
    );
}

#[test]
fn names_that_the_dns_cannot_know_are_refused() {
    assert_eq!(
        refused(json!({"general": {"domain": "office"}})),
        at("general.domain", "not_fqdn")
    );
    assert_eq!(
        refused(json!({"general": {"hostname": "pc.localhost"}})),
        at("general.hostname", "local_name")
    );
    assert_eq!(
        refused(json!({"general": {"hostname": "192.0.2.1"}}))[0].0,
        "general.hostname"
    );
}

#[test]
fn the_greeting_starts_with_the_host_name_and_says_esmtp() {
    let greeting = |banner: &str| {
        office()
            .merged(&json!({"general": {"banner": banner}}))
            .unwrap()
            .general
            .greeting()
    };
    assert_eq!(
        greeting("ESMTP Postroom"),
        "mail.office.example ESMTP Postroom"
    );
    assert_eq!(
        greeting("Mail.Office.Example hello esmtp"),
        "mail.office.example hello esmtp"
    );
    assert_eq!(greeting("Welcome"), "mail.office.example Welcome ESMTP");
    assert_eq!(greeting(""), "mail.office.example ESMTP");
    assert_eq!(greeting("MAIL.office.example"), "mail.office.example ESMTP");
    assert_eq!(
        greeting("mail.office.examplexyz ESMTP"),
        "mail.office.example mail.office.examplexyz ESMTP"
    );
}

#[test]
fn a_banner_fits_one_reply_line() {
    let room = 512 - 7 - "mail.office.example".len();
    let banner = |n: usize| json!({"general": {"banner": format!("ESMTP{}", "x".repeat(n - 5))}});
    assert!(office().merged(&banner(room)).is_ok());
    assert_eq!(refused(banner(room + 1)), at("general.banner", "too_long"));
    assert_eq!(
        refused(json!({"general": {"banner": "a\r\n220 b"}})),
        at("general.banner", "not_printable")
    );
}

#[test]
fn users_and_groups_share_their_names() {
    assert_eq!(
        refused(json!({"groups": [{"name": "bob", "members": []}]})),
        at("groups.bob.name", "taken")
    );
    assert_eq!(
        refused(json!({"users": [{"name": "alice"}, {"name": "alice"}], "groups": []})),
        at("users.alice.name", "taken")
    );
    assert_eq!(
        refused(json!({"groups": [{"name": "g", "members": ["eve"]}]})),
        at("groups.g.members[0]", "no_such_user")
    );
    for bad in [
        "", "../etc", "a/b", ".x", "a..b", "Anna", "a b", "a+b", "a@b",
    ] {
        assert_eq!(
            refused(json!({"users": [{"name": bad}], "groups": []})).len(),
            1,
            "{bad}"
        );
    }
}

#[test]
fn a_login_is_the_name_or_the_address_in_any_local_domain() {
    let settings = office()
        .merged(&json!({"general": {"additional_domains": ["branch.example"]}}))
        .unwrap();
    for login in [
        "alice",
        "Alice",
        "alice@office.example",
        "ALICE@branch.example",
    ] {
        assert_eq!(
            settings.user_of_login(login).map(|u| u.name.as_str()),
            Some("alice"),
            "{login}"
        );
    }
    for login in ["", "eve", "alice@elsewhere.example", "alice@"] {
        assert!(settings.user_of_login(login).is_none(), "{login}");
    }
}

#[test]
fn trusting_a_public_network_is_refused() {
    assert_eq!(
        refused(json!({"service": {"local_networks": ["192.168.1.0/24", "8.8.8.0/24"]}})),
        at("service.local_networks[1]", "public_network")
    );
}

#[test]
fn the_same_port_cannot_serve_two_purposes() {
    let refused =
        refused(json!({"service": {"smtp": ["127.0.0.1:2525"], "submission": ["127.0.0.1:2525"]}}));
    assert_eq!(refused, at("service.submission[0]", "duplicate"));
    assert!(
        office()
            .merged(&json!({"service": {"smtp": ["127.0.0.1:0"], "submission": ["127.0.0.1:0"]}}))
            .is_ok()
    );
}

#[test]
fn certificates_and_folders_are_named_by_full_paths() {
    assert!(
        office()
            .merged(&json!({"service": {"certificate": {"chain": "/c.pem", "key": "/k.pem"}}}))
            .is_ok()
    );
    assert_eq!(
        refused(json!({"service": {"certificate": {"chain": "c.pem", "key": "/k.pem"}}})),
        at("service.certificate.chain", "not_absolute")
    );
    assert!(!refused(json!({"service": {"certificate": "letsencrypt"}})).is_empty());
}

#[test]
fn rows_and_back_are_the_identity() {
    let settings = office();
    assert_eq!(Settings::from_rows(&settings.to_rows()).unwrap(), settings);
    assert_eq!(Settings::from_rows(&[]).unwrap(), Settings::default());
}

#[test]
fn a_row_that_cannot_be_read_is_an_error_not_a_default() {
    let mut rows = office().to_rows();
    rows[1].value = json!({"max_hops": "x"});
    assert_eq!(
        Settings::from_rows(&rows).unwrap_err()[0].path,
        "general.max_hops"
    );
}

#[test]
fn every_field_has_help_and_the_default_of_the_struct() {
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    for field in Settings::fields() {
        assert!(field.help.len() > 20, "{}", field.path);
        let place = format!("/{}", field.path.replace('.', "/"));
        assert_eq!(
            Some(&field.default),
            defaults.pointer(&place),
            "{}",
            field.path
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_document_makes_the_reader_panic_or_loop(text in "[\\[\\]{}\",:a-z0-9. _]{0,200}") {
        if let Ok(document) = serde_json::from_str::<Value>(&text) {
            let _ = office().merged(&document);
        }
        let _ = office().merged(&json!({"general": {"domain": text, "banner": text, "hostname": text}, "users": [{"name": text}]}));
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_in_plain_words() {
    for (document, words) in [
        (
            json!({"general": {"max_hops": "many"}}),
            "a whole number is needed",
        ),
        (
            json!({"general": {"max_hops": 1.5}}),
            "a whole number is needed",
        ),
        (
            json!({"general": {"max_hops": -1}}),
            "a whole number from 0 to 4294967295 is needed",
        ),
        (
            json!({"general": {"max_attachment_size_mb": "big"}}),
            "a whole number is needed",
        ),
        (
            json!({"general": {"smtp_auth": "yes"}}),
            "true or false is needed",
        ),
        (json!({"general": {"banner": 5}}), "a text is needed"),
        (json!({"general": {"domain": 5}}), "a text is needed"),
        (json!({"users": 5}), "a list is needed"),
        (json!({"service": {"smtp": "[::]:25"}}), "a list is needed"),
        (
            json!({"service": {"smtp": [25]}}),
            "an address with its port is needed, such as \"[::]:25\"",
        ),
    ] {
        let problems = office().merged(&document).unwrap_err();
        assert_eq!(problems[0].message, words, "{document}");
    }
    let unknown = office()
        .merged(&json!({"general": {"max_hopps": 7}}))
        .unwrap_err();
    assert!(unknown[0].message.contains("max_hopps"), "{unknown:?}");
}
