//! Clients that mean harm: what they send is never taken for another message, another command, another user or
//! another domain, and the next client is served as if nothing had been.

#[path = "hostile/framing.rs"]
mod framing;
#[path = "hostile/identity.rs"]
mod identity;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Daemon, Dialogue, User};
use serde_json::json;

const ALICE: User = User {
    name: "alice",
    password: "open sesame, 42",
};
const BOB: User = User {
    name: "bob",
    password: "close sesame, 24",
};
const STRANGER: &str = "stranger@elsewhere.example";

/// A server that hears everybody out: by its defaults it sends clients away that do not wait for replies, and what they
/// smuggle would not be seen to fail.
fn server() -> Result<Daemon> {
    let patient = json!({"security": {"advanced": {
        "reject_unauthorized_pipelining": false,
        "reject_non_fqdn_helo": false,
        "max_nonexistent_accounts": null,
    }}});
    Daemon::start(&patient, &[ALICE, BOB])
}

/// A session that has come as far as RCPT for Alice.
fn addressed(daemon: &Daemon) -> Result<Dialogue> {
    let mut client = Dialogue::open(daemon.smtp()?)?;
    client.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    client.command("RCPT TO:<alice@office.example>", 250)?;
    Ok(client)
}

/// The codes of all replies until the server closes the connection.
fn codes(client: &mut Dialogue) -> Vec<u16> {
    let mut codes = Vec::new();
    while let Ok(reply) = client.reply() {
        codes.push(reply.code);
    }
    codes
}

/// An ordinary letter to Alice is taken: whatever came before did no harm.
fn still_serves(daemon: &Daemon) -> Result<()> {
    let reply = addressed(daemon)?.say("DATA")?;
    ensure!(reply.code == 354, "{reply}");
    let mut client = Dialogue::open(daemon.smtp()?)?;
    let reply = client.send_message(
        STRANGER,
        "alice@office.example",
        "Subject: still here\n\nyes",
    )?;
    ensure!(reply.code == 250, "{reply}");
    ensure!(
        !daemon
            .delivered("alice")?
            .containing("still here")?
            .is_empty()
    );
    Ok(())
}

#[test]
fn nothing_sent_in_clear_text_behind_starttls_is_carried_out_inside_tls() -> Result<()> {
    let daemon = server()?;
    let flood = "NOOP\r\n".repeat(2000);
    for injected in [
        "NOOP\r\n",
        "NOO",
        "\0\r\n",
        "EHLO attacker.example\r\nMAIL FROM:<mallory@elsewhere.example>\r\nRCPT TO:<alice@office.example>\r\nDATA\r\n",
        "EHLO attacker.example\r\nAUTH LOGIN\r\n",
        "STARTTLS\r\n",
        "QUIT\r\n",
        flood.as_str(),
    ] {
        for port in [daemon.smtp()?, daemon.submission()?] {
            let mut client = Dialogue::open(port)?;
            client.send(format!("STARTTLS\r\n{injected}").as_bytes())?;
            client.expect(220)?;
            if client.secure().is_err() {
                // Also right: what was injected is not TLS.
                continue;
            }
            // The very first reply inside TLS belongs to the first command inside TLS, and nothing is known yet.
            client
                .command("VRFY alice", 252)
                .with_context(|| format!("{injected:?}"))?;
            client.command("RCPT TO:<alice@office.example>", 503)?;
            client.command("MAIL FROM:<stranger@elsewhere.example>", 503)?;
        }
    }
    ensure!(daemon.delivered("alice")?.messages()?.is_empty());
    still_serves(&daemon)
}

#[test]
fn what_was_said_before_starttls_is_forgotten() -> Result<()> {
    let daemon = server()?;
    let mut client = addressed(&daemon)?;
    client.start_tls()?;
    client.command("DATA", 503)?;
    client.command("MAIL FROM:<a@elsewhere.example>", 503)?;
    let hello = client.command("EHLO client.example", 250)?;
    ensure!(!hello.announces("STARTTLS"));
    client.command("DATA", 503)?;
    client.command("STARTTLS", 503)?;
    client.command("STARTTLS now", 501)?;
    Ok(())
}

#[test]
fn a_whole_session_in_one_write_is_answered_in_its_order() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::connect(daemon.smtp()?)?;
    let message = "MAIL FROM:<stranger@elsewhere.example>\r\nRCPT TO:<nobody@office.example>\r\n\
                   RCPT TO:<alice@office.example>\r\nDATA\r\nSubject: at once\r\n\r\nx\r\n.\r\n";
    let all = format!("EHLO client.example\r\n{message}NOOP\r\n{message}RSET\r\nQUIT\r\nNOOP\r\n");
    client.send(all.as_bytes())?;
    let one = [250, 550, 250, 354, 250];
    let expected = [&[220, 250][..], &one, &[250], &one, &[250, 221]].concat();
    ensure!(codes(&mut client) == expected);
    ensure!(
        daemon
            .delivered("alice")?
            .containing("Subject: at once")?
            .len()
            == 2
    );
    Ok(())
}

