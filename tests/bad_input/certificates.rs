//! Certificates that cannot be used.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use postroom_tests::{Daemon, Dialogue, verb, verb_with};
use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};

use super::Office;

fn settings(chain: &Path, key: &Path) -> Value {
    json!({"service": {"certificate": {"chain": chain, "key": key}}})
}

/// Writes a new certificate and its key.
fn make(chain: &Path, key: &Path) -> Result<()> {
    let made = generate_simple_self_signed(["mx.office.example".to_owned()])?;
    fs::write(chain, made.cert.pem())?;
    fs::write(key, made.signing_key.serialize_pem())?;
    Ok(())
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_and_the_old_one_is_still_served() -> Result<()> {
    let daemon = Daemon::start(&json!({}), &[])?;
    let served =
        || Ok::<_, anyhow::Error>(Dialogue::connect_tls(daemon.submissions()?)?.certificate());
    let before = served()?.context("no certificate")?;
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    make(&at("one.pem"), &at("one.key"))?;
    make(&at("two.pem"), &at("two.key"))?;
    fs::write(at("text"), "Dear Sir or Madam")?;
    fs::write(at("empty"), "")?;
    fs::write(
        at("bad.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )?;
    fs::write(
        at("bad.key"),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )?;
    fs::create_dir(at("folder"))?;
    for (chain, key, path) in [
        ("missing", "one.key", "service.certificate.chain"),
        ("text", "one.key", "service.certificate.chain"),
        ("empty", "one.key", "service.certificate.chain"),
        ("folder", "one.key", "service.certificate.chain"),
        ("bad.pem", "one.key", "service.certificate.chain"),
        ("one.key", "one.key", "service.certificate.chain"),
        ("one.pem", "missing", "service.certificate.key"),
        ("one.pem", "text", "service.certificate.key"),
        ("one.pem", "folder", "service.certificate.key"),
        ("one.pem", "bad.key", "service.certificate.key"),
        ("one.pem", "one.pem", "service.certificate.key"),
        ("one.pem", "two.key", "service.certificate.key"),
    ] {
        let document = settings(&at(chain), &at(key)).to_string();
        let blamed = at(if path.ends_with("chain") { chain } else { key });
        for verb in ["apply", "check"] {
            verb_with(&daemon.data_folder(), &["settings", verb, "-"], &document)?
                .refused_with(&[path, &blamed.display().to_string()])
                .with_context(|| document.clone())?;
        }
        ensure!(
            served()? == Some(before.clone()),
            "{document} took the certificate away"
        );
    }
    let stored = daemon.command(&["settings", "get", "service.certificate"])?;
    ensure!(stored.trim() == "self_signed", "{stored}");
    Ok(())
}

#[test]
fn a_certificate_that_is_gone_when_the_server_starts_is_told_at_its_setting() -> Result<()> {
    let office = Office::new()?;
    let (chain, key) = (
        office.data().join("chain.pem"),
        office.data().join("key.pem"),
    );
    make(&chain, &key)?;
    ensure!(office.apply(&settings(&chain, &key))?.code == 0);
    fs::remove_file(&key)?;
    verb(&office.data(), &["serve"])?
        .refused_with(&["service.certificate.key: ", &key.display().to_string()])
}
