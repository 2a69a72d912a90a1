//! Who is refused and who is let through: rules of the lists, and the tests that mail from strangers must pass.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use postroom_tests::Dialogue;
use postroom_tests::window::{Theme, Window};
use serde_json::Value;

use super::{apply, assert_accessible, by_id, inbound, office, open_in_log, open_pane};

const STRANGER: &str = "promo@deals.example";

fn open_tab(window: &Window, tab: &str) -> Result<()> {
    open_pane(window, "security")?;
    window.click(&by_id(&format!("security-tab-{tab}")))?;
    window.wait(&by_id(&format!("security-{tab}"))).map(drop)
}

/// Chooses from a list of words as a person does.
fn choose(window: &Window, id: &str, value: &str) -> Result<()> {
    window.wait(&by_id(id))?;
    let script = format!(
        "const choice = document.querySelector(\"[data-testid='{id}']\");
         choice.value = '{value}';
         choice.dispatchEvent(new Event('change', {{ bubbles: true }}));
         return choice.value === '{value}'"
    );
    window.wait_for_script(&script).map(drop)
}

struct Rule<'a> {
    name: &'a str,
    list: &'a str,
    criterion: &'a str,
    value: &'a str,
}

fn create(window: &Window, rule: &Rule<'_>) -> Result<()> {
    window.click(&by_id("rules.create"))?;
    window.fill(&by_id("rule.name"), rule.name)?;
    choose(window, "rule.list", rule.list)?;
    choose(window, "rule.criterion", rule.criterion)?;
    window.fill(&by_id("rule.value"), rule.value)
}

fn save(window: &Window, name: &str) -> Result<()> {
    window.click(&by_id("rule-save"))?;
    window.wait(&row(name)).map(drop)
}

fn row(name: &str) -> String {
    format!("#rules-table tr[data-key='{name}']")
}

/// Opens a rule for editing. The driver clicks cells, not rows.
fn open(window: &Window, name: &str) -> Result<()> {
    window.click(&format!("{} td:first-child", row(name)))
}

/// What the server says to a recipient of this sender, who greets with a full name.
fn reply_to(server: SocketAddr, sender: &str) -> Result<(u16, String)> {
    let mut client = Dialogue::connect(server)?;
    client.expect(220)?;
    client.command("EHLO mail.deals.example", 250)?;
    client.command(&format!("MAIL FROM:<{sender}>"), 250)?;
    let reply = client.say("RCPT TO:<postmaster@office.example>")?;
    Ok((reply.code, reply.text()))
}

/// Without questions to the DNS, so that only the lists speak.
fn ask_nobody(window: &Window) -> Result<()> {
    open_tab(window, "sender_policy")?;
    window.click(&by_id("security.sender_policy.reject_unknown_domain"))?;
    open_tab(window, "checks")?;
    for check in ["spf", "dkim", "dmarc"] {
        choose(window, &format!("security.checks.{check}"), "off")?;
    }
    apply(window)
}

fn rules(window: &Window) -> Result<Vec<Value>> {
    let settings = window.invoke("settings_get")?["settings"].clone();
    let rules = settings["security"]["lists"].as_array().cloned();
    rules.context("settings without lists")
}

#[test]
fn a_black_rule_refuses_at_once_and_a_white_one_takes_that_back() -> Result<()> {
    let home = office()?;
    let window = Window::open(home.path(), Theme::Light)?;
    let server = inbound(&window)?;
    ask_nobody(&window)?;
    ensure!(
        reply_to(server, STRANGER)?.0 == 250,
        "refused before any rule"
    );

    open_tab(&window, "lists")?;
    let black = Rule {
        name: "Newsletter spam",
        list: "black",
        criterion: "sender",
        value: "@deals.example",
    };
    create(&window, &black)?;
    save(&window, black.name)?;
    let (code, text) = reply_to(server, STRANGER)?;
    ensure!(code == 550, "{code} {text}");
    let token = text
        .rsplit_once('[')
        .map(|(_, rest)| rest.trim_end_matches(']').to_owned())
        .context("a refusal without a token")?;
    ensure!(
        reply_to(server, "anna@shop.example")?.0 == 250,
        "another sender is refused"
    );

    // The reason leads back to the list.
    open_in_log(&window, &token)?;
    let reason = "[data-testid='step'][data-check='lists'][data-result='refuse']";
    window.wait_for_text(reason, "deals.example")?;
    window.click(&format!("{reason} button"))?;
    window.wait(&by_id("security-lists"))?;

    let white = Rule {
        name: "This machine",
        list: "white",
        criterion: "ip",
        value: "127.0.0.1",
    };
    create(&window, &white)?;
    save(&window, white.name)?;
    ensure!(reply_to(server, STRANGER)?.0 == 250, "white does not win");
    window.shoot("security-lists")
}

