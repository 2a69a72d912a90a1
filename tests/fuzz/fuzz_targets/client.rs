//! The client against any server: whatever it says and however the network cuts it.
//!
//! The input is: eight octets that choose the profile and the cuts, then what the server sends. Checked: no panic, one
//! outcome for each recipient, nothing after the end, no bare CR or LF on the wire, and no password in the transcript.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz client -- -dict=tests/fuzz/client.dict -max_total_time=60`
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::client::{Action, Client, Input, Login, Mail, Profile, Protocol, Recipient, StartTls};
use smtp::{Address, Domain, RcptParameters, ReversePath};

/// Messages given on one connection, and actions carried out, at most.
const MESSAGES: usize = 4;
const ACTIONS: usize = 10_000;

fn profile(choices: u64) -> Profile {
    let login = Login {
        username: "alice".to_owned(),
        password: "sesame".to_owned().into(),
        in_clear: choices & 1 == 0,
    };
    Profile {
        peer: "mx".to_owned(),
        protocol: if choices & 2 == 0 {
            Protocol::Smtp
        } else {
            Protocol::Lmtp
        },
        helo: Domain::parse("us.example").expect("a constant"),
        starttls: match choices >> 2 & 3 {
            0 => StartTls::Never,
            1 => StartTls::Required,
            _ => StartTls::IfOffered,
        },
        login: (choices & 16 == 0).then_some(login),
    }
}

fn mail(choices: u64) -> Mail {
    let to = |text: &str| Recipient {
        address: Address::parse(text).expect("a constant"),
        parameters: RcptParameters {
            notify: None,
            orcpt: Some("utf-8;ü@x".to_owned()),
        },
    };
    Mail {
        sender: ReversePath::Null,
        size: 7,
        eight_bit: choices & 32 == 0,
        smtputf8: choices & 64 == 0,
        ret: None,
        envid: Some("a b".to_owned()),
        recipients: vec![
            to("b@y.example"),
            to("ü@y.example"),
            to("\"a> b\"@[IPv6:::1]"),
        ],
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((choices, data)) = input.split_first_chunk::<8>() else {
        return;
    };
    let choices = u64::from_le_bytes(*choices);
    let mut client = Client::new(profile(choices));
    let (mut given, mut wanted, mut told, mut done, mut closed) = (0, 0, 0, 0, false);
    let mut wire = Vec::new();
    let step = 1 + (choices >> 8) as usize % 97;
    let mut pieces = data.chunks(step);
    let mut ended = false;
    let mut queue = client.handle(Input::Connected);
    loop {
        while !queue.is_empty() {
            for action in std::mem::take(&mut queue) {
                assert!(!closed, "nothing follows the end");
                done += 1;
                match action {
                    Action::Write(bytes) => wire.extend(bytes),
                    Action::StartTls => {
                        let private = choices & 128 == 0;
                        queue.extend(client.handle(Input::TlsStarted { private }));
                    }
                    Action::MoreContent => queue.extend(client.handle(Input::Content {
                        bytes: b"\n.\r.\r\nx",
                        last: done % 3 == 0 || done > ACTIONS,
                    })),
                    Action::Done(outcomes) => told += outcomes.len(),
                    Action::Ready | Action::Failed(_) => {}
                    Action::Close => closed = true,
                }
            }
        }
        if client.is_ready() && given < MESSAGES {
            given += 1;
            let mail = mail(choices.rotate_right(given as u32));
            wanted += mail.recipients.len();
            queue = client.handle(Input::Mail(mail));
        } else if let Some(piece) = pieces.next() {
            queue = client.handle(Input::Bytes(piece));
        } else if !ended {
            ended = true;
            queue = client.handle(match choices >> 60 & 3 {
                0 => Input::TimedOut,
                1 => Input::Quit,
                2 => Input::TookTooLong,
                _ => Input::PeerClosed,
            });
        } else {
            break;
        }
    }
    assert_eq!(told, wanted, "one outcome for each recipient");
    let (mut before, mut bare) = (0, false);
    for byte in &wire {
        bare |= (*byte == b'\n') != (before == b'\r');
        before = *byte;
    }
    assert!(!bare, "a bare CR or LF");
    let signs_in = profile(choices).login.is_some();
    for line in client.transcript().lines().filter(|_| signs_in) {
        assert!(!line.text.contains("sesame") && !line.text.contains("c2VzYW1l"));
    }
});
