//! Logins: who may still send, who is slowed down, and what is never written down.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use base64::Engine as _;
use postroom_tests::{Daemon, Dialogue, Reply, verb_with};
use serde_json::Value;
use store::{DataDir, Store, setting};

use super::{ALICE, ALICE_ADDRESS, BOB, server, submission};

/// An address of this machine from which nobody else signs in.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

fn signed_in(daemon: &Daemon, name: &str, password: &str) -> Result<Dialogue> {
    let mut client = submission(daemon)?;
    let reply = client.auth_plain(name, password)?;
    ensure!(reply.code == 235, "{reply}");
    Ok(client)
}

/// One try to sign in from [`ELSEWHERE`].
fn try_from_elsewhere(daemon: &Daemon, password: &str) -> Result<Reply> {
    let mut client = Dialogue::connect_from(ELSEWHERE, daemon.submission()?)?;
    client.expect(220)?;
    client.command("EHLO client.example", 250)?;
    client.start_tls()?;
    client.command("EHLO client.example", 250)?;
    client.auth_plain(ALICE.name, password)
}

#[test]
fn a_new_password_ends_sessions_of_the_old_one_at_their_next_message() -> Result<()> {
    let daemon = server()?;
    let mut alice = signed_in(&daemon, ALICE.name, ALICE.password)?;
    let mut bob = signed_in(&daemon, BOB.name, BOB.password)?;
    let begin = format!("MAIL FROM:<{ALICE_ADDRESS}>");
    alice.command(&begin, 250)?;
    let set = verb_with(
        &daemon.data_folder(),
        &["user", "set", "alice", "--password-stdin"],
        "another sesame, 43\n",
    )?;
    ensure!(set.code == 0, "{set:?}");
    // The message under way is finished; the next is not begun.
    alice.command(&format!("RCPT TO:<{ALICE_ADDRESS}>"), 250)?;
    alice.command("DATA", 354)?;
    let reply = alice.send_content(&format!("From: {ALICE_ADDRESS}\nSubject: the last\n\nx\n"))?;
    ensure!(reply.code == 250, "{reply}");
    alice.command(&begin, 421)?;
    bob.command("MAIL FROM:<bob@office.example>", 250)?;

    ensure!(
        submission(&daemon)?
            .auth_plain("alice", ALICE.password)?
            .code
            == 535
    );
    signed_in(&daemon, "alice", "another sesame, 43")?.command(&begin, 250)?;
    Ok(())
}

#[test]
fn a_disabled_or_removed_user_sends_no_more_and_only_the_right_password_learns_why() -> Result<()> {
    let daemon = server()?;
    let mut alice = signed_in(&daemon, ALICE.name, ALICE.password)?;
    let mut bob = signed_in(&daemon, BOB.name, BOB.password)?;
    daemon.command(&["user", "set", "alice", "--enabled", "false"])?;
    daemon.command(&["user", "remove", "bob"])?;
    alice.command(&format!("MAIL FROM:<{ALICE_ADDRESS}>"), 421)?;
    bob.command("MAIL FROM:<bob@office.example>", 421)?;

    let mut client = submission(&daemon)?;
    ensure!(client.auth_plain("alice", "a guess at it")?.code == 535);
    let refused = client.auth_plain("alice", ALICE.password)?;
    ensure!(
        refused.code == 525 && refused.token().is_some(),
        "{refused}"
    );
    ensure!(client.auth_plain("bob", BOB.password)?.code == 535);
    // Mail to her is still taken.
    super::deliver(daemon.smtp()?, "to a disabled user")?;
    daemon.command(&["user", "set", "alice", "--enabled", "true"])?;
    signed_in(&daemon, "alice", ALICE.password)?;
    Ok(())
}

/// Ten at once, because each is answered later than the one before.
fn fail_ten_times(daemon: &Daemon) -> Result<Vec<Reply>> {
    thread::scope(|scope| {
        let guesses: Vec<_> = (0..10)
            .map(|number| {
                scope.spawn(move || try_from_elsewhere(daemon, &format!("guess number {number}")))
            })
            .collect();
        guesses
            .into_iter()
            .map(|guess| guess.join().map_err(|_| anyhow!("a client failed"))?)
            .collect()
    })
}

