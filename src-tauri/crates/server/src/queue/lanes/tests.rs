//! Who works on what, and when.

use std::sync::Arc;

use smtp::ReversePath;
use store::queue::{Due, Pause};
use store::spool::Content;

use super::lane::{FIRST_WORKERS, READY};
use super::places::Places;
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

/// A message of these octets in the tables.
fn row(size: u64) -> Ready {
    Ready::Row(Due {
        message: 1,
        token: "T".into(),
        accepted_at_ms: 0,
        sender: String::new(),
        parameters: "{}".into(),
        subject: String::new(),
        head: String::new(),
        size,
        recipients: Vec::new(),
    })
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
    assert!(matches!(
        lanes.next("relay", &CancellationToken::new()).await,
        Turn::Work(_)
    ));
    let waiting = {
        let lanes = Arc::clone(&lanes);
        tokio::spawn(async move {
            matches!(
                lanes.next("relay", &CancellationToken::new()).await,
                Turn::Work(_)
            )
        })
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
    // The one that got through was the only one that was due, until the tables say more.
    assert_eq!(lanes.due(100).len(), 1);
    assert!(lanes.due(100)[0].1 > 1);
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
    // Whatever fills it, our own users get their mail.
    assert!(!lanes.reserve("relay", MEMORY, 0));
    assert!(lanes.reserve(MAILBOX, MEMORY, 0));
    assert!(!lanes.reserve(MAILBOX, 1, 0));
}

#[test]
fn a_thousand_messages_from_the_tables_are_not_held_in_memory() {
    let lanes = Lanes::default();
    lanes.waits("relay", 0);
    let (name, room) = lanes.due(0).remove(0);
    assert!(room < READY, "{room}");
    for _ in 0..room {
        lanes.add(&name, row(100_000));
    }
    assert!(lanes.due(0).is_empty());
    assert_eq!(lanes.next_at(), None);
    let state = lanes.lock();
    assert_eq!((state.memory, state.rows), (0, room));
}

#[test]
fn what_waits_in_lanes_is_bounded_over_all_destinations_but_for_mailboxes() {
    let lanes = Lanes::default();
    lanes.lock().rows = ROWS;
    lanes.waits("relay", 0);
    lanes.waits(MAILBOX, 0);
    let names: Vec<String> = lanes.due(0).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [MAILBOX]);
}

/// Messages for so many silent destinations; returns how many found somebody to work on them.
fn silent(lanes: &Lanes, count: usize) -> usize {
    (0..count)
        .filter(|at| {
            let name = format!("domain:silent{at}");
            lanes.reserve(&name, 10, 0) && matches!(lanes.put(&name, job(10), 0), Put::Start)
        })
        .count()
}

#[test]
fn silent_destinations_keep_neither_mailboxes_nor_proven_ones_waiting() {
    let lanes = Lanes::default();
    lanes.mailbox_is_disk(true);
    lanes.reached("relay");
    let started = silent(&lanes, 1_000);
    assert!((100..500).contains(&started), "{started}");
    // Proven it is also when its lane is new, as after some quiet seconds.
    assert!(matches!(put(&lanes, "relay", 0), Put::Start));
    assert!(matches!(put(&lanes, MAILBOX, 0), Put::Start));
    // What nobody can work on is not held here.
    assert!(!lanes.reserve("domain:new", 10, 0));
}

#[test]
fn a_worker_whose_server_stays_silent_keeps_no_place_from_a_new_destination() {
    let lanes = Lanes::default();
    let started = silent(&lanes, 1_000);
    let stalled: Vec<Stalled<'_>> = (0..started)
        .filter_map(|at| lanes.stall(&format!("domain:silent{at}")))
        .collect();
    assert_eq!(stalled.len(), started);
    assert!(matches!(put(&lanes, "domain:new", 0), Put::Start));
    // Those that stall are bounded as well.
    let more = (0..1_000).find(|at| {
        let name = format!("domain:more{at}");
        lanes.add(&name, row(10)) && {
            let stalls = lanes.stall(&name);
            let is_last = stalls.is_none();
            std::mem::forget(stalls);
            is_last
        }
    });
    assert!(more.is_some_and(|more| more > 100), "{more:?}");
}

#[test]
fn who_stalled_counts_again_when_it_goes_on_and_leaves_once() {
    let lanes = Lanes::default();
    assert!(matches!(put(&lanes, "relay", 0), Put::Start));
    let stalled = lanes.stall("relay");
    // Another of its workers got through meanwhile.
    assert!(matches!(put(&lanes, "relay", 0), Put::Start));
    lanes.reached("relay");
    drop(stalled);
    drop(lanes.presence("relay"));
    drop(lanes.presence("relay"));
    assert_eq!(lanes.lock().places, Places::default());
    assert!(lanes.stall(MAILBOX).is_some());
    assert_eq!(lanes.lock().places, Places::default());
}

