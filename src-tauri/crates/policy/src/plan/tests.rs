use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::facts::{Client, Port};
use crate::{Stage, decide};

fn office() -> Settings {
    Settings::default()
        .merged(&json!({
            "general": {"domain": "office.example", "additional_domains": ["bücher.example"], "hostname": "mx.office.example"},
            "users": [{"name": "alice"}, {"name": "bob", "enabled": false}, {"name": "carol"}],
            "groups": [{"name": "sales", "members": ["alice", "bob"]}, {"name": "empty"}],
        }))
        .unwrap()
}

fn facts(recipients: &[&str]) -> Facts {
    let mut facts = Facts::of_client(Client {
        ip: [192, 0, 2, 7].into(),
        port: Port::Smtp,
        tls: None,
    });
    facts.envelope.sender = Some("<pat@elsewhere.example>".parse().unwrap());
    facts.envelope.recipients = recipients
        .iter()
        .map(|path| path.parse().unwrap())
        .collect();
    facts
}

fn mailboxes(plan: &Plan) -> Vec<&str> {
    plan.deliveries
        .iter()
        .map(|delivery| delivery.mailbox.as_str())
        .collect()
}

#[test]
fn a_group_reaches_its_members_and_nobody_twice() {
    let plan = plan(
        &facts(&["<alice@office.example>", "<sales@office.example>"]),
        &office(),
    );
    assert_eq!(mailboxes(&plan), ["alice", "bob"]);
    assert_eq!(
        plan.deliveries[0].recipient.to_string(),
        "alice@office.example"
    );
    assert_eq!(
        plan.deliveries[1].recipient.to_string(),
        "sales@office.example"
    );
    assert_eq!(plan.trace.len(), 2);
}

#[test]
fn every_spelling_of_an_address_is_the_same_mailbox() {
    let spellings = [
        "<Alice@OFFICE.example>",
        "<alice+x@bücher.example>",
        "<alice@xn--bcher-kva.example>",
        "<alice>",
    ];
    assert_eq!(mailboxes(&plan(&facts(&spellings), &office())), ["alice"]);
}

#[test]
fn postmaster_is_the_first_user_who_is_enabled() {
    let mut settings = office();
    assert_eq!(
        mailboxes(&plan(&facts(&["<postmaster>"]), &settings)),
        ["alice"]
    );
    settings.users[0].enabled = false;
    assert_eq!(
        mailboxes(&plan(&facts(&["<postmaster@office.example>"]), &settings)),
        ["carol"]
    );
    settings.users.clear();
    assert_eq!(
        mailboxes(&plan(&facts(&["<postmaster@bücher.example>"]), &settings)),
        [POSTMASTER]
    );
}

#[test]
fn nobody_and_others_get_nothing() {
    let paths = [
        "<nobody@office.example>",
        "<empty@office.example>",
        "<alice@third.example>",
    ];
    assert!(plan(&facts(&paths), &office()).deliveries.is_empty());
}

/// Recipients of every kind, some of whom will be refused.
fn recipient() -> impl Strategy<Value = String> {
    let local = prop::sample::select(vec![
        "alice",
        "ALICE",
        "alice+x",
        "bob",
        "carol",
        "sales",
        "empty",
        "postmaster",
        "x",
    ]);
    let domain = prop::sample::select(vec![
        "@office.example",
        "@BÜCHER.example",
        "@xn--bcher-kva.example",
        "@third.example",
        "",
    ]);
    (local, domain).prop_map(|(local, domain)| format!("<{local}{domain}>"))
}

proptest! {
    #[test]
    fn every_accepted_recipient_is_delivered_and_each_mailbox_once(paths in prop::collection::vec(recipient(), 0..12)) {
        let settings = office();
        let mut facts = facts(&[]);
        for path in &paths {
            let path: ForwardPath = path.parse().unwrap();
            facts.recipient = Some(path.clone());
            let decision = decide(Stage::Recipient, &facts, &settings);
            facts.envelope.decided(path, &decision);
        }
        let whole = plan(&facts, &settings);
        let mut once = mailboxes(&whole);
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), whole.deliveries.len());
        for path in facts.envelope.recipients.clone() {
            facts.envelope.recipients = vec![path.clone()];
            let alone = plan(&facts, &settings);
            prop_assert!(!alone.deliveries.is_empty(), "{} was accepted and reaches nobody", path);
            prop_assert!(alone.deliveries.iter().all(|delivery| once.contains(&delivery.mailbox.as_str())));
        }
    }
}
