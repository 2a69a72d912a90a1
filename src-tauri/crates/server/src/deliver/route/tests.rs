use super::fake::Fake;
use super::*;
use settings::RelayTlsMode;

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.general.hostname = Some(Domain::parse("mail.our.example").unwrap());
    settings.service.smtp = vec!["127.0.0.1:2500".parse().unwrap()];
    settings.service.submission = Vec::new();
    settings.service.submissions = Vec::new();
    settings
}

fn relayed() -> Settings {
    let mut settings = settings();
    settings.delivery.relay_enabled = true;
    settings.delivery.relay_server = "relay.example".into();
    // Needs no authorities of the machine.
    settings.delivery.relay_certificate = RelayCertificate::Pin("ab".repeat(32));
    settings
}

fn domain(name: &str) -> Destination {
    Destination::Domain(name.into())
}

/// `third.example` with one mail server of that name.
fn third(mx: &str) -> Fake {
    Fake::default()
        .mx("third.example", &[(10, mx)])
        .host(mx, &["127.0.0.7"])
}

fn relay_dns() -> Fake {
    Fake::default().host("relay.example", &["127.0.0.7", "127.0.0.8"])
}

async fn ask(
    destination: Destination,
    settings: &Settings,
    names: &Fake,
) -> Result<Vec<Hop>, Trouble> {
    let password = settings
        .delivery
        .relay_auth
        .then(|| Zeroizing::new("geheim".to_owned()));
    route(&destination, settings, names, &Trust::new(), password).await
}

fn address(hop: &Hop) -> String {
    match &hop.at {
        HopAddress::Tcp(address) => address.to_string(),
        HopAddress::Unix(path) => path.display().to_string(),
    }
}

fn status(result: Result<Vec<Hop>, Trouble>) -> (u8, u8, u16) {
    result.err().unwrap().status
}

#[tokio::test]
async fn a_domain_is_reached_with_encryption_where_it_is_offered() {
    let names = third("mx.third.example");
    let hops = ask(domain("third.example"), &settings(), &names)
        .await
        .unwrap();
    let hop = &hops[0];
    assert_eq!(address(hop), "127.0.0.7:25");
    assert_eq!(hop.name, "mx.third.example");
    assert_eq!(hop.tls.mode, TlsMode::Opportunistic);
    assert!(hop.tls.judge.is_some());
    assert_eq!(hop.tls.name.to_str(), "mx.third.example");
    assert_eq!(hop.helo.ascii(), "mail.our.example");
    assert!(hop.auth.is_none());
}

#[tokio::test]
async fn the_port_of_direct_delivery_can_be_chosen() {
    let mut settings = settings();
    settings.delivery.direct_port = 2525;
    let names = third("mx.third.example");
    let hops = ask(domain("third.example"), &settings, &names)
        .await
        .unwrap();
    assert_eq!(address(&hops[0]), "127.0.0.7:2525");
}

#[tokio::test]
async fn an_address_literal_needs_no_dns() {
    let names = Fake::default();
    for (literal, place) in [
        ("[127.0.0.7]", "127.0.0.7:25"),
        ("[IPv6:2001:db8::1]", "[2001:db8::1]:25"),
    ] {
        let hops = ask(domain(literal), &settings(), &names).await.unwrap();
        assert_eq!(hops.len(), 1);
        assert_eq!(address(&hops[0]), place);
    }
}

#[tokio::test]
async fn our_own_address_as_a_literal_is_a_loop() {
    let mut settings = settings();
    settings.delivery.direct_port = 2500;
    let result = ask(domain("[127.0.0.1]"), &settings, &Fake::default()).await;
    assert_eq!(status(result), (5, 4, 6));
}

#[tokio::test]
async fn the_relay_is_asked_for_addresses_and_never_for_mx() {
    let names = relay_dns().mx("relay.example", &[(10, "elsewhere.example")]);
    let hops = ask(Destination::Relay, &relayed(), &names).await.unwrap();
    let places: Vec<String> = hops.iter().map(address).collect();
    assert_eq!(places, ["127.0.0.7:587", "127.0.0.8:587"]);
    assert!(hops.iter().all(|hop| hop.name == "relay.example"));
}

