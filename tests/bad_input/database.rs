//! Databases that this program cannot or must not use.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::{Daemon, Dialogue, verb_with};
use serde_json::{Value, json};
use store::{DataDir, Store, setting};

use super::{ALICE, Office, VERBS, first_settings};

/// Every verb refuses with these words and leaves the file as it is, to the last byte.
fn every_verb_refuses(office: &Office, words: &[&str]) -> Result<()> {
    let before = fs::read(office.database())?;
    for arguments in VERBS {
        office
            .verb(arguments)?
            .refused_with(words)
            .with_context(|| format!("{arguments:?}"))?;
        ensure!(
            fs::read(office.database())? == before,
            "{arguments:?} wrote into the file"
        );
    }
    Ok(())
}

#[test]
fn no_verb_runs_on_a_damaged_database_or_touches_it() -> Result<()> {
    let office = Office::new()?;
    let sound = fs::read(office.database())?;
    ensure!(
        sound.len() > 3 * 4096,
        "a database of {} octets",
        sound.len()
    );
    let mut spoilt = sound.clone();
    spoilt[4096..8192].fill(0x55);
    let mut header = sound.clone();
    header[..16].copy_from_slice(b"no database here");
    for damaged in [
        spoilt,
        sound[..sound.len() / 2].to_vec(),
        header,
        b"Dear Sir or Madam".to_vec(),
        Vec::new(),
    ] {
        fs::write(office.database(), damaged)?;
        every_verb_refuses(&office, &["is damaged", "left the file as it is"])?;
    }
    fs::write(office.database(), sound)?;
    ensure!(office.verb(&["settings", "get"])?.code == 0);
    Ok(())
}

#[test]
fn no_verb_runs_on_the_database_of_a_newer_program_or_touches_it() -> Result<()> {
    let office = Office::new()?;
    let mut newer = fs::read(office.database())?;
    // SQLite file format §1.3: user_version, big-endian, at offset 60.
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(office.database(), newer)?;
    every_verb_refuses(
        &office,
        &["newer Postroom", "format 99", "Nothing was changed"],
    )
}

/// Stores a section as a program with other ideas might have stored it.
fn store_foreign(data: &Path, value: Value) -> Result<()> {
    let store = Store::open(&DataDir::new(data))?;
    store.write_blocking(move |tx| {
        let (_, mut rows) = setting::current(tx)?;
        for row in rows.iter_mut().filter(|row| row.section == "general") {
            row.value = value.clone();
        }
        setting::replace(tx, &rows, "somebody", "", 0)
    })?;
    Ok(())
}

fn stored(data: &Path) -> Result<Vec<setting::Row>> {
    let store = Store::open(&DataDir::new(data))?;
    Ok(store.read(|conn| Ok(setting::current(conn)?.1))?)
}

#[test]
fn settings_that_cannot_be_read_stop_the_server_and_are_never_overwritten() -> Result<()> {
    for foreign in [
        json!({"domain": "office.example", "hostname": "mx.office.example", "max_hops": "ample"}),
        json!({"domain": "office.example", "hostname": "mx.office.example", "moon_phase": "full"}),
        json!("nothing"),
    ] {
        let office = Office::new()?;
        store_foreign(&office.data(), foreign)?;
        let before = stored(&office.data())?;
        office.verb(&["serve"])?.refused_with(&[
            "general",
            "cannot be read",
            "nothing was changed",
        ])?;
        for verb in [
            &["settings", "get"][..],
            &["settings", "set", "general.max_hops", "30"],
        ] {
            office
                .verb(verb)?
                .refused_with(&["general", "cannot be read"])?;
        }
        office
            .apply(&first_settings())?
            .refused_with(&["general"])?;
        verb_with(
            &office.data(),
            &["user", "add", "bob", "--password-stdin"],
            ALICE.password,
        )?
        .refused_with(&["general"])?;
        ensure!(stored(&office.data())? == before, "the rows were changed");
    }
    Ok(())
}

#[test]
fn settings_that_cannot_be_read_stop_a_running_server_until_they_can_be() -> Result<()> {
    let port = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let daemon = Daemon::start(&json!({"service": {"smtp": [port]}}), &[ALICE])?;
    let data = daemon.data_folder();
    let readable = stored(&data)?;
    let state = || daemon.command(&["status"]);
    store_foreign(&data, json!("nothing"))?;
    let before = stored(&data)?;
    let said = until("the server stops", || {
        Ok(Some(state()?).filter(|said| said.starts_with("failed")))
    })?;
    ensure!(
        said.contains("cannot be read") && said.contains("nothing was changed"),
        "{said}"
    );
    ensure!(Dialogue::connect(port).is_err(), "mail is still taken");
    ensure!(stored(&data)? == before, "the rows were changed");

    let store = Store::open(&DataDir::new(&data))?;
    store.write_blocking(move |tx| setting::replace(tx, &readable, "somebody", "", 0))?;
    until("the server serves again", || Ok(Dialogue::open(port).ok()))?;
    Ok(())
}
