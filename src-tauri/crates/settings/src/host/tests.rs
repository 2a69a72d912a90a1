use super::*;

fn host(text: &str) -> Result<RelayHost, HostError> {
    RelayHost::parse(text)
}

fn lmtp(text: &str) -> Result<LmtpAddress, HostError> {
    text.parse()
}

#[test]
fn a_host_is_a_name_in_either_label_form_or_an_address() {
    for (text, shown) in [
        ("smtp.example", "smtp.example"),
        ("SMARTHOST", "smarthost"),
        ("smtp.xn--bcher-kva.example", "smtp.bücher.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[192.0.2.1]", "192.0.2.1"),
        ("2001:DB8::1", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ] {
        assert_eq!(host(text).unwrap().to_string(), shown);
    }
}

#[test]
fn what_is_no_host_is_refused_with_the_reason() {
    for text in [
        "",
        "a b",
        "smtp_1.example",
        "[smtp.example]",
        "user@smtp.example",
        "smtp://smtp.example",
        "a..b",
        "smtp.example:",
        "1.2.3.4.",
    ] {
        assert_eq!(host(text), Err(HostError::Host(text.into())), "{text}");
    }
    for text in ["smtp.example:587", "192.0.2.1:25", "[2001:db8::1]:25"] {
        assert_eq!(host(text), Err(HostError::Port(text.into())), "{text}");
    }
    for text in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"] {
        assert!(matches!(host(text), Err(HostError::NoHost(_))), "{text}");
    }
}

#[test]
fn a_place_of_lmtp_is_a_host_with_its_port_or_a_socket() {
    for text in [
        "dovecot.office.example:24",
        "127.0.0.1:24",
        "[::1]:2424",
        "unix:/run/dovecot/lmtp",
    ] {
        assert_eq!(lmtp(text).unwrap().to_string(), text);
    }
    for text in [
        "dovecot",
        "dovecot:",
        "dovecot:0",
        "dovecot:70000",
        "::1:24",
        "::1",
        "",
    ] {
        assert_eq!(lmtp(text), Err(HostError::Lmtp(text.into())), "{text}");
    }
    for path in ["", "run/lmtp", "/run\0lmtp"] {
        let text = format!("unix:{path}");
        assert_eq!(lmtp(&text), Err(HostError::Path(path.into())), "{text}");
    }
    assert!(matches!(lmtp("a b:24"), Err(HostError::Host(_))));
}

#[test]
fn whoever_connects_to_a_listener_of_this_server_is_found_out() {
    let service = |listener: &str| Service {
        smtp: vec![listener.parse().unwrap()],
        submission: Vec::new(),
        submissions: Vec::new(),
        ..Service::default()
    };
    for (listener, port, text, expected) in [
        ("[::]:25", 25, "127.0.0.1", true),
        ("[::]:25", 25, "::1", true),
        ("[::]:25", 25, "127.9.9.9", true),
        ("[::]:25", 25, "localhost", true),
        ("[::]:25", 25, "mail.localhost", true),
        ("[::]:25", 26, "localhost", false),
        ("[::]:25", 25, "192.0.2.1", false),
        ("[::]:25", 25, "smtp.example", false),
        ("0.0.0.0:25", 25, "127.0.0.1", true),
        ("0.0.0.0:25", 25, "::1", false),
        ("127.0.0.1:25", 25, "127.0.0.2", false),
        ("127.0.0.1:25", 25, "localhost", true),
        ("[::ffff:127.0.0.1]:25", 25, "127.0.0.1", true),
        ("192.0.2.1:25", 25, "192.0.2.1", true),
        ("192.0.2.1:25", 25, "localhost", false),
    ] {
        let found = host(text).unwrap().is_listener(port, &service(listener));
        assert_eq!(found, expected, "{text}:{port} at {listener}");
    }
}

proptest::proptest! {
    #[test]
    fn a_host_and_a_place_of_lmtp_are_read_again_from_what_they_print(text in "[a-zü0-9.:\\[\\]/-]{1,30}", port in 1_u16..) {
        if let Ok(host) = RelayHost::parse(&text) {
            proptest::prop_assert_eq!(RelayHost::parse(&host.to_string()), Ok(host));
        }
        for text in [format!("{text}:{port}"), format!("unix:{text}")] {
            if let Ok(place) = text.parse::<LmtpAddress>() {
                proptest::prop_assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
    }
}

#[test]
fn a_long_row_of_colons_is_only_refused() {
    let text = format!("[{}", ":1".repeat(100_000));
    assert!(host(&text).is_err() && lmtp(&text).is_err());
}
