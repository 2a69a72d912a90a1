//! The queue's life: due, tried, held, returned, gone.

use super::*;
use crate::journal::{Entry, Kind, Outcome};
use crate::open::memory;
use crate::setting::Revision;

/// What the mail log says of a message that waits.
pub(super) fn entry(token: &str) -> Entry {
    Entry {
        token: token.into(),
        at_ms: 5,
        kind: Kind::Transaction,
        outcome: Outcome::Accepted,
        client_ip: String::new(),
        helo: String::new(),
        login: String::new(),
        sender: String::new(),
        recipients: Vec::new(),
        size: 0,
        message_id: String::new(),
        subject: String::new(),
        reply: String::new(),
        decided_by: String::new(),
        revision: Revision(1),
        facts: journal::Json::default(),
        trace: journal::Json::default(),
    }
}

/// A message in the tables to each of these (address, destination, due at).
fn put(tx: &Tx<'_>, id: i64, to: &[(&str, &str, i64)]) {
    let token = format!("T{id:05}");
    let accepted = Accepted {
        token: token.clone(),
        accepted_at_ms: 5,
        sender: "ann@third.example".into(),
        parameters: "{}".into(),
        subject: "Grüße".into(),
        head: String::new(),
        size: 10,
        recipients: to
            .iter()
            .map(|(address, destination, at)| NewRecipient {
                address: (*address).into(),
                mailbox: String::new(),
                parameters: String::new(),
                destination: (*destination).into(),
                sending: false,
                next_at_ms: *at,
                notice_at_ms: 1_000,
                expires_at_ms: 9_000,
            })
            .collect(),
        entry: entry(&token),
    };
    insert(tx, id, &accepted, None).unwrap();
    mark(tx, id).unwrap();
}

fn finished(recipient: i64, fate: Fate) -> Finished {
    Finished {
        recipient,
        token: "T00001".into(),
        address: "bob@far.example".into(),
        at_ms: 50,
        fate,
        hop: "mx.far.example".into(),
        reply: "said".into(),
    }
}

fn ids(due: &[Due]) -> Vec<i64> {
    due.iter()
        .flat_map(|one| one.recipients.iter().map(|recipient| recipient.id))
        .collect()
}

#[test]
fn what_is_due_is_taken_once_and_grouped_by_message() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(
        &tx,
        1,
        &[
            ("a@x.example", "relay", 10),
            ("b@x.example", "relay", 10),
            ("c@x.example", "domain:y", 10),
        ],
    );
    put(&tx, 2, &[("d@x.example", "relay", 99)]);
    let due = take_due(&tx, "relay", 20, 100, 100).unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(ids(&due), [recipient_id(1, 0), recipient_id(1, 1)]);
    assert!(take_due(&tx, "relay", 20, 100, 100).unwrap().is_empty());
    assert_eq!(next_due(&tx, "relay").unwrap(), Some(99));
    assert_eq!(
        schedule(&tx).unwrap(),
        [("domain:y".to_owned(), 10), ("relay".to_owned(), 99)]
    );
    // After a start nothing is being sent any more.
    assert_eq!(reset(&tx).unwrap(), 2);
    assert_eq!(take_due(&tx, "relay", 20, 1, 1).unwrap().len(), 1);
}

#[test]
fn a_message_goes_when_its_last_recipient_does() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(
        &tx,
        1,
        &[("a@x.example", "relay", 10), ("b@x.example", "relay", 10)],
    );
    take_due(&tx, "relay", 20, 100, 100).unwrap();
    finish(&tx, &[finished(recipient_id(1, 0), Fate::Delivered)]).unwrap();
    let later = Fate::Deferred {
        next_at_ms: 70,
        notice_at_ms: None,
        reason: "451 later".into(),
    };
    finish(&tx, &[finished(recipient_id(1, 1), later)]).unwrap();
    let row = show(&tx, recipient_id(1, 1)).unwrap().unwrap();
    assert_eq!(
        (row.attempts, row.next_at_ms, row.reason.as_str()),
        (1, 70, "451 later")
    );
    assert_eq!(row.state, "waiting");
    finish(&tx, &[finished(recipient_id(1, 1), Fate::Failed)]).unwrap();
    assert_eq!(count(&tx).unwrap(), (0, 0));
    let messages: i64 = tx
        .query_row("SELECT count(*) FROM message", [], |row| row.get(0))
        .unwrap();
    assert_eq!(messages, 0);
    let history = attempts_of(&tx, "T00001", 0, 10).unwrap();
    let outcomes: Vec<&str> = history.iter().map(|one| one.outcome.as_str()).collect();
    assert_eq!(outcomes, ["delivered", "deferred", "failed"]);
}

