//! How many workers there are for destinations elsewhere.
//!
//! Three kinds of them are counted apart: those for destinations that take mail, those for destinations of which it is not
//! known, and of the second those that have waited long for a server to speak. So however many servers are silent, a place
//! for a new destination comes free within seconds.

/// Workers of destinations that take mail.
const PROVEN: usize = 200;
/// The first worker of such a destination finds a place beyond that.
const PROVEN_FIRST: usize = 300;
/// Workers of destinations of which it is not known whether they do, beside the first of each.
const UNKNOWN: usize = 100;
const UNKNOWN_FIRST: usize = 300;
/// Workers whose server has not spoken for long.
const STALLED: usize = 600;

/// Workers, by what is known of their destinations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    proven: usize,
    unknown: usize,
    stalled: usize,
}

/// Places for first workers.
#[derive(Debug)]
pub(super) struct Free {
    proven: usize,
    unknown: usize,
}

impl Free {
    pub fn has(&self, is_proven: bool) -> bool {
        let free = if is_proven { self.proven } else { self.unknown };
        free > 0
    }

    /// Uses one up.
    pub fn take(&mut self, is_proven: bool) -> bool {
        let free = if is_proven {
            &mut self.proven
        } else {
            &mut self.unknown
        };
        let has_one = *free > 0;
        *free = free.saturating_sub(1);
        has_one
    }
}

impl Places {
    fn kind(&mut self, is_proven: bool) -> &mut usize {
        if is_proven {
            &mut self.proven
        } else {
            &mut self.unknown
        }
    }

    /// Counts a worker in, if there is a place.
    pub fn enter(&mut self, is_proven: bool, is_first: bool) -> bool {
        let most = match (is_proven, is_first) {
            (true, true) => PROVEN_FIRST,
            (true, false) => PROVEN,
            (false, true) => UNKNOWN_FIRST,
            (false, false) => UNKNOWN,
        };
        let count = self.kind(is_proven);
        let has_place = *count < most;
        *count += usize::from(has_place);
        has_place
    }

    pub fn leave(&mut self, is_proven: bool) {
        let count = self.kind(is_proven);
        *count = count.saturating_sub(1);
    }

    /// The workers of a destination of which more is known now.
    pub fn move_over(&mut self, workers: usize, is_proven: bool) {
        let from = self.kind(!is_proven);
        *from = from.saturating_sub(workers);
        *self.kind(is_proven) += workers;
    }

    /// A worker waits for a server that does not speak. False when too many do.
    pub fn stall(&mut self, is_proven: bool) -> bool {
        if self.stalled >= STALLED {
            return false;
        }
        self.leave(is_proven);
        self.stalled += 1;
        true
    }

    /// It waits no longer. It may be one more than there are places for its kind; then others wait for it to leave.
    pub fn go_on(&mut self, is_proven: bool) {
        self.stalled = self.stalled.saturating_sub(1);
        *self.kind(is_proven) += 1;
    }

    pub fn free(&self) -> Free {
        Free {
            proven: PROVEN_FIRST.saturating_sub(self.proven),
            unknown: UNKNOWN_FIRST.saturating_sub(self.unknown),
        }
    }
}
