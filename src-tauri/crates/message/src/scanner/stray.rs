//! Fields behind a line that ended the top-level header block without being empty.

use super::block::{HeaderBlock, Keep, LineKind};
use crate::scan::Header;

/// Reads on where the header block proper has ended, up to the empty line, as a lenient reader does: lines that are no
/// fields are passed over. The same octets are the body all the same.
#[derive(Debug)]
pub(super) struct StrayFields {
    block: HeaderBlock,
}

/// How far the reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    GoesOn,
    /// The empty line was there.
    Complete,
    /// The bounds of a header block are passed.
    TooLarge,
}

impl StrayFields {
    /// Begins behind the line that is no field.
    pub(super) fn new() -> Self {
        Self {
            block: HeaderBlock::new(0, Keep::All, "text/plain"),
        }
    }

    /// Takes octets of the current line.
    pub(super) fn content(&mut self, octets: &[u8]) -> Reading {
        if self.block.content(octets) {
            Reading::GoesOn
        } else {
            Reading::TooLarge
        }
    }

    /// Ends the current line.
    pub(super) fn end_of_line(&mut self, end: &[u8]) -> Reading {
        // The block is known to be malformed; what else is wrong with it adds nothing.
        match self.block.end_of_line(end, &mut Vec::new()) {
            LineKind::End => return Reading::Complete,
            LineKind::Body => drop(self.block.take_line()),
            LineKind::Inside => {}
        }
        if self.block.is_full() {
            Reading::TooLarge
        } else {
            Reading::GoesOn
        }
    }

    /// The fields that were found.
    pub(super) fn into_headers(self) -> Vec<Header> {
        self.block.finish(&mut Vec::new()).1
    }
}
