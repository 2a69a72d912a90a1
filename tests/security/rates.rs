//! How many connections, and how much mail in a minute. That a minute ends is tested where time can be set.

use anyhow::{Result, ensure};
use postroom_tests::Dialogue;
use serde_json::json;
use store::Connection;

use super::{ALICE_ADDRESS, STRANGER, client, greeted, office, opened, policy, told, turned_away};

#[test]
fn one_connection_more_than_the_limit_is_turned_away_until_another_ends() -> Result<()> {
    let daemon = policy(&json!({"max_connections": 2}))?;
    let mut first = greeted(&daemon, client(1))?;
    let second = greeted(&daemon, client(1))?;
    let refused = turned_away(&daemon, client(1), "too many connections from 127.0.9.1")?;
    greeted(&daemon, client(2))?;
    // The refused one is still open on the client's side, and does not count.
    first.command("QUIT", 221)?;
    let third = greeted(&daemon, client(1))?;
    turned_away(&daemon, client(1), "too many connections")?;
    drop((refused, second, third));
    Ok(())
}

#[test]
fn one_connection_more_in_a_minute_is_turned_away_and_the_client_can_be_let_go_on() -> Result<()> {
    let daemon = policy(&json!({"max_connections_per_minute": 3}))?;
    for _ in 0..3 {
        greeted(&daemon, client(1))?.command("QUIT", 221)?;
    }
    let words = "connection rate limit reached (3 per minute), try again later";
    for _ in 0..2 {
        turned_away(&daemon, client(1), words)?;
    }
    greeted(&daemon, client(2))?.command("QUIT", 221)?;
    let live = told(&daemon, &["blocks", "rates"])?;
    let clients = live["clients"].as_array().cloned().unwrap_or_default();
    ensure!(live["total"] == 2 && clients.len() == 2, "{live}");
    ensure!(
        clients[0]["client"] == "127.0.9.1"
            && clients[0]["connections_in_minute"] == 5
            && clients[0]["limited"] == json!(["connections_in_minute"])
            && clients[1]["limited"] == json!([]),
        "{live}"
    );
    daemon.command(&["blocks", "lift", "127.0.9.1"])?;
    greeted(&daemon, client(1))?;
    Ok(())
}

#[test]
fn one_message_more_in_a_minute_is_put_off_and_the_connection_stays_usable() -> Result<()> {
    let daemon = policy(&json!({"max_messages_per_minute": 2}))?;
    let begin = format!("MAIL FROM:<{STRANGER}>");
    let mut dialogue = opened(&daemon, client(1))?;
    let reply = dialogue.send_message(STRANGER, ALICE_ADDRESS, "Subject: one\n\nx\n")?;
    ensure!(reply.code == 250, "{reply}");
    // Counted although nothing came of it.
    dialogue.command(&begin, 250)?;
    dialogue.command("RSET", 250)?;
    let reply = dialogue.command(&begin, 450)?;
    ensure!(
        reply
            .text()
            .starts_with("4.7.1 Error: too much mail from 127.0.9.1"),
        "{reply}"
    );
    dialogue.command("RSET", 250)?;
    // Another connection is the same client.
    opened(&daemon, client(1))?.command(&begin, 450)?;
    opened(&daemon, client(2))?.command(&begin, 250)?;
    let live = told(&daemon, &["blocks", "rates"])?;
    ensure!(live["clients"][0]["messages_in_minute"] == 4, "{live}");
    daemon.command(&["blocks", "lift", "127.0.9.1"])?;
    dialogue.command(&begin, 250)?;
    dialogue.command("QUIT", 221)?;
    Ok(())
}

#[test]
fn exempt_hosts_and_the_trusted_network_have_no_limits_and_loopback_alone_is_not_exempt()
-> Result<()> {
    let limits = json!({"max_connections": 1, "max_connections_per_minute": 1, "max_messages_per_minute": 1});
    let mut settings = json!({
        "security": {"connection_policy": limits},
        "service": {"exempt_hosts": ["127.0.9.1"]},
    });
    let daemon = office(&settings)?;
    let held = greeted(&daemon, client(1))?;
    for _ in 0..2 {
        let mut dialogue = opened(&daemon, client(1))?;
        dialogue.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    }
    let other = greeted(&daemon, client(2))?;
    turned_away(&daemon, client(2), "too many connections")?;
    drop((held, other));
    settings["service"] = json!({"exempt_hosts": []});
    settings["general"] = json!({"skip_auth_for_local_network": true});
    daemon.apply(&settings)?;
    let held = (greeted(&daemon, client(3))?, greeted(&daemon, client(3))?);
    drop(held);
    Ok(())
}

#[test]
fn a_white_list_rule_for_the_very_address_lifts_the_limits_and_one_for_a_network_does_not()
-> Result<()> {
    let rule = |criterion: &str, value: &str| json!([{"name": "partner", "list": "white", "criterion": criterion, "value": value}]);
    let limits = json!({"max_connections_per_minute": 1});
    let settings = |lists| json!({"security": {"connection_policy": limits, "lists": lists}});
    let daemon = office(&settings(rule("ip", "127.0.9.1")))?;
    for _ in 0..3 {
        greeted(&daemon, client(1))?;
    }
    daemon.apply(&settings(rule("ip_mask", "127.0.9.0/24")))?;
    turned_away(&daemon, client(1), "connection rate limit")?;
    Ok(())
}

#[test]
fn refusals_of_one_client_share_an_entry_that_says_how_many_they_were() -> Result<()> {
    let mut daemon = policy(&json!({"max_connections_per_minute": 1}))?;
    greeted(&daemon, client(1))?.command("QUIT", 221)?;
    let mut tokens = Vec::new();
    for _ in 0..50 {
        let mut dialogue = Dialogue::connect_from(client(1), daemon.smtp()?)?;
        let reply = dialogue.expect(421)?;
        tokens.extend(reply.token().map(ToOwned::to_owned));
    }
    ensure!(tokens.len() == 50);
    tokens.dedup();
    ensure!(tokens.len() == 1, "{tokens:?}");
    daemon.stop()?;
    let database = Connection::open(daemon.data_folder().join("postroom.db"))?;
    let (rows, trace): (u32, String) = database.query_row(
        "SELECT count(*), max(trace) FROM journal JOIN journal_detail USING (id)
         WHERE outcome = 'deferred'",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    ensure!(rows == 1, "{rows} entries");
    ensure!(trace.contains("49 more connections"), "{trace}");
    Ok(())
}
