//! Any facts about strangers, and any settings of the Security section.

use proptest::option;
use proptest::prelude::*;
use settings::Security;
use settings::security::{
    Antivirus, AntivirusUnavailable, Check, ClientHostname, Criterion, DnsblZone, ListAction,
    ListKind, ListRule, UnknownDomainScope,
};

use super::{DOMAINS, ip};
use crate::Facts;
use crate::facts::{
    ArcFact, AuthResult, ClientName, ContentTests, DkimFact, DmarcFact, DmarcPolicy, DnsblAnswer,
    DnsblFact, NameFact, Nonexistent, Rates, ScanFact, SpfFact,
};

/// What other people's servers say can be anything.
fn words() -> BoxedStrategy<String> {
    prop_oneof!["[ -~]{0,20}", "\\PC{0,8}", Just("\r\n250 ok".to_owned())].boxed()
}

fn number() -> BoxedStrategy<u32> {
    prop_oneof![0_u32..4, Just(u32::MAX)].boxed()
}

fn name_fact() -> BoxedStrategy<NameFact> {
    prop_oneof![
        Just(NameFact::Exists),
        Just(NameFact::NullMx),
        Just(NameFact::Missing),
        words().prop_map(NameFact::Unknown),
    ]
    .boxed()
}

fn client_name() -> BoxedStrategy<ClientName> {
    prop_oneof![
        words().prop_map(ClientName::Confirmed),
        words().prop_map(ClientName::Unconfirmed),
        Just(ClientName::Missing),
        words().prop_map(ClientName::Unknown),
    ]
    .boxed()
}

fn result() -> BoxedStrategy<AuthResult> {
    prop::sample::select(vec![
        AuthResult::None,
        AuthResult::Pass,
        AuthResult::Fail,
        AuthResult::SoftFail,
        AuthResult::Neutral,
        AuthResult::Policy,
        AuthResult::TempError,
        AuthResult::PermError,
    ])
    .boxed()
}

const ZONES: [&str; 3] = ["zen.example", "Zen.example.", "other.example"];

fn dnsbl() -> BoxedStrategy<DnsblFact> {
    let answer = prop_oneof![
        (prop::collection::vec(ip(), 0..3), words())
            .prop_map(|(answers, text)| DnsblAnswer::Listed { answers, text }),
        Just(DnsblAnswer::NotListed),
        words().prop_map(DnsblAnswer::Failed),
    ];
    (prop::sample::select(ZONES.to_vec()), answer)
        .prop_map(|(zone, answer)| DnsblFact {
            zone: zone.into(),
            answer,
        })
        .boxed()
}

prop_compose! {
    fn spf()(result in result(), domain in words(), of_helo in any::<bool>(), explanation in words()) -> SpfFact {
        SpfFact { result, domain, of_helo, explanation }
    }
}

prop_compose! {
    fn signature()(result in result(), domain in words(), selector in words(), reason in words()) -> DkimFact {
        DkimFact { result, domain, selector, reason }
    }
}

prop_compose! {
    fn dmarc()(
        result in result(),
        domain in words(),
        policy in prop::sample::select(vec![DmarcPolicy::None, DmarcPolicy::Quarantine, DmarcPolicy::Reject]),
        reason in words(),
    ) -> DmarcFact {
        DmarcFact { result, domain, policy, reason }
    }
}

fn scan() -> BoxedStrategy<ScanFact> {
    prop_oneof![
        Just(ScanFact::Clean),
        words().prop_map(ScanFact::Malware),
        Just(ScanFact::TooLarge),
        words().prop_map(ScanFact::Unavailable),
    ]
    .boxed()
}

prop_compose! {
    fn tests()(
        dkim in option::of(prop::collection::vec(signature().boxed(), 0..3)),
        dmarc in option::of(dmarc().boxed()),
        arc in option::of((result(), words()).prop_map(|(result, reason)| ArcFact { result, reason })),
        antivirus in option::of(scan()),
    ) -> ContentTests {
        ContentTests { dkim, dmarc, arc, antivirus }
    }
}

/// Everything that can be known of a stranger.
#[derive(Debug, Clone)]
pub(super) struct Known {
    rates: Option<Rates>,
    nonexistent: Option<Nonexistent>,
    spoke_early: bool,
    client_name: Option<ClientName>,
    names: [Option<NameFact>; 2],
    dnsbl: Option<Vec<DnsblFact>>,
    resolver_down: Option<String>,
    spf: Option<SpfFact>,
    tests: Option<ContentTests>,
}

