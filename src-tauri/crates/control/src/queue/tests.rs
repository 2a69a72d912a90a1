use std::sync::Arc;

use serde_json::{Value, json};
use server::clock;
use store::journal::{Entry, Kind, Outcome};
use store::queue::{Accepted, Fate, Finished, NewRecipient, Pause};
use store::setting::Revision;
use store::spool::{Content, Writing};
use store::{DataDir, StoreError, Tx};

use super::*;

const HOUR_MS: i64 = 3_600_000;
const MESSAGE: &[u8] =
    b"From: ann@office.example\r\nSubject: \x1b[31mhello\r\n folded\r\n\r\nFrom: body\r\n";

/// A data folder with a queue, and no server.
struct Office {
    folder: tempfile::TempDir,
    control: Control,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open(&DataDir::new(folder.path())).unwrap();
        control.store.recover().unwrap();
        Self { folder, control }
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.control.store.write_blocking(work).unwrap()
    }

    fn accept(&self, token: &str, to: &[(&str, &str)], content: &Content) -> i64 {
        let (accepted, content) = (accepted(token, to), content.clone());
        self.control
            .store
            .accept_blocking(accepted, content)
            .unwrap()
    }

    /// A message to each of these (address, destination).
    fn put(&self, token: &str, to: &[(&str, &str)]) -> i64 {
        self.accept(token, to, &Content::Memory(Arc::new(MESSAGE.to_vec())))
    }

    fn all(&self) -> Vec<QueueRow> {
        self.list(json!({}))
    }

    fn list(&self, filter: Value) -> Vec<QueueRow> {
        let page = self.control.queue_list(&read(filter), None, 100).unwrap();
        assert_eq!(page.total as usize, page.rows.len());
        page.rows
    }

    fn id(&self, recipient: &str) -> i64 {
        let rows = self.all();
        rows.iter()
            .find(|row| row.recipient == recipient)
            .unwrap()
            .id
    }

    fn state(&self, recipient: &str) -> String {
        self.control
            .queue_show(self.id(recipient))
            .unwrap()
            .row
            .state
    }

    fn act(&self, act: QueueAct, which: Value) -> u64 {
        self.control
            .queue_act(act, &serde_json::from_value(which).unwrap())
            .unwrap()
            .changed
    }

    fn finish(&self, recipient: &str, fate: Fate, hop: &str, reply: &str) {
        let row = self
            .all()
            .into_iter()
            .find(|row| row.recipient == recipient)
            .unwrap();
        let finished = Finished {
            recipient: row.id,
            token: row.token,
            address: row.recipient,
            at_ms: clock::now_ms(),
            fate,
            hop: hop.into(),
            reply: reply.into(),
        };
        self.write(move |tx| store::queue::finish(tx, &[finished]).map(drop));
    }
}

fn read(filter: Value) -> QueueFilter {
    serde_json::from_value(filter).unwrap()
}

fn accepted(token: &str, to: &[(&str, &str)]) -> Accepted {
    let now = clock::now_ms();
    let recipients: Vec<NewRecipient> = to
        .iter()
        .map(|(address, destination)| NewRecipient {
            address: (*address).into(),
            mailbox: String::new(),
            parameters: String::new(),
            destination: (*destination).into(),
            sending: false,
            next_at_ms: now + HOUR_MS,
            notice_at_ms: now + 4 * HOUR_MS,
            expires_at_ms: now + 120 * HOUR_MS,
        })
        .collect();
    let head = "Received: from there\r\n by here\r\n";
    Accepted {
        token: token.into(),
        accepted_at_ms: now,
        sender: "ann@office.example".into(),
        parameters: "{}".into(),
        subject: "hello".into(),
        head: head.into(),
        size: (head.len() + MESSAGE.len()) as u64,
        entry: entry(token, &recipients, now),
        recipients,
    }
}

