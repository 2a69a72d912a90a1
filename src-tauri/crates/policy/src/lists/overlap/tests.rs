use serde_json::json;

use super::*;

fn rule(name: &str, list: ListKind, criterion: Criterion, value: &str) -> ListRule {
    ListRule {
        name: name.into(),
        list,
        criterion,
        value: value.into(),
        action: ListAction::Reject,
        enabled: true,
        comment: String::new(),
    }
}

fn black(criterion: Criterion, value: &str) -> ListRule {
    rule("new", ListKind::Black, criterion, value)
}

fn white(criterion: Criterion, value: &str) -> ListRule {
    rule("new", ListKind::White, criterion, value)
}

fn among(new: &ListRule, others: Vec<ListRule>) -> ListAnalysis {
    let general =
        json!({"general": {"domain": "office.example", "additional_domains": ["bücher.example"]}});
    let mut settings = Settings::default().merged(&general).unwrap();
    settings.security.lists = others.into();
    analyse(new, &settings, None)
}

fn pointless(new: &ListRule, other: ListRule) -> Option<OverlapWhy> {
    let other = ListRule {
        name: "other".into(),
        ..other
    };
    let found = among(new, vec![other]).pointless_because;
    found.first().map(|other| other.why)
}

use Criterion::{Domain as D, Ip, IpMask, Recipient, Sender};
use OverlapWhy::{Covered, RejectWins, Same, WhiteWins};

#[test]
fn a_white_rule_that_is_as_wide_leaves_nothing_for_a_black_one() {
    assert_eq!(
        pointless(&black(Ip, "192.0.2.1"), white(IpMask, "192.0.2.0/24")),
        Some(WhiteWins)
    );
    assert_eq!(
        pointless(
            &black(IpMask, "192.0.2.0/25"),
            white(IpMask, "192.0.2.0/24")
        ),
        Some(WhiteWins)
    );
    assert_eq!(
        pointless(&black(Sender, "a@b.example"), white(D, "b.example")),
        Some(WhiteWins)
    );
    assert_eq!(
        pointless(&black(Sender, "@a.b.example"), white(D, ".b.example")),
        Some(WhiteWins)
    );
    assert_eq!(
        pointless(
            &black(Recipient, "alice+x@office.example"),
            white(Recipient, "alice@bücher.example")
        ),
        Some(WhiteWins)
    );
    assert_eq!(
        pointless(
            &black(Sender, "a@b.example"),
            white(Recipient, "a@b.example")
        ),
        None
    );
    assert_eq!(
        pointless(&black(Sender, "@b.example"), white(D, ".b.example")),
        None
    );
    assert_eq!(
        pointless(
            &black(IpMask, "192.0.2.0/24"),
            white(IpMask, "192.0.2.0/25")
        ),
        None
    );
    // In one of our other domains the rule still has something to do.
    assert_eq!(
        pointless(
            &black(Recipient, "alice@office.example"),
            white(Recipient, "@office.example")
        ),
        None
    );
}

#[test]
fn a_white_rule_within_a_black_one_weakens_it() {
    let found = among(
        &black(IpMask, "192.0.2.0/24"),
        vec![
            rule("W-3", ListKind::White, Ip, "192.0.2.3"),
            rule("far", ListKind::White, Ip, "203.0.113.1"),
        ],
    );
    assert!(found.pointless_because.is_empty());
    assert_eq!(
        found
            .narrowed_by
            .iter()
            .map(|other| other.rule.as_str())
            .collect::<Vec<_>>(),
        ["W-3"]
    );
}

#[test]
fn reject_leaves_nothing_for_discard_and_not_the_other_way_round() {
    let discard = |rule: ListRule| ListRule {
        action: ListAction::Discard,
        ..rule
    };
    let one = || black(Ip, "192.0.2.1");
    let net = || black(IpMask, "192.0.2.0/24");
    assert_eq!(pointless(&one(), one()), Some(Same));
    assert_eq!(
        pointless(&one(), black(IpMask, "192.0.2.1/32")),
        Some(Covered)
    );
    assert_eq!(pointless(&discard(one()), net()), Some(RejectWins));
    assert_eq!(pointless(&discard(one()), discard(net())), Some(Covered));
    assert_eq!(pointless(&one(), discard(net())), None);
    assert_eq!(pointless(&net(), one()), None);
    assert_eq!(
        pointless(
            &one(),
            ListRule {
                enabled: false,
                ..one()
            }
        ),
        None
    );
}

#[test]
fn a_white_rule_is_pointless_only_beside_one_that_lifts_as_much() {
    assert_eq!(
        pointless(&white(Ip, "192.0.2.1"), white(IpMask, "192.0.2.0/24")),
        None
    );
    assert_eq!(
        pointless(&white(IpMask, "192.0.2.1/32"), white(Ip, "192.0.2.1")),
        Some(Covered)
    );
    assert_eq!(
        pointless(&white(Sender, "a@b.example"), white(D, "b.example")),
        Some(Covered)
    );
    assert_eq!(
        pointless(&white(D, "b.example"), white(Sender, "@b.example")),
        None
    );
    assert_eq!(
        pointless(&white(Ip, "192.0.2.1"), black(Ip, "192.0.2.1")),
        None
    );
}