#[test]
fn ten_failed_logins_block_their_address_and_no_other_until_it_is_lifted() -> Result<()> {
    let daemon = server()?;
    for reply in fail_ten_times(&daemon)? {
        ensure!(reply.code == 535, "{reply}");
        let why = daemon.command(&["explain", reply.token().context("no token")?])?;
        ensure!(
            why.contains("127.0.0.9") && why.contains("password") && why.contains("alice"),
            "{why}"
        );
    }
    // Also with the right password, and said in so many words.
    let blocked = try_from_elsewhere(&daemon, ALICE.password)?;
    ensure!(
        blocked.code == 454 && blocked.text().contains("127.0.0.9"),
        "{blocked}"
    );
    daemon.command(&["explain", blocked.token().context("no token")?])?;
    signed_in(&daemon, ALICE.name, ALICE.password)?;
    // Mail from there is taken as before: only logins are refused.
    let mut guest = Dialogue::connect_from(ELSEWHERE, daemon.smtp()?)?;
    guest.expect(220)?;
    guest.command("EHLO client.example", 250)?;
    let reply = guest.send_message(super::STRANGER, ALICE_ADDRESS, "Subject: x\n\nx\n")?;
    ensure!(reply.code == 250, "{reply}");

    let list = daemon.command(&["blocks", "list"])?;
    ensure!(
        list.lines().count() == 1 && list.starts_with("127.0.0.9\t10 failed sign-ins"),
        "{list}"
    );
    let list: Value = serde_json::from_str(&daemon.command(&["--json", "blocks", "list"])?)?;
    ensure!(
        list[0]["ip"] == "127.0.0.9" && list[0]["reason"] == "failed_logins",
        "{list}"
    );
    daemon.command(&["blocks", "lift", "127.0.0.9"])?;
    ensure!(daemon.command(&["blocks", "list"])?.trim().is_empty());
    let reply = try_from_elsewhere(&daemon, ALICE.password)?;
    ensure!(reply.code == 235, "{reply}");
    Ok(())
}

#[test]
fn many_guesses_at_the_same_moment_are_no_more_tries_than_ten() -> Result<()> {
    let daemon = server()?;
    let codes: Vec<u16> = thread::scope(|scope| {
        let guesses: Vec<_> = (0..40)
            .map(|number| {
                let daemon = &daemon;
                scope.spawn(move || try_from_elsewhere(daemon, &format!("guess number {number}")))
            })
            .collect();
        guesses
            .into_iter()
            .map(|guess| Ok(guess.join().map_err(|_| anyhow!("a client failed"))??.code))
            .collect::<Result<_>>()
    })?;
    let checked = codes.iter().filter(|code| **code == 535).count();
    // Two passwords are checked at once, so one more may be under way when the tenth fails.
    ensure!(
        (10..=11).contains(&checked),
        "{checked} guesses were checked"
    );
    ensure!(
        codes.iter().all(|code| matches!(code, 535 | 454)),
        "{codes:?}"
    );
    Ok(())
}

#[test]
fn a_block_outlives_a_restart() -> Result<()> {
    let daemon = server()?;
    fail_ten_times(&daemon)?;
    let daemon = daemon.restart()?;
    let reply = try_from_elsewhere(&daemon, ALICE.password)?;
    ensure!(reply.code == 454, "{reply}");
    Ok(())
}

#[test]
fn each_failed_login_is_an_entry_of_the_log_with_the_token_of_its_reply() -> Result<()> {
    let daemon = server()?;
    let mut client = submission(&daemon)?;
    let known = client.auth_plain("alice", "a guess at it")?;
    let unknown = client.auth_login("nobody", "a guess at it")?;
    let address = client.auth_plain("Alice@OFFICE.example", "a guess at it")?;
    let log = daemon.command(&["log", "--outcome", "refused"])?;
    for (reply, who) in [(known, "alice"), (unknown, ""), (address, "alice")] {
        ensure!(reply.code == 535, "{reply}");
        let token = reply.token().context("no token")?;
        ensure!(log.contains(token), "{token} is missing in:\n{log}");
        let why = daemon.command(&["explain", token])?;
        let login = why
            .lines()
            .find(|line| line.starts_with("Signed in"))
            .unwrap_or_default();
        ensure!(login.ends_with(who), "{why}");
        ensure!(!why.contains("nobody") && !why.contains("guess"), "{why}");
    }
    Ok(())
}

