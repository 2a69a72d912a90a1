use serde_json::json;

use super::table::RULES;
use super::*;
use crate::facts::{Client, Load, Port, Storage};

const STAGES: [Stage; 8] = [
    Stage::Connect,
    Stage::Helo,
    Stage::AuthStart,
    Stage::Auth,
    Stage::Sender,
    Stage::Recipient,
    Stage::Data,
    Stage::Message,
];

fn facts() -> Facts {
    Facts::of_client(Client {
        ip: [192, 0, 2, 7].into(),
        port: Port::Smtp,
        tls: None,
    })
}

#[test]
fn rules_name_settings_that_exist() {
    let fields = Settings::fields();
    for rule in RULES {
        let path = rule.setting;
        assert!(
            ["", "users", "security.lists"].contains(&path)
                || fields.iter().any(|field| field.path == path),
            "{} names {path}",
            rule.name
        );
    }
}

#[test]
fn relay_control_is_asked_before_everything_that_looks_at_the_sender_or_could_let_somebody_in() {
    let of_recipient: Vec<&str> = RULES
        .iter()
        .filter(|rule| rule.stage == Stage::Recipient)
        .map(|rule| rule.name)
        .collect();
    assert_eq!(
        of_recipient[..4],
        [
            "max_nonexistent_accounts",
            "max_recipients",
            "relay_control",
            "lists"
        ]
    );
}

#[test]
fn every_stage_asks_something_and_leaves_a_line_for_each_rule() {
    for stage in STAGES {
        let decision = decide(stage, &facts(), &Settings::default());
        let rules = RULES.iter().filter(|rule| rule.stage == stage).count();
        assert!(rules > 0);
        assert_eq!(decision.trace.len(), rules);
        assert!(decision.trace.iter().all(|step| step.stage == stage.word()));
    }
}

#[test]
fn the_first_refusal_answers_and_the_others_are_kept_in_the_trace() {
    let settings = Settings::default()
        .merged(&json!({"general": {"domain": "office.example", "max_recipients": 1}, "users": [{"name": "alice"}]}))
        .unwrap();
    let mut facts = facts();
    facts.envelope.recipients = vec!["<alice@office.example>".parse().unwrap()];
    facts.recipient = Some("<quinn@third.example>".parse().unwrap());
    let decision = decide(Stage::Recipient, &facts, &settings);
    assert_eq!(
        decision.refusal,
        Some(Reason::TooManyRecipients { limit: 1 })
    );
    let refused: Vec<&str> = decision
        .trace
        .iter()
        .filter(|step| step.result == "refuse")
        .map(|step| &*step.check)
        .collect();
    assert_eq!(refused, ["max_recipients", "relay_control"]);
    assert_eq!(
        decision.trace[1].setting.as_deref(),
        Some("general.max_recipients")
    );
}

#[test]
fn networks_are_fetched_only_when_local_clients_may_send_without_login() {
    let off = Settings::default();
    let on = off
        .merged(&json!({"general": {"skip_auth_for_local_network": true}}))
        .unwrap();
    for stage in STAGES {
        assert!(!needs(stage, &facts(), &off).network);
        assert_eq!(
            needs(stage, &facts(), &on).network,
            matches!(stage, Stage::Connect | Stage::Sender),
            "{stage:?}"
        );
    }
}

#[test]
fn what_a_stage_needs_is_what_its_rules_read() {
    let settings = Settings::default();
    for stage in STAGES {
        let needs = needs(stage, &facts(), &settings);
        assert_eq!(needs.load, stage == Stage::Connect);
        assert_eq!(
            needs.failures,
            matches!(stage, Stage::AuthStart | Stage::Auth)
        );
        assert_eq!(needs.login, stage == Stage::Sender);
        assert_eq!(needs.storage, stage == Stage::Sender);
    }
}

#[test]
fn the_places_of_the_server_and_of_one_address_are_both_counted_to_the_last() {
    let mut facts = facts();
    let mut ask = |sessions, sessions_of_client| {
        facts.load = Some(Load {
            sessions,
            capacity: 100,
            sessions_of_client,
            capacity_of_client: 10,
        });
        decide(Stage::Connect, &facts, &Settings::default())
            .refusal
            .map(|reason| reason.reply().code())
    };
    assert_eq!(ask(100, 10), None);
    assert_eq!(ask(101, 10), Some(421));
    assert_eq!(ask(100, 11), Some(421));
}

#[test]
fn a_message_that_just_fits_on_the_disk_is_let_in_and_one_octet_more_is_put_off() {
    let mut facts = facts();
    facts.helo = Some("out.elsewhere.example".into());
    facts.envelope.sender = Some("<pat@elsewhere.example>".parse().unwrap());
    facts.storage = Some(Storage {
        free: 1_000_000 + 64 * 1024,
    });
    let mut ask = |size| {
        facts.envelope.declared_size = Some(size);
        decide(Stage::Sender, &facts, &Settings::default()).refusal
    };
    assert_eq!(ask(1_000_000), None);
    assert_eq!(ask(1_000_001), Some(Reason::StorageFull));
}
