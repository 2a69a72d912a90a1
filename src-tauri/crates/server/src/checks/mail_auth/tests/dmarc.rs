//! What the author's domain asks for.

use super::*;

/// What DMARC says of a message from anna@far.example, signed by `signer`, under this policy of far.example.
async fn dmarc_of(policy: &str, signer: &'static str, spf: Option<&SpfFact>) -> DmarcFact {
    let key = Key::of(signer);
    let zone = key
        .publish(Zone::default())
        .txt("_dmarc.far.example", policy);
    let server = zone.serve().await;
    tested(&server, &key.sign(MESSAGE), spf)
        .await
        .dmarc
        .unwrap()
}

#[tokio::test]
async fn dmarc_passes_when_an_aligned_signature_or_sender_does() {
    let reject = "v=DMARC1; p=reject";
    let fact = dmarc_of(reject, "far.example", None).await;
    assert_eq!(fact.result, AuthResult::Pass, "{fact:?}");
    assert_eq!(
        (fact.domain.as_str(), fact.policy),
        ("far.example", DmarcPolicy::Reject)
    );
    let fact = dmarc_of(reject, "mail.far.example", None).await;
    assert_eq!(fact.result, AuthResult::Pass, "{fact:?}");
    let pass = spf_fact(AuthResult::Pass, "bounces.far.example");
    let fact = dmarc_of(reject, "other.example", Some(&pass)).await;
    assert_eq!(fact.result, AuthResult::Pass, "{fact:?}");
}

#[tokio::test]
async fn dmarc_fails_when_nothing_aligned_passes() {
    let fail = async |policy: &str, signer, spf: Option<&SpfFact>| {
        let fact = dmarc_of(policy, signer, spf).await;
        assert_eq!(fact.result, AuthResult::Fail, "{policy} {signer}: {fact:?}");
        fact.policy
    };
    let strange = spf_fact(AuthResult::Pass, "other.example");
    let failed = spf_fact(AuthResult::Fail, "far.example");
    let reject = "v=DMARC1; p=reject";
    assert_eq!(
        fail(reject, "other.example", Some(&strange)).await,
        DmarcPolicy::Reject
    );
    assert_eq!(
        fail(reject, "other.example", Some(&failed)).await,
        DmarcPolicy::Reject
    );
    assert_eq!(
        fail("v=DMARC1; p=quarantine", "other.example", None).await,
        DmarcPolicy::Quarantine
    );
    assert_eq!(
        fail("v=DMARC1; p=none", "other.example", None).await,
        DmarcPolicy::None
    );
    // Strict alignment takes no subdomain.
    assert_eq!(
        fail("v=DMARC1; p=reject; adkim=s", "mail.far.example", None).await,
        DmarcPolicy::Reject
    );
    // In its test mode a domain asks for one level less.
    assert_eq!(
        fail("v=DMARC1; p=reject; t=y", "other.example", None).await,
        DmarcPolicy::Quarantine
    );
}

#[tokio::test]
async fn a_signature_that_does_not_count_does_not_help_dmarc() {
    let zone = Zone::default()
        .txt("_dmarc.far.example", "v=DMARC1; p=reject")
        .txt(
            "sha1._domainkey.far.example",
            &format!("p={}", RSA_SHA1.key),
        );
    let server = zone.serve().await;
    let message = format!("{}\r\n{MESSAGE}", RSA_SHA1.field);
    let tests = tested(&server, &message, None).await;
    assert_eq!(tests.dmarc.unwrap().result, AuthResult::Fail);
}

#[tokio::test]
async fn what_cannot_be_asked_leaves_dmarc_undecided() {
    let zone = Zone::default().fails("_dmarc.far.example");
    let server = zone.serve().await;
    let fact = tested(&server, MESSAGE, None).await.dmarc.unwrap();
    assert_eq!(fact.result, AuthResult::TempError, "{fact:?}");
    // A key that could not be fetched might have been the one that counts.
    let key = Key::of("far.example");
    let zone = Zone::default()
        .txt("_dmarc.far.example", "v=DMARC1; p=reject")
        .fails("k1._domainkey.far.example");
    let server = zone.serve().await;
    let fact = tested(&server, &key.sign(MESSAGE), None)
        .await
        .dmarc
        .unwrap();
    assert_eq!(fact.result, AuthResult::TempError, "{fact:?}");
}

#[tokio::test]
async fn a_domain_without_a_policy_asks_for_nothing() {
    let server = Zone::default().serve().await;
    let fact = tested(&server, MESSAGE, None).await.dmarc.unwrap();
    assert_eq!(
        (fact.result, fact.policy, fact.domain.as_str()),
        (AuthResult::None, DmarcPolicy::None, "far.example")
    );
}

