//! A header block while it is read, and what it says about the body behind it.

use std::ops::Range;

use crate::parameter::Parameterised;
use crate::scan::{Header, MAX_HEADER_BLOCK, MAX_HEADERS, Part, Problem};

/// RFC 2046 §5.1.1 allows 70 characters; some programs write more.
pub(super) const MAX_BOUNDARY: usize = 250;

/// Which fields of a block are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// All: the block of the message itself.
    All,
    /// Those that describe the content of a part.
    Content,
}

/// What a complete line of a block is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Part of the block.
    Inside,
    /// The empty line that ends it.
    End,
    /// No header line at all: the body begins with it.
    Body,
}

/// A header block of which some lines have been read.
#[derive(Debug)]
pub(super) struct HeaderBlock {
    /// Offset of its first octet.
    pub(super) start: u64,
    keep: Keep,
    headers: Vec<Header>,
    /// Fields seen, kept or not.
    fields: usize,
    /// Whether a continuation line belongs to the last of `headers`.
    last_kept: bool,
    /// The octets of the current line.
    line: Vec<u8>,
    size: u64,
    default_type: &'static str,
}

impl HeaderBlock {
    pub(super) fn new(start: u64, keep: Keep, default_type: &'static str) -> Self {
        Self {
            start,
            keep,
            headers: Vec::new(),
            fields: 0,
            last_kept: false,
            line: Vec::new(),
            size: 0,
            default_type,
        }
    }

    /// Takes octets of the current line; `false` when the block has become too large.
    pub(super) fn content(&mut self, octets: &[u8]) -> bool {
        self.size += octets.len() as u64;
        if self.size > MAX_HEADER_BLOCK {
            return false;
        }
        self.line.extend_from_slice(octets);
        true
    }

    /// The octets of the current line.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Takes the current line out, to be read as something else.
    pub(super) fn take_line(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.line)
    }

    /// Whether no more fields are read.
    pub(super) fn is_full(&self) -> bool {
        self.fields > MAX_HEADERS || self.size > MAX_HEADER_BLOCK
    }

    /// Ends the current line and files it. For [`LineKind::Body`] the line stays, see [`Self::take_line`].
    pub(super) fn end_of_line(&mut self, end: &[u8], problems: &mut Vec<Problem>) -> LineKind {
        self.size += end.len() as u64;
        match self.line.first() {
            None => LineKind::End,
            Some(b' ' | b'\t') => {
                self.continuation(problems);
                LineKind::Inside
            }
            Some(_) => self.field(end, problems),
        }
    }

    fn continuation(&mut self, problems: &mut Vec<Problem>) {
        let line = self.take_line();
        if self.fields == 0 {
            note(problems, Problem::StrayHeaderLine);
        } else if let Some(header) = self.headers.last_mut().filter(|_| self.last_kept) {
            header.value.extend_from_slice(b"\r\n");
            header.value.extend_from_slice(&line);
        }
    }

    fn field(&mut self, end: &[u8], problems: &mut Vec<Problem>) -> LineKind {
        let Some((name, value)) = split_field(&self.line) else {
            if !self.line.starts_with(b"From ") {
                return LineKind::Body;
            }
            // The separator of a mailbox file is normal before the first field and ignored elsewhere.
            if self.size != (self.line.len() + end.len()) as u64 {
                note(problems, Problem::StrayHeaderLine);
            }
            self.line.clear();
            return LineKind::Inside;
        };
        self.fields += 1;
        self.last_kept = self.keep == Keep::All || describes_content(name);
        if self.last_kept && self.fields <= MAX_HEADERS {
            let name = String::from_utf8_lossy(name).into_owned();
            let value = value.to_vec();
            self.headers.push(Header { name, value });
        }
        self.line.clear();
        LineKind::Inside
    }

    /// What the block says about the body that follows it, and its fields.
    pub(super) fn finish(self, problems: &mut Vec<Problem>) -> (Description, Vec<Header>) {
        let description = Description::read(&self.headers, self.default_type, problems);
        (description, self.headers)
    }
}

/// Notes a problem unless its kind is known already.
pub(super) fn note(problems: &mut Vec<Problem>, problem: Problem) {
    if !problems.contains(&problem) {
        problems.push(problem);
    }
}

/// Name and value of a field line. White space before the colon is the obsolete syntax of RFC 5322 §4.5.
fn split_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&octet| octet == b':')?;
    let (name, value) = line.split_at(colon);
    let name = name.trim_ascii_end();
    let sound = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    sound.then_some((name, value.strip_prefix(b":")?))
}

const CONTENT_TYPE: &str = "Content-Type";
const CONTENT_DISPOSITION: &str = "Content-Disposition";
const CONTENT_TRANSFER_ENCODING: &str = "Content-Transfer-Encoding";

fn describes_content(name: &[u8]) -> bool {
    [CONTENT_TYPE, CONTENT_DISPOSITION, CONTENT_TRANSFER_ENCODING]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// What is known of a body before its first octet.
#[derive(Debug)]
pub(super) struct Description {
    content_type: String,
    disposition: Option<String>,
    filename: Option<String>,
    encoding: String,
    boundary: Option<Vec<u8>>,
}

/// How a body is to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Leaf,
    /// Parts between lines with this boundary.
    Multipart(Vec<u8>),
    /// A multipart whose boundary is unknown: it cannot be looked into.
    Unreadable,
    /// A whole message.
    Message,
}

