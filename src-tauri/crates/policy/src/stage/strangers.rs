//! The rules about strangers: both sides of each limit, every answer of the DNS, and who is exempt.

mod checks;
mod names;

use serde_json::{Value, json};

use super::*;
use crate::facts::{
    AuthResult, Client, ClientName, ContentTests, DkimFact, DmarcFact, DmarcPolicy, DnsblAnswer,
    DnsblFact, Login, MachineNetwork, NameFact, Nonexistent, Port, Rates, ScanFact, SpfFact,
};

fn settings(security: Value) -> Settings {
    let document = json!({
        "general": {"domain": "office.example"},
        "users": [{"name": "alice"}, {"name": "bob"}],
        "security": {
            "sender_policy": {"reject_unknown_domain": false},
            "checks": {"spf": "off", "dkim": "off", "dmarc": "off"},
        },
    });
    Settings::default()
        .merged(&document)
        .and_then(|settings| settings.merged(&json!({ "security": security })))
        .unwrap()
}

/// A stranger who writes to alice.
fn facts() -> Facts {
    let mut facts = Facts::of_client(Client {
        ip: [192, 0, 2, 7].into(),
        port: Port::Smtp,
        tls: None,
    });
    facts.helo = Some("out.elsewhere.example".into());
    facts.envelope.sender = Some("<pat@elsewhere.example>".parse().unwrap());
    facts.recipient = Some("<alice@office.example>".parse().unwrap());
    facts
}

fn signed_in(mut facts: Facts) -> Facts {
    facts.login = Some(Login {
        user: "alice".into(),
        current: true,
    });
    facts.envelope.sender = Some("<alice@office.example>".parse().unwrap());
    facts
}

/// Code and enhanced code, or nothing.
fn said(stage: Stage, facts: &Facts, settings: &Settings) -> Option<String> {
    let reply = decide(stage, facts, settings).refusal?.reply();
    let (class, subject, detail) = reply.enhanced().unwrap();
    Some(format!("{} {class}.{subject}.{detail}", reply.code()))
}

fn step<'a>(decision: &'a Decision, check: &str) -> &'a Step {
    let found = decision.trace.iter().find(|step| step.check == check);
    found.unwrap_or_else(|| panic!("no check {check} in {:?}", decision.trace))
}

fn spf(result: AuthResult) -> SpfFact {
    SpfFact {
        result,
        domain: "elsewhere.example".into(),
        of_helo: false,
        explanation: "ask us".into(),
    }
}

fn signature(result: AuthResult) -> DkimFact {
    DkimFact {
        result,
        domain: "elsewhere.example".into(),
        selector: "s1".into(),
        reason: String::new(),
    }
}

fn dmarc(result: AuthResult, policy: DmarcPolicy) -> DmarcFact {
    DmarcFact {
        result,
        domain: "elsewhere.example".into(),
        policy,
        reason: String::new(),
    }
}

fn with_tests(tests: ContentTests) -> Facts {
    let mut facts = facts();
    facts.recipient = None;
    facts.envelope.recipients = vec!["<alice@office.example>".parse().unwrap()];
    facts.tests = Some(tests);
    facts
}

fn of_sender_domain(scope: &str) -> Settings {
    settings(
        json!({"sender_policy": {"reject_unknown_domain": true, "unknown_domain_scope": scope}}),
    )
}

#[test]
fn connections_and_messages_are_counted_to_the_last_one_that_is_allowed() {
    let limits = settings(json!({"connection_policy": {
        "max_connections": 3, "max_connections_per_minute": 5, "max_messages_per_minute": 2,
    }}));
    let ask = |stage, rates| {
        let mut facts = facts();
        facts.rates = Some(rates);
        said(stage, &facts, &limits)
    };
    let connected = |connections, connections_in_minute| {
        let rates = Rates {
            connections,
            connections_in_minute,
            messages_in_minute: 99,
        };
        ask(Stage::Connect, rates)
    };
    assert_eq!(connected(3, 5), None);
    assert_eq!(connected(4, 5).as_deref(), Some("421 4.7.0"));
    assert_eq!(connected(3, 6).as_deref(), Some("421 4.7.0"));
    let sent = |messages_in_minute| {
        let rates = Rates {
            messages_in_minute,
            ..Rates::default()
        };
        ask(Stage::Sender, rates)
    };
    assert_eq!(sent(2), None);
    assert_eq!(sent(3).as_deref(), Some("450 4.7.1"));
}

