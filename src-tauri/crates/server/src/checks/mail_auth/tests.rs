use std::sync::Arc;
use std::time::Instant;

use ::mail_auth::arc::ArcSealer;
use ::mail_auth::common::crypto::Ed25519Key;
use ::mail_auth::common::headers::HeaderWriter;
use ::mail_auth::dkim::{Canonicalization, DkimSigner};
use ::mail_auth::{ArcOutput, AuthenticationResults};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_resolver::proto::rr::RecordType;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

use self::rsa::{MESSAGE, RSA_768, RSA_1024, RSA_2048, RSA_SHA1, Signed};
use super::body::parse;
use super::*;
use crate::checks::fake::{Server, Zone};

mod chain;
mod dmarc;
mod rsa;
mod waiting;

const ALL: Want = Want {
    dkim: true,
    dmarc: true,
    arc: true,
};

/// A key of a domain, under the selector `k1`.
struct Key {
    domain: &'static str,
    der: Vec<u8>,
}

impl Key {
    fn of(domain: &'static str) -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self {
            domain,
            der: der.as_ref().to_vec(),
        }
    }

    fn key(&self) -> Ed25519Key {
        Ed25519Key::from_pkcs8_maybe_unchecked_der(&self.der).unwrap()
    }

    fn publish(&self, zone: Zone) -> Zone {
        let key = STANDARD.encode(self.key().public_key());
        zone.txt(
            &format!("k1._domainkey.{}", self.domain),
            &format!("v=DKIM1; k=ed25519; p={key}"),
        )
    }

    fn sign(&self, message: &str) -> String {
        self.sign_as(message, |signer| signer)
    }

    fn sign_as(
        &self,
        message: &str,
        change: impl Fn(
            DkimSigner<Ed25519Key, ::mail_auth::dkim::Done>,
        ) -> DkimSigner<Ed25519Key, ::mail_auth::dkim::Done>,
    ) -> String {
        let signer = DkimSigner::from_key(self.key())
            .domain(self.domain)
            .selector("k1")
            .headers(["From", "Subject"]);
        let signature = change(signer).sign(message.as_bytes()).unwrap();
        format!("{}{message}", signature.to_header())
    }

    fn seal(&self, message: &str) -> String {
        let parsed = parse(message.as_bytes()).unwrap();
        let results = AuthenticationResults::new("mx.far.example");
        let sealer = ArcSealer::from_key(self.key())
            .domain(self.domain)
            .selector("k1")
            .headers(["From", "Subject", "DKIM-Signature"]);
        let set = sealer
            .seal(&parsed, &results, &ArcOutput::default())
            .unwrap();
        format!("{}{message}", set.to_header())
    }
}

fn octets(message: &str) -> Content {
    Content::Memory(Arc::new(message.as_bytes().to_vec()))
}

/// What our scanner reads in a message.
fn seen(message: &str) -> MessageFacts {
    crate::facts_of(message.as_bytes())
}

async fn tested(server: &Server, message: &str, spf: Option<&SpfFact>) -> ContentTests {
    content(&server.auth(), &octets(message), &seen(message), spf, ALL).await
}

async fn signatures(zone: Zone, message: &str) -> Vec<DkimFact> {
    let server = zone.serve().await;
    tested(&server, message, None).await.dkim.unwrap()
}

async fn only_signature(zone: Zone, message: &str) -> DkimFact {
    let mut facts = signatures(zone, message).await;
    assert_eq!(facts.len(), 1, "{facts:?}");
    facts.remove(0)
}

fn spf_fact(result: AuthResult, domain: &str) -> SpfFact {
    SpfFact {
        result,
        domain: domain.into(),
        of_helo: false,
        explanation: String::new(),
    }
}

#[tokio::test]
async fn a_right_signature_passes_and_names_its_domain() {
    let key = Key::of("far.example");
    let fact = only_signature(key.publish(Zone::default()), &key.sign(MESSAGE)).await;
    assert_eq!(
        fact,
        DkimFact {
            result: AuthResult::Pass,
            domain: "far.example".into(),
            selector: "k1".into(),
            reason: String::new(),
        }
    );
}

