//! The same recipient under other settings.

use serde_json::json;
use smtp::RcptParameters;

use super::*;
use crate::queue::lanes::MAILBOX;

fn waiting(address: &str, mailbox: &str) -> Waiting {
    Waiting {
        id: 7,
        address: Address::parse(address).unwrap(),
        mailbox: mailbox.into(),
        parameters: RcptParameters::default(),
        attempts: 0,
        expires_at_ms: 0,
        reason: String::new(),
    }
}

fn office(changes: serde_json::Value) -> Settings {
    let base = json!({
        "general": {"domain": "office.example", "hostname": "mail.office.example"},
        "users": [{"name": "ann"}, {"name": "bea"}],
        "groups": [{"name": "team", "members": ["ann", "bea"]}],
    });
    Settings::default()
        .merged(&base)
        .and_then(|settings| settings.merged(&changes))
        .unwrap()
}

/// Where one recipient goes that was taken for `destination`: here, the new destination with its mailboxes, or nobody.
fn sorted(address: &str, taken_for: &str, settings: &Settings) -> String {
    let sorted = sort(vec![waiting(address, "")], taken_for, settings);
    match (
        sorted.here.len(),
        sorted.moved.as_slice(),
        sorted.nobody.len(),
    ) {
        (1, [], 0) => "here".into(),
        (0, [moved], 0) => format!("{} {}", moved.destination, moved.mailboxes.join(","))
            .trim()
            .to_owned(),
        (0, [], 1) => "nobody".into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_goes_where_it_was_taken_for_stays() {
    let direct = office(json!({}));
    assert_eq!(
        sorted("x@far.example", "domain:far.example", &direct),
        "here"
    );
    let settled = sort(vec![waiting("ann@office.example", "ann")], MAILBOX, &direct);
    assert_eq!(settled.here.len(), 1);
}

#[test]
fn who_was_taken_for_the_servers_of_its_domain_goes_to_a_relay_that_was_set_since_and_back() {
    let relay =
        office(json!({"delivery": {"relay_enabled": true, "relay_server": "smtp.example"}}));
    assert_eq!(
        sorted("x@far.example", "domain:far.example", &relay),
        "relay"
    );
    let direct = office(json!({}));
    assert_eq!(
        sorted("x@far.example", "relay", &direct),
        "domain:far.example"
    );
}

#[test]
fn who_is_one_of_us_now_goes_to_its_mailboxes_or_back_to_the_sender() {
    let direct = office(json!({}));
    assert_eq!(
        sorted("ann@office.example", "relay", &direct),
        "mailbox ann"
    );
    assert_eq!(
        sorted("team@office.example", "domain:office.example", &direct),
        "mailbox ann,bea"
    );
    assert_eq!(sorted("zoe@office.example", "relay", &direct), "nobody");
    // Also when an earlier program has put it there without a mailbox.
    assert_eq!(
        sorted("ann@office.example", "mailbox", &direct),
        "mailbox ann"
    );
}