#[test]
fn at_connect_a_block_is_told_before_rates_and_rates_before_bad_manners() {
    let limits = settings(
        json!({"connection_policy": {"max_connections": 1, "max_connections_per_minute": 1}}),
    );
    let mut facts = facts();
    facts.rates = Some(Rates {
        connections: 2,
        connections_in_minute: 2,
        messages_in_minute: 0,
    });
    facts.nonexistent = Some(Nonexistent {
        count: 20,
        known: false,
        blocked_until: Some("2026-01-02T00:00:00+01:00".into()),
    });
    facts.spoke_early = true;
    let refused = |facts: &Facts| decide(Stage::Connect, facts, &limits).refusal.unwrap();
    assert!(matches!(refused(&facts), Reason::Blocked { .. }));
    facts.nonexistent = None;
    assert!(matches!(
        refused(&facts),
        Reason::TooManyConnections { limit: Some(1), .. }
    ));
    facts.rates = Some(Rates {
        connections: 1,
        connections_in_minute: 2,
        messages_in_minute: 0,
    });
    assert_eq!(refused(&facts), Reason::ConnectionRate { limit: 1 });
    facts.rates = None;
    assert_eq!(refused(&facts), Reason::SpokeEarly);
    let tolerant = settings(json!({"advanced": {"reject_unauthorized_pipelining": false}}));
    assert_eq!(said(Stage::Connect, &facts, &tolerant), None);
}

#[test]
fn rates_exempt_the_local_network_and_exempt_hosts_but_neither_the_loopback_nor_users() {
    let mut limits = settings(
        json!({"connection_policy": {"max_connections": 1, "max_messages_per_minute": 1}}),
    );
    let mut facts = facts();
    facts.client.ip = [127, 0, 0, 1].into();
    facts.rates = Some(Rates {
        connections: 2,
        connections_in_minute: 2,
        messages_in_minute: 2,
    });
    assert!(said(Stage::Connect, &facts, &limits).is_some());
    assert!(said(Stage::Sender, &signed_in(facts.clone()), &limits).is_some());

    limits.general.skip_auth_for_local_network = true;
    assert!(
        said(Stage::Connect, &facts, &limits).is_some(),
        "the network is not known"
    );
    facts.network = Some(MachineNetwork::default());
    assert_eq!(said(Stage::Connect, &facts, &limits), None);
    let decision = decide(Stage::Connect, &facts, &limits);
    assert_eq!(
        step(&decision, "max_connections").text,
        "the client is in the local network"
    );
    assert!(!needs(Stage::Connect, &facts, &limits).rates);

    limits.general.skip_auth_for_local_network = false;
    limits.service.exempt_hosts = vec!["127.0.0.0/24".parse().unwrap()];
    assert_eq!(said(Stage::Connect, &facts, &limits), None);
    assert_eq!(said(Stage::Sender, &facts, &limits), None);
}

#[test]
fn what_the_dns_cannot_say_now_defers_only_what_would_be_taken() {
    let policy = of_sender_domain("all_recipients");
    let mut facts = facts();
    facts.sender_domain = Some(NameFact::Unknown("SERVFAIL".into()));
    let decision = decide(Stage::Recipient, &facts, &policy);
    assert!(matches!(
        decision.refusal,
        Some(Reason::SenderDomainUnchecked { .. })
    ));
    assert_eq!(step(&decision, "reject_unknown_domain").result, "refuse");

    facts.recipient = Some("<nobody@office.example>".parse().unwrap());
    let decision = decide(Stage::Recipient, &facts, &policy);
    assert!(matches!(decision.refusal, Some(Reason::NoSuchUser { .. })));
    assert_eq!(step(&decision, "reject_unknown_domain").result, "note");
}

