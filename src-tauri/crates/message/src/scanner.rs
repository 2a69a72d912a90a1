//! Reads a message once, in whatever pieces it comes, and remembers only what it is made of.
//!
//! The MIME tree is found by its boundary lines (RFC 2046 §5.1). A line is a boundary only as a whole, with white
//! space after it allowed; text that merely contains the boundary is text.

mod block;
mod body;
mod line;
mod open;
mod stray;
mod transfer;

#[cfg(test)]
mod tests;

use block::{Description, HeaderBlock, Keep, LineKind, Shape, note};
use body::{BodyLine, Leaf};
use line::{Lines, Piece};
use open::{Holds, Open};
use stray::{Reading, StrayFields};
use transfer::DecodedSize;

use crate::scan::{MAX_DEPTH, MAX_PARTS, Part, Problem, Scan};

/// Scans one message: [`push`](Self::push) its octets, then [`finish`](Self::finish).
///
/// The result does not depend on how the octets are divided. Memory stays below about 4 MiB whatever comes: two
/// header blocks of at most [`MAX_HEADER_BLOCK`](crate::MAX_HEADER_BLOCK) octets, at most [`MAX_PARTS`] parts with
/// bounded texts, and one line of a body.
#[derive(Debug)]
pub struct Scanner {
    lines: Lines,
    /// Octets read so far.
    offset: u64,
    /// Where the current line begins.
    line_start: u64,
    /// The line end before the current line; a boundary line takes it (RFC 2046 §5.1.1).
    line_end_before: &'static [u8],
    /// Multiparts and attached messages around the current place, outermost first.
    open: Vec<Open>,
    place: Place,
    /// While the top-level header block, which ended early, is still read for lenient readers.
    stray: Option<StrayFields>,
    scan: Scan,
}

/// Where the next line belongs.
#[derive(Debug)]
enum Place {
    Header(HeaderBlock),
    /// A leaf, or with `leaf` absent text that belongs to no part (preamble and epilogue).
    Body {
        leaf: Option<Leaf>,
        line: BodyLine,
    },
    /// The rest of the message is not looked into.
    Rest,
}

