//! Changes are all or nothing, share commits, and do not spoil each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use serde_json::json;
use store::{DataDir, Store, StoreError, state};

fn open() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&DataDir::new(folder.path().join("data"))).unwrap();
    (folder, store)
}

fn keys(store: &Store) -> Vec<String> {
    store
        .read(|conn| {
            let mut statement = conn.prepare("SELECT key FROM state ORDER BY key")?;
            let keys = statement.query_map([], |row| row.get(0))?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
        .unwrap()
}

/// Holds the writer in a change until the returned sender is dropped, so that what is queued in the
/// meantime goes into one group.
fn hold(store: &Store) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    drop(store.write(move |_| {
        begun.send(()).unwrap();
        let _ = held.recv();
        Ok(())
    }));
    begins.recv().unwrap();
    release
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_change_that_fails_or_panics_is_undone_alone() {
    let (_folder, store) = open();
    let held = hold(&store);
    let good = store.write(|tx| state::set(tx, "a", &json!(1), 1));
    let bad = store.write(|tx| {
        state::set(tx, "b", &json!(1), 1)?;
        tx.execute("INSERT INTO nowhere VALUES (1)", [])?;
        Ok(())
    });
    let panics = store.write::<(), _>(|tx| {
        state::set(tx, "c", &json!(1), 1)?;
        panic!("on purpose");
    });
    let last = store.write(|tx| state::set(tx, "d", &json!(1), 1));
    drop(held);
    assert_eq!(wait(good), Ok(()));
    assert!(matches!(wait(bad), Err(StoreError::Sql { .. })));
    assert!(matches!(wait(panics), Err(StoreError::Defect { detail }) if detail == "on purpose"));
    assert_eq!(wait(last), Ok(()));
    assert_eq!(keys(&store), ["a", "d"]);
}

#[test]
fn a_change_that_ends_the_shared_transaction_stores_nothing_and_the_writer_goes_on() {
    let (_folder, store) = open();
    let held = hold(&store);
    let ends = store.write(|tx| {
        state::set(tx, "a", &json!(1), 1)?;
        tx.execute_batch("ROLLBACK")?;
        Ok(())
    });
    let next = store.write(|tx| state::set(tx, "b", &json!(1), 1));
    drop(held);
    assert!(matches!(wait(ends), Err(StoreError::Defect { .. })));
    assert_eq!(wait(next), Ok(()));
    assert_eq!(keys(&store), ["b"]);
}

/// Commits in the write-ahead log, SQLite file format §4.1: a frame that ends a transaction holds the
/// size of the database in the second word of its header.
fn commits(store: &Store) -> usize {
    let mut log = store.data_dir().database().into_os_string();
    log.push("-wal");
    let log = std::fs::read(log).unwrap();
    log[32..]
        .chunks_exact(24 + 4096)
        .filter(|frame| frame[4..8] != [0; 4])
        .count()
}

#[test]
fn changes_queued_together_share_one_commit() {
    let (_folder, store) = open();
    store
        .write_blocking(|tx| state::set(tx, "000", &json!(0), 1))
        .unwrap();
    assert_eq!(commits(&store), 1);
    let held = hold(&store);
    let waiting: Vec<_> = (1..100)
        .map(|n| store.write(move |tx| state::set(tx, &format!("{n:03}"), &json!(n), 1)))
        .collect();
    // Nobody outside sees a part of the group before its commit.
    assert_eq!(keys(&store).len(), 1);
    drop(held);
    for change in waiting {
        wait(change).unwrap();
    }
    assert_eq!(keys(&store).len(), 100);
    assert_eq!(commits(&store), 2);
}

#[test]
fn a_full_disk_is_told_and_nothing_of_the_change_is_stored() {
    let (_folder, store) = open();
    store
        .write_blocking(|tx| state::set(tx, "before", &json!(1), 1))
        .unwrap();
    store
        .write_blocking(|tx| {
            let pages: i64 = tx.pragma_query_value(None, "page_count", |row| row.get(0))?;
            tx.pragma_update_and_check(None, "max_page_count", pages + 3, |_| Ok(()))?;
            Ok(())
        })
        .unwrap();

    let error = store
        .write_blocking(|tx| {
            for n in 0..100 {
                state::set(tx, &format!("part{n}"), &json!("x".repeat(3000)), 1)?;
            }
            Ok(())
        })
        .unwrap_err();
    let StoreError::Full { path } = &error else {
        panic!("{error:?}");
    };
    assert!(path.ends_with("postroom.db"), "{}", path.display());
    assert_eq!(keys(&store), ["before"]);

    // Also when changes that fit stand before and after it in the same group.
    let held = hold(&store);
    let before = store.write(|tx| state::set(tx, "fits1", &json!(1), 1));
    let large = store.write(|tx| state::set(tx, "large", &json!("x".repeat(100_000)), 1));
    let after = store.write(|tx| state::set(tx, "fits2", &json!(1), 1));
    drop(held);
    let first = wait(before);
    assert!(matches!(wait(large), Err(StoreError::Full { .. })));
    wait(after).unwrap();
    let expected: &[&str] = match first {
        Ok(()) => &["before", "fits1", "fits2"],
        Err(_) => &["before", "fits2"],
    };
    assert_eq!(keys(&store), expected);
    store.check().unwrap();

    // With room again the same change goes through.
    store
        .write_blocking(|tx| {
            tx.pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(()))?;
            state::set(tx, "large", &json!("x".repeat(100_000)), 1)
        })
        .unwrap();
}

#[test]
fn a_full_queue_is_busy_and_not_a_wait() {
    let (_folder, store) = open();
    let held = hold(&store);
    let mut accepted = Vec::new();
    let refused = loop {
        let change = store.write(|_| Ok(()));
        if accepted.len() > 5000 {
            panic!("the queue has no bound");
        }
        match pin!(&mut Box::pin(change))
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(result) => break result,
            Poll::Pending => accepted.push(()),
        }
    };
    assert_eq!(refused, Err(StoreError::Busy));
    assert_eq!(accepted.len(), 1024);
    drop(held);
}

