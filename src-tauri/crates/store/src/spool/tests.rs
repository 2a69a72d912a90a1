//! What the log gives back, whole or torn.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::*;
use crate::journal::{Entry, Kind, Outcome};
use crate::queue::{self, Accepted, Fate, Finished, NewRecipient, recipient_id};
use crate::setting::Revision;
use crate::{DataDir, Store};

fn accepted(token: &str, recipients: usize) -> Accepted {
    let recipient = |n: usize| NewRecipient {
        address: format!("user{n}@office.example"),
        mailbox: format!("user{n}"),
        parameters: String::new(),
        destination: "mailbox".into(),
        sending: true,
        next_at_ms: 5,
        notice_at_ms: 100,
        expires_at_ms: 1000,
    };
    Accepted {
        token: token.into(),
        accepted_at_ms: 5,
        sender: "ann@third.example".into(),
        parameters: "{}".into(),
        subject: "hello".into(),
        head: "Received: by us\r\n".into(),
        size: 30,
        recipients: (0..recipients).map(recipient).collect(),
        entry: Entry {
            token: token.into(),
            at_ms: 5,
            kind: Kind::Transaction,
            outcome: Outcome::Accepted,
            client_ip: "192.0.2.1".into(),
            helo: String::new(),
            login: String::new(),
            sender: "ann@third.example".into(),
            recipients: vec!["user0@office.example".into()],
            size: 30,
            message_id: String::new(),
            subject: "hello".into(),
            reply: "250 2.0.0 Ok".into(),
            decided_by: String::new(),
            revision: Revision(1),
            facts: serde_json::json!({}).into(),
            trace: serde_json::json!([]).into(),
        },
    }
}

fn memory(bytes: &[u8]) -> Content {
    Content::Memory(Arc::new(bytes.to_vec()))
}

fn take(store: &Store, token: &str, bytes: &[u8]) -> i64 {
    store
        .accept_blocking(large(token, bytes.len() as u64), memory(bytes))
        .unwrap()
}

fn finish(store: &Store, message: i64) {
    let finished = vec![Finished {
        recipient: recipient_id(message, 0),
        token: "T".into(),
        address: "user0@office.example".into(),
        at_ms: 9,
        fate: Fate::Delivered,
        hop: String::new(),
        reply: String::new(),
    }];
    store
        .write_blocking(move |tx| queue::finish(tx, &finished))
        .unwrap();
}

fn waiting(store: &Store) -> u64 {
    store
        .read(|conn| queue::list(conn, &queue::Filter::default(), None, 10))
        .unwrap()
        .total
}

/// As after a crash in which the tables lost what the log has.
fn forget_tables(store: &Store) {
    store
        .write_blocking(|tx| {
            tx.execute_batch(
                "DELETE FROM message; DELETE FROM recipient; DELETE FROM journal; UPDATE spool_mark SET number = 0",
            )?;
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_was_accepted_comes_back_from_the_log_with_its_content_and_journal() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&DataDir::new(folder.path())).unwrap();
    assert_eq!(store.recover().unwrap().messages, 0);
    let first = take(&store, "AAAAAA", b"first");
    let second = take(&store, "BBBBBB", b"second");
    forget_tables(&store);
    assert_eq!(store.recover().unwrap().messages, 2);
    assert_eq!(store.recover().unwrap().messages, 0);
    assert_eq!(waiting(&store), 2);
    for (id, bytes) in [(first, b"first".as_slice()), (second, b"second")] {
        let content = store.content(id).unwrap();
        assert_eq!(content.read_at(0, 100).unwrap(), bytes);
    }
    let found = store
        .read(|conn| crate::journal::find(conn, "BBBBBB"))
        .unwrap();
    assert!(found.is_some());
    // The log goes on behind what was found.
    let third = take(&store, "CCCCCC", b"third");
    assert!(third > second);
    assert_eq!(
        store.content(second).unwrap().read_at(0, 9).unwrap(),
        b"second"
    );
}

/// Overwrites a part of a record.
fn damage(data: &DataDir, message: i64, from: u64) {
    let at = Position::of(message);
    let file = OpenOptions::new()
        .write(true)
        .open(segment_path(&data.spool(), at.segment))
        .unwrap();
    file.write_all_at(&[0xff; 100], at.offset + from).unwrap();
}

#[test]
fn a_record_that_was_not_finished_is_not_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    take(&store, "AAAAAA", b"whole");
    let torn = take(&store, "BBBBBB", &[b'x'; 5000]);
    damage(&data, torn, 4000);
    assert!(store.content(torn).is_err());
    forget_tables(&store);
    let found = store.recover().unwrap();
    assert_eq!((found.messages, found.gaps), (1, 0));
    // What comes next is not written behind what is not known.
    let next = take(&store, "CCCCCC", b"next");
    assert!(Position::of(next).segment > Position::of(torn).segment);
}

