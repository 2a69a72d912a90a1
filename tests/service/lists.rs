//! The black and white lists while the server runs.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use postroom_tests::{Daemon, Dialogue};
use serde_json::Value;

use super::{ALICE_ADDRESS, BOB_ADDRESS, STRANGER, server};

/// Rules with how often they matched.
fn hits(daemon: &Daemon) -> Result<Vec<(String, u64)>> {
    let hits: Value = serde_json::from_str(&daemon.command(&["--json", "lists", "hits"])?)?;
    let counted = hits.as_array().into_iter().flatten().map(|one| {
        let name = one["name"].as_str().unwrap_or_default().to_owned();
        (name, one["hits"].as_u64().unwrap_or_default())
    });
    Ok(counted.collect())
}

#[test]
fn a_rule_holds_from_the_next_transaction_on_and_its_matches_are_counted_over_a_restart()
-> Result<()> {
    let daemon = server()?;
    let from: IpAddr = [127, 0, 0, 66].into();
    let mut client = Dialogue::connect_from(from, daemon.smtp()?)?;
    client.expect(220)?;
    client.command("EHLO out.elsewhere.example", 250)?;
    let begin = format!("MAIL FROM:<{STRANGER}>");
    let recipients = [ALICE_ADDRESS, BOB_ADDRESS].map(|one| format!("RCPT TO:<{one}>"));
    client.command(&begin, 250)?;
    daemon.command(&["lists", "add", "nasty", "black", "ip_mask", "127.0.0.64/26"])?;
    client.command(&recipients[0], 250)?;
    client.command("RSET", 250)?;
    for _ in 0..3 {
        client.command(&begin, 250)?;
        for recipient in &recipients {
            let reply = client.command(recipient, 550)?;
            ensure!(
                reply
                    .text()
                    .contains("[127.0.0.66]: rejected by local policy"),
                "{reply}"
            );
        }
        client.command("RSET", 250)?;
    }
    drop(client);

    let daemon = daemon.restart()?;
    ensure!(
        hits(&daemon)? == [("nasty".into(), 3)],
        "{:?}",
        hits(&daemon)?
    );
    daemon.command(&[
        "lists",
        "set",
        "nasty",
        "--rename",
        "neighbours",
        "--enabled",
        "false",
    ])?;
    ensure!(
        hits(&daemon)? == [("neighbours".into(), 3)],
        "{:?}",
        hits(&daemon)?
    );
    let mut client = Dialogue::connect_from(from, daemon.smtp()?)?;
    client.expect(220)?;
    client.command("EHLO out.elsewhere.example", 250)?;
    client.command(&begin, 250)?;
    client.command(&recipients[0], 250)?;
    Ok(())
}
