//! The part of a report that gives the message back, or its headers.

use super::{Action, Part, Report};
use crate::eight_bit::{Look, MAX_LINE};

/// Octets of headers that are returned.
const MAX_HEADERS: usize = 64 * 1024;

/// The part, and whether it is the whole message.
#[derive(Debug)]
pub(super) struct Returned {
    pub(super) part: Part,
    pub(super) is_whole: bool,
}

pub(super) fn part(report: &Report<'_>) -> Returned {
    let original = report.original;
    // RFC 3461 §4.3: without a failure only the header is returned, whatever RET says.
    let failed = report
        .recipients
        .iter()
        .any(|recipient| recipient.action == Action::Failed);
    if let Some(body) = original.body.filter(|_| failed) {
        let message = [original.head, body].concat();
        if travels(&message) {
            return whole(message, report.smtputf8);
        }
    }
    headers(original.head, report.smtputf8)
}

/// Whether the octets can be a part of a message with 8bit encoding (RFC 2045 §2.8).
fn travels(octets: &[u8]) -> bool {
    let seen = Look::at(octets);
    !seen.nul && !seen.long_line && !has_bare_line_end(octets)
}

/// RFC 5321 §2.3.8: CR and LF only stand together.
fn has_bare_line_end(octets: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', octets).any(|at| match octets.get(at) {
        Some(b'\r') => octets.get(at + 1) != Some(&b'\n'),
        _ => at.checked_sub(1).and_then(|before| octets.get(before)) != Some(&b'\r'),
    })
}

fn whole(message: Vec<u8>, smtputf8: bool) -> Returned {
    // RFC 6533 §4: an international message goes back as one, whatever follows its header.
    let global = smtputf8 && !message.is_ascii();
    Returned {
        part: Part {
            content_type: if global {
                "message/global"
            } else {
                "message/rfc822"
            },
            description: "Your message",
            octets: message,
        },
        is_whole: true,
    }
}

fn headers(head: &[u8], smtputf8: bool) -> Returned {
    let block = block(head);
    let octets = if travels(block) {
        block.to_vec()
    } else {
        cleaned(block)
    };
    // RFC 6533 §6: only UTF-8 can be called that; anything else is old mail with octets of no known meaning.
    let global = smtputf8 && !octets.is_ascii() && std::str::from_utf8(&octets).is_ok();
    Returned {
        part: Part {
            content_type: if global {
                "message/global-headers"
            } else {
                "text/rfc822-headers"
            },
            description: "Headers of your message",
            octets,
        },
        is_whole: false,
    }
}

/// The fields up to the empty line, or as many whole ones as may be returned.
fn block(head: &[u8]) -> &[u8] {
    let mut at = 0;
    // Where the last complete field ends.
    let mut complete = 0;
    for line in head.split_inclusive(|&octet| octet == b'\n') {
        if matches!(line, b"\r\n" | b"\n") {
            complete = at;
            break;
        }
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            complete = at;
        }
        at += line.len();
        if at > MAX_HEADERS {
            // A single field may be longer than everything that is returned: then a part of it has to do.
            let end = if complete == 0 { MAX_HEADERS } else { complete };
            return head.get(..end).unwrap_or(head);
        }
    }
    let end = if at == head.len() { at } else { complete };
    head.get(..end).unwrap_or(head)
}

/// Header lines that cannot be sent as they are, in a form that can: short, ended by CRLF, without control characters.
fn cleaned(block: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(block.len());
    for line in block.split(|&octet| octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = shortened(line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        clean.extend(line.iter().map(|&octet| match octet {
            b'\t' => b'\t',
            b'\r' => b' ',
            0..=31 | 127 => b'?',
            _ => octet,
        }));
        clean.extend_from_slice(b"\r\n");
    }
    clean
}

/// At most [`MAX_LINE`] octets, without cutting a character of UTF-8.
fn shortened(line: &[u8]) -> &[u8] {
    let Some(short) = line.get(..MAX_LINE).filter(|_| line.len() > MAX_LINE) else {
        return line;
    };
    match std::str::from_utf8(short) {
        Err(error) if error.error_len().is_none() => {
            short.get(..error.valid_up_to()).unwrap_or(short)
        }
        _ => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_line_ends_are_found() {
        for bare in [&b"a\rb"[..], b"a\nb", b"\n", b"\r", b"a\r\r\n", b"a\r\n\n"] {
            assert!(has_bare_line_end(bare), "{bare:?}");
        }
        assert!(!has_bare_line_end(b"a\r\n\r\nb\r\n"));
    }

    #[test]
    fn headers_end_at_the_empty_line_and_are_returned_as_they_are() {
        assert_eq!(block(b"A: b\r\n c\r\n\r\nbody\r\n"), b"A: b\r\n c\r\n");
        assert_eq!(block(b"A: b"), b"A: b");
        assert_eq!(block(b"\r\n"), b"");
    }

    #[test]
    fn large_headers_are_cut_between_two_fields() {
        let field = format!("A: {}\r\n b\r\n", "x".repeat(500));
        let head = field.repeat(1000);
        let kept = block(head.as_bytes());
        assert!(kept.len() <= MAX_HEADERS && kept.len() > MAX_HEADERS - 2 * field.len());
        assert_eq!(kept.len() % field.len(), 0);
        let single = format!("A: b\r\n{}", " c\r\n".repeat(100_000));
        assert_eq!(block(single.as_bytes()).len(), MAX_HEADERS);
    }

    #[test]
    fn lines_that_cannot_travel_are_cleaned() {
        let dirty = format!("A: \0b\rc\n\r\r\nB: {}ë\r\n", "x".repeat(MAX_LINE - 4));
        let clean = String::from_utf8(cleaned(dirty.as_bytes())).unwrap();
        assert_eq!(
            clean,
            format!("A: ?b c\r\nB: {}\r\n", "x".repeat(MAX_LINE - 4))
        );
        assert!(travels(clean.as_bytes()));
    }
}
