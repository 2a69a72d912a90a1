//! Signing in at the relay.

use anyhow::{Result, ensure};
use postroom_tests::{Act, At, Certificate, Encryption, Hop, Manner};
use serde_json::json;

use crate::Office;
use crate::office::relay;

const BOB: &str = "bob@elsewhere.example";
const LOGIN: (&str, &str) = ("office-4711", "pässword with spaces=");

/// A relay that wants a login.
fn hop(mechanisms: &str, is_private: bool) -> Result<Hop> {
    let encryption = if is_private {
        Encryption::StartTls(Certificate::self_signed("hop.example")?)
    } else {
        Encryption::None
    };
    Hop::start_as(Manner {
        encryption,
        mechanisms: mechanisms.into(),
        login: (LOGIN.0.into(), LOGIN.1.into()),
        ..Manner::default()
    })
}

/// A server that signs in there.
fn office(hop: &Hop, is_private: bool, in_clear: bool) -> Result<Office> {
    let mut settings = relay(hop.address());
    for (key, value) in [
        ("relay_tls", json!(is_private)),
        ("relay_certificate", json!("any")),
        ("relay_auth", json!(true)),
        ("relay_username", json!(LOGIN.0)),
        ("relay_auth_in_clear", json!(in_clear)),
    ] {
        settings["delivery"][key] = value;
    }
    Office::with(&settings)
}

/// The mail gets through, signed in with this mechanism.
fn signs_in(mechanism: &str, offered: &str) -> Result<()> {
    let hop = hop(offered, true)?;
    let office = office(&hop, true, false)?;
    office.relay_password(LOGIN.1)?;
    office.send("signed in", &[BOB])?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].login == LOGIN.0 && taken[0].tls, "{taken:?}");
    let auth = hop.wait_for_line("AUTH")?;
    ensure!(auth.starts_with(&format!("AUTH {mechanism}")), "{auth}");
    office.is_done_without_a_report()
}

#[test]
fn plain_is_used_in_tls() -> Result<()> {
    signs_in("PLAIN", "LOGIN PLAIN")
}

#[test]
fn login_is_used_where_there_is_no_plain() -> Result<()> {
    signs_in("LOGIN", "GSSAPI LOGIN")
}

#[test]
fn cram_md5_is_used_where_there_is_nothing_else() -> Result<()> {
    signs_in("CRAM-MD5", "GSSAPI CRAM-MD5")
}

#[test]
fn a_wrong_password_keeps_mail_waiting_until_it_is_right() -> Result<()> {
    let hop = hop("PLAIN LOGIN", true)?;
    let office = office(&hop, true, false)?;
    office.relay_password("not this one")?;
    office.send("signed in", &[BOB])?;
    office.waits_because(BOB, &["535 5.7.8 wrong name or password", "login"])?;
    let tries = hop
        .said()
        .iter()
        .filter(|line| line.starts_with("AUTH"))
        .count();
    ensure!(tries == 1, "a wrong password was tried {tries} times");
    let row = office.waits(BOB, 1)?.id.to_string();
    let shown = office.daemon.command(&["queue", "show", &row])?;
    for told in [office.daemon.log()?, shown] {
        ensure!(!told.contains("not this one"), "{told}");
    }

    office.relay_password(LOGIN.1)?;
    office.act("retry")?;
    hop.wait_for(1)?;
    office.is_done_without_a_report()
}

#[test]
fn without_a_password_mail_waits_and_the_relay_is_left_alone() -> Result<()> {
    let hop = hop("PLAIN LOGIN", true)?;
    let office = office(&hop, true, false)?;
    office.send("signed in", &[BOB])?;
    office.waits_because(BOB, &["no password", "stored"])?;
    ensure!(hop.connections() == 0);
    Ok(())
}

#[test]
fn auth_refused_for_now_keeps_mail_waiting() -> Result<()> {
    let hop = hop("PLAIN LOGIN", true)?;
    hop.at(At::Auth, Act::say("454 4.7.0 no logins now"));
    let office = office(&hop, true, false)?;
    office.relay_password(LOGIN.1)?;
    office.send("signed in", &[BOB])?;
    office.waits_because(BOB, &["454 4.7.0 no logins now"])?;
    hop.obey();
    office.act("retry")?;
    hop.wait_for(1)?;
    office.is_done_without_a_report()
}

#[test]
fn a_password_never_crosses_a_connection_that_others_can_read() -> Result<()> {
    let hop = hop("PLAIN LOGIN", false)?;
    let office = office(&hop, false, false)?;
    office.relay_password(LOGIN.1)?;
    office.send("signed in", &[BOB])?;
    office.waits_because(BOB, &["password", "clear text"])?;
    ensure!(
        !hop.said().iter().any(|line| line.starts_with("AUTH")),
        "{:?}",
        hop.said()
    );
    Ok(())
}

#[test]
fn nothing_to_guess_the_password_against_crosses_such_a_connection_either() -> Result<()> {
    let hop = hop("PLAIN LOGIN CRAM-MD5", false)?;
    let office = office(&hop, false, false)?;
    office.relay_password(LOGIN.1)?;
    office.send("signed in", &[BOB])?;
    office.waits_because(BOB, &["password", "clear text"])?;
    ensure!(!hop.said().iter().any(|line| line.starts_with("AUTH")));
    Ok(())
}

#[test]
fn with_the_admins_word_the_password_is_proved_where_the_relay_can_do_that() -> Result<()> {
    let hop = hop("PLAIN LOGIN CRAM-MD5", false)?;
    let office = office(&hop, false, true)?;
    office.relay_password(LOGIN.1)?;
    office.send("signed in", &[BOB])?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].login == LOGIN.0 && !taken[0].tls, "{taken:?}");
    ensure!(hop.wait_for_line("AUTH")? == "AUTH CRAM-MD5");
    Ok(())
}

#[test]
fn with_the_admins_word_the_password_goes_in_clear_text() -> Result<()> {
    let hop = hop("PLAIN LOGIN", false)?;
    let office = office(&hop, false, true)?;
    office.relay_password(LOGIN.1)?;
    office.send("signed in", &[BOB])?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].login == LOGIN.0 && !taken[0].tls, "{taken:?}");
    Ok(())
}

#[test]
fn a_relay_that_offers_no_login_keeps_mail_waiting() -> Result<()> {
    let hop = hop("", true)?;
    let office = office(&hop, true, false)?;
    office.relay_password(LOGIN.1)?;
    office.send("signed in", &[BOB])?;
    office
        .waits_because(BOB, &["offers no way to sign in"])
        .map(drop)
}
