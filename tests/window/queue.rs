//! Mail that waits: why, until when, and what can be done with it.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::window::{Theme, Window};
use postroom_tests::{Hop, Manner};
use tempfile::TempDir;

use super::mail::{mail_of_alice, office_with_alice, relay_at, send};
use super::{PANES, assert_accessible, by_id, open_in_log, open_pane};

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

    /// Two messages that wait. The one to Bob was tried in vain, and so the other one is spared that for a while.
    /// Returns the token of the first.
    fn send_two(&self) -> Result<String> {
        open_pane(&self.window, "queue")?;
        let token = send(&self.window, "the offer", &[BOB.into()])?;
        self.row_says(BOB, "1 attempt")?;
        send(&self.window, "the invoice", &[CAROL.into()])?;
        for who in [BOB, CAROL] {
            self.row_says(who, "nothing listens there")?;
        }
        Ok(token)
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
        waiting.row_says(who, "in 5 minutes")?;
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

    // Released is tried at once, whatever its destination's pause.
    waiting.act(BOB, "release")?;
    let taken = hop.wait_for(2)?;
    ensure!(taken[1].text().contains("the offer"), "{taken:?}");
    window.wait(&by_id("queue-empty")).map(drop)
}

#[test]
fn an_entry_tells_every_attempt_and_goes_back_to_its_sender() -> Result<()> {
    let waiting = Waiting::open(Theme::Light)?;
    let window = &waiting.window;
    let token = waiting.send_two()?;
    window.click(&format!("{} td:nth-child(3)", waiting.row(BOB)?))?;
    window.wait_for_text(&by_id("queue-reason"), "nothing listens there")?;
    let attempt = "[data-testid='attempt'][data-outcome='deferred']";
    window.wait_for_text(attempt, "nothing listens there")?;
    window.shoot("queue-entry")?;

    window.click(&by_id("entry.return"))?;
    window.wait_for_text(&by_id("queue-question-text"), "1 recipient ")?;
    window.click(&by_id("queue-yes"))?;
    window.wait(&by_id("queue-left"))?;
    waiting.counts("1 recipient waiting")?;
    let mailbox = mail_of_alice(waiting.home.path());
    let report = until("a report for Alice", || {
        Ok(mailbox.messages()?.into_iter().next())
    })?;
    let report = String::from_utf8_lossy(&report).into_owned();
    ensure!(
        report.contains("multipart/report") && report.contains(BOB),
        "{report}"
    );

    open_in_log(window, &token)?;
    window.wait_for_text(&by_id("deliveries"), BOB)?;
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
    // Nobody has seen this one, so it is not meant.
    send(window, "late", &["late@far.example".into()])?;
    waiting.row_says("late@far.example", "waiting")?;
    waiting.counts(&format!("{many} selected"))?;
    window.click(&by_id("queue.remove"))?;
    window.wait_for_text(&by_id("queue-question-text"), &format!("{many} recipients"))?;
    window.shoot("queue-question")?;
    window.click(&by_id("queue-no"))?;
    waiting.counts(&format!("{many} selected"))?;
    window.click(&by_id("queue.remove"))?;
    window.wait_for_text(&by_id("queue-yes"), &many.to_string())?;
    window.click(&by_id("queue-yes"))?;
    waiting.counts("1 of 1 recipient shown")?;
    waiting.row_says("late@far.example", "waiting")?;

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
    window.wait_for_text(&by_id("pane-overview"), "1 destination paused")?;
    window.shoot(&format!("overview-waiting-{name}"))?;
    assert_accessible(window, &format!("the overview with waiting mail in {name}"))
}

#[test]
fn german_words_have_room_in_every_pane() -> Result<()> {
    let waiting = Waiting::open(Theme::Light)?;
    let window = &waiting.window;
    waiting.send_two()?;
    waiting.act(BOB, "hold")?;
    waiting.row_says(BOB, "on hold")?;
    let choose = "const choice = document.getElementById('language');
        choice.value = 'de';
        choice.dispatchEvent(new Event('change', { bubbles: true }));
        return document.documentElement.lang === 'de'";
    window.wait_for_script(choose)?;
    for pane in PANES {
        open_pane(window, pane)?;
        if *pane == "queue" {
            window.click(&format!("{} td:nth-child(3)", waiting.row(BOB)?))?;
            window.wait(&by_id("queue-entry"))?;
        }
        if *pane == "delivery" {
            window.click(&by_id("relay-test.run"))?;
            window.wait("[data-testid='relay-test.verdict'][data-tone='bad']")?;
        }
        window.shoot(&format!("{pane}-german"))?;
        assert_accessible(window, &format!("{pane} in German"))?;
    }
    Ok(())
}

#[test]
fn waiting_mail_is_accessible_in_light() -> Result<()> {
    is_accessible_with_waiting_mail(Theme::Light, "light")
}

#[test]
fn waiting_mail_is_accessible_in_dark() -> Result<()> {
    is_accessible_with_waiting_mail(Theme::Dark, "dark")
}
