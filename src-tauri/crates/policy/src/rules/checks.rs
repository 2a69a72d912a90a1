//! The tests of mail from strangers: lists in the DNS, SPF, DKIM, DMARC, and the search for malware.
//!
//! `record` makes a test and refuses nothing; `enforce` refuses where the test says for certain that something is wrong.
//! What is merely doubtful (softfail, neutral, nothing published, a broken record of the sender's) is recorded and passes.

use settings::Settings;
use settings::security::{Antivirus, AntivirusUnavailable, Check, DnsblZone};

use crate::decision::{Fact, Finding};
use crate::facts::{
    AuthResult, ContentTests, DkimFact, DmarcPolicy, DnsblAnswer, DnsblFact, Facts,
    MAX_AUTHOR_DOMAINS, ScanFact,
};
use crate::reason::Reason;

/// No list that the settings name has the client in it. A list that cannot be asked says nothing.
pub(crate) fn dnsbl(facts: &Facts, settings: &Settings) -> Finding {
    let zones = &settings.security.checks.dnsbl_zones;
    if zones.is_empty() {
        return Finding::skip("no lists");
    }
    let found = facts.dnsbl.as_deref().unwrap_or_default();
    let of = |zone: &DnsblZone| found.iter().find(|fact| same_zone(&fact.zone, &zone.zone));
    let Some(answers) = zones.iter().map(of).collect::<Option<Vec<&DnsblFact>>>() else {
        return Finding::missing(Fact::Dnsbl);
    };
    let ip = facts.client.ip;
    let mut silent = Vec::new();
    for fact in &answers {
        match &fact.answer {
            DnsblAnswer::Listed { answers, text } => {
                let said: Vec<String> = answers.iter().map(ToString::to_string).collect();
                let reason = Reason::Dnsbl {
                    ip,
                    zone: fact.zone.clone(),
                    text: text.clone(),
                };
                return Finding::refuse(
                    format!("{ip} in {}: {}", fact.zone, said.join(", ")),
                    reason,
                );
            }
            DnsblAnswer::NotListed => {}
            DnsblAnswer::Failed(why) => silent.push(format!("{}: {why}", fact.zone)),
        }
    }
    let input = format!("{ip} in {} lists", answers.len());
    if silent.is_empty() {
        Finding::pass(input, "not listed")
    } else {
        Finding::pass(
            input,
            format!("not listed; no answer from {}", silent.join(", ")),
        )
    }
}

fn same_zone(a: &str, b: &str) -> bool {
    a.trim_end_matches('.')
        .eq_ignore_ascii_case(b.trim_end_matches('.'))
}

/// The sender's domain lets this client send. RFC 7208 §8: only `fail` is a statement against the client. §8.7 leaves
/// `permerror` to us: the mistake is in a record and not in the mail, so it passes as if there were no record.
pub(crate) fn spf(facts: &Facts, settings: &Settings) -> Finding {
    let check = settings.security.checks.spf;
    if check == Check::Off {
        return Finding::skip("off");
    }
    let Some(fact) = &facts.spf else {
        return Finding::missing(Fact::Spf);
    };
    let of = if fact.of_helo { "HELO " } else { "" };
    let input = format!("{of}{}: {}", fact.domain, fact.result.word());
    match (check, fact.result) {
        (Check::Enforce, AuthResult::Fail) => Finding::refuse(
            input,
            Reason::SpfFail {
                ip: facts.client.ip,
                domain: fact.domain.clone(),
                explanation: fact.explanation.clone(),
            },
        ),
        (Check::Enforce, AuthResult::TempError) => Finding::undecided(
            format!("{input}: {}", fact.explanation),
            Reason::SpfTempError {
                domain: fact.domain.clone(),
            },
        ),
        (_, AuthResult::Pass) => Finding::pass(input, "the domain lets this client send"),
        (_, AuthResult::TempError | AuthResult::PermError) => {
            Finding::pass(format!("{input}: {}", fact.explanation), "recorded")
        }
        _ => Finding::pass(input, "recorded"),
    }
}

