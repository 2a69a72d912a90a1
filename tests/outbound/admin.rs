//! What the admin does with mail that waits.

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::{Act, At, Hop, Manner, verb};

use crate::office::relay;
use crate::{ALICE_ADDRESS, Office, Row, letter};

const BOB: &str = "bob@elsewhere.example";
const CAROL: &str = "carol@elsewhere.example";

/// A server whose hop is down, with a letter to Bob and one to Carol that wait.
fn waiting() -> Result<(Office, std::net::SocketAddr)> {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let office = Office::with(&relay(address))?;
    office.send("to bob", &[BOB])?;
    office.waits(BOB, 1)?;
    office.send("to carol", &[CAROL])?;
    office.waits(CAROL, 0)?;
    Ok((office, address))
}

fn of<'a>(rows: &'a [Row], recipient: &str) -> Result<&'a Row> {
    let found = rows.iter().find(|row| row.recipient == recipient);
    found.with_context(|| format!("{recipient} is not in {rows:?}"))
}

fn act(office: &Office, verb: &str, recipient: &str) -> Result<()> {
    let id = of(&office.queue()?, recipient)?.id.to_string();
    office.daemon.command(&["queue", verb, &id]).map(drop)
}

#[test]
fn held_mail_is_kept_back_until_it_is_released() -> Result<()> {
    let (office, address) = waiting()?;
    act(&office, "hold", BOB)?;
    let hop = Hop::start_at(address, Manner::default())?;
    act(&office, "retry", CAROL)?;
    hop.wait_for(1)?;
    until("Bob's letter is alone", || {
        Ok((office.queue()?.len() == 1).then_some(()))
    })?;
    let rows = office.queue()?;
    ensure!(of(&rows, BOB)?.state == "held", "{rows:?}");
    act(&office, "release", BOB)?;
    let taken = hop.wait_for(2)?;
    ensure!(taken[1].text().contains("Subject: to bob"));
    office.is_done_without_a_report()
}

#[test]
fn numbers_that_are_not_in_the_queue_are_named_and_the_others_are_acted_on() -> Result<()> {
    let (office, _) = waiting()?;
    let data = office.daemon.data_folder();
    let bob = of(&office.queue()?, BOB)?.id.to_string();
    for name in ["retry", "hold", "release", "return", "delete"] {
        verb(&data, &["queue", name, "77"])?.refused_with(&["77 is not in the queue"])?;
    }
    let held = verb(&data, &["queue", "hold", "77", &bob])?;
    ensure!(held.code == 1 && held.out == "1 recipient\n", "{held:?}");
    ensure!(held.err.contains("77 is not in the queue"), "{held:?}");
    ensure!(of(&office.queue()?, BOB)?.state == "held");
    Ok(())
}

#[test]
fn a_hold_outlives_a_restart() -> Result<()> {
    let (office, address) = waiting()?;
    act(&office, "hold", BOB)?;
    let hop = Hop::start_at(address, Manner::default())?;
    let office = Office {
        daemon: office.daemon.restart()?,
    };
    act(&office, "retry", CAROL)?;
    hop.wait_for(1)?;
    ensure!(of(&office.queue()?, BOB)?.state == "held");
    Ok(())
}

#[test]
fn mail_returned_by_hand_comes_back_to_its_sender() -> Result<()> {
    let (office, _) = waiting()?;
    act(&office, "return", BOB)?;
    let report = office.report()?;
    report.says(BOB, "failed", "5.0.0")?;
    ensure!(report.words.contains("administrator"), "{}", report.words);
    ensure!(
        report.words.contains("refuses connections"),
        "{}",
        report.words
    );
    ensure!(report.returned.contains("Subject: to bob"));
    office.only_waits(CAROL).map(drop)
}

#[test]
fn mail_returned_by_hand_keeps_notify_never() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(At::Rcpt, Act::say("450 4.2.1 busy"));
    let office = Office::relaying_to(&hop)?;
    let rcpt = format!("RCPT TO:<{BOB}> NOTIFY=NEVER");
    office.submit(
        &format!("MAIL FROM:<{ALICE_ADDRESS}>"),
        &[&rcpt],
        &letter("quiet"),
    )?;
    office.waits(BOB, 1)?;
    act(&office, "return", BOB)?;
    office.is_done_without_a_report()
}

#[test]
fn removed_mail_is_gone_and_nobody_is_told() -> Result<()> {
    let (office, address) = waiting()?;
    let token = of(&office.queue()?, BOB)?.token.clone();
    act(&office, "remove", BOB)?;
    office.only_waits(CAROL)?;
    let hop = Hop::start_at(address, Manner::default())?;
    office.act("retry")?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].text().contains("Subject: to carol"));
    office.is_done_without_a_report()?;
    let history = office.history(&token)?;
    let last = history.last().context("no history")?;
    ensure!(last.outcome == "removed", "{history:?}");
    Ok(())
}

#[test]
fn all_that_matches_a_text_or_a_destination_is_chosen() -> Result<()> {
    let (office, _) = waiting()?;
    let number = |arguments: &[&str]| -> Result<String> { office.daemon.command(arguments) };
    ensure!(number(&["queue", "hold", "--text", "TO CAROL"])?.starts_with("1 "));
    ensure!(number(&["queue", "list", "--state", "held"])?.contains(CAROL));
    ensure!(number(&["queue", "remove", "--state", "held"])?.starts_with("1 "));
    ensure!(
        number(&["queue", "hold", "--destination", "domain:elsewhere.example"])?.starts_with("0 ")
    );
    ensure!(number(&["queue", "remove", "--destination", "relay"])?.starts_with("1 "));
    office.is_done_without_a_report()
}

#[test]
fn the_history_of_a_recipient_grows_with_each_attempt() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(At::Rcpt, Act::say("450 4.2.1 busy"));
    let office = Office::relaying_to(&hop)?;
    office.send("again and again", &[BOB])?;
    for attempt in 1..=3 {
        let row = office.waits(BOB, attempt)?;
        let history = office.attempts(row.id)?;
        ensure!(history.len() == attempt as usize, "{history:?}");
        ensure!(
            history.iter().all(|one| one.outcome == "deferred"),
            "{history:?}"
        );
        office.act("retry")?;
    }
    Ok(())
}

#[test]
fn the_schedule_of_the_settings_is_kept() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(At::Rcpt, Act::say("450 4.2.1 busy"));
    let mut settings = relay(hop.address());
    settings["delivery"]["retry_schedule_minutes"] = serde_json::json!([2, 30]);
    settings["delivery"]["give_up_after_hours"] = serde_json::json!(7);
    let office = Office::with(&settings)?;
    office.send("again and again", &[BOB])?;
    for (attempt, minutes) in [(1, 2), (2, 30), (3, 30)] {
        let before = now_ms()?;
        let row = office.waits(BOB, attempt)?;
        let wait = row.next_at_ms - before;
        let expected = minutes * 60_000;
        // A minute of tolerance for a machine that has much to do.
        ensure!(
            (expected - 60_000..expected + 60_000).contains(&wait),
            "{wait} ms, {row:?}"
        );
        ensure!(
            row.expires_at_ms - row.accepted_at_ms == 7 * 3_600_000,
            "{row:?}"
        );
        office.act("retry")?;
    }
    Ok(())
}

fn now_ms() -> Result<i64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_millis())?)
}
