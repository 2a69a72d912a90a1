use serde_json::{Value, json};
use smtp::ReversePath;

use super::*;
use crate::decision::Decision;
use crate::facts::{Client, MessageFacts, Port};
use crate::skips::{Skips, skips};
use crate::stage::{Stage, decide};

fn office(lists: Value) -> Settings {
    let base = json!({
        "general": {"domain": "office.example", "additional_domains": ["bücher.example"], "hostname": "mx.office.example"},
        "security": {
            "lists": lists,
            "sender_policy": {"reject_non_fqdn": false, "reject_unknown_domain": false},
            "checks": {"spf": "off", "dkim": "off", "dmarc": "off"},
            "advanced": {"reject_non_fqdn_helo": false},
        },
        "users": [{"name": "alice"}, {"name": "bob"}],
    });
    Settings::default().merged(&base).unwrap()
}

fn facts(sender: &str, recipient: &str) -> Facts {
    let mut facts = Facts::of_client(Client {
        ip: [192, 0, 2, 1].into(),
        port: Port::Smtp,
        tls: None,
    });
    facts.helo = Some("mx.elsewhere.example".into());
    facts.envelope.sender = ReversePath::parse(sender).ok();
    facts.recipient = ForwardPath::parse(recipient).ok();
    facts
}

fn rule(name: &str, list: &str, criterion: &str, value: &str) -> Value {
    json!({"name": name, "list": list, "criterion": criterion, "value": value})
}

fn found(facts: &Facts, settings: &Settings) -> String {
    let matches = matching(facts, settings, facts.recipient.as_ref());
    matches.names().collect::<Vec<_>>().join(" ")
}

fn refusal(decision: &Decision) -> String {
    let reason = decision.refusal.as_ref();
    reason
        .map(|reason| format!("{:?}", reason))
        .unwrap_or_default()
}

#[test]
fn the_null_sender_matches_no_rule_for_senders() {
    let settings = office(json!([
        rule("a", "black", "sender", "@office.example"),
        rule("b", "white", "domain", ".example"),
    ]));
    assert_eq!(found(&facts("<>", "<alice@office.example>"), &settings), "");
    assert_eq!(
        found(
            &facts("<x@office.example>", "<alice@office.example>"),
            &settings
        ),
        "b a"
    );
    assert_eq!(
        found(&facts("<x>", "<alice@office.example>"), &settings),
        "b a"
    );
}

#[test]
fn a_bare_postmaster_is_ours() {
    let settings = office(json!([rule(
        "a",
        "black",
        "recipient",
        "postmaster@bücher.example"
    )]));
    assert_eq!(found(&facts("<>", "<PostMaster>"), &settings), "a");
    assert_eq!(
        found(&facts("<>", "<postmaster@office.example>"), &settings),
        "a"
    );
}

#[test]
fn white_wins_over_black_and_reject_over_discard() {
    let discard = json!({"name": "d", "list": "black", "criterion": "ip", "value": "192.0.2.1", "action": "discard"});
    let reject = rule("r", "black", "sender", "pat@elsewhere.example");
    let white = rule("w", "white", "recipient", "alice@office.example");
    let pat = |to: &str| facts("<pat@elsewhere.example>", to);
    let (alice, bob) = (pat("<alice@office.example>"), pat("<bob@office.example>"));

    let settings = office(json!([discard, reject, white]));
    assert!(decide(Stage::Recipient, &alice, &settings).accepts());
    let refused = decide(Stage::Recipient, &bob, &settings);
    assert!(refusal(&refused).contains("Listed"), "{refused:?}");
    assert_eq!(refused.discard, None);

    let settings = office(json!([discard]));
    let discarded = decide(Stage::Recipient, &bob, &settings);
    assert_eq!(
        (
            discarded.discard.as_ref().map(|by| by.rule.as_str()),
            discarded.accepts()
        ),
        (Some("d"), true)
    );
}