fn tests(facts: &Facts) -> Option<&ContentTests> {
    facts.tests.as_ref()
}

/// A message with signatures has one that is right. Without any it is as good as any other (RFC 6376 §6.3).
pub(crate) fn dkim(facts: &Facts, settings: &Settings) -> Finding {
    let check = settings.security.checks.dkim;
    if check == Check::Off {
        return Finding::skip("off");
    }
    let Some(signatures) = tests(facts).and_then(|tests| tests.dkim.as_deref()) else {
        return Finding::missing(Fact::Dkim);
    };
    let signatures: Vec<&DkimFact> = signatures
        .iter()
        .filter(|signature| signature.result != AuthResult::None)
        .collect();
    let input = signatures
        .iter()
        .map(|signature| one_signature(signature))
        .collect::<Vec<_>>()
        .join(", ");
    let has = |result| {
        signatures
            .iter()
            .find(|signature| signature.result == result)
    };
    if signatures.is_empty() {
        Finding::pass("no signature", "nothing is claimed")
    } else if let Some(right) = has(AuthResult::Pass) {
        Finding::pass(input, format!("the signature of {} is right", right.domain))
    } else if check == Check::Record {
        Finding::pass(input, "recorded")
    } else if let Some(unknown) = has(AuthResult::TempError) {
        let domain = unknown.domain.clone();
        Finding::undecided(input, Reason::DkimTempError { domain })
    } else {
        let domains = signatures.iter().map(|signature| signature.domain.clone());
        let reason = Reason::DkimFail {
            domains: domains.collect::<Vec<_>>().join(", "),
        };
        Finding::refuse(input, reason)
    }
}

fn one_signature(signature: &DkimFact) -> String {
    let DkimFact {
        result,
        domain,
        selector,
        reason,
    } = signature;
    if reason.is_empty() {
        format!("{domain} ({selector}): {}", result.word())
    } else {
        format!("{domain} ({selector}): {}, {reason}", result.word())
    }
}

/// The chain of those who passed the message on (RFC 8617). It is read with the signatures, and nothing follows from it.
pub(crate) fn arc(facts: &Facts, settings: &Settings) -> Finding {
    if settings.security.checks.dkim == Check::Off {
        return Finding::skip("off");
    }
    match tests(facts).and_then(|tests| tests.arc.as_ref()) {
        None => Finding::missing(Fact::Arc),
        Some(arc) if arc.result == AuthResult::None => Finding::pass("no chain", "recorded"),
        Some(arc) if arc.reason.is_empty() => Finding::pass(arc.result.word(), "recorded"),
        Some(arc) => Finding::pass(format!("{}, {}", arc.result.word(), arc.reason), "recorded"),
    }
}

/// Somebody can be asked about the author: one From field (RFC 5322 §3.6) that can be read, and not too many domains in it.
/// Where readers disagree about who wrote a message, no domain's policy protects anybody (RFC 7489 §6.6.1). Notifications
/// have a From field like all others (RFC 3464 §2).
pub(crate) fn from_field(facts: &Facts, settings: &Settings) -> Finding {
    let check = settings.security.checks.dmarc;
    if check == Check::Off {
        return Finding::skip("off");
    }
    let Some(message) = &facts.message else {
        return Finding::skip("no message");
    };
    let domains = message.author_domains().len();
    let (input, why) = match (message.from_fields, &message.unreadable_from) {
        (0, _) => (String::new(), "there is none".to_owned()),
        (2.., _) => (String::new(), format!("there are {}", message.from_fields)),
        (_, Some(text)) => (text.clone(), "it is no list of addresses".into()),
        _ if message.from.is_empty() => (String::new(), "it has no address".into()),
        _ if domains > MAX_AUTHOR_DOMAINS => (String::new(), format!("it has {domains} domains")),
        _ => return Finding::pass("one From field", "it can be read"),
    };
    if check == Check::Enforce {
        Finding::refuse(input, Reason::FromFieldUnfit { why })
    } else {
        Finding::pass(input, format!("{why}; recorded"))
    }
}

