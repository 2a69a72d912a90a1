//! Which destinations took mail lately, also when nothing has been on its way to them for a while.

use std::collections::{HashSet, VecDeque};

/// A small office writes to far fewer in a day.
const MOST: usize = 4_096;

/// Names, the oldest forgotten first.
#[derive(Debug, Default)]
pub(super) struct Known {
    names: HashSet<String>,
    order: VecDeque<String>,
}

impl Known {
    pub fn has(&self, destination: &str) -> bool {
        self.names.contains(destination)
    }

    pub fn learn(&mut self, destination: &str) {
        if !self.names.insert(destination.to_owned()) {
            return;
        }
        self.order.push_back(destination.to_owned());
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }

    pub fn forget(&mut self, destination: &str) {
        if self.names.remove(destination) {
            self.order.retain(|name| name != destination);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_all_that_is_known_is_bounded() {
        let mut known = Known::default();
        for at in 0..MOST {
            known.learn(&format!("domain:{at}"));
        }
        known.learn("domain:0");
        known.forget("domain:1");
        known.learn("domain:a");
        assert!(known.has("domain:0") && !known.has("domain:1"));
        known.learn("domain:b");
        assert!(!known.has("domain:0") && known.has("domain:2"));
        assert_eq!((known.names.len(), known.order.len()), (MOST, MOST));
    }
}
