//! 4xx and 5xx at every command: what waits, what comes back, and with which words.

use anyhow::{Context as _, Result, ensure};
use postroom_tests::{Act, At, Encryption, Hop, Manner};
use serde_json::json;

use crate::Office;
use crate::office::relay;
use crate::report::field;

const BOB: &str = "bob@elsewhere.example";
const CAROL: &str = "carol@elsewhere.example";
const DORA: &str = "dora@elsewhere.example";

fn sent_to(hop: &Hop) -> Result<Office> {
    let office = Office::relaying_to(hop)?;
    office.send("refused", &[BOB])?;
    Ok(office)
}

/// The refusal keeps the mail waiting; afterwards it gets through.
fn waits(at: At, reply: &str) -> Result<()> {
    let hop = Hop::start()?;
    hop.at(at, Act::say(reply));
    let office = sent_to(&hop)?;
    office.waits_because(BOB, &[reply])?;
    hop.obey();
    office.act("retry")?;
    hop.wait_for(1)?;
    office.is_done_without_a_report()
}

/// The refusal is the end; the sender is told in the hop's own words.
fn fails(at: At, reply: &str, status: &str) -> Result<()> {
    let hop = Hop::start()?;
    hop.at(at, Act::say(reply));
    let office = sent_to(&hop)?;
    let report = office.report()?;
    let only = report.says(BOB, "failed", status)?;
    let diagnostic = field(only, "Diagnostic-Code");
    ensure!(diagnostic == format!("smtp; {reply}"), "{diagnostic}");
    ensure!(!field(only, "Remote-MTA").is_empty(), "{}", report.whole);
    ensure!(report.words.contains(reply), "{}", report.words);
    ensure!(hop.taken().is_empty());
    office.daemon.queue_is_empty()
}

#[test]
fn a_greeting_of_4xx_or_554_keeps_all_mail_waiting() -> Result<()> {
    waits(At::Greeting, "450 4.7.1 later")?;
    waits(At::Greeting, "554 5.7.1 your address is on a list")
}

#[test]
fn a_greeting_of_521_says_that_the_host_never_takes_mail() -> Result<()> {
    fails(At::Greeting, "521 5.3.2 this host takes no mail", "5.3.2")
}

#[test]
fn ehlo_refused_for_now_or_for_good_keeps_mail_waiting() -> Result<()> {
    waits(At::Hello, "451 4.3.0 not now")?;
    waits(At::Hello, "550 5.7.1 not with that name")
}

#[test]
fn a_hop_that_knows_only_helo_is_served() -> Result<()> {
    let hop = Hop::start()?;
    hop.when(At::Hello, "EHLO", Act::say("502 5.5.1 what?"));
    let office = sent_to(&hop)?;
    hop.wait_for(1)?;
    ensure!(
        hop.said()
            .iter()
            .any(|line| line == "HELO mx.office.example")
    );
    office.is_done_without_a_report()
}

#[test]
fn starttls_refused_keeps_mail_waiting_where_tls_is_a_must() -> Result<()> {
    for reply in ["454 4.7.0 no TLS now", "501 5.5.4 no TLS at all"] {
        let hop = Hop::start_as(Manner {
            encryption: Encryption::Broken,
            ..Manner::default()
        })?;
        hop.at(At::StartTls, Act::say(reply));
        let mut settings = relay(hop.address());
        settings["delivery"]["relay_tls"] = json!(true);
        let office = Office::with(&settings)?;
        office.send("refused", &[BOB])?;
        office.waits_because(BOB, &[reply])?;
        ensure!(!hop.said().iter().any(|line| line.starts_with("MAIL")));
    }
    Ok(())
}

#[test]
fn mail_refused_for_now_waits() -> Result<()> {
    waits(At::Mail, "451 4.3.0 try later")
}

#[test]
fn mail_refused_for_good_comes_back() -> Result<()> {
    fails(At::Mail, "550 5.7.1 no mail from you", "5.7.1")
}