#[tokio::test]
async fn a_changed_body_or_field_fails() {
    let key = Key::of("far.example");
    let signed = key.sign(MESSAGE);
    for (from, to) in [
        ("hello\r\n", "hallo\r\n"),
        ("Subject: hello", "Subject: hallo"),
    ] {
        let changed = signed.replacen(from, to, 1);
        assert_ne!(changed, signed);
        let fact = only_signature(key.publish(Zone::default()), &changed).await;
        assert_eq!(fact.result, AuthResult::Fail, "{fact:?}");
        assert!(!fact.reason.is_empty());
    }
    let body = signed.replace("\r\n\r\nhello", "\r\n\r\nhallo");
    let fact = only_signature(key.publish(Zone::default()), &body).await;
    assert_eq!(fact.reason, "the body was changed after it was signed");
}

#[tokio::test]
async fn without_a_key_a_signature_is_broken_and_without_an_answer_it_is_undecided() {
    let message = Key::of("far.example").sign(MESSAGE);
    let name = "k1._domainkey.far.example";
    for (zone, result) in [
        (Zone::default(), AuthResult::PermError),
        (
            Zone::default().txt(name, "v=DKIM1; p="),
            AuthResult::PermError,
        ),
        (Zone::default().txt(name, "hello"), AuthResult::PermError),
        (
            Zone::default().txt(name, "v=DKIM1; k=rsa; p=AAAA"),
            AuthResult::PermError,
        ),
        (
            Zone::default().txt(name, "v=DKIM1; k=ed25519; p=AAAA"),
            AuthResult::Fail,
        ),
        (Zone::default().fails(name), AuthResult::TempError),
    ] {
        let fact = only_signature(zone, &message).await;
        assert_eq!(fact.result, result, "{fact:?}");
        assert!(!fact.reason.is_empty());
    }
}

#[tokio::test]
async fn a_silent_name_server_spoils_its_own_signature_alone() {
    let (key, other) = (Key::of("far.example"), Key::of("silent.example"));
    let message = other.sign(&key.sign(MESSAGE));
    let zone = key
        .publish(Zone::default())
        .silent("k1._domainkey.silent.example");
    let began = Instant::now();
    let facts = signatures(zone, &message).await;
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    let results: Vec<_> = facts
        .iter()
        .map(|fact| (fact.domain.as_str(), fact.result))
        .collect();
    assert_eq!(
        results,
        [
            ("silent.example", AuthResult::TempError),
            ("far.example", AuthResult::Pass)
        ]
    );
}

async fn rsa_signature(signed: &Signed) -> DkimFact {
    let name = format!("{}._domainkey.far.example", signed.selector);
    let zone = Zone::default().txt(&name, &format!("v=DKIM1; k=rsa; p={}", signed.key));
    only_signature(zone, &format!("{}\r\n{MESSAGE}", signed.field)).await
}

#[tokio::test]
async fn rsa_counts_with_1024_bits_and_sha_256() {
    for signed in [RSA_2048, RSA_1024] {
        let fact = rsa_signature(&signed).await;
        assert_eq!(fact.result, AuthResult::Pass, "{fact:?}");
    }
    let short = rsa_signature(&RSA_768).await;
    assert_eq!(short.result, AuthResult::Policy, "{short:?}");
    assert_eq!(short.reason, "an RSA key of 768 bits does not count");
    let old = rsa_signature(&RSA_SHA1).await;
    assert_eq!(old.result, AuthResult::Policy, "{old:?}");
    assert_eq!(old.reason, "rsa-sha1 does not count");
}

#[tokio::test]
async fn a_key_that_is_for_another_hash_does_not_fit() {
    let zone = Zone::default().txt(
        "r2048._domainkey.far.example",
        &format!("v=DKIM1; h=sha1; p={}", RSA_2048.key),
    );
    let fact = only_signature(zone, &format!("{}\r\n{MESSAGE}", RSA_2048.field)).await;
    assert_eq!(fact.result, AuthResult::PermError);
}

