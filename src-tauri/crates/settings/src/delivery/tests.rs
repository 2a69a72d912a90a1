use serde_json::{Value, json};

use super::*;
use crate::{Settings, change};

fn office() -> Settings {
    Settings::default()
        .merged(
            &json!({"general": {"domain": "office.example", "hostname": "mail.office.example"}}),
        )
        .unwrap()
}

fn with(delivery: Value) -> Result<Settings, Vec<(String, String)>> {
    let problems = |found: Vec<Problem>| found.into_iter().map(|p| (p.path, p.code)).collect();
    office()
        .merged(&json!({"delivery": delivery}))
        .map_err(problems)
}

fn refused(delivery: Value, path: &str, code: &str) {
    let problems = with(delivery.clone()).unwrap_err();
    assert_eq!(
        problems,
        [(format!("delivery.{path}"), code.to_owned())],
        "{delivery}"
    );
}

fn warned(delivery: Value) -> Vec<String> {
    let warnings = with(delivery).unwrap().warnings();
    warnings.into_iter().map(|warning| warning.code).collect()
}

#[test]
fn a_relay_needs_a_server_only_while_it_is_on() {
    assert!(with(json!({"relay_server": ""})).is_ok());
    for empty in ["", "  "] {
        refused(
            json!({"relay_enabled": true, "relay_server": empty}),
            "relay_server",
            "relay_needed",
        );
    }
    let settings = with(json!({"relay_enabled": true, "relay_server": " SMTP.bücher.example "}));
    let host = settings.unwrap().delivery.relay_host();
    let name = smtp::Domain::parse("smtp.xn--bcher-kva.example").unwrap();
    assert_eq!(host, Some(RelayHost::Name(name)));
    assert_eq!(Delivery::default().relay_host(), None);
}

#[test]
fn a_server_that_is_none_is_refused_also_while_the_relay_is_off() {
    refused(json!({"relay_server": "a b"}), "relay_server", "not_a_host");
    refused(
        json!({"relay_server": "smtp.example:587"}),
        "relay_server",
        "port_in_host",
    );
}

#[test]
fn a_relay_that_is_this_server_itself_is_refused() {
    let on = |server: &str, port: u16| json!({"relay_enabled": true, "relay_server": server, "relay_port": port});
    for (server, port) in [
        ("MAIL.office.example", 2525),
        ("localhost", 25),
        ("127.0.0.1", 587),
        ("[::1]", 465),
    ] {
        refused(on(server, port), "relay_server", "own_server");
        assert!(with(json!({"relay_server": server})).is_ok(), "off");
    }
    // Another program of this machine can be the relay.
    assert!(with(on("127.0.0.1", 1025)).is_ok());
    assert!(with(on("office.example", 25)).is_ok());
}

#[test]
fn a_port_is_any_but_zero() {
    for field in ["relay_port", "direct_port"] {
        for port in [1, 65_535] {
            assert!(with(json!({field: port})).is_ok());
        }
        refused(json!({field: 0}), field, "out_of_range");
        refused(json!({field: 65_536}), field, "unreadable");
    }
}

#[test]
fn tls_begins_at_once_on_port_465_unless_the_mode_says_otherwise() {
    let implicit = |mode: &str, port: u16| {
        let settings = with(json!({"relay_tls_mode": mode, "relay_port": port})).unwrap();
        settings.delivery.relay_tls_is_implicit()
    };
    assert!(implicit("auto", 465) && !implicit("auto", 587) && !implicit("auto", 2465));
    assert!(!implicit("starttls", 465) && implicit("implicit", 2465));
    refused(
        json!({"relay_tls": false, "relay_tls_mode": "implicit"}),
        "relay_tls_mode",
        "needs_tls",
    );
}

#[test]
fn a_pin_is_a_sha256_however_it_was_copied() {
    let octets = ["AB"; 32];
    for text in [octets.join(":"), octets.join(" "), octets.concat()] {
        let settings = with(json!({"relay_certificate": {"pin": text}})).unwrap();
        assert_eq!(
            settings.delivery.relay_certificate,
            RelayCertificate::Pin("ab".repeat(32))
        );
        let stored = serde_json::to_value(&settings.delivery).unwrap();
        assert_eq!(stored["relay_certificate"], json!({"pin": "ab".repeat(32)}));
    }
    for text in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
        refused(
            json!({"relay_certificate": {"pin": text}}),
            "relay_certificate.pin",
            "not_a_fingerprint",
        );
    }
    for word in ["verify", "any"] {
        assert!(with(json!({"relay_certificate": word})).is_ok());
    }
    assert!(with(json!({"relay_certificate": "none"})).is_err());
}

#[test]
fn signing_in_needs_a_user_name_that_fits_one_line() {
    refused(
        json!({"relay_auth": true}),
        "relay_username",
        "username_needed",
    );
    assert!(with(json!({"relay_auth": true, "relay_username": "x".repeat(255)})).is_ok());
    refused(
        json!({"relay_username": "x".repeat(256)}),
        "relay_username",
        "too_long",
    );
    for bad in ["a\r\nb", "a\0b"] {
        refused(
            json!({"relay_username": bad}),
            "relay_username",
            "control_character",
        );
    }
}

