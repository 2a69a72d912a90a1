use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Settings;

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
    rule(value, ListKind::Black, criterion, value)
}

fn general() -> General {
    General {
        domain: "office.example".parse().ok(),
        additional_domains: vec!["bücher.example".parse().unwrap()],
        ..General::default()
    }
}

fn names<'a>(found: Found<'a>) -> Vec<&'a str> {
    let mut names: Vec<_> = found.into_iter().map(|rule| rule.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn codes(rules: Vec<ListRule>) -> Vec<(String, String)> {
    let problems = Lists::from(rules).check();
    problems.into_iter().map(|p| (p.path, p.code)).collect()
}

#[test]
fn clients_are_found_by_address_and_under_any_mask() {
    let lists: Lists = [
        black(Criterion::Ip, "192.0.2.1"),
        black(Criterion::IpMask, "192.0.2.0/24"),
        black(Criterion::IpMask, "192.163.1.1/255.100.10.1"),
        black(Criterion::IpMask, "0.0.0.0/0"),
        black(Criterion::Ip, "2001:db8::1"),
        black(Criterion::IpMask, "2001:db8::/32"),
    ]
    .into_iter()
    .collect();
    let found = |ip: &str| names(lists.of_client(ip.parse().unwrap())).join(" ");
    assert_eq!(found("192.0.2.1"), "0.0.0.0/0 192.0.2.0/24 192.0.2.1");
    assert_eq!(found("::ffff:192.0.2.2"), "0.0.0.0/0 192.0.2.0/24");
    assert_eq!(found("192.32.0.1"), "0.0.0.0/0 192.163.1.1/255.100.10.1");
    assert_eq!(found("2001:db8::1"), "2001:db8::/32 2001:db8::1");
    assert_eq!(found("2001:db9::1"), "");
}

#[test]
fn senders_are_found_by_every_spelling_of_their_mailbox() {
    let lists: Lists = [
        black(Criterion::Sender, "Pat@Elsewhere.example"),
        black(Criterion::Sender, "pat+news@elsewhere.example"),
        black(Criterion::Sender, "@elsewhere.example"),
        black(Criterion::Sender, "jörg@xn--bcher-kva.example"),
        rule(
            "domain",
            ListKind::White,
            Criterion::Domain,
            "elsewhere.example",
        ),
        rule("below", ListKind::White, Criterion::Domain, ".example"),
        black(Criterion::Recipient, "pat@elsewhere.example"),
    ]
    .into_iter()
    .collect();
    let general = general();
    let found = |text: &str| names(lists.of_sender(&address(text), &general)).join(" ");
    assert_eq!(
        found("PAT@ELSEWHERE.EXAMPLE"),
        "@elsewhere.example Pat@Elsewhere.example below domain"
    );
    assert_eq!(
        found("pat+news@elsewhere.example"),
        "@elsewhere.example Pat@Elsewhere.example below domain pat+news@elsewhere.example"
    );
    assert_eq!(found("pat+x@mx.elsewhere.example"), "below");
    assert_eq!(
        found("JÖRG@bücher.example"),
        "below jörg@xn--bcher-kva.example"
    );
    assert_eq!(found("pat@example"), "");
    assert_eq!(found("pat@[192.0.2.1]"), "");
}

#[test]
fn one_of_us_is_the_same_in_each_of_our_domains_and_a_domain_is_itself_alone() {
    let lists: Lists = [
        black(Criterion::Recipient, "alice@office.example"),
        black(Criterion::Recipient, "@bücher.example"),
        black(Criterion::Recipient, "alice@third.example"),
    ]
    .into_iter()
    .collect();
    let general = general();
    let found = |text: &str| names(lists.of_recipient(&address(text), &general)).join(" ");
    assert_eq!(
        found("alice+x@bücher.example"),
        "@bücher.example alice@office.example"
    );
    assert_eq!(found("Alice@office.example"), "alice@office.example");
    assert_eq!(found("alice@third.example"), "alice@third.example");
    assert_eq!(found("bob@office.example"), "");
}

#[test]
fn a_rule_that_is_off_or_says_what_another_says_is_not_found() {
    let lists: Lists = [
        ListRule {
            enabled: false,
            ..black(Criterion::Ip, "192.0.2.1")
        },
        rule("first", ListKind::Black, Criterion::Ip, "192.0.2.2"),
        rule("second", ListKind::Black, Criterion::Ip, "192.0.2.2"),
        ListRule {
            action: ListAction::Discard,
            ..rule("third", ListKind::Black, Criterion::Ip, "192.0.2.2")
        },
        rule("fourth", ListKind::White, Criterion::Ip, "::ffff:192.0.2.2"),
    ]
    .into_iter()
    .collect();
    assert!(lists.of_client("192.0.2.1".parse().unwrap()).is_empty());
    assert_eq!(
        names(lists.of_client("192.0.2.2".parse().unwrap())),
        ["first", "fourth", "third"]
    );
}

#[test]
fn each_mistake_is_told_with_its_place() {
    let found = codes(vec![
        rule("", ListKind::Black, Criterion::Ip, "192.0.2.1"),
        rule(&"x".repeat(65), ListKind::Black, Criterion::Ip, "192.0.2.1"),
        rule("Twice", ListKind::Black, Criterion::Ip, "192.0.2.1"),
        rule("twice", ListKind::Black, Criterion::Ip, "192.0.2.0/24"),
        rule("domain", ListKind::Black, Criterion::Domain, "abc.com"),
        ListRule {
            comment: "a\nb".into(),
            ..rule("comment", ListKind::White, Criterion::Domain, ".abc.com")
        },
        ListRule {
            enabled: false,
            ..rule("off", ListKind::White, Criterion::Sender, "<>")
        },
    ]);
    let expected = [
        ("security.lists[0].name", "empty"),
        ("security.lists[1].name", "too_long"),
        ("security.lists[3].name", "taken"),
        ("security.lists[4].criterion", "white_only"),
        ("security.lists[5].comment", "bad_comment"),
        ("security.lists[3].value", "has_mask"),
        ("security.lists[6].value", "null_sender"),
    ];
    assert_eq!(
        found
            .iter()
            .map(|(p, c)| (p.as_str(), c.as_str()))
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn the_longest_name_and_the_most_masks_are_taken_and_one_more_is_not() {
    assert!(
        codes(vec![rule(
            &"ü".repeat(64),
            ListKind::Black,
            Criterion::Ip,
            "192.0.2.1"
        )])
        .is_empty()
    );
    let masks = |count: usize| {
        (0..count)
            .map(|n| {
                black(
                    Criterion::IpMask,
                    &format!("10.0.0.0/255.{}.{}.1", n / 256, n % 256),
                )
            })
            .collect::<Vec<_>>()
    };
    assert!(codes(masks(MAX_MASKS_WITH_HOLES)).is_empty());
    assert_eq!(
        codes(masks(MAX_MASKS_WITH_HOLES + 1))[0].1,
        "too_many_masks"
    );
}

#[test]
fn thousands_of_mistakes_do_not_make_thousands_of_messages() {
    let wrong = (0..5000)
        .map(|n| rule(&format!("{n}"), ListKind::Black, Criterion::Ip, "?"))
        .collect();
    assert_eq!(codes(wrong).len(), MAX_PROBLEMS);
}

#[test]
fn a_document_puts_lists_in_order_and_says_its_own_places() {
    let document = json!({"security": {"lists": [
        {"name": "z", "list": "black", "criterion": "ip", "value": "192.0.2.1"},
        {"name": "a", "list": "white", "criterion": "domain", "value": ".abc.com", "enabled": false},
    ]}});
    let settings = Settings::default().merged(&document).unwrap();
    assert_eq!(settings.security.lists.rules()[0].name, "a");
    assert_eq!(
        settings.security.lists.rules()[1].action,
        ListAction::Reject
    );
    assert_eq!(Settings::from_rows(&settings.to_rows()).unwrap(), settings);
    let wrong = json!({"security": {"lists": [
        {"name": "z", "list": "black", "criterion": "ip", "value": "?"},
        {"name": "a", "list": "white", "criterion": "domain", "value": ".abc.com"},
    ]}});
    let problems = settings.merged(&wrong).unwrap_err();
    assert_eq!(problems[0].path, "security.lists[0].value");
    let unknown = json!({"security": {"lists": [{"name": "z", "list": "grey", "criterion": "ip", "value": "?"}]}});
    assert_eq!(
        settings.merged(&unknown).unwrap_err()[0].path,
        "security.lists[0].list"
    );
}

#[test]
fn a_white_rule_for_everybody_is_worth_a_warning_at_every_change() {
    let warned = |list, value: &str| {
        let mut settings = Settings::default();
        settings.security.lists = vec![rule("all", list, Criterion::IpMask, value)].into();
        settings
            .warnings()
            .iter()
            .any(|warning| warning.code == "everybody")
    };
    assert!(warned(ListKind::White, "0.0.0.0/0"));
    assert!(!warned(ListKind::White, "10.0.0.0/8"));
    assert!(!warned(ListKind::Black, "0.0.0.0/0"));
}

#[test]
fn one_setting_of_a_tab_can_be_changed_alone() {
    let first = json!({"security": {"advanced": {"max_junk_commands": 7}}});
    let second =
        json!({"security": {"advanced": {"reject_unknown_helo": true}, "checks": {"spf": "off"}}});
    let settings = Settings::default()
        .merged(&first)
        .and_then(|s| s.merged(&second))
        .unwrap();
    assert_eq!(settings.security.advanced.max_junk_commands, 7);
    assert!(settings.security.advanced.reject_unknown_helo);
    assert_eq!(
        settings.security.checks.dmarc,
        crate::security::Check::Enforce
    );
    assert_eq!(Settings::from_rows(&settings.to_rows()).unwrap(), settings);
    // What stands below another section is still replaced whole.
    let mailbox = json!({"service": {"mailbox": {"lmtp": "unix:/run/lmtp"}}});
    let settings = Settings::default().merged(&mailbox).unwrap();
    let maildir = json!({"service": {"mailbox": {"maildir": "/srv/mail"}}});
    assert!(settings.merged(&maildir).is_ok());
}

#[test]
fn a_clone_shares_the_rules_and_their_index() {
    let lists: Lists = (0..1000)
        .map(|n| black(Criterion::Ip, &format!("10.0.{}.{}", n / 256, n % 256)))
        .collect();
    let clone = lists.clone();
    clone.prepare();
    assert!(lists.0.index.get().is_some());
    assert_eq!(lists, clone);
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9./:]{0,20}",
        "@?[a-z]{1,4}(\\.[a-z]{1,4}){0,3}",
        "[a-z]{1,4}(\\+[a-z]{1,3})?@[a-z]{1,4}\\.example",
        "\\PC{0,30}",
    ]
}

proptest! {
    #[test]
    fn the_index_finds_what_a_walk_through_the_rules_finds(
        values in prop::collection::vec((0usize..5, any_value()), 0..30),
        ip: u32,
        local in "[a-d](\\+[ab])?",
        domain in "[ab](\\.[ab]){0,2}\\.example|office\\.example|bücher\\.example",
    ) {
        let general = general();
        let rules: Vec<ListRule> = values
            .iter()
            .enumerate()
            .map(|(n, (criterion, value))| rule(&format!("{n}"), ListKind::White, Criterion::ALL[*criterion], value))
            .collect();
        // Rules that say the same are found once.
        let mut seen = std::collections::HashSet::new();
        let rules: Vec<ListRule> = rules
            .into_iter()
            .filter(|rule| ListValue::parse(rule.criterion, &rule.value).is_ok_and(|v| seen.insert((rule.criterion, v.to_string().to_lowercase()))))
            .collect();
        let lists: Lists = rules.clone().into();
        let ip = IpAddr::from(ip.to_be_bytes());
        let who: Address = format!("{local}@{domain}").parse().unwrap();
        let walk = |matches: &dyn Fn(Criterion, &ListValue) -> bool| {
            let mut names: Vec<String> = rules
                .iter()
                .filter(|rule| matches(rule.criterion, &ListValue::parse(rule.criterion, &rule.value).unwrap()))
                .map(|rule| rule.name.clone())
                .collect();
            names.sort_unstable();
            names
        };
        let mailbox = |value: &ListValue| match value {
            ListValue::Mailbox(known) => {
                let same_host = known.host() == who.host()
                    || [known, &who].iter().all(|a| a.domain().is_some_and(|d| general.is_local_domain(d)));
                let (known, who) = (known.local().to_lowercase(), who.local().to_lowercase());
                same_host && (known == who || Some(known.as_str()) == who.split_once('+').map(|(base, _)| base).filter(|b| !b.is_empty()))
            }
            ListValue::At(host) => host == who.host(),
            ListValue::Domain(domain) => Some(domain) == who.domain(),
            ListValue::Below(parent) => who.domain().is_some_and(|d| d.ascii().ends_with(&format!(".{}", parent.ascii()))),
            _ => false,
        };
        prop_assert_eq!(names(lists.of_client(ip)), walk(&|criterion, value| match value {
            ListValue::Ip(one) => *one == ip,
            ListValue::Masked(masked) => criterion == Criterion::IpMask && masked.contains(ip),
            _ => false,
        }));
        prop_assert_eq!(
            names(lists.of_sender(&who, &general)),
            walk(&|criterion, value| matches!(criterion, Criterion::Sender | Criterion::Domain) && mailbox(value))
        );
        prop_assert_eq!(
            names(lists.of_recipient(&who, &general)),
            walk(&|criterion, value| criterion == Criterion::Recipient && mailbox(value))
        );
    }
}
