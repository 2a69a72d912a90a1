use std::fs;

use policy::facts::{AuthResult, DkimFact, DnsblAnswer, DnsblFact, ScanFact};
use serde_json::json;
use settings::security::{Antivirus, AntivirusUnavailable, Check};
use store::DataDir;

use super::*;

const IP: &str = "192.0.2.77";

fn spf_fact(result: AuthResult) -> SpfFact {
    SpfFact {
        result,
        domain: "shop.example".into(),
        of_helo: false,
        explanation: String::new(),
    }
}

fn spf_comes_to(result: AuthResult, spf: Check) -> CheckFinding {
    let (ip, fact) = (IP.parse().unwrap(), spf_fact(result));
    let checks = Checks {
        spf,
        ..Checks::default()
    };
    Asked::spf(ip, &fact, &checks).finding(CheckName::Spf, words::spf(&fact, ip), 0)
}

fn scan_comes_to(
    fact: ScanFact,
    antivirus: Antivirus,
    unavailable: AntivirusUnavailable,
) -> CheckEffect {
    let checks = Checks {
        antivirus,
        antivirus_unavailable: unavailable,
        ..Checks::default()
    };
    let tests = ContentTests {
        antivirus: Some(fact),
        ..ContentTests::default()
    };
    content_comes_to(&tests, &checks).remove(0).effect
}

fn content_comes_to(tests: &ContentTests, checks: &Checks) -> Vec<CheckFinding> {
    let message = server::facts_of(b"From: anna@far.example\r\n\r\n");
    words::content(tests)
        .into_iter()
        .map(|(test, told)| Asked::content(test, &message, tests, checks).finding(test, told, 0))
        .collect()
}

#[test]
fn spf_comes_to_what_its_setting_says() {
    let refused = spf_comes_to(AuthResult::Fail, Check::Enforce);
    assert_eq!(refused.effect, CheckEffect::Refuse);
    assert!(refused.reply.starts_with("550 5.7.23"), "{refused:?}");
    assert!(
        refused.text.contains("does not let 192.0.2.77 send"),
        "{refused:?}"
    );

    let later = spf_comes_to(AuthResult::TempError, Check::Enforce);
    assert_eq!(later.effect, CheckEffect::Defer);
    assert!(later.reply.starts_with("451"), "{later:?}");

    for (result, check, effect) in [
        (AuthResult::Fail, Check::Record, CheckEffect::Recorded),
        (AuthResult::Fail, Check::Off, CheckEffect::Off),
        (AuthResult::SoftFail, Check::Enforce, CheckEffect::Recorded),
        (AuthResult::Pass, Check::Enforce, CheckEffect::Pass),
    ] {
        let finding = spf_comes_to(result, check);
        assert_eq!((finding.effect, finding.reply.as_str()), (effect, ""));
    }
}

#[test]
fn a_listed_client_is_refused_and_a_silent_list_refuses_nobody() {
    let zones = [DnsblZone {
        zone: "bl.example".into(),
        answers: Vec::new(),
    }];
    let comes_to = |answer| {
        let fact = DnsblFact {
            zone: "bl.example".into(),
            answer,
        };
        let asked = Asked::list(IP.parse().unwrap(), &fact, &zones);
        asked.finding(CheckName::Dnsbl, words::dnsbl(&fact), 0)
    };
    let listed = comes_to(DnsblAnswer::Listed {
        answers: vec!["127.0.0.2".parse().unwrap()],
        text: "sends spam".into(),
    });
    assert_eq!(listed.effect, CheckEffect::Refuse);
    assert!(listed.reply.starts_with("554 5.7.1"), "{listed:?}");
    assert_eq!(listed.text, "listed as 127.0.0.2: sends spam");
    assert_eq!(comes_to(DnsblAnswer::NotListed).effect, CheckEffect::Pass);
    let silent = comes_to(DnsblAnswer::Failed("no answer".into()));
    assert_eq!(silent.effect, CheckEffect::Recorded);
}

#[test]
fn malware_comes_to_what_its_setting_says() {
    use AntivirusUnavailable::{Accept, Defer};
    let malware = || ScanFact::Malware("Eicar".into());
    let away = || ScanFact::Unavailable("nobody listens".into());
    for (fact, antivirus, unavailable, effect) in [
        (malware(), Antivirus::Reject, Defer, CheckEffect::Refuse),
        (malware(), Antivirus::Discard, Defer, CheckEffect::Discard),
        (malware(), Antivirus::Off, Defer, CheckEffect::Off),
        (away(), Antivirus::Reject, Defer, CheckEffect::Defer),
        (away(), Antivirus::Reject, Accept, CheckEffect::Recorded),
        (ScanFact::Clean, Antivirus::Reject, Defer, CheckEffect::Pass),
    ] {
        assert_eq!(scan_comes_to(fact, antivirus, unavailable), effect);
    }
}

