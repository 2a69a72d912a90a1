//! What holds for every server, whatever it says and however the network cuts it.

use super::tests::{mail, profile};
use super::*;
use crate::address::{Address, ReversePath};
use crate::command::{Command, Notify, RcptParameters};
use crate::content::{Content, Framing};
use proptest::prelude::*;

/// What a server may say, so that chance gets past the first reply.
fn saying() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop::sample::select(vec![
        "220 mx.example\r\n",
        "250 ok\r\n",
        "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
        "250-mx.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 DSN\r\n",
        "250-mx.example\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n",
        "250-",
        "235 2.7.0 welcome\r\n",
        "334 \r\n",
        "354 go\r\n",
        "421 4.3.2 bye\r\n",
        "450 4.2.0 later\r\n",
        "452 too many\r\n",
        "504 no\r\n",
        "550 5.1.1 no\r\n",
        "554 no\r\n",
        "\r",
        "\n",
    ]);
    prop_oneof![
        20 => fragment.prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..8),
        1 => (2040usize..2060).prop_map(|n| [b"250 ".to_vec(), vec![b'x'; n], b"\r\n".to_vec()].concat()),
    ]
}

/// Lets a server say all this, gives content when asked and messages when possible, and checks what must hold after
/// each step. Returns everything written and how many outcomes were told.
fn converse(mut client: Client, sayings: &[Vec<u8>], end: Input<'_>) -> (Vec<u8>, usize, usize) {
    let (mut wire, mut told, mut given, mut closed) = (Vec::new(), 0, 0, false);
    let mut sayings = sayings.iter();
    let mut queue = client.handle(Input::Connected);
    let mut end = Some(end);
    loop {
        while !queue.is_empty() {
            for action in std::mem::take(&mut queue) {
                assert!(!closed, "nothing follows the end");
                match action {
                    Action::Write(bytes) => wire.extend(bytes),
                    Action::StartTls => {
                        queue.extend(client.handle(Input::TlsStarted { private: true }));
                    }
                    Action::MoreContent => queue.extend(client.handle(Input::Content {
                        bytes: b"x\n.\r\n",
                        last: given % 2 == 0,
                    })),
                    Action::Done(outcomes) => told += outcomes.len(),
                    Action::Ready | Action::Failed(_) => {}
                    Action::Close => closed = true,
                }
                if wire.len() > 1 << 20 {
                    return (wire, told, given);
                }
            }
        }
        if client.is_ready() && given < 8 {
            given += 2;
            queue = client.handle(Input::Mail(mail(
                "<a@x.example> <b@y.example> <c@y.example>",
            )));
            continue;
        }
        match (sayings.next(), end.take()) {
            (Some(bytes), kept) => {
                end = kept;
                queue = client.handle(Input::Bytes(bytes));
            }
            (None, Some(last)) => queue = client.handle(last),
            (None, None) => break,
        }
    }
    assert!(client.transcript().lines().count() <= 300);
    assert!(
        !client
            .transcript()
            .lines()
            .any(|line| line.text.contains("c2VjcmV0"))
    );
    (wire, told, given)
}

fn any_profile() -> impl Strategy<Value = Profile> {
    prop::sample::select(vec![
        "",
        "lmtp",
        "tls login=secret",
        "login=secret clear",
        "must",
    ])
    .prop_map(profile)
}

