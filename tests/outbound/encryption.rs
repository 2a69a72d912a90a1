//! TLS on the way: where it must be, mail waits without it; where it may be, its result stands in the history.

use std::fs;

use anyhow::{Result, ensure};
use postroom_tests::daemon::AUTHORITIES;
use postroom_tests::{
    Act, At, Authority, Certificate, Daemon, Dns, Encryption, Hop, Manner, Taken,
};
use serde_json::{Value, json};

use crate::Office;
use crate::office::{ALICE, relay};

const BOB: &str = "bob@elsewhere.example";
const RELAY: &str = "relay.example";

fn hop(encryption: Encryption) -> Result<Hop> {
    Hop::start_as(Manner {
        encryption,
        ..Manner::default()
    })
}

/// A server that trusts this authority, if any, and reaches `relay.example` by the DNS.
struct World {
    office: Office,
    hop: Hop,
    token: String,
    _dns: Dns,
}

impl World {
    fn new(hop: Hop, authority: Option<&Authority>, delivery: &Value) -> Result<Self> {
        let dns = Dns::start()?;
        dns.host(RELAY, &[hop.address().ip()])?;
        let folder = tempfile::Builder::new()
            .prefix("postroom-test-")
            .tempdir()?;
        // Somebody nobody knows, so that the machine's own list plays no part.
        let trusted = match authority {
            Some(authority) => authority.pem(),
            None => Authority::new()?.pem(),
        };
        fs::write(folder.path().join(AUTHORITIES), trusted)?;
        let mut settings = relay(hop.address());
        settings["service"] = json!({"dns_servers": [dns.address().to_string()]});
        for (key, value) in delivery.as_object().into_iter().flatten() {
            settings["delivery"][key] = value.clone();
        }
        let daemon = Daemon::start_in(folder, &settings, &[ALICE])?;
        let office = Office { daemon };
        let token = office.send("private", &[BOB])?;
        Ok(Self {
            office,
            hop,
            token,
            _dns: dns,
        })
    }

    /// The mail came, encrypted; what the history says of it.
    fn came_encrypted(&self) -> Result<()> {
        let taken = self.hop.wait_for(1)?;
        ensure!(taken[0].tls, "in clear text");
        self.office.is_done_without_a_report()
    }

    /// The mail waits, with a reason that holds these words, and the hop was told nothing.
    fn waits(&self, words: &[&str]) -> Result<()> {
        self.office.waits_because(BOB, words)?;
        let said = self.hop.said();
        ensure!(
            !said.iter().any(|line| line.starts_with("MAIL")),
            "{said:?}"
        );
        Ok(())
    }
}

/// TLS is a must.
fn must(more: Value) -> Value {
    let mut delivery = json!({"relay_tls": true, "relay_server": RELAY});
    for (key, value) in more.as_object().into_iter().flatten() {
        delivery[key] = value.clone();
    }
    delivery
}

#[test]
fn without_tls_mail_waits_where_tls_is_a_must() -> Result<()> {
    let world = World::new(hop(Encryption::None)?, None, &must(json!({})))?;
    world.waits(&["offers no TLS", RELAY])
}

#[test]
fn a_broken_handshake_keeps_mail_waiting_where_tls_is_a_must() -> Result<()> {
    let world = World::new(hop(Encryption::Broken)?, None, &must(json!({})))?;
    world.waits(&["TLS with relay.example", "could not be started"])
}

#[test]
fn a_hop_that_hangs_up_at_starttls_keeps_mail_waiting() -> Result<()> {
    let hop = hop(Encryption::Broken)?;
    hop.at(At::StartTls, Act::HangUp);
    World::new(hop, None, &must(json!({})))?.waits(&["broke", "STARTTLS"])
}

#[test]
fn a_certificate_by_a_known_authority_is_good() -> Result<()> {
    let authority = Authority::new()?;
    let hop = hop(Encryption::StartTls(authority.sign(RELAY)?))?;
    World::new(hop, Some(&authority), &must(json!({})))?.came_encrypted()
}

#[test]
fn a_certificate_may_name_the_address() -> Result<()> {
    let authority = Authority::new()?;
    let hop = hop(Encryption::StartTls(authority.sign("127.0.0.1")?))?;
    let delivery = must(json!({"relay_server": "127.0.0.1"}));
    World::new(hop, Some(&authority), &delivery)?.came_encrypted()
}

#[test]
fn tls_may_begin_with_the_first_byte() -> Result<()> {
    let authority = Authority::new()?;
    let hop = hop(Encryption::Implicit(authority.sign(RELAY)?))?;
    let delivery = must(json!({"relay_tls_mode": "implicit"}));
    World::new(hop, Some(&authority), &delivery)?.came_encrypted()
}

