//! The DNS for delivery against a name server that the test controls.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use policy::Destination;
use postroom_tests::{Dns, Mood};
use server::deliver::link::HopAddress;
use server::deliver::route::route;
use server::deliver::trust::Trust;
use server::names::{Answer, Exchange, LookUp as _, Names};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn exchange(preference: u16, host: &str) -> Exchange {
    Exchange {
        preference,
        host: host.into(),
    }
}

fn sorted(answer: Answer<Exchange>) -> Vec<Exchange> {
    let Answer::Found(mut list) = answer else {
        panic!("{answer:?}");
    };
    list.sort();
    list
}

fn is_unknown<T>(answer: &Answer<T>) -> bool {
    matches!(answer, Answer::Unknown(_))
}

#[tokio::test]
async fn mail_servers_and_addresses_are_found() {
    let dns = Dns::start().unwrap();
    dns.mx("third.example", 20, "b.third.example")
        .unwrap()
        .mx("third.example", 10, "A.Third.Example")
        .unwrap()
        .host(
            "a.third.example",
            &[ip("192.0.2.1"), ip("192.0.2.2"), ip("2001:db8::1")],
        )
        .unwrap();
    let names = Names::new(&[dns.address()]);
    assert_eq!(
        sorted(names.exchanges("third.example").await),
        [
            exchange(10, "a.third.example"),
            exchange(20, "b.third.example")
        ]
    );
    assert_eq!(
        names.addresses("a.third.example.").await,
        Answer::Found(vec![ip("192.0.2.1"), ip("2001:db8::1"), ip("192.0.2.2")])
    );
}

#[tokio::test]
async fn a_missing_name_is_told_from_a_missing_record() {
    let dns = Dns::start().unwrap();
    dns.host("only.example", &[ip("192.0.2.1")]).unwrap();
    let names = Names::new(&[dns.address()]);
    assert_eq!(names.exchanges("only.example").await, Answer::NoRecords);
    assert_eq!(names.exchanges("none.example").await, Answer::NoName);
    assert_eq!(names.addresses("none.example.").await, Answer::NoName);
    // The second time from memory.
    assert_eq!(names.exchanges("none.example").await, Answer::NoName);
    assert_eq!(names.exchanges("only.example").await, Answer::NoRecords);
}