prop_compose! {
    pub(super) fn known()(
        rates in option::of((number(), number(), number())),
        nonexistent in option::of((number(), any::<bool>(), option::of(words()))),
        spoke_early in any::<bool>(),
        client_name in option::of(client_name()),
        helo_name in option::of(name_fact()),
        sender_domain in option::of(name_fact()),
        dnsbl in option::of(prop::collection::vec(dnsbl(), 0..4)),
        resolver_down in option::of(words()),
        spf in option::of(spf().boxed()),
        tests in option::of(tests().boxed()),
    ) -> Known {
        Known {
            rates: rates.map(|(connections, connections_in_minute, messages_in_minute)| Rates {
                connections, connections_in_minute, messages_in_minute,
            }),
            nonexistent: nonexistent.map(|(count, known, blocked_until)| Nonexistent { count, known, blocked_until }),
            spoke_early,
            client_name,
            names: [helo_name, sender_domain],
            dnsbl,
            resolver_down,
            spf,
            tests,
        }
    }
}

impl Known {
    pub(super) fn of(self, facts: &mut Facts) {
        let [helo_name, sender_domain] = self.names;
        facts.rates = self.rates;
        facts.nonexistent = self.nonexistent;
        facts.spoke_early = self.spoke_early;
        facts.client_name = self.client_name;
        facts.helo_name = helo_name;
        facts.sender_domain = sender_domain;
        facts.dnsbl = self.dnsbl;
        facts.resolver_down = self.resolver_down;
        facts.spf = self.spf;
        facts.tests = self.tests;
    }
}

fn rule() -> BoxedStrategy<ListRule> {
    let what = prop_oneof![
        ip().prop_map(|ip| (Criterion::Ip, ip.to_string())),
        Just((Criterion::IpMask, "0.0.0.0/0".to_owned())),
        Just((Criterion::IpMask, "192.163.1.1/255.100.10.1".to_owned())),
        prop::sample::select(DOMAINS.to_vec())
            .prop_map(|domain| (Criterion::Sender, format!("@{domain}"))),
        prop::sample::select(DOMAINS.to_vec())
            .prop_map(|domain| (Criterion::Recipient, format!("@{domain}"))),
        prop::sample::select(DOMAINS.to_vec())
            .prop_map(|domain| (Criterion::Domain, domain.to_owned())),
        // A value that means nothing matches nothing.
        words().prop_map(|value| (Criterion::Sender, value)),
    ];
    (any::<[bool; 3]>(), what, "[a-z]{1,6}")
        .prop_map(
            |([white, discard, enabled], (criterion, value), name)| ListRule {
                name,
                list: if white {
                    ListKind::White
                } else {
                    ListKind::Black
                },
                criterion,
                value,
                action: if discard {
                    ListAction::Discard
                } else {
                    ListAction::Reject
                },
                enabled,
                comment: String::new(),
            },
        )
        .boxed()
}

fn check() -> BoxedStrategy<Check> {
    prop::sample::select(vec![Check::Off, Check::Record, Check::Enforce]).boxed()
}

prop_compose! {
    /// Any settings of the section.
    pub(super) fn security()(
        rules in prop::collection::vec(rule(), 0..5),
        flags in any::<[bool; 8]>(),
        limits in prop::collection::vec(option::of(number()), 4),
        checks in [check(), check(), check()],
        antivirus in prop::sample::select(vec![Antivirus::Off, Antivirus::Reject, Antivirus::Discard]),
        zones in prop::collection::vec(prop::sample::select(ZONES.to_vec()), 0..3),
    ) -> Security {
        let mut security = Security::default();
        let [narrow, confirmed, without, ..] = flags;
        [
            ..,
            security.sender_policy.reject_non_fqdn,
            security.sender_policy.reject_unknown_domain,
            security.connection_policy.reject_unknown_client_hostname,
            security.advanced.reject_non_fqdn_helo,
            security.advanced.reject_unknown_helo,
        ] = flags;
        if narrow {
            security.sender_policy.unknown_domain_scope = UnknownDomainScope::UnknownRecipientsOnly;
        }
        if confirmed {
            security.connection_policy.client_hostname = ClientHostname::ForwardConfirmed;
        }
        if without {
            security.checks.antivirus_unavailable = AntivirusUnavailable::Accept;
        }
        security.connection_policy.max_connections = limits[0];
        security.connection_policy.max_connections_per_minute = limits[1];
        security.connection_policy.max_messages_per_minute = limits[2];
        security.advanced.max_nonexistent_accounts = limits[3];
        [security.checks.spf, security.checks.dkim, security.checks.dmarc] = checks;
        security.checks.antivirus = antivirus;
        security.checks.dnsbl_zones = zones
            .into_iter()
            .map(|zone| DnsblZone { zone: zone.into(), answers: Vec::new() })
            .collect();
        security.lists = rules.into();
        security
    }
}
