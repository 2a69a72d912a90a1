//! The real window, as a person uses it: under a display of its own, with the real server behind it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use postroom_tests::Dialogue;
use postroom_tests::machine::SmallDisk;
use postroom_tests::window::{Theme, Window, built, command};
use serde_json::{Value, json};
use tempfile::TempDir;

const HOSTNAME: &str = "mail.office.example";

/// Free ports of this machine alone, and no question to anybody's name server.
fn home(general: &Value, delivery: &Value) -> Result<TempDir> {
    let home = tempfile::Builder::new()
        .prefix("postroom-window-")
        .tempdir()?;
    let document = json!({
        "service": {
            "smtp": ["127.0.0.1:0"], "submission": ["127.0.0.1:0"], "submissions": ["127.0.0.1:0"],
            "dns_servers": ["127.0.0.1:9"],
        },
        "general": general,
        "delivery": delivery,
    });
    let file = home.path().join("settings.json");
    fs::write(&file, document.to_string())?;
    command(
        home.path(),
        &[
            "settings",
            "apply",
            file.to_str().context("a folder with an unusual name")?,
        ],
    )?;
    Ok(home)
}

/// A folder of an office that has been set up.
fn office() -> Result<TempDir> {
    office_that_delivers(&json!({}))
}

/// The same with these settings of its way out.
fn office_that_delivers(delivery: &Value) -> Result<TempDir> {
    home(
        &json!({ "domain": "office.example", "hostname": HOSTNAME }),
        delivery,
    )
}

fn by_id(id: &str) -> String {
    format!("[data-testid='{id}']")
}

/// Where the server behind the window takes mail from outside, once it does.
fn inbound(window: &Window) -> Result<SocketAddr> {
    listener(window, "smtp")
}

/// Where the server behind the window serves this, once it does.
fn listener(window: &Window, service: &str) -> Result<SocketAddr> {
    window.wait("[data-testid='server-state'][data-state='running']")?;
    let status = window.invoke("status")?;
    let listeners = status["listeners"]
        .as_array()
        .context("a status without listeners")?;
    let found = listeners
        .iter()
        .find(|listener| listener["service"] == service);
    let address = found
        .and_then(|listener| listener["address"].as_str())
        .with_context(|| format!("no listener for {service}"))?;
    address
        .parse()
        .with_context(|| format!("`{address}` is no address"))
}

fn open_pane(window: &Window, pane: &str) -> Result<()> {
    window.click(&by_id(&format!("nav-{pane}")))?;
    window.wait(&by_id(&format!("pane-{pane}"))).map(drop)
}

fn assert_accessible(window: &Window, what: &str) -> Result<()> {
    let faults = window.accessibility_faults()?;
    ensure!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
    let texts = window.texts_without_room()?;
    ensure!(
        texts.is_empty(),
        "{what}, without room:\n{}",
        texts.join("\n")
    );
    Ok(())
}

fn answer_the_assistant(window: &Window) -> Result<()> {
    window.wait("[data-testid='setup'][data-step='0']")?;
    window.fill(&by_id("setup.domain"), "office.example")?;
    window.fill(&by_id("setup.hostname"), HOSTNAME)?;
    window.shoot("setup-1-name")?;
    assert_accessible(window, "the assistant's first step")?;
    window.click(&by_id("setup-next"))?;

    window.wait("[data-testid='setup'][data-step='1']")?;
    window.fill(&by_id("setup.user.name"), "alice")?;
    window.fill(&by_id("setup.user.password"), "a long secret of alice")?;
    window.shoot("setup-2-user")?;
    window.click(&by_id("setup-next"))?;

    window.wait("[data-testid='setup'][data-step='2']")?;
    window.wait(&by_id("port-submissions"))?;
    window.shoot("setup-3-ports")?;
    window.click(&by_id("setup-next"))?;

    window.wait("[data-testid='setup'][data-step='3']")?;
    window.click(&by_id("test-send"))?;
    window.wait("[data-testid='test-result'][data-ok='true']")?;
    window.shoot("setup-4-test")?;
    window.click(&by_id("setup-next"))?;
    window.wait(&by_id("pane-overview")).map(drop)
}

