//! The body of a part while it is read: its decoded size, and the line that may turn out to be a boundary.

use super::block::MAX_BOUNDARY;
use super::transfer::DecodedSize;

/// A line that begins with `--` is kept so far to compare it: hyphens, boundary, and some white space.
pub(super) const MAX_BOUNDARY_LINE: usize = MAX_BOUNDARY + 4 + 258;

/// A part without parts.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Index in the scan's parts.
    pub(super) part: usize,
    pub(super) size: DecodedSize,
    /// The end of the line before, which belongs to the body unless a boundary follows.
    pub(super) pending: &'static [u8],
}

/// The line of a body that is being read.
#[derive(Debug)]
pub(super) enum BodyLine {
    /// Perhaps a boundary: its octets so far.
    Undecided(Vec<u8>),
    Text,
}

impl Leaf {
    /// The line end before the current line belongs to the body after all.
    pub(super) fn settle(&mut self) {
        self.size.end_of_line(std::mem::take(&mut self.pending));
    }
}

impl BodyLine {
    /// A line of which nothing was read.
    pub(super) const fn new() -> Self {
        Self::Undecided(Vec::new())
    }

    /// Takes octets of the line; `leaf` counts those that are its text.
    pub(super) fn content(
        &mut self,
        octets: &[u8],
        leaf: Option<&mut Leaf>,
        expects_boundary: bool,
    ) {
        if let Self::Undecided(held) = self {
            let candidate = expects_boundary && may_be_boundary(held, octets);
            if candidate {
                held.extend_from_slice(octets);
                return;
            }
            if let Some(leaf) = leaf {
                leaf.settle();
                leaf.size.content(held);
                leaf.size.content(octets);
            }
            *self = Self::Text;
        } else if let Some(leaf) = leaf {
            leaf.size.content(octets);
        }
    }

    /// The line is complete and no boundary.
    pub(super) fn end(&mut self, leaf: Option<&mut Leaf>) {
        if let Self::Undecided(held) = self
            && let Some(leaf) = leaf
        {
            leaf.settle();
            leaf.size.content(held);
        }
        *self = Self::new();
    }
}

/// Whether a line that begins with `held` and goes on with `next` is worth keeping to compare it.
fn may_be_boundary(held: &[u8], next: &[u8]) -> bool {
    let hyphens = held.iter().chain(next).take(2).all(|&octet| octet == b'-');
    hyphens && held.len() + next.len() <= MAX_BOUNDARY_LINE
}