#[test]
fn lines_without_end_are_refused_and_the_session_goes_on() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::open(daemon.smtp()?)?;
    for length in [4095, 5000, 100_000, 3_000_000] {
        client.command(&format!("NOOP {}", "x".repeat(length)), 500)?;
        client.command(
            &format!("MAIL FROM:<{}@elsewhere.example>", "x".repeat(length)),
            500,
        )?;
        client.command("NOOP", 250)?;
    }
    client.command(&format!("EHLO {}", "x".repeat(300)), 501)?;
    client.command(
        &format!("MAIL FROM:<{}@elsewhere.example>", "x".repeat(65)),
        501,
    )?;
    // Inside a message a line may be as long as it likes: it is delivered as it came.
    let line = "y".repeat(2_000_000);
    let reply = client.send_message(
        STRANGER,
        "alice@office.example",
        &format!("Subject: long\n\n{line}"),
    )?;
    ensure!(reply.code == 250, "{reply}");
    ensure!(
        daemon
            .delivered("alice")?
            .containing(&format!("\n{line}\n"))?
            .len()
            == 1
    );
    Ok(())
}

/// Octets that look random and are the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn other_protocols_and_noise_are_shown_out_and_nothing_of_them_is_carried_out() -> Result<()> {
    let daemon = server()?;
    let posted = "EHLO x\r\nMAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<alice@office.example>\r\nDATA\r\nx\r\n.\r\n";
    let browser = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{posted}",
        posted.len()
    );
    let hello = [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        &noise(600),
    ]
    .concat();
    for (speech, code) in [
        (browser.as_bytes(), 554),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 554),
        (&hello, 554),
        (b"SSH-2.0-client\r\nQUIT\r\n", 500),
        (b"\0\0\0\0\r\nQUIT\r\n", 500),
        (b"MAIL FROM:<\xff\xfe@elsewhere.example>\r\nQUIT\r\n", 500),
    ] {
        let mut client = Dialogue::connect(daemon.smtp()?)?;
        client.expect(220)?;
        client.send(speech)?;
        let codes = codes(&mut client);
        ensure!(
            codes.first() == Some(&code) && !codes.contains(&354),
            "{speech:?}: {codes:?}"
        );
        ensure!(
            code != 554 || codes.len() == 1,
            "went on after {speech:?}: {codes:?}"
        );
    }
    for port in [daemon.smtp()?, daemon.submission()?, daemon.submissions()?] {
        let mut client = Dialogue::connect(port)?;
        // The server may hang up in the middle of it.
        let _ = client.send(&noise(300_000));
        drop(client);
    }
    ensure!(daemon.delivered("alice")?.messages()?.is_empty());
    still_serves(&daemon)
}

#[test]
fn a_connection_cut_in_the_middle_of_a_message_delivers_nothing() -> Result<()> {
    let daemon = server()?;
    for content in [
        "Subject: cut off\r\n\r\nhalf a li",
        "Subject: cut off\r\n\r\nline\r\n.",
        "Subject: cut off\r\n\r\nline\r\n.\r",
    ] {
        for tls in [false, true] {
            let mut client = Dialogue::open(daemon.smtp()?)?;
            if tls {
                client.start_tls()?;
                client.command("EHLO client.example", 250)?;
            }
            client.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
            client.command("RCPT TO:<alice@office.example>", 250)?;
            client.command("DATA", 354)?;
            client.send(content.as_bytes())?;
        }
    }
    until("the cut sessions are written down", || {
        let aborted = daemon.command(&["log", "--outcome", "aborted"])?;
        Ok((aborted.lines().count() >= 6).then_some(()))
    })?;
    ensure!(daemon.delivered("alice")?.messages()?.is_empty());
    ensure!(daemon.delivered("alice")?.unfinished()?.is_empty());
    still_serves(&daemon)
}

#[test]
fn hands_that_are_never_shaken_keep_nobody_out() -> Result<()> {
    let daemon = server()?;
    let mut hung = Vec::new();
    for _ in 0..100 {
        let mut client = Dialogue::open(daemon.smtp()?)?;
        client.command("STARTTLS", 220)?;
        hung.push(client);
        hung.push(Dialogue::connect(daemon.submissions()?)?);
    }
    let began = Instant::now();
    still_serves(&daemon)?;
    let mut user = Dialogue::connect_tls(daemon.submissions()?)?;
    user.expect(220)?;
    ensure!(began.elapsed() < Duration::from_secs(10));
    Ok(())
}