#[test]
fn the_pause_of_a_destination_shows_in_what_waits_for_it() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1, &[("a@x.example", "relay", 10)]);
    let rest = Pause {
        destination: "relay".into(),
        failures: 3,
        until_ms: 500,
        reason: "connection refused".into(),
    };
    pause(&tx, &rest).unwrap();
    let row = show(&tx, recipient_id(1, 0)).unwrap().unwrap();
    assert_eq!(
        (row.next_at_ms, row.reason.as_str()),
        (500, "connection refused")
    );
    assert_eq!(pauses(&tx).unwrap(), [rest]);
    resume(&tx, "relay").unwrap();
    assert_eq!(
        show(&tx, recipient_id(1, 0)).unwrap().unwrap().next_at_ms,
        10
    );
}

#[test]
fn the_admin_holds_releases_retries_returns_and_removes() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(
        &tx,
        1,
        &[("a@x.example", "relay", 500), ("b@y.example", "relay", 500)],
    );
    let one = |n| Which::Ids(vec![recipient_id(1, n), 77]);
    let before = changes(&tx).unwrap();
    assert_eq!(act(&tx, Act::Hold, &one(0), 9).unwrap().changed, 1);
    assert!(ids(&take_due(&tx, "relay", 900, 9, 9).unwrap()).contains(&recipient_id(1, 1)));
    // One that is being sent is left alone.
    assert_eq!(act(&tx, Act::Remove, &one(1), 9).unwrap().changed, 0);
    reset(&tx).unwrap();
    assert_eq!(act(&tx, Act::Release, &one(0), 9).unwrap().changed, 1);
    assert_eq!(act(&tx, Act::Retry, &one(0), 9).unwrap().changed, 1);
    assert_eq!(
        ids(&take_due(&tx, "relay", 9, 9, 9).unwrap()),
        [recipient_id(1, 0)]
    );
    reset(&tx).unwrap();
    let matching = Which::Matching(Filter {
        text: "Y.EXAMPLE".into(),
        ..Filter::default()
    });
    assert_eq!(act(&tx, Act::Return, &matching, 9).unwrap().changed, 1);
    assert_eq!(ids(&take_returns(&tx, 9).unwrap()), [recipient_id(1, 1)]);
    reset(&tx).unwrap();
    assert_eq!(
        act(&tx, Act::Remove, &Which::Matching(Filter::default()), 9)
            .unwrap()
            .changed,
        2
    );
    assert_eq!(count(&tx).unwrap(), (0, 0));
    assert!(changes(&tx).unwrap() > before);
}

#[test]
fn a_delay_is_told_once_and_the_end_later() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1, &[("a@x.example", "relay", 10)]);
    assert!(take_notices(&tx, 999, 9).unwrap().is_empty());
    assert_eq!(take_notices(&tx, 1_000, 9).unwrap().len(), 1);
    let told = Fate::Told {
        notice_at_ms: 9_000,
        reason: "no route".into(),
    };
    finish(&tx, &[finished(recipient_id(1, 0), told)]).unwrap();
    // Nothing was tried: the schedule goes on as it was.
    let row = show(&tx, recipient_id(1, 0)).unwrap().unwrap();
    assert_eq!(
        (row.attempts, row.next_at_ms, row.state.as_str()),
        (0, 10, "waiting")
    );
    assert!(attempts_of(&tx, "T00001", 0, 10).unwrap().is_empty());
    assert!(take_notices(&tx, 8_999, 9).unwrap().is_empty());
    assert_eq!(take_notices(&tx, 9_000, 9).unwrap().len(), 1);
}

#[test]
fn new_routes_move_what_waits() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1, &[("a@x.example", "domain:x.example", 10)]);
    let moved = route_anew(&tx, 7, |address, _| {
        assert_eq!(address, "a@x.example");
        Some("relay".into())
    });
    assert_eq!(moved.unwrap(), 1);
    // What has another way now need not wait for the old one's schedule.
    assert_eq!(take_due(&tx, "relay", 7, 9, 9).unwrap().len(), 1);
}

#[test]
fn what_the_tables_do_not_know_yet_is_not_taken_for_done() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1, &[("a@x.example", "relay", 10)]);
    let early = finish(&tx, &[finished(recipient_id(2, 0), Fate::Delivered)]);
    assert_eq!(early.unwrap_err(), StoreError::Busy);
    put(&tx, 2, &[("b@x.example", "relay", 10)]);
    finish(&tx, &[finished(recipient_id(2, 0), Fate::Delivered)]).unwrap();
    assert_eq!(
        ids(&take_due(&tx, "relay", 20, 9, 9).unwrap()),
        [recipient_id(1, 0)]
    );
}

