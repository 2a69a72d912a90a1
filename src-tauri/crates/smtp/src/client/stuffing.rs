//! A message on its way onto the wire: dots doubled, every line ended by CRLF, and an end that nothing inside can
//! look like.

use memchr::memchr2;

/// Turns the octets of a message, given in pieces of any size, into what DATA carries.
///
/// A CR or LF that stands alone becomes a CRLF before dots are looked at, so no hop, however it reads line ends, can
/// see the end of the message anywhere but at its end (RFC 5321 §2.3.8, §4.1.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuffing {
    /// The next octet begins a line.
    line_start: bool,
    /// The last octet was a CR, of which only the line end was written so far.
    after_cr: bool,
}

impl Default for Stuffing {
    fn default() -> Stuffing {
        Stuffing {
            line_start: true,
            after_cr: false,
        }
    }
}

impl Stuffing {
    /// Appends the next piece of the message to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            // RFC 5321 §4.5.2
            if self.line_start && first == b'.' {
                out.push(b'.');
            }
            let Some(at) = memchr2(b'\r', b'\n', rest) else {
                out.extend_from_slice(rest);
                self.line_start = false;
                return;
            };
            out.extend_from_slice(rest.get(..at).unwrap_or_default());
            out.extend_from_slice(b"\r\n");
            self.line_start = true;
            self.after_cr = rest.get(at) == Some(&b'\r');
            rest = rest.get(at + 1..).unwrap_or_default();
        }
    }

    /// Appends the end: a CRLF if the last line lacks one, and the dot.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.line_start {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        *self = Stuffing::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Content, Framing};
    use proptest::prelude::*;

    fn stuffed(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut stuffing, mut out) = (Stuffing::default(), Vec::new());
        for piece in pieces {
            stuffing.push(piece, &mut out);
        }
        stuffing.finish(&mut out);
        out
    }

    #[test]
    fn dots_are_doubled_and_lines_end_with_crlf() {
        for (message, wire) in [
            ("", ".\r\n"),
            (".", "..\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a\r\n.\r\n..b", "a\r\n..\r\n...b\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb\r", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n"),
            ("a\n\r\n", "a\r\n\r\n.\r\n"),
        ] {
            assert_eq!(
                String::from_utf8(stuffed(&[message.as_bytes()])).unwrap(),
                wire,
                "{message:?}"
            );
        }
    }

    /// What the message means once each of CRLF, CR and LF is a line end.
    fn meaning(message: &str) -> String {
        let mut text = message
            .replace("\r\n", "\n")
            .replace('\r', "\n")
            .replace('\n', "\r\n");
        if !text.is_empty() && !text.ends_with("\r\n") {
            text.push_str("\r\n");
        }
        text
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_server_reads_what_was_meant_and_ends_where_the_message_ends(
            message in "[\r\n.\r\n.aé]{0,40}",
            cuts in prop::collection::vec(0usize..60, 0..5),
        ) {
            let data = message.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(data.len())).collect();
            cuts.extend([0, data.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &data[w[0]..w[1]]).collect();
            let wire = stuffed(&pieces);
            let mut content = Content::new(Framing::Dotted, 1 << 20);
            let mut out = Vec::new();
            let taken = content.push(&wire, &mut out);
            prop_assert!(taken.ended && taken.used == wire.len());
            prop_assert!(!content.has_bare_line_end());
            prop_assert_eq!(String::from_utf8(out).unwrap(), meaning(&message));
        }
    }
}
