//! Certificates and versions of TLS.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Daemon, Dialogue};
use rcgen::generate_simple_self_signed;
use rustls::version::{TLS12, TLS13};
use serde_json::json;

use super::{ALICE, ALICE_ADDRESS, STRANGER, server, status};

/// Writes a new certificate and its key, and returns the certificate in DER.
fn make(folder: &Path) -> Result<Vec<u8>> {
    let made = generate_simple_self_signed(["mx.office.example".to_owned()])?;
    // Never a moment with a file that is half written.
    for (name, text) in [
        ("key.pem", made.signing_key.serialize_pem()),
        ("chain.pem", made.cert.pem()),
    ] {
        fs::write(folder.join("next"), text)?;
        fs::rename(folder.join("next"), folder.join(name))?;
    }
    Ok(made.cert.der().to_vec())
}

fn implicit(daemon: &Daemon) -> Result<Vec<u8>> {
    Dialogue::connect_tls(daemon.submissions()?)?
        .certificate()
        .context("no certificate")
}

fn start_tls(daemon: &Daemon) -> Result<Vec<u8>> {
    let mut client = Dialogue::open(daemon.submission()?)?;
    client.start_tls()?;
    client.certificate().context("no certificate")
}

#[test]
fn an_own_certificate_is_served_at_once_and_again_when_its_files_change() -> Result<()> {
    let daemon = server()?;
    let own = implicit(&daemon)?;
    ensure!(start_tls(&daemon)? == own);
    let folder = tempfile::tempdir()?;
    let first = make(folder.path())?;
    let (chain, key) = (
        folder.path().join("chain.pem"),
        folder.path().join("key.pem"),
    );
    let mut before = Dialogue::connect_tls(daemon.submissions()?)?;
    before.expect(220)?;
    daemon.apply(&json!({"service": {"certificate": {"chain": chain, "key": key}}}))?;
    ensure!(implicit(&daemon)? == first && start_tls(&daemon)? == first);
    // A session that began under the other certificate goes on.
    before.command("EHLO client.example", 250)?;

    let second = make(folder.path())?;
    until("the new files are served", || {
        Ok((implicit(&daemon)? == second).then_some(()))
    })?;
    ensure!(start_tls(&daemon)? == second);

    // Files that cannot be used are told, and change nothing.
    fs::write(&chain, "spoilt")?;
    until("the server says what is wrong", || {
        let problem = status(&daemon)?["problem"]["path"].clone();
        Ok((problem == "service.certificate.chain").then_some(()))
    })?;
    ensure!(implicit(&daemon)? == second);
    let third = make(folder.path())?;
    until("good files are served again", || {
        Ok((implicit(&daemon)? == third).then_some(()))
    })?;
    until("nothing is wrong any more", || {
        Ok(status(&daemon)?["problem"].is_null().then_some(()))
    })?;

    daemon.command(&["settings", "set", "service.certificate", "self_signed"])?;
    ensure!(implicit(&daemon)? == own, "our own is still there");
    Ok(())
}

#[test]
fn our_own_certificate_outlives_a_restart() -> Result<()> {
    let daemon = server()?;
    let before = implicit(&daemon)?;
    let daemon = daemon.restart()?;
    ensure!(implicit(&daemon)? == before);
    Ok(())
}

/// A first message for TLS of this version (RFC 5246 §7.4.1.2, RFC 8422 §5.1), and what comes back: the content type
/// of the first record, and its content.
fn hello(daemon: &Daemon, minor: u8) -> Result<(u8, Vec<u8>)> {
    const SUITES: [u8; 8] = [0xc0, 0x09, 0xc0, 0x13, 0x00, 0x2f, 0xc0, 0x2b];
    const EXTENSIONS: [u8; 28] = [
        0, 10, 0, 6, 0, 4, 0, 29, 0, 23, // groups x25519 and P-256
        0, 11, 0, 2, 1, 0, // points as they are
        0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1, // signatures
    ];
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, u8::try_from(SUITES.len())?]);
    body.extend(SUITES);
    body.extend([1, 0]);
    body.extend([0, u8::try_from(EXTENSIONS.len())?]);
    body.extend(EXTENSIONS);
    let length = u8::try_from(body.len())?;
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    let mut stream = TcpStream::connect(daemon.submissions()?)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(&record)?;
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut content)?;
    Ok((head[0], content))
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_nothing_older() -> Result<()> {
    let daemon = server()?;
    for (version, name) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
        let mut client = Dialogue::connect_tls_with(daemon.submissions()?, &[version])?;
        client.expect(220)?;
        client.command("EHLO client.example", 250)?;
        ensure!(client.auth_plain(ALICE.name, ALICE.password)?.code == 235);
        let letter = format!("From: {ALICE_ADDRESS}\nSubject: {name}\n\nhello\n");
        let reply = client.send_message(ALICE_ADDRESS, ALICE_ADDRESS, &letter)?;
        ensure!(reply.code == 250, "{reply}");
        let delivered = daemon
            .delivered("alice")?
            .containing(&format!("Subject: {name}"))?;
        let head = delivered.first().context("not delivered")?;
        let received = head.replace("\n\t", " ").replace("\n ", " ");
        ensure!(
            received.contains("with ESMTPSA") && received.contains(name),
            "{received}"
        );
    }
    // The same hello with another version: a handshake goes on (22), or an alert (21) of protocol_version (70).
    ensure!(hello(&daemon, 3)?.0 == 22);
    for minor in [0, 1, 2] {
        let (kind, content) = hello(&daemon, minor)?;
        ensure!(
            (kind, content.as_slice()) == (21, &[2, 70][..]),
            "3.{minor}: {kind} {content:?}"
        );
    }
    Ok(())
}

#[test]
fn mail_from_outside_comes_with_and_without_tls() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::open(daemon.smtp()?)?;
    client.start_tls()?;
    let hello = client.command("EHLO client.example", 250)?;
    ensure!(!hello.announces("STARTTLS") && hello.announces("AUTH"));
    let reply = client.send_message(STRANGER, ALICE_ADDRESS, "Subject: sealed\n\nhello\n")?;
    ensure!(reply.code == 250, "{reply}");
    super::deliver(daemon.smtp()?, "open")?;
    ensure!(daemon.delivered("alice")?.containing("with ESMTPS ")?.len() == 1);
    ensure!(daemon.delivered("alice")?.containing("with ESMTP ")?.len() == 1);
    Ok(())
}
