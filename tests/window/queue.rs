//! Mail that waits: why, until when, and what can be done with it.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::window::{Theme, Window};
use postroom_tests::{Hop, Manner};
use tempfile::TempDir;

use super::mail::{mail_of_alice, office_with_alice, relay_at, send};
use super::{assert_accessible, by_id, open_in_log, open_pane};

const BOB: &str = "bob@elsewhere.example";
const CAROL: &str = "carol@elsewhere.example";
/// The table shows so many rows at once, and the rest when asked.
const PAGE: usize = 200;

/// A window behind which everything for other servers waits for a relay that is not there.
struct Waiting {
    window: Window,
    home: TempDir,
    port: u16,
}

impl Waiting {
    fn open(theme: Theme) -> Result<Self> {
        let port = free_port()?;
        let home = office_with_alice(&relay_at(port))?;
        let window = Window::open(home.path(), theme)?;
        Ok(Self { window, home, port })
    }

    /// The relay is there from now on.
    fn relay_comes(&self) -> Result<Hop> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        Hop::start_at(address, Manner::default())
    }

    /// Two messages that were tried in vain.
    fn send_two(&self) -> Result<()> {
        send(&self.window, "the offer", &[BOB.into()])?;
        send(&self.window, "the invoice", &[CAROL.into()])?;
        open_pane(&self.window, "queue")?;
        for who in [BOB, CAROL] {
            self.row_says(who, "could not be reached")?;
        }
        Ok(())
    }

    /// The row of a recipient, once it is there.
    fn row(&self, recipient: &str) -> Result<String> {
        let script = format!(
            "const rows = [...document.querySelectorAll('#queue-table tr[data-key]')];
             return rows.find((row) => row.innerText.includes('{recipient}'))?.dataset.key ?? null"
        );
        let key = self.window.wait_for_script(&script)?;
        let key = key.as_str().context("a row without a key")?;
        Ok(format!("#queue-table tr[data-key='{key}']"))
    }

    fn row_says(&self, recipient: &str, words: &str) -> Result<()> {
        self.window.wait_for_text(&self.row(recipient)?, words)
    }

    fn mark(&self, recipient: &str) -> Result<()> {
        let check = format!("{} .check", self.row(recipient)?);
        self.window.click(&check)
    }

    /// Does something with a recipient that is in the table.
    fn act(&self, recipient: &str, act: &str) -> Result<()> {
        self.mark(recipient)?;
        self.window.click(&by_id(&format!("queue.{act}")))
    }

    fn counts(&self, words: &str) -> Result<()> {
        self.window.wait_for_text(&by_id("queue-counts"), words)
    }
}

#[test]
fn waiting_mail_says_why_and_is_held_released_and_tried_by_hand() -> Result<()> {
    let waiting = Waiting::open(Theme::Light)?;
    let window = &waiting.window;
    waiting.send_two()?;
    waiting.counts("2 recipients waiting")?;
    window.wait_for_text(&by_id("count-queue"), "2")?;
    for who in [BOB, CAROL] {
        waiting.row_says(who, "1 attempt")?;
        waiting.row_says(who, "in ")?;
    }

    waiting.act(BOB, "hold")?;
    waiting.row_says(BOB, "on hold")?;
    waiting.row_says(BOB, "when released")?;
    window.click(&by_id("unmark"))?;

    let hop = waiting.relay_comes()?;
    waiting.act(CAROL, "retry")?;
    let taken = hop.wait_for(1)?;
    ensure!(taken[0].text().contains("the invoice"), "{taken:?}");
    waiting.counts("1 recipient waiting")?;

    waiting.act(BOB, "release")?;
    let taken = hop.wait_for(2)?;
    ensure!(taken[1].text().contains("the offer"), "{taken:?}");
    window.wait(&by_id("queue-empty")).map(drop)
}

