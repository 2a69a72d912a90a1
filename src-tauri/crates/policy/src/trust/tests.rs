use serde_json::json;

use super::*;
use crate::facts::{Client, Login, Port};

fn settings(document: serde_json::Value) -> Settings {
    Settings::default().merged(&document).unwrap()
}

fn facts(ip: &str, network: Option<MachineNetwork>) -> Facts {
    let mut facts = Facts::of_client(Client {
        ip: ip.parse().unwrap(),
        port: Port::Smtp,
        tls: None,
    });
    facts.network = network;
    facts
}

fn machine() -> MachineNetwork {
    MachineNetwork {
        attached: ["192.168.7.0/24", "203.0.113.0/24", "10.0.0.0/8"]
            .map(|text| text.parse().unwrap())
            .into(),
        gateways: vec!["192.168.7.1".parse().unwrap()],
    }
}

#[test]
fn without_a_list_this_machine_and_its_private_networks_are_local() {
    let settings = settings(json!({"general": {"skip_auth_for_local_network": true}}));
    let local = |ip: &str| Trust::of(&facts(ip, Some(machine())), &settings) == Trust::LocalNetwork;
    assert!(local("127.0.0.1") && local("::1") && local("192.168.7.2"));
    assert!(!local("192.168.8.2"), "another network");
    assert!(!local("203.0.113.9"), "attached, but public");
    assert!(!local("10.9.9.9"), "attached, but too wide");
}

#[test]
fn a_gateway_is_a_stranger_even_in_a_network_that_is_listed() {
    let listed = json!({
        "general": {"skip_auth_for_local_network": true},
        "service": {"local_networks": ["192.168.7.0/24"]},
    });
    for document in [
        listed,
        json!({"general": {"skip_auth_for_local_network": true}}),
    ] {
        let settings = settings(document);
        assert_eq!(
            Trust::of(&facts("192.168.7.1", Some(machine())), &settings),
            Trust::Stranger
        );
        assert_eq!(
            Trust::of(&facts("192.168.7.2", Some(machine())), &settings),
            Trust::LocalNetwork
        );
    }
}

#[test]
fn a_list_replaces_what_would_be_local_without_it() {
    let settings = settings(json!({
        "general": {"skip_auth_for_local_network": true},
        "service": {"local_networks": ["172.16.0.0/16"]},
    }));
    for ip in ["127.0.0.1", "192.168.7.2"] {
        assert_eq!(
            Trust::of(&facts(ip, Some(machine())), &settings),
            Trust::Stranger
        );
    }
    assert_eq!(
        Trust::of(&facts("172.16.255.255", Some(machine())), &settings),
        Trust::LocalNetwork
    );
}

#[test]
fn nobody_is_local_while_the_setting_is_off_or_the_networks_are_not_known() {
    let off = settings(json!({}));
    let on = settings(json!({"general": {"skip_auth_for_local_network": true}}));
    assert_eq!(
        Trust::of(&facts("127.0.0.1", Some(machine())), &off),
        Trust::Stranger
    );
    assert_eq!(Trust::of(&facts("127.0.0.1", None), &on), Trust::Stranger);
}

#[test]
fn whoever_signed_in_is_a_user_wherever_the_client_is() {
    let on = settings(json!({"general": {"skip_auth_for_local_network": true}}));
    let mut facts = facts("127.0.0.1", Some(machine()));
    facts.login = Some(Login {
        user: "alice".into(),
        current: true,
    });
    assert_eq!(Trust::of(&facts, &on), Trust::User("alice"));
}