#[tokio::test]
async fn a_key_of_other_services_is_not_one_for_mail() {
    let key = Key::of("far.example");
    let name = "k1._domainkey.far.example";
    let signed = key.sign(MESSAGE);
    let for_services = |services: &str| {
        let public = STANDARD.encode(key.key().public_key());
        format!("v=DKIM1; k=ed25519; s={services}; p={public}")
    };
    for (services, result) in [
        ("email", AuthResult::Pass),
        ("*", AuthResult::Pass),
        ("tlsrpt : Email", AuthResult::Pass),
        ("", AuthResult::Pass),
        ("tlsrpt", AuthResult::PermError),
    ] {
        let zone = Zone::default().txt(name, &for_services(services));
        let fact = only_signature(zone, &signed).await;
        assert_eq!(fact.result, result, "{services:?}: {fact:?}");
    }
    // It is ignored, so one beside it counts.
    let zone = key.publish(Zone::default().txt(name, &for_services("tlsrpt")));
    let fact = only_signature(zone, &signed).await;
    assert_eq!(fact.result, AuthResult::Pass, "{fact:?}");
}

#[tokio::test]
async fn a_signature_whose_key_lies_elsewhere_than_in_the_dns_is_broken() {
    let key = Key::of("far.example");
    let signed = key.sign(MESSAGE);
    // The signature was made without the tag, so where it is computed it is wrong.
    for (place, result) in [
        ("http", AuthResult::PermError),
        ("http : dns/txt", AuthResult::Fail),
    ] {
        let elsewhere = signed.replacen("v=1; ", &format!("v=1; q={place}; "), 1);
        assert_ne!(elsewhere, signed);
        let fact = only_signature(key.publish(Zone::default()), &elsewhere).await;
        assert_eq!(fact.result, result, "{place}: {fact:?}");
    }
}

#[tokio::test]
async fn a_signature_of_a_part_of_the_body_does_not_count() {
    let key = Key::of("far.example");
    let signed = key.sign_as(MESSAGE, |signer| signer.body_length(true));
    assert!(signed.contains(" l="), "{signed}");
    let nothing = signed.replacen(" l=", " l=0", 1);
    let changed = signed.replacen("\r\n\r\nhello", "\r\n\r\nhel  lo", 1);
    assert_ne!(changed, signed);
    for message in [
        signed.clone(),
        format!("{signed}and more\r\n"),
        nothing,
        changed,
    ] {
        let fact = only_signature(key.publish(Zone::default()), &message).await;
        assert_eq!(fact.result, AuthResult::Policy, "{fact:?}");
        assert_eq!(fact.domain, "far.example");
        assert!(fact.reason.contains("l="), "{fact:?}");
    }
}

#[tokio::test]
async fn an_expired_signature_fails() {
    let key = Key::of("far.example");
    let signed = key.sign(MESSAGE);
    let expired = signed.replacen("t=", "x=1000000000; t=", 1);
    let fact = only_signature(key.publish(Zone::default()), &expired).await;
    assert_eq!(fact.result, AuthResult::Fail);
    assert_eq!(fact.reason, "the signature has expired");
}

#[tokio::test]
async fn signatures_that_say_nothing_about_the_author_are_broken() {
    let key = Key::of("far.example");
    let without_from = DkimSigner::from_key(key.key())
        .domain("far.example")
        .selector("k1")
        .headers(["Subject"])
        .sign(MESSAGE.as_bytes())
        .unwrap();
    let without_from = format!("{}{MESSAGE}", without_from.to_header());
    let for_another = key.sign_as(MESSAGE, |signer| {
        signer.agent_user_identifier("boss@bank.example")
    });
    let without_version = key.sign(MESSAGE).replacen("v=1; ", "", 1);
    for message in [without_from, for_another, without_version] {
        let fact = only_signature(key.publish(Zone::default()), &message).await;
        assert_eq!(fact.result, AuthResult::PermError, "{message}");
    }
    let for_a_part = key.sign_as(MESSAGE, |signer| {
        signer.agent_user_identifier("anna@news.far.example")
    });
    let fact = only_signature(key.publish(Zone::default()), &for_a_part).await;
    assert_eq!(fact.result, AuthResult::Pass);
}

