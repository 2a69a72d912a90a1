//! Debian's clamd, asked the way the server asks it.

use std::sync::Arc;

use anyhow::{Result, ensure};
use policy::facts::ScanFact;
use postroom_tests::clamav::{Clamav, LONGEST, MALWARE, NAME};
use postroom_tests::machine::until;
use postroom_tests::{Daemon, Dialogue, User};
use serde_json::json;
use server::checks::clamd::scan;
use settings::ClamdAddress;
use store::spool::Content;

const ALICE: User = User {
    name: "alice",
    password: "open sesame, 42",
};

/// Everything that clamd is asked here, at both its addresses.
fn asked(check: impl AsyncFn(&ClamdAddress) -> Result<()>) -> Result<()> {
    let clamav = Clamav::start()?;
    let runtime = tokio::runtime::Runtime::new()?;
    for address in [
        clamav.address().to_string(),
        format!("unix:{}", clamav.socket().display()),
    ] {
        runtime
            .block_on(check(&address.parse()?))
            .map_err(|error| error.context(clamav.log()))?;
    }
    Ok(())
}

async fn verdict(address: &ClamdAddress, message: &str) -> ScanFact {
    let octets = message.replace('\n', "\r\n").into_bytes();
    scan(address, &Content::Memory(Arc::new(octets))).await
}

fn malware() -> ScanFact {
    ScanFact::Malware(NAME.to_owned())
}

#[test]
fn clean_messages_and_malware_are_told_apart() -> Result<()> {
    asked(async |address| {
        let clean = verdict(address, "Subject: hello\n\nhello\n").await;
        ensure!(clean == ScanFact::Clean, "{clean:?}");
        let empty = verdict(address, "").await;
        ensure!(empty == ScanFact::Clean, "{empty:?}");
        let found = verdict(address, &format!("Subject: hello\n\n{MALWARE}\n")).await;
        ensure!(found == malware(), "{found:?}");
        Ok(())
    })
}

#[test]
fn malware_is_found_in_an_attachment_that_is_encoded() -> Result<()> {
    use base64::Engine as _;

    asked(async |address| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(MALWARE);
        let message = format!(
            "From: anna@far.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\nsee there\n--b\nContent-Type: application/octet-stream\n\
             Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=a.bin\n\n{encoded}\n--b--\n"
        );
        let found = verdict(address, &message).await;
        ensure!(found == malware(), "{found:?}");
        Ok(())
    })
}

#[test]
fn a_message_that_is_too_long_for_clamd_is_told_as_that() -> Result<()> {
    asked(async |address| {
        let longest = "x".repeat(LONGEST);
        let fits = verdict(address, &longest).await;
        ensure!(fits == ScanFact::Clean, "{fits:?}");
        for times in [2, 40] {
            let fact = verdict(address, &longest.repeat(times)).await;
            ensure!(fact == ScanFact::TooLarge, "{times}: {fact:?}");
        }
        Ok(())
    })
}

#[test]
fn many_messages_at_the_same_time_get_each_its_own_verdict() -> Result<()> {
    asked(async |address| {
        let scans: Vec<_> = (0..40)
            .map(|number| {
                let address = address.clone();
                tokio::spawn(async move {
                    let text = if number % 3 == 0 { MALWARE } else { "harmless" };
                    verdict(&address, &format!("Subject: {number}\n\n{text}\n")).await
                })
            })
            .collect();
        for (number, scan) in scans.into_iter().enumerate() {
            let expected = if number % 3 == 0 {
                malware()
            } else {
                ScanFact::Clean
            };
            let fact = scan.await?;
            ensure!(fact == expected, "{number}: {fact:?}");
        }
        Ok(())
    })
}

#[test]
fn the_server_refuses_malware_and_waits_for_a_clamd_that_is_away() -> Result<()> {
    let clamav = Clamav::start()?;
    let settings = json!({
        "service": { "clamd": format!("unix:{}", clamav.socket().display()) },
        "security": { "checks": { "antivirus": "reject" } },
    });
    let office = Daemon::start(&settings, &[ALICE])?;
    let mut client = Dialogue::open(office.smtp()?)?;
    let mut send = |subject: &str, text: &str| {
        let letter = format!("Subject: {subject}\n\n{text}\n");
        client.send_message("anna@far.example", "alice@office.example", &letter)
    };
    let refused = send("bad", MALWARE)?;
    ensure!(
        refused.code == 550 && refused.text().contains(NAME),
        "{refused}"
    );
    ensure!(send("good", "hello")?.code == 250);
    // More than the spool keeps in memory, and less than clamd takes.
    let large = send("large", &"a line of a large letter\n".repeat(20_000))?;
    ensure!(large.code == 250, "{large}");
    let too_large = send("too large", &"a line of a large letter\n".repeat(60_000))?;
    ensure!(too_large.code / 100 >= 4, "{too_large}");
    drop(clamav);
    let deferred = send("later", "hello")?;
    ensure!(deferred.code == 451, "{deferred}");
    let mail = office.mail(ALICE.name);
    until("two letters", || {
        Ok((mail.messages()?.len() == 2).then_some(()))
    })?;
    ensure!(mail.containing(MALWARE)?.is_empty());
    Ok(())
}