#[test]
fn an_author_on_the_black_list_is_seen_behind_an_innocent_envelope() {
    let settings = office(json!([rule("r", "black", "sender", "@spam.example")]));
    let mut mail = facts("<pat@elsewhere.example>", "<alice@office.example>");
    mail.envelope.recipients = mail.recipient.take().into_iter().collect();
    let author = |text: &str| MessageFacts {
        from: vec![text.parse().unwrap()],
        from_fields: 1,
        ..MessageFacts::default()
    };
    mail.message = Some(author("Win@SPAM.example"));
    let refused = decide(Stage::Message, &mail, &settings);
    assert!(
        refusal(&refused).contains("<Win@spam.example>"),
        "{refused:?}"
    );
    assert_eq!(of_header(&mail, &settings).collect::<Vec<_>>(), ["r"]);
    mail.message = Some(author("pat@elsewhere.example"));
    assert!(decide(Stage::Message, &mail, &settings).accepts());

    // A white rule for one of two recipients is not enough.
    let settings = office(json!([
        rule("r", "black", "sender", "@spam.example"),
        rule("w", "white", "recipient", "alice@office.example"),
    ]));
    mail.message = Some(author("win@spam.example"));
    assert!(decide(Stage::Message, &mail, &settings).accepts());
    mail.envelope
        .recipients
        .push(ForwardPath::parse("<bob@office.example>").unwrap());
    assert!(!decide(Stage::Message, &mail, &settings).accepts());
}

#[test]
fn a_recipient_lifts_tests_for_itself_and_for_a_message_of_its_own() {
    let settings = office(json!([
        rule("w", "white", "recipient", "alice@office.example"),
        rule("d", "white", "domain", "elsewhere.example"),
    ]));
    let mut mail = facts("<pat@third.example>", "<alice@office.example>");
    let lifted = skips(Stage::Recipient, &mail, &settings);
    let w = Some("w");
    assert_eq!(
        lifted,
        Skips {
            spf: w,
            antivirus: w,
            ..Skips::default()
        }
    );
    mail.recipient = ForwardPath::parse("<bob@office.example>").ok();
    assert_eq!(skips(Stage::Recipient, &mail, &settings), Skips::default());
    assert_eq!(skips(Stage::Message, &mail, &settings), Skips::default());
    mail.envelope.recipients = vec![ForwardPath::parse("<alice+x@bücher.example>").unwrap()];
    assert_eq!(skips(Stage::Message, &mail, &settings).antivirus, w);
    mail.envelope
        .recipients
        .push(ForwardPath::parse("<bob@office.example>").unwrap());
    assert_eq!(skips(Stage::Message, &mail, &settings), Skips::default());
    // Skips of several rules add up.
    mail.envelope.sender = ReversePath::parse("<pat@elsewhere.example>").ok();
    let d = Some("d");
    assert_eq!(
        skips(Stage::Message, &mail, &settings),
        Skips {
            spf: d,
            antivirus: d,
            dkim: d,
            dmarc: d,
            ..Skips::default()
        }
    );
}

#[test]
fn one_address_lifts_everything_and_is_known_at_connect() {
    let settings = office(json!([rule("w", "white", "ip", "192.0.2.1")]));
    let mail = facts("<>", "<alice@office.example>");
    let w = Some("w");
    let all = Skips {
        dnsbl: w,
        spf: w,
        antivirus: w,
        dkim: w,
        dmarc: w,
        all_policies: w,
    };
    for stage in [
        Stage::Connect,
        Stage::Sender,
        Stage::Recipient,
        Stage::Message,
    ] {
        assert_eq!(skips(stage, &mail, &settings), all);
    }
    let settings = office(json!([rule("w", "white", "ip_mask", "192.0.2.1/32")]));
    assert_eq!(skips(Stage::Connect, &mail, &settings).all_policies, None);
}

#[test]
fn no_white_rule_opens_the_relay() {
    let settings = office(json!([
        rule("1", "white", "ip", "192.0.2.1"),
        rule("2", "white", "ip_mask", "0.0.0.0/0"),
        rule("3", "white", "sender", "pat@elsewhere.example"),
        rule("4", "white", "recipient", "@third.example"),
        rule("5", "white", "domain", "elsewhere.example"),
    ]));
    let decision = decide(
        Stage::Recipient,
        &facts("<pat@elsewhere.example>", "<x@third.example>"),
        &settings,
    );
    assert!(refusal(&decision).contains("RelayDenied"), "{decision:?}");
}
