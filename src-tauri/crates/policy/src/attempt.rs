//! What follows on an attempt to deliver: when the next one is due, when the sender hears of the delay, and when it is
//! the end. All times are milliseconds since 1970 (UTC); nothing here reads a clock.

use settings::Delivery;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// One host that is away must not hold up its mail longer than this once it is back.
const LONGEST_PAUSE_MS: i64 = 10 * MINUTE_MS;

/// An attempt that did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub now_ms: i64,
    /// When the message was accepted.
    pub accepted_at_ms: i64,
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// Whether another attempt could not end otherwise.
    pub permanent: bool,
}

/// What to do after an attempt that did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again.
    Retry {
        /// When.
        at_ms: i64,
    },
    /// It was tried for as long as the settings say; the message goes back.
    GiveUp,
    /// It cannot be delivered at all; the message goes back.
    Fail,
}

/// Decides what follows. The last attempt is made when the time is over, so that no message goes back before it.
pub fn after_failure(attempt: &Attempt, delivery: &Delivery) -> Next {
    if attempt.permanent {
        return Next::Fail;
    }
    let end = expires_at_ms(attempt.accepted_at_ms, delivery);
    if attempt.now_ms >= end {
        return Next::GiveUp;
    }
    let pause = scheduled_ms(attempt.attempts, delivery);
    Next::Retry {
        at_ms: attempt.now_ms.saturating_add(pause).min(end),
    }
}

/// When the sender is told that the message still waits; `None` if never.
pub fn warn_at_ms(accepted_at_ms: i64, delivery: &Delivery) -> Option<i64> {
    // A warning at the end would only repeat what the message that goes back says.
    delivery
        .warn_after_hours
        .filter(|hours| *hours < delivery.give_up_after_hours)
        .map(|hours| accepted_at_ms.saturating_add(i64::from(hours) * HOUR_MS))
}

/// Whether that time has come, as long as the message has not reached its end. Whether the sender was told already, the
/// caller knows.
pub fn is_warning_due(now_ms: i64, accepted_at_ms: i64, delivery: &Delivery) -> bool {
    warn_at_ms(accepted_at_ms, delivery)
        .is_some_and(|at| now_ms >= at && now_ms < expires_at_ms(accepted_at_ms, delivery))
}

/// From when on an attempt that fails is the last one.
pub fn expires_at_ms(accepted_at_ms: i64, delivery: &Delivery) -> i64 {
    accepted_at_ms.saturating_add(i64::from(delivery.give_up_after_hours) * HOUR_MS)
}

/// How long a destination is left alone after so many attempts in a row in which it could not be reached at all.
pub fn destination_pause_ms(failures_in_a_row: u32, delivery: &Delivery) -> i64 {
    if failures_in_a_row == 0 {
        return 0;
    }
    scheduled_ms(failures_in_a_row, delivery).min(LONGEST_PAUSE_MS)
}

/// The pause after the attempt of this number, counted from 1; the last one repeats. Never less than a minute, so that
/// no settings make the queue spin.
fn scheduled_ms(attempts: u32, delivery: &Delivery) -> i64 {
    let schedule = &delivery.retry_schedule_minutes;
    let at = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let minutes = schedule.get(at).or(schedule.last()).copied().unwrap_or(1);
    i64::from(minutes.max(1)) * MINUTE_MS
}

#[cfg(test)]
mod tests;