#[test]
fn a_rule_says_what_it_lifts_and_what_is_wrong_with_it() {
    let found = among(&white(IpMask, "192.163.1.1/255.100.10.1"), Vec::new());
    let skips = found.skips;
    assert!(skips.dnsbl && skips.spf && skips.dkim && skips.dmarc);
    assert!(!skips.antivirus && !skips.all_policies);
    assert_eq!(
        found
            .notes
            .iter()
            .map(|note| note.code.as_str())
            .collect::<Vec<_>>(),
        ["host_bits", "mask_with_holes"]
    );
    assert!(found.problems.is_empty());
    assert!(
        among(&white(Ip, "192.0.2.1"), Vec::new())
            .skips
            .all_policies
    );
    let wrong = among(
        &black(D, "@x"),
        vec![rule("NEW 2", ListKind::Black, Ip, "192.0.2.1")],
    );
    let places: Vec<_> = wrong
        .problems
        .iter()
        .map(|p| (p.path.as_str(), p.code.as_str()))
        .collect();
    assert_eq!(places, [("criterion", "white_only"), ("value", "has_at")]);
    assert_eq!(wrong.skips, ListSkips::default());
    // Renamed to the name of another rule.
    let mut settings = Settings::default();
    settings.security.lists = vec![
        rule("old", ListKind::Black, Ip, "192.0.2.1"),
        rule("Other", ListKind::Black, Ip, "192.0.2.2"),
    ]
    .into();
    let renamed = analyse(
        &rule("other", ListKind::Black, Ip, "192.0.2.1"),
        &settings,
        Some("old"),
    );
    assert_eq!(renamed.problems[0].code, "taken");
    assert!(renamed.pointless_because.is_empty());
}

/// Everything that the rules of the property below can match.
fn messages() -> Vec<crate::Facts> {
    use crate::facts::{Client, Port};
    let hosts = [
        "example",
        "d.example",
        "e.d.example",
        "f.e.d.example",
        "office.example",
        "bücher.example",
    ];
    let mailboxes: Vec<String> = ["a", "a+x", "b", "c"]
        .iter()
        .flat_map(|local| hosts.iter().map(move |host| format!("<{local}@{host}>")))
        .collect();
    let nobody = || "<z@z.test>".to_owned();
    let as_sender = mailboxes.iter().map(|mailbox| (mailbox.clone(), nobody()));
    let as_recipient = mailboxes.iter().map(|mailbox| (nobody(), mailbox.clone()));
    let envelopes: Vec<(String, String)> = as_sender.chain(as_recipient).collect();
    let mut all = Vec::new();
    // One client is in no rule.
    for last in 0..9 {
        for (sender, recipient) in &envelopes {
            let mut facts = crate::Facts::of_client(Client {
                ip: [192, 0, 2, last].into(),
                port: Port::Smtp,
                tls: None,
            });
            facts.envelope.sender = smtp::ReversePath::parse(sender).ok();
            facts.recipient = smtp::ForwardPath::parse(recipient).ok();
            all.push(facts);
        }
    }
    all
}

/// What the lists do to a message: whether a rule matches, what becomes of it, and which tests are lifted.
fn fate(facts: &crate::Facts, settings: &Settings) -> (u8, [bool; 6]) {
    let matches = crate::lists::matching(facts, settings, facts.recipient.as_ref());
    let rejects = |rule: &&ListRule| rule.action == ListAction::Reject;
    let end = match (matches.white.is_empty(), matches.black.iter().any(rejects)) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) if !matches.black.is_empty() => 2,
        (true, false) => 3,
    };
    let skips = crate::skips::skips(crate::Stage::Recipient, facts, settings);
    let lifted = [
        skips.dnsbl,
        skips.spf,
        skips.antivirus,
        skips.dkim,
        skips.dmarc,
        skips.all_policies,
    ];
    (end, lifted.map(|name| name.is_some()))
}

fn any_rule() -> impl proptest::strategy::Strategy<Value = ListRule> {
    use proptest::prelude::*;
    let ip = (0u8..8).prop_map(|last| (Ip, format!("192.0.2.{last}")));
    let mask = (0u8..8, 0u8..8)
        .prop_map(|(last, bits)| (IpMask, format!("192.0.2.{last}/255.255.255.{}", 248 | bits)));
    let mailbox = "(a|a\\+x|b)?@(d\\.example|e\\.d\\.example|office\\.example|bücher\\.example)";
    let sender = mailbox.prop_map(|value| (Sender, value));
    let recipient = mailbox.prop_map(|value| (Recipient, value));
    let domain = "\\.?(d\\.example|e\\.d\\.example|example)".prop_map(|value| (D, value));
    let value = prop_oneof![ip, mask, sender, recipient, domain];
    (value, any::<bool>(), any::<bool>()).prop_map(|((criterion, value), list, discard)| ListRule {
        action: if discard {
            ListAction::Discard
        } else {
            ListAction::Reject
        },
        ..if list || criterion == D {
            white(criterion, &value)
        } else {
            black(criterion, &value)
        }
    })
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(500))]

    #[test]
    fn a_pointless_rule_changes_nothing_and_a_rule_that_changes_nothing_is_pointless(new in any_rule(), other in any_rule()) {
        let other = ListRule { name: "other".into(), ..other };
        let found = among(&new, vec![other.clone()]);
        let general = serde_json::json!({"general": {"domain": "office.example", "additional_domains": ["bücher.example"]}});
        let mut alone = Settings::default().merged(&general).unwrap();
        let mut both = alone.clone();
        alone.security.lists = vec![other.clone()].into();
        both.security.lists = vec![other, new].into();
        let changes = messages().iter().any(|facts| fate(facts, &alone) != fate(facts, &both));
        proptest::prop_assert_eq!(found.pointless_because.is_empty(), changes, "{:?}", found);
    }
}
