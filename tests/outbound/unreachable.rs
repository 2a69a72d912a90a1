//! The next server cannot be reached, or goes away in the middle.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::{Act, At, Hop, Manner};

use crate::Office;
use crate::office::relay;

const BOB: &str = "bob@elsewhere.example";

#[test]
fn mail_waits_while_the_hop_is_down_and_leaves_when_it_is_back() -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let office = Office::with(&relay(address))?;
    office.send("first", &[BOB])?;
    let row = office.waits_because(BOB, &["127.0.0.1", "refuses connections"])?;
    ensure!(row.destination == "relay", "{row:?}");
    // Five minutes, as the schedule says, or somewhat later for the destination's sake.
    let wait = row.next_at_ms - row.accepted_at_ms;
    ensure!((290_000..=630_000).contains(&wait), "{row:?}");

    // What comes meanwhile waits without knocking again.
    office.send("second", &["carol@elsewhere.example"])?;
    let second = until("the second letter waits", || {
        Ok(office
            .queue()?
            .into_iter()
            .find(|row| row.recipient.starts_with("carol")))
    })?;
    ensure!(
        second.attempts == 0 && second.reason.contains("refuses connections"),
        "{second:?}"
    );

    let hop = Hop::start_at(address, Manner::default())?;
    ensure!(office.act("retry")? == 2);
    let taken = hop.wait_for(2)?;
    ensure!(
        taken
            .iter()
            .any(|mail| mail.text().contains("Subject: first"))
    );
    ensure!(
        taken
            .iter()
            .any(|mail| mail.text().contains("Subject: second"))
    );
    office.is_done_without_a_report()
}

#[test]
fn one_letter_that_gets_through_ends_the_pause_for_all_others() -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let office = Office::with(&relay(address))?;
    office.send("tried", &[BOB])?;
    let tried = office.waits(BOB, 1)?;
    for number in 0..5 {
        office.send("untried", &[&format!("person{number}@elsewhere.example")])?;
    }
    let hop = Hop::start_at(address, Manner::default())?;
    office
        .daemon
        .command(&["queue", "retry", &tried.id.to_string()])?;
    hop.wait_for(6)?;
    office.is_done_without_a_report()
}

/// Which way a hop goes away, and at which word.
fn goes_away(at: At, act: Act, words: &[&str]) -> Result<()> {
    let hop = Hop::start()?;
    hop.at(at, act);
    let office = Office::relaying_to(&hop)?;
    office.send("on the way", &[BOB])?;
    office.waits_because(BOB, words)?;
    hop.obey();
    office.act("retry")?;
    hop.wait_for(1)?;
    office.is_done_without_a_report()
}

#[test]
fn a_hop_that_hangs_up_before_its_greeting_gets_the_mail_later() -> Result<()> {
    goes_away(At::Greeting, Act::HangUp, &["broke", "greeting"])
}

#[test]
fn a_hop_that_closes_its_half_of_the_connection_has_gone() -> Result<()> {
    goes_away(At::Mail, Act::HalfClose, &["broke", "MAIL"])
}

#[test]
fn a_hop_that_hangs_up_at_rcpt_gets_the_mail_later() -> Result<()> {
    goes_away(At::Rcpt, Act::HangUp, &["broke", "RCPT"])
}

#[test]
fn a_hop_that_dies_after_the_dot_gets_the_message_again() -> Result<()> {
    goes_away(At::End, Act::HangUp, &["broke", "after the message"])
}

#[test]
fn a_hop_that_says_421_in_the_middle_gets_the_mail_later() -> Result<()> {
    goes_away(
        At::Data,
        Act::say("421 4.3.2 going down"),
        &["421 4.3.2 going down"],
    )
}

#[test]
fn a_hop_that_speaks_another_language_is_no_mail_server() -> Result<()> {
    goes_away(
        At::Greeting,
        Act::say("HTTP/1.1 400 Bad Request"),
        &["127.0.0.1"],
    )
}
