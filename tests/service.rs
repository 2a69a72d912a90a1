//! The server while it runs: settings and ports change under it, users come and go, it is told to stop or is killed,
//! and clients behave badly. What was promised holds all the time.

#[path = "service/journal.rs"]
mod journal;
#[path = "service/lists.rs"]
mod lists;
#[path = "service/load.rs"]
mod load;
#[path = "service/logins.rs"]
mod logins;
#[path = "service/shutdown.rs"]
mod shutdown;
#[path = "service/tls.rs"]
mod tls;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::{Daemon, Dialogue, User, verb_with};
use serde_json::{Value, json};

const ALICE: User = User {
    name: "alice",
    password: "open sesame, 42",
};
const BOB: User = User {
    name: "bob",
    password: "close sesame, 24",
};
const ALICE_ADDRESS: &str = "alice@office.example";
const BOB_ADDRESS: &str = "bob@office.example";
const STRANGER: &str = "stranger@elsewhere.example";

fn server() -> Result<Daemon> {
    Daemon::start(&json!({}), &[ALICE, BOB])
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn status(daemon: &Daemon) -> Result<Value> {
    Ok(serde_json::from_str(
        &daemon.command(&["--json", "status"])?,
    )?)
}

/// A stranger's letter to Alice in a session of its own, which must be taken.
fn deliver(address: SocketAddr, subject: &str) -> Result<()> {
    let letter = format!("Subject: {subject}\n\nhello\n");
    let reply = Dialogue::open(address)?.send_message(STRANGER, ALICE_ADDRESS, &letter)?;
    ensure!(reply.code == 250, "{reply}");
    Ok(())
}

/// A session in TLS on the port for submissions, before any login.
fn submission(daemon: &Daemon) -> Result<Dialogue> {
    let mut client = Dialogue::connect_tls(daemon.submissions()?)?;
    client.expect(220)?;
    client.command("EHLO client.example", 250)?;
    Ok(client)
}

#[test]
fn a_setting_holds_from_the_next_transaction_on_and_one_under_way_keeps_the_old() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::open(daemon.smtp()?)?;
    let begin = format!("MAIL FROM:<{STRANGER}>");
    let (alice, bob) = (
        format!("RCPT TO:<{ALICE_ADDRESS}>"),
        format!("RCPT TO:<{BOB_ADDRESS}>"),
    );
    client.command(&begin, 250)?;
    client.command(&alice, 250)?;

    daemon.command(&["settings", "set", "general.max_recipients", "1"])?;
    client.command(&bob, 250)?;
    client.command("DATA", 354)?;
    let reply = client.send_content("Subject: to both\n\nhello\n")?;
    ensure!(reply.code == 250, "{reply}");

    client.command(&begin, 250)?;
    client.command(&alice, 250)?;
    let refused = client.command(&bob, 452)?;
    ensure!(refused.text().contains("limit 1"), "{refused}");
    ensure!(daemon.delivered("bob")?.messages()?.len() == 1);
    Ok(())
}

#[test]
fn every_general_setting_is_seen_by_the_next_client_without_a_restart() -> Result<()> {
    let daemon = server()?;
    let mut old = Dialogue::open(daemon.smtp()?)?;
    daemon.apply(&json!({"general": {
        "banner": "ESMTP at your service", "hostname": "mail.office.example", "max_message_size_mb": 3,
        "additional_domains": ["branch.example"],
    }}))?;
    let mut new = Dialogue::connect(daemon.smtp()?)?;
    ensure!(new.expect(220)?.text() == "mail.office.example ESMTP at your service");
    for client in [&mut old, &mut new] {
        let hello = client.command("EHLO client.example", 250)?;
        ensure!(
            hello
                .lines
                .iter()
                .any(|line| line.ends_with("SIZE 3145728")),
            "{hello}"
        );
        client.command(&format!("MAIL FROM:<{STRANGER}> SIZE=3145729"), 552)?;
        client.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
        client.command("RCPT TO:<alice@branch.example>", 250)?;
    }
    Ok(())
}

#[test]
fn a_user_can_be_written_to_as_soon_as_there_is_one_and_no_longer() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::open(daemon.smtp()?)?;
    let mut carol = |code| {
        client.command("RSET", 250)?;
        client.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
        client.command("RCPT TO:<carol@office.example>", code)
    };
    carol(550)?;
    let added = verb_with(
        &daemon.data_folder(),
        &["user", "add", "carol", "--password-stdin"],
        BOB.password,
    )?;
    ensure!(added.code == 0, "{added:?}");
    carol(250)?;
    daemon.command(&["user", "remove", "carol"])?;
    carol(550)?;
    daemon.command(&["group", "add", "carol", "alice", "bob"])?;
    carol(250)?;
    Ok(())
}

