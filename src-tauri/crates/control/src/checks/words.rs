//! The results of the tests in words, for whoever tries them.

use std::net::IpAddr;

use policy::facts::{
    ArcFact, AuthResult, ContentTests, DkimFact, DmarcFact, DmarcPolicy, DnsblAnswer, DnsblFact,
    ScanFact, SpfFact,
};

use super::CheckName;
use super::effect::Told;

/// `more` is what else was said, and may be empty.
fn told(subject: impl Into<String>, result: &str, text: String, more: &str, clean: bool) -> Told {
    Told {
        subject: subject.into(),
        result: result.into(),
        text: if more.is_empty() {
            text
        } else {
            format!("{text}: {more}")
        },
        clean,
    }
}

pub(super) fn dnsbl(fact: &DnsblFact) -> Told {
    let zone = &fact.zone;
    match &fact.answer {
        DnsblAnswer::Listed { answers, text } => {
            let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
            let listed = format!("listed as {}", answers.join(", "));
            told(zone, "listed", listed, text, false)
        }
        DnsblAnswer::NotListed => {
            let text = "not listed, or only in a way that does not count here";
            told(zone, "not_listed", text.into(), "", true)
        }
        DnsblAnswer::Failed(why) => {
            let text = "the list says nothing of the address".into();
            told(zone, "failed", text, why, false)
        }
    }
}

pub(super) fn spf(fact: &SpfFact, ip: IpAddr) -> Told {
    let domain = &fact.domain;
    let text = match fact.result {
        AuthResult::Pass => format!("{domain} lets {ip} send for it"),
        AuthResult::Fail => format!("{domain} does not let {ip} send for it"),
        AuthResult::SoftFail => format!("{domain} thinks that {ip} should not send for it"),
        AuthResult::Neutral | AuthResult::Policy => {
            format!("{domain} leaves open whether {ip} may send for it")
        }
        AuthResult::None => "no SPF record is published".into(),
        AuthResult::TempError => "the DNS could not be asked".into(),
        AuthResult::PermError => format!("the SPF record of {domain} is broken"),
    };
    let subject = if fact.of_helo {
        format!("HELO {domain}")
    } else {
        domain.clone()
    };
    let clean = fact.result == AuthResult::Pass;
    told(subject, fact.result.word(), text, &fact.explanation, clean)
}

/// The tests of content that were made.
pub(super) fn content(tests: &ContentTests) -> Vec<(CheckName, Told)> {
    let mut found = Vec::new();
    if let Some(signatures) = &tests.dkim {
        if signatures.is_empty() {
            let text = "the message has no signature".into();
            found.push((CheckName::Dkim, told("", "none", text, "", true)));
        }
        found.extend(signatures.iter().map(|one| (CheckName::Dkim, dkim(one))));
    }
    found.extend(
        tests
            .dmarc
            .iter()
            .map(|fact| (CheckName::Dmarc, dmarc(fact))),
    );
    found.extend(tests.arc.iter().map(|fact| (CheckName::Arc, arc(fact))));
    found.extend(
        tests
            .antivirus
            .iter()
            .map(|fact| (CheckName::Antivirus, antivirus(fact))),
    );
    found
}

fn dkim(fact: &DkimFact) -> Told {
    let text = match fact.result {
        AuthResult::Pass => "the signature is right",
        AuthResult::Fail => "the signature is wrong",
        AuthResult::None => "there is no signature",
        AuthResult::Policy => "the signature is right and does not count",
        AuthResult::TempError => "the DNS could not be asked for the key",
        AuthResult::Neutral | AuthResult::SoftFail | AuthResult::PermError => {
            "the signature cannot be checked"
        }
    };
    let subject = if fact.domain.is_empty() {
        String::new()
    } else {
        format!("d={} s={}", fact.domain, fact.selector)
    };
    let clean = matches!(fact.result, AuthResult::Pass | AuthResult::None);
    told(
        subject,
        fact.result.word(),
        text.into(),
        &fact.reason,
        clean,
    )
}

fn dmarc(fact: &DmarcFact) -> Told {
    let wish = match fact.policy {
        DmarcPolicy::None => "asks for nothing",
        DmarcPolicy::Quarantine => "asks for suspicion",
        DmarcPolicy::Reject => "asks for refusal",
    };
    let domain = &fact.domain;
    let text = match fact.result {
        AuthResult::Pass => format!("{domain} stands behind the message"),
        AuthResult::Fail => format!("neither SPF nor DKIM speaks for {domain}, which {wish}"),
        AuthResult::None => "no DMARC record is published".into(),
        AuthResult::TempError => "the DNS could not be asked".into(),
        _ => "DMARC cannot be decided".into(),
    };
    let clean = matches!(fact.result, AuthResult::Pass | AuthResult::None);
    told(domain, fact.result.word(), text, &fact.reason, clean)
}

fn arc(fact: &ArcFact) -> Told {
    let text = match fact.result {
        AuthResult::Pass => "the chain of those who passed it on is right",
        AuthResult::None => "nobody who passed it on left a chain",
        _ => "the chain of those who passed it on is broken",
    };
    let clean = matches!(fact.result, AuthResult::Pass | AuthResult::None);
    told("", fact.result.word(), text.into(), &fact.reason, clean)
}

fn antivirus(fact: &ScanFact) -> Told {
    match fact {
        ScanFact::Clean => told("", "clean", "clamd found nothing".into(), "", true),
        ScanFact::Malware(name) => told("", "infected", format!("clamd found {name}"), "", false),
        ScanFact::TooLarge => {
            let text = "clamd takes no message of this size".into();
            told("", "too_large", text, "", false)
        }
        ScanFact::Unavailable(why) => {
            let text = "clamd could not be asked".into();
            told("", "unavailable", text, why, false)
        }
    }
}
