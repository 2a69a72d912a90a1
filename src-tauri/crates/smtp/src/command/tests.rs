use super::*;
use proptest::prelude::*;

#[test]
fn verbs_are_read_in_any_case() {
    assert_eq!(Command::parse(b"data"), Ok(Command::Data));
    assert_eq!(Command::parse(b"QuIt  "), Ok(Command::Quit));
    assert_eq!(
        Command::parse(b"bdat 10 Last"),
        Ok(Command::Bdat {
            size: 10,
            last: true
        })
    );
    assert_eq!(
        Command::parse(b"BDAT  10"),
        Ok(Command::Bdat {
            size: 10,
            last: false
        })
    );
    assert_eq!(
        Command::parse("DATA\u{a0}".as_bytes()),
        Err(ProtocolError::Unknown)
    );
}

#[test]
fn numbers_are_digits() {
    for (text, number) in [
        ("0", Some(0)),
        ("007", Some(7)),
        ("99999999999999999999", Some(u64::MAX)),
    ] {
        assert_eq!(digits(text), number);
    }
    for text in [
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x1",
        "1e3",
        "٣",
        "999999999999999999999",
    ] {
        assert_eq!(digits(text), None, "{text:?}");
    }
}

#[test]
fn the_path_ends_where_its_quotes_say() {
    let line = br#"MAIL FROM:<"a>\" SIZE=9 <b"@x.example> SIZE=5"#;
    let Ok(Command::Mail {
        path, parameters, ..
    }) = Command::parse(line)
    else {
        panic!()
    };
    assert_eq!(parameters.size, Some(5));
    assert_eq!(path.address().unwrap().local(), r#"a>" SIZE=9 <b"#);
}

#[test]
fn other_protocols_are_recognised() {
    for line in [
        "GET / HTTP/1.1",
        "POST / HTTP/1.1",
        "OPTIONS *",
        "CONNECT x:25 HTTP/1.1",
    ] {
        assert_eq!(
            Command::parse(line.as_bytes()),
            Err(ProtocolError::ForeignProtocol)
        );
    }
}

proptest! {
    #[test]
    fn a_printed_envelope_is_the_same_command_again(line in "(MAIL FROM:|RCPT TO:)<[\"a-c@.>< =\\\\ü:,]{0,16}>( SIZE=1| NOTIFY=NEVER)?") {
        let Ok(command) = Command::parse(line.as_bytes()) else { return Ok(()) };
        match command {
            Command::Mail { path, parameters, .. } => {
                let again = Command::parse(format!("MAIL FROM:{path} SMTPUTF8").as_bytes());
                let Ok(Command::Mail { path: second, parameters: only, .. }) = again else { panic!("{path}") };
                prop_assert_eq!(second, path);
                prop_assert_eq!(only, MailParameters { smtputf8: true, ..MailParameters::default() });
                prop_assert!(parameters.size.is_none_or(|size| size == 1));
            }
            Command::Rcpt { path, .. } => {
                let again = Command::parse(format!("RCPT TO:{path}").as_bytes());
                let Ok(Command::Rcpt { path: second, parameters, .. }) = again else { panic!("{path}") };
                prop_assert_eq!(second, path);
                prop_assert_eq!(parameters, RcptParameters::default());
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_line_panics_and_no_refusal_breaks_its_line(line in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Err(error) = Command::parse(&line) {
            let wire = error.reply().to_wire();
            prop_assert_eq!(wire.iter().filter(|b| **b == b'\n').count(), 1);
        }
    }
}
