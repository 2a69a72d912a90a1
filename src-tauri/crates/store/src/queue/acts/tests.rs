//! What an act does to one that waits, is held, under way or gone.

use std::ops::RangeInclusive;

use super::super::{
    Accepted, Fate, Finished, NewRecipient, Pause, count, finish, insert, list, mark, next_due,
    pause, pauses, recipient_id, take_notices,
};
use super::*;
use crate::open::memory;
use crate::queue::tests::entry;

const HOUR: i64 = 3_600_000;
/// Long after what [`put`] enters has expired.
const LATE: i64 = 1_000_000;

/// Messages of these numbers with one recipient each, which expire at 9,000.
fn put(tx: &Tx<'_>, ids: RangeInclusive<i64>) {
    for id in ids {
        let token = format!("T{id:05}");
        let accepted = Accepted {
            accepted_at_ms: 5,
            sender: "ann@third.example".into(),
            parameters: "{}".into(),
            subject: String::new(),
            head: String::new(),
            size: 10,
            recipients: vec![NewRecipient {
                address: format!("r{id}@x.example"),
                mailbox: String::new(),
                parameters: String::new(),
                destination: "relay".into(),
                sending: false,
                next_at_ms: 500,
                notice_at_ms: 9_000,
                expires_at_ms: 9_000,
            }],
            entry: entry(&token),
            token,
        };
        insert(tx, id, &accepted, None).unwrap();
        mark(tx, id).unwrap();
    }
}

fn one(id: i64) -> Which {
    Which::Ids(vec![recipient_id(id, 0)])
}

fn done(tx: &Tx<'_>, what: Act, which: &Which) -> Acted {
    act(tx, what, which, LATE).unwrap()
}

fn is_due(tx: &Tx<'_>) -> bool {
    next_due(tx, "relay").unwrap().is_some_and(|at| at <= LATE)
}

fn is_sent(tx: &Tx<'_>, id: i64) {
    tx.execute(
        "UPDATE recipient SET state = 1 WHERE id = ?1",
        [recipient_id(id, 0)],
    )
    .unwrap();
}

fn resting(tx: &Tx<'_>) {
    let relay = Pause {
        destination: "relay".into(),
        failures: 3,
        until_ms: LATE + HOUR,
        reason: "no route".into(),
    };
    pause(tx, &relay).unwrap();
}

#[test]
fn a_released_one_whose_time_ran_out_is_tried_at_once_and_returned_only_after_that() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1..=1);
    resting(&tx);
    assert_eq!(done(&tx, Act::Hold, &one(1)).changed, 1);
    assert!(take_notices(&tx, LATE, 9).unwrap().is_empty());
    assert_eq!(done(&tx, Act::Release, &one(1)).changed, 1);
    assert!(pauses(&tx).unwrap().is_empty());
    assert!(take_notices(&tx, LATE + HOUR - 1, 9).unwrap().is_empty());
    assert!(is_due(&tx));
    is_sent(&tx, 1);
    let failed = Finished {
        recipient: recipient_id(1, 0),
        token: "T00001".into(),
        address: "r1@x.example".into(),
        at_ms: LATE,
        fate: Fate::Deferred {
            next_at_ms: LATE + 10 * HOUR,
            notice_at_ms: None,
            reason: "no route".into(),
        },
        hop: String::new(),
        reply: String::new(),
    };
    finish(&tx, &[failed]).unwrap();
    assert_eq!(take_notices(&tx, LATE + HOUR, 9).unwrap().len(), 1);
}

#[test]
fn one_that_is_retried_from_a_hold_or_a_return_is_tried_before_its_end_as_well() {
    for before in [Act::Hold, Act::Return] {
        let conn = memory();
        let tx = Tx::for_test(&conn);
        put(&tx, 1..=1);
        resting(&tx);
        done(&tx, before, &one(1));
        assert_eq!(done(&tx, Act::Retry, &one(1)).changed, 1);
        assert!(pauses(&tx).unwrap().is_empty());
        assert!(take_notices(&tx, LATE, 9).unwrap().is_empty(), "{before:?}");
        assert!(is_due(&tx));
    }
}

#[test]
fn retrying_one_that_waits_leaves_the_time_of_its_notice() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1..=1);
    act(&tx, Act::Retry, &one(1), 600).unwrap();
    assert_eq!(take_notices(&tx, 9_000, 9).unwrap().len(), 1);
}

#[test]
fn one_that_was_not_held_is_not_released() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1..=1);
    resting(&tx);
    done(&tx, Act::Return, &one(1));
    assert_eq!(done(&tx, Act::Release, &one(1)).changed, 0);
    assert_eq!(pauses(&tx).unwrap().len(), 1);
}

#[test]
fn numbers_that_are_gone_or_under_way_are_named_and_the_others_are_acted_on() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1..=1);
    is_sent(&tx, 1);
    put(&tx, 2..=2);
    let ids = vec![recipient_id(1, 0), recipient_id(2, 0), 77];
    for what in [
        Act::Retry,
        Act::Hold,
        Act::Release,
        Act::Return,
        Act::Remove,
    ] {
        let acted = done(&tx, what, &Which::Ids(ids.clone()));
        assert_eq!(acted.gone, [77], "{what:?}");
        assert_eq!(acted.under_way, [recipient_id(1, 0)], "{what:?}");
        assert_eq!(acted.changed, 1, "{what:?}");
    }
}

#[test]
fn all_that_match_ends_where_the_one_who_acts_has_looked() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    put(&tx, 1..=3);
    let seen = Filter {
        up_to: Some(recipient_id(2, 0)),
        ..Filter::default()
    };
    assert_eq!(list(&tx, &seen, None, 9).unwrap().total, 2);
    assert_eq!(done(&tx, Act::Remove, &Which::Matching(seen)).changed, 2);
    assert_eq!(count(&tx).unwrap(), (1, 0));
}