#[tokio::test]
async fn a_signature_that_cannot_be_read_is_neutral() {
    let fact = only_signature(
        Zone::default(),
        &format!("DKIM-Signature: v=1; d=far.example\r\n{MESSAGE}"),
    )
    .await;
    assert_eq!(fact.result, AuthResult::Neutral);
    assert!(!fact.reason.is_empty());
}

#[tokio::test]
async fn white_space_at_the_end_of_the_body_does_not_spoil_a_relaxed_signature() {
    let key = Key::of("far.example");
    let relaxed = key.sign_as(MESSAGE, |signer| {
        signer.body_canonicalization(Canonicalization::Relaxed)
    });
    let simple = key.sign_as(MESSAGE, |signer| {
        signer.body_canonicalization(Canonicalization::Simple)
    });
    for tail in ["", "\r\n\r\n", " \r\n", " \t\r\n\r\n \r\n"] {
        let fact = only_signature(key.publish(Zone::default()), &format!("{relaxed}{tail}")).await;
        assert_eq!(fact.result, AuthResult::Pass, "{tail:?}");
    }
    let fact = only_signature(key.publish(Zone::default()), &format!("{simple} \r\n")).await;
    assert_eq!(fact.result, AuthResult::Fail);
    let fact = only_signature(key.publish(Zone::default()), &format!("{relaxed} x\r\n")).await;
    assert_eq!(fact.result, AuthResult::Fail);
}

#[tokio::test]
async fn a_message_has_at_most_ten_signatures_checked() {
    let key = Key::of("far.example");
    let signed = key.sign(MESSAGE);
    let field = signed.strip_suffix(MESSAGE).unwrap();
    let server = key.publish(Zone::default()).serve().await;
    let facts = tested(&server, &format!("{}{MESSAGE}", field.repeat(40)), None).await;
    let facts = facts.dkim.unwrap();
    assert_eq!(facts.len(), 10);
    assert!(facts.iter().all(|fact| fact.result == AuthResult::Pass));
    // The key, and nothing above the 8 questions of one domain.
    assert!(server.questions(RecordType::TXT) <= 10 + 8);
}

#[tokio::test]
async fn an_unsigned_message_has_no_signature_and_asks_for_no_key() {
    let server = Zone::default().serve().await;
    let want = Want {
        dkim: true,
        ..Want::default()
    };
    let tests = content(&server.auth(), &octets(MESSAGE), &seen(MESSAGE), None, want).await;
    assert_eq!(tests.dkim, Some(Vec::new()));
    assert_eq!((tests.dmarc, tests.arc), (None, None));
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_no_message_is_tested_without_harm() {
    let server = Zone::default().serve().await;
    for text in [
        "",
        "\r\n",
        "x",
        "\r\nFrom: a@far.example\r\n",
        ": x\r\n\r\n",
    ] {
        let tests = tested(&server, text, None).await;
        assert_eq!(tests.dkim, Some(Vec::new()), "{text:?}");
        assert_eq!(
            tests.dmarc.unwrap().result,
            AuthResult::PermError,
            "{text:?}"
        );
        assert_eq!(tests.arc.unwrap().result, AuthResult::None, "{text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_in_the_spool_is_tested_as_well() {
    let key = Key::of("far.example");
    let message = key.sign(&format!("{MESSAGE}{}", "a long line\r\n".repeat(100_000)));
    let spool = tempfile::tempdir().unwrap();
    let mut arriving = crate::content::Arriving::default();
    arriving.push(message.into_bytes(), spool.path()).await;
    let arrived = arriving.finish(spool.path()).await.unwrap();
    assert!(matches!(arrived.content, Content::File(_)));
    let server = key.publish(Zone::default()).serve().await;
    let tests = content(
        &server.auth(),
        &arrived.content,
        &MessageFacts::default(),
        None,
        ALL,
    )
    .await;
    assert_eq!(tests.dkim.unwrap()[0].result, AuthResult::Pass);
}