#[test]
fn what_cannot_be_read_does_not_hide_what_lies_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    take(&store, "AAAAAA", b"first");
    let damaged = take(&store, "BBBBBB", &[b'x'; 5000]);
    take(&store, "CCCCCC", b"third");
    take(&store, "DDDDDD", b"fourth");
    damage(&data, damaged, 0);
    forget_tables(&store);
    let found = store.recover().unwrap();
    assert_eq!((found.messages, found.gaps), (3, 1));
}

#[test]
fn a_damaged_record_at_the_mark_hides_nothing_either() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let first = take(&store, "AAAAAA", &[b'x'; 5000]);
    take(&store, "BBBBBB", b"second");
    damage(&data, first, 0);
    forget_tables(&store);
    store
        .write_blocking(move |tx| queue::mark(tx, first))
        .unwrap();
    assert_eq!(store.recover().unwrap().messages, 1);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]
    #[test]
    fn what_the_log_takes_it_gives_back(facts in 0usize..(1 << 20), content in 0usize..(2 * IN_LOG)) {
        let at = Position { segment: 3, offset: 128 };
        let identity = Identity(7);
        let mut octets = Vec::new();
        record::write(&mut octets, identity, at, &vec![1; facts], &vec![2; content]);
        let read = record::parse(&octets, identity, at);
        proptest::prop_assert_eq!(read.is_some(), record::fits(facts, content));
        if let Some(read) = read {
            proptest::prop_assert_eq!((read.facts.len(), read.content.len()), (facts, content));
            proptest::prop_assert_eq!(read.end, at.offset + octets.len() as u64);
        }
        proptest::prop_assert!(record::parse(&octets, Identity(8), at).is_none());
    }
}

#[test]
fn a_message_too_large_for_the_log_is_refused_and_hides_none_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&DataDir::new(folder.path())).unwrap();
    store.recover().unwrap();
    let large = Content::Memory(Arc::new(vec![b'x'; IN_LOG + 1]));
    assert!(store.accept_blocking(accepted("AAAAAA", 1), large).is_err());
    take(&store, "BBBBBB", b"behind");
    forget_tables(&store);
    assert_eq!(store.recover().unwrap().messages, 1);
}

#[test]
fn a_segment_that_somebody_removed_takes_no_mail_and_the_next_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let first = take(&store, "AAAAAA", b"first");
    std::fs::remove_file(segment_path(&data.spool(), Position::of(first).segment)).unwrap();
    let lost = store.accept_blocking(accepted("BBBBBB", 1), memory(b"lost"));
    assert!(lost.is_err());
    let next = take(&store, "CCCCCC", b"next");
    assert_eq!(store.content(next).unwrap().read_at(0, 9).unwrap(), b"next");
}

#[test]
fn mail_is_refused_while_the_spool_folder_is_elsewhere_and_taken_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let first = take(&store, "AAAAAA", b"first");
    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(data.spool(), &elsewhere).unwrap();
    for token in ["BBBBBB", "CCCCCC"] {
        let lost = store.accept_blocking(accepted(token, 1), memory(b"lost"));
        assert!(matches!(lost, Err(StoreError::Io { .. })), "{lost:?}");
    }
    std::fs::rename(&elsewhere, data.spool()).unwrap();
    let next = take(&store, "DDDDDD", b"next");
    for (id, content) in [(first, b"first".as_slice()), (next, b"next")] {
        let stored = store.content(id).unwrap();
        assert_eq!(stored.read_at(0, 9).unwrap(), content);
    }
}