#[test]
fn a_dropped_future_does_not_take_its_change_back() {
    let (_folder, store) = open();
    drop(store.write(|tx| state::set(tx, "a", &json!(1), 1)));
    store.write_blocking(|_| Ok(())).unwrap();
    assert_eq!(keys(&store), ["a"]);
}

#[test]
fn a_change_that_waits_for_another_is_an_error_and_not_a_standstill() {
    let (_folder, store) = open();
    let inner = store.clone();
    let result = store.write_blocking(move |_| inner.write_blocking(|_| Ok(())));
    assert!(matches!(result, Err(StoreError::Defect { .. })));
}

#[test]
fn the_last_handle_may_be_dropped_inside_a_change() {
    let (_folder, store) = open();
    let data = store.data_dir().clone();
    let (done, finished) = mpsc::channel();
    let owner = store.clone();
    let held = hold(&store);
    drop(store.write(move |tx| {
        state::set(tx, "a", &json!(1), 1)?;
        drop(owner);
        done.send(()).unwrap();
        Ok(())
    }));
    drop(store);
    drop(held);
    finished.recv().unwrap();
    // The thread commits and closes by itself; a second store waits for it where it must.
    let again = Store::open(&data).unwrap();
    again.write_blocking(|_| Ok(())).unwrap();
    assert_eq!(keys(&again), ["a"]);
}

#[test]
fn dropping_the_store_finishes_what_waits_and_leaves_one_tidy_file() {
    let (_folder, store) = open();
    let data = store.data_dir().clone();
    for n in 0..50 {
        drop(store.write(move |tx| state::set(tx, &n.to_string(), &json!(n), 1)));
    }
    keys(&store);
    store.data_version().unwrap();
    drop(store);
    let names: Vec<_> = std::fs::read_dir(data.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("postroom.db"))
        .collect();
    assert_eq!(names, ["postroom.db"]);
    assert_eq!(keys(&Store::open(&data).unwrap()).len(), 50);
}

#[test]
fn readers_see_one_snapshot_and_cannot_write() {
    let (_folder, store) = open();
    store
        .write_blocking(|tx| state::set(tx, "a", &json!(1), 1))
        .unwrap();
    store
        .read(|conn| {
            assert_eq!(state::get(conn, "a")?.unwrap().value, 1);
            store.write_blocking(|tx| state::set(tx, "a", &json!(2), 2))?;
            assert_eq!(state::get(conn, "a")?.unwrap().value, 1);
            assert!(conn.execute("DELETE FROM state", []).is_err());
            Ok(())
        })
        .unwrap();
    assert_eq!(
        store
            .read(|conn| state::get(conn, "a"))
            .unwrap()
            .unwrap()
            .value,
        2
    );
}

#[test]
fn more_readers_than_connections_all_get_their_turn() {
    let (_folder, store) = open();
    store
        .write_blocking(|tx| state::set(tx, "a", &json!(1), 1))
        .unwrap();
    let four_inside = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                store.read(|conn| {
                    four_inside.wait();
                    state::get(conn, "a")
                })
            });
        }
        for _ in 0..20 {
            scope.spawn(|| assert!(store.read(|conn| state::get(conn, "a")).unwrap().is_some()));
        }
    });
}

#[test]
fn a_reader_that_panics_gives_its_connection_back() {
    let (_folder, store) = open();
    for _ in 0..10 {
        let read = std::panic::AssertUnwindSafe(|| store.read::<()>(|_| panic!("on purpose")));
        assert!(std::panic::catch_unwind(read).is_err());
    }
    assert!(keys(&store).is_empty());
}

#[test]
fn the_data_version_moves_with_every_commit_also_of_another_store() {
    let (_folder, store) = open();
    let other = Store::open(store.data_dir()).unwrap();
    let first = store.data_version().unwrap();
    assert_eq!(store.data_version().unwrap(), first);
    other
        .write_blocking(|tx| state::set(tx, "a", &json!(1), 1))
        .unwrap();
    let second = store.data_version().unwrap();
    assert_ne!(second, first);
    store
        .write_blocking(|tx| state::set(tx, "a", &json!(2), 1))
        .unwrap();
    assert_ne!(store.data_version().unwrap(), second);
}
