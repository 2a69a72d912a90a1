use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::RecordType;

use super::record::{Record, is_spf};
use super::*;
use crate::checks::fake::{Server, Zone};

mod words;

const CLIENT: &str = "192.0.2.7";
const CLIENT6: &str = "2001:db8::7";

async fn ask_server(server: &Server, ip: &str, helo: &str, sender: &str) -> SpfFact {
    spf(
        &server.auth(),
        ip.parse().unwrap(),
        helo,
        &ReversePath::parse(sender).unwrap(),
        &Domain::parse("mx.office.example").unwrap(),
    )
    .await
}

async fn fact(zone: Zone, ip: &str, sender: &str) -> SpfFact {
    ask_server(&zone.serve().await, ip, "mail.far.example", sender).await
}

/// What `far.example` says of the client when this is its record, beside the other records.
async fn with(zone: Zone, record: &str) -> AuthResult {
    let zone = zone.txt("far.example", record);
    fact(zone, CLIENT, "<anna@far.example>").await.result
}

async fn says(record: &str) -> AuthResult {
    with(Zone::default(), record).await
}

#[tokio::test]
async fn the_first_mechanism_that_matches_decides() {
    for (record, result) in [
        ("v=spf1 ip4:192.0.2.7 -all", AuthResult::Pass),
        ("v=spf1 -all", AuthResult::Fail),
        ("v=spf1 ~all", AuthResult::SoftFail),
        ("v=spf1 ?all", AuthResult::Neutral),
        ("v=spf1", AuthResult::Neutral),
        ("V=SPF1 -IP4:192.0.2.0/24 +all", AuthResult::Fail),
        (
            "v=spf1 ip4:192.0.2.8/31 ip4:192.0.2.6/31 -all",
            AuthResult::Pass,
        ),
        ("v=spf1 ip6:::/0 -all", AuthResult::Fail),
        ("v=spf1 ip4:0.0.0.0/0 -all", AuthResult::Pass),
    ] {
        assert_eq!(says(record).await, result, "{record}");
    }
}

#[tokio::test]
async fn a_domain_without_a_record_says_nothing() {
    let none = |zone: Zone, sender: &'static str| async move {
        let fact = fact(zone, CLIENT, sender).await;
        assert_eq!(fact.result, AuthResult::None, "{sender}: {fact:?}");
    };
    none(Zone::default(), "<anna@far.example>").await;
    none(
        Zone::default().host("far.example", CLIENT),
        "<anna@far.example>",
    )
    .await;
    none(
        Zone::default().txt("far.example", "v=spf10 -all"),
        "<anna@far.example>",
    )
    .await;
    none(Zone::default().txt("far", "v=spf1 -all"), "<anna@far>").await;
    none(Zone::default(), "<anna@[192.0.2.1]>").await;
    none(Zone::default(), "<anna>").await;
}

#[tokio::test]
async fn faults_anywhere_in_a_record_count_although_something_before_them_matches() {
    for fault in [
        "ip4:192.0.2.7/33",
        "ip4:192.0.2.7/08",
        "ip4:192.0.2",
        "ip6:192.0.2.7",
        "all:x.example",
        "all/8",
        "include",
        "include:",
        "include:localhost",
        "include:a.example/24",
        "a:a.example/33",
        "a:a.example//129",
        "a/24/24",
        "a:",
        "mx:a.b-",
        "exists",
        "exists:a.123",
        "a:%{x}.example",
        "a:%{c}.example",
        "a:%{d0}.example",
        "a:%{d",
        "a:%d.example",
        "a:%{d}.a}",
        "redirect=x.example redirect=x.example",
        "exp=x.example exp=x.example",
        "exp=",
        "1x=y",
        "x=%{",
        "bogus",
        "-",
        "tab\tall",
    ] {
        let record = format!("v=spf1 +ip4:192.0.2.7 {fault}");
        assert_eq!(says(&record).await, AuthResult::PermError, "{record}");
    }
}

#[tokio::test]
async fn unknown_modifiers_and_spaces_do_not_matter() {
    let record = "v=spf1   moo=%{d}  a-b.c_d=x  +all  ";
    assert_eq!(says(record).await, AuthResult::Pass);
}