impl Description {
    fn read(headers: &[Header], default_type: &str, problems: &mut Vec<Problem>) -> Self {
        let mut field = |name: &str| {
            let mut same = headers.iter().filter(|header| header.is_named(name));
            let first = same.next().map(Header::unfolded);
            if same.next().is_some() {
                note(problems, Problem::RepeatedContentField);
            }
            first.map(|value| Parameterised::parse(&value))
        };
        let kind = field(CONTENT_TYPE);
        let disposition = field(CONTENT_DISPOSITION);
        let encoding = field(CONTENT_TRANSFER_ENCODING).map_or_else(String::new, |e| e.token);
        let named = disposition.as_ref().and_then(|d| d.shown("filename"));
        let filename = named.or_else(|| kind.as_ref().and_then(|k| k.shown("name")));
        let boundary = kind.as_ref().and_then(|k| k.octets("boundary"));
        let content_type = match kind {
            Some(kind) if is_media_type(&kind.token) => kind.token,
            // RFC 2045 §5.2: a type that cannot be read is plain text.
            Some(_) => "text/plain".to_owned(),
            None => default_type.to_owned(),
        };
        Self {
            content_type,
            disposition: disposition
                .map(|d| d.token)
                .filter(|token| !token.is_empty()),
            filename,
            encoding,
            boundary: boundary.map(|b| b.trim_ascii_end().to_vec()),
        }
    }

    /// How the body is to be read.
    pub(super) fn shape(&self) -> Shape {
        if self.content_type.starts_with("multipart/") {
            return match &self.boundary {
                Some(boundary) if (1..=MAX_BOUNDARY).contains(&boundary.len()) => {
                    Shape::Multipart(boundary.clone())
                }
                _ => Shape::Unreadable,
            };
        }
        // RFC 2046 §5.2.1 allows no encoding for an attached message; one that has it cannot be read in passing.
        let message = matches!(
            self.content_type.as_str(),
            "message/rfc822" | "message/global"
        );
        if message && !self.is_encoded() {
            Shape::Message
        } else {
            Shape::Leaf
        }
    }

    /// RFC 2046 §5.1.5: what a part of this body is when it does not say.
    pub(super) fn default_child_type(&self) -> &'static str {
        if self.content_type == "multipart/digest" {
            "message/rfc822"
        } else {
            "text/plain"
        }
    }

    /// The transfer encoding that must be undone, in lower case.
    pub(super) fn encoding(&self) -> &str {
        &self.encoding
    }

    fn is_encoded(&self) -> bool {
        matches!(self.encoding.as_str(), "base64" | "quoted-printable")
    }

    /// The part as far as it is known; `descended` says that the parts inside it follow.
    pub(super) fn into_part(self, depth: u16, raw: Range<u64>, descended: bool) -> Part {
        let attachment = self.is_attachment(descended);
        Part {
            depth,
            content_type: self.content_type,
            disposition: self.disposition,
            filename: self.filename,
            raw,
            decoded_size: 0,
            attachment,
        }
    }

    fn is_attachment(&self, descended: bool) -> bool {
        if descended {
            return !self.content_type.starts_with("multipart/");
        }
        // RFC 2183 §2.8: a disposition nobody knows is treated as `attachment`.
        let disposed = self.disposition.as_deref().is_some_and(|d| d != "inline");
        disposed || self.filename.is_some() || !self.content_type.starts_with("text/")
    }
}

/// `type/subtype`, both there and made of one word.
fn is_media_type(token: &str) -> bool {
    token.split_once('/').is_some_and(|(kind, subtype)| {
        !kind.is_empty() && !subtype.is_empty() && !subtype.contains('/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (Vec<Header>, Vec<Problem>) {
        let mut block = HeaderBlock::new(0, Keep::All, "text/plain");
        let mut problems = Vec::new();
        for line in lines {
            assert!(block.content(line.as_bytes()));
            block.end_of_line(b"\r\n", &mut problems);
        }
        (block.finish(&mut problems).1, problems)
    }

    #[test]
    fn fields_keep_their_order_and_folding() {
        let (headers, problems) = read(&["A: 1", " 2", "b : x", "A:"]);
        assert_eq!(headers.len(), 3);
        assert_eq!(headers[0].text(), "1 2");
        assert_eq!(
            (headers[1].name.as_str(), headers[1].text().as_str()),
            ("b", "x")
        );
        assert_eq!(problems, []);
    }

    #[test]
    fn a_mailbox_separator_is_normal_only_before_the_first_field() {
        assert_eq!(read(&["From x@y Mon Jan 1 00:00:00 2026", "A: 1"]).1, []);
        let (headers, problems) = read(&["A: 1", "From x@y Mon Jan 1 00:00:00 2026", "B: 2"]);
        assert_eq!(headers.len(), 2);
        assert_eq!(problems, [Problem::StrayHeaderLine]);
    }

    #[test]
    fn a_line_without_a_field_name_begins_the_body() {
        let mut block = HeaderBlock::new(0, Keep::All, "text/plain");
        let mut problems = Vec::new();
        assert!(block.content(b"no field: here"));
        assert_eq!(block.end_of_line(b"\r\n", &mut problems), LineKind::Body);
        assert_eq!(block.take_line(), b"no field: here");
    }

    #[test]
    fn the_first_of_several_content_types_counts_and_is_reported() {
        let mut block = HeaderBlock::new(0, Keep::Content, "text/plain");
        let mut problems = Vec::new();
        for line in [
            "Content-Type: image/png",
            "content-type: text/html",
            "X-Other: y",
        ] {
            assert!(block.content(line.as_bytes()));
            block.end_of_line(b"\n", &mut problems);
        }
        let (description, headers) = block.finish(&mut problems);
        assert_eq!(description.content_type, "image/png");
        assert_eq!(headers.len(), 2);
        assert_eq!(problems, [Problem::RepeatedContentField]);
    }
}
