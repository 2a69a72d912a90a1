//! Senders as macros see them, macros themselves, and what a domain says of its refusal.

use super::*;
use crate::checks::spf::macros::{Place, Template};

#[tokio::test]
async fn the_null_sender_stands_for_its_helo_name() {
    let server = Zone::default()
        .txt(
            "mail.far.example",
            "v=spf1 exists:%{l}.%{o}.ok.example -all",
        )
        .host("postmaster.mail.far.example.ok.example", "127.0.0.2")
        .serve()
        .await;
    let fact = ask_server(&server, CLIENT, "MAIL.far.example.", "<>").await;
    assert_eq!(fact.result, AuthResult::Pass);
    assert!(fact.of_helo);
    assert_eq!(fact.domain, "mail.far.example");
    for helo in [
        "[192.0.2.7]",
        "localhost",
        "192.0.2.7",
        "a..b",
        "zoë grün.example",
    ] {
        let fact = ask_server(&server, CLIENT, helo, "<>").await;
        assert_eq!(fact.result, AuthResult::None, "{helo}");
    }
}

#[tokio::test]
async fn odd_senders_and_greetings_are_put_into_macros_as_they_are() {
    let server = Zone::default()
        .txt(
            "far.example",
            "v=spf1 exists:%{h}.ok.example -all exp=why.far.example",
        )
        .txt("why.far.example", "%{l} from %{h}")
        .txt(
            "near.example",
            "v=spf1 exists:%{h} exists:%{l}.ok.example -all",
        )
        .host("postmaster.ok.example", "127.0.0.2")
        .serve()
        .await;
    for (helo, sender, result, explanation) in [
        (
            "mail.far.example",
            r#"<""@far.example>"#,
            AuthResult::Fail,
            "postmaster from mail.far.example",
        ),
        (
            "mail.far.example",
            r#"<"anna b"@far.example>"#,
            AuthResult::Fail,
            "anna b from mail.far.example",
        ),
        (
            "it's two words",
            "<anna@far.example>",
            AuthResult::Fail,
            "anna from it's two words",
        ),
        (
            "it's two words",
            r#"<""@near.example>"#,
            AuthResult::Pass,
            "",
        ),
    ] {
        let fact = ask_server(&server, CLIENT, helo, sender).await;
        assert_eq!(fact.result, result, "{sender}: {fact:?}");
        assert_eq!(fact.explanation, explanation, "{sender}");
    }
}

#[tokio::test]
async fn an_international_domain_is_asked_for_by_its_ascii_form() {
    let zone = Zone::default().txt("xn--bro-hoa.example", "v=spf1 exists:%{l}.example +all");
    let fact = fact(zone, CLIENT, "<zoë@büro.example>").await;
    assert_eq!(fact.domain, "xn--bro-hoa.example");
    // RFC 8616 §4: a local part that is not ASCII matches nothing, and nobody is asked.
    assert_eq!(fact.result, AuthResult::Pass);
}

#[tokio::test]
async fn a_domain_explains_its_refusal_in_its_own_words() {
    let explained = |words: &'static str| async move {
        let zone = Zone::default()
            .txt("far.example", "v=spf1 -all exp=why.%{d}")
            .txt("why.far.example", words);
        let fact = fact(zone, CLIENT, "<anna@far.example>").await;
        assert_eq!(fact.result, AuthResult::Fail);
        fact.explanation
    };
    assert_eq!(
        explained("%{i} may not send for %{s}, says %{h} to %{r} (%{c}): 100%%").await,
        "192.0.2.7 may not send for anna@far.example, says mail.far.example to mx.office.example (192.0.2.7): 100%"
    );
    assert_eq!(
        explained("see http://x.example/?s=%{S}").await,
        "see http://x.example/?s=anna%40far.example"
    );
    assert_eq!(explained("not %{z}").await, "");
    assert_eq!(explained("nicht grün").await, "");
    assert!(explained("at %{t}").await.starts_with("at 1"));
}

#[tokio::test]
async fn an_explanation_is_one_line_of_bounded_length() {
    let zone = Zone::default()
        .txt("far.example", "v=spf1 -all exp=why.far.example")
        .txt("why.far.example", &"long ".repeat(100));
    let fact = fact(zone, CLIENT, "<anna@far.example>").await;
    assert!(fact.explanation.len() <= 200 && fact.explanation.starts_with("long long"));
}

#[tokio::test]
async fn explanations_of_included_domains_are_not_told_and_those_of_redirects_are() {
    let zone = || {
        Zone::default()
            .txt("inner.example", "v=spf1 -all exp=why.inner.example")
            .txt("why.inner.example", "inner")
    };
    let explanation = |record: &'static str| async move {
        let zone = zone().txt("far.example", record);
        fact(zone, CLIENT, "<anna@far.example>").await.explanation
    };
    assert_eq!(explanation("v=spf1 include:inner.example -all").await, "");
    assert_eq!(explanation("v=spf1 redirect=inner.example").await, "inner");
}

fn values(ip: &str) -> Values {
    Values {
        ip: ip.parse().unwrap(),
        local: "strong-bad".into(),
        sender_domain: "email.example.com".into(),
        helo: "mail.example.com".into(),
        host: "mx.office.example".into(),
        now: 0,
    }
}

#[test]
fn macros_stand_for_what_the_standard_says() {
    // RFC 7208 §7.4
    let expand = |text: &str, ip: &str| {
        let template = Template::parse(text, Place::Name).unwrap();
        template.name(&values(ip), "email.example.com", "unknown")
    };
    for (text, name) in [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        (
            "%{ir}.%{v}._spf.%{d2}",
            "3.2.0.192.in-addr._spf.example.com",
        ),
        ("%{d99999999999999999999}", "email.example.com"),
    ] {
        assert_eq!(expand(text, "192.0.2.3"), name, "{text}");
    }
    assert_eq!(
        expand("%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01"),
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
    );
}

#[test]
fn a_name_that_is_too_long_loses_labels_on_its_left() {
    let template = Template::parse("%{d}.%{d}.end.example", Place::Name).unwrap();
    let domain = format!("{}.example", vec!["x".repeat(60); 3].join("."));
    let name = template.name(&values("192.0.2.3"), &domain, "unknown");
    assert!(
        name.len() <= 253 && name.ends_with(".end.example"),
        "{name}"
    );
}