/// The domain that people see as the author stands behind the message, or does not mind. Refused is what fails where the
/// domain asks for it; `quarantine` is recorded, for there is no folder here to put such mail into. A `temperror` is no
/// proof of anything (RFC 7489 §6.6.2), so it passes, except where the sender may have brought it about to come past a
/// policy: that of a domain known to ask for refusal, or of one among several.
pub(crate) fn dmarc(facts: &Facts, settings: &Settings) -> Finding {
    let check = settings.security.checks.dmarc;
    if check == Check::Off {
        return Finding::skip("off");
    }
    let Some(fact) = tests(facts).and_then(|tests| tests.dmarc.as_ref()) else {
        return Finding::missing(Fact::Dmarc);
    };
    let mut input = format!("{}: {}", fact.domain, fact.result.word());
    if !fact.reason.is_empty() {
        input = format!("{input}, {}", fact.reason);
    }
    match (fact.result, fact.policy) {
        (AuthResult::Fail, DmarcPolicy::Reject) if check == Check::Enforce => Finding::refuse(
            input,
            Reason::DmarcFail {
                domain: fact.domain.clone(),
            },
        ),
        (AuthResult::Fail, DmarcPolicy::Reject) => Finding::pass(
            input,
            "the domain asks for such mail to be refused; recorded",
        ),
        (AuthResult::Fail, DmarcPolicy::Quarantine) => Finding::pass(
            input,
            "the domain asks for suspicion, not for refusal; recorded",
        ),
        (AuthResult::Fail, DmarcPolicy::None) => {
            Finding::pass(input, "the domain asks for nothing; recorded")
        }
        (AuthResult::Pass, _) => Finding::pass(input, "the domain stands behind it"),
        (AuthResult::TempError, policy)
            if check == Check::Enforce
                && (policy == DmarcPolicy::Reject || has_several_authors(facts)) =>
        {
            let domain = fact.domain.clone();
            Finding::undecided(input, Reason::DmarcTempError { domain })
        }
        _ => Finding::pass(input, "recorded"),
    }
}

fn has_several_authors(facts: &Facts) -> bool {
    let message = facts.message.as_ref();
    message.is_some_and(|message| message.author_domains().len() > 1)
}

/// Nothing malicious was found. A message that is too large to be searched will be no smaller the next time, so it is
/// refused for good where others would be put off.
pub(crate) fn antivirus(facts: &Facts, settings: &Settings) -> Finding {
    let checks = &settings.security.checks;
    if checks.antivirus == Antivirus::Off {
        return Finding::skip("off");
    }
    let Some(scan) = tests(facts).and_then(|tests| tests.antivirus.as_ref()) else {
        return Finding::missing(Fact::Antivirus);
    };
    let goes_without = checks.antivirus_unavailable == AntivirusUnavailable::Accept;
    match scan {
        ScanFact::Clean => Finding::pass("searched", "nothing was found"),
        ScanFact::Malware(name) if checks.antivirus == Antivirus::Discard => {
            Finding::discard(name, "antivirus")
        }
        ScanFact::Malware(name) => Finding::refuse(name, Reason::Malware { name: name.clone() }),
        ScanFact::TooLarge if goes_without => {
            Finding::pass("too large to be searched", "taken without")
        }
        ScanFact::TooLarge => Finding::refuse("too large to be searched", Reason::ScanTooLarge),
        ScanFact::Unavailable(why) if goes_without => Finding::pass(why, "taken without"),
        ScanFact::Unavailable(why) => Finding::refuse(why, Reason::ScanUnavailable),
    }
}