#[test]
fn every_change_answers_a_program_in_json() -> Result<()> {
    let daemon = server()?;
    let carol = json!({"name": "carol", "display_name": "Carol", "enabled": true});
    let add = ["--json", "user", "add", "carol", "--display-name", "Carol"];
    let added = verb_with(
        &daemon.data_folder(),
        &[&add[..], &["--password-stdin"]].concat(),
        BOB.password,
    )?;
    ensure!(added.code == 0, "{added:?}");
    ensure!(serde_json::from_str::<Value>(&added.out)? == carol);
    let all = |members: Value| json!({"name": "all", "members": members});
    for (verb, answer) in [
        (
            &["user", "set", "carol", "--rename", "carola"][..],
            json!({"name": "carola", "display_name": "Carol", "enabled": true}),
        ),
        (&["user", "remove", "carola"], json!({})),
        (&["group", "add", "all", "alice"], all(json!(["alice"]))),
        (&["group", "set", "all", "bob"], all(json!(["bob"]))),
        (&["group", "remove", "all"], json!({})),
        (&["blocks", "lift", "192.0.2.1"], json!({})),
        (&["stop"], json!({})),
        (&["start"], json!({})),
    ] {
        let said = daemon.command(&[&["--json"], verb].concat())?;
        ensure!(
            serde_json::from_str::<Value>(&said)? == answer,
            "{verb:?}: {said}"
        );
    }
    Ok(())
}

#[test]
fn changed_ports_open_and_close_at_once_and_sessions_under_way_finish() -> Result<()> {
    let (old, new) = (loopback(free_port()?), loopback(free_port()?));
    let daemon = Daemon::start(&json!({"service": {"smtp": [old]}}), &[ALICE, BOB])?;
    let submission_before = daemon.submission()?;
    let mut guest = Dialogue::open(old)?;
    guest.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;

    daemon.apply(&json!({"service": {"smtp": [new]}}))?;
    deliver(new, "by the new port")?;
    ensure!(
        Dialogue::connect(old).is_err(),
        "the old port is still open"
    );
    guest.command(&format!("RCPT TO:<{ALICE_ADDRESS}>"), 250)?;
    guest.command("DATA", 354)?;
    let reply = guest.send_content("Subject: by the old port\n\nhello\n")?;
    ensure!(reply.code == 250, "{reply}");
    // A port that did not change was not touched.
    Dialogue::open(submission_before)?;

    daemon.apply(&json!({"service": {"smtp": [old, new]}}))?;
    deliver(old, "old again")?;
    deliver(new, "and new")?;
    ensure!(daemon.delivered("alice")?.messages()?.len() == 4);
    let listeners = status(&daemon)?["listeners"].to_string();
    ensure!(listeners.contains(&old.to_string()) && listeners.contains(&new.to_string()));
    Ok(())
}

#[test]
fn a_port_can_move_between_one_address_and_all_of_them() -> Result<()> {
    let port = free_port()?;
    let one = loopback(port);
    let all = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let other = SocketAddr::from(([127, 0, 0, 2], port));
    let daemon = Daemon::start(&json!({"service": {"smtp": [one]}}), &[ALICE, BOB])?;
    for round in 0..3 {
        let mut guest = Dialogue::open(one)?;
        ensure!(Dialogue::connect(other).is_err(), "round {round}");
        daemon.apply(&json!({"service": {"smtp": [all]}}))?;
        deliver(other, "to another address of this machine")?;
        deliver(one, "to the usual address")?;
        guest.command("NOOP", 250)?;
        daemon.apply(&json!({"service": {"smtp": [one]}}))?;
        deliver(one, "to the only address")?;
        guest.command("NOOP", 250)?;
    }
    Ok(())
}

#[test]
fn a_server_told_to_stop_can_be_told_to_start() -> Result<()> {
    let port = loopback(free_port()?);
    let daemon = Daemon::start(&json!({"service": {"smtp": [port]}}), &[ALICE, BOB])?;
    let mut idle = Dialogue::open(port)?;
    for _ in 0..2 {
        daemon.command(&["stop"])?;
        until("it says that it has stopped", || {
            Ok((status(&daemon)?["state"] == "stopped").then_some(()))
        })?;
        ensure!(Dialogue::connect(port).is_err(), "the port is still open");
        // What was stored meanwhile is in force after the start.
        daemon.command(&["settings", "set", "general.banner", "ESMTP again"])?;
        daemon.command(&["start"])?;
        until("it runs again", || {
            Ok((status(&daemon)?["state"] == "running").then_some(()))
        })?;
        deliver(port, "after the start")?;
    }
    let bye = idle.reply().context("an idle session is told")?;
    ensure!(bye.code == 421, "{bye}");
    let greeting = Dialogue::connect(port)?.expect(220)?;
    ensure!(greeting.text().ends_with("ESMTP again"), "{greeting}");
    Ok(())
}