#[test]
fn mail_that_wants_a_login_waits_for_the_admin() -> Result<()> {
    waits(At::Mail, "530 5.7.0 authentication required")
}

#[test]
fn data_refused_for_now_waits() -> Result<()> {
    waits(At::Data, "452 4.3.1 no room")
}

#[test]
fn data_refused_for_good_comes_back() -> Result<()> {
    fails(At::Data, "554 5.6.0 no thanks", "5.6.0")
}

#[test]
fn a_message_refused_for_now_after_the_dot_waits() -> Result<()> {
    waits(At::End, "451 4.7.1 greylisted, come back")
}

#[test]
fn a_message_refused_for_good_after_the_dot_comes_back() -> Result<()> {
    fails(At::End, "550 5.7.1 this looks like spam", "5.7.1")
}

#[test]
fn a_refusal_without_enhanced_code_gets_the_general_one() -> Result<()> {
    fails(At::Rcpt, "550 nobody", "5.0.0")
}

#[test]
fn of_three_recipients_each_has_its_own_end() -> Result<()> {
    let hop = Hop::start()?;
    hop.when(At::Rcpt, "bob@", Act::say("550 5.1.1 no bob here"));
    hop.when(
        At::Rcpt,
        "carol@",
        Act::say("450 4.2.1 her mailbox is busy"),
    );
    let office = Office::relaying_to(&hop)?;
    let token = office.send("to three", &[BOB, CAROL, DORA])?;
    let taken = hop.wait_for(1)?;
    let to: Vec<&String> = taken.iter().flat_map(|mail| &mail.to).collect();
    ensure!(to.len() == 1 && to[0].contains("dora@"), "{to:?}");

    let report = office.report()?;
    let only = report.says(BOB, "failed", "5.1.1")?;
    ensure!(field(only, "Diagnostic-Code") == "smtp; 550 5.1.1 no bob here");
    ensure!(report.returned.contains("Subject: to three"));
    let row = office.waits_because(CAROL, &["450 4.2.1 her mailbox is busy"])?;
    ensure!(row.attempts == 1, "{row:?}");
    office.only_waits(CAROL)?;

    let history = office.history(&token)?;
    let of = |who: &str| history.iter().find(|attempt| attempt.recipient == who);
    for (who, outcome, words) in [
        (BOB, "failed", "no bob here"),
        (CAROL, "deferred", "her mailbox is busy"),
        (DORA, "delivered", "it is mine now"),
    ] {
        let attempt = of(who).with_context(|| format!("{who} in {history:?}"))?;
        ensure!(
            attempt.outcome == outcome && attempt.reply.contains(words),
            "{attempt:?}"
        );
        ensure!(attempt.hop.contains("127.0.0.1"), "{attempt:?}");
    }

    hop.obey();
    office.act("retry")?;
    let second = hop.wait_for(2)?;
    ensure!(
        second[1].to.len() == 1 && second[1].to[0].contains("carol@"),
        "{:?}",
        second[1].to
    );
    Ok(())
}

#[test]
fn a_refused_recipient_does_not_pause_the_destination() -> Result<()> {
    let hop = Hop::start()?;
    hop.when(At::Rcpt, "carol@", Act::say("450 4.2.1 busy"));
    let office = Office::relaying_to(&hop)?;
    office.send("to carol", &[CAROL])?;
    office.waits(CAROL, 1)?;
    office.send("to bob", &[BOB])?;
    hop.wait_for(1)?;
    office.only_waits(CAROL).map(drop)
}

#[test]
fn replies_of_several_lines_are_told_in_one() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(
        At::Rcpt,
        Act::say("550 5.1.1 no such user\n5.1.1 see http://help.example/550"),
    );
    let office = sent_to(&hop)?;
    let report = office.report()?;
    let only = report.says(BOB, "failed", "5.1.1")?;
    let diagnostic = field(only, "Diagnostic-Code");
    for words in ["no such user", "see http://help.example/550"] {
        ensure!(diagnostic.contains(words), "{diagnostic}");
    }
    Ok(())
}