#[tokio::test]
async fn the_relay_is_encrypted_as_the_settings_say() {
    use RelayTlsMode::{Auto, Implicit, Starttls};
    for (tls, mode, port, expected) in [
        (true, Auto, 587, TlsMode::Starttls),
        (true, Auto, 465, TlsMode::Implicit),
        (true, Starttls, 465, TlsMode::Starttls),
        (true, Implicit, 2465, TlsMode::Implicit),
        (false, Auto, 587, TlsMode::Opportunistic),
        (false, Auto, 465, TlsMode::Implicit),
    ] {
        let mut settings = relayed();
        settings.delivery.relay_tls = tls;
        settings.delivery.relay_tls_mode = mode;
        settings.delivery.relay_port = port;
        let hops = ask(Destination::Relay, &settings, &relay_dns())
            .await
            .unwrap();
        assert_eq!(hops[0].tls.mode, expected, "{tls} {mode:?} {port}");
        assert_eq!(hops[0].tls.judge.is_some(), !tls, "{tls} {mode:?} {port}");
    }
}

#[tokio::test]
async fn any_certificate_is_the_admins_word_only_where_encryption_is_insisted_on() {
    use RelayCertificate::{Any, Pin, Verify};
    for (tls, port, certificate, takes_any) in [
        (true, 465, Any, true),
        (true, 587, Any, true),
        (false, 465, Any, false),
        (false, 587, Any, false),
        (false, 465, Verify, false),
        (true, 465, Pin("ab".repeat(32)), false),
    ] {
        let mut settings = relayed();
        settings.delivery.relay_tls = tls;
        settings.delivery.relay_port = port;
        settings.delivery.relay_certificate = certificate.clone();
        let hops = ask(Destination::Relay, &settings, &relay_dns())
            .await
            .unwrap();
        let found = hops[0].tls.takes_any;
        assert_eq!(found, takes_any, "{tls} {port} {certificate:?}");
    }
}

#[tokio::test]
async fn the_relay_gets_name_and_password() {
    let mut settings = relayed();
    settings.delivery.relay_auth = true;
    settings.delivery.relay_username = "office".into();
    let hops = ask(Destination::Relay, &settings, &relay_dns())
        .await
        .unwrap();
    let auth = hops[1].auth.as_ref().unwrap();
    assert_eq!(
        (
            auth.username.as_str(),
            auth.password.as_str(),
            auth.in_clear
        ),
        ("office", "geheim", false)
    );
}

#[tokio::test]
async fn what_the_admin_got_wrong_about_the_relay_lets_the_mail_wait() {
    let mut nowhere = relayed();
    nowhere.delivery.relay_server = String::new();
    assert_eq!(
        status(ask(Destination::Relay, &nowhere, &relay_dns()).await),
        (4, 3, 5)
    );
    assert_eq!(
        status(ask(Destination::Relay, &relayed(), &Fake::default()).await),
        (4, 4, 4)
    );
    let unknown = Fake::default().host_answer("relay.example", Answer::Unknown("it failed".into()));
    assert_eq!(
        status(ask(Destination::Relay, &relayed(), &unknown).await),
        (4, 4, 3)
    );
    let mut ourselves = relayed();
    ourselves.delivery.relay_port = 2500;
    let names = Fake::default().host("relay.example", &["127.0.0.1"]);
    assert_eq!(
        status(ask(Destination::Relay, &ourselves, &names).await),
        (4, 4, 6)
    );
    let mut locked_out = relayed();
    locked_out.delivery.relay_auth = true;
    let result = route(
        &Destination::Relay,
        &locked_out,
        &relay_dns(),
        &Trust::new(),
        None,
    )
    .await;
    assert_eq!(status(result), (4, 7, 8));
}

#[tokio::test]
async fn mailboxes_elsewhere_are_reached_over_lmtp_in_clear() {
    for (at, place) in [
        ("127.0.0.1:24", "127.0.0.1:24"),
        ("store.example:2424", "127.0.0.9:2424"),
        ("unix:/run/lmtp", "/run/lmtp"),
    ] {
        let mut settings = settings();
        settings.service.mailbox = Mailbox::Lmtp(at.parse().unwrap());
        let names = Fake::default().host("store.example", &["127.0.0.9"]);
        let hops = ask(Destination::Mailbox, &settings, &names).await.unwrap();
        assert_eq!(hops.len(), 1);
        assert_eq!(address(&hops[0]), place);
        assert_eq!(hops[0].protocol, Protocol::Lmtp);
        assert_eq!(hops[0].tls.mode, TlsMode::Never);
    }
}

#[tokio::test]
async fn a_name_that_cannot_stand_in_a_certificate_is_checked_by_its_address() {
    let names = third("mx host.example");
    let hops = ask(domain("third.example"), &settings(), &names)
        .await
        .unwrap();
    assert_eq!(hops[0].tls.name.to_str(), "127.0.0.7");
}