#[test]
fn an_entry_tells_every_attempt_and_goes_back_to_its_sender() -> Result<()> {
    let waiting = Waiting::open(Theme::Light)?;
    let window = &waiting.window;
    waiting.send_two()?;
    let token = send(window, "the plans", &["dave@elsewhere.example".into()])?;
    window.click(&format!("{} td:nth-child(3)", waiting.row("dave")?))?;
    window.wait_for_text(&by_id("queue-reason"), "could not be reached")?;
    window.wait_for_text(
        "[data-testid='attempt'][data-outcome='deferred']",
        "refused",
    )?;
    window.shoot("queue-entry")?;

    window.click(&by_id("entry.return"))?;
    window.wait_for_text(&by_id("queue-question-text"), "1 recipient ")?;
    window.click(&by_id("queue-yes"))?;
    window.wait(&by_id("queue-left"))?;
    waiting.counts("2 recipients waiting")?;
    let mailbox = mail_of_alice(waiting.home.path());
    let report = until("a report for Alice", || {
        Ok(mailbox.messages()?.into_iter().next())
    })?;
    let report = String::from_utf8_lossy(&report).into_owned();
    ensure!(
        report.contains("multipart/report") && report.contains("dave@elsewhere.example"),
        "{report}"
    );

    open_in_log(window, &token)?;
    window.wait_for_text(&by_id("deliveries"), "dave@elsewhere.example")?;
    window.wait("[data-testid='deliveries'] [data-outcome='failed']")?;
    window.shoot("log-returned")
}

#[test]
fn all_that_match_are_deleted_after_a_question_that_names_their_number() -> Result<()> {
    let waiting = Waiting::open(Theme::Light)?;
    let window = &waiting.window;
    waiting.send_two()?;
    let many = PAGE + 5;
    let staff: Vec<String> = (0..many).map(|n| format!("staff{n}@far.example")).collect();
    for (part, subject) in staff.chunks(PAGE / 2).zip(["one", "two", "three"]) {
        send(window, subject, part)?;
    }
    window.fill(&by_id("queue.search"), "far.example")?;
    waiting.counts(&format!("{PAGE} of {many} recipients shown"))?;

    window.click(&by_id("mark-all"))?;
    waiting.counts(&format!("{PAGE} selected"))?;
    window.click(&by_id("mark-matching"))?;
    waiting.counts(&format!("{many} selected"))?;
    window.click(&by_id("queue.remove"))?;
    window.wait_for_text(&by_id("queue-question-text"), &format!("{many} recipients"))?;
    window.shoot("queue-question")?;
    window.click(&by_id("queue-no"))?;
    waiting.counts(&format!("{many} selected"))?;
    window.click(&by_id("queue.remove"))?;
    window.wait_for_text(&by_id("queue-yes"), &many.to_string())?;
    window.click(&by_id("queue-yes"))?;
    waiting.counts("0 of 0 recipients shown")?;

    // The others are still there, and nobody was told.
    window.fill(&by_id("queue.search"), "elsewhere.example")?;
    waiting.counts("2 of 2 recipients shown")?;
    let told = mail_of_alice(waiting.home.path()).messages()?;
    ensure!(told.is_empty(), "{} messages", told.len());
    Ok(())
}

fn is_accessible_with_waiting_mail(theme: Theme, name: &str) -> Result<()> {
    let waiting = Waiting::open(theme)?;
    let window = &waiting.window;
    waiting.send_two()?;
    window.wait(&by_id("paused"))?;
    waiting.act(BOB, "hold")?;
    waiting.row_says(BOB, "on hold")?;
    window.shoot(&format!("queue-waiting-{name}"))?;
    assert_accessible(window, &format!("the queue in {name}"))?;

    window.click(&format!("{} td:nth-child(3)", waiting.row(CAROL)?))?;
    window.wait(&by_id("queue-entry"))?;
    window.shoot(&format!("queue-entry-{name}"))?;
    assert_accessible(window, &format!("an entry of the queue in {name}"))?;
    window.click(&by_id("entry.remove"))?;
    window.wait(&by_id("queue-yes"))?;
    assert_accessible(window, &format!("a question of the queue in {name}"))?;
    window.click(&by_id("queue-no"))?;

    open_pane(window, "overview")?;
    window.wait_for_text(&by_id("figure-queue"), "paused")?;
    window.shoot(&format!("overview-waiting-{name}"))?;
    assert_accessible(window, &format!("the overview with waiting mail in {name}"))
}

#[test]
fn waiting_mail_is_accessible_in_light() -> Result<()> {
    is_accessible_with_waiting_mail(Theme::Light, "light")
}

#[test]
fn waiting_mail_is_accessible_in_dark() -> Result<()> {
    is_accessible_with_waiting_mail(Theme::Dark, "dark")
}