/// Another program that holds the database, for as long as this lives.
fn holder(data: &DataDir) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(data.database()).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

#[test]
fn a_message_that_the_tables_cannot_take_is_safe_and_entered_when_they_can() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    take(&store, "AAAAAA", b"before");
    // The test does not wait as long for the other program as the writer does.
    store
        .write_blocking(|tx| Ok(tx.busy_timeout(std::time::Duration::from_millis(20))?))
        .unwrap();
    let held = holder(&data);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let accept = |token: &str| {
        let coming = store.accept(Arc::new(accepted(token, 1)), memory(b"while"));
        runtime.block_on(coming)
    };
    // The log has it, so it is answered for.
    accept("BBBBBB").unwrap();
    // Once the tables are known not to follow, nothing more is taken.
    let refused = (0..5000)
        .map(|n| accept(&format!("C{n:05}")))
        .find(Result::is_err);
    assert_eq!(refused, Some(Err(StoreError::Busy)));
    assert!(store.is_behind());
    drop(held);
    let after = (0..100)
        .map(|n| accept(&format!("D{n:05}")))
        .find(Result::is_ok);
    assert!(after.is_some());
    assert!(!store.is_behind());
    store.write_blocking(|_| Ok(())).unwrap();
    let tokens: Vec<String> = store
        .read(|conn| queue::list(conn, &queue::Filter::default(), None, 9000))
        .unwrap()
        .rows
        .into_iter()
        .map(|row| row.token)
        .collect();
    assert!(tokens.contains(&"AAAAAA".to_owned()) && tokens.contains(&"BBBBBB".to_owned()));
    // Each that was taken is there once, and the order is kept.
    let mut sorted = tokens.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!(tokens, sorted);
}

#[test]
fn a_message_before_the_log_is_open_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&DataDir::new(folder.path())).unwrap();
    assert!(
        store
            .accept_blocking(accepted("AAAAAA", 1), memory(b"early"))
            .is_err()
    );
    assert_eq!(waiting(&store), 0);
}

#[test]
fn segments_are_used_again_and_old_records_in_them_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let bytes = vec![b'x'; IN_LOG];
    let kept = take(&store, "KEPTAA", b"kept");
    let mut last = kept;
    for n in 0..400 {
        last = take(&store, &format!("T{n:05}"), &bytes);
        finish(&store, last);
    }
    // 50 MB went through; the first segment stays for the message in it, the others were freed.
    assert!(Position::of(last).segment >= 4);
    let names: Vec<String> = std::fs::read_dir(data.spool())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let logs = names.iter().filter(|name| name.starts_with("log-")).count();
    assert_eq!(logs, 2, "{names:?}");
    assert_eq!(store.content(kept).unwrap().read_at(0, 9).unwrap(), b"kept");
    forget_tables(&store);
    // Everything in the two segments that are left and nothing of those before.
    let found = store.recover().unwrap().messages;
    let in_first = 1 + usize::try_from(record::SEGMENT).unwrap() / IN_LOG;
    assert!(found > 1 && found < 2 * in_first, "{found}");
}

/// Content in a file of the spool folder.
fn in_file(data: &DataDir, number: u64, octets: &[u8]) -> SpoolFile {
    let mut writing = Writing::begin(&data.spool(), number).unwrap();
    writing.push(octets).unwrap();
    writing.finish().unwrap()
}

