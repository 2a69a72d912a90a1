use std::time::{Duration, Instant};

use super::*;
use crate::checks::fake::Zone;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn zone(zone: &str, answers: &[&str]) -> DnsblZone {
    DnsblZone {
        zone: zone.into(),
        answers: answers.iter().map(|text| (*text).into()).collect(),
    }
}

async fn ask_one(dns: Zone, client: &str, answers: &[&str]) -> DnsblAnswer {
    let server = dns.serve().await;
    let facts = dnsbl(&server.names(), ip(client), &[zone("bl.example", answers)]).await;
    assert_eq!(facts.len(), 1);
    assert_eq!(facts[0].zone, "bl.example");
    facts[0].answer.clone()
}

fn listed(answers: &[&str], text: &str) -> DnsblAnswer {
    DnsblAnswer::Listed {
        answers: answers.iter().map(|text| ip(text)).collect(),
        text: text.into(),
    }
}

#[test]
fn addresses_are_written_backwards() {
    assert_eq!(reversed(ip("192.0.2.99")), "99.2.0.192");
    // RFC 5782 §2.4
    assert_eq!(
        reversed(ip("2001:db8:1:2:3:4:567:89ab")),
        "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2"
    );
}

#[test]
fn only_wanted_answers_count() {
    let wanted = |list: &[&str]| -> Vec<String> { list.iter().map(|s| (*s).into()).collect() };
    let both = [ip("127.0.0.2"), ip("127.0.0.10")];
    assert_eq!(judge(&both, &[]), Judged::Listed(both.to_vec()));
    assert_eq!(
        judge(&both, &wanted(&["127.0.0.2"])),
        Judged::Listed(vec![ip("127.0.0.2")])
    );
    assert_eq!(
        judge(&both, &wanted(&["127.0.0.3-127.0.0.10"])),
        Judged::Listed(vec![ip("127.0.0.10")])
    );
    assert_eq!(
        judge(&both, &wanted(&["127.0.0.3 - 127.0.0.9", "nonsense"])),
        Judged::NotListed
    );
}

#[test]
fn answers_that_are_no_listing_spoil_the_whole_answer() {
    for strange in ["127.255.255.254", "192.0.2.1", "2001:db8::1"] {
        assert_eq!(
            judge(&[ip("127.0.0.2"), ip(strange)], &[]),
            Judged::Strange(ip(strange))
        );
    }
    assert_eq!(
        judge(
            &[ip("127.255.255.254")],
            &["127.0.0.0-127.255.255.255".into()]
        ),
        Judged::Strange(ip("127.255.255.254"))
    );
}

#[tokio::test]
async fn a_listed_client_is_told_with_the_words_of_the_list() {
    let dns = Zone::default()
        .host("2.2.0.192.bl.example", "127.0.0.4")
        .txt(
            "2.2.0.192.bl.example",
            &format!("See\r\nhttps://bl.example/ zoë {}", "x".repeat(300)),
        );
    let DnsblAnswer::Listed { answers, text } = ask_one(dns, "::ffff:192.0.2.2", &[]).await else {
        panic!()
    };
    assert_eq!(answers, [ip("127.0.0.4")]);
    assert!(
        text.starts_with("See  https://bl.example/ zo? xxx"),
        "{text}"
    );
    assert_eq!(text.len(), 200);
}

#[tokio::test]
async fn a_listed_client_of_the_newer_protocol_is_found_and_needs_no_words() {
    let name = format!("{}.bl.example", reversed(ip("2001:db8::1")));
    let dns = Zone::default().host(&name, "127.0.0.2");
    assert_eq!(
        ask_one(dns, "2001:db8::1", &[]).await,
        listed(&["127.0.0.2"], "")
    );
}

#[tokio::test]
async fn who_is_not_listed_is_asked_about_once() {
    let server = Zone::default()
        .txt("2.2.0.192.bl.example", "words without a listing")
        .serve()
        .await;
    let facts = dnsbl(&server.names(), ip("192.0.2.2"), &[zone("bl.example", &[])]).await;
    assert_eq!(facts[0].answer, DnsblAnswer::NotListed);
    assert_eq!(server.asked(), ["A 2.2.0.192.bl.example"]);
}

#[tokio::test]
async fn a_list_that_fails_or_refuses_is_no_listing() {
    let name = "2.2.0.192.bl.example";
    let failing = ask_one(Zone::default().fails(name), "192.0.2.2", &[]).await;
    assert!(matches!(failing, DnsblAnswer::Failed(_)), "{failing:?}");
    let refusing = Zone::default().host(name, "127.255.255.254");
    assert_eq!(
        ask_one(refusing, "192.0.2.2", &[]).await,
        DnsblAnswer::Failed("the list answered 127.255.255.254".into())
    );
}

#[tokio::test]
async fn silent_lists_are_waited_for_together_and_five_seconds_at_most() {
    let server = Zone::default()
        .silent("2.2.0.192.one.example")
        .silent("2.2.0.192.two.example")
        .host("2.2.0.192.three.example", "127.0.0.2")
        .serve()
        .await;
    let began = Instant::now();
    let zones = ["one.example", "two.example", "three.example", "no list"];
    let facts = dnsbl(
        &server.names(),
        ip("192.0.2.2"),
        &zones.map(|name| zone(name, &[])),
    )
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    let answers: Vec<_> = facts.iter().map(|fact| &fact.answer).collect();
    assert!(matches!(
        answers[..],
        [
            DnsblAnswer::Failed(_),
            DnsblAnswer::Failed(_),
            DnsblAnswer::Listed { .. },
            DnsblAnswer::Failed(_)
        ]
    ));
}