#[test]
fn work_that_lost_its_worker_finds_another_or_waits_in_the_tables() {
    let lanes = Lanes::default();
    for name in ["domain:failed", "domain:good"] {
        assert!(matches!(put(&lanes, name, 0), Put::Start));
        drop(lanes.presence(name));
    }
    lanes.lock().lane("domain:failed").failures = 1;
    // One place is left: it is for the one that never failed.
    let others = silent(&lanes, 1_000);
    lanes.failed("domain:silent0", 0, |_| 100);
    drop(lanes.presence("domain:silent0"));
    let (started, stranded) = lanes.deserted();
    assert!(others > 100);
    assert_eq!(started, ["domain:good"]);
    let stranded: Vec<_> = stranded
        .iter()
        .map(|(name, ready)| (name.as_str(), ready.len()))
        .collect();
    assert_eq!(stranded, [("domain:failed", 1)]);
}

#[test]
fn nothing_is_fetched_for_destinations_that_nobody_can_work_for() {
    let lanes = Lanes::default();
    for at in 0..1_000 {
        lanes.waits(&format!("domain:silent{at}"), 0);
    }
    let due = lanes.due(0);
    assert!((100..500).contains(&due.len()), "{}", due.len());
    for (name, _) in &due {
        assert!(lanes.add(name, row(10)));
        lanes.ask(name);
    }
    // Then the runner must rest until a place is free, whatever is due.
    assert!(lanes.due(0).is_empty());
    assert_eq!(lanes.next_at(), None);
    drop(lanes.presence(&due[0].0));
    assert_eq!(lanes.next_at(), Some(0));
}

#[test]
fn a_word_that_comes_while_the_tables_are_asked_is_not_lost() {
    let lanes = Lanes::default();
    lanes.waits("relay", 5);
    assert_eq!(lanes.ask("relay"), 5);
    assert_eq!(lanes.next_at(), None);
    // Another message is entered between the answer of the tables and our taking note of it.
    lanes.waits("relay", 7);
    lanes.waits("relay", 90);
    assert_eq!(lanes.next_at(), Some(7));
}

#[tokio::test]
async fn work_that_is_not_for_a_worker_goes_back_in_its_place() {
    let lanes = Lanes::default();
    for size in [1, 2, 3] {
        lanes.add(MAILBOX, row(size));
    }
    let Turn::Work(first) = lanes.next(MAILBOX, &CancellationToken::new()).await else {
        panic!("nothing to do");
    };
    lanes.undo(MAILBOX, first);
    let sizes: Vec<u64> = lanes
        .more(MAILBOX, 2, 100)
        .iter()
        .map(Ready::size)
        .collect();
    assert_eq!(sizes, [1, 2]);
    assert_eq!(lanes.lock().rows, 1);
    assert_eq!(lanes.lock().lanes[MAILBOX].under_way, 2);
}

#[test]
fn a_batch_is_bounded_by_what_it_holds_in_memory() {
    let lanes = Lanes::default();
    for size in [60_000, 30_000_000, 30_000, 20_000] {
        lanes.add(MAILBOX, row(size));
    }
    // The large one lies in a file and is copied in pieces.
    let batch = lanes.more(MAILBOX, 10, 100_000);
    assert_eq!(batch.len(), 3);
    assert_eq!(lanes.more(MAILBOX, 10, 10_000).len(), 0);
}

#[test]
fn the_longest_waiting_destination_comes_first() {
    let lanes = Lanes::default();
    let schedule = vec![
        ("domain:b".into(), 20),
        ("domain:a".into(), 30),
        ("domain:c".into(), 90),
    ];
    lanes.schedule(schedule);
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
    lanes.pauses(vec![pause]);
    lanes.schedule(vec![("relay".into(), 5)]);
    assert!(!lanes.reserve("relay", 10, 499));
    assert_eq!(lanes.next_at(), Some(500));
    // Somebody lifted it by hand.
    lanes.pauses(Vec::new());
    assert_eq!(lanes.next_at(), Some(5));
}

#[tokio::test]
async fn a_worker_that_falls_over_leaves_its_lane() {
    let lanes = Lanes::default();
    assert!(matches!(put(&lanes, "relay", 0), Put::Start));
    drop(lanes.presence("relay"));
    assert_eq!(lanes.lock().places, Places::default());
    assert_eq!(lanes.deserted().0, ["relay"]);
}

#[test]
fn mailboxes_on_this_disk_are_filled_by_one() {
    let lanes = Lanes::default();
    lanes.mailbox_is_disk(true);
    assert!(matches!(put(&lanes, MAILBOX, 0), Put::Start));
    assert!(matches!(put(&lanes, MAILBOX, 0), Put::Taken));
}
