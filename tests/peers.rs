//! Mail servers that others wrote as our next hop: a relay that is Debian's Postfix, mailboxes that are Dovecot's, and
//! an international message through both our server and Postfix.

use std::fs;

use anyhow::{Result, ensure};
use postroom_tests::daemon::AUTHORITIES;
use postroom_tests::dovecot::Dovecot;
use postroom_tests::machine::until;
use postroom_tests::peer::can_run_servers;
use postroom_tests::postfix::{LOGIN, Postfix};
use postroom_tests::{Authority, Daemon, Dialogue, Hop, Manner, User, verb_with};
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
const FAR: &str = "pat@elsewhere.example";

/// Our server before Postfix, before a hop.
struct Relay {
    office: Daemon,
    postfix: Postfix,
    next: Hop,
}

impl Relay {
    fn start(password: &str, delivery: &Value) -> Result<Self> {
        let next = Hop::start_as(Manner::default().without("DSN"))?;
        let authority = Authority::new()?;
        let postfix = Postfix::start(&authority.sign("127.0.0.1")?, next.address())?;
        let folder = tempfile::Builder::new()
            .prefix("postroom-test-")
            .tempdir()?;
        fs::write(folder.path().join(AUTHORITIES), authority.pem())?;
        let mut settings = json!({"delivery": {
            "relay_enabled": true, "relay_server": "127.0.0.1", "relay_port": postfix.address().port(),
            "relay_auth": true, "relay_username": LOGIN.0,
        }});
        for (key, value) in delivery.as_object().into_iter().flatten() {
            settings["delivery"][key] = value.clone();
        }
        let office = Daemon::start_in(folder, &settings, &[ALICE])?;
        let relay = Self {
            office,
            postfix,
            next,
        };
        relay.password(password)?;
        Ok(relay)
    }

    fn password(&self, password: &str) -> Result<()> {
        let arguments = ["relay", "password", "--stdin"];
        let done = verb_with(&self.office.data_folder(), &arguments, password)?;
        ensure!(done.code == 0, "{done:?}");
        Ok(())
    }

    /// The one letter in Postfix's mailbox.
    fn arrived(&self) -> Result<String> {
        let mail = self.postfix.mail();
        let letter = until(
            &format!("a letter at Postfix; it said:\n{}", self.postfix.log()),
            || Ok(mail.containing("")?.into_iter().next()),
        )?;
        self.office.queue_is_empty()?;
        Ok(letter)
    }
}

fn signed_in(office: &Daemon) -> Result<Dialogue> {
    let mut client = Dialogue::connect_tls(office.submissions()?)?;
    client.expect(220)?;
    client.command("EHLO client.example", 250)?;
    let reply = client.auth_login(ALICE.name, ALICE.password)?;
    ensure!(reply.code == 235, "{reply}");
    Ok(client)
}

fn send(office: &Daemon, to: &[&str], subject: &str) -> Result<()> {
    let mut client = signed_in(office)?;
    client.command(&format!("MAIL FROM:<{ALICE_ADDRESS}>"), 250)?;
    for to in to {
        client.command(&format!("RCPT TO:<{to}>"), 250)?;
    }
    client.command("DATA", 354)?;
    let text = format!("From: {ALICE_ADDRESS}\nSubject: {subject}\n\n.\n..\nhello\n");
    let reply = client.send_content(&text)?;
    ensure!(reply.code == 250, "{reply}");
    Ok(())
}

#[test]
fn postfix_takes_mail_over_tls_with_a_login_and_delivers_it() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    let relay = Relay::start(LOGIN.1, &json!({}))?;
    send(&relay.office, &[FAR], "by way of Postfix")?;
    let letter = relay.arrived()?;
    ensure!(letter.contains("Subject: by way of Postfix\n"), "{letter}");
    ensure!(letter.ends_with("\n\n.\n..\nhello\n"), "{letter}");
    ensure!(letter.contains("with ESMTPSA id"), "{letter}");
    ensure!(
        relay
            .postfix
            .log()
            .contains("sasl_method=PLAIN, sasl_username=office-4711"),
        "{}",
        relay.postfix.log()
    );
    Ok(())
}