#[test]
fn a_certificate_of_nobody_known_keeps_mail_waiting() -> Result<()> {
    let hop = hop(Encryption::StartTls(Certificate::self_signed(RELAY)?))?;
    World::new(hop, None, &must(json!({})))?.waits(&["certificate", RELAY])
}

#[test]
fn a_certificate_by_an_unknown_authority_keeps_mail_waiting() -> Result<()> {
    let hop = hop(Encryption::StartTls(Authority::new()?.sign(RELAY)?))?;
    World::new(hop, None, &must(json!({})))?.waits(&["certificate", RELAY])
}

#[test]
fn a_certificate_for_another_name_keeps_mail_waiting() -> Result<()> {
    let authority = Authority::new()?;
    let hop = hop(Encryption::StartTls(authority.sign("other.example")?))?;
    let world = World::new(hop, Some(&authority), &must(json!({})))?;
    world.waits(&["certificate", "other.example"])
}

#[test]
fn any_certificate_will_do_where_the_admin_says_so() -> Result<()> {
    let hop = hop(Encryption::StartTls(Certificate::self_signed(
        "other.example",
    )?))?;
    let delivery = must(json!({"relay_certificate": "any"}));
    World::new(hop, None, &delivery)?.came_encrypted()
}

#[test]
fn the_pinned_certificate_is_good_whoever_signed_it() -> Result<()> {
    let certificate = Certificate::self_signed("other.example")?;
    let pin = certificate.sha256();
    let hop = hop(Encryption::StartTls(certificate))?;
    let delivery = must(json!({"relay_certificate": {"pin": pin}}));
    World::new(hop, None, &delivery)?.came_encrypted()
}

#[test]
fn any_other_certificate_than_the_pinned_one_keeps_mail_waiting() -> Result<()> {
    let authority = Authority::new()?;
    let certificate = authority.sign(RELAY)?;
    let seen = certificate.sha256();
    let hop = hop(Encryption::StartTls(certificate))?;
    let pin = Certificate::self_signed(RELAY)?.sha256();
    let delivery = must(json!({"relay_certificate": {"pin": pin}}));
    // The reason shows the one that was seen, so that it can be compared and pinned.
    World::new(hop, Some(&authority), &delivery)?.waits(&["certificate", &seen])
}

#[test]
fn a_certificate_put_right_lets_the_mail_go() -> Result<()> {
    let authority = Authority::new()?;
    let hop = hop(Encryption::StartTls(authority.sign("other.example")?))?;
    let world = World::new(hop, Some(&authority), &must(json!({})))?;
    world.waits(&["other.example"])?;
    let right = authority.sign(RELAY)?;
    world
        .hop
        .change(|manner| manner.encryption = Encryption::StartTls(right));
    world.office.act("retry")?;
    world.came_encrypted()
}

/// What the history says of a delivery where TLS is a wish.
fn wished(encryption: Encryption, authority: Option<&Authority>) -> Result<(Taken, String)> {
    let world = World::new(hop(encryption)?, authority, &json!({"relay_server": RELAY}))?;
    let taken = world.hop.wait_for(1)?.remove(0);
    world.office.is_done_without_a_report()?;
    let history = world.office.history(&world.token)?;
    ensure!(
        history.len() == 1 && history[0].outcome == "delivered",
        "{history:?}"
    );
    Ok((taken, history[0].hop.clone()))
}

#[test]
fn tls_that_is_a_wish_is_used_and_noted() -> Result<()> {
    let authority = Authority::new()?;
    let certificate = authority.sign(RELAY)?;
    let (taken, hop) = wished(Encryption::StartTls(certificate), Some(&authority))?;
    ensure!(taken.tls && hop.contains("TLSv1.3"), "{hop}");
    ensure!(hop.ends_with("certificate verified"), "{hop}");
    Ok(())
}

#[test]
fn tls_that_is_a_wish_takes_any_certificate_and_says_what_it_was_worth() -> Result<()> {
    let (taken, hop) = wished(Encryption::StartTls(Certificate::self_signed(RELAY)?), None)?;
    ensure!(taken.tls && hop.contains("TLSv1.3"), "{hop}");
    ensure!(hop.contains("certificate not verified ("), "{hop}");
    Ok(())
}

#[test]
fn without_tls_mail_goes_in_clear_text_where_tls_is_a_wish() -> Result<()> {
    let (taken, hop) = wished(Encryption::None, None)?;
    ensure!(!taken.tls && hop.contains("not encrypted"), "{hop}");
    Ok(())
}

#[test]
fn after_a_broken_handshake_mail_goes_in_clear_text_where_tls_is_a_wish() -> Result<()> {
    let (taken, hop) = wished(Encryption::Broken, None)?;
    ensure!(!taken.tls && hop.contains("not encrypted"), "{hop}");
    ensure!(hop.contains("TLS"), "the failed attempt is not told: {hop}");
    Ok(())
}