fn entry(token: &str, recipients: &[NewRecipient], at_ms: i64) -> Entry {
    Entry {
        token: token.into(),
        at_ms,
        kind: Kind::Transaction,
        outcome: Outcome::Accepted,
        client_ip: "192.0.2.1".into(),
        helo: "client.example".into(),
        login: String::new(),
        sender: "ann@office.example".into(),
        recipients: recipients.iter().map(|to| to.address.clone()).collect(),
        size: MESSAGE.len() as u64,
        message_id: String::new(),
        subject: "hello".into(),
        reply: "250 2.0.0 Ok".into(),
        decided_by: String::new(),
        revision: Revision(1),
        facts: Value::Null.into(),
        trace: json!([]).into(),
    }
}

fn deferred(reason: &str) -> Fate {
    Fate::Deferred {
        next_at_ms: clock::now_ms() + HOUR_MS,
        notice_at_ms: None,
        reason: reason.into(),
    }
}

#[test]
fn the_queue_is_listed_newest_first_in_pages() {
    let office = Office::new();
    for number in 0..5 {
        let address = format!("user{number}@far.example");
        office.put(&format!("AAAAA{number}"), &[(&address, "relay")]);
    }
    let everything = QueueFilter::default();
    let first = office.control.queue_list(&everything, None, 3).unwrap();
    assert!(first.more && first.total == 5 && first.rows.len() == 3);
    assert_eq!(first.rows[0].recipient, "user4@far.example");
    let last = first.rows.last().map(|row| row.id);
    let second = office.control.queue_list(&everything, last, 3).unwrap();
    assert!(!second.more && second.total == 5 && second.rows.len() == 2);
    assert_eq!(second.rows[1].recipient, "user0@far.example");
}

#[test]
fn recipients_are_found_by_text_state_and_destination() {
    let office = Office::new();
    office.put(
        "AAAAA1",
        &[
            ("bob@far.example", "relay"),
            ("eve@else.example", "domain:else.example"),
        ],
    );
    assert_eq!(office.list(json!({"text": "BOB"})).len(), 1);
    assert_eq!(
        office
            .list(json!({"destination": "domain:else.example"}))
            .len(),
        1
    );
    assert_eq!(office.list(json!({"state": "held"})).len(), 0);
    assert_eq!(office.list(json!({"state": "all"})).len(), 2);
}

#[test]
fn a_word_that_is_no_state_means_nothing_instead_of_everything() {
    let office = Office::new();
    office.put("AAAAA1", &[("bob@far.example", "relay")]);
    let filter = read(json!({"state": "hold"}));
    let listed = office.control.queue_list(&filter, None, 10);
    assert!(listed.unwrap_err().message.contains("\"hold\""));
    let which = QueueWhich::Matching(filter);
    office
        .control
        .queue_act(QueueAct::Remove, &which)
        .unwrap_err();
    assert_eq!(office.all().len(), 1);
}

#[test]
fn one_recipient_is_shown_with_its_history_and_the_head_of_its_message() {
    let office = Office::new();
    office.put(
        "AAAAA1",
        &[("bob@far.example", "relay"), ("eve@far.example", "relay")],
    );
    office.finish(
        "bob@far.example",
        deferred("busy"),
        "mx.far.example",
        "451 busy",
    );
    office.finish(
        "eve@far.example",
        deferred("away"),
        "mx.far.example",
        "451 away",
    );
    let entry = office
        .control
        .queue_show(office.id("bob@far.example"))
        .unwrap();
    assert_eq!(
        entry.head,
        "Received: from there\n by here\nFrom: ann@office.example\nSubject: \u{1b}[31mhello\n folded\n"
    );
    assert_eq!((entry.row.attempts, &*entry.row.reason), (1, "busy"));
    let [attempt] = entry.attempts.as_slice() else {
        panic!("{:?}", entry.attempts)
    };
    assert_eq!(
        (&*attempt.outcome, &*attempt.reply),
        ("deferred", "451 busy")
    );
    let gone = office.control.queue_show(7).unwrap_err();
    assert_eq!(gone.problems[0].code, "not_in_queue");
}

