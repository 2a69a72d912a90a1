use super::super::fake::Zone;
use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[tokio::test]
async fn a_name_that_leads_back_to_the_address_is_confirmed_whichever_of_several_it_is() {
    let server = Zone::default()
        .ptr("192.0.2.1", "wrong.far.example")
        .ptr("192.0.2.1", "Mail.Far.Example")
        .host("wrong.far.example", "192.0.2.9")
        .host("mail.far.example", "192.0.2.7")
        .host("mail.far.example", "192.0.2.1")
        .ptr("2001:db8::1", "six.far.example")
        .host("six.far.example", "2001:db8::1")
        .serve()
        .await;
    let names = server.names();
    let name = |text| client_name(&names, ip(text), true);
    assert_eq!(
        name("192.0.2.1").await,
        ClientName::Confirmed("mail.far.example".into())
    );
    assert_eq!(
        name("::ffff:192.0.2.1").await,
        ClientName::Confirmed("mail.far.example".into())
    );
    assert_eq!(
        name("2001:db8::1").await,
        ClientName::Confirmed("six.far.example".into())
    );
    assert_eq!(name("192.0.2.2").await, ClientName::Missing);
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_or_nowhere_is_not_confirmed() {
    let server = Zone::default()
        .ptr("192.0.2.1", "mail.far.example")
        .host("mail.far.example", "192.0.2.9")
        .ptr("192.0.2.2", "none.far.example")
        .ptr("192.0.2.3", "failing.far.example")
        .fails("failing.far.example")
        .serve()
        .await;
    let names = server.names();
    for (address, name) in [
        ("192.0.2.1", "mail.far.example"),
        ("192.0.2.2", "none.far.example"),
    ] {
        for must_be_sure in [false, true] {
            assert_eq!(
                client_name(&names, ip(address), must_be_sure).await,
                ClientName::Unconfirmed(name.into())
            );
        }
    }
    // Where any name will do, one that cannot be looked up will do too.
    assert_eq!(
        client_name(&names, ip("192.0.2.3"), false).await,
        ClientName::Unconfirmed("failing.far.example".into())
    );
    assert!(matches!(
        client_name(&names, ip("192.0.2.3"), true).await,
        ClientName::Unknown(_)
    ));
}

#[tokio::test]
async fn so_many_names_of_an_address_are_looked_up_and_no_more() {
    let mut zone = Zone::default();
    for number in 0..50 {
        zone = zone.ptr("192.0.2.1", &format!("n{number}.far.example"));
    }
    let server = zone.serve().await;
    client_name(&server.names(), ip("192.0.2.1"), true).await;
    assert!(server.questions(RecordType::A) <= MAX_NAMES);
}

#[tokio::test]
async fn a_server_that_fails_says_nothing_of_a_name() {
    let server = Zone::default()
        .fails("1.2.0.192.in-addr.arpa")
        .fails("failing.example")
        .serve()
        .await;
    let names = server.names();
    assert!(matches!(
        client_name(&names, ip("192.0.2.1"), false).await,
        ClientName::Unknown(_)
    ));
    let failing = domain("failing.example");
    assert!(matches!(
        mail_domain(&names, &failing).await,
        NameFact::Unknown(_)
    ));
    assert!(matches!(
        host(&names, "failing.example").await,
        NameFact::Unknown(_)
    ));
    assert_eq!(names.down().await, None);
}

#[tokio::test]
async fn a_domain_takes_mail_by_mx_or_by_address_unless_it_says_that_it_takes_none() {
    let server = Zone::default()
        .mx("mx.example", "mail.mx.example")
        .host("a.example", "192.0.2.1")
        .host("aaaa.example", "2001:db8::1")
        .mx("null.example", "")
        .txt("neither.example", "x")
        .serve()
        .await;
    let names = server.names();
    for (name, as_domain, as_host) in [
        ("mx.example", NameFact::Exists, NameFact::Exists),
        ("a.example", NameFact::Exists, NameFact::Exists),
        ("aaaa.example", NameFact::Exists, NameFact::Exists),
        ("null.example", NameFact::NullMx, NameFact::Exists),
        ("neither.example", NameFact::Missing, NameFact::Missing),
        ("missing.example", NameFact::Missing, NameFact::Missing),
    ] {
        assert_eq!(
            mail_domain(&names, &domain(name)).await,
            as_domain,
            "{name}"
        );
        assert_eq!(host(&names, name).await, as_host, "{name}");
    }
    assert_eq!(host(&names, "a.example.").await, NameFact::Exists);
    assert_eq!(host(&names, "no name").await, NameFact::Missing);
}

#[tokio::test]
async fn nothing_is_asked_again_for_a_while_when_nobody_answers() {
    let gone = {
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket.local_addr().unwrap()
    };
    let names = Names::new(&[gone]);
    assert!(names.down().await.is_some());
    let asked = std::time::Instant::now();
    let fact = mail_domain(&names, &domain("far.example")).await;
    assert!(matches!(fact, NameFact::Unknown(_)));
    assert!(asked.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_greeting_with_an_underscore_is_looked_up_like_any_other() {
    let server = Zone::default()
        .host("my_host.far.example", "192.0.2.1")
        .serve()
        .await;
    let names = server.names();
    for (name, fact) in [
        ("My_Host.far.example", NameFact::Exists),
        ("my_host.far.example.", NameFact::Exists),
        ("no_host.far.example", NameFact::Missing),
        ("my host_.far.example", NameFact::Missing),
        ("_..far.example", NameFact::Missing),
    ] {
        assert_eq!(host(&names, name).await, fact, "{name}");
    }
}

#[tokio::test]
async fn whether_anybody_answers_is_asked_once_however_many_want_to_know() {
    let server = Zone::default().serve().await;
    let names = server.names();
    let answers = ask::all((0..20).map(|_| names.down())).await;
    assert!(answers.iter().all(Option::is_none), "{answers:?}");
    assert_eq!(server.questions(RecordType::NS), 1);
}