#[test]
fn few_messages_are_taken_with_many_recipients() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    let to = [
        ("a@x.example", "relay", 10),
        ("b@x.example", "relay", 10),
        ("c@x.example", "relay", 11),
    ];
    put(&tx, 1, &to);
    put(&tx, 2, &to);
    let first = take_due(&tx, "relay", 20, 1, 100).unwrap();
    assert_eq!((first.len(), ids(&first).len()), (1, 3));
    let second = take_due(&tx, "relay", 20, 100, 2).unwrap();
    assert_eq!((second.len(), ids(&second).len()), (1, 2));
}

#[test]
fn an_address_that_became_local_waits_for_each_of_its_mailboxes() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(
        &tx,
        1,
        &[
            ("team@x.example", "domain:x.example", 10),
            ("b@y.example", "relay", 10),
        ],
    );
    take_due(&tx, "domain:x.example", 20, 9, 9).unwrap();
    let moved = Moved {
        recipient: recipient_id(1, 0),
        destination: "mailbox".into(),
        mailboxes: vec!["ann".into(), "bea".into()],
    };
    move_on(&tx, &moved, 30).unwrap();
    assert_eq!(next_due(&tx, "mailbox").unwrap(), Some(30));
    let due = take_due(&tx, "mailbox", 30, 9, 9).unwrap();
    let mailboxes: Vec<_> = due
        .iter()
        .flat_map(|one| &one.recipients)
        .map(|one| (one.id, one.address.as_str(), one.mailbox.as_str()))
        .collect();
    assert_eq!(
        mailboxes,
        [
            (recipient_id(1, 0), "team@x.example", "ann"),
            (recipient_id(1, 2), "team@x.example", "bea")
        ]
    );
}

#[test]
fn other_times_hold_for_what_waits_already() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    // Accepted at 5; the first is not told of a delay yet, the second was.
    put(&tx, 1, &[("a@x.example", "relay", 10)]);
    put(&tx, 2, &[("b@x.example", "relay", 10)]);
    let told = Fate::Told {
        notice_at_ms: 9_000,
        reason: String::new(),
    };
    finish(&tx, &[finished(recipient_id(2, 0), told)]).unwrap();
    let times = |give_up_ms, warn_ms, now_ms| {
        let times = Times {
            give_up_ms,
            warn_ms,
        };
        time_anew(&tx, times, now_ms).unwrap();
        let mut statement = tx
            .prepare("SELECT notice_at_ms, expires_at_ms FROM recipient ORDER BY id")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap()
            .collect::<Result<Vec<(i64, i64)>, _>>()
            .unwrap()
    };
    // Shorter: the first is told now, the second is not told again.
    assert_eq!(times(8_000, Some(100), 600), [(105, 8_005), (8_005, 8_005)]);
    // Longer: whoever waits until then is told then.
    assert_eq!(
        times(20_000, Some(700), 600),
        [(705, 20_005), (705, 20_005)]
    );
    assert_eq!(times(300, None, 600), [(305, 305), (305, 305)]);
}

#[test]
fn due_work_is_found_by_index_however_much_waits() {
    let conn = memory();
    let plan = |sql: &str| -> String {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = statement
            .query_map(["relay"], |row| row.get::<_, String>(3))
            .unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let due = plan(
        "SELECT id FROM recipient WHERE destination = ?1 AND state = 0 AND next_at_ms <= 5 ORDER BY next_at_ms LIMIT 9",
    );
    assert!(
        due.contains("recipient_due") && !due.contains("TEMP B-TREE"),
        "{due}"
    );
    let next = plan("SELECT min(next_at_ms) FROM recipient WHERE destination = ?1 AND state = 0");
    assert!(next.contains("recipient_due"), "{next}");
    let returns = plan("SELECT EXISTS (SELECT 1 FROM recipient WHERE state = 3) WHERE ?1 <> ''");
    assert!(returns.contains("recipient_return"), "{returns}");
}

#[test]
fn search_finds_umlauts_and_takes_no_wildcards() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1, &[("a@x.example", "relay", 10)]);
    let found = |text: &str| {
        let filter = Filter {
            text: text.into(),
            ..Filter::default()
        };
        list(&tx, &filter, None, 10).unwrap().total
    };
    assert_eq!(found("grüß"), 1);
    assert_eq!(found("ANN@"), 1);
    assert_eq!(found("%"), 0);
}
