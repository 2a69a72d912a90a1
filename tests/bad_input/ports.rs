//! Ports that another program has.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::{Daemon, Dialogue, verb, verb_with};
use serde_json::{Value, json};

use super::{ALICE, ALICE_ADDRESS, Office, STRANGER};

/// Another program on a port of the loopback.
fn squatter() -> Result<(TcpListener, u16)> {
    let port = free_port()?;
    Ok((TcpListener::bind((Ipv4Addr::LOCALHOST, port))?, port))
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn status(daemon: &Daemon) -> Result<Value> {
    Ok(serde_json::from_str(
        &daemon.command(&["--json", "status"])?,
    )?)
}

#[test]
fn a_taken_port_leaves_the_others_serving_is_told_and_opened_when_it_is_free() -> Result<()> {
    let (squatter, port) = squatter()?;
    let daemon = Daemon::start(
        &json!({"service": {"smtp": [loopback(port), "127.0.0.1:0"]}}),
        &[ALICE],
    )?;
    ensure!(daemon.ready().smtp.len() == 1 && daemon.ready().submission.len() == 1);
    let reply = Dialogue::open(daemon.smtp()?)?.send_message(STRANGER, ALICE_ADDRESS, "hello")?;
    ensure!(reply.code == 250, "{reply}");

    let words = daemon.command(&["status"])?;
    let line = words.lines().find(|line| line.contains(&loopback(port)));
    let line = line.with_context(|| format!("the port is missing in:\n{words}"))?;
    ensure!(line.contains("taken by another program"), "{line}");
    ensure!(words.starts_with("running"), "{words}");
    let problem = &status(&daemon)?["problem"];
    ensure!(problem["path"] == "service.smtp[0]", "{problem}");
    ensure!(
        daemon.log()?.contains("service.smtp[0]"),
        "{}",
        daemon.log()?
    );

    drop(squatter);
    until("the port is opened once it is free", || {
        Ok(Dialogue::open(SocketAddr::from(([127, 0, 0, 1], port))).ok())
    })?;
    until("the problem is gone", || {
        Ok(status(&daemon)?["problem"].is_null().then_some(()))
    })
}

#[test]
fn a_server_that_gets_none_of_its_ports_ends_and_says_why() -> Result<()> {
    let (_first, smtp) = squatter()?;
    let (_second, submission) = squatter()?;
    let office = Office::new()?;
    let taken = json!({"service": {
        "smtp": [loopback(smtp)], "submission": [loopback(submission)], "submissions": [],
    }});
    ensure!(
        office.apply(&taken)?.code == 0,
        "only a server can try its ports"
    );
    let port = format!("port {smtp}");
    office
        .verb(&["serve"])?
        .refused_with(&["service.smtp[0]: ", &port, "taken by another program"])
}

#[test]
fn a_port_that_cannot_be_had_is_refused_and_the_old_ones_serve_on() -> Result<()> {
    let (_squatter, port) = squatter()?;
    let daemon = Daemon::start(&json!({}), &[ALICE])?;
    let before = daemon.command(&["settings", "export"])?;
    let mut guest = Dialogue::open(daemon.smtp()?)?;
    for (document, words) in [
        (json!({"smtp": [loopback(port)]}), "service.smtp[0]: port"),
        (
            json!({"smtp": ["127.0.0.1:0", loopback(port)]}),
            "service.smtp[1]: port",
        ),
        (
            json!({"submission": [loopback(port)]}),
            "service.submission[0]: port",
        ),
        (
            json!({"submissions": ["192.0.2.1:2465"]}),
            "service.submissions[0]: this machine has no address",
        ),
    ] {
        let document = json!({"service": document}).to_string();
        verb_with(
            &daemon.data_folder(),
            &["settings", "apply", "-"],
            &document,
        )?
        .refused_with(&[words])
        .with_context(|| document.clone())?;
        ensure!(
            daemon.command(&["settings", "export"])? == before,
            "{document} was stored"
        );
        for address in [daemon.smtp()?, daemon.submission()?] {
            Dialogue::open(address)?;
        }
        Dialogue::connect_tls(daemon.submissions()?)?.expect(220)?;
    }
    // Neither is a session under way disturbed, nor does the server say it has a problem.
    let reply = guest.send_message(STRANGER, ALICE_ADDRESS, "hello")?;
    ensure!(reply.code == 250, "{reply}");
    ensure!(
        status(&daemon)?["problem"].is_null(),
        "{}",
        status(&daemon)?
    );
    Ok(())
}

#[test]
fn the_same_port_for_two_purposes_is_refused() -> Result<()> {
    let port = free_port()?;
    let office = Office::new()?;
    let both = json!({"service": {"smtp": [loopback(port)], "submission": [loopback(port)]}});
    office
        .apply(&both)?
        .refused_with(&["service.submission[0]: "])?;
    verb(&office.data(), &["settings", "get", "service.smtp"])?;
    Ok(())
}
