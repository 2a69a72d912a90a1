//! A multipart cut at its boundary lines (RFC 2046 §5.1.1).

use super::Inconvertible;
use crate::scan::MAX_PARTS;

/// A stretch of the body of a multipart. Together, in order, they are the whole body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    /// Preamble, boundary lines with the line end before them, epilogue.
    Between(&'a [u8]),
    /// A part: header block and body.
    Part(&'a [u8]),
}

/// Cuts the body of a multipart. It must be opened and closed: where a part ends has to be beyond doubt.
pub(super) fn segments<'a>(
    body: &'a [u8],
    boundary: &[u8],
) -> Result<Vec<Segment<'a>>, Inconvertible> {
    let mut segments = Vec::new();
    let (mut at, mut parts) = (0, 0);
    // Where the octets begin that are not yet in a segment, and whether they are a part.
    let (mut from, mut in_part) = (0, false);
    let mut slice = |from: usize, to: usize, in_part: bool| {
        let octets = body.get(from..to).unwrap_or_default();
        segments.push(if in_part {
            Segment::Part(octets)
        } else {
            Segment::Between(octets)
        });
    };
    for line in body.split_inclusive(|&octet| octet == b'\n') {
        let next = at + line.len();
        if let Some(closes) = delimiter(line, boundary) {
            let end = at - line_end_before(body.get(from..at).unwrap_or_default());
            slice(from, end, in_part);
            if closes {
                slice(end, body.len(), false);
                return if in_part {
                    Ok(segments)
                } else {
                    Err(Inconvertible::Malformed)
                };
            }
            parts += 1;
            if parts > MAX_PARTS {
                return Err(Inconvertible::Malformed);
            }
            slice(end, next, false);
            (from, in_part) = (next, true);
        }
        at = next;
    }
    Err(Inconvertible::Malformed)
}

/// Whether a line is a boundary, and if so whether it closes the multipart.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let tail = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (closes, padding) = match tail.strip_prefix(b"--") {
        Some(padding) => (true, padding),
        None => (false, tail),
    };
    let padding = padding.strip_suffix(b"\n").unwrap_or(padding);
    let padding = padding.strip_suffix(b"\r").unwrap_or(padding);
    let blank = padding.iter().all(|octet| matches!(octet, b' ' | b'\t'));
    blank.then_some(closes)
}

/// Octets of the line end that belongs to the boundary after it.
fn line_end_before(octets: &[u8]) -> usize {
    if octets.ends_with(b"\r\n") {
        2
    } else {
        usize::from(octets.ends_with(b"\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(body: &str) -> Result<Vec<(bool, &str)>, Inconvertible> {
        let segments = segments(body.as_bytes(), b"b")?;
        Ok(segments
            .into_iter()
            .map(|segment| match segment {
                Segment::Part(octets) => (true, std::str::from_utf8(octets).unwrap()),
                Segment::Between(octets) => (false, std::str::from_utf8(octets).unwrap()),
            })
            .collect())
    }

    #[test]
    fn parts_are_what_stands_between_boundary_lines() {
        let body = "pre\r\n--b\r\n\r\none\r\n--bc\r\n--b \t\r\nA: b\r\n\r\ntwo\r\n--b--\r\nepilogue\r\n--b\r\n";
        assert_eq!(
            cut(body).unwrap(),
            [
                (false, "pre"),
                (false, "\r\n--b\r\n"),
                (true, "\r\none\r\n--bc"),
                (false, "\r\n--b \t\r\n"),
                (true, "A: b\r\n\r\ntwo"),
                (false, "\r\n--b--\r\nepilogue\r\n--b\r\n"),
            ]
        );
    }

    #[test]
    fn a_multipart_that_is_not_opened_and_closed_is_malformed() {
        for body in [
            "",
            "x\r\n",
            "--b\r\n\r\nx\r\n",
            "--b--\r\n",
            "--b\r\n\r\nx\r\n --b--\r\n",
        ] {
            assert_eq!(cut(body), Err(Inconvertible::Malformed), "{body:?}");
        }
    }
}