/// All files below a folder that hold one of these.
fn files_with(folder: &Path, secrets: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with(&path, secrets)?);
            continue;
        }
        let octets = fs::read(&path)?;
        let holds = |secret: &&String| {
            octets
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        };
        found.extend(
            secrets
                .iter()
                .filter(holds)
                .map(|secret| format!("{} holds {secret:?}", path.display())),
        );
    }
    Ok(found)
}

#[test]
fn what_people_type_to_sign_in_is_kept_nowhere() -> Result<()> {
    let daemon = server()?;
    let typed = [
        ALICE.password,
        "wrong-pazzword-1",
        "pazzword-as-the-name",
        "pazzword-without-starttls",
    ];
    let base64 = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let mut client = submission(&daemon)?;
    ensure!(client.auth_plain("alice", typed[1])?.code == 535);
    ensure!(client.auth_login(typed[2], typed[1])?.code == 535);
    // Sent blindly, by a client that does not wait for an answer.
    client.command(
        &format!("AUTH PLAIN {} {}", base64(typed[1].to_owned()), typed[1]),
        501,
    )?;
    client.command(&base64(typed[1].to_owned()), 500)?;
    client.command(typed[1], 500)?;
    client.command(&format!("AUTH {}", typed[1]), 504)?;
    let mut clear = Dialogue::open(daemon.submission()?)?;
    clear.auth_plain("alice", typed[3])?;
    clear.command(&format!("VRFY {}", typed[3]), 252)?;
    ensure!(client.auth_plain("alice", typed[0])?.code == 235);
    let letter = format!("From: {ALICE_ADDRESS}\nSubject: x\n\nx\n");
    ensure!(
        client
            .send_message(ALICE_ADDRESS, ALICE_ADDRESS, &letter)?
            .code
            == 250
    );
    client.command("QUIT", 221)?;
    clear.command("QUIT", 221)?;

    let plain = |login: &str, password: &str| base64(format!("\0{login}\0{password}"));
    let mut secrets: Vec<String> = typed.iter().map(|text| (*text).to_owned()).collect();
    secrets.extend(typed.iter().map(|text| base64((*text).to_owned())));
    secrets.extend([
        plain("alice", typed[0]),
        plain("alice", typed[1]),
        plain("alice", typed[3]),
    ]);
    let found = files_with(&daemon.data_folder(), &secrets)?;
    ensure!(found.is_empty(), "{found:?}");
    let mut printed = daemon.log()?;
    for verb in [
        &["settings", "export"][..],
        &["--json", "user", "list"],
        &["--json", "log"],
        &["--json", "status"],
    ] {
        printed += &daemon.command(verb)?;
    }
    ensure!(
        secrets.iter().all(|secret| !printed.contains(secret)),
        "{printed}"
    );
    ensure!(!printed.contains("$argon2"), "a hash is shown: {printed}");
    in_no_revision(&daemon, &secrets)
}

/// No revision of the settings holds a hash of a password or one of these.
fn in_no_revision(daemon: &Daemon, secrets: &[String]) -> Result<()> {
    let store = Store::open(&DataDir::new(daemon.data_folder()))?;
    let revisions = store.read(|conn| {
        let latest = setting::latest(conn)?.0;
        (1..=latest)
            .map(|number| setting::as_of(conn, setting::Revision(number)))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let kept = format!("{revisions:?}");
    ensure!(revisions.len() > 2 && kept.contains("alice"));
    ensure!(!kept.contains("argon2") && secrets.iter().all(|secret| !kept.contains(secret)));
    Ok(())
}
