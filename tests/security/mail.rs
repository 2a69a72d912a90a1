//! Mail of strangers: what the DNS says of them, what is written into it, and what is thrown away.

use anyhow::{Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Dns, Mood};
use serde_json::{Value, json};

use super::{ALICE_ADDRESS, BOB_ADDRESS, client, office, opened, told};

fn dns_settings(dns: &Dns, security: &Value) -> Value {
    json!({"service": {"dns_servers": [dns.address()]}, "security": security})
}

#[test]
fn the_sender_domain_is_looked_up_once_and_its_answer_kept() -> Result<()> {
    let dns = Dns::start()?;
    dns.host("only-a.example", &["2001:db8::1".parse()?])?;
    dns.mx("nomail.example", 0, ".")?;
    dns.mood("failing.example", Mood::Fails);
    let daemon = office(&dns_settings(
        &dns,
        &json!({"sender_policy": {"reject_unknown_domain": true}}),
    ))?;
    let mut dialogue = opened(&daemon, client(1))?;
    for (domain, code, words) in [
        ("only-a.example", 250, ""),
        ("missing.example", 550, "5.1.8"),
        ("failing.example", 451, "4.1.8"),
        ("nomail.example", 550, "5.7.27"),
        ("office.example", 250, ""),
        ("only-a.example", 250, ""),
    ] {
        dialogue.command(&format!("MAIL FROM:<x@{domain}>"), 250)?;
        for to in [ALICE_ADDRESS, BOB_ADDRESS] {
            let reply = dialogue.say(&format!("RCPT TO:<{to}>"))?;
            let expected = reply.code == code && reply.text().contains(words);
            ensure!(expected || domain == "office.example", "{domain}: {reply}");
        }
        dialogue.command("RSET", 250)?;
    }
    let asked = dns.asked();
    let of = |domain: &str| asked.iter().filter(|(name, _)| name == domain).count();
    // MX, A and AAAA, each once.
    ensure!(of("only-a.example") == 3, "{asked:?}");
    ensure!(of("office.example") == 0, "{asked:?}");
    Ok(())
}

#[test]
fn without_any_name_server_mail_is_taken_and_the_status_says_so() -> Result<()> {
    let gone = Dns::start()?.address();
    let daemon = office(&json!({
        "service": {"dns_servers": [gone]},
        "security": {"sender_policy": {"reject_unknown_domain": true}, "checks": {"spf": "enforce"}},
    }))?;
    let mut dialogue = opened(&daemon, client(1))?;
    let reply = dialogue.send_message("x@far.example", ALICE_ADDRESS, "Subject: open\n\nx\n")?;
    ensure!(reply.code == 250, "{reply}");
    until("a word about the DNS", || {
        let status = told(&daemon, &["status"])?;
        Ok((status["problem"]["code"] == "dns_down").then_some(()))
    })
}

#[test]
fn results_stand_at_the_top_and_forged_ones_are_gone() -> Result<()> {
    let dns = Dns::start()?;
    dns.txt("far.example", "v=spf1 ip4:127.0.9.1 -all")?;
    let daemon = office(&dns_settings(
        &dns,
        &json!({"checks": {"spf": "record", "dmarc": "record", "dkim": "record"}}),
    ))?;
    let padding = "x".repeat(70) + "\n";
    for length in [1, 3_000] {
        let letter = format!(
            "Authentication-Results: mx.office.example; dkim=pass header.d=bank.example\n\
             Subject: results {length}\nFrom: x@far.example\n\
             authentication-results: MX.Office.Example 1;\n\tspf=pass\n\
             Authentication-Results: mx.elsewhere.example; spf=pass\n\n{}",
            padding.repeat(length)
        );
        let mut dialogue = opened(&daemon, client(1))?;
        let reply = dialogue.send_message("x@far.example", ALICE_ADDRESS, &letter)?;
        ensure!(reply.code == 250, "{reply}");
        let letters = daemon.delivered("alice")?.messages()?;
        let subject = format!("Subject: results {length}\r\n");
        let letter = letters
            .iter()
            .map(|letter| String::from_utf8_lossy(letter).into_owned())
            .find(|letter| letter.contains(&subject))
            .unwrap_or_default();
        let results: Vec<&str> = letter
            .split("\r\n")
            .filter(|line| {
                line.to_ascii_lowercase()
                    .starts_with("authentication-results:")
            })
            .collect();
        ensure!(
            results.len() == 2
                && results[0].starts_with("Authentication-Results: mx.office.example")
                && results[1].contains("mx.elsewhere.example"),
            "{letter:.2000}"
        );
        ensure!(
            letter.contains("spf=pass smtp.mailfrom=x@far.example"),
            "{letter:.2000}"
        );
        ensure!(!letter.contains("bank.example"), "{letter:.2000}");
        ensure!(letter.matches(&padding.replace('\n', "\r\n")).count() == length);
    }
    Ok(())
}

#[test]
fn what_is_discarded_is_answered_like_all_else_and_stands_in_the_log() -> Result<()> {
    let rule = |criterion: &str, value: &str| json!({"name": format!("no {criterion}"), "list": "black", "criterion": criterion, "value": value, "action": "discard"});
    let daemon = office(&json!({"security": {"lists": [
        rule("recipient", BOB_ADDRESS),
        rule("sender", "spam@far.example"),
    ]}}))?;
    let mut dialogue = opened(&daemon, client(1))?;
    let mut send = |from: &str, to: &[&str]| -> Result<String> {
        dialogue.command(&format!("MAIL FROM:<{from}>"), 250)?;
        for to in to {
            dialogue.command(&format!("RCPT TO:<{to}>"), 250)?;
        }
        dialogue.command("DATA", 354)?;
        let reply = dialogue.send_content(&format!("Subject: from {from}\n\nx\n"))?;
        ensure!(reply.code == 250, "{reply}");
        let token = reply
            .text()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        ensure!(
            reply.text().ends_with(&format!("Ok: queued as {token}")),
            "{reply}"
        );
        Ok(token)
    };
    let both = send("x@far.example", &[BOB_ADDRESS, ALICE_ADDRESS])?;
    let bob = send("x@far.example", &[BOB_ADDRESS])?;
    let spam = send("spam@far.example", &[ALICE_ADDRESS])?;
    // A rule that matches the author in the header counts too.
    let reply = dialogue.send_message(
        "x@far.example",
        ALICE_ADDRESS,
        "From: spam@far.example\n\nx\n",
    )?;
    ensure!(reply.code == 250, "{reply}");
    for (token, outcome) in [(both, "accepted"), (bob, "dropped"), (spam, "dropped")] {
        until("the entry", || {
            let entry = told(&daemon, &["explain", &token])?;
            Ok((entry[0]["outcome"] == outcome).then_some(()))
        })?;
    }
    // Each message counts once for a rule, and the counts are added up within seconds.
    until("the matches of the rules", || {
        let hits = told(&daemon, &["lists", "hits"])?;
        let of = |name: &str| {
            let all = hits.as_array()?;
            all.iter().find(|hit| hit["name"] == name)?["hits"].as_u64()
        };
        Ok((of("no recipient") == Some(2) && of("no sender") == Some(2)).then_some(()))
    })?;
    ensure!(daemon.delivered("alice")?.messages()?.len() == 1);
    ensure!(daemon.mail("bob").messages().unwrap_or_default().is_empty());
    Ok(())
}
