//! One message, one file or one place of the disk that is wrong does not keep the others.

use super::*;
use crate::spool::reading::Octets;
use crate::spool::recovery::{Found, scan};

/// Lets the tables refuse messages whose token matches.
fn refuse(store: &Store, pattern: &'static str) {
    store
        .write_blocking(move |tx| {
            tx.execute_batch(&format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON recipient
                 WHEN (SELECT token FROM message WHERE id = new.id >> 14) LIKE '{pattern}'
                 BEGIN SELECT raise(ABORT, 'no such day'); END"
            ))?;
            Ok(())
        })
        .unwrap();
}

fn take_mended(store: &Store) {
    store
        .write_blocking(|tx| Ok(tx.execute_batch("DROP TRIGGER refuse")?))
        .unwrap();
}

/// Waits until all is entered or put aside.
fn settled(store: &Store) {
    let begin = std::time::Instant::now();
    while store.is_behind() {
        assert!(begin.elapsed().as_secs() < 20, "the others wait for ever");
        std::thread::yield_now();
    }
    store.write_blocking(|_| Ok(())).unwrap();
}

fn aside(data: &DataDir, id: i64, kind: &str) -> std::path::PathBuf {
    data.spool().join(format!("refused-{id}.{kind}"))
}

#[test]
fn a_message_that_the_tables_refuse_lies_aside_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    refuse(&store, "BAD%");
    take(&store, "AAAAAA", b"before");
    let bad = take(&store, "BADAAA", b"refused");
    let file = Content::File(Arc::new(in_file(&data, 7, b"large")));
    settled(&store);
    let large = store.accept_blocking(large("BADBBB", 5), file).unwrap();
    settled(&store);
    let after = take(&store, "CCCCCC", b"after");
    assert_eq!((waiting(&store), store.refused()), (2, 2));
    for (id, content) in [(bad, "refused"), (large, "large")] {
        let message = std::fs::read_to_string(aside(&data, id, "eml")).unwrap();
        assert_eq!(message, format!("Received: by us\r\n{content}"));
        let record = std::fs::read_to_string(aside(&data, id, "json")).unwrap();
        assert!(record.contains("no such day"), "{record}");
        assert!(record.contains("user0@office.example"), "{record}");
    }
    // What is done with can be settled, and what becomes of the one aside hinders nobody.
    finish(&store, bad);
    finish(&store, after);
    assert_eq!(waiting(&store), 1);
    // It stays told of until somebody has seen to it.
    assert_eq!(store.recover().unwrap().refused, 2);
    for (id, kind) in [(bad, "eml"), (bad, "json"), (large, "eml"), (large, "json")] {
        std::fs::remove_file(aside(&data, id, kind)).unwrap();
    }
    store.tidy_spool(9, 0).unwrap();
    assert_eq!(store.refused(), 0);
}

#[test]
fn a_message_that_the_tables_refuse_does_not_keep_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    take(&store, "AAAAAA", b"before");
    let bad = take(&store, "BADAAA", b"refused");
    take(&store, "CCCCCC", b"after");
    forget_tables(&store);
    refuse(&store, "BAD%");
    let found = store.recover().unwrap();
    assert_eq!((found.messages, found.refused), (2, 1));
    assert_eq!(waiting(&store), 2);
    let message = std::fs::read_to_string(aside(&data, bad, "eml")).unwrap();
    assert_eq!(message, "Received: by us\r\nrefused");
    // When the tables take it at a later start, it does not lie aside any more.
    take_mended(&store);
    forget_tables(&store);
    let found = store.recover().unwrap();
    assert_eq!((found.messages, found.refused), (3, 0));
    assert!(!aside(&data, bad, "eml").exists() && !aside(&data, bad, "json").exists());
}

