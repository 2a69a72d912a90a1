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
const PANES: &[&str] = &["overview", "general", "users", "groups", "log"];

/// Free ports of this machine alone, and no question to anybody's name server.
fn home(general: &Value) -> Result<TempDir> {
    let home = tempfile::Builder::new()
        .prefix("postroom-window-")
        .tempdir()?;
    let document = json!({
        "service": {
            "smtp": ["127.0.0.1:0"], "submission": ["127.0.0.1:0"], "submissions": ["127.0.0.1:0"],
            "dns_servers": ["127.0.0.1:9"],
        },
        "general": general,
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
    home(&json!({ "domain": "office.example", "hostname": HOSTNAME }))
}

fn by_id(id: &str) -> String {
    format!("[data-testid='{id}']")
}

/// Where the server behind the window takes mail from outside, once it does.
fn inbound(window: &Window) -> Result<SocketAddr> {
    window.wait("[data-testid='server-state'][data-state='running']")?;
    let status = window.invoke("status")?;
    let listeners = status["listeners"]
        .as_array()
        .context("a status without listeners")?;
    let smtp = listeners
        .iter()
        .find(|listener| listener["service"] == "smtp");
    let address = smtp
        .and_then(|listener| listener["address"].as_str())
        .context("no listener for mail from outside")?;
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
    window.click(&by_id("apply"))?;
    window
        .wait_for_script("return document.querySelector(\"[data-testid='draft-bar']\") === null")
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
    open_pane(window, "log")?;
    window.fill(&by_id("log.search"), token)?;
    window.wait(&format!("[data-testid='log-entry'][data-token='{token}']"))?;
    window.wait_for_text(&by_id("entry-reply"), "552 5.3.4")?;
    window.wait_for_text("[data-testid='step'][data-result='refuse']", "Message size")?;
    window.shoot("log-entry")
}

mod in_the_window {
    use super::*;

    #[test]
    fn an_office_is_set_up_and_a_refused_message_is_explained() -> Result<()> {
        let home = home(&json!({}))?;
        let window = Window::open(home.path(), Theme::Light)?;
        answer_the_assistant(&window)?;
        add_a_user(&window, "bob")?;
        apply_a_limit(&window, "general.max_message_size_mb", "1")?;
        let token = send_too_much(inbound(&window)?)?;
        look_up_the_reason(&window, &token)?;
        // The reason leads to its setting.
        window.click("[data-testid='step'][data-result='refuse'] button")?;
        window.wait(&by_id("pane-general"))?;
        window
            .wait_for_script("return document.activeElement.id === 'general.max_message_size_mb'")
            .map(drop)
    }

    fn every_pane_is_accessible(theme: Theme, name: &str) -> Result<()> {
        let home = office()?;
        command(home.path(), &["group", "add", "sales"])?;
        let window = Window::open(home.path(), theme)?;
        let dark = window
            .wait_for_script("return String(matchMedia('(prefers-color-scheme: dark)').matches)")?;
        ensure!(
            dark == if theme == Theme::Dark {
                "true"
            } else {
                "false"
            },
            "the page does not follow the desktop's colours"
        );
        be_refused_once(&window)?;
        for pane in PANES {
            open_pane(&window, pane)?;
            open_what_can_be_opened(&window, pane)?;
            window.shoot(&format!("{pane}-{name}"))?;
            assert_accessible(&window, &format!("{pane} in {name}"))?;
        }
        Ok(())
    }

    /// The editor or the entry that a pane shows beside its table.
    fn open_what_can_be_opened(window: &Window, pane: &str) -> Result<()> {
        match pane {
            "users" => window.click(&by_id("users.create"))?,
            "groups" => window.click("#groups-table tr.entry td")?,
            "log" => {
                window.click("#log-table tr.entry td")?;
                window.wait(&by_id("log-entry"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Something for the Mail Log to show.
    fn be_refused_once(window: &Window) -> Result<()> {
        let mut dialogue = Dialogue::open(inbound(window)?)?;
        dialogue.command("MAIL FROM:<somebody@elsewhere.example>", 250)?;
        dialogue.command("RCPT TO:<nobody@office.example>", 550)?;
        Ok(())
    }

    #[test]
    fn every_pane_is_accessible_in_light() -> Result<()> {
        every_pane_is_accessible(Theme::Light, "light")
    }

    #[test]
    fn every_pane_is_accessible_in_dark() -> Result<()> {
        every_pane_is_accessible(Theme::Dark, "dark")
    }

    #[test]
    fn a_wrong_domain_or_hostname_stands_red_at_its_field_and_changes_nothing() -> Result<()> {
        let home = office()?;
        let window = Window::open(home.path(), Theme::Light)?;
        open_pane(&window, "general")?;
        for field in ["general.domain", "general.hostname"] {
            window.fill(&by_id(field), "no_such..name")?;
        }
        window.click(&by_id("apply"))?;
        for field in ["general.domain", "general.hostname"] {
            window.wait(&format!("[id='{field}'][aria-invalid='true']"))?;
            window.wait_for_text(&format!("[id='{field}.problem']"), "letters, digits")?;
        }
        window.wait(&by_id("draft-refused"))?;
        window.shoot("general-refused")?;
        let general = window.invoke("settings_get")?["settings"]["general"].clone();
        ensure!(
            general["hostname"] == HOSTNAME && general["domain"] == "office.example",
            "a refused name is in force: {general}"
        );
        Ok(())
    }

    #[test]
    fn a_full_disk_is_said_on_the_first_page() -> Result<()> {
        let home = office()?;
        let mail = home.path().join("small disk");
        fs::create_dir(&mail)?;
        let Some(disk) = SmallDisk::at(&mail, 4 << 20)? else {
            // Only the administrator of a machine can make a disk for a test.
            return Ok(());
        };
        let folder = mail.to_str().context("a folder with an unusual name")?;
        let document = json!({"service": {"mailbox": {"maildir": folder}}}).to_string();
        let file = home.path().join("mailbox.json");
        fs::write(&file, document)?;
        let file = file.to_str().context("a folder with an unusual name")?;
        command(home.path(), &["settings", "apply", file])?;
        disk.fill()?;
        let window = Window::open(home.path(), Theme::Light)?;
        inbound(&window)?;
        window.wait_for_text(&by_id("notice-disk_full"), "0 MB left")?;
        window.shoot("full-disk")?;
        drop(window);
        drop(disk);
        Ok(())
    }

    #[test]
    fn a_second_window_on_the_same_folder_shows_the_server_of_the_first() -> Result<()> {
        let home = office()?;
        let first = Window::open(home.path(), Theme::Light)?;
        let port = inbound(&first)?;
        let second = Window::open(home.path(), Theme::Dark)?;
        ensure!(inbound(&second)? == port, "a second server was started");
        let status = second.invoke("status")?;
        ensure!(status["owner"] == "other_process", "{status}");
        Ok(())
    }

    #[test]
    fn a_port_that_another_program_has_is_said_at_its_field_and_the_old_ports_stay() -> Result<()> {
        let home = office()?;
        let window = Window::open(home.path(), Theme::Light)?;
        let before = inbound(&window)?;
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        open_pane(&window, "general")?;
        window.fill(&by_id("service.smtp.0"), &other.local_addr()?.to_string())?;
        window.click(&by_id("apply"))?;
        window.wait(&by_id("draft-refused"))?;
        window.wait_for_text("[id='service.smtp.problem']", "another program")?;
        window.shoot("port-in-use")?;
        ensure!(inbound(&window)? == before, "the server moved");
        Dialogue::open(before).map(drop)
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_refused_with_its_path() -> Result<()> {
        let home = office()?;
        let window = Window::open(home.path(), Theme::Light)?;
        open_pane(&window, "general")?;
        window.click(&by_id("service.certificate.files"))?;
        let missing = home.path().join("no-such-chain.pem");
        let missing = missing.to_str().context("a folder with an unusual name")?;
        window.fill(&by_id("service.certificate.chain"), missing)?;
        window.fill(&by_id("service.certificate.key"), missing)?;
        window.click(&by_id("apply"))?;
        window.wait(&by_id("draft-refused"))?;
        window.shoot("certificate-refused")?;
        window.wait_for_text(&by_id("pane-general"), "no-such-chain.pem")
    }

    #[test]
    fn a_file_is_chosen_in_the_desktops_own_dialog() -> Result<()> {
        let home = office()?;
        let file = home.path().join("kette ü.pem");
        fs::write(&file, "not looked into by the dialog")?;
        let window = Window::open(home.path(), Theme::Light)?;
        open_pane(&window, "general")?;
        window.click(&by_id("service.certificate.files"))?;
        window.click(&by_id("service.certificate.chain.choose"))?;
        window.answer_dialog("Choose the certificate chain", &file)?;
        let file = file.to_str().context("a folder with an unusual name")?;
        window.wait_for_value(&by_id("service.certificate.chain"), file)
    }

    #[test]
    fn a_damaged_database_is_named_and_left_as_it_is() -> Result<()> {
        let home = office()?;
        let database = home.path().join("data/postroom.db");
        let damaged = b"this was a database once".repeat(400);
        overwrite(&database, &damaged)?;
        let window = Window::open(home.path(), Theme::Light)?;
        window.wait_for_text(&by_id("load-failed"), "postroom.db")?;
        window.shoot("damaged-database")?;
        drop(window);
        ensure!(
            fs::read(&database)? == damaged,
            "the damaged database was written to"
        );
        Ok(())
    }

    fn overwrite(database: &Path, content: &[u8]) -> Result<()> {
        for ending in ["-wal", "-shm"] {
            let beside = format!("{}{ending}", database.display());
            if Path::new(&beside).exists() {
                fs::remove_file(beside)?;
            }
        }
        Ok(fs::write(database, content)?)
    }

    #[test]
    fn a_window_beside_a_running_server_steers_that_one() -> Result<()> {
        let server = postroom_tests::Daemon::start(&json!({}), &[])?;
        let data = server.data_folder();
        let window = Window::open(
            data.parent().context("a folder without a parent")?,
            Theme::Light,
        )?;
        ensure!(
            inbound(&window)? == server.smtp()?,
            "the window shows another server"
        );
        let status = window.invoke("status")?;
        ensure!(
            status["owner"] == "other_process" && status["pid"] == server.pid(),
            "{status}"
        );
        apply_a_limit(&window, "general.max_message_size_mb", "1")?;
        send_too_much(server.smtp()?).map(drop)
    }
}

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
