//! The tests of mail from strangers.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::*;
use crate::facts::{ArcFact, MessageFacts};

#[test]
fn a_listed_client_is_refused_with_the_words_of_the_list_and_a_silent_list_says_nothing() {
    let policy = settings(json!({"checks": {"dnsbl_zones": [
        {"zone": "silent.example"}, {"zone": "zen.example", "answers": ["127.0.0.2"]},
    ]}}));
    let mut facts = facts();
    assert!(needs(Stage::Recipient, &facts, &policy).dnsbl);
    let fact = |zone: &str, answer| DnsblFact {
        zone: zone.into(),
        answer,
    };
    let silent = || fact("silent.example", DnsblAnswer::Failed("SERVFAIL".into()));
    facts.dnsbl = Some(vec![silent()]);
    assert!(
        needs(Stage::Recipient, &facts, &policy).dnsbl,
        "a list came since"
    );
    facts.dnsbl = Some(vec![silent(), fact("ZEN.example.", DnsblAnswer::NotListed)]);
    let decision = decide(Stage::Recipient, &facts, &policy);
    assert!(decision.accepts());
    assert!(
        step(&decision, "dnsbl")
            .text
            .contains("silent.example: SERVFAIL")
    );
    let answers = vec![IpAddr::from([127, 0, 0, 2])];
    let text = "see zen.example/192.0.2.7".to_owned();
    facts.dnsbl = Some(vec![
        silent(),
        fact("zen.example", DnsblAnswer::Listed { answers, text }),
    ]);
    let reply = decide(Stage::Recipient, &facts, &policy)
        .refusal
        .unwrap()
        .reply();
    assert_eq!(
        reply.to_string(),
        "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.example; see zen.example/192.0.2.7"
    );
    assert_eq!(said(Stage::Recipient, &signed_in(facts), &policy), None);
}

const RESULTS: [AuthResult; 8] = [
    AuthResult::None,
    AuthResult::Pass,
    AuthResult::Fail,
    AuthResult::SoftFail,
    AuthResult::Neutral,
    AuthResult::Policy,
    AuthResult::TempError,
    AuthResult::PermError,
];

#[test]
fn of_the_results_of_spf_only_fail_and_temperror_are_held_against_a_message() {
    for check in ["record", "enforce", "off"] {
        let policy = settings(json!({"checks": {"spf": check}}));
        assert_eq!(
            needs(Stage::Recipient, &facts(), &policy).spf,
            check != "off"
        );
        for result in RESULTS {
            let mut facts = facts();
            facts.spf = Some(spf(result));
            let expected = match result {
                AuthResult::Fail if check == "enforce" => Some("550 5.7.23"),
                AuthResult::TempError if check == "enforce" => Some("451 4.7.24"),
                _ => None,
            };
            assert_eq!(
                said(Stage::Recipient, &facts, &policy).as_deref(),
                expected,
                "{check} {result:?}"
            );
            assert_eq!(said(Stage::Recipient, &signed_in(facts), &policy), None);
        }
    }
}

#[test]
fn a_message_is_refused_for_dkim_only_when_it_has_signatures_and_none_is_right() {
    let enforced = settings(json!({"checks": {"dkim": "enforce"}}));
    let recorded = settings(json!({"checks": {"dkim": "record"}}));
    for (results, expected) in [
        (vec![], None),
        (vec![AuthResult::None], None),
        (vec![AuthResult::Pass], None),
        (vec![AuthResult::Fail], Some("550 5.7.20")),
        (vec![AuthResult::Policy], Some("550 5.7.20")),
        (
            vec![AuthResult::PermError, AuthResult::Neutral],
            Some("550 5.7.20"),
        ),
        (vec![AuthResult::Fail, AuthResult::Pass], None),
        (
            vec![AuthResult::Fail, AuthResult::TempError],
            Some("451 4.7.20"),
        ),
        (vec![AuthResult::TempError, AuthResult::Pass], None),
    ] {
        let facts = with_tests(ContentTests {
            dkim: Some(results.iter().copied().map(signature).collect()),
            arc: Some(ArcFact {
                result: AuthResult::Fail,
                reason: "broken".into(),
            }),
            ..ContentTests::default()
        });
        assert_eq!(
            said(Stage::Message, &facts, &enforced).as_deref(),
            expected,
            "{results:?}"
        );
        assert_eq!(said(Stage::Message, &facts, &recorded), None, "{results:?}");
        assert_eq!(said(Stage::Message, &signed_in(facts), &enforced), None);
    }
}

