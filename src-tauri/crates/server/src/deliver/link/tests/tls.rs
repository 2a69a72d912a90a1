//! TLS with a scripted hop.

use settings::RelayCertificate;
use zeroize::Zeroizing;

use super::scripted::Script;
use super::*;

const OFFER: &str =
    "S: 220 mx.test\nC: EHLO us.test\nS: 250-mx.test\nS: 250 STARTTLS\nC: STARTTLS\n";
const INSIDE: &str = "C: EHLO us.test\nS: 250-mx.test\nS: 250 AUTH PLAIN\n";

/// The hop with TLS in this mode; `strict` asks for a certificate that is trusted.
fn hop(script: &Script, mode: TlsMode, strict: bool) -> Hop {
    let mut hop = script.hop();
    let trusted = if strict {
        script.trust.by(&RelayCertificate::Verify).unwrap()
    } else {
        script.trust.any().unwrap()
    };
    hop.tls.mode = mode;
    (hop.tls.config, hop.tls.judge) = (trusted.config, trusted.judge);
    hop
}

fn login(hop: &mut Hop) {
    hop.auth = Some(HopAuth {
        username: "alice".to_owned(),
        password: Zeroizing::new("sesame".to_owned()),
        in_clear: false,
    });
}

#[tokio::test]
async fn a_trusted_certificate_is_told_and_the_password_goes_inside() {
    for (mode, text) in [
        (
            TlsMode::Starttls,
            format!("{OFFER}S: 220 go\nL:\n{INSIDE}C: AUTH PLAIN \nS: 235 ok\n"),
        ),
        (
            TlsMode::Opportunistic,
            format!("{OFFER}S: 220 go\nL:\n{INSIDE}C: AUTH PLAIN \nS: 235 ok\n"),
        ),
        (
            TlsMode::Implicit,
            format!("L:\nS: 220 mx.test\n{INSIDE}C: AUTH PLAIN \nS: 235 ok\n"),
        ),
    ] {
        let script = script(&text).await;
        let mut hop = hop(&script, mode, mode != TlsMode::Opportunistic);
        login(&mut hop);
        let link = open(&hop).await.unwrap();
        let summary = link.summary();
        let tls = summary.tls.unwrap();
        assert!(tls.verified && tls.why_not.is_none() && tls.version == "TLSv1.3");
        assert!(summary.authenticated && summary.clear_because.is_none());
        let lines: Vec<String> = link.transcript().lines().map(Line::to_string).collect();
        assert!(lines.contains(&"C: AUTH PLAIN ***".to_owned()), "{lines:?}");
        assert!(!format!("{lines:?}{link:?}").contains("sesame"));
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_enough_where_tls_is_a_wish() {
    let text = format!("{OFFER}S: 220 go\nL:\n{INSIDE}");
    let script = script(&text).await;
    let mut hop = hop(&script, TlsMode::Opportunistic, false);
    hop.tls.name = "other.test".try_into().unwrap();
    let tls = open(&hop).await.unwrap().summary().tls.unwrap();
    assert!(!tls.verified && tls.why_not.is_some());
}

#[tokio::test]
async fn but_not_for_a_password() {
    for (mode, text) in [
        (
            TlsMode::Opportunistic,
            format!("{OFFER}S: 220 go\nL:\n{INSIDE}C: QUIT\n"),
        ),
        (
            TlsMode::Implicit,
            format!("L:\nS: 220 mx.test\n{INSIDE}C: QUIT\n"),
        ),
    ] {
        let script = script(&text).await;
        let mut hop = hop(&script, mode, false);
        hop.tls.name = "other.test".try_into().unwrap();
        login(&mut hop);
        let trouble = open(&hop).await.unwrap_err();
        assert_eq!(
            (short(&trouble).as_str(), trouble.phase),
            ("4.7.11 hop", Phase::Auth)
        );
        let heard = script.heard().await;
        assert!(!heard.iter().any(|line| line.starts_with("AUTH")));
    }
}

#[tokio::test]
async fn the_admins_word_sends_the_password_there_as_well() {
    let text = format!("L:\nS: 220 mx.test\n{INSIDE}C: AUTH PLAIN \nS: 235 ok\n");
    for (takes_any, in_clear) in [(true, false), (false, true)] {
        let script = script(&text).await;
        let mut hop = hop(&script, TlsMode::Implicit, false);
        hop.tls.name = "other.test".try_into().unwrap();
        hop.tls.takes_any = takes_any;
        login(&mut hop);
        hop.auth.as_mut().unwrap().in_clear = in_clear;
        let summary = open(&hop).await.unwrap().summary();
        assert!(summary.authenticated && !summary.tls.unwrap().verified);
    }
}

#[tokio::test]
async fn a_wrong_certificate_stops_where_tls_must_be() {
    for (mode, text) in [
        (TlsMode::Starttls, format!("{OFFER}S: 220 go\nL:\n")),
        (TlsMode::Implicit, "L:\n".to_owned()),
    ] {
        let script = script(&text).await;
        let mut hop = hop(&script, mode, true);
        hop.tls.name = "other.test".try_into().unwrap();
        let trouble = open(&hop).await.unwrap_err();
        assert_eq!(
            (short(&trouble).as_str(), trouble.phase),
            ("4.7.5 hop", Phase::Tls)
        );
    }
}

#[tokio::test]
async fn a_broken_handshake_leads_to_clear_text_only_where_tls_is_a_wish() {
    let clear = "S: 220 mx.test\nC: EHLO us.test\nS: 250-mx.test\nS: 250 STARTTLS\n";
    for broken in ["B:\nS: this is no TLS\n", ""] {
        let text = format!("{OFFER}S: 220 go\n{broken}N:\n{clear}");
        let first = script(&text).await;
        let link = open(&hop(&first, TlsMode::Opportunistic, false))
            .await
            .unwrap();
        let summary = link.summary();
        assert!(summary.tls.is_none() && link.is_alive());
        assert!(
            summary
                .clear_because
                .unwrap()
                .contains("could not be started")
        );
        let text = format!("{OFFER}S: 220 go\n{broken}");
        let second = script(&text).await;
        let trouble = open(&hop(&second, TlsMode::Starttls, true))
            .await
            .unwrap_err();
        assert_eq!(short(&trouble), "4.7.5 hop");
    }
}

#[tokio::test]
async fn tls_that_must_be_there_and_is_not_sends_nothing() {
    let script = script("S: 220 mx.test\nC: EHLO us.test\nS: 250 mx.test\nC: QUIT\n").await;
    let trouble = open(&hop(&script, TlsMode::Starttls, true))
        .await
        .unwrap_err();
    assert_eq!(short(&trouble), "4.7.4 hop");
    assert_eq!(script.heard().await, ["EHLO us.test", "QUIT"]);
}

#[tokio::test]
async fn words_in_clear_text_behind_the_go_ahead_are_refused() {
    // One write: the go-ahead, and what somebody on the way has put behind it.
    let text = format!("{OFFER}M: 220 go|250 evil\n");
    let script = script(&text).await;
    let mut lines = Vec::new();
    let hop = hop(&script, TlsMode::Starttls, true);
    let trouble = open_watched(&hop, None, &mut |line| lines.push(line.to_string()))
        .await
        .unwrap_err();
    assert_eq!(
        (short(&trouble).as_str(), trouble.phase),
        ("4.5.0 hop", Phase::Tls)
    );
    assert!(lines[0].starts_with("-- connected to mx.test"), "{lines:?}");
    assert!(lines.last().unwrap().contains("clear text"), "{lines:?}");
}