#[test]
fn postfix_refuses_a_wrong_password_and_the_mail_waits_for_the_right_one() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    let relay = Relay::start("not this one", &json!({}))?;
    send(&relay.office, &[FAR], "by way of Postfix")?;
    let reasons = relay.office.queue_says_why()?;
    ensure!(reasons[0].contains("535 5.7.8"), "{reasons:?}");
    ensure!(!reasons[0].contains("not this one"), "{reasons:?}");
    relay.password(LOGIN.1)?;
    relay.office.command(&["queue", "retry", "--all"])?;
    relay.arrived().map(drop)
}

#[test]
fn postfix_without_a_login_refuses_to_relay_and_the_mail_does_not_get_lost() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    let relay = Relay::start(LOGIN.1, &json!({"relay_auth": false}))?;
    send(&relay.office, &[FAR], "without a login")?;
    // Access denied (554 5.7.1) is a verdict on the mail, so it comes back.
    let mail = relay.office.mail(ALICE.name);
    let report = until("a report", || {
        Ok(mail.containing("without a login")?.into_iter().next())
    })?;
    ensure!(report.contains("Access denied"), "{report}");
    Ok(())
}

#[test]
fn an_international_message_goes_through_postfix_to_the_server_behind_it() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    let relay = Relay::start(LOGIN.1, &json!({}))?;
    let mut client = signed_in(&relay.office)?;
    client.command(&format!("MAIL FROM:<{ALICE_ADDRESS}> SMTPUTF8"), 250)?;
    client.command("RCPT TO:<jörg@bücher.example>", 250)?;
    client.command("DATA", 354)?;
    let text = format!(
        "From: Älice <{ALICE_ADDRESS}>\nTo: <jörg@bücher.example>\nSubject: Grüße\n\nviele\n"
    );
    let reply = client.send_content(&text)?;
    ensure!(reply.code == 250, "{reply}");
    let taken = relay.next.wait_for(1)?;
    ensure!(taken[0].mail.contains("SMTPUTF8"), "{taken:?}");
    ensure!(taken[0].to[0].starts_with("RCPT TO:<jörg@"), "{taken:?}");
    ensure!(
        taken[0].text().contains("Subject: Grüße\n"),
        "{}",
        taken[0].text()
    );
    ensure!(taken[0].text().contains("Älice"), "{}", taken[0].text());
    relay.office.queue_is_empty()
}

#[test]
fn postfix_gets_the_wishes_for_notification_and_answers_for_them() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    let relay = Relay::start(LOGIN.1, &json!({}))?;
    let mut client = signed_in(&relay.office)?;
    client.command(
        &format!("MAIL FROM:<{ALICE_ADDRESS}> RET=HDRS ENVID=my+2Bnumber"),
        250,
    )?;
    client.command(
        &format!("RCPT TO:<{FAR}> NOTIFY=SUCCESS ORCPT=rfc822;pat+2Bx@old.example"),
        250,
    )?;
    client.command("DATA", 354)?;
    ensure!(client.send_content("Subject: tell me\n\nhello\n")?.code == 250);
    relay.arrived()?;
    // Its report to Alice goes to the server behind it, for Postfix has no mailbox of hers.
    let taken = relay.next.wait_for(1)?;
    ensure!(taken[0].mail.starts_with("MAIL FROM:<>"), "{taken:?}");
    let report = taken[0].text();
    for words in [
        "Original-Envelope-Id: my+number",
        "Original-Recipient: rfc822;pat+x@old.example",
        "Action: delivered",
    ] {
        ensure!(report.contains(words), "no {words}:\n{report}");
    }
    ensure!(relay.office.mail(ALICE.name).messages()?.is_empty());
    Ok(())
}

#[test]
fn forty_letters_reach_postfix_over_kept_connections() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    let relay = Relay::start(LOGIN.1, &json!({}))?;
    let mut client = signed_in(&relay.office)?;
    for number in 0..40 {
        let text = format!("Subject: number {number}\n\nhello\n");
        ensure!(client.send_message(ALICE_ADDRESS, FAR, &text)?.code == 250);
    }
    let mail = relay.postfix.mail();
    until("forty letters at Postfix", || {
        Ok((mail.messages()?.len() == 40).then_some(()))
    })?;
    relay.office.queue_is_empty()?;
    let log = relay.postfix.log();
    let connections = log
        .lines()
        .filter(|line| line.contains(": connect from"))
        .count();
    // Twenty at once are the most; one more only looked whether Postfix was up.
    ensure!(connections <= 21, "{connections} connections");
    Ok(())
}