#[tokio::test]
async fn two_records_are_one_too_many() {
    let zone = Zone::default().txt("far.example", "v=spf1 +all");
    assert_eq!(with(zone, "v=spf1 +all").await, AuthResult::PermError);
}

#[tokio::test]
async fn addresses_and_exchanges_of_a_domain_match() {
    let zone = || {
        Zone::default()
            .host("far.example", "192.0.2.250")
            .host("out.example", "192.0.2.7")
            .host("out.example", CLIENT6)
            .mx("far.example", "out.example")
            .mx("near.example", "gone.example")
    };
    for (record, result) in [
        ("v=spf1 a -all", AuthResult::Fail),
        ("v=spf1 a/24 -all", AuthResult::Pass),
        ("v=spf1 a:out.example -all", AuthResult::Pass),
        ("v=spf1 mx -all", AuthResult::Pass),
        ("v=spf1 mx:near.example -all", AuthResult::Fail),
    ] {
        assert_eq!(with(zone(), record).await, result, "{record}");
        let zone = zone().txt("far.example", record);
        let six = fact(zone, CLIENT6, "<anna@far.example>").await.result;
        let expected = if record.contains("a/24") {
            AuthResult::Fail
        } else {
            result
        };
        assert_eq!(six, expected, "{record}");
    }
}

#[tokio::test]
async fn an_ipv4_client_inside_ipv6_is_an_ipv4_client() {
    let zone = Zone::default().txt("far.example", "v=spf1 ip4:192.0.2.7 -all");
    let fact = fact(zone, "::ffff:192.0.2.7", "<anna@far.example>").await;
    assert_eq!(fact.result, AuthResult::Pass);
}

#[tokio::test]
async fn an_included_domain_passes_or_does_not_match() {
    let zone = || {
        Zone::default()
            .txt("pass.example", "v=spf1 +all")
            .txt("fail.example", "v=spf1 -all")
            .txt("broken.example", "v=spf1 bogus")
            .fails("down.example")
    };
    for (record, result) in [
        ("v=spf1 -include:pass.example +all", AuthResult::Fail),
        ("v=spf1 include:fail.example ?all", AuthResult::Neutral),
        ("v=spf1 include:broken.example +all", AuthResult::PermError),
        ("v=spf1 include:none.example +all", AuthResult::PermError),
        ("v=spf1 include:down.example +all", AuthResult::TempError),
    ] {
        assert_eq!(with(zone(), record).await, result, "{record}");
    }
}

#[tokio::test]
async fn a_redirect_is_followed_when_nothing_matches() {
    let zone = || Zone::default().txt("other.example", "v=spf1 -all");
    for (record, result) in [
        ("v=spf1 redirect=other.example", AuthResult::Fail),
        ("v=spf1 redirect=other.example ?all", AuthResult::Neutral),
        (
            "v=spf1 redirect=other.example ip4:192.0.2.7",
            AuthResult::Pass,
        ),
        ("v=spf1 redirect=none.example", AuthResult::PermError),
    ] {
        assert_eq!(with(zone(), record).await, result, "{record}");
    }
}

#[tokio::test]
async fn a_name_of_the_client_must_lead_back_to_it() {
    let zone = |name: &str, ip: &str| Zone::default().ptr(CLIENT, name).host(name, ip);
    let record = "v=spf1 ptr -all";
    let inside = zone("out.far.example", CLIENT);
    assert_eq!(with(inside, record).await, AuthResult::Pass);
    let lie = zone("out.far.example", "192.0.2.8");
    assert_eq!(with(lie, record).await, AuthResult::Fail);
    let outside = zone("out.afar.example", CLIENT);
    assert_eq!(with(outside, record).await, AuthResult::Fail);
    let failing = Zone::default().fails("7.2.0.192.in-addr.arpa");
    assert_eq!(with(failing, record).await, AuthResult::Fail);
    let validated = zone("out.far.example", CLIENT).host("out.far.example.ok.example", "127.0.0.2");
    let record = "v=spf1 exists:%{p}.ok.example -all";
    assert_eq!(with(validated, record).await, AuthResult::Pass);
}

