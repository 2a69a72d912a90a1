//! Who works on what, and when.

use std::sync::Arc;

use smtp::ReversePath;
use store::queue::Pause;
use store::spool::Content;

use super::*;
use crate::queue::mail::{Carriage, Mail};

fn job(octets: usize) -> Job {
    Job {
        mail: Arc::new(Mail {
            id: 1,
            token: "T".into(),
            accepted_at_ms: 0,
            sender: ReversePath::Null,
            carriage: Carriage::default(),
            head: String::new(),
            content: Content::Memory(Arc::new(vec![0; octets])),
        }),
        recipients: Vec::new(),
    }
}

fn put(lanes: &Lanes, destination: &str, now_ms: i64) -> Put {
    assert!(lanes.reserve(destination, 10, now_ms));
    lanes.put(destination, job(10), now_ms)
}

#[tokio::test]
async fn a_destination_begins_with_a_few_workers_and_gets_more_as_mail_gets_through() {
    let lanes = Lanes::default();
    let started = |count: usize| {
        (0..count)
            .filter(|_| matches!(put(&lanes, "relay", 0), Put::Start))
            .count()
    };
    assert_eq!(started(30), FIRST_WORKERS);
    lanes.reached("relay");
    assert_eq!(started(30), 1);
}

#[tokio::test]
async fn an_idle_worker_is_called_before_another_is_started() {
    let lanes = Arc::new(Lanes::default());
    assert!(matches!(put(&lanes, "relay", 0), Put::Start));
    assert!(matches!(lanes.next("relay").await, Turn::Work(_)));
    let waiting = {
        let lanes = Arc::clone(&lanes);
        tokio::spawn(async move { matches!(lanes.next("relay").await, Turn::Work(_)) })
    };
    while lanes.lock().lanes["relay"].idle == 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(put(&lanes, "relay", 0), Put::Taken));
    // The one who was called counts once: a second message needs a second worker.
    assert!(matches!(put(&lanes, "relay", 0), Put::Start));
    assert!(waiting.await.unwrap());
}

#[test]
fn workers_that_fail_together_have_failed_once_and_give_back_what_was_ready() {
    let lanes = Lanes::default();
    for _ in 0..3 {
        put(&lanes, "relay", 0);
    }
    let (failures, until_ms, ready) =
        lanes.failed("relay", 0, |failures| 100 * i64::from(failures));
    assert_eq!((failures, until_ms, ready.len()), (1, 100, 3));
    let (failures, until_ms, ready) =
        lanes.failed("relay", 50, |failures| 100 * i64::from(failures));
    assert_eq!((failures, until_ms, ready.len()), (1, 100, 0));
    let (failures, until_ms, _) = lanes.failed("relay", 150, |failures| 100 * i64::from(failures));
    assert_eq!((failures, until_ms), (2, 350));
    assert_eq!(lanes.lock().memory, 0);
}

#[test]
fn a_paused_destination_takes_nothing_and_then_one_message_to_try() {
    let lanes = Lanes::default();
    assert!(lanes.reserve("relay", 10, 0));
    lanes.failed("relay", 0, |_| 100);
    // One that came just as the pause began goes back.
    assert!(matches!(lanes.put("relay", job(10), 1), Put::Paused(_)));
    assert!(!lanes.reserve("relay", 10, 99));
    lanes.waits("relay", 5);
    assert!(lanes.due(99).is_empty());
    assert_eq!(lanes.next_at(), Some(100));
    assert_eq!(lanes.due(100), [("relay".to_owned(), 1)]);
    lanes.reached("relay");
    assert_eq!(lanes.due(100), [("relay".to_owned(), READY)]);
}

#[test]
fn one_full_destination_leaves_room_for_others() {
    let lanes = Lanes::default();
    for _ in 0..READY {
        assert!(lanes.reserve("relay", 10, 0));
    }
    assert!(!lanes.reserve("relay", 10, 0));
    assert!(lanes.reserve("domain:other.example", 10, 0));
}

#[test]
fn content_in_memory_is_bounded_over_all_destinations() {
    let lanes = Lanes::default();
    assert!(lanes.reserve("relay", MEMORY, 0));
    assert!(!lanes.reserve("domain:other.example", 1, 0));
    lanes.unreserve("relay", MEMORY);
    assert!(lanes.reserve("domain:other.example", 1, 0));
}

#[test]
fn the_longest_waiting_destination_comes_first() {
    let lanes = Lanes::default();
    let schedule = vec![
        ("domain:b".into(), 20),
        ("domain:a".into(), 30),
        ("domain:c".into(), 90),
    ];
    lanes.load(schedule, Vec::new());
    let names: Vec<String> = lanes.due(50).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["domain:b", "domain:a"]);
    assert_eq!(lanes.next_at(), Some(20));
}

#[test]
fn what_the_tables_say_of_pauses_holds_after_a_start() {
    let lanes = Lanes::default();
    let pause = Pause {
        destination: "relay".into(),
        failures: 2,
        until_ms: 500,
        reason: "no".into(),
    };
    lanes.load(vec![("relay".into(), 5)], vec![pause]);
    assert!(!lanes.reserve("relay", 10, 499));
    assert_eq!(lanes.next_at(), Some(500));
    // Somebody lifted it by hand.
    lanes.load(vec![("relay".into(), 5)], Vec::new());
    assert_eq!(lanes.next_at(), Some(5));
}

#[tokio::test]
async fn a_worker_that_falls_over_leaves_its_lane() {
    let lanes = Lanes::default();
    assert!(matches!(put(&lanes, "relay", 0), Put::Start));
    drop(lanes.presence("relay"));
    assert_eq!(lanes.lock().workers, 0);
    assert_eq!(lanes.deserted(), ["relay"]);
}

#[test]
fn mailboxes_on_this_disk_are_filled_by_one() {
    let lanes = Lanes::default();
    lanes.mailbox_is_disk(true);
    assert!(matches!(put(&lanes, MAILBOX, 0), Put::Start));
    assert!(matches!(put(&lanes, MAILBOX, 0), Put::Taken));
}