#[test]
fn recipients_are_held_released_returned_and_tried_at_once() {
    let office = Office::new();
    office.put(
        "AAAAA1",
        &[("bob@far.example", "relay"), ("eve@far.example", "relay")],
    );
    let bob = json!({"ids": [office.id("bob@far.example")]});
    assert_eq!(office.act(QueueAct::Hold, bob.clone()), 1);
    assert_eq!(office.act(QueueAct::Hold, bob.clone()), 0);
    assert_eq!(office.state("bob@far.example"), "held");
    assert_eq!(office.state("eve@far.example"), "waiting");
    assert_eq!(office.act(QueueAct::Release, bob.clone()), 1);
    assert_eq!(office.state("bob@far.example"), "waiting");
    assert_eq!(office.act(QueueAct::Retry, bob.clone()), 1);
    let row = office
        .control
        .queue_show(office.id("bob@far.example"))
        .unwrap()
        .row;
    assert!(row.next_at_ms <= clock::now_ms());
    assert_eq!(office.act(QueueAct::Return, bob), 1);
    assert_eq!(office.state("bob@far.example"), "returning");
}

#[test]
fn an_act_on_numbers_counts_those_it_changed_once() {
    let office = Office::new();
    office.put("AAAAA1", &[("bob@far.example", "relay")]);
    let id = office.id("bob@far.example");
    assert_eq!(
        office.act(QueueAct::Retry, json!({"ids": [id, id, 7, -1]})),
        1
    );
    let many = QueueWhich::Ids(vec![id; 10_001]);
    let refused = office
        .control
        .queue_act(QueueAct::Remove, &many)
        .unwrap_err();
    assert_eq!(refused.problems[0].code, "too_many");
    assert_eq!(office.all().len(), 1);
}

#[test]
fn an_act_on_what_matches_leaves_the_rest() {
    let office = Office::new();
    office.put(
        "AAAAA1",
        &[("bob@far.example", "relay"), ("eve@else.example", "relay")],
    );
    office.put("AAAAA2", &[("bob@else.example", "relay")]);
    let which = json!({"matching": {"text": "else.example", "state": "waiting"}});
    assert_eq!(office.act(QueueAct::Remove, which), 2);
    assert_eq!(office.all().len(), 1);
    assert_eq!(office.act(QueueAct::Remove, json!({"matching": {}})), 1);
    assert!(office.all().is_empty());
}

#[test]
fn the_content_of_a_removed_message_is_gone_when_its_last_recipient_is() {
    let office = Office::new();
    let spool = DataDir::new(office.folder.path()).spool();
    let mut writing = Writing::begin(&spool, 7).unwrap();
    writing.push(MESSAGE).unwrap();
    let path = writing.path().to_owned();
    let content = writing.finish().unwrap();
    let to = [("bob@far.example", "relay"), ("eve@far.example", "relay")];
    office.accept("AAAAA1", &to, &Content::File(Arc::new(content)));
    let shown = office
        .control
        .queue_show(office.id("bob@far.example"))
        .unwrap();
    assert!(shown.head.contains("From: ann"));
    let only = |address: &str| json!({"matching": {"text": address}});
    office.act(QueueAct::Remove, only("bob@far"));
    assert!(path.exists());
    office.act(QueueAct::Remove, only("eve@far"));
    assert!(!path.exists());
}

#[test]
fn a_running_server_is_told_of_every_act() {
    let office = Office::new();
    office.put("AAAAA1", &[("bob@far.example", "relay")]);
    let changes = || office.control.store.read(store::queue::changes).unwrap();
    let before = changes();
    office.act(QueueAct::Hold, json!({"matching": {}}));
    assert!(changes() > before);
}

