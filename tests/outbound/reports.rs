//! What the sender asked for with NOTIFY, RET, ENVID and ORCPT (RFC 3461), and what the reports hold.

use anyhow::{Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Act, At, Hop, Manner};

use crate::report::field;
use crate::{ALICE_ADDRESS, Office, letter};

const BOB: &str = "bob@elsewhere.example";

/// A hop that refuses Bob for good.
fn refusing() -> Result<Hop> {
    let hop = Hop::start()?;
    hop.at(At::Rcpt, Act::say("550 5.1.1 no bob here"));
    Ok(hop)
}

fn from_alice(parameters: &str) -> String {
    format!("MAIL FROM:<{ALICE_ADDRESS}>{parameters}")
}

fn to_bob(parameters: &str) -> String {
    format!("RCPT TO:<{BOB}>{parameters}")
}

#[test]
fn a_report_tells_who_why_and_returns_the_message() -> Result<()> {
    let hop = refusing()?;
    let office = Office::relaying_to(&hop)?;
    office.send("to bob", &[BOB])?;
    let report = office.report()?;
    ensure!(field(&report.header, "From").contains("MAILER-DAEMON@mx.office.example"));
    ensure!(field(&report.header, "To").contains(ALICE_ADDRESS));
    ensure!(field(&report.header, "Delivered-To") == ALICE_ADDRESS);
    ensure!(!field(&report.message, "Arrival-Date").is_empty());
    ensure!(field(&report.message, "Original-Envelope-Id").is_empty());
    let only = report.says(BOB, "failed", "5.1.1")?;
    ensure!(field(only, "Original-Recipient").is_empty());
    ensure!(field(only, "Diagnostic-Code") == "smtp; 550 5.1.1 no bob here");
    ensure!(field(only, "Remote-MTA").contains("127.0.0.1"));
    ensure!(
        report.returned_as == "message/rfc822",
        "{}",
        report.returned_as
    );
    ensure!(
        report.returned.starts_with("Received: "),
        "{}",
        report.returned
    );
    ensure!(
        report.returned.ends_with(&letter("to bob")),
        "{}",
        report.returned
    );
    for words in [BOB, "no bob here"] {
        ensure!(report.words.contains(words), "{}", report.words);
    }
    Ok(())
}

#[test]
fn nobody_is_told_about_mail_from_the_null_sender() -> Result<()> {
    let hop = refusing()?;
    let office = Office::relaying_to(&hop)?;
    let token = office.submit("MAIL FROM:<>", &[&to_bob("")], &letter("a report"))?;
    hop.wait_for_line("RCPT")?;
    office.is_done_without_a_report()?;
    let history = office.history(&token)?;
    ensure!(
        history.len() == 1 && history[0].outcome == "failed",
        "{history:?}"
    );
    ensure!(history[0].reply.contains("no bob here"), "{history:?}");
    Ok(())
}

#[test]
fn notify_never_is_kept() -> Result<()> {
    let hop = refusing()?;
    let office = Office::relaying_to(&hop)?;
    office.submit(
        &from_alice(""),
        &[&to_bob(" NOTIFY=NEVER")],
        &letter("quiet"),
    )?;
    hop.wait_for_line("RCPT")?;
    office.is_done_without_a_report()
}

#[test]
fn notify_success_alone_is_no_wish_for_failures() -> Result<()> {
    let hop = refusing()?;
    let office = Office::relaying_to(&hop)?;
    office.submit(
        &from_alice(""),
        &[&to_bob(" NOTIFY=SUCCESS")],
        &letter("quiet"),
    )?;
    hop.wait_for_line("RCPT")?;
    office.is_done_without_a_report()
}

#[test]
fn success_is_reported_as_relayed_where_the_hop_knows_no_dsn() -> Result<()> {
    let hop = Hop::start_as(Manner::default().without("DSN"))?;
    let office = Office::relaying_to(&hop)?;
    let rcpt = to_bob(" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+2Bx@Elsewhere.example");
    office.submit(
        &from_alice(" ENVID=QQ314+3D159"),
        &[&rcpt],
        &letter("to bob"),
    )?;
    let taken = hop.wait_for(1)?;
    ensure!(
        !taken[0].mail.contains("ENVID") && !taken[0].to[0].contains("NOTIFY"),
        "{taken:?}"
    );
    let report = office.report()?;
    let only = report.says(BOB, "relayed", "2.0.0")?;
    // RFC 3464 §2.2.1, §2.3.1: given back as it was meant, without its coding.
    ensure!(
        field(&report.message, "Original-Envelope-Id") == "QQ314=159",
        "{}",
        report.whole
    );
    ensure!(
        field(only, "Original-Recipient") == "rfc822;Bob+x@Elsewhere.example"
            || field(only, "Original-Recipient") == "rfc822; Bob+x@Elsewhere.example",
        "{}",
        report.whole
    );
    ensure!(
        report.returned_as == "text/rfc822-headers",
        "{}",
        report.returned_as
    );
    Ok(())
}

#[test]
fn success_is_left_to_a_hop_that_knows_dsn() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    let rcpt = to_bob(" NOTIFY=SUCCESS ORCPT=rfc822;Bob+2Bx@Elsewhere.example");
    office.submit(
        &from_alice(" RET=HDRS ENVID=QQ314+3D159"),
        &[&rcpt],
        &letter("to bob"),
    )?;
    let taken = hop.wait_for(1)?;
    for parameter in ["RET=HDRS", "ENVID=QQ314+3D159"] {
        ensure!(taken[0].mail.contains(parameter), "{taken:?}");
    }
    for parameter in ["NOTIFY=SUCCESS", "ORCPT=rfc822;Bob+2Bx@Elsewhere.example"] {
        ensure!(taken[0].to[0].contains(parameter), "{taken:?}");
    }
    office.is_done_without_a_report()
}