fn address() -> impl Strategy<Value = Address> {
    let local = prop_oneof![
        "\\PC{1,12}",
        "[ -~]{1,20}",
        "[a> <\"\\\\@:,=.]{1,12}",
        "[a-zäöü+.]{1,10}",
    ];
    let host = prop::sample::select(vec![
        "x.example",
        "bücher.example",
        "[192.0.2.1]",
        "[IPv6:2001:db8::1]",
    ]);
    (local, host).prop_filter_map("no local part", |(local, host)| {
        let local = crate::LocalPart::from_text(&local).ok()?;
        Address::from_parts(local, crate::Host::parse(host).ok()?).ok()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_a_server_says_each_recipient_gets_one_outcome(
        profile in any_profile(),
        sayings in prop::collection::vec(saying(), 0..30),
        silent in any::<bool>(),
    ) {
        let end = if silent { Input::TimedOut } else { Input::PeerClosed };
        let (_, told, given) = converse(Client::new(profile), &sayings, end);
        prop_assert_eq!(told, given);
    }

    #[test]
    fn no_address_puts_anything_but_itself_on_the_wire(
        sender in address(),
        recipients in prop::collection::vec(address(), 1..4),
        orcpt in "(rfc822|utf-8);\\PC{0,20}",
        envid in prop::option::of("[ -~]{0,30}"),
        extensions in prop::sample::select(vec!["", "250-SMTPUTF8\r\n250-8BITMIME\r\n", "250-DSN\r\n", "250-DSN\r\n250-SMTPUTF8\r\n"]),
    ) {
        let mut client = Client::new(profile(""));
        client.handle(Input::Connected);
        client.handle(Input::Bytes(b"220 mx\r\n"));
        client.handle(Input::Bytes(format!("250-mx\r\n{extensions}250 PIPELINING\r\n").as_bytes()));
        let parameters = RcptParameters { notify: Some(Notify::Never), orcpt: Some(orcpt) };
        let wanted: Vec<Recipient> = recipients.iter().map(|address| Recipient { address: address.clone(), parameters: parameters.clone() }).collect();
        let mail = Mail { sender: ReversePath::Address(sender.clone()), size: 0, eight_bit: false, smtputf8: false, ret: None, envid, recipients: wanted };
        let utf8 = extensions.contains("SMTPUTF8");
        let mut left = recipients.iter().filter(|address| utf8 || !address.needs_smtputf8());
        for action in client.handle(Input::Mail(mail)) {
            let Action::Write(bytes) = action else { continue };
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(text.ends_with("DATA\r\n"));
            prop_assert_eq!(text.matches(['\r', '\n']).count(), 2 * text.matches("\r\n").count());
            prop_assert!(utf8 || text.is_ascii());
            for line in text.split_terminator("\r\n") {
                match Command::parse(line.as_bytes()) {
                    Ok(Command::Mail { path, .. }) => prop_assert_eq!(path.address(), Some(&sender)),
                    Ok(Command::Rcpt { path, parameters, .. }) => {
                        prop_assert_eq!(path.address(), left.next());
                        prop_assert!(parameters.notify.is_none() || extensions.contains("DSN"));
                    }
                    Ok(Command::Data) => prop_assert!(left.next().is_none()),
                    other => prop_assert!(false, "{} {:?}", line, other),
                }
            }
        }
    }

    #[test]
    fn no_message_ends_anywhere_but_at_its_end(pieces in prop::collection::vec("[\r\n.x]{0,10}", 1..6)) {
        let mut client = Client::new(profile(""));
        client.handle(Input::Connected);
        client.handle(Input::Bytes(b"220 mx\r\n"));
        client.handle(Input::Bytes(b"250-mx\r\n250 PIPELINING\r\n"));
        client.handle(Input::Mail(mail("<a@x.example> <b@y.example>")));
        client.handle(Input::Bytes(b"250 ok\r\n250 ok\r\n354 go\r\n"));
        let mut wire = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            for action in client.handle(Input::Content { bytes: piece.as_bytes(), last: index + 1 == pieces.len() }) {
                if let Action::Write(bytes) = action { wire.extend(bytes); }
            }
        }
        let mut content = Content::new(Framing::Dotted, 1 << 20);
        let taken = content.push(&wire, &mut Vec::new());
        prop_assert!(taken.ended && taken.used == wire.len() && !content.has_bare_line_end());
    }
}

#[test]
fn many_recipients_go_out_in_groups_that_fit_the_buffers_on_the_way() {
    let mut client = Client::new(profile(""));
    client.handle(Input::Connected);
    client.handle(Input::Bytes(b"220 mx\r\n"));
    client.handle(Input::Bytes(b"250-mx\r\n250 PIPELINING\r\n"));
    let recipients: Vec<String> = (0..2000).map(|n| format!("<user{n}@y.example>")).collect();
    let mut actions = client.handle(Input::Mail(mail(&format!("<> {}", recipients.join(" ")))));
    let (mut commands, mut groups) = (0, 0);
    while let [Action::Write(bytes)] = actions.as_slice() {
        assert!(bytes.len() <= 8 * 1024);
        let lines = bytes.iter().filter(|b| **b == b'\n').count();
        let last = bytes.ends_with(b"DATA\r\n");
        (commands, groups) = (commands + lines, groups + 1);
        let replies = "250 ok\r\n".repeat(lines - usize::from(last));
        actions = client.handle(Input::Bytes(replies.as_bytes()));
        if last {
            actions = client.handle(Input::Bytes(b"354 go\r\n"));
        }
    }
    assert_eq!(actions, [Action::MoreContent]);
    assert!(commands == 2002 && groups > 5);
}
