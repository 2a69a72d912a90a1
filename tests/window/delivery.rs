//! The way out: a relay is set, tested and used.

use anyhow::{Result, ensure};
use postroom_tests::machine::free_port;
use postroom_tests::window::{Theme, Window};
use postroom_tests::{Act, At, Certificate, Encryption, Hop, Manner};
use serde_json::{Value, json};

use super::mail::{office_with_alice, relay_at, send};
use super::{HOSTNAME, apply, assert_accessible, by_id, office, open_in_log, open_pane};

const BOB: &str = "bob@elsewhere.example";
const LOGIN: (&str, &str) = ("office-4711", "the relay's own secret");

/// A step of the relay's test that has come to this.
fn step(name: &str, result: &str) -> String {
    format!("[data-testid='relay-step'][data-step='{name}'][data-result='{result}']")
}

fn choose_relay(window: &Window, server: &str, port: u16) -> Result<()> {
    open_pane(window, "delivery")?;
    window.click(&by_id("delivery.relay_enabled.relay"))?;
    window.fill(&by_id("delivery.relay_server"), server)?;
    window.fill(&by_id("delivery.relay_port"), &port.to_string())
}

fn delivery_in_force(window: &Window) -> Result<Value> {
    Ok(window.invoke("settings_get")?["settings"]["delivery"].clone())
}

#[test]
fn a_relay_is_in_force_as_soon_as_it_is_applied() -> Result<()> {
    let hop = Hop::start()?;
    let home = office_with_alice(&json!({}))?;
    let window = Window::open(home.path(), Theme::Light)?;

    choose_relay(&window, HOSTNAME, hop.port())?;
    window.click(&by_id("apply"))?;
    window.wait("[id='delivery.relay_server'][aria-invalid='true']")?;
    window.wait_for_text("[id='delivery.relay_server.problem']", "this server itself")?;
    window.wait(&by_id("draft-refused"))?;
    window.shoot("delivery-refused")?;
    let delivery = delivery_in_force(&window)?;
    ensure!(delivery["relay_enabled"] == false, "in force: {delivery}");

    window.fill(&by_id("delivery.relay_server"), "127.0.0.1")?;
    window.click(&by_id("delivery.relay_tls"))?;
    apply(&window)?;
    let token = send(&window, "through the relay", &[BOB.into()])?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].text().contains("through the relay"), "{taken:?}");

    open_in_log(&window, &token)?;
    window.wait_for_text(&by_id("deliveries"), BOB)?;
    let delivered = "[data-testid='deliveries'] [data-outcome='delivered']";
    window.wait_for_text(delivered, "127.0.0.1")?;
    window.click(&by_id("show-deliveries"))?;
    window.shoot("log-deliveries")?;
    assert_accessible(&window, "a delivered message in the mail log")
}

#[test]
fn a_relays_certificate_is_pinned_from_its_test_and_its_password_stays_unseen() -> Result<()> {
    let hop = Hop::start_as(Manner {
        encryption: Encryption::StartTls(Certificate::self_signed("hop.example")?),
        mechanisms: "PLAIN LOGIN".into(),
        login: (LOGIN.0.into(), LOGIN.1.into()),
        ..Manner::default()
    })?;
    let home = office_with_alice(&json!({}))?;
    let window = Window::open(home.path(), Theme::Light)?;

    choose_relay(&window, "127.0.0.1", hop.port())?;
    window.click(&by_id("delivery.relay_auth"))?;
    window.fill(&by_id("delivery.relay_username"), LOGIN.0)?;
    window.fill(&by_id("delivery.relay_password"), LOGIN.1)?;
    window.click(&by_id("relay-test.run"))?;
    window.wait(&step("tls", "failed"))?;
    window.wait("[data-testid='relay-test.verdict'][data-tone='bad']")?;
    window.shoot("relay-test-certificate")?;
    window.click(&by_id("relay-test.pin"))?;
    window.click(&by_id("relay-test.run"))?;
    window.wait("[data-testid='relay-test.verdict'][data-tone='good']")?;
    window.wait(&step("auth", "passed"))?;
    ensure!(hop.taken().is_empty(), "the test sent mail");
    apply(&window)?;

    window.wait_for_text(&by_id("delivery.relay_password.state"), "Stored in")?;
    window.wait(&by_id("delivery.relay_password.replace"))?;
    ensure!(!is_in_page(&window, LOGIN.1)?, "the password can be read");
    let settings = window.invoke("settings_get")?.to_string();
    ensure!(!settings.contains(LOGIN.1), "{settings}");
    // The stored one is tested, and is not shown by the test either.
    window.click(&by_id("relay-test.run"))?;
    window.wait(&step("quit", "passed"))?;
    window.wait("[data-testid='relay-test.verdict'][data-tone='good']")?;
    ensure!(
        !is_in_page(&window, LOGIN.1)?,
        "the dialogue shows the password"
    );

    send(&window, "signed in", &[BOB.into()])?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].tls && taken[0].login == LOGIN.0, "{taken:?}");
    Ok(())
}

