//! What the message needs and the next server cannot, and that nothing is changed or smuggled on the way.

use anyhow::{Context as _, Result, ensure};
use postroom_tests::{Act, At, Hop, Manner, Taken};

use crate::office::token;
use crate::report::field;
use crate::{ALICE_ADDRESS, Office, Report, letter};

const BOB: &str = "bob@elsewhere.example";

/// A hop that lacks an extension, and a message that needs it.
fn lacking(extension: &str, mail: &str, to: &str, message: &str) -> Result<Report> {
    let hop = Hop::start_as(Manner::default().without(extension))?;
    let office = Office::relaying_to(&hop)?;
    let mail = format!("MAIL FROM:<{ALICE_ADDRESS}>{mail}");
    office.submit(&mail, &[&format!("RCPT TO:<{to}>")], message)?;
    let report = office.report()?;
    ensure!(hop.taken().is_empty(), "{:?}", hop.taken());
    ensure!(
        field(report.only()?, "Diagnostic-Code").is_empty(),
        "{}",
        report.whole
    );
    Ok(report)
}

/// Alice sends Bob a letter of so many lines of 17 octets; returns it.
fn submit_large(office: &Office, lines: usize) -> Result<String> {
    let large = letter("large") + &"0123456789abcdef\n".repeat(lines);
    office.submit(
        &format!("MAIL FROM:<{ALICE_ADDRESS}>"),
        &[&format!("RCPT TO:<{BOB}>")],
        &large,
    )?;
    Ok(large)
}

#[test]
fn a_message_larger_than_the_hop_takes_comes_back() -> Result<()> {
    let hop = Hop::start()?;
    hop.change(|manner| {
        *manner = manner.clone().without("SIZE");
        manner.extensions.push("SIZE 10000".into());
    });
    let office = Office::relaying_to(&hop)?;
    submit_large(&office, 1_000)?;
    let report = office.report()?;
    report.says(BOB, "failed", "5.3.4")?;
    ensure!(report.words.contains("10000"), "{}", report.words);
    ensure!(
        !hop.said().iter().any(|line| line.starts_with("MAIL")),
        "{:?}",
        hop.said()
    );
    // A small one gets through, on the same connection or another.
    office.send("small", &[BOB])?;
    hop.wait_for(1).map(drop)
}

/// Sends 8-bit text to a hop that takes seven bits only.
fn to_seven_bits(message: &str) -> Result<(Hop, Office)> {
    let manner = Manner::default().without("8BITMIME").without("SMTPUTF8");
    let hop = Hop::start_as(manner)?;
    let office = Office::relaying_to(&hop)?;
    let mail = format!("MAIL FROM:<{ALICE_ADDRESS}> BODY=8BITMIME");
    office.submit(&mail, &[&format!("RCPT TO:<{BOB}>")], message)?;
    Ok((hop, office))
}

#[test]
fn eight_bit_text_is_written_in_seven_bits_for_a_hop_that_takes_no_more() -> Result<()> {
    let message = format!(
        "From: {ALICE_ADDRESS}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\nSubject: eight bits\n\nGrüße, .\n.\n"
    );
    let (hop, office) = to_seven_bits(&message)?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].body.is_ascii(), "{}", taken[0].text());
    ensure!(!taken[0].mail.contains("BODY=8BITMIME"), "{taken:?}");
    let text = taken[0].text();
    for words in [
        "Content-Transfer-Encoding: quoted-printable",
        "Gr=C3=BC=C3=9Fe",
        "Subject: eight bits",
    ] {
        ensure!(text.contains(words), "{text}");
    }
    office.is_done_without_a_report()
}

#[test]
fn eight_bit_text_that_cannot_be_written_in_seven_bits_comes_back() -> Result<()> {
    // What was signed must stay as it is (RFC 1847 §2.1).
    let message = format!(
        "From: {ALICE_ADDRESS}\nMIME-Version: 1.0\nSubject: signed\n\
         Content-Type: multipart/signed; boundary=b; protocol=\"application/pgp-signature\"; micalg=pgp-sha256\n\
         Content-Transfer-Encoding: 8bit\n\n--b\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\nGrüße\n--b\nContent-Type: application/pgp-signature\n\nxyz\n--b--\n"
    );
    let (hop, office) = to_seven_bits(&message)?;
    office.report()?.says(BOB, "failed", "5.6.3")?;
    ensure!(hop.taken().is_empty());
    office.send("seven bits", &[BOB])?;
    hop.wait_for(1).map(drop)
}