#[test]
fn while_no_name_server_answers_nobody_is_kept_waiting() {
    let policy = settings(json!({
        "sender_policy": {"reject_unknown_domain": true},
        "advanced": {"reject_unknown_helo": true},
        "connection_policy": {"reject_unknown_client_hostname": true},
        "checks": {"spf": "enforce", "dkim": "enforce", "dmarc": "enforce"},
    }));
    let why = || "timed out".to_owned();
    let mut facts = facts();
    facts.sender_domain = Some(NameFact::Unknown(why()));
    facts.helo_name = Some(NameFact::Unknown(why()));
    facts.client_name = Some(ClientName::Unknown(why()));
    facts.spf = Some(spf(AuthResult::TempError));
    facts.tests = Some(ContentTests {
        dkim: Some(vec![signature(AuthResult::TempError)]),
        dmarc: Some(dmarc(AuthResult::TempError, DmarcPolicy::Reject)),
        arc: None,
        antivirus: None,
    });
    assert!(said(Stage::Recipient, &facts, &policy).is_some());
    assert_eq!(
        said(Stage::Message, &facts, &policy).as_deref(),
        Some("451 4.7.20")
    );
    facts.resolver_down = Some(why());
    assert_eq!(said(Stage::Recipient, &facts, &policy), None);
    assert_eq!(said(Stage::Message, &facts, &policy), None);
    let decision = decide(Stage::Recipient, &facts, &policy);
    for check in [
        "reject_unknown_domain",
        "reject_unknown_helo",
        "reject_unknown_client_hostname",
        "spf",
    ] {
        assert!(step(&decision, check).text.contains("timed out"), "{check}");
    }
}

#[test]
fn only_what_an_active_rule_will_read_is_fetched() {
    let all = settings(json!({
        "sender_policy": {"reject_unknown_domain": true},
        "advanced": {"reject_unknown_helo": true},
        "connection_policy": {"reject_unknown_client_hostname": true},
        "checks": {"spf": "record", "dkim": "record", "dmarc": "record", "dnsbl_zones": [{"zone": "zen.example"}]},
    }));
    let rcpt = |facts: &Facts| {
        let needs = needs(Stage::Recipient, facts, &all);
        [
            needs.client_name,
            needs.helo_name,
            needs.sender_domain,
            needs.dnsbl,
            needs.spf,
        ]
    };
    assert_eq!(rcpt(&facts()), [true; 5]);
    assert_eq!(rcpt(&signed_in(facts())), [false; 5]);
    let mut elsewhere = facts();
    elsewhere.recipient = Some("<quinn@third.example>".parse().unwrap());
    assert_eq!(rcpt(&elsewhere), [false; 5], "the relay is closed anyway");
    let mut short = facts();
    short.helo = Some("localhost".into());
    assert_eq!(
        rcpt(&short),
        [true, false, false, false, false],
        "refused for the greeting"
    );
    let mut nobody = facts();
    nobody.recipient = Some("<nobody@office.example>".parse().unwrap());
    assert_eq!(
        rcpt(&nobody),
        [true; 5],
        "these are asked before the recipient"
    );

    let content = |facts: &Facts| {
        let needs = needs(Stage::Message, facts, &all);
        [
            needs.dkim,
            needs.arc,
            needs.dmarc,
            needs.spf,
            needs.antivirus,
        ]
    };
    let mut message = with_tests(ContentTests::default());
    assert_eq!(content(&message), [true, true, true, true, false]);
    message.spf = Some(spf(AuthResult::Pass));
    assert_eq!(content(&message), [true, true, true, false, false]);
    message.envelope.discarded = std::mem::take(&mut message.envelope.recipients);
    assert_eq!(content(&message), [false; 5], "nobody gets it");

    let nothing = settings(json!({}));
    assert_eq!(needs(Stage::Message, &message, &nothing), Needs::default());
}

