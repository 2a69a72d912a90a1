//! Chains of signatures.

use super::*;

async fn chain_of(zone: Zone, message: &str) -> ArcFact {
    let server = zone.serve().await;
    tested(&server, message, None).await.arc.unwrap()
}

#[tokio::test]
async fn a_chain_is_seen_and_a_broken_one_fails() {
    let key = Key::of("far.example");
    let sealed = key.seal(MESSAGE);
    let zone = || key.publish(Zone::default());
    assert_eq!(chain_of(zone(), MESSAGE).await.result, AuthResult::None);
    let fact = chain_of(zone(), &sealed).await;
    assert_eq!(fact.result, AuthResult::Pass, "{fact:?}");
    let changed = sealed.replace("\r\n\r\nhello", "\r\n\r\nhallo");
    assert_eq!(chain_of(zone(), &changed).await.result, AuthResult::Fail);
    let half = sealed.replacen("ARC-Seal:", "X-Seal:", 1);
    assert_eq!(chain_of(zone(), &half).await.result, AuthResult::Fail);
    let fact = chain_of(Zone::default().fails("k1._domainkey.far.example"), &sealed).await;
    assert_eq!(fact.result, AuthResult::TempError);
    let fact = chain_of(zone(), &format!("{sealed} \r\n")).await;
    assert_eq!(fact.result, AuthResult::Pass, "{fact:?}");
}

#[tokio::test]
async fn a_key_that_does_not_fit_breaks_a_chain() {
    let key = Key::of("far.example");
    let sealed = key.seal(MESSAGE);
    let public = STANDARD.encode(key.key().public_key());
    for (limit, result) in [
        ("", AuthResult::Pass),
        ("h=sha1; ", AuthResult::Fail),
        ("s=tlsrpt; ", AuthResult::Fail),
    ] {
        let record = format!("v=DKIM1; k=ed25519; {limit}p={public}");
        let zone = Zone::default().txt("k1._domainkey.far.example", &record);
        let fact = chain_of(zone, &sealed).await;
        assert_eq!(fact.result, result, "{limit}: {fact:?}");
    }
    let part = sealed.replacen(
        "ARC-Message-Signature: i=1;",
        "ARC-Message-Signature: i=1; l=3;",
        1,
    );
    assert_ne!(part, sealed);
    let fact = chain_of(key.publish(Zone::default()), &part).await;
    assert_eq!(fact.result, AuthResult::Fail);
    assert!(fact.reason.contains("l="), "{fact:?}");
}

#[tokio::test]
async fn a_long_chain_is_not_checked() {
    let key = Key::of("far.example");
    let sealed = key.seal(MESSAGE);
    let set = sealed.strip_suffix(MESSAGE).unwrap();
    let server = key.publish(Zone::default()).serve().await;
    let message = format!("{}{MESSAGE}", set.repeat(30));
    let fact = tested(&server, &message, None).await.arc.unwrap();
    assert_eq!(fact.result, AuthResult::Policy, "{fact:?}");
    assert!(
        !server
            .asked()
            .contains(&"TXT k1._domainkey.far.example".to_owned())
    );
}