/// A server that drops NULs would take a line of NUL and dot for the end of the message.
#[test]
fn nul_octets_never_reach_a_hop() -> Result<()> {
    let (hop, office) = to_seven_bits(&format!("{}\0.\nQUIT\n", letter("in the body")))?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].text().contains("\n=00.\nQUIT"), "{taken:?}");
    office.is_done_without_a_report()?;
    let head = format!("From: {ALICE_ADDRESS}\nSubject: in \0 the header\n\nhello\n");
    office.submit(
        &format!("MAIL FROM:<{ALICE_ADDRESS}>"),
        &[&format!("RCPT TO:<{BOB}>")],
        &head,
    )?;
    office.report()?.says(BOB, "failed", "5.6.3")?;
    ensure!(hop.taken().len() == 1);
    Ok(())
}

#[test]
fn eight_bit_text_is_announced_to_a_hop_that_takes_it() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    let message = format!("{}Grüße\n", letter("eight bits"));
    let mail = format!("MAIL FROM:<{ALICE_ADDRESS}> BODY=8BITMIME");
    office.submit(&mail, &[&format!("RCPT TO:<{BOB}>")], &message)?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].mail.contains(" BODY=8BITMIME"), "{taken:?}");
    ensure!(taken[0].text().ends_with("hello\nGrüße\n"));
    Ok(())
}

#[test]
fn an_international_recipient_comes_back_from_a_hop_that_does_not_know_those() -> Result<()> {
    let report = lacking(
        "SMTPUTF8",
        " SMTPUTF8",
        "jörg@elsewhere.example",
        &letter("to Jörg"),
    )?;
    let only = report.says("jörg@elsewhere.example", "failed", "5.6.7")?;
    // RFC 6533 §3.
    ensure!(
        field(only, "Final-Recipient").starts_with("utf-8;"),
        "{}",
        report.whole
    );
    Ok(())
}

#[test]
fn international_headers_come_back_from_a_hop_that_does_not_know_those() -> Result<()> {
    let report = lacking("SMTPUTF8", " SMTPUTF8", BOB, &letter("Grüße"))?;
    report.says(BOB, "failed", "5.6.7").map(drop)
}

#[test]
fn an_international_message_goes_all_the_way() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    let mail = format!("MAIL FROM:<{ALICE_ADDRESS}> SMTPUTF8");
    let message = letter("Grüße aus Köln");
    office.submit(&mail, &["RCPT TO:<jörg@bücher.example>"], &message)?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].mail.contains(" SMTPUTF8"), "{taken:?}");
    ensure!(
        taken[0].to[0].starts_with("RCPT TO:<jörg@bücher.example>"),
        "{taken:?}"
    );
    ensure!(taken[0].text().ends_with(&message));
    office.is_done_without_a_report()
}

#[test]
fn a_local_part_in_quotes_arrives_in_quotes_and_smuggles_nothing() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    let addresses = [
        r#""a b"@elsewhere.example"#,
        r#""x> NOTIFY=NEVER"@elsewhere.example"#,
        r#""a\"b\\c"@elsewhere.example"#,
        r#""@b"@elsewhere.example"#,
        r#"">"@elsewhere.example"#,
    ];
    office.send("quoted", &addresses)?;
    let taken = hop.wait_for(1)?;
    let expected: Vec<String> = addresses
        .iter()
        .map(|to| format!("RCPT TO:<{to}>"))
        .collect();
    ensure!(taken[0].to == expected, "{:?}", taken[0].to);
    Ok(())
}

#[test]
fn quotes_that_nothing_needs_are_dropped_or_kept_but_the_address_is_the_same() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    office.send("quoted", &[r#""bob"@elsewhere.example"#])?;
    let taken = hop.wait_for(1)?;
    let to = taken[0].to[0].replace('"', "");
    ensure!(to == "RCPT TO:<bob@elsewhere.example>", "{to}");
    Ok(())
}

#[test]
fn a_quoted_sender_arrives_quoted() -> Result<()> {
    let hop = Hop::start()?;
    let mut settings = crate::office::relay(hop.address());
    settings["general"] = serde_json::json!({"sender_must_match_login": false});
    let office = Office::with(&settings)?;
    let mail = r#"MAIL FROM:<"a> SIZE=1"@third.example>"#;
    office.submit(mail, &[&format!("RCPT TO:<{BOB}>")], &letter("quoted"))?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].mail.starts_with(&format!("{mail} ")), "{taken:?}");
    Ok(())
}