#[test]
fn each_test_of_a_message_answers_for_itself() {
    let signature = DkimFact {
        result: AuthResult::Fail,
        domain: "shop.example".into(),
        selector: "s1".into(),
        reason: "the body was changed".into(),
    };
    let tests = ContentTests {
        dkim: Some(vec![signature]),
        antivirus: Some(ScanFact::Clean),
        ..ContentTests::default()
    };
    let checks = Checks {
        dkim: Check::Enforce,
        antivirus: Antivirus::Reject,
        ..Checks::default()
    };
    let findings = content_comes_to(&tests, &checks);
    let effects: Vec<_> = findings.iter().map(|one| (one.test, one.effect)).collect();
    assert_eq!(
        effects,
        [
            (CheckName::Dkim, CheckEffect::Refuse),
            (CheckName::Antivirus, CheckEffect::Pass)
        ]
    );
    assert_eq!(findings[0].subject, "d=shop.example s=s1");
    assert_eq!(
        findings[0].text,
        "the signature is wrong: the body was changed"
    );
}

fn office() -> (tempfile::TempDir, Control) {
    let folder = tempfile::tempdir().unwrap();
    let control = Control::open(&DataDir::new(folder.path().join("data"))).unwrap();
    let document = json!({
        "general": { "domain": "office.example", "hostname": "mail.office.example", "max_message_size_mb": 1 },
        "service": { "smtp": [], "submission": [], "submissions": [], "dns_servers": ["127.0.0.1:9"] },
    });
    control
        .settings_apply(&document, None, "test", "an office")
        .unwrap();
    (folder, control)
}

fn trial(tests: Vec<CheckName>, path: Option<&Path>) -> CheckTrial {
    CheckTrial {
        ip: IP.into(),
        helo: "shop.example".into(),
        sender: "anna@shop.example".into(),
        path: path.map(|path| path.to_str().unwrap().to_owned()),
        tests,
        checks: Checks::default(),
        clamd: None,
    }
}

fn problem<T: std::fmt::Debug>(answer: Result<T, Failure>) -> (String, String) {
    let problem = answer.unwrap_err().problems.remove(0);
    (problem.path, problem.code)
}

#[test]
fn what_cannot_be_tried_is_said_at_its_field() {
    let (folder, control) = office();
    let is = |path: &str, code: &str| (path.to_owned(), code.to_owned());
    assert_eq!(
        problem(control.check_dnsbl("somewhere", Vec::new())),
        is("ip", "not_an_ip")
    );
    let wrong = CheckTrial {
        sender: "no address".into(),
        ..trial(vec![CheckName::Spf], None)
    };
    assert_eq!(
        problem(control.check_spf(&wrong)),
        is("sender", "not_an_address")
    );

    let dkim = |path: Option<&Path>| control.check_message(&trial(vec![CheckName::Dkim], path));
    assert_eq!(problem(dkim(None)), is("path", "file_needed"));
    let missing = folder.path().join("missing.eml");
    assert_eq!(problem(dkim(Some(&missing))), is("path", "unreadable_file"));
    let large = folder.path().join("large.eml");
    fs::write(&large, vec![b'x'; (1 << 20) + 1]).unwrap();
    assert_eq!(problem(dkim(Some(&large))), is("path", "file_too_large"));
    let scan = trial(vec![CheckName::Antivirus], Some(&large));
    assert_eq!(
        problem(control.check_message(&scan)),
        is("clamd", "no_clamd")
    );
}

#[test]
fn a_message_without_signatures_is_told_with_the_field_it_would_get() {
    let (folder, control) = office();
    let file = folder.path().join("plain.eml");
    fs::write(&file, "From: anna@shop.example\nSubject: offer\n\nHello\n").unwrap();
    let mut plain = trial(vec![CheckName::Dkim, CheckName::Arc], Some(&file));
    plain.ip.clear();
    let checked = control.check_message(&plain).unwrap();
    let effects: Vec<_> = checked
        .findings
        .iter()
        .map(|one| (one.test, one.result.as_str(), one.effect))
        .collect();
    assert_eq!(
        effects,
        [
            (CheckName::Dkim, "none", CheckEffect::Pass),
            (CheckName::Arc, "none", CheckEffect::Pass)
        ]
    );
    assert!(
        checked
            .header
            .starts_with("Authentication-Results: mail.office.example;")
    );
}

#[test]
fn files_get_the_line_ends_of_the_wire_once() {
    assert_eq!(with_line_ends(b"a\nb\r\nc\n\n"), b"a\r\nb\r\nc\r\n\r\n");
    assert_eq!(with_line_ends(b""), b"");
}