#[test]
fn a_schedule_has_one_to_fifty_entries_of_one_minute_to_a_day() {
    for good in [vec![1], vec![1_440], vec![5; 50]] {
        assert!(with(json!({"retry_schedule_minutes": good})).is_ok());
    }
    let path = "retry_schedule_minutes";
    refused(json!({path: []}), path, "schedule_needed");
    refused(json!({path: vec![5; 51]}), path, "too_many");
    refused(
        json!({path: [5, 0]}),
        "retry_schedule_minutes[1]",
        "out_of_range",
    );
    refused(
        json!({path: [1_441]}),
        "retry_schedule_minutes[0]",
        "out_of_range",
    );
}

#[test]
fn hours_stop_at_both_ends_of_their_range_and_no_warning_is_possible() {
    for field in ["give_up_after_hours", "warn_after_hours"] {
        for good in [1, 240] {
            assert!(with(json!({field: good})).is_ok());
        }
        for bad in [0, 241] {
            refused(json!({field: bad}), field, "out_of_range");
        }
    }
    assert!(with(json!({"warn_after_hours": null})).is_ok());
    assert!(with(json!({"give_up_after_hours": null})).is_err());
}

#[test]
fn what_is_risky_or_pointless_is_warned_of() {
    assert!(warned(json!({})).is_empty());
    let mut relay = json!({
        "relay_enabled": true, "relay_server": "smtp.example",
        "relay_auth": true, "relay_username": "office", "relay_auth_in_clear": true,
    });
    assert!(warned(relay.clone()).is_empty(), "always encrypted");
    relay["relay_tls"] = json!(false);
    assert_eq!(warned(relay.clone()), ["password_in_clear"]);
    relay["relay_certificate"] = json!("any");
    assert_eq!(
        warned(relay.clone()),
        ["password_in_clear", "any_certificate"]
    );
    relay["relay_enabled"] = json!(false);
    assert!(warned(relay).is_empty(), "not used");
    assert_eq!(
        warned(json!({"give_up_after_hours": 4, "warn_after_hours": 4})),
        ["warned_too_late"]
    );
    assert!(warned(json!({"give_up_after_hours": 5, "warn_after_hours": 4})).is_empty());
}

#[test]
fn mail_that_waits_is_routed_anew_when_its_way_changes_and_nothing_must_be_tried_for_it() {
    let old = with(json!({"relay_enabled": true, "relay_server": "smtp.example"})).unwrap();
    let routes = |document: Value| {
        let effects = change::effects(&old, &old.merged(&document).unwrap());
        assert!(!effects.must_be_tried(), "{document}");
        effects.routes
    };
    for document in [
        json!({"delivery": {"relay_enabled": false}}),
        json!({"delivery": {"relay_server": "smtp2.example"}}),
        json!({"delivery": {"relay_port": 465}}),
        json!({"delivery": {"relay_certificate": "any"}}),
        json!({"delivery": {"relay_auth": true, "relay_username": "office"}}),
        json!({"service": {"dns_servers": ["192.0.2.53:53"]}}),
        json!({"general": {"additional_domains": ["branch.example"]}}),
    ] {
        assert!(routes(document.clone()), "{document}");
    }
    for document in [
        json!({}),
        json!({"general": {"max_hops": 7}}),
        json!({"delivery": {"retry_schedule_minutes": [1], "give_up_after_hours": 2, "warn_after_hours": null}}),
    ] {
        assert!(!routes(document.clone()), "{document}");
    }
    let off = office();
    let prepared = off
        .merged(&json!({"delivery": {"relay_server": "smtp.example"}}))
        .unwrap();
    assert!(!change::effects(&off, &prepared).routes, "still off");
    let other_port = off
        .merged(&json!({"delivery": {"direct_port": 26}}))
        .unwrap();
    assert!(change::effects(&off, &other_port).routes);
    let store = off
        .merged(&json!({"service": {"mailbox": {"lmtp": "127.0.0.1:24"}}}))
        .unwrap();
    let effects = change::effects(&off, &store);
    assert!(effects.routes && effects.mailbox);
}

#[test]
fn mail_that_waits_gets_the_new_times() {
    let old = office();
    let times = |document: Value| {
        let effects = change::effects(&old, &old.merged(&document).unwrap());
        assert!(!effects.must_be_tried(), "{document}");
        effects.times
    };
    assert!(times(
        json!({"delivery": {"give_up_after_hours": 2, "warn_after_hours": 1}})
    ));
    assert!(times(json!({"delivery": {"warn_after_hours": null}})));
    assert!(!times(json!({"delivery": {"retry_schedule_minutes": [1]}})));
}

#[test]
fn a_mail_store_is_another_program() {
    let mailbox = |at: &str| office().merged(&json!({"service": {"mailbox": {"lmtp": at}}}));
    for at in [
        "127.0.0.1:24",
        "dovecot.office.example:24",
        "unix:/run/lmtp",
    ] {
        let settings = mailbox(at).unwrap();
        assert_eq!(
            serde_json::to_value(&settings.service.mailbox).unwrap(),
            json!({"lmtp": at})
        );
        assert_eq!(Settings::from_rows(&settings.to_rows()).unwrap(), settings);
    }
    let own = mailbox("localhost:25").unwrap_err();
    assert_eq!(
        (own[0].path.as_str(), own[0].code.as_str()),
        ("service.mailbox.lmtp", "own_server")
    );
    assert!(mailbox("dovecot").is_err() && mailbox("unix:lmtp").is_err());
    let stored = serde_json::to_value(&office().service.mailbox).unwrap();
    assert_eq!(stored, json!({"maildir": null}), "as it was");
}
