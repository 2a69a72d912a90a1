//! The relay stays closed, whatever else is set and known.

mod strangers;

use std::net::IpAddr;

use proptest::option;
use proptest::prelude::*;
use settings::security::{Criterion, ListAction, ListKind, ListRule};
use settings::{Group, Network, User};
use smtp::{Domain, ForwardPath, ReversePath};

use super::*;
use crate::facts::{Attempt, Client, Load, MachineNetwork, PasswordCheck, Port, Tls};
use crate::trust::Trust;

const DOMAINS: [&str; 4] = [
    "office.example",
    "bücher.example",
    "third.example",
    "sub.office.example",
];

fn domain() -> impl Strategy<Value = Domain> {
    prop::sample::select(DOMAINS.to_vec()).prop_map(|name| Domain::parse(name).unwrap())
}

fn local_part() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["alice", "postmaster", "sales", "alice+x"])
            .prop_map(str::to_owned),
        "[a-z%!.]{1,8}[a-z]",
        "\"[a-z@ .%!]{0,12}\"",
    ]
}

/// Everything that can follow RCPT TO, in our domains and elsewhere.
fn forward_path() -> impl Strategy<Value = ForwardPath> {
    let host = prop_oneof![
        prop::sample::select(DOMAINS.to_vec()).prop_map(|domain| format!("@{domain}")),
        any::<[u8; 4]>().prop_map(|ip| format!("@[{}]", IpAddr::from(ip))),
        Just("@[IPv6:::1]".to_owned()),
        Just(String::new()),
    ];
    let route = prop::sample::select(vec![
        "",
        "@office.example:",
        "@third.example,@office.example:",
    ]);
    (route, local_part(), host).prop_filter_map("not a path", |(route, local, host)| {
        format!("<{route}{local}{host}>").parse().ok()
    })
}

fn reverse_path() -> impl Strategy<Value = ReversePath> {
    prop_oneof![
        Just("<>".to_owned()),
        (local_part(), prop::sample::select(DOMAINS.to_vec()))
            .prop_map(|(local, domain)| format!("<{local}@{domain}>")),
        local_part().prop_map(|local| format!("<{local}>")),
    ]
    .prop_filter_map("not a path", |text| text.parse().ok())
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        Just(IpAddr::from([127, 0, 0, 1])),
        Just(IpAddr::from([192, 168, 7, 2])),
    ]
}

fn network() -> impl Strategy<Value = Network> {
    (ip(), 0_u8..=128).prop_map(|(ip, prefix)| Network::new(ip, prefix))
}

fn machine() -> impl Strategy<Value = MachineNetwork> {
    (
        prop::collection::vec(network(), 0..4),
        prop::collection::vec(ip(), 0..2),
    )
        .prop_map(|(attached, gateways)| MachineNetwork { attached, gateways })
}

prop_compose! {
    /// Any settings, also some that the checks would not take.
    fn settings()(
        flags in any::<[bool; 6]>(),
        domain in option::of(domain()),
        additional_domains in prop::collection::vec(domain(), 0..3),
        local_networks in option::of(prop::collection::vec(network(), 0..4)),
        max_recipients in 0_u32..4,
        enabled in any::<bool>(),
        security in strangers::security().boxed(),
        exempt_hosts in prop::collection::vec(network(), 0..2),
    ) -> Settings {
        let mut settings = Settings { security, ..Settings::default() };
        settings.service.exempt_hosts = exempt_hosts;
        let general = &mut settings.general;
        [
            general.smtp_auth,
            general.skip_auth_for_local_network,
            general.sender_must_match_login,
            general.auth_requires_tls,
            general.disable_auto_forwarding,
            settings.delivery.relay_enabled,
        ] = flags;
        general.domain = domain;
        general.additional_domains = additional_domains;
        general.max_recipients = max_recipients;
        settings.service.local_networks = local_networks;
        settings.users = vec![User { name: "alice".into(), display_name: String::new(), enabled }];
        settings.groups = vec![Group { name: "sales".into(), members: vec!["alice".into()] }];
        settings.in_order()
    }
}