/// Our server with Dovecot's mailboxes; Dovecot knows Alice only.
fn store(mailbox: impl Fn(&Dovecot) -> String) -> Result<(Daemon, Dovecot)> {
    let dovecot = Dovecot::start(&[ALICE.name])?;
    let settings = json!({"service": {"mailbox": {"lmtp": mailbox(&dovecot)}}});
    let office = Daemon::start(&settings, &[ALICE, BOB])?;
    Ok((office, dovecot))
}

/// Alice's letters that hold a text.
fn letters(dovecot: &Dovecot, text: &str, count: usize) -> Result<Vec<String>> {
    let mail = dovecot.mail(ALICE.name);
    until(
        &format!("{count} letters at Dovecot; it said:\n{}", dovecot.log()),
        || {
            let found = mail.containing(text)?;
            Ok((found.len() == count).then_some(found))
        },
    )
}

fn reaches_its_mailbox(mailbox: impl Fn(&Dovecot) -> String) -> Result<()> {
    let (office, dovecot) = store(mailbox)?;
    send(&office, &[ALICE_ADDRESS], "for Dovecot")?;
    let letter = letters(&dovecot, "Subject: for Dovecot", 1)?.remove(0);
    ensure!(
        letter.ends_with("Subject: for Dovecot\n\n.\n..\nhello\n"),
        "{letter}"
    );
    ensure!(
        letter.contains(&format!("Return-Path: <{ALICE_ADDRESS}>")),
        "{letter}"
    );
    office.queue_is_empty()?;
    ensure!(
        office.mail(ALICE.name).messages()?.is_empty(),
        "it lies in our Maildir too"
    );
    Ok(())
}

#[test]
fn dovecot_takes_mail_at_a_socket_in_the_file_system() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    reaches_its_mailbox(|dovecot| format!("unix:{}", dovecot.socket().display()))
}

#[test]
fn dovecot_takes_mail_over_tcp() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    reaches_its_mailbox(|dovecot| dovecot.address().to_string())
}

#[test]
fn a_user_whom_dovecot_does_not_know_is_reported_and_the_other_gets_the_letter() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    let (office, dovecot) = store(|dovecot| dovecot.address().to_string())?;
    send(&office, &[BOB_ADDRESS, ALICE_ADDRESS], "for two")?;
    let found = letters(&dovecot, "Subject: for two", 2)?;
    let report = found
        .iter()
        .find(|letter| letter.contains("multipart/report"));
    let report = report.map_or("", String::as_str);
    for words in [
        "Final-Recipient: rfc822; bob@office.example",
        "Action: failed",
        "Status: 5.1.1",
        "User doesn't exist",
    ] {
        ensure!(report.contains(words), "no {words} in\n{found:?}");
    }
    office.queue_is_empty()
}

#[test]
fn mail_waits_while_dovecot_is_away() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    let (office, dovecot) = store(|dovecot| format!("unix:{}", dovecot.socket().display()))?;
    drop(dovecot);
    send(&office, &[ALICE_ADDRESS], "nobody is there")?;
    let reasons = office.queue_says_why()?;
    ensure!(reasons[0].contains("lmtp"), "{reasons:?}");
    let dovecot = Dovecot::start(&[ALICE.name])?;
    let mailbox = json!({"service": {"mailbox": {"lmtp": dovecot.address().to_string()}}});
    office.apply(&mailbox)?;
    office.command(&["queue", "retry", "--all"])?;
    letters(&dovecot, "nobody is there", 1)?;
    office.queue_is_empty()
}

#[test]
fn an_international_recipient_is_refused_by_a_store_that_does_not_know_those() -> Result<()> {
    if !can_run_servers() {
        return Ok(());
    }
    let (office, dovecot) = store(|dovecot| dovecot.address().to_string())?;
    let mut client = signed_in(&office)?;
    client.command(&format!("MAIL FROM:<{ALICE_ADDRESS}> SMTPUTF8"), 250)?;
    client.command(&format!("RCPT TO:<{ALICE_ADDRESS}>"), 250)?;
    client.command("DATA", 354)?;
    ensure!(client.send_content("Subject: Grüße\n\nviele\n")?.code == 250);
    let report = letters(&dovecot, "5.6.7", 1)?.remove(0);
    ensure!(report.contains("Action: failed"), "{report}");
    office.queue_is_empty()
}