#[test]
fn a_record_that_cannot_be_understood_lies_aside_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let last = Position::of(take(&store, "AAAAAA", b"before"));
    let identity = store.read(queue::identity).unwrap();
    let path = segment_path(&data.spool(), last.segment);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let at = Position {
        offset: record::read(&file, identity, last).unwrap().unwrap().end,
        ..last
    };
    let mut octets = Vec::new();
    record::write(&mut octets, identity, at, b"of another kind", b"content");
    file.write_all_at(&octets, at.offset).unwrap();
    assert_eq!(store.recover().unwrap().refused, 1);
    assert_eq!(
        std::fs::read(aside(&data, at.id(), "eml")).unwrap(),
        b"content"
    );
}

#[test]
fn tables_that_refuse_every_message_take_no_more_mail() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    refuse(&store, "%");
    let refused = (0..100).find_map(|n| {
        let accepted = accepted(&format!("T{n:05}"), 1);
        store.accept_blocking(accepted, memory(b"content")).err()
    });
    assert!(
        matches!(refused, Some(StoreError::Sql { .. })),
        "{refused:?}"
    );
    assert_eq!(store.refused(), refused::MOST_IN_A_ROW);
    assert!(store.is_behind());
    // Nothing was lost: with the tables mended, all that was answered for beyond those is there.
    take_mended(&store);
    settled(&store);
    take(&store, "ZZZZZZ", b"after");
    assert!(waiting(&store) >= 2);
}

#[test]
fn a_file_without_a_message_comes_back_when_the_message_does_and_goes_after_days() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let store = Store::open(&data).unwrap();
    store.recover().unwrap();
    let file = in_file(&data, 1, b"large");
    let name = file.mark().name.clone();
    let id = store
        .accept_blocking(large("AAAAAA", 5), Content::File(Arc::new(file)))
        .unwrap();
    store.write_blocking(|_| Ok(())).unwrap();
    // An older copy of the database knows nothing of it, nor of the log behind it.
    let number = id + 1;
    store
        .write_blocking(move |tx| {
            tx.execute_batch("DELETE FROM message; DELETE FROM recipient")?;
            queue::mark(tx, number)
        })
        .unwrap();
    store.recover().unwrap();
    let at = |name: &str| orphans::aside(&data.spool()).join(name);
    assert!(at(&name).exists() && !data.spool().join(&name).exists());
    store.tidy_spool(1_000, 400).unwrap();
    store.tidy_spool(1_500, 900).unwrap();
    let dated = format!("1000-{name}");
    assert!(at(&dated).exists());
    // The newer one is put back.
    forget_tables(&store);
    store.recover().unwrap();
    assert_eq!(store.content(id).unwrap().read_at(0, 9).unwrap(), b"large");
    store
        .write_blocking(|tx| Ok(tx.execute_batch("DELETE FROM message; DELETE FROM recipient")?))
        .unwrap();
    store.recover().unwrap();
    store.tidy_spool(1_000, 400).unwrap();
    assert!(at(&dated).exists());
    store.tidy_spool(2_000, 1_400).unwrap();
    assert!(!at(&dated).exists());
}

#[test]
fn a_place_that_the_disk_does_not_give_back_is_a_gap_and_hides_nothing_behind_it() {
    let identity = Identity(7);
    let mut segment = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..40 {
        let at = Position {
            segment: 1,
            offset: segment.len() as u64,
        };
        ids.push(at.id());
        record::write(&mut segment, identity, at, b"facts", &[b'x'; 30_000]);
    }
    // The disk fails in the middle of the tenth and of the last.
    let fails = [9 * 30_080 + 15_000, 39 * 30_080 + 15_000];
    let octets = Octets::read(segment.len(), |piece, at| {
        let from = usize::try_from(at).unwrap();
        let range = from..from + piece.len();
        if fails.iter().any(|place| range.contains(place)) {
            return Err(std::io::Error::from_raw_os_error(5));
        }
        piece.copy_from_slice(&segment[range]);
        Ok(())
    });
    let (mut found, mut read) = (Found::default(), Vec::new());
    let start = Position {
        segment: 1,
        offset: 0,
    };
    scan(&octets, identity, start, &mut found, |id, _, _| {
        read.push(id);
        Ok(())
    })
    .unwrap();
    ids.remove(39);
    ids.remove(9);
    assert_eq!(read, ids);
    assert_eq!((found.messages, found.gaps), (38, 2));
}