#[tokio::test]
async fn of_several_from_fields_the_worst_counts() {
    let zone = Zone::default().txt("_dmarc.far.example", "v=DMARC1; p=reject");
    let server = zone.serve().await;
    for message in [
        "From: a@mild.example\r\nFrom: anna@far.example\r\n\r\n",
        "From: anna@far.example\r\nFrom: a@mild.example\r\n\r\n",
        "From : anna@far.example\r\nfrom: a@mild.example\r\n\r\n",
    ] {
        let fact = tested(&server, message, None).await.dmarc.unwrap();
        assert_eq!(
            (fact.result, fact.domain.as_str()),
            (AuthResult::Fail, "far.example"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_line_that_is_no_field_does_not_hide_the_author() {
    let zone = Zone::default().txt("_dmarc.far.example", "v=DMARC1; p=reject");
    let server = zone.serve().await;
    let fields = "From: anna@far.example\r\nSubject: hi\r\n\r\nhello\r\n";
    for message in [
        format!(" x\r\n{fields}"),
        format!("garbage\r\n{fields}"),
        format!("From anna Thu Jan  1 00:00:00 2026\r\n{fields}"),
        format!(">From anna\r\n{fields}"),
        format!("X-A: b\r\ngarbage\r\n{fields}"),
        format!("garbage\n{}", fields.replace("\r\n", "\n")),
    ] {
        let tests = tested(&server, &message, None).await;
        let fact = tests.dmarc.unwrap();
        assert_eq!(
            (fact.result, fact.policy, fact.domain.as_str()),
            (AuthResult::Fail, DmarcPolicy::Reject, "far.example"),
            "{message:?}"
        );
    }
    let tests = tested(&server, &format!(" x\r\n{fields}"), None).await;
    assert_eq!(tests.dkim.unwrap()[0].result, AuthResult::PermError);
}

#[tokio::test]
async fn every_way_to_write_an_author_is_asked_about() {
    let zone = Zone::default().txt("_dmarc.far.example", "v=DMARC1; p=reject");
    let server = zone.serve().await;
    for from in [
        "anna@far.example, a@mild.example",
        "a@mild.example, Anna <anna@far.example>",
        "<anna@far.example.>",
        "Anna <anna@far.example",
        "<anna@far.example> <a@mild.example>",
        "anna@far.example a@mild.example",
        "\"anna@far.example\"",
        "<anna@far.example>\0",
    ] {
        let fact = tested(&server, &format!("From: {from}\r\n\r\n"), None).await;
        let fact = fact.dmarc.unwrap();
        assert_eq!(
            (fact.result, fact.domain.as_str()),
            (AuthResult::Fail, "far.example"),
            "{from}"
        );
    }
}

#[tokio::test]
async fn all_authors_are_asked_unless_they_are_too_many() {
    let zone = Zone::default().txt("_dmarc.far.example", "v=DMARC1; p=reject");
    let server = zone.serve().await;
    let with = |others: usize| {
        let fields =
            (0..others).map(|n| format!("From: a@d{n}.example\r\nFrom: b@d{n}.example\r\n"));
        format!(
            "{}From: anna@far.example\r\n\r\n",
            fields.collect::<String>()
        )
    };
    let fact = tested(&server, &with(9), None).await.dmarc.unwrap();
    assert_eq!(
        (fact.result, fact.domain.as_str()),
        (AuthResult::Fail, "far.example")
    );
    let fact = tested(&server, &with(10), None).await.dmarc.unwrap();
    assert_eq!(fact.result, AuthResult::PermError, "{fact:?}");
}

#[tokio::test]
async fn an_author_that_is_not_known_of_comes_before_one_whose_failure_means_nothing() {
    let zone = Zone::default()
        .txt("_dmarc.mild.example", "v=DMARC1; p=none")
        .fails("_dmarc.far.example");
    let server = zone.serve().await;
    let message = "From: a@mild.example, anna@far.example\r\n\r\n";
    let fact = tested(&server, message, None).await.dmarc.unwrap();
    assert_eq!(
        (fact.result, fact.domain.as_str()),
        (AuthResult::TempError, "far.example")
    );
}

#[tokio::test]
async fn a_sender_whose_own_domain_is_broken_does_not_put_off_what_the_author_asks_for() {
    let zone = Zone::default()
        .txt("_dmarc.far.example", "v=DMARC1; p=reject")
        .fails("_dmarc.evil.example");
    let server = zone.serve().await;
    let pass = spf_fact(AuthResult::Pass, "evil.example");
    let fact = tested(&server, MESSAGE, Some(&pass)).await.dmarc.unwrap();
    assert_eq!(
        (fact.result, fact.policy),
        (AuthResult::Fail, DmarcPolicy::Reject),
        "{fact:?}"
    );
}