#[test]
fn a_rule_says_what_it_skips_and_what_makes_it_pointless_while_it_is_written() -> Result<()> {
    let home = office()?;
    let window = Window::open(home.path(), Theme::Light)?;
    open_tab(&window, "lists")?;
    let bank = Rule {
        name: "Bank",
        list: "white",
        criterion: "ip",
        value: "198.51.100.20",
    };
    create(&window, &bank)?;
    let cell = |test: &str| format!("tr[data-criterion='ip'] td[data-test='{test}']");
    for test in ["dnsbl", "spf", "antivirus", "dkim", "dmarc"] {
        window.wait_for_text(&cell(test), "skips")?;
    }
    save(&window, bank.name)?;

    let robbers = Rule {
        name: "Robbers",
        list: "black",
        criterion: "ip",
        value: "198.51.100.20",
    };
    create(&window, &robbers)?;
    choose(&window, "rule.action", "discard")?;
    window.wait_for_text(&by_id("rule-discard"), "silently")?;
    window.wait_for_text(&by_id("rule-pointless"), "Bank")?;
    window.shoot("security-pointless")?;
    assert_accessible(&window, "a pointless rule")?;

    choose(&window, "rule.criterion", "ip_mask")?;
    window.fill(&by_id("rule.value"), "192.163.1.1/255.100.10.1")?;
    window.wait_for_script(
        "return [...document.querySelectorAll(\"[data-testid='rule-note']\")].some((note) => note.textContent.includes('not contiguous'))",
    )?;
    save(&window, robbers.name)?;
    open(&window, robbers.name)?;
    window.click(&by_id("rule-delete"))?;
    window.wait_for_script("return document.querySelector(\"tr[data-key='Robbers']\") === null")?;
    window.click(&by_id("toast-action"))?;
    window.wait(&row(robbers.name))?;
    let values: Vec<String> = rules(&window)?
        .iter()
        .filter_map(|rule| rule["value"].as_str().map(str::to_owned))
        .collect();
    ensure!(
        values == ["198.51.100.20", "192.163.1.1/255.100.10.1"],
        "{values:?}"
    );
    Ok(())
}

#[test]
fn a_postfix_table_is_shown_line_by_line_and_then_taken() -> Result<()> {
    let home = office()?;
    let file = home.path().join("sender_access");
    fs::write(
        &file,
        "# senders\npromo@deals.example REJECT\nhead.example OK\nx@@y REJECT\nlist@other.example FILTER smtp:[192.0.2.1]\n",
    )?;
    let window = Window::open(home.path(), Theme::Light)?;
    open_tab(&window, "lists")?;
    window.click(&by_id("rules.import"))?;
    window.answer_dialog("Choose a file of rules", &file)?;
    window.wait_for_text(&by_id("import.summary"), "2 new")?;
    window.wait_for_text("#import-table", "x@@y")?;
    window.shoot("security-import")?;
    assert_accessible(&window, "an import of rules")?;
    ensure!(rules(&window)?.is_empty(), "stored before it was wanted");
    window.click(&by_id("import.run"))?;
    window.wait_for_text(&by_id("rules.count"), "2 entries")?;
    ensure!(rules(&window)?.len() == 2, "{:?}", rules(&window)?);
    Ok(())
}

#[test]
fn limits_are_applied_and_clients_are_counted_live() -> Result<()> {
    let home = office()?;
    let window = Window::open(home.path(), Theme::Light)?;
    let server = inbound(&window)?;
    open_tab(&window, "connection_policy")?;
    let limit = "security.connection_policy.max_connections";
    window.fill(&by_id(limit), "2000")?;
    window.click(&by_id("apply"))?;
    window.wait(&format!("[id='{limit}'][aria-invalid='true']"))?;
    window.wait_for_text(&by_id("security-tab-connection_policy"), "refused")?;
    window.fill(&by_id(limit), "2")?;
    apply(&window)?;

    let _two = [Dialogue::open(server)?, Dialogue::open(server)?];
    let mut third = Dialogue::connect(server)?;
    let reply = third.reply()?;
    ensure!(reply.code == 421, "{reply}");
    let client = "tr[data-client='127.0.0.1']";
    window.wait_for_text(client, "limit reached")?;
    window.shoot("security-live")?;
    assert_accessible(&window, "clients that are counted")?;
    window.click(&by_id("unblock-127.0.0.1"))?;
    window.wait_for_text(&by_id("toasts"), "start again")
}

#[test]
fn a_test_tried_out_says_what_would_come_of_it() -> Result<()> {
    let home = office()?;
    let message = home.path().join("offer.eml");
    fs::write(
        &message,
        "From: anna@shop.example\r\nSubject: the offer\r\n\r\nAs we said.\r\n",
    )?;
    let window = Window::open(home.path(), Theme::Light)?;
    open_tab(&window, "checks")?;
    window.click("[data-testid='trial-spf'] summary")?;
    window.fill(&by_id("trial-spf.ip"), "somewhere")?;
    window.click(&by_id("trial-spf.run"))?;
    window.wait("[id='trial-spf.ip'][aria-invalid='true']")?;
    window.click("[data-testid='trial-message'] summary")?;
    window.click(&by_id("trial-message.choose"))?;
    window.answer_dialog("Choose a message file", &message)?;
    window.click(&by_id("trial-message.run"))?;
    window.wait("[data-testid='finding'][data-test='dkim']")?;
    window.wait_for_text(&by_id("trial-message.outcome"), "Authentication-Results:")?;
    window.shoot("security-trial")?;
    assert_accessible(&window, "a message tried out")
}

fn every_tab_is_accessible(theme: Theme, name: &str) -> Result<()> {
    let home = office()?;
    let window = Window::open(home.path(), theme)?;
    for tab in [
        "lists",
        "sender_policy",
        "connection_policy",
        "advanced",
        "checks",
    ] {
        open_tab(&window, tab)?;
        if tab == "lists" {
            let head_office = Rule {
                name: "Head office",
                list: "white",
                criterion: "domain",
                value: "head.example",
            };
            create(&window, &head_office)?;
            save(&window, head_office.name)?;
            open(&window, head_office.name)?;
            window.click(&by_id("compare"))?;
        }
        window.shoot(&format!("security-{tab}-{name}"))?;
        assert_accessible(&window, &format!("{tab} in {name}"))?;
    }
    Ok(())
}

#[test]
fn every_tab_is_accessible_in_light() -> Result<()> {
    every_tab_is_accessible(Theme::Light, "light")
}

#[test]
fn every_tab_is_accessible_in_dark() -> Result<()> {
    every_tab_is_accessible(Theme::Dark, "dark")
}