#[tokio::test]
async fn a_server_that_fails_or_refuses_says_nothing_about_the_name() {
    let dns = Dns::start().unwrap();
    dns.mood("failing.example", Mood::Fails)
        .mood("refused.example", Mood::Refuses);
    let names = Names::new(&[dns.address()]);
    for domain in ["failing.example", "refused.example"] {
        let answer = names.exchanges(domain).await;
        assert!(is_unknown(&answer), "{domain}: {answer:?}");
    }
    // Not remembered either.
    dns.forget("failing.example");
    dns.mx("failing.example", 1, "mx.example").unwrap();
    assert_eq!(
        sorted(names.exchanges("failing.example").await),
        [exchange(1, "mx.example")]
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_or_never_answers_says_nothing_about_the_name() {
    let dns = Dns::start().unwrap();
    let gone = Dns::start().unwrap().address();
    dns.mood("silent.example", Mood::Silent);
    let (silent, missing) = (Names::new(&[dns.address()]), Names::new(&[gone]));
    let (silent, missing) = tokio::join!(
        silent.exchanges("silent.example"),
        missing.exchanges("any.example")
    );
    assert!(is_unknown(&silent), "{silent:?}");
    assert!(is_unknown(&missing), "{missing:?}");
}

#[tokio::test]
async fn an_answer_under_a_wrong_number_is_not_believed() {
    let dns = Dns::start().unwrap();
    dns.mx("forged.example", 1, "forger.example")
        .unwrap()
        .mood("forged.example", Mood::WrongNumber);
    let answer = Names::new(&[dns.address()])
        .exchanges("forged.example")
        .await;
    assert!(is_unknown(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_late_answer_is_waited_for() {
    let dns = Dns::start().unwrap();
    dns.mx("late.example", 1, "mx.late.example")
        .unwrap()
        .mood("late.example", Mood::Late(Duration::from_millis(300)));
    assert_eq!(
        sorted(Names::new(&[dns.address()]).exchanges("late.example").await),
        [exchange(1, "mx.late.example")]
    );
}

#[tokio::test]
async fn a_domain_and_a_host_may_be_other_names() {
    let dns = Dns::start().unwrap();
    dns.alias("www.example", "third.example")
        .unwrap()
        .mx("third.example", 10, "mx.third.example")
        .unwrap()
        .alias("mx.third.example", "real.example")
        .unwrap()
        .host("real.example", &[ip("192.0.2.9")])
        .unwrap()
        .alias("lost.example", "none.example")
        .unwrap();
    let names = Names::new(&[dns.address()]);
    assert_eq!(
        sorted(names.exchanges("www.example").await),
        [exchange(10, "mx.third.example")]
    );
    assert_eq!(
        names.addresses("mx.third.example.").await,
        Answer::Found(vec![ip("192.0.2.9")])
    );
    assert_eq!(names.addresses("lost.example.").await, Answer::NoName);
}

#[tokio::test]
async fn the_root_as_mail_server_is_an_empty_name() {
    let dns = Dns::start().unwrap();
    dns.mx("nomail.example", 0, ".").unwrap();
    assert_eq!(
        sorted(
            Names::new(&[dns.address()])
                .exchanges("nomail.example")
                .await
        ),
        [exchange(0, "")]
    );
}

#[tokio::test]
async fn an_answer_too_long_for_a_datagram_comes_whole() {
    let dns = Dns::start().unwrap();
    for number in 0..90 {
        dns.mx(
            "many.example",
            number,
            &format!("a-rather-long-name-number-{number}.many.example"),
        )
        .unwrap();
    }
    let list = sorted(Names::new(&[dns.address()]).exchanges("many.example").await);
    assert_eq!(list.len(), 90);
}

#[tokio::test]
async fn an_answer_is_remembered_until_it_ends_or_is_forgotten() {
    let dns = Dns::start().unwrap();
    dns.mx("kept.example", 1, "mx.kept.example").unwrap();
    let names = Names::new(&[dns.address()]);
    let questions = || {
        dns.asked()
            .iter()
            .filter(|question| **question == ("kept.example".into(), RecordType::MX))
            .count()
    };
    names.exchanges("kept.example").await;
    names.exchanges("kept.example").await;
    assert_eq!(questions(), 1);
    names.forget();
    names.exchanges("kept.example").await;
    assert_eq!(questions(), 2);
}

#[tokio::test]
async fn other_servers_are_asked_once_the_setting_changes() {
    let (first, second) = (Dns::start().unwrap(), Dns::start().unwrap());
    first.mx("moved.example", 1, "old.example").unwrap();
    second.mx("moved.example", 1, "new.example").unwrap();
    let names = Names::new(&[first.address()]);
    assert_eq!(
        sorted(names.exchanges("moved.example").await),
        [exchange(1, "old.example")]
    );
    names.ask(&[second.address()]);
    assert_eq!(
        sorted(names.exchanges("moved.example").await),
        [exchange(1, "new.example")]
    );
}

#[tokio::test]
async fn this_machine_is_found_without_asking_anybody() {
    let dns = Dns::start().unwrap();
    let Answer::Found(addresses) = Names::new(&[dns.address()]).addresses("localhost.").await
    else {
        panic!("localhost has no address");
    };
    assert!(addresses.iter().all(IpAddr::is_loopback));
    assert!(dns.asked().is_empty());
}

#[tokio::test]
async fn answers_become_servers_to_try_or_a_status_for_the_sender() {
    let dns = Dns::start().unwrap();
    dns.mx("third.example", 10, "mx.third.example")
        .unwrap()
        .host("mx.third.example", &[ip("127.0.0.7")])
        .unwrap()
        .mx("nomail.example", 0, ".")
        .unwrap()
        .mood("failing.example", Mood::Fails);
    let names = Names::new(&[dns.address()]);
    let mut settings = settings::Settings::default();
    settings.delivery.direct_port = 2525;
    let trust = Trust::new();
    let way = async |domain: &str| {
        let destination = Destination::Domain(domain.into());
        route(&destination, &settings, &names, &trust, None)
            .await
            .map_err(|trouble| trouble.status)
    };
    let hops = way("third.example").await.unwrap();
    assert_eq!(hops.len(), 1);
    assert_eq!(
        hops[0].at,
        HopAddress::Tcp("127.0.0.7:2525".parse().unwrap())
    );
    assert_eq!(way("nomail.example").await.unwrap_err(), (5, 1, 10));
    assert_eq!(way("none.example").await.unwrap_err(), (5, 1, 2));
    assert_eq!(way("failing.example").await.unwrap_err(), (4, 4, 3));
}