#[tokio::test]
async fn at_most_ten_terms_ask_the_dns() {
    let zone = || Zone::default().host("x.example", "192.0.2.99");
    let ten = format!("v=spf1 {}+all", "a:x.example ".repeat(10));
    assert_eq!(with(zone(), &ten).await, AuthResult::Pass);
    let eleven = format!("v=spf1 {}+all", "a:x.example ".repeat(11));
    assert_eq!(with(zone(), &eleven).await, AuthResult::PermError);
}

#[tokio::test]
async fn a_domain_that_includes_itself_ends() {
    let server = Zone::default()
        .txt(
            "far.example",
            "v=spf1 include:far.example include:far.example +all",
        )
        .serve()
        .await;
    let fact = ask_server(&server, CLIENT, "x", "<anna@far.example>").await;
    assert_eq!(fact.result, AuthResult::PermError);
    assert!(server.questions(RecordType::TXT) <= 11);
}

#[test]
fn a_long_chain_of_included_domains_needs_no_deep_stack() {
    let check = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let zone = (1..=9).fold(Zone::default(), |zone, n| {
                let next = format!("v=spf1 include:n{}.example -all", n + 1);
                zone.txt(&format!("n{n}.example"), &next)
            });
            let zone = zone.txt("n10.example", "v=spf1 ip4:192.0.2.7 -all");
            with(zone, "v=spf1 include:n1.example -all").await
        })
    };
    // Half of what the server's threads have.
    let small = std::thread::Builder::new().stack_size(512 << 10);
    assert_eq!(
        small.spawn(check).unwrap().join().unwrap(),
        AuthResult::Pass
    );
}

#[tokio::test]
async fn at_most_two_questions_may_find_nothing() {
    assert_eq!(
        says("v=spf1 a:no1.example exists:no2.example +all").await,
        AuthResult::Pass
    );
    assert_eq!(
        says("v=spf1 a:no1.example exists:no2.example mx:no3.example +all").await,
        AuthResult::PermError
    );
}

#[tokio::test]
async fn hosts_of_the_other_family_are_not_found_in_vain() {
    let zone = (1..=5).fold(Zone::default(), |zone, n| {
        let host = format!("mx{n}.far.example");
        zone.mx("far.example", &host).host(&host, "192.0.2.99")
    });
    let zone = zone.txt("far.example", "v=spf1 mx ?all");
    let fact = fact(zone, CLIENT6, "<anna@far.example>").await;
    assert_eq!(fact.result, AuthResult::Neutral);
}

#[tokio::test]
async fn at_most_ten_hosts_take_the_mail_of_a_domain() {
    let zone = |hosts: usize| {
        (0..hosts).fold(Zone::default(), |zone, n| {
            let host = format!("mx{n}.far.example");
            zone.mx("far.example", &host).host(&host, "192.0.2.99")
        })
    };
    assert_eq!(with(zone(10), "v=spf1 mx ?all").await, AuthResult::Neutral);
    assert_eq!(
        with(zone(11), "v=spf1 mx ?all").await,
        AuthResult::PermError
    );
}

#[tokio::test]
async fn a_failing_name_server_is_a_temporary_error() {
    let fact = fact(
        Zone::default().fails("far.example"),
        CLIENT,
        "<anna@far.example>",
    )
    .await;
    assert_eq!(fact.result, AuthResult::TempError);
    assert!(fact.explanation.contains("far.example"), "{fact:?}");
    let zone = Zone::default().fails("x.example");
    assert_eq!(
        with(zone, "v=spf1 a:x.example +all").await,
        AuthResult::TempError
    );
}

#[tokio::test]
async fn a_silent_name_server_is_waited_for_five_seconds() {
    let began = Instant::now();
    let fact = fact(
        Zone::default().silent("far.example"),
        CLIENT,
        "<anna@far.example>",
    )
    .await;
    assert_eq!(fact.result, AuthResult::TempError);
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[test]
fn only_a_whole_version_makes_a_record() {
    for text in ["v=spf1", "v=spf1 ", "V=SpF1 all"] {
        assert!(is_spf(text.as_bytes()), "{text}");
    }
    for text in ["v=spf", "v=spf1\tall", "v=spf10", " v=spf1", "spf2.0/pra"] {
        assert!(!is_spf(text.as_bytes()), "{text}");
    }
    assert!(Record::parse("v=spf1 a:grün.example".as_bytes()).is_err());
    assert!(Record::parse(b"v=spf1 a:\xff").is_err());
}
