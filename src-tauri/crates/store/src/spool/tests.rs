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
        .accept_blocking(accepted(token, 1), memory(bytes))
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
    assert_eq!(store.recover().unwrap(), 0);
    let first = take(&store, "AAAAAA", b"first");
    let second = take(&store, "BBBBBB", b"second");
    forget_tables(&store);
    assert_eq!(store.recover().unwrap(), 2);
    assert_eq!(store.recover().unwrap(), 0);
    assert_eq!(waiting(&store), 2);
    for (id, bytes) in [(first, b"first".as_slice()), (second, b"second")] {
        let content = store.content(id, None).unwrap();
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
        store.content(second, None).unwrap().read_at(0, 9).unwrap(),
        b"second"
    );
}

#[test]
fn a_record_that_was_not_finished_is_not_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    take(&store, "AAAAAA", b"whole");
    let torn = take(&store, "BBBBBB", &[b'x'; 5000]);
    let at = Position::of(torn);
    let file = OpenOptions::new()
        .write(true)
        .open(segment_path(&data.spool(), at.segment))
        .unwrap();
    file.write_all_at(&[0; 100], at.offset + 4000).unwrap();
    forget_tables(&store);
    assert_eq!(store.recover().unwrap(), 1);
    assert!(store.content(torn, None).is_err());
    // What comes next takes its place.
    assert_eq!(take(&store, "CCCCCC", b"next"), torn);
    assert_eq!(
        store.content(torn, None).unwrap().read_at(0, 9).unwrap(),
        b"next"
    );
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
    assert_eq!(
        store.content(kept, None).unwrap().read_at(0, 9).unwrap(),
        b"kept"
    );
    forget_tables(&store);
    // Everything in the two segments that are left and nothing of those before.
    let found = store.recover().unwrap();
    let in_first = 1 + usize::try_from(record::SEGMENT).unwrap() / IN_LOG;
    assert!(found > 1 && found < 2 * in_first, "{found}");
}

#[test]
fn a_large_message_lies_in_a_file_that_goes_when_nobody_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let mut names = Vec::new();
    for n in 0..2u64 {
        let (file, name) = SpoolFile::create(&data.spool(), n).unwrap();
        file.write_all_at(b"large", 0).unwrap();
        names.push(name.clone());
        if n == 0 {
            let content = Content::File(Arc::new(SpoolFile::new(file, name, 5)));
            store
                .accept_blocking(accepted("AAAAAA", 1), content)
                .unwrap();
        }
    }
    forget_tables(&store);
    assert_eq!(store.recover().unwrap(), 1);
    assert!(data.spool().join(&names[0]).exists());
    assert!(!data.spool().join(&names[1]).exists());
    let row = store
        .read(|conn| queue::list(conn, &queue::Filter::default(), None, 10))
        .unwrap();
    let file = row.rows[0].file.clone();
    let content = store.content(row.rows[0].message, file.as_deref()).unwrap();
    assert_eq!(content.read_at(1, 9).unwrap(), b"arge");
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
        assert_eq!(store.content(*id, None).unwrap().length(), IN_LOG as u64);
    }
    drop(store);
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    assert_eq!(waiting(&store), kept.len() as u64);
}

#[test]
fn records_of_another_database_are_not_delivered() {
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
    assert_eq!(store.recover().unwrap(), 0);
    let new = take(&store, "BBBBBB", b"new");
    assert_eq!(
        store.content(new, None).unwrap().read_at(0, 9).unwrap(),
        b"new"
    );
}
