//! Names: of the client, of its greeting, of the sender's domain.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_greeting_is_a_full_name_or_an_address_in_brackets() {
    let policy = settings(json!({"advanced": {"reject_non_fqdn_helo": true}}));
    for (helo, allowed) in [
        ("mail.elsewhere.example", true),
        ("mail.elsewhere.example.", true),
        ("mail_1.elsewhere.example", true),
        ("xn--bcher-kva.example", true),
        ("[192.0.2.1]", true),
        ("[IPv6:2001:db8::1]", true),
        ("localhost", false),
        ("localhost.", false),
        ("DESKTOP-1", false),
        ("192.0.2.1", false),
        ("2001:db8::1", false),
        ("[2001:db8::1]", false),
        ("[", false),
        ("a..b", false),
        ("-a.example", false),
        ("", false),
    ] {
        let mut facts = facts();
        facts.helo = Some(helo.into());
        let said = said(Stage::Recipient, &facts, &policy);
        assert_eq!(said.is_none(), allowed, "{helo}: {said:?}");
        if !allowed {
            assert_eq!(said.as_deref(), Some("504 5.5.2"));
        }
        assert_eq!(decide(Stage::Helo, &facts, &policy).refusal, None);
        facts = signed_in(facts);
        assert!(
            decide(Stage::Recipient, &facts, &policy).accepts(),
            "{helo} after login"
        );
    }
}

#[test]
fn a_sender_without_greeting_is_sent_back_while_greetings_matter() {
    let mut facts = facts();
    facts.helo = None;
    let asked = |advanced: Value| {
        said(
            Stage::Sender,
            &facts,
            &settings(json!({ "advanced": advanced })),
        )
    };
    let refused = Some("503 5.5.1".to_owned());
    assert_eq!(asked(json!({"reject_non_fqdn_helo": true})), refused);
    assert_eq!(
        asked(json!({"reject_non_fqdn_helo": false, "reject_unknown_helo": true})),
        refused
    );
    assert_eq!(asked(json!({"reject_non_fqdn_helo": false})), None);
}

#[test]
fn an_unknown_greeting_is_refused_for_now_and_a_host_that_takes_no_mail_is_known() {
    let policy = settings(json!({"advanced": {"reject_unknown_helo": true}}));
    let ask = |fact: Option<NameFact>| {
        let mut facts = facts();
        facts.helo_name = fact;
        (
            said(Stage::Recipient, &facts, &policy),
            needs(Stage::Recipient, &facts, &policy).helo_name,
        )
    };
    assert_eq!(ask(None), (None, true));
    assert_eq!(ask(Some(NameFact::Exists)), (None, false));
    assert_eq!(ask(Some(NameFact::NullMx)), (None, false));
    assert_eq!(
        ask(Some(NameFact::Missing)),
        (Some("450 4.7.1".into()), false)
    );
    assert_eq!(
        ask(Some(NameFact::Unknown("SERVFAIL".into()))),
        (Some("450 4.7.1".into()), false)
    );
    let mut literal = facts();
    literal.helo = Some("[192.0.2.7]".into());
    assert!(!needs(Stage::Recipient, &literal, &policy).helo_name);
}

#[test]
fn the_domain_of_a_sender_has_a_dot_or_is_an_address() {
    let policy = settings(json!({"sender_policy": {"reject_non_fqdn": true}}));
    for (sender, allowed) in [
        ("<boss@elsewhere.example>", true),
        ("<boss@[192.0.2.1]>", true),
        ("<>", true),
        ("<boss@office>", false),
        ("<boss@localhost>", false),
    ] {
        let mut facts = facts();
        facts.envelope.sender = Some(sender.parse().unwrap());
        let said = said(Stage::Recipient, &facts, &policy);
        assert_eq!(
            said.as_deref(),
            (!allowed).then_some("504 5.5.2"),
            "{sender}"
        );
    }
}

#[test]
fn each_answer_of_the_dns_about_the_senders_domain_has_its_reply() {
    let policy = of_sender_domain("all_recipients");
    for (fact, expected) in [
        (NameFact::Exists, None),
        (NameFact::Missing, Some("550 5.1.8")),
        (NameFact::NullMx, Some("550 5.7.27")),
        (NameFact::Unknown("SERVFAIL".into()), Some("451 4.1.8")),
    ] {
        let mut facts = facts();
        facts.sender_domain = Some(fact.clone());
        assert_eq!(
            said(Stage::Recipient, &facts, &policy).as_deref(),
            expected,
            "{fact:?}"
        );
        assert_eq!(said(Stage::Recipient, &signed_in(facts), &policy), None);
    }
}

#[test]
fn null_senders_literals_and_our_own_domains_are_not_looked_up() {
    let mut policy = of_sender_domain("all_recipients");
    policy.general.smtp_auth = false;
    for (sender, asked) in [
        ("<pat@elsewhere.example>", true),
        ("<>", false),
        ("<pat@[192.0.2.1]>", false),
        ("<alice@office.example>", false),
    ] {
        let mut facts = facts();
        facts.envelope.sender = Some(sender.parse().unwrap());
        assert_eq!(
            needs(Stage::Recipient, &facts, &policy).sender_domain,
            asked,
            "{sender}"
        );
        facts.sender_domain = Some(NameFact::Missing);
        assert_eq!(
            said(Stage::Recipient, &facts, &policy).is_some(),
            asked,
            "{sender}"
        );
    }
}

#[test]
fn with_the_narrow_scope_an_unknown_domain_matters_only_to_recipients_that_do_not_exist() {
    let policy = of_sender_domain("unknown_recipients_only");
    let mut facts = facts();
    facts.sender_domain = Some(NameFact::Missing);
    assert_eq!(said(Stage::Recipient, &facts, &policy), None);
    facts.recipient = Some("<nobody@office.example>".parse().unwrap());
    assert_eq!(
        said(Stage::Recipient, &facts, &policy).as_deref(),
        Some("550 5.1.8")
    );
}

#[test]
fn a_client_needs_a_name_and_where_it_is_asked_for_one_that_leads_back() {
    let name = || "out.elsewhere.example".to_owned();
    let all = [
        ClientName::Confirmed(name()),
        ClientName::Unconfirmed(name()),
        ClientName::Missing,
        ClientName::Unknown("SERVFAIL".into()),
    ];
    for (strictness, refused) in [
        ("reverse", [false, false, true, true]),
        ("forward_confirmed", [false, true, true, true]),
    ] {
        let policy = settings(json!({"connection_policy": {
            "reject_unknown_client_hostname": true, "client_hostname": strictness,
        }}));
        for (fact, refused) in all.iter().zip(refused) {
            let mut facts = facts();
            facts.client_name = Some(fact.clone());
            let expected = refused.then_some("450 4.7.25");
            assert_eq!(
                said(Stage::Recipient, &facts, &policy).as_deref(),
                expected,
                "{fact:?}"
            );
        }
        assert!(needs(Stage::Recipient, &facts(), &policy).client_name);
    }
    assert!(!needs(Stage::Recipient, &facts(), &settings(json!({}))).client_name);
}
