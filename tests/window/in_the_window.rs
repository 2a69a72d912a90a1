//! What is done in the window, each pane's own matters in a file of their own.

use super::*;

mod delivery;
mod mail;
mod queue;
mod security;

const PANES: &[&str] = &[
    "overview", "general", "delivery", "security", "users", "groups", "queue", "log",
];

#[test]
fn an_office_is_set_up_and_a_refused_message_is_explained() -> Result<()> {
    let home = home(&json!({}), &json!({}))?;
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
