//! Matches of the black and white lists, counted in memory and added up in the store now and then.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use store::list_hit::{self, Batch};
use store::{Store, StoreError};

/// Different rules that are counted between two visits to the store; matches of more are not counted.
const MOST: usize = 10_000;

/// Matches that the store does not know of yet.
#[derive(Debug, Default)]
pub struct ListHits(Mutex<HashMap<String, Batch>>);

impl ListHits {
    /// Counts rules that matched a transaction. `seen` belongs to the transaction: however many recipients it has, each rule
    /// counts once.
    pub fn count<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        seen: &mut HashSet<String>,
        now_ms: i64,
    ) {
        for name in names {
            if seen.len() < MOST && seen.insert(name.to_owned()) {
                self.add(Batch {
                    rule: name.into(),
                    hits: 1,
                    last_ms: now_ms,
                });
            }
        }
    }

    /// Adds up in the store what was counted since the last time; what cannot be written is kept for the next.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn store(&self, store: &Store) -> Result<(), StoreError> {
        let batches = self.take();
        if batches.is_empty() {
            return Ok(());
        }
        let writing = batches.clone();
        let written = store.write(move |tx| list_hit::add(tx, &writing)).await;
        if written.is_err() {
            batches.into_iter().for_each(|batch| self.add(batch));
        }
        written
    }

    fn take(&self) -> Vec<Batch> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *counts).into_values().collect()
    }

    fn add(&self, batch: Batch) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST && !counts.contains_key(&batch.rule) {
            return;
        }
        counts
            .entry(batch.rule.clone())
            .and_modify(|known| {
                known.hits = known.hits.saturating_add(batch.hits);
                known.last_ms = known.last_ms.max(batch.last_ms);
            })
            .or_insert(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_counts_once_for_each_transaction() {
        let hits = ListHits::default();
        for now in [5, 7] {
            let mut seen = HashSet::new();
            hits.count(["a", "b", "a"].into_iter(), &mut seen, now);
            hits.count(["a"].into_iter(), &mut seen, now);
        }
        let mut batches = hits.take();
        batches.sort_by(|a, b| a.rule.cmp(&b.rule));
        let counted: Vec<_> = batches
            .iter()
            .map(|b| (b.rule.as_str(), b.hits, b.last_ms))
            .collect();
        assert_eq!(counted, [("a", 2, 7), ("b", 2, 7)]);
        assert!(hits.take().is_empty());
    }

    #[test]
    fn the_memory_for_counts_has_an_end() {
        let hits = ListHits::default();
        for n in 0..MOST + 10 {
            hits.count([n.to_string().as_str()].into_iter(), &mut HashSet::new(), 1);
        }
        assert_eq!(hits.take().len(), MOST);
    }
}