/// Whether anything in the page holds this text: what is shown, what is hidden, and what stands in fields.
fn is_in_page(window: &Window, text: &str) -> Result<bool> {
    let quoted = serde_json::to_string(text)?;
    let script = format!(
        "const inputs = [...document.querySelectorAll('input, textarea')].map((input) => input.value);
         const all = [document.documentElement.outerHTML, ...inputs, JSON.stringify({{ ...localStorage }})];
         return all.some((each) => each.includes({quoted})) ? 'yes' : 'no'"
    );
    Ok(window.wait_for_script(&script)? == "yes")
}

#[test]
fn a_relay_without_starttls_fails_its_test_at_tls_with_words() -> Result<()> {
    let hop = Hop::start()?;
    let home = office()?;
    let window = Window::open(home.path(), Theme::Light)?;
    choose_relay(&window, "127.0.0.1", hop.port())?;
    window.click(&by_id("relay-test.run"))?;
    for passed in ["connect", "greeting", "ehlo"] {
        window.wait(&step(passed, "passed"))?;
    }
    window.wait_for_text(&step("tls", "failed"), "offers no TLS")?;
    for words in ["Encryption", "offers no TLS"] {
        window.wait_for_text(&by_id("relay-test.verdict"), words)?;
    }
    for not_run in ["auth", "mail"] {
        window.wait(&step(not_run, "skipped"))?;
    }
    window.click(&format!("{} summary", step("ehlo", "passed")))?;
    window.wait_for_text(
        &format!("{} pre", step("ehlo", "passed")),
        "EHLO mail.office",
    )?;
    window.shoot("relay-test-no-tls")
}

#[test]
fn steps_of_a_relays_test_are_shown_as_they_happen() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(At::Hello, Act::Silence);
    let home = office()?;
    let window = Window::open(home.path(), Theme::Light)?;
    choose_relay(&window, "127.0.0.1", hop.port())?;
    window.click(&by_id("relay-test.run"))?;
    window.wait(&step("ehlo", "running"))?;
    window.wait(&step("greeting", "passed"))?;
    window.wait(&step("auth", "waiting"))?;
    window.shoot("relay-test-running")?;
    drop(hop);
    window.wait_for_text(&step("ehlo", "failed"), "broke at EHLO")
}

fn is_accessible_with_a_tested_relay(theme: Theme, name: &str) -> Result<()> {
    let hop = Hop::start()?;
    let home = office_with_alice(&relay_at(hop.port()))?;
    let window = Window::open(home.path(), theme)?;
    open_pane(&window, "delivery")?;
    window.click(&by_id("relay-test.run"))?;
    window.wait("[data-testid='relay-test.verdict'][data-tone='good']")?;
    window.click(&format!("{} summary", step("quit", "passed")))?;
    window.shoot(&format!("delivery-relay-{name}"))?;
    assert_accessible(&window, &format!("a tested relay in {name}"))?;

    // And one that is not there.
    let port = free_port()?.to_string();
    window.fill(&by_id("delivery.relay_port"), &port)?;
    window.click(&by_id("relay-test.run"))?;
    window.wait(&step("connect", "failed"))?;
    window.shoot(&format!("delivery-relay-missing-{name}"))?;
    assert_accessible(&window, &format!("a missing relay in {name}"))
}

#[test]
fn a_tested_relay_is_accessible_in_light() -> Result<()> {
    is_accessible_with_a_tested_relay(Theme::Light, "light")
}

#[test]
fn a_tested_relay_is_accessible_in_dark() -> Result<()> {
    is_accessible_with_a_tested_relay(Theme::Dark, "dark")
}
