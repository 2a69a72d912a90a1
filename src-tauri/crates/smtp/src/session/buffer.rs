//! Octets that came and are not used yet.

/// Octets of memory an empty buffer may keep.
const IDLE: usize = 4096;

/// A queue of octets. Taking from its front costs nothing until the next octets come.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    octets: Vec<u8>,
    start: usize,
}

impl Buffer {
    pub(super) fn len(&self) -> usize {
        self.octets.len().saturating_sub(self.start)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn unused(&self) -> &[u8] {
        self.octets.get(self.start..).unwrap_or_default()
    }

    pub(super) fn push(&mut self, octets: &[u8]) {
        if self.start > 0 {
            self.octets.drain(..self.start);
            self.start = 0;
        }
        self.octets.extend_from_slice(octets);
    }

    pub(super) fn advance(&mut self, used: usize) {
        self.start = (self.start + used).min(self.octets.len());
        if self.is_empty() {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        self.octets.clear();
        // An idle connection does not keep what a burst needed.
        self.octets.shrink_to(IDLE);
        self.start = 0;
    }
}
