use proptest::prelude::*;
use serde_json::json;

use super::*;

fn office(document: serde_json::Value) -> Settings {
    Settings::default()
        .merged(&json!({"general": {"domain": "office.example", "hostname": "mx.office.example", "additional_domains": ["bücher.example"]}}))
        .unwrap()
        .merged(&document)
        .unwrap()
}

fn relayed() -> Settings {
    office(
        json!({"delivery": {"relay_enabled": true, "relay_server": "smtp.bücher.test", "relay_port": 2587}}),
    )
}

fn key(address: &str, settings: &Settings) -> String {
    destination(&address.parse().unwrap(), settings).key()
}

#[test]
fn our_domains_go_to_the_mailboxes_and_all_others_to_their_servers() {
    let direct = office(json!({}));
    for (address, expected) in [
        ("alice@office.example", "mailbox"),
        ("nobody@xn--bcher-kva.EXAMPLE", "mailbox"),
        ("quinn@third.example", "domain:third.example"),
        ("quinn@sub.office.example", "domain:sub.office.example"),
        ("quinn@BÜRO.example", "domain:xn--bro-hoa.example"),
        ("quinn@[192.0.2.1]", "domain:[192.0.2.1]"),
        ("quinn@[ipv6:2001:DB8:0::1]", "domain:[IPv6:2001:db8::1]"),
    ] {
        assert_eq!(key(address, &direct), expected);
    }
}

#[test]
fn with_a_relay_everything_that_is_not_for_us_goes_there() {
    assert_eq!(key("alice@office.example", &relayed()), "mailbox");
    for address in ["quinn@third.example", "quinn@[192.0.2.1]"] {
        assert_eq!(key(address, &relayed()), "relay");
    }
}

#[test]
fn a_key_is_read_back_and_other_texts_are_none() {
    for destination in [
        Destination::Mailbox,
        Destination::Relay,
        Destination::Domain("third.example".into()),
        Destination::Domain("[IPv6:2001:db8::1]".into()),
    ] {
        assert_eq!(Destination::parse(&destination.key()), Some(destination));
    }
    for text in [
        "",
        "Relay",
        "domain:",
        "domain:a b",
        "domain:[x]",
        "third.example",
    ] {
        assert_eq!(Destination::parse(text), None, "{text}");
    }
    assert_eq!(
        Destination::parse("domain:BÜRO.example").unwrap().key(),
        "domain:xn--bro-hoa.example"
    );
}

#[test]
fn the_way_is_said_in_words() {
    let said =
        |destination: &Destination, settings: &Settings| Way(destination, settings).to_string();
    assert_eq!(
        said(&Destination::Relay, &relayed()),
        "to the relay smtp.bücher.test:2587"
    );
    let direct = office(json!({}));
    assert_eq!(
        said(&Destination::Domain("third.example".into()), &direct),
        "to the mail servers of third.example"
    );
    assert_eq!(
        said(&Destination::Domain("[192.0.2.1]".into()), &direct),
        "to the server at [192.0.2.1]"
    );
    assert_eq!(said(&Destination::Mailbox, &direct), "delivered here");
    let store = office(json!({"service": {"mailbox": {"lmtp": "[::1]:24"}}}));
    assert_eq!(
        said(&Destination::Mailbox, &store),
        "to the mail store at [::1]:24"
    );
}

proptest! {
    #[test]
    fn every_destination_comes_back_from_its_key(local in "[a-z]{1,8}", host in "[a-zäöü0-9-]{1,12}\\.[a-z]{2,5}") {
        if let Ok(address) = format!("{local}@{host}").parse() {
            let found = destination(&address, &office(json!({})));
            prop_assert_eq!(Destination::parse(&found.key()), Some(found));
        }
    }
}