#[test]
fn a_large_message_lies_in_a_file_that_is_put_aside_when_nobody_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let kept = in_file(&data, 0, b"large");
    let name = kept.mark().name.clone();
    let orphan = in_file(&data, 1, b"large").mark().name.clone();
    let id = store
        .accept_blocking(large("AAAAAA", 5), Content::File(Arc::new(kept)))
        .unwrap();
    forget_tables(&store);
    assert_eq!(store.recover().unwrap().messages, 1);
    assert!(data.spool().join(name).exists());
    assert!(!data.spool().join(&orphan).exists());
    assert!(orphans::aside(&data.spool()).join(orphan).exists());
    assert_eq!(store.content(id).unwrap().read_at(1, 9).unwrap(), b"arge");
}

/// A message with so many octets of content.
fn large(token: &str, content: u64) -> Accepted {
    let accepted = accepted(token, 1);
    Accepted {
        size: accepted.head.len() as u64 + content,
        ..accepted
    }
}

#[test]
fn a_file_that_is_not_what_was_stored_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let octets = vec![b'x'; 100_000];
    for number in 0..2 {
        let file = in_file(&data, number, &octets);
        let path = data.spool().join(&file.mark().name);
        let content = Content::File(Arc::new(file));
        let id = store
            .accept_blocking(large(&format!("AAAAA{number}"), 100_000), content)
            .unwrap();
        assert!(store.content(id).is_ok());
        let file = OpenOptions::new().write(true).open(path).unwrap();
        if number == 0 {
            file.set_len(99_999).unwrap();
        } else {
            file.write_all_at(b"y", 50_000).unwrap();
        }
        assert!(matches!(store.content(id), Err(StoreError::Spool { .. })));
    }
}

#[test]
fn a_position_and_its_number_are_one_thing() {
    for (segment, offset) in [(1, 0), (1, 64), (2_000_000, record::SEGMENT - 64)] {
        let position = Position { segment, offset };
        assert_eq!(Position::of(position.id()), position);
        // A recipient's number is exact in JavaScript.
        assert!(recipient_id(position.id(), queue::MOST_RECIPIENTS - 1) < 1 << 53);
    }
}

#[test]
fn a_few_messages_that_wait_do_not_keep_old_segments() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let bytes = vec![b'x'; IN_LOG];
    // One message in each of many segments is not delivered.
    let mut kept = Vec::new();
    for n in 0..1400 {
        let id = take(&store, &format!("T{n:05}"), &bytes);
        if n % 130 == 0 {
            kept.push(id);
        } else {
            finish(&store, id);
        }
    }
    let logs = || full_segments(&data.spool()).unwrap().len();
    assert!(logs() > 8, "{}", logs());
    store.compact().unwrap();
    finish(&store, take(&store, "LASTAA", b"x"));
    assert_eq!(logs(), 8);
    for id in &kept {
        // Also for one who looked before it was moved.
        assert_eq!(store.content(*id).unwrap().length(), IN_LOG as u64);
    }
    drop(store);
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    assert_eq!(waiting(&store), kept.len() as u64);
}

#[test]
fn the_spool_of_another_database_is_put_aside_and_not_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    take(&store, "AAAAAA", b"old");
    drop(store);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("postroom.db{suffix}")));
    }
    let store = Store::open(&data).unwrap();
    let found = store.recover().unwrap();
    assert_eq!(found.messages, 0);
    assert!(found.set_aside.unwrap().join("log-0000000001").exists());
    let new = take(&store, "BBBBBB", b"new");
    assert_eq!(store.content(new).unwrap().read_at(0, 9).unwrap(), b"new");
}

#[test]
fn a_spool_put_aside_is_told_of_at_every_start_until_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    let aside = folder.path().join("spool-of-another-database-2");
    std::fs::create_dir(&aside).unwrap();
    std::fs::create_dir(folder.path().join("spool-of-another-database-1")).unwrap();
    for _ in 0..2 {
        assert_eq!(store.recover().unwrap().set_aside, Some(aside.clone()));
    }
    for number in 1..=2 {
        let name = format!("spool-of-another-database-{number}");
        std::fs::remove_dir(folder.path().join(name)).unwrap();
    }
    assert_eq!(store.recover().unwrap().set_aside, None);
}

mod going_on;