#[test]
fn success_in_a_mailbox_here_is_reported_as_delivered() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    let rcpt = format!("RCPT TO:<{ALICE_ADDRESS}> NOTIFY=SUCCESS");
    office.submit(&from_alice(""), &[&rcpt], &letter("to myself"))?;
    let mail = office.daemon.mail("alice");
    let mail = until("the letter and the report", || {
        Ok(Some(mail.messages()?).filter(|mail| mail.len() == 2))
    })?;
    let reports: Vec<_> = mail
        .iter()
        .filter_map(|one| crate::Report::read(one).ok())
        .collect();
    ensure!(reports.len() == 1, "{} reports", reports.len());
    reports[0]
        .says(ALICE_ADDRESS, "delivered", "2.0.0")
        .map(drop)
}

#[test]
fn ret_hdrs_returns_the_header_only() -> Result<()> {
    let hop = refusing()?;
    let office = Office::relaying_to(&hop)?;
    office.submit(&from_alice(" RET=HDRS"), &[&to_bob("")], &letter("to bob"))?;
    let report = office.report()?;
    ensure!(
        report.returned_as == "text/rfc822-headers",
        "{}",
        report.returned_as
    );
    ensure!(report.returned.contains("Subject: to bob"));
    ensure!(!report.returned.contains("hello"), "{}", report.returned);
    Ok(())
}

#[test]
fn of_a_large_message_only_the_header_comes_back() -> Result<()> {
    let hop = refusing()?;
    let office = Office::relaying_to(&hop)?;
    let large = format!("{}{}", letter("large"), "0123456789abcdef\n".repeat(65_536));
    office.submit(&from_alice(" RET=FULL"), &[&to_bob("")], &large)?;
    let report = office.report()?;
    report.says(BOB, "failed", "5.1.1")?;
    ensure!(
        report.returned_as == "text/rfc822-headers",
        "{}",
        report.returned_as
    );
    ensure!(report.whole.len() < 20_000, "{} octets", report.whole.len());
    Ok(())
}

#[test]
fn envid_and_orcpt_of_a_failure_come_back() -> Result<()> {
    let hop = refusing()?;
    let office = Office::relaying_to(&hop)?;
    let rcpt = to_bob(" NOTIFY=FAILURE ORCPT=rfc822;bobby@old.example");
    office.submit(
        &from_alice(" ENVID=my-number-7"),
        &[&rcpt],
        &letter("to bob"),
    )?;
    let report = office.report()?;
    ensure!(
        field(&report.message, "Original-Envelope-Id") == "my-number-7",
        "{}",
        report.whole
    );
    let only = report.says(BOB, "failed", "5.1.1")?;
    ensure!(
        field(only, "Original-Recipient").ends_with("bobby@old.example"),
        "{}",
        report.whole
    );
    Ok(())
}

#[test]
fn two_failures_of_one_message_are_told_in_one_report() -> Result<()> {
    let hop = refusing()?;
    let office = Office::relaying_to(&hop)?;
    office.send("to two", &[BOB, "carol@elsewhere.example"])?;
    let report = office.report()?;
    ensure!(report.recipients.len() == 2, "{}", report.whole);
    office.daemon.queue_is_empty()?;
    ensure!(office.alices_mail()?.messages()?.len() == 1);
    Ok(())
}

/// An office whose users may write under any sender; Alice does, to Bob, whom the hop refuses.
fn under_another_name(hop: &Hop) -> Result<Office> {
    let mut settings = crate::office::relay(hop.address());
    settings["general"] = serde_json::json!({"sender_must_match_login": false});
    let office = Office::with(&settings)?;
    office.submit(
        "MAIL FROM:<pat@third.example>",
        &[&to_bob("")],
        &letter("as Pat"),
    )?;
    Ok(office)
}

#[test]
fn a_report_to_elsewhere_leaves_with_the_null_path() -> Result<()> {
    let hop = Hop::start()?;
    hop.when(At::Rcpt, "bob@", Act::say("550 5.1.1 no bob here"));
    let office = under_another_name(&hop)?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].mail.starts_with("MAIL FROM:<>"), "{taken:?}");
    ensure!(
        taken[0].to[0].starts_with("RCPT TO:<pat@third.example>"),
        "{taken:?}"
    );
    ensure!(taken[0].text().contains("no bob here"));
    office.is_done_without_a_report()
}

#[test]
fn a_report_that_cannot_be_delivered_begets_no_other() -> Result<()> {
    let hop = refusing()?;
    let office = under_another_name(&hop)?;
    hop.wait_for_line("RCPT TO:<pat@third.example>")?;
    office.is_done_without_a_report()?;
    let rcpts = hop
        .said()
        .iter()
        .filter(|line| line.starts_with("RCPT"))
        .count();
    ensure!(rcpts == 2, "{:?}", hop.said());
    Ok(())
}

#[test]
fn words_of_the_hop_cannot_add_a_field_to_the_report() -> Result<()> {
    let hop = Hop::start()?;
    let reply = format!(
        "550 5.1.1 {} \u{1}\u{7f} Action: delivered\n5.1.1 \r\u{b}Bcc: mallory@evil.example",
        "x".repeat(900)
    );
    hop.at(At::Rcpt, Act::say(&reply));
    let office = Office::relaying_to(&hop)?;
    office.send("to bob", &[BOB])?;
    let report = office.report()?;
    report.says(BOB, "failed", "5.1.1")?;
    ensure!(field(&report.header, "Bcc").is_empty());
    ensure!(report.whole.lines().all(|line| line.len() <= 998));
    ensure!(!report.whole.contains(['\u{1}', '\u{7f}', '\u{b}']));
    Ok(())
}
