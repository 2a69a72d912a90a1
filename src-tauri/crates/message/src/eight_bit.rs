//! What a message asks of the transport (RFC 2045 §§2.7–2.9), seen while its octets pass by.
//!
//! It runs beside every message that is accepted, so it reads in large steps: octets are not looked at one by one,
//! and line ends not one after the other.

use memchr::{memchr, memrchr};

/// RFC 5321 §4.5.3.1.6, RFC 5322 §2.1.1: octets of a line, without its CRLF.
pub const MAX_LINE: usize = 998;

/// The same with CR and LF.
const MAX_WHOLE_LINE: usize = MAX_LINE + 2;

/// What was seen in a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// The header block holds octets above 127: only SMTPUTF8 carries them (RFC 6531 §3.2).
    pub eight_bit_header: bool,
    /// What follows the header block holds octets above 127: 8BITMIME is needed (RFC 6152).
    pub eight_bit_body: bool,
    /// There is a NUL, which neither 7bit nor 8bit data may hold.
    pub nul: bool,
    /// A line has more than [`MAX_LINE`] octets.
    pub long_line: bool,
}

impl Seen {
    /// Whether there is an octet above 127 anywhere.
    #[must_use]
    pub const fn eight_bit(self) -> bool {
        self.eight_bit_header || self.eight_bit_body
    }
}

/// Looks at one message: [`push`](Self::push) its octets, then ask for what was [`seen`](Self::seen).
///
/// The result does not depend on how the octets are divided. Nothing of the message is kept.
#[derive(Debug, Clone, Default)]
pub struct Look {
    seen: Seen,
    in_body: bool,
    /// Octets of the current line so far; what is beyond the longest line is not counted.
    line: usize,
    /// The last octet was a CR.
    after_cr: bool,
}

impl Look {
    /// Before the first octet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at a whole message at once.
    #[must_use]
    pub fn at(message: &[u8]) -> Seen {
        let mut look = Self::new();
        look.push(message);
        look.seen()
    }

    /// What the octets so far hold.
    #[must_use]
    pub const fn seen(&self) -> Seen {
        // A line that has not ended yet has at most a CR beyond what fits.
        let long_line = self.line > MAX_LINE + self.after_cr as usize;
        Seen {
            long_line: self.seen.long_line || long_line,
            ..self.seen
        }
    }

    /// Takes the next octets of the message.
    pub fn push(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !self.in_body && !rest.is_empty() {
            rest = self.header_line(rest);
        }
        if rest.is_empty() {
            return;
        }
        self.seen.eight_bit_body = self.seen.eight_bit_body || !rest.is_ascii();
        self.octets(rest);
    }