/// The message with CRLF, as it goes over the wire, behind our own field.
fn arrived(taken: &Taken) -> Result<&[u8]> {
    ensure!(taken.body.starts_with(b"Received: "), "{:?}", taken.text());
    let mut rest = taken.body.as_slice();
    loop {
        let end = rest
            .windows(2)
            .position(|two| two == b"\r\n")
            .context("no end")?
            + 2;
        rest = rest.get(end..).unwrap_or_default();
        if !rest.starts_with(b"\t") && !rest.starts_with(b" ") {
            return Ok(rest);
        }
    }
}

/// Sent with BDAT where `as_is`, because DATA always ends with a line end.
fn stays_the_same(office: &Office, hop: &Hop, message: &[u8], count: usize) -> Result<()> {
    let mut client = office.client()?;
    client.command(&format!("MAIL FROM:<{ALICE_ADDRESS}> BODY=8BITMIME"), 250)?;
    client.command(&format!("RCPT TO:<{BOB}>"), 250)?;
    client.send(format!("BDAT {} LAST\r\n", message.len()).as_bytes())?;
    client.send(message)?;
    token(&client.reply()?)?;
    let taken = hop.wait_for(count)?;
    let came = arrived(taken.last().context("nothing")?)?;
    let mut expected = message.to_vec();
    if !expected.ends_with(b"\r\n") {
        // SMTP has no other way to say that a message ends (RFC 5321 §4.1.1.4).
        expected.extend_from_slice(b"\r\n");
    }
    ensure!(
        came == expected,
        "{:?}\ninstead of\n{:?}",
        String::from_utf8_lossy(came),
        String::from_utf8_lossy(&expected)
    );
    Ok(())
}

#[test]
fn every_message_arrives_octet_for_octet() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    let head = format!("From: {ALICE_ADDRESS}\r\nSubject: octets\r\n\r\n");
    let long = format!("{}\r\n", "x".repeat(990)).repeat(500);
    let all: [&[u8]; 12] = [
        b"",
        b"hello\r\n",
        b"no line end",
        b".\r\n",
        b"..\r\n...\r\n.",
        b"a\r\n.\r\nb\r\n",
        b".a\r\n..b\r\n",
        b"\r\n\r\n\r\n",
        b"line\r\n\r\n",
        b"trailing space \t \r\n",
        "Grüße \u{1f600}\r\n".as_bytes(),
        long.as_bytes(),
    ];
    for (place, body) in all.iter().enumerate() {
        let message = [head.as_bytes(), body].concat();
        stays_the_same(&office, &hop, &message, place + 1)
            .with_context(|| format!("body {place}"))?;
    }
    // At each place at which a piece of the message can be cut.
    for (extra, length) in (65_500..65_560).step_by(7).enumerate() {
        let body = format!(
            "{}\r\n.\r\n..end\r\n",
            "0123456789abcdef0123456789abc\r\n".repeat(length / 31)
        );
        let pad = "p".repeat(length % 31);
        let message = format!("{head}{pad}\r\n{body}");
        stays_the_same(&office, &hop, message.as_bytes(), all.len() + extra + 1)
            .with_context(|| format!("length {length}"))?;
    }
    office.is_done_without_a_report()
}

#[test]
fn the_size_that_is_announced_is_the_size_that_comes() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    office.send("counted", &[BOB])?;
    let taken = hop.wait_for(1)?;
    let size = format!(" SIZE={}", taken[0].body.len());
    ensure!(
        taken[0].mail.contains(&size),
        "{} is not {size}",
        taken[0].mail
    );
    Ok(())
}

#[test]
fn a_message_of_ten_megabytes_gets_through() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    let large = submit_large(&office, 600_000)?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].text().ends_with(&large));
    office.is_done_without_a_report()
}

#[test]
fn a_hop_that_refuses_in_the_middle_of_the_message_is_heard() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(
        At::Data,
        Act::Raw("354 go on\r\n552 5.3.4 that is too much\r\n".into()),
    );
    let office = Office::relaying_to(&hop)?;
    submit_large(&office, 600_000)?;
    let report = office.report()?;
    report.says(BOB, "failed", "5.3.4")?;
    ensure!(
        report.words.contains("that is too much"),
        "{}",
        report.words
    );
    Ok(())
}
