//! What deciding costs: one recipient of an office with a thousand users, also with a hundred thousand rules on the black
//! and white lists, and a whole transaction from the connection to the last byte of the message.

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{Criterion, criterion_group, criterion_main};
use policy::facts::{Client, Envelope, Load, Login, MessageFacts, Port, Storage};
use policy::lists::matching;
use policy::{Facts, Stage, decide, plan};
use settings::security::{self, ListAction, ListKind, ListRule};
use settings::{Settings, User};

const USERS: usize = 1000;
const RULES: u32 = 100_000;

fn office() -> Settings {
    let mut settings = Settings::default();
    settings.general.domain = "office.example".parse().ok();
    settings.general.additional_domains = ["bücher.example", "office.test"]
        .iter()
        .filter_map(|d| d.parse().ok())
        .collect();
    settings.users = (0..USERS)
        .map(|n| User {
            name: format!("user{n}"),
            display_name: String::new(),
            enabled: true,
        })
        .collect();
    settings.in_order()
}

/// Rules of every criterion, under all prefix lengths from 8 to 32. None matches the transaction.
fn rules() -> impl Iterator<Item = ListRule> {
    (0..RULES).map(|n| {
        let network = Ipv4Addr::from((n.wrapping_mul(7919) % 0x3f00_0000) + 0x0100_0000);
        let (criterion, value) = match n % 5 {
            0 => (security::Criterion::Ip, network.to_string()),
            1 => (
                security::Criterion::IpMask,
                format!("{network}/{}", 8 + n % 25),
            ),
            2 => (
                security::Criterion::Sender,
                format!("user{n}@domain{n}.example"),
            ),
            3 => (
                security::Criterion::Recipient,
                format!("user{n}x@office.example"),
            ),
            _ => (security::Criterion::Domain, format!(".domain{n}.example")),
        };
        ListRule {
            name: format!("rule {n}"),
            list: ListKind::White,
            criterion,
            value,
            action: ListAction::Reject,
            enabled: true,
            comment: String::new(),
        }
    })
}

/// A user who signed in and writes to a colleague.
fn facts() -> Facts {
    let mut facts = Facts::of_client(Client {
        ip: [192, 0, 2, 7].into(),
        port: Port::Smtp,
        tls: None,
    });
    facts.load = Some(Load {
        sessions: 7,
        capacity: 1000,
        sessions_of_client: 1,
        capacity_of_client: 250,
    });
    facts.storage = Some(Storage { free: 1 << 40 });
    facts.helo = Some("laptop".into());
    facts.login = Some(Login {
        user: "user500".into(),
        current: true,
    });
    facts.envelope = Envelope {
        sender: "<user500@office.example>".parse().ok(),
        ..Envelope::default()
    };
    facts.recipient = "<user700@office.example>".parse().ok();
    facts.message = Some(MessageFacts {
        size: 20_000,
        hops: 3,
        from_fields: 1,
        from: "user500@office.example".parse().into_iter().collect(),
        ..MessageFacts::default()
    });
    facts
}

fn transaction(facts: &mut Facts, settings: &Settings) -> usize {
    let mut accepted = 0;
    for stage in [Stage::Connect, Stage::Helo, Stage::Sender] {
        accepted += usize::from(decide(stage, facts, settings).accepts());
    }
    facts.envelope.recipients.clear();
    let decision = decide(Stage::Recipient, facts, settings);
    if let Some(path) = facts.recipient.clone() {
        facts.envelope.decided(path, &decision);
    }
    for stage in [Stage::Data, Stage::Message] {
        accepted += usize::from(decide(stage, facts, settings).accepts());
    }
    accepted + plan(facts, settings).deliveries.len()
}

fn measure(criterion: &mut Criterion) {
    let settings = office();
    let mut facts = facts();
    // A benchmark of refusals would be quick and worthless.
    assert_eq!(
        transaction(&mut facts, &settings),
        6,
        "everything must be accepted"
    );
    let mut group = criterion.benchmark_group("decide");
    group.bench_function("recipient_of_1000", |bencher| {
        bencher.iter(|| decide(Stage::Recipient, black_box(&facts), black_box(&settings)));
    });
    group.bench_function("transaction", |bencher| {
        bencher.iter(|| transaction(black_box(&mut facts), black_box(&settings)));
    });
    let mut listed = settings.clone();
    listed.security.lists = rules().collect();
    assert!(
        listed.check().is_empty(),
        "rules that cannot be read cost nothing"
    );
    group.bench_function("recipient_of_1000_with_100000_rules", |bencher| {
        bencher.iter(|| decide(Stage::Recipient, black_box(&facts), black_box(&listed)));
    });
    group.bench_function("match_100000_rules", |bencher| {
        bencher.iter(|| {
            matching(
                black_box(&facts),
                black_box(&listed),
                facts.recipient.as_ref(),
            )
        });
    });
    group.bench_function("compile_100000_rules", |bencher| {
        bencher.iter(|| {
            let lists: security::Lists = listed.security.lists.rules().to_vec().into();
            lists.prepare();
        });
    });
    group.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
