//! What one pass over a message found: the header fields, the parts, the oddities. Plain values, no verdicts.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// Octets of one header block that are read; a longer block is not looked into any further.
pub const MAX_HEADER_BLOCK: u64 = 256 * 1024;
/// Fields of one header block that are read.
pub const MAX_HEADERS: usize = 2000;
/// Parts of one message, the message itself included.
pub const MAX_PARTS: usize = 1000;
/// Nesting of multiparts and attached messages; the message itself has depth 0.
pub const MAX_DEPTH: u16 = 50;

/// Everything a [`Scanner`](crate::Scanner) learnt about a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scan {
    /// Octets of the whole message as received (semantics: before any trace field of ours).
    pub size: u64,
    /// Octets of the top-level header block, the empty line after it included; 0 when it is too large to be read to its end.
    pub header_size: u64,
    /// Top-level header fields in their order. Where a line that is no field ends the block, those between it and the
    /// next empty line are here too: lenient readers take them for fields.
    pub headers: Vec<Header>,
    /// All parts in the order of their first octet; the first is the message itself.
    pub parts: Vec<Part>,
    /// What is wrong with the top-level header block itself, so that others may read other fields in it: some of
    /// [`Problem::HeaderTooLarge`], [`Problem::HeaderWithoutEnd`] and [`Problem::StrayHeaderLine`].
    pub header_problems: Vec<Problem>,
    /// What is not as the standards want it, each kind once.
    pub problems: Vec<Problem>,
}

impl Scan {
    /// The number of `Received` fields in the top-level header block (RFC 5321 §6.3).
    #[must_use]
    pub fn hops(&self) -> usize {
        self.fields("Received").count()
    }

    /// All top-level fields of that name, whatever their case, in order.
    pub fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Header> {
        self.headers
            .iter()
            .filter(move |header| header.is_named(name))
    }

    /// The parts that count as attachments, in order.
    pub fn attachments(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.attachment)
    }

    /// The attachment with the most decoded octets.
    #[must_use]
    pub fn largest_attachment(&self) -> Option<&Part> {
        self.attachments().max_by_key(|part| part.decoded_size)
    }
}

/// One header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header {
    /// The field name as written, without white space before the colon.
    pub name: String,
    /// The octets after the colon, still folded, without the last line end.
    pub value: Vec<u8>,
}

impl Header {
    /// Whether the field has this name; case does not matter (RFC 5322 §1.2.2).
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value on one line, without the space around it (RFC 5322 §2.2.3). Octets that are no UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.unfolded()).into_owned()
    }

    /// The octets of the value on one line.
    pub(crate) fn unfolded(&self) -> Vec<u8> {
        unfold(&self.value)
    }
}

/// Removes the line ends of folding; a CR without LF stays, it is no line end.
fn unfold(value: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(value.len());
    for (index, &octet) in value.iter().enumerate() {
        let ends_line = octet == b'\n' || (octet == b'\r' && value.get(index + 1) == Some(&b'\n'));
        if !ends_line {
            line.push(octet);
        }
    }
    line.trim_ascii().to_vec()
}

/// One part of the MIME tree: a leaf, a multipart, or an attached message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// 0 for the message itself, one more for each level below.
    pub depth: u16,
    /// `type/subtype` in lower case, at most 255 octets.
    pub content_type: String,
    /// The disposition in lower case, when there is one.
    pub disposition: Option<String>,
    /// The file name shown to a person: decoded, without control characters, at most 255 characters, never empty.
    pub filename: Option<String>,
    /// Where the body of the part lies in the message, as sent, without the line end that belongs to a boundary.
    pub raw: Range<u64>,
    /// Octets of the body after undoing base64 or quoted-printable.
    pub decoded_size: u64,
    /// Whether the part counts as an attachment.
    pub attachment: bool,
}

/// A deviation from the standards, or a bound of the scanner that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// A header block is longer than [`MAX_HEADER_BLOCK`] or has more than [`MAX_HEADERS`] fields.
    HeaderTooLarge,
    /// There are [`MAX_PARTS`] parts or more; the last one listed is all the rest.
    TooManyParts,
    /// Parts are nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A header block was ended by a line that is neither a field nor empty.
    HeaderWithoutEnd,
    /// A line inside a header block belongs to nothing: a continuation of no field, or a mailbox separator.
    StrayHeaderLine,
    /// A part has several fields that describe its content; the first one counts.
    RepeatedContentField,
    /// A multipart names no boundary, or one longer than can be handled.
    NoBoundary,
    /// The boundary of a multipart never appears.
    MissingStartBoundary,
    /// A multipart is not closed.
    MissingEndBoundary,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderTooLarge => "a header block is too large",
            Self::TooManyParts => "there are too many parts",
            Self::TooDeep => "parts are nested too deeply",
            Self::HeaderWithoutEnd => "a header block has no empty line after it",
            Self::StrayHeaderLine => "a line in a header block belongs to no field",
            Self::RepeatedContentField => "the content of a part is described twice",
            Self::NoBoundary => "a multipart has no usable boundary",
            Self::MissingStartBoundary => "the boundary of a multipart never appears",
            Self::MissingEndBoundary => "a multipart is not closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_value_is_shown_on_one_line() {
        let header = Header {
            name: "Subject".into(),
            value: b" one\r\n two\n\tthree\r\n".to_vec(),
        };
        assert_eq!(header.text(), "one two\tthree");
    }

    #[test]
    fn a_lone_carriage_return_is_not_taken_for_folding() {
        let header = Header {
            name: "Subject".into(),
            value: b" a\rb".to_vec(),
        };
        assert_eq!(header.text(), "a\rb");
    }

    #[test]
    fn field_names_are_compared_without_case() {
        let header = Header {
            name: "RECEIVED".into(),
            value: Vec::new(),
        };
        assert!(header.is_named("Received"));
        assert!(!header.is_named("Received-SPF"));
    }
}
