//! What a message would come to: `policy` is asked with one test active and nobody but that test against it.

use std::net::{IpAddr, Ipv4Addr};

use policy::facts::{Client, ContentTests, DnsblFact, MessageFacts, Port, SpfFact};
use policy::{Decision, Facts, Stage, decide};
use settings::security::{Antivirus, Check, Checks, DnsblZone};
use settings::{General, Settings};
use smtp::{Domain, ForwardPath, ReversePath};

use super::{CheckEffect, CheckFinding, CheckName};

/// A domain for this server that is nobody's (RFC 6761 §6.4): its postmaster takes the message in question.
const OURS: &str = "postroom.invalid";
/// A client for whom nothing counts but the message (RFC 5737).
const SOMEBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// One question to the policy.
pub(super) struct Asked {
    stage: Stage,
    facts: Facts,
    checks: Checks,
    /// Whether the test is switched on.
    active: bool,
}

/// A result as people read it.
pub(super) struct Told {
    /// What it is about.
    pub subject: String,
    /// In one word.
    pub result: String,
    /// In a sentence.
    pub text: String,
    /// Whether it says nothing against the message.
    pub clean: bool,
}

impl Asked {
    pub(super) fn list(ip: IpAddr, fact: &DnsblFact, zones: &[DnsblZone]) -> Self {
        let zones = zones.iter().filter(|zone| zone.zone == fact.zone);
        let checks = Checks {
            dnsbl_zones: zones.cloned().collect(),
            ..nothing()
        };
        let mut facts = stranger(ip);
        facts.dnsbl = Some(vec![fact.clone()]);
        Self::at(Stage::Recipient, facts, checks, true)
    }

    pub(super) fn spf(ip: IpAddr, fact: &SpfFact, checks: &Checks) -> Self {
        let mut facts = stranger(ip);
        facts.spf = Some(fact.clone());
        let active = checks.spf != Check::Off;
        let checks = Checks {
            spf: checks.spf,
            ..nothing()
        };
        Self::at(Stage::Recipient, facts, checks, active)
    }

    pub(super) fn content(
        test: CheckName,
        message: &MessageFacts,
        tests: &ContentTests,
        checks: &Checks,
    ) -> Self {
        let mut facts = stranger(SOMEBODY);
        // Of the message, what the tests look at.
        facts.message = Some(MessageFacts {
            from_fields: message.from_fields,
            from: message.from.clone(),
            unreadable_from: message.unreadable_from.clone(),
            ..MessageFacts::default()
        });
        facts.tests = Some(tests.clone());
        let mut only = nothing();
        let active = match test {
            CheckName::Dkim => {
                only.dkim = checks.dkim;
                checks.dkim != Check::Off
            }
            // Nothing follows from the chain, which is read with the signatures.
            CheckName::Arc => checks.dkim != Check::Off,
            CheckName::Dmarc => {
                only.dmarc = checks.dmarc;
                checks.dmarc != Check::Off
            }
            CheckName::Antivirus => {
                only.antivirus = checks.antivirus;
                only.antivirus_unavailable = checks.antivirus_unavailable;
                checks.antivirus != Antivirus::Off
            }
            CheckName::Dnsbl | CheckName::Spf => false,
        };
        Self::at(Stage::Message, facts, only, active)
    }

    fn at(stage: Stage, facts: Facts, checks: Checks, active: bool) -> Self {
        Self {
            stage,
            facts,
            checks,
            active,
        }
    }

    pub(super) fn finding(&self, test: CheckName, told: Told, took_ms: u64) -> CheckFinding {
        let (effect, reply) = if self.active {
            let decision = decide(self.stage, &self.facts, &self.settings());
            effect(&decision, told.clean)
        } else {
            (CheckEffect::Off, String::new())
        };
        CheckFinding {
            test,
            subject: told.subject,
            result: told.result,
            text: told.text,
            effect,
            reply,
            took_ms,
        }
    }

    /// Settings in which only the test in question can say no.
    fn settings(&self) -> Settings {
        let mut settings = Settings {
            general: General {
                domain: Domain::parse(OURS).ok(),
                ..General::default()
            },
            ..Settings::default()
        };
        let security = &mut settings.security;
        security.sender_policy.reject_non_fqdn = false;
        security.sender_policy.reject_unknown_domain = false;
        security.advanced.reject_non_fqdn_helo = false;
        security.advanced.max_nonexistent_accounts = None;
        security.connection_policy.max_connections = None;
        security.checks = self.checks.clone();
        settings
    }
}

fn effect(decision: &Decision, clean: bool) -> (CheckEffect, String) {
    if let Some(reason) = &decision.refusal {
        let reply = reason.reply();
        let effect = if reply.code() < 500 {
            CheckEffect::Defer
        } else {
            CheckEffect::Refuse
        };
        return (effect, reply.to_string());
    }
    let effect = match &decision.discard {
        Some(_) => CheckEffect::Discard,
        None if clean => CheckEffect::Pass,
        None => CheckEffect::Recorded,
    };
    (effect, String::new())
}

/// All tests switched off.
fn nothing() -> Checks {
    Checks {
        dnsbl_zones: Vec::new(),
        spf: Check::Off,
        dkim: Check::Off,
        dmarc: Check::Off,
        antivirus: Antivirus::Off,
        ..Checks::default()
    }
}

/// Somebody who writes to the postmaster here.
fn stranger(ip: IpAddr) -> Facts {
    let mut facts = Facts::of_client(Client {
        ip,
        port: Port::Smtp,
        tls: None,
    });
    facts.helo = Some("client.invalid".into());
    facts.envelope.sender = Some(ReversePath::Null);
    facts.recipient = Some(ForwardPath::Postmaster);
    facts
}
