use proptest::prelude::*;

use super::*;

/// Some day in 2026.
const ACCEPTED: i64 = 1_767_600_000_000;

fn settings(schedule: &[u32], give_up: u32, warn: Option<u32>) -> Delivery {
    Delivery {
        retry_schedule_minutes: schedule.to_vec(),
        give_up_after_hours: give_up,
        warn_after_hours: warn,
        ..Delivery::default()
    }
}

fn failed(now_ms: i64, attempts: u32) -> Attempt {
    Attempt {
        now_ms,
        accepted_at_ms: ACCEPTED,
        attempts,
        permanent: false,
    }
}

#[test]
fn pauses_follow_the_schedule_and_the_last_one_repeats() {
    let delivery = settings(&[5, 10, 60], 120, None);
    for (attempts, minutes) in [(1, 5), (2, 10), (3, 60), (4, 60), (u32::MAX, 60), (0, 5)] {
        let next = after_failure(&failed(ACCEPTED, attempts), &delivery);
        let at_ms = ACCEPTED + minutes * MINUTE_MS;
        assert_eq!(next, Next::Retry { at_ms }, "{attempts}");
    }
}

#[test]
fn what_cannot_be_delivered_at_all_fails_at_once() {
    let permanent = Attempt {
        permanent: true,
        ..failed(ACCEPTED, 1)
    };
    assert_eq!(after_failure(&permanent, &Delivery::default()), Next::Fail);
}

#[test]
fn the_last_attempt_is_made_when_the_time_is_over_and_not_later() {
    let delivery = settings(&[60], 1, None);
    let end = ACCEPTED + HOUR_MS;
    assert_eq!(
        after_failure(&failed(end - 1, 9), &delivery),
        Next::Retry { at_ms: end }
    );
    assert_eq!(after_failure(&failed(end, 10), &delivery), Next::GiveUp);
    assert_eq!(after_failure(&failed(end + 1, 10), &delivery), Next::GiveUp);
}

#[test]
fn a_delay_is_told_of_between_its_hour_and_the_end() {
    let delivery = settings(&[5], 6, Some(4));
    let due = |hours: i64, off: i64| {
        is_warning_due(ACCEPTED + hours * HOUR_MS + off, ACCEPTED, &delivery)
    };
    assert!(!due(4, -1) && due(4, 0) && due(6, -1) && !due(6, 0));
    assert_eq!(
        warn_at_ms(ACCEPTED, &delivery),
        Some(ACCEPTED + 4 * HOUR_MS)
    );
}

#[test]
fn nobody_is_told_of_a_delay_that_ends_before_or_when_warnings_are_off() {
    for warn in [None, Some(6), Some(240)] {
        let delivery = settings(&[5], 6, warn);
        assert_eq!(warn_at_ms(ACCEPTED, &delivery), None);
        assert!(!is_warning_due(ACCEPTED + 5 * HOUR_MS, ACCEPTED, &delivery));
    }
}

#[test]
fn a_destination_that_is_away_is_left_alone_for_ten_minutes_at_most() {
    let delivery = settings(&[5, 10, 20], 120, None);
    let minutes: Vec<i64> = [0, 1, 2, 3, 1000]
        .map(|failures| destination_pause_ms(failures, &delivery) / MINUTE_MS)
        .into();
    assert_eq!(minutes, [0, 5, 10, 10, 10]);
}

proptest! {
    #[test]
    fn every_message_comes_to_an_end_and_no_attempt_is_sooner_than_a_minute_unless_it_is_the_last(
        schedule in prop::collection::vec(0_u32..2000, 0..5), give_up in 0_u32..300, late in -HOUR_MS..HOUR_MS,
    ) {
        let delivery = settings(&schedule, give_up, Some(4));
        let end = expires_at_ms(ACCEPTED, &delivery);
        let mut now = ACCEPTED + late;
        for attempts in 1..=20_000 {
            match after_failure(&failed(now, attempts), &delivery) {
                Next::Retry { at_ms } => {
                    prop_assert!(at_ms == end || at_ms >= now + MINUTE_MS);
                    prop_assert!(at_ms <= end);
                    now = at_ms;
                }
                Next::GiveUp => {
                    prop_assert!(now >= end);
                    return Ok(());
                }
                Next::Fail => prop_assert!(false, "nothing was permanent"),
            }
        }
        prop_assert!(false, "tried for ever");
    }

    #[test]
    fn no_clock_makes_it_overflow(now in any::<i64>(), accepted in any::<i64>(), attempts in any::<u32>()) {
        let delivery = Delivery::default();
        let _ = after_failure(&Attempt { now_ms: now, accepted_at_ms: accepted, attempts, permanent: false }, &delivery);
        let _ = is_warning_due(now, accepted, &delivery);
        prop_assert!(destination_pause_ms(attempts, &delivery) <= LONGEST_PAUSE_MS);
    }
}
