//! Days in the queue. Nobody can wait for them, so the queue is made older while the server is stopped.

use anyhow::{Result, ensure};
use postroom_tests::{Act, At, Hop};
use store::Connection;

use crate::office::{ALICE, relay};
use crate::report::field;
use crate::{ALICE_ADDRESS, Office, Report, letter};

const BOB: &str = "bob@elsewhere.example";
const HOUR: i64 = 3_600_000;

/// Stops the server, lets so many hours pass for everything in the queue, and starts it again.
fn pass(mut office: Office, hours: i64) -> Result<Office> {
    office.daemon.stop()?;
    let database = Connection::open(office.daemon.data_folder().join("postroom.db"))?;
    let ms = hours * HOUR;
    database.execute_batch(&format!(
        "UPDATE message SET accepted_at_ms = accepted_at_ms - {ms};
         UPDATE recipient SET next_at_ms = next_at_ms - {ms}, notice_at_ms = notice_at_ms - {ms},
           expires_at_ms = expires_at_ms - {ms};
         UPDATE destination SET paused_until_ms = paused_until_ms - {ms};"
    ))?;
    drop(database);
    let daemon = office.daemon.restart()?;
    Ok(Office { daemon })
}

/// A hop that has no time for Bob, and a letter that waits for him.
fn busy(rcpt: &str) -> Result<(Hop, Office)> {
    let hop = Hop::start()?;
    hop.at(At::Rcpt, Act::say("450 4.2.1 busy"));
    let office = Office::relaying_to(&hop)?;
    let rcpt = format!("RCPT TO:<{BOB}>{rcpt}");
    office.submit(
        &format!("MAIL FROM:<{ALICE_ADDRESS}>"),
        &[&rcpt],
        &letter("patience"),
    )?;
    office.waits(BOB, 1)?;
    Ok((hop, office))
}

#[test]
fn the_sender_is_told_once_that_mail_is_late() -> Result<()> {
    let (hop, office) = busy("")?;
    let office = pass(office, 5)?;
    let report = office.report()?;
    let only = report.says(BOB, "delayed", "4.4.7")?;
    ensure!(
        !field(only, "Will-Retry-Until").is_empty(),
        "{}",
        report.whole
    );
    ensure!(report.words.contains("450 4.2.1 busy"), "{}", report.words);
    ensure!(
        report.returned_as == "text/rfc822-headers",
        "{}",
        report.returned_as
    );

    let office = pass(office, 5)?;
    let row = office.only_waits(BOB)?;
    ensure!(row.state == "waiting", "{row:?}");
    ensure!(
        office.daemon.mail(ALICE.name).messages()?.len() == 1,
        "told twice"
    );
    hop.obey();
    office.retry_until(&hop, 1)?;
    ensure!(office.alices_mail()?.messages()?.len() == 1);
    Ok(())
}

#[test]
fn who_does_not_want_to_hear_of_delays_does_not() -> Result<()> {
    let (hop, office) = busy(" NOTIFY=FAILURE")?;
    let office = pass(office, 5)?;
    hop.obey();
    office.retry_until(&hop, 1)?;
    office.is_done_without_a_report()
}

#[test]
fn without_the_setting_nobody_is_told_of_delays() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(At::Rcpt, Act::say("450 4.2.1 busy"));
    let mut settings = relay(hop.address());
    settings["delivery"]["warn_after_hours"] = serde_json::Value::Null;
    let office = Office::with(&settings)?;
    office.send("patience", &[BOB])?;
    office.waits(BOB, 1)?;
    let office = pass(office, 100)?;
    hop.obey();
    office.retry_until(&hop, 1)?;
    office.is_done_without_a_report()
}

#[test]
fn mail_whose_time_is_over_comes_back() -> Result<()> {
    let (_hop, office) = busy("")?;
    let office = pass(office, 121)?;
    let report = office.report()?;
    let only = report.says(BOB, "failed", "5.4.7")?;
    ensure!(field(only, "Will-Retry-Until").is_empty());
    ensure!(report.words.contains("450 4.2.1 busy"), "{}", report.words);
    ensure!(report.returned_as == "message/rfc822" && report.returned.ends_with("hello\n"));
    office.daemon.queue_is_empty()
}

#[test]
fn mail_to_a_hop_that_is_dead_comes_back_too() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    drop(hop);
    office.send("patience", &[BOB])?;
    office.waits(BOB, 1)?;
    let office = pass(office, 121)?;
    let report = office.report()?;
    report.says(BOB, "failed", "5.4.7")?;
    ensure!(
        report.words.contains("refuses connections"),
        "{}",
        report.words
    );
    office.daemon.queue_is_empty()
}

#[test]
fn held_mail_does_not_expire() -> Result<()> {
    let (hop, office) = busy("")?;
    office.act("hold")?;
    let office = pass(office, 500)?;
    let token = office.send("meanwhile", &[ALICE_ADDRESS])?;
    ensure!(!token.is_empty());
    ensure!(office.only_held(BOB)?.state == "held");
    ensure!(office.daemon.mail(ALICE.name).messages()?.len() == 1);
    hop.obey();
    office.act("release")?;
    // Its time is over as soon as it counts again: it goes back or through, but is not lost.
    office.daemon.queue_is_empty()?;
    let mail = office.alices_mail()?.messages()?;
    let reports = mail.iter().filter(|one| Report::read(one).is_ok()).count();
    ensure!(
        reports + hop.taken().len() == 1,
        "{reports} reports, {:?}",
        hop.taken()
    );
    Ok(())
}

#[test]
fn days_in_the_queue_do_not_change_the_message() -> Result<()> {
    let (hop, office) = busy("")?;
    let office = pass(office, 3)?;
    let office = pass(office, 0)?;
    hop.obey();
    let taken = office.retry_until(&hop, 1)?;
    ensure!(taken[0].text().ends_with(&letter("patience")));
    office.is_done_without_a_report()
}