#[test]
fn what_is_known_of_the_client_is_kept_over_transactions_and_the_rest_is_not() {
    let mut facts = with_tests(ContentTests::default());
    facts.spf = Some(spf(AuthResult::Pass));
    facts.sender_domain = Some(NameFact::Exists);
    facts.helo_name = Some(NameFact::Exists);
    facts.client_name = Some(ClientName::Missing);
    facts.greeted("out.elsewhere.example".into());
    facts.forget_transaction();
    assert_eq!(
        (facts.spf, facts.sender_domain, facts.tests),
        (None, None, None)
    );
    assert_eq!(facts.client_name, Some(ClientName::Missing));
    assert_eq!(facts.helo_name, Some(NameFact::Exists));
    let mut facts = self::facts();
    facts.helo_name = Some(NameFact::Exists);
    facts.greeted("other.example".into());
    assert_eq!(facts.helo_name, None);
}

#[test]
fn what_the_dns_could_not_tell_is_asked_again_and_what_it_told_is_kept() {
    let list = |zone: &str, answer| DnsblFact {
        zone: zone.into(),
        answer,
    };
    let failed = || DnsblAnswer::Failed("no answer".into());
    let mut facts = facts();
    facts.client_name = Some(ClientName::Unknown("no answer".into()));
    facts.helo_name = Some(NameFact::Unknown("no answer".into()));
    facts.resolver_down = Some("no answer".into());
    facts.dnsbl = Some(vec![
        list("one.example", DnsblAnswer::NotListed),
        list("two.example", failed()),
    ]);
    facts.forget_unknown();
    assert_eq!((&facts.client_name, &facts.helo_name), (&None, &None));
    assert_eq!((&facts.resolver_down, &facts.dnsbl), (&None, &None));
    facts.client_name = Some(ClientName::Missing);
    facts.helo_name = Some(NameFact::Missing);
    facts.dnsbl = Some(vec![list("one.example", DnsblAnswer::NotListed)]);
    let known = facts.clone();
    facts.forget_unknown();
    assert_eq!(facts, known);
}

#[test]
fn accounts_that_do_not_exist_count_up_to_the_limit_unless_the_client_is_exempt() {
    let policy = settings(json!({"advanced": {"max_nonexistent_accounts": 3}}));
    let mut facts = facts();
    facts.recipient = Some("<nobody@office.example>".parse().unwrap());
    let refused = decide(Stage::Recipient, &facts, &policy);
    assert_eq!(
        counting(&refused, &facts, &policy),
        Counting::UpTo { limit: 3 }
    );
    let user = signed_in(facts.clone());
    assert_eq!(
        counting(&decide(Stage::Recipient, &user, &policy), &user, &policy),
        Counting::No
    );
    let off = settings(json!({"advanced": {"max_nonexistent_accounts": null}}));
    assert_eq!(counting(&refused, &facts, &off), Counting::No);
    facts.recipient = Some("<quinn@third.example>".parse().unwrap());
    let relay = decide(Stage::Recipient, &facts, &policy);
    assert_eq!(counting(&relay, &facts, &policy), Counting::No);
}

#[test]
fn a_blocked_client_is_told_at_whatever_it_does_next() {
    let policy = settings(json!({}));
    let mut facts = facts();
    facts.nonexistent = Some(Nonexistent {
        count: 20,
        known: true,
        blocked_until: Some("2026-01-02T00:00:00+01:00".into()),
    });
    for stage in [Stage::Connect, Stage::Sender, Stage::Recipient, Stage::Data] {
        let reason = decide(stage, &facts, &policy).refusal.unwrap();
        assert!(
            reason.closes() && matches!(reason, Reason::Blocked { .. }),
            "{stage:?}"
        );
        assert!(needs(stage, &facts, &policy).nonexistent);
    }
}

#[test]
fn discarded_recipients_count_as_taken_and_get_nothing() {
    let mut envelope = crate::facts::Envelope::default();
    let discard = Decision {
        refusal: None,
        discard: Some(crate::Discard {
            rule: "spam trap".into(),
            setting: "security.lists",
        }),
        trace: Vec::new(),
    };
    let alice = || "<alice@office.example>".parse().unwrap();
    envelope.decided(alice(), &discard);
    envelope.decided(alice(), &discard);
    assert_eq!((envelope.taken(), envelope.recipients.len()), (1, 0));
    assert!(envelope.is_discarded() && envelope.has(&alice()));
}
