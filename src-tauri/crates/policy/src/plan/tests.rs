use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::facts::{Client, Login, Port};
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
        .filter_map(|delivery| delivery.mailbox.as_deref())
        .collect()
}

/// Addresses elsewhere with their destinations.
fn elsewhere(plan: &Plan) -> Vec<(String, String)> {
    let away = plan.deliveries.iter().filter(|one| one.mailbox.is_none());
    away.map(|one| (one.recipient.to_string(), one.destination.key()))
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
fn nobody_gets_nothing() {
    let paths = ["<nobody@office.example>", "<empty@office.example>"];
    let plan = plan(&facts(&paths), &office());
    assert_eq!(plan, Plan::default());
}

#[test]
fn an_address_elsewhere_gets_one_copy_on_its_way() {
    let paths = [
        "<quinn@third.example>",
        "<alice@office.example>",
        "<Quinn@THIRD.example>",
        "<quinn+x@third.example>",
        "<quinn@[192.0.2.1]>",
    ];
    let whole = plan(&facts(&paths), &office());
    assert_eq!(
        elsewhere(&whole),
        [
            ("quinn@third.example", "domain:third.example"),
            ("quinn+x@third.example", "domain:third.example"),
            ("quinn@[192.0.2.1]", "domain:[192.0.2.1]"),
        ]
        .map(|(address, key)| (address.to_owned(), key.to_owned()))
    );
    assert_eq!(mailboxes(&whole), ["alice"]);
    let said: Vec<&str> = whole.trace.iter().map(|step| &*step.text).collect();
    assert_eq!(said[0], "to the mail servers of third.example");
    assert_eq!(said[1], "to the mailbox of alice");
    assert_eq!(whole.trace[0].check, "remote_delivery");
}

#[test]
fn with_a_relay_all_that_is_elsewhere_goes_there_and_our_own_mail_stays() {
    let settings = office()
        .merged(&json!({"delivery": {"relay_enabled": true, "relay_server": "smtp.example"}}))
        .unwrap();
    let plan = plan(
        &facts(&["<quinn@third.example>", "<alice@office.example>"]),
        &settings,
    );
    assert_eq!(
        elsewhere(&plan),
        [("quinn@third.example".to_owned(), "relay".to_owned())]
    );
    assert_eq!(mailboxes(&plan), ["alice"]);
    assert_eq!(plan.trace[0].text, "to the relay smtp.example:587");
    assert_eq!(
        plan.trace[0].setting.as_deref(),
        Some("delivery.relay_enabled")
    );
}

#[test]
fn a_mail_store_behind_lmtp_is_named_in_the_trace() {
    let settings = office()
        .merged(&json!({"service": {"mailbox": {"lmtp": "unix:/run/store/lmtp"}}}))
        .unwrap();
    let plan = plan(&facts(&["<alice@office.example>"]), &settings);
    assert_eq!(plan.deliveries[0].destination, Destination::Mailbox);
    assert_eq!(
        plan.trace[0].text,
        "to the mailbox of alice through LMTP at unix:/run/store/lmtp"
    );
}

#[test]
fn what_came_with_a_recipient_stays_with_it_and_goes_to_each_member_of_a_group() {
    let mut facts = facts(&[
        "<quinn@third.example>",
        "<SALES@office.example>",
        "<carol@office.example>",
    ]);
    let asked = |orcpt: &str| RcptParameters {
        notify: Some(smtp::Notify::Never),
        orcpt: Some(format!("rfc822;{orcpt}")),
    };
    facts.envelope.notifications = vec![
        (
            "<Quinn@third.example>".parse().unwrap(),
            asked("q@a.example"),
        ),
        (
            "<quinn@third.example>".parse().unwrap(),
            asked("later@a.example"),
        ),
        (
            "<sales@office.example>".parse().unwrap(),
            asked("s@a.example"),
        ),
    ];
    let found: Vec<_> = plan(&facts, &office())
        .deliveries
        .into_iter()
        .map(|one| one.parameters)
        .collect();
    assert_eq!(
        found,
        [
            asked("q@a.example"),
            asked("s@a.example"),
            asked("s@a.example"),
            RcptParameters::default(),
        ]
    );
}

/// Whom a delivery reaches.
fn reached(delivery: &Delivery) -> String {
    match &delivery.mailbox {
        Some(user) => user.clone(),
        None => delivery.recipient.folded(),
    }
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
    fn every_accepted_recipient_is_delivered_and_each_mailbox_once(
        paths in prop::collection::vec(recipient(), 0..12), signed_in in any::<bool>(),
    ) {
        let settings = office();
        let mut facts = facts(&[]);
        if signed_in {
            facts.login = Some(Login { user: "alice".into(), current: true });
            facts.envelope.sender = Some("<alice@office.example>".parse().unwrap());
        }
        for path in &paths {
            let path: ForwardPath = path.parse().unwrap();
            facts.recipient = Some(path.clone());
            let decision = decide(Stage::Recipient, &facts, &settings);
            facts.envelope.decided(path, &decision);
        }
        let whole = plan(&facts, &settings);
        let once: HashSet<_> = whole.deliveries.iter().map(reached).collect();
        prop_assert_eq!(once.len(), whole.deliveries.len());
        prop_assert!(signed_in || elsewhere(&whole).is_empty(), "a stranger sends to others");
        for path in facts.envelope.recipients.clone() {
            facts.envelope.recipients = vec![path.clone()];
            let alone = plan(&facts, &settings);
            prop_assert!(!alone.deliveries.is_empty(), "{} was accepted and reaches nobody", path);
            prop_assert!(alone.deliveries.iter().all(|delivery| once.contains(&reached(delivery))));
        }
    }
}
