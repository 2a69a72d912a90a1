//! The header block of an entity: what it says about the body, and how it is written again.

use std::ops::Range;

use super::Inconvertible;
use crate::parameter::Parameterised;
use crate::scan::MAX_HEADERS;

/// RFC 2046 §5.1.1 allows 70 characters; some programs write more.
const MAX_BOUNDARY: usize = 250;

/// A header block, all ASCII and made of fields only.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// The fields with their line ends, without the empty line.
    fields: &'a [u8],
    /// The empty line.
    end: &'a [u8],
    /// Where `Content-Transfer-Encoding` stands in `fields`.
    encoding_at: Option<Range<usize>>,
    encoding: String,
    kind: Option<Parameterised>,
    content_type: String,
    has_version: bool,
}

impl<'a> Head<'a> {
    /// Splits an entity, and reads its header block.
    pub(super) fn read(
        entity: &'a [u8],
        default_type: &'static str,
    ) -> Result<(Head<'a>, &'a [u8]), Inconvertible> {
        let lines = Lines::split(entity)?;
        let mut head = Head {
            fields: lines.fields,
            end: lines.end,
            encoding_at: None,
            encoding: String::new(),
            kind: None,
            content_type: default_type.to_owned(),
            has_version: false,
        };
        for field in lines.ranges {
            head.field(field)?;
        }
        if let Some(kind) = &head.kind {
            let is_type = kind
                .token
                .split_once('/')
                .is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty());
            if !is_type {
                return Err(Inconvertible::Malformed);
            }
            head.content_type.clone_from(&kind.token);
        }
        Ok((head, lines.body))
    }

    fn field(&mut self, at: Range<usize>) -> Result<(), Inconvertible> {
        let field = self.fields.get(at.clone()).unwrap_or_default();
        let colon = memchr::memchr(b':', field).ok_or(Inconvertible::Malformed)?;
        let (name, value) = field.split_at(colon);
        let name = name.trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Err(Inconvertible::Malformed);
        }
        let value: Vec<u8> = value
            .iter()
            .skip(1)
            .map(|&octet| {
                if matches!(octet, b'\r' | b'\n') {
                    b' '
                } else {
                    octet
                }
            })
            .collect();
        // Two fields that describe one body may be read differently by two readers.
        if name.eq_ignore_ascii_case(b"Content-Type") {
            let first = self.kind.replace(Parameterised::parse(&value)).is_none();
            first.then_some(()).ok_or(Inconvertible::Malformed)
        } else if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
            self.encoding = Parameterised::parse(&value).token;
            let first = self.encoding_at.replace(at).is_none();
            first.then_some(()).ok_or(Inconvertible::Malformed)
        } else {
            self.has_version |= name.eq_ignore_ascii_case(b"MIME-Version");
            Ok(())
        }
    }

    /// `type/subtype` in lower case.
    pub(super) fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The transfer encoding in lower case, empty when there is none.
    pub(super) fn encoding(&self) -> &str {
        &self.encoding
    }

    /// The boundary of a multipart, when there is a usable one.
    pub(super) fn boundary(&self) -> Option<Vec<u8>> {
        let boundary = self.kind.as_ref()?.octets("boundary")?;
        let boundary = boundary.trim_ascii_end().to_vec();
        (1..=MAX_BOUNDARY)
            .contains(&boundary.len())
            .then_some(boundary)
    }

    /// RFC 2046 §5.1.5.
    pub(super) fn default_child_type(&self) -> &'static str {
        if self.content_type == "multipart/digest" {
            "message/rfc822"
        } else {
            "text/plain"
        }
    }

    /// Writes the block with another transfer encoding, the empty line included. A message that did not describe
    /// itself now does, because without that the encoding would mean nothing.
    pub(super) fn write(&self, out: &mut Vec<u8>, encoding: &str, is_message: bool, body: &[u8]) {
        let field = format!("Content-Transfer-Encoding: {encoding}\r\n");
        match &self.encoding_at {
            Some(at) => {
                out.extend_from_slice(self.fields.get(..at.start).unwrap_or_default());
                out.extend_from_slice(field.as_bytes());
                out.extend_from_slice(self.fields.get(at.end..).unwrap_or_default());
            }
            None => out.extend_from_slice(self.fields),
        }
        if is_message && !self.has_version {
            out.extend_from_slice(b"MIME-Version: 1.0\r\n");
            if self.kind.is_none() {
                out.extend_from_slice(undeclared_text(body).as_bytes());
            }
        }
        // RFC 2045 §6.1: 7bit is what holds without the field.
        if self.encoding_at.is_none() && encoding != "7bit" {
            out.extend_from_slice(field.as_bytes());
        }
        out.extend_from_slice(self.end);
    }
}

/// RFC 1428 §3: what is in no declared character set is said to be in an unknown one, unless it can hardly be another.
fn undeclared_text(body: &[u8]) -> &'static str {
    if std::str::from_utf8(body).is_ok() {
        "Content-Type: text/plain; charset=utf-8\r\n"
    } else {
        "Content-Type: text/plain; charset=unknown-8bit\r\n"
    }
}

/// A header block cut into fields.
struct Lines<'a> {
    fields: &'a [u8],
    end: &'a [u8],
    body: &'a [u8],
    /// One for each field, its continuation lines included.
    ranges: Vec<Range<usize>>,
}

impl<'a> Lines<'a> {
    fn split(entity: &'a [u8]) -> Result<Lines<'a>, Inconvertible> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        for line in entity.split_inclusive(|&octet| octet == b'\n') {
            let next = at + line.len();
            match line {
                b"\r\n" | b"\n" => {
                    let (fields, rest) = entity.split_at(at);
                    let (end, body) = rest.split_at(line.len());
                    return Ok(Lines {
                        fields,
                        end,
                        body,
                        ranges,
                    });
                }
                _ if !super::is_plain(line) => return Err(Inconvertible::Header),
                [b' ' | b'\t', ..] => match ranges.last_mut() {
                    Some(field) => field.end = next,
                    None => return Err(Inconvertible::Malformed),
                },
                _ if ranges.len() >= MAX_HEADERS => return Err(Inconvertible::Malformed),
                _ => ranges.push(at..next),
            }
            at = next;
        }
        // There are octets above 127 but no body that could hold them.
        Err(Inconvertible::Malformed)
    }
}
