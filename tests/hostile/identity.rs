//! Who a client is, and whose the recipient is: neither can be talked into something else.

use anyhow::{Result, ensure};
use base64::Engine as _;
use postroom_tests::{Daemon, Dialogue};

use super::{ALICE, BOB, server};

fn base64(text: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn plain(response: &[u8]) -> String {
    format!("AUTH PLAIN {}", base64(response))
}

/// A session before its login; AUTH before EHLO is none.
fn connect(daemon: &Daemon) -> Result<Dialogue> {
    let mut client = Dialogue::connect_tls(daemon.submissions()?)?;
    client.expect(220)?;
    let early = plain(format!("\0alice\0{}", ALICE.password).as_bytes());
    client.command(&early, 503)?;
    client.command("EHLO client.example", 250)?;
    Ok(client)
}

// Each mistake in a connection of its own: one client makes only so many.

#[test]
fn no_command_that_breaks_the_rules_signs_anybody_in() -> Result<()> {
    let daemon = server()?;
    let password = ALICE.password;
    for (line, code) in [
        ("AUTH".to_owned(), 501),
        ("AUTH PLAIN a b".to_owned(), 501),
        ("AUTH ANONYMOUS dA==".to_owned(), 504),
        ("AUTH EXTERNAL =".to_owned(), 504),
        ("AUTH PLAIN =".to_owned(), 501),
        ("AUTH PLAIN !!!!".to_owned(), 501),
        ("AUTH PLAIN YQ".to_owned(), 501),
        (plain(b"alice"), 501),
        (plain(b"\0alice"), 501),
        (plain(b"\0alice\0"), 501),
        (plain(format!("\0\0{password}").as_bytes()), 501),
        (plain(format!("\0alice\0{password}\0").as_bytes()), 501),
        (plain(b"\0\xff\xfe\0\xff"), 501),
        (plain(format!("bob\0alice\0{password}").as_bytes()), 535),
        (plain(format!("alice\0bob\0{password}").as_bytes()), 535),
        (plain(&[b'a'; 20_000]), 500),
        (plain(&vec![b'a'; 1_000_000]), 500),
    ] {
        let mut client = connect(&daemon)?;
        let reply = client.say(&line)?;
        let start = line.get(..40).unwrap_or(&line);
        ensure!(reply.code == code, "{start}: {reply}");
        client.command("MAIL FROM:<alice@office.example>", 530)?;
    }
    Ok(())
}

#[test]
fn no_exchange_that_breaks_the_rules_signs_anybody_in() -> Result<()> {
    let daemon = server()?;
    let password = ALICE.password;
    let mut client = connect(&daemon)?;
    for (mechanism, responses) in [
        ("AUTH PLAIN", &["*"][..]),
        ("AUTH LOGIN", &["*"]),
        ("AUTH LOGIN", &["YWxpY2U=", "*"]),
        ("AUTH LOGIN", &["?"]),
        ("AUTH LOGIN", &[""]),
        ("AUTH LOGIN", &["YWxpY2U=", ""]),
        ("AUTH LOGIN", &["YWxpY2UA", "YWxpY2U="]),
    ] {
        client = connect(&daemon)?;
        client.command(mechanism, 334)?;
        let mut reply = client.say(responses[0])?;
        if let (334, Some(second)) = (reply.code, responses.get(1)) {
            reply = client.say(second)?;
        }
        ensure!(
            reply.code == 501 && reply.token().is_some(),
            "{mechanism} {responses:?}: {reply}"
        );
        client.command("MAIL FROM:<alice@office.example>", 530)?;
    }
    // After all that, the right password is still the right password, once.
    ensure!(client.auth_plain("alice", password)?.code == 235);
    ensure!(client.auth_plain("alice", password)?.code == 503);
    client.command("MAIL FROM:<alice@office.example> AUTH=<>", 250)?;
    ensure!(client.auth_plain("bob", BOB.password)?.code == 503);
    let mut clear = Dialogue::open(daemon.submission()?)?;
    ensure!([530, 538].contains(&clear.auth_plain("alice", password)?.code));
    Ok(())
}

/// Recipients that some server somewhere has sent on to `elsewhere.example` or to an address of its own.
const RELAY_FORMS: [&str; 34] = [
    "victim@elsewhere.example",
    "victim@ELSEWHERE.EXAMPLE",
    "victim%elsewhere.example@office.example",
    "victim%elsewhere.example@[127.0.0.1]",
    "victim%elsewhere.example",
    "a%b%elsewhere.example@office.example",
    "@office.example:victim@elsewhere.example",
    "@office.example,@mx.office.example:victim@elsewhere.example",
    "@[127.0.0.1]:victim@elsewhere.example",
    "elsewhere.example!victim",
    "elsewhere.example!victim@office.example",
    "elsewhere.example!victim@[127.0.0.1]",
    "office.example!victim@elsewhere.example",
    "victim@elsewhere.example@office.example",
    "alice@office.example@elsewhere.example",
    "\"victim@elsewhere.example\"",
    "\"victim@elsewhere.example\"@office.example",
    "\"victim@elsewhere.example\"@[127.0.0.1]",
    "\"victim%elsewhere.example\"@office.example",
    "\"alice@office.example\"@elsewhere.example",
    "victim\\@elsewhere.example@office.example",
    "victim@elsewhere.example.",
    "victim@[192.0.2.1]",
    "victim@[IPv6:2001:db8::1]",
    "victim@[elsewhere.example]",
    "alice@192.0.2.1",
    "alice@office.example.elsewhere.example",
    "alice@xoffice.example",
    "alice@example",
    "alice@office.example>,<victim@elsewhere.example",
    "alice@office.example,victim@elsewhere.example",
    "victim@elsewhere.example(office.example)",
    "alice+victim=elsewhere.example@elsewhere.example",
    "|/bin/true@elsewhere.example",
];

#[test]
fn no_way_of_writing_a_recipient_makes_another_domain_ours() -> Result<()> {
    let daemon = server()?;
    for sender in [
        "<stranger@elsewhere.example>",
        "<>",
        "<root@[127.0.0.1]>",
        "<victim@elsewhere.example>",
    ] {
        for form in RELAY_FORMS {
            let mut client = Dialogue::open(daemon.smtp()?)?;
            client.command(&format!("MAIL FROM:{sender}"), 250)?;
            let reply = client.say(&format!("RCPT TO:<{form}>"))?;
            ensure!((500..600).contains(&reply.code), "{sender} {form}: {reply}");
        }
    }
    // Nor does a name or a failed login; and Alice herself is there, also by a route that is ignored.
    for name in [
        "office.example",
        "[127.0.0.1]",
        "localhost",
        "mx.office.example",
    ] {
        let mut client = Dialogue::connect(daemon.smtp()?)?;
        client.expect(220)?;
        client.command(&format!("EHLO {name}"), 250)?;
        client.auth_plain("alice", "not her password")?;
        client.command("MAIL FROM:<stranger@elsewhere.example>", 250)?;
        client.command("RCPT TO:<victim@elsewhere.example>", 550)?;
        client.command("RCPT TO:<alice@office.example>", 250)?;
        client.command("RCPT TO:<@elsewhere.example:alice@office.example>", 250)?;
    }
    Ok(())
}