/// What a boundary line does.
#[derive(Debug, Clone, Copy)]
struct Delimiter {
    /// Index in `open`.
    of: usize,
    closes: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// A scanner before the first octet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lines: Lines::default(),
            offset: 0,
            line_start: 0,
            line_end_before: b"",
            open: Vec::new(),
            place: Place::Header(HeaderBlock::new(0, Keep::All, "text/plain")),
            stray: None,
            scan: Scan {
                size: 0,
                header_size: 0,
                headers: Vec::new(),
                parts: Vec::new(),
                header_problems: Vec::new(),
                problems: Vec::new(),
            },
        }
    }

    /// Scans a whole message at once.
    #[must_use]
    pub fn scan(message: &[u8]) -> Scan {
        let mut scanner = Self::new();
        scanner.push(message);
        scanner.finish()
    }

    /// Takes the next octets of the message.
    pub fn push(&mut self, octets: &[u8]) {
        let mut input = octets;
        while let Some(piece) = self.lines.next(&mut input) {
            self.piece(&piece);
        }
    }

    /// The message is complete.
    #[must_use]
    pub fn finish(mut self) -> Scan {
        if let Some(piece) = self.lines.finish() {
            self.piece(&piece);
        }
        self.end_last_line();
        self.close_parts(0, self.offset);
        self.file_stray_fields();
        self.scan.size = self.offset;
        self.scan
    }

    fn piece(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Content(octets) => {
                self.offset += octets.len() as u64;
                self.stray(|stray| stray.content(octets));
                self.content(octets);
            }
            Piece::End(octets) => {
                self.offset += octets.len() as u64;
                self.stray(|stray| stray.end_of_line(octets));
                self.end_of_line(octets);
                self.line_start = self.offset;
                self.line_end_before = octets;
            }
        }
    }

    /// Reads on in a top-level header block that ended early, if there is one.
    fn stray(&mut self, read: impl FnOnce(&mut StrayFields) -> Reading) {
        match self.stray.as_mut().map(read) {
            None | Some(Reading::GoesOn) => {}
            Some(Reading::Complete) => self.file_stray_fields(),
            Some(Reading::TooLarge) => {
                note(&mut self.scan.problems, Problem::HeaderTooLarge);
                note(&mut self.scan.header_problems, Problem::HeaderTooLarge);
                self.file_stray_fields();
            }
        }
    }

    fn file_stray_fields(&mut self) {
        if let Some(stray) = self.stray.take() {
            self.scan.headers.extend(stray.into_headers());
        }
    }

    fn content(&mut self, octets: &[u8]) {
        let expects_boundary = self.open.iter().any(Open::expects_boundary);
        match &mut self.place {
            Place::Header(block) => {
                if !block.content(octets) {
                    self.leave_rest(Problem::HeaderTooLarge);
                }
            }
            Place::Body { leaf, line } => line.content(octets, leaf.as_mut(), expects_boundary),
            Place::Rest => {}
        }
    }

    fn end_of_line(&mut self, end: &'static [u8]) {
        if let Some(delimiter) = self.delimiter() {
            self.pass_delimiter(delimiter);
            return;
        }
        match &mut self.place {
            Place::Header(block) => match block.end_of_line(end, &mut self.scan.problems) {
                LineKind::Inside if block.is_full() => self.leave_rest(Problem::HeaderTooLarge),
                LineKind::Inside => {}
                LineKind::End => self.end_header(self.offset, true),
                LineKind::Body => self.begin_body_early(end),
            },
            Place::Body { leaf, line } => {
                line.end(leaf.as_mut());
                if let Some(leaf) = leaf {
                    leaf.pending = end;
                }
            }
            Place::Rest => {}
        }
    }

    /// The boundary the current line is, if it is one. The innermost multipart is asked first.
    fn delimiter(&self) -> Option<Delimiter> {
        let line = match &self.place {
            Place::Header(block) => block.line(),
            Place::Body {
                line: BodyLine::Undecided(line),
                ..
            } => line,
            _ => return None,
        };
        let rest = line.strip_prefix(b"--")?;
        let (of, tail) = self
            .open
            .iter()
            .enumerate()
            .rev()
            .find_map(|(index, open)| Some((index, open.match_boundary(rest)?)))?;
        let closes = tail.starts_with(b"--");
        Some(Delimiter { of, closes })
    }

    fn pass_delimiter(&mut self, delimiter: Delimiter) {
        if matches!(self.place, Place::Header(_)) {
            note(&mut self.scan.problems, Problem::HeaderWithoutEnd);
            self.end_header(self.line_start, false);
            if matches!(self.place, Place::Rest) {
                return;
            }
        }
        // RFC 2046 §5.1.1: the line end before the boundary belongs to it, unless it ended the header block.
        let end = self.line_start - self.line_end_before.len() as u64;
        let end = end.max(self.scan.parts.last().map_or(0, |part| part.raw.start));
        self.close_leaf(end);
        self.close_parts(delimiter.of + 1, end);
        let open = self.open.last_mut();
        self.place = match open.and_then(|open| open.pass_boundary(delimiter.closes)) {
            Some(default_type) => {
                Place::Header(HeaderBlock::new(self.offset, Keep::Content, default_type))
            }
            None => Place::between(),
        };
    }

    /// A header block turned out to be over although no empty line ended it: the current line is read as body.
    fn begin_body_early(&mut self, end: &'static [u8]) {
        let Place::Header(block) = &mut self.place else {
            return;
        };
        let line = block.take_line();
        note(&mut self.scan.problems, Problem::HeaderWithoutEnd);
        if self.scan.parts.is_empty() {
            self.stray = Some(StrayFields::new());
        }
        self.end_header(self.line_start, true);
        self.content(&line);
        self.end_of_line(end);
    }

    /// The header block is complete and the body begins at `body`. Unless `descend`, nothing comes after it.
    fn end_header(&mut self, body: u64, descend: bool) {
        let place = std::mem::replace(&mut self.place, Place::Rest);
        let Place::Header(block) = place else {
            return;
        };
        let first = self.scan.parts.is_empty();
        self.keep_header_problems();
        let (description, headers) = block.finish(&mut self.scan.problems);
        if first {
            self.scan.header_size = body;
            self.scan.headers = headers;
        }
        if self.scan.parts.len() + 1 >= MAX_PARTS {
            note(&mut self.scan.problems, Problem::TooManyParts);
            self.add_rest(body);
            return;
        }
        let shape = self.shape(&description, descend);
        self.begin_body(description, shape, body);
    }

    /// At the end of the top-level block: whatever was noted so far is about it.
    fn keep_header_problems(&mut self) {
        if self.scan.parts.is_empty() {
            self.scan.header_problems.clone_from(&self.scan.problems);
        }
    }

    fn shape(&mut self, description: &Description, descend: bool) -> Shape {
        let shape = description.shape();
        let nested = matches!(shape, Shape::Multipart(_) | Shape::Message);
        if shape == Shape::Unreadable {
            note(&mut self.scan.problems, Problem::NoBoundary);
        } else if nested && self.depth() >= MAX_DEPTH {
            note(&mut self.scan.problems, Problem::TooDeep);
            return Shape::Unreadable;
        } else if nested && !descend {
            return Shape::Unreadable;
        }
        shape
    }

    fn begin_body(&mut self, description: Description, shape: Shape, body: u64) {
        let part = self.scan.parts.len();
        let depth = self.depth();
        let leaf = Leaf {
            part,
            size: DecodedSize::new(match shape {
                Shape::Leaf => description.encoding(),
                _ => "",
            }),
            pending: b"",
        };
        let default_type = description.default_child_type();
        let descended = matches!(shape, Shape::Multipart(_) | Shape::Message);
        self.scan
            .parts
            .push(description.into_part(depth, body..body, descended));
        match shape {
            Shape::Leaf | Shape::Unreadable => {
                self.place = Place::Body {
                    leaf: Some(leaf),
                    line: BodyLine::new(),
                }
            }
            Shape::Multipart(boundary) => {
                let holds = Holds::Multipart {
                    boundary,
                    default_type,
                    started: false,
                    closed: false,
                };
                self.open.push(Open { part, holds });
                self.place = Place::between();
            }
            Shape::Message => {
                self.open.push(Open {
                    part,
                    holds: Holds::Message,
                });
                self.place = Place::Header(HeaderBlock::new(body, Keep::Content, "text/plain"));
            }
        }
    }

    /// From here on nothing is looked into: the rest of the message, from the header block that was being read,
    /// counts as one attachment.
    fn leave_rest(&mut self, problem: Problem) {
        note(&mut self.scan.problems, problem);
        let place = std::mem::replace(&mut self.place, Place::Rest);
        let Place::Header(block) = place else {
            return;
        };
        let start = block.start;
        self.keep_header_problems();
        if self.scan.parts.is_empty() {
            self.scan.headers = block.finish(&mut self.scan.problems).1;
        }
        self.add_rest(start);
    }

    fn add_rest(&mut self, start: u64) {
        let part = self.scan.parts.len();
        self.scan.parts.push(Part {
            depth: self.depth(),
            content_type: "application/octet-stream".to_owned(),
            disposition: None,
            filename: None,
            raw: start..start,
            decoded_size: 0,
            attachment: true,
        });
        // Closed like a container: it reaches to the end of the message.
        self.open.push(Open {
            part,
            holds: Holds::Message,
        });
        self.place = Place::Rest;
    }

    /// The last line has no line end; it may still be a boundary or a field.
    fn end_last_line(&mut self) {
        if self.offset > self.line_start {
            self.stray(|stray| stray.end_of_line(b""));
            self.end_of_line(b"");
        }
        if matches!(self.place, Place::Header(_)) {
            self.end_header(self.offset, false);
        }
        if let Place::Body {
            leaf: Some(leaf), ..
        } = &mut self.place
        {
            leaf.settle();
        }
        self.close_leaf(self.offset);
    }

    fn close_leaf(&mut self, end: u64) {
        let Place::Body { leaf, .. } = &mut self.place else {
            return;
        };
        if let Some(leaf) = leaf.take()
            && let Some(part) = self.scan.parts.get_mut(leaf.part)
        {
            part.raw.end = end;
            part.decoded_size = leaf.size.total();
        }
    }

    /// Closes all open parts from that index on.
    fn close_parts(&mut self, from: usize, end: u64) {
        while self.open.len() > from {
            let Some(open) = self.open.pop() else {
                return;
            };
            let Some(part) = self.scan.parts.get_mut(open.part) else {
                continue;
            };
            part.raw.end = end;
            part.decoded_size = part.raw.end - part.raw.start;
            if let Holds::Multipart {
                started, closed, ..
            } = open.holds
            {
                if !started {
                    // Nothing could be looked into: the whole of it counts as one attachment.
                    part.attachment = true;
                    note(&mut self.scan.problems, Problem::MissingStartBoundary);
                } else if !closed && !matches!(self.place, Place::Rest) {
                    note(&mut self.scan.problems, Problem::MissingEndBoundary);
                }
            }
        }
    }

    fn depth(&self) -> u16 {
        u16::try_from(self.open.len()).unwrap_or(u16::MAX)
    }
}

impl Place {
    /// Before the first or after the last part of a multipart.
    fn between() -> Self {
        Self::Body {
            leaf: None,
            line: BodyLine::new(),
        }
    }
}
