//! How many workers there are for destinations elsewhere.

/// Workers of destinations that take mail.
const PROVEN: usize = 200;
/// The first worker of such a destination finds a place beyond that.
const PROVEN_FIRST: usize = 300;
/// Workers of destinations of which it is not known whether they do, beside the first of each.
const UNKNOWN: usize = 100;
const UNKNOWN_FIRST: usize = 300;

/// Workers, by what is known of their destinations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    proven: usize,
    unknown: usize,
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
    /// Counts a worker in, if there is a place.
    pub fn enter(&mut self, is_proven: bool, is_first: bool) -> bool {
        let (count, most) = match (is_proven, is_first) {
            (true, true) => (&mut self.proven, PROVEN_FIRST),
            (true, false) => (&mut self.proven, PROVEN),
            (false, true) => (&mut self.unknown, UNKNOWN_FIRST),
            (false, false) => (&mut self.unknown, UNKNOWN),
        };
        let has_place = *count < most;
        *count += usize::from(has_place);
        has_place
    }

    pub fn leave(&mut self, is_proven: bool) {
        let count = if is_proven {
            &mut self.proven
        } else {
            &mut self.unknown
        };
        *count = count.saturating_sub(1);
    }

    /// The workers of a destination of which more is known now.
    pub fn move_over(&mut self, workers: usize, is_proven: bool) {
        let (from, to) = if is_proven {
            (&mut self.unknown, &mut self.proven)
        } else {
            (&mut self.proven, &mut self.unknown)
        };
        *from = from.saturating_sub(workers);
        *to += workers;
    }

    pub fn free(&self) -> Free {
        Free {
            proven: PROVEN_FIRST.saturating_sub(self.proven),
            unknown: UNKNOWN_FIRST.saturating_sub(self.unknown),
        }
    }
}