#[test]
fn the_mail_log_tells_what_became_of_a_message() {
    let office = Office::new();
    office.put(
        "AAAAAA",
        &[
            ("bob@far.example", "relay"),
            ("eve@far.example", "relay"),
            ("sue@far.example", "relay"),
        ],
    );
    office.finish(
        "bob@far.example",
        deferred("busy"),
        "mx.far.example",
        "451 4.3.2 busy",
    );
    office.finish(
        "bob@far.example",
        Fate::Delivered,
        "mx.far.example",
        "250 Ok",
    );
    office.finish("eve@far.example", Fate::Delivered, "mailbox of eve", "");
    let [entry] = office
        .control
        .journal_open("AAAAAA")
        .unwrap()
        .try_into()
        .unwrap();
    let outcomes: Vec<&str> = entry
        .attempts
        .iter()
        .map(|one| one.outcome.as_str())
        .collect();
    assert_eq!(outcomes, ["deferred", "delivered", "delivered"]);
    let text = office.control.journal_text("AAAAAA").unwrap();
    for line in [
        "bob@far.example: deferred by mx.far.example: 451 4.3.2 busy",
        "bob@far.example: delivered to mx.far.example: 250 Ok",
        "eve@far.example: delivered to mailbox of eve",
        "sue@far.example is in the queue: next attempt ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn the_overview_has_the_queue_in_a_few_numbers() {
    let office = Office::new();
    assert_eq!(
        serde_json::to_value(office.control.overview().unwrap().queue).unwrap(),
        json!({"waiting": 0, "held": 0, "oldest_at_ms": null, "paused": []})
    );
    office.put(
        "AAAAA1",
        &[("bob@far.example", "relay"), ("eve@far.example", "relay")],
    );
    office.put("AAAAA2", &[("ann@else.example", "domain:else.example")]);
    office.act(QueueAct::Hold, json!({"matching": {"text": "eve"}}));
    office.write(|tx| {
        for destination in ["relay", "domain:nobody.example"] {
            let pause = Pause {
                destination: destination.into(),
                failures: 3,
                until_ms: 5,
                reason: "down".into(),
            };
            store::queue::pause(tx, &pause)?;
        }
        Ok(())
    });
    let queue = office.control.overview().unwrap().queue;
    assert_eq!((queue.waiting, queue.held), (2, 1));
    assert!(queue.oldest_at_ms.is_some_and(|at| at <= clock::now_ms()));
    // Nothing waits for the other one.
    assert_eq!(
        serde_json::to_value(queue.paused).unwrap(),
        json!([{"destination": "relay", "waiting": 1, "until_ms": 5, "reason": "down"}])
    );
}

#[test]
fn what_is_gone_or_under_way_is_named_and_the_others_are_acted_on() {
    let office = Office::new();
    office.put(
        "AAAAA1",
        &[("bob@far.example", "relay"), ("eve@far.example", "relay")],
    );
    let (bob, eve) = (office.id("bob@far.example"), office.id("eve@far.example"));
    office.write(move |tx| {
        tx.execute("UPDATE recipient SET state = 1 WHERE id = ?1", [bob])?;
        Ok(())
    });
    let which = QueueWhich::Ids(vec![bob, eve, 77]);
    let acted = office.control.queue_act(QueueAct::Hold, &which).unwrap();
    assert_eq!(
        (acted.changed, &*acted.gone, &*acted.under_way),
        (1, [77].as_slice(), [bob].as_slice())
    );
    assert_eq!(office.state("eve@far.example"), "held");
    let refusal = acted.refusal().unwrap();
    let codes: Vec<&str> = refusal.problems.iter().map(|one| &*one.code).collect();
    assert_eq!(codes, ["not_in_queue", "under_way"]);
    assert!(refusal.message.contains("77 is not in the queue"));
    assert!(refusal.message.contains("is being sent at this moment"));
    let all = QueueWhich::Ids(vec![eve]);
    let acted = office.control.queue_act(QueueAct::Release, &all).unwrap();
    assert_eq!(acted.refusal(), None);
}

#[test]
fn all_that_match_ends_with_what_the_person_saw() {
    let office = Office::new();
    office.put("AAAAA1", &[("bob@far.example", "relay")]);
    let up_to = office.id("bob@far.example");
    office.put("AAAAA2", &[("eve@far.example", "relay")]);
    let matching = json!({"matching": {"text": "far.example", "up_to": up_to}});
    assert_eq!(office.act(QueueAct::Remove, matching), 1);
    let left: Vec<String> = office.all().into_iter().map(|row| row.recipient).collect();
    assert_eq!(left, ["eve@far.example"]);
}