#[test]
fn a_message_is_refused_for_dmarc_only_where_the_domain_asks_for_it() {
    for check in ["enforce", "record", "off"] {
        let policy = settings(json!({"checks": {"dmarc": check}}));
        for asked in [
            DmarcPolicy::None,
            DmarcPolicy::Quarantine,
            DmarcPolicy::Reject,
        ] {
            for result in RESULTS {
                let facts = with_tests(ContentTests {
                    dmarc: Some(dmarc(result, asked)),
                    ..ContentTests::default()
                });
                let refused = check == "enforce"
                    && result == AuthResult::Fail
                    && asked == DmarcPolicy::Reject;
                let waits = check == "enforce"
                    && result == AuthResult::TempError
                    && asked == DmarcPolicy::Reject;
                let expected = refused
                    .then_some("550 5.7.1")
                    .or(waits.then_some("451 4.7.1"));
                assert_eq!(
                    said(Stage::Message, &facts, &policy).as_deref(),
                    expected,
                    "{check} {asked:?} {result:?}"
                );
            }
        }
    }
}

fn written_by(from: &[&str], fields: usize, unreadable: Option<&str>) -> MessageFacts {
    MessageFacts {
        from: from.iter().map(|text| text.parse().unwrap()).collect(),
        from_fields: fields,
        unreadable_from: unreadable.map(Into::into),
        ..MessageFacts::default()
    }
}

#[test]
fn a_stranger_has_one_from_field_that_can_be_read() {
    let many = |count: usize| {
        let from: Vec<String> = (0..count).map(|n| format!("a@d{n}.example")).collect();
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        written_by(&from, 1, None)
    };
    for (message, refused) in [
        (written_by(&["a@x.example"], 1, None), false),
        (written_by(&["a@x.example", "b@x.example"], 1, None), false),
        (written_by(&["a@x.example", "b@y.example"], 1, None), false),
        (many(10), false),
        (many(11), true),
        (written_by(&[], 0, None), true),
        (written_by(&[], 1, None), true),
        (written_by(&["a@x.example", "a@x.example"], 2, None), true),
        (written_by(&["a@x.example"], 1, Some("<a@x.example")), true),
    ] {
        for check in ["enforce", "record", "off"] {
            let policy = settings(json!({"checks": {"dmarc": check}}));
            let mut facts = with_tests(ContentTests {
                dmarc: Some(dmarc(AuthResult::Pass, DmarcPolicy::Reject)),
                ..ContentTests::default()
            });
            facts.message = Some(message.clone());
            let expected = (refused && check == "enforce").then_some("550 5.7.1");
            let decision = decide(Stage::Message, &facts, &policy);
            assert_eq!(
                said(Stage::Message, &facts, &policy).as_deref(),
                expected,
                "{check} {message:?}"
            );
            if let Some(reason) = decision.refusal {
                assert!(reason.text().contains("From field"), "{reason:?}");
                assert_eq!(reason.setting(), Some("security.checks.dmarc"));
            }
            facts.envelope.sender = Some(smtp::ReversePath::Null);
            assert_eq!(said(Stage::Message, &facts, &policy).as_deref(), expected);
            let step = step(
                &decide(Stage::Message, &signed_in(facts), &policy),
                "from_field",
            )
            .clone();
            assert_eq!(step.result, "skip");
        }
    }
}