prop_compose! {
    /// A client that did not sign in, with anything else it may have said or that may be known.
    fn without_login()(
        ip in ip(),
        port in prop::sample::select(vec![Port::Smtp, Port::Submission, Port::Submissions]),
        tls in any::<bool>(),
        helo in option::of("[ -~]{0,20}"),
        network in option::of(machine()),
        load in any::<bool>(),
        password in option::of(prop::sample::select(vec![PasswordCheck::Right, PasswordCheck::Wrong])),
        sender in option::of(reverse_path()),
        recipients in prop::collection::vec(forward_path(), 0..4),
        recipient in forward_path(),
        over_limit in 0_u32..3,
        discarded in prop::collection::vec(forward_path(), 0..2),
        known in strangers::known().boxed(),
    ) -> Facts {
        let tls = tls.then(|| Tls { version: "TLSv1.3".into(), cipher: "x".into() });
        let mut facts = Facts::of_client(Client { ip, port, tls });
        facts.helo = helo;
        facts.network = network;
        facts.load = load.then_some(Load { sessions: 1, capacity: 1, sessions_of_client: 1, capacity_of_client: 1 });
        // Even a right password is not a login until it was decided about.
        facts.attempt = password.map(|password| Attempt {
            login: "alice".into(),
            password: Some(password),
            failures: 0,
            blocked_until: None,
        });
        facts.envelope.sender = sender;
        facts.envelope.recipients = recipients;
        facts.envelope.over_limit = over_limit;
        facts.envelope.discarded = discarded;
        known.of(&mut facts);
        facts.recipient = Some(recipient);
        facts
    }
}

fn is_ours(path: &ForwardPath, settings: &Settings) -> bool {
    match path {
        ForwardPath::Postmaster => true,
        ForwardPath::Unqualified(_) => false,
        ForwardPath::Address(address) => settings.is_local(address),
    }
}

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

fn white(criterion: Criterion, value: impl ToString) -> ListRule {
    ListRule {
        name: format!("white {criterion:?}"),
        list: ListKind::White,
        criterion,
        value: value.to_string(),
        action: ListAction::Reject,
        enabled: true,
        comment: String::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_stranger_never_gets_a_recipient_elsewhere(facts in without_login(), settings in settings()) {
        let elsewhere = facts.recipient.as_ref().is_some_and(|path| !is_ours(path, &settings));
        prop_assume!(elsewhere && Trust::of(&facts, &settings) == Trust::Stranger);
        let decision = decide(Stage::Recipient, &facts, &settings);
        prop_assert!(!decision.accepts());
    }

    #[test]
    fn no_white_rule_opens_the_relay(mut facts in without_login(), mut settings in settings()) {
        settings.general.skip_auth_for_local_network = false;
        facts.recipient = Some("<quinn@foreign.example>".parse().unwrap());
        facts.envelope.sender = Some("<pat@friend.example>".parse().unwrap());
        settings.security.lists = vec![
            white(Criterion::Ip, facts.client.ip),
            white(Criterion::IpMask, format!("{}/{}", facts.client.ip, 8)),
            white(Criterion::Sender, "pat@friend.example"),
            white(Criterion::Recipient, "@foreign.example"),
            white(Criterion::Domain, "friend.example"),
        ].into();
        let decision = decide(Stage::Recipient, &facts, &settings);
        prop_assert!(!decision.accepts() && decision.discard.is_none());
    }

    #[test]
    fn while_the_local_network_must_sign_in_everybody_without_login_is_a_stranger(
        facts in without_login(), mut settings in settings(),
    ) {
        settings.general.skip_auth_for_local_network = false;
        prop_assert_eq!(Trust::of(&facts, &settings), Trust::Stranger);
    }

    #[test]
    fn the_same_facts_under_the_same_settings_are_decided_the_same(facts in without_login(), settings in settings()) {
        let kept: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
        for stage in STAGES {
            let first = decide(stage, &facts, &settings);
            prop_assert_eq!(&first, &decide(stage, &facts, &settings));
            // Facts are kept in the journal and decided about again later.
            prop_assert_eq!(&first, &decide(stage, &kept, &settings));
        }
    }

    #[test]
    fn whatever_is_known_an_answer_is_one_line_and_never_both_no_and_thrown_away(
        facts in without_login(), settings in settings(),
    ) {
        for stage in STAGES {
            needs(stage, &facts, &settings);
            let decision = decide(stage, &facts, &settings);
            prop_assert!(decision.refusal.is_none() || decision.discard.is_none());
            counting(&decision, &facts, &settings);
            if let Some(reason) = &decision.refusal {
                let wire = reason.reply().with_token("K7QF2M").to_wire();
                prop_assert_eq!(wire.iter().filter(|octet| **octet == b'\n').count(), 1);
                prop_assert!(decision.trace.iter().any(|step| step.result == "refuse"));
            }
        }
    }
}