    /// Takes one line of the header block, or the beginning of one, and returns what follows it.
    fn header_line<'a>(&mut self, octets: &'a [u8]) -> &'a [u8] {
        let end = memchr(b'\n', octets).map(|at| at + 1);
        let (line, rest) = octets.split_at(end.unwrap_or(octets.len()));
        let before = self.line;
        self.seen.eight_bit_header = self.seen.eight_bit_header || !line.is_ascii();
        let empty = match line {
            b"\n" => before == 0 || (before == 1 && self.after_cr),
            b"\r\n" => before == 0,
            _ => false,
        };
        self.octets(line);
        self.in_body = empty;
        rest
    }

    /// What is the same in the header block and in the body.
    fn octets(&mut self, octets: &[u8]) {
        self.seen.nul = self.seen.nul || memchr(0, octets).is_some();
        let mut rest = octets;
        // The last line end within reach of the current line's first octet: all lines before it are short enough,
        // and the next line begins behind it. So most line ends are never searched for.
        while !self.seen.long_line {
            let reach = MAX_WHOLE_LINE.saturating_sub(self.line);
            let window = rest.get(..reach).unwrap_or(rest);
            match memrchr(b'\n', window) {
                Some(at) => {
                    let (before, after) = rest.split_at(at);
                    self.seen.long_line =
                        self.line + at + 1 == MAX_WHOLE_LINE && self.is_one_octet_too_long(before);
                    self.line = 0;
                    rest = after.strip_prefix(b"\n").unwrap_or(after);
                }
                None if window.len() < reach => {
                    self.line += window.len();
                    break;
                }
                None => self.seen.long_line = true,
            }
        }
        if self.seen.long_line {
            self.count_line(octets);
        }
        self.after_cr = octets.last() == Some(&b'\r');
    }

    /// Whether `before`, which with an LF just fits, is one line without the CR that has a place in it.
    fn is_one_octet_too_long(&self, before: &[u8]) -> bool {
        let ends_with_cr = before.last().map_or(self.after_cr, |&octet| octet == b'\r');
        !ends_with_cr && memrchr(b'\n', before).is_none()
    }

    /// After a long line only the header block still needs to know where a line begins.
    fn count_line(&mut self, octets: &[u8]) {
        if self.in_body {
            return;
        }
        self.line = match memrchr(b'\n', octets) {
            Some(at) => octets.len() - at - 1,
            None => (self.line + octets.len()).min(MAX_WHOLE_LINE),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slowly(message: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let mut in_body = false;
        for line in message.split_inclusive(|&octet| octet == b'\n') {
            let high = !line.is_ascii();
            if in_body {
                seen.eight_bit_body |= high;
            } else {
                seen.eight_bit_header |= high;
            }
            seen.nul |= line.contains(&0);
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            seen.long_line |= text.strip_suffix(b"\r").unwrap_or(text).len() > MAX_LINE;
            in_body |= matches!(line, b"\r\n" | b"\n");
        }
        seen
    }

    #[test]
    fn an_octet_above_127_is_told_apart_by_where_it_stands() {
        let header = Look::at("Subject: Zoë\r\n\r\nplain\r\n".as_bytes());
        assert!(header.eight_bit_header && !header.eight_bit_body && header.eight_bit());
        let body = Look::at("Subject: x\r\n\r\nZoë\r\n".as_bytes());
        assert!(!body.eight_bit_header && body.eight_bit_body);
        assert_eq!(Look::at(b"Subject: x\r\n\r\nplain\r\n"), Seen::default());
    }

    #[test]
    fn a_line_of_998_octets_is_allowed_and_one_more_is_not() {
        let message = |length: usize| format!("A: b\r\n\r\nx\r\n{}\r\ny\r\n", "z".repeat(length));
        assert!(!Look::at(message(998).as_bytes()).long_line);
        assert!(Look::at(message(999).as_bytes()).long_line);
        assert!(
            Look::at(
                message(998)
                    .replace("\r\n", "\n")
                    .replace("zzz\n", "zzzz\n")
                    .as_bytes()
            )
            .long_line
        );
        assert!(Look::at(&[b'x'; 5000]).long_line);
    }

    #[test]
    fn a_nul_is_seen() {
        assert!(Look::at(b"A: b\r\n\r\n\0").nul);
        assert!(Look::at(b"A: \0b\r\n").nul);
    }

    proptest! {
        #[test]
        fn the_large_steps_see_what_small_ones_see(
            pieces in proptest::collection::vec(
                prop_oneof![
                    4 => Just(b"\r\n".to_vec()),
                    2 => Just(b"\n".to_vec()),
                    1 => Just(b"\r".to_vec()),
                    1 => Just(b"\0".to_vec()),
                    1 => Just("ë".as_bytes().to_vec()),
                    4 => (990_usize..1003).prop_map(|n| vec![b'x'; n]),
                    2 => (0_usize..20).prop_map(|n| vec![b'y'; n]),
                ],
                0..20,
            ),
            cut in 1_usize..700,
        ) {
            let message = pieces.concat();
            let expected = slowly(&message);
            prop_assert_eq!(Look::at(&message), expected);
            let mut look = Look::new();
            message.chunks(cut).for_each(|piece| look.push(piece));
            prop_assert_eq!(look.seen(), expected);
            let mut single = Look::new();
            message.chunks(1).for_each(|piece| single.push(piece));
            prop_assert_eq!(single.seen(), expected);
        }
    }
}