#[test]
fn a_policy_that_cannot_be_applied_waits_where_the_sender_may_have_seen_to_it() {
    let policy = settings(json!({"checks": {"dmarc": "enforce"}}));
    let ask = |from: &[&str], asked| {
        let mut facts = with_tests(ContentTests {
            dmarc: Some(dmarc(AuthResult::TempError, asked)),
            ..ContentTests::default()
        });
        facts.message = Some(written_by(from, 1, None));
        said(Stage::Message, &facts, &policy)
    };
    let one = ["a@x.example", "b@x.example"];
    let two = ["a@x.example", "b@y.example"];
    assert_eq!(ask(&one, DmarcPolicy::None), None);
    assert_eq!(ask(&one, DmarcPolicy::Reject).as_deref(), Some("451 4.7.1"));
    assert_eq!(ask(&two, DmarcPolicy::None).as_deref(), Some("451 4.7.1"));
}

#[test]
fn a_message_that_fails_dkim_and_dmarc_is_told_of_both() {
    let policy = settings(json!({"checks": {"dkim": "enforce", "dmarc": "enforce"}}));
    let facts = with_tests(ContentTests {
        dkim: Some(vec![signature(AuthResult::Fail)]),
        dmarc: Some(dmarc(AuthResult::Fail, DmarcPolicy::Reject)),
        ..ContentTests::default()
    });
    assert_eq!(
        said(Stage::Message, &facts, &policy).as_deref(),
        Some("550 5.7.26")
    );
}

fn scanned(scan: ScanFact, antivirus: &str, unavailable: &str) -> Decision {
    let checks = json!({"antivirus": antivirus, "antivirus_unavailable": unavailable});
    let facts = with_tests(ContentTests {
        antivirus: Some(scan),
        ..ContentTests::default()
    });
    decide(Stage::Message, &facts, &with_scanner(checks))
}

/// Where clamd listens does not matter here.
fn with_scanner(checks: Value) -> Settings {
    let mut settings = settings(json!({}));
    settings.security.checks.antivirus =
        serde_json::from_value(checks["antivirus"].clone()).unwrap();
    settings.security.checks.antivirus_unavailable =
        serde_json::from_value(checks["antivirus_unavailable"].clone()).unwrap();
    settings
}

#[test]
fn malware_is_refused_or_thrown_away_and_what_cannot_be_searched_waits_or_goes_without() {
    let code = |decision: Decision| decision.refusal.map(|reason| reason.reply().to_string());
    let malware = || ScanFact::Malware("Eicar".into());
    assert_eq!(
        code(scanned(malware(), "reject", "defer")).as_deref(),
        Some("550 5.7.1 message contains malware: Eicar")
    );
    let thrown = scanned(malware(), "discard", "defer");
    assert!(thrown.accepts());
    let by = thrown.discard.map(|by| (by.rule, by.setting));
    assert_eq!(by, Some(("antivirus".into(), "security.checks.antivirus")));
    assert!(scanned(malware(), "off", "defer").accepts());
    assert!(scanned(ScanFact::Clean, "reject", "defer").accepts());
    let away = || ScanFact::Unavailable("connection refused".into());
    assert!(
        code(scanned(away(), "reject", "defer"))
            .unwrap()
            .starts_with("451 4.3.0")
    );
    assert!(scanned(away(), "reject", "accept").accepts());
    assert!(
        code(scanned(ScanFact::TooLarge, "reject", "defer"))
            .unwrap()
            .starts_with("552 5.3.4")
    );
    assert!(scanned(ScanFact::TooLarge, "reject", "accept").accepts());
}

#[test]
fn malware_is_searched_for_in_the_mail_of_users_too() {
    let policy = with_scanner(json!({"antivirus": "reject", "antivirus_unavailable": "defer"}));
    let mut facts = signed_in(with_tests(ContentTests::default()));
    assert!(needs(Stage::Message, &facts, &policy).antivirus);
    facts.tests = Some(ContentTests {
        antivirus: Some(ScanFact::Malware("Eicar".into())),
        ..ContentTests::default()
    });
    assert_eq!(
        said(Stage::Message, &facts, &policy).as_deref(),
        Some("550 5.7.1")
    );
}