fn add_a_user(window: &Window, name: &str) -> Result<()> {
    open_pane(window, "users")?;
    window.click(&by_id("users.create"))?;
    window.fill(&by_id("user.name"), name)?;
    window.fill(&by_id("user.password"), "a long secret of theirs")?;
    window.click(&by_id("user-save"))?;
    window.wait(&format!("#users-table tr[data-key='{name}']"))?;
    window.shoot("users")
}

fn apply_a_limit(window: &Window, path: &str, value: &str) -> Result<()> {
    open_pane(window, "general")?;
    window.fill(&by_id(path), value)?;
    window.wait(&by_id("draft-bar"))?;
    window.shoot("general-draft")?;
    apply(window)
}

/// Applies the draft and waits until nothing of it is left.
fn apply(window: &Window) -> Result<()> {
    window.click(&by_id("apply"))?;
    window
        .wait_for_script("return document.querySelector(\"[data-testid='draft-bar']\") === null")
        .map(drop)
}

/// Opens the entry of a message in the mail log, once it is there.
fn open_in_log(window: &Window, token: &str) -> Result<()> {
    open_pane(window, "log")?;
    window.fill(&by_id("log.search"), token)?;
    window
        .wait(&format!("[data-testid='log-entry'][data-token='{token}']"))
        .map(drop)
}

/// Sends a message of more than 1 MB, without saying its size before; returns the token of the refusal.
fn send_too_much(address: SocketAddr) -> Result<String> {
    let mut dialogue = Dialogue::open(address)?;
    let line = format!("{}\n", "x".repeat(98));
    let text = format!("Subject: the plans\n\n{}", line.repeat(11_000));
    let refused = dialogue.send_message(
        "somebody@elsewhere.example",
        "postmaster@office.example",
        &text,
    )?;
    ensure!(
        refused.code == 552,
        "instead of refusing it said {}",
        refused.text()
    );
    Ok(refused
        .token()
        .context("a refusal without a token")?
        .to_owned())
}

fn look_up_the_reason(window: &Window, token: &str) -> Result<()> {
    open_in_log(window, token)?;
    window.wait_for_text(&by_id("entry-reply"), "552 5.3.4")?;
    window.wait_for_text("[data-testid='step'][data-result='refuse']", "Message size")?;
    window.shoot("log-entry")
}

#[path = "window/in_the_window.rs"]
mod in_the_window;

mod without_a_display {
    use super::*;

    /// The window's program with an empty environment.
    fn bare(home: &Path) -> Result<Command> {
        let mut command = Command::new(built("postroom")?);
        command
            .env_clear()
            .arg("--data-dir")
            .arg(home.join("data"))
            .stdin(Stdio::null());
        Ok(command)
    }

    #[test]
    fn the_window_is_refused_with_what_to_type_instead() -> Result<()> {
        let home = office()?;
        let output = bare(home.path())?.output()?;
        ensure!(output.status.code() == Some(1), "{output:?}");
        let words = String::from_utf8(output.stderr)?;
        ensure!(words.contains("postroom serve"), "it said {words}");
        Ok(())
    }

    #[test]
    fn the_same_program_serves_mail_until_it_is_asked_to_end() -> Result<()> {
        let home = office()?;
        let mut server = bare(home.path())?
            .arg("serve")
            .stdout(Stdio::piped())
            .spawn()?;
        let served = greet(&mut server);
        let asked = Command::new("kill")
            .args(["-TERM", &server.id().to_string()])
            .status();
        let ended = server.wait()?;
        served?;
        ensure!(
            asked?.success() && ended.success(),
            "SIGTERM ended it with {ended}"
        );
        Ok(())
    }

    fn greet(server: &mut Child) -> Result<()> {
        let mut ready = String::new();
        BufReader::new(server.stdout.take().context("no output")?).read_line(&mut ready)?;
        let addresses = ready
            .strip_prefix("ready ")
            .with_context(|| format!("it said {ready}"))?;
        let addresses: Value = serde_json::from_str(addresses)?;
        let smtp = addresses["smtp"][0].as_str().context("no address")?;
        Dialogue::open(smtp.parse()?).map(drop)
    }
}
