//! The framing of message content: where it ends, and which of its octets are the message.
//!
//! A line ends with CRLF and with nothing else. A CR or LF that stands alone makes the message unacceptable: it is
//! refused, not repaired. A sender that takes a bare LF for a line end and a server that does not, or the other way
//! round, disagree on where a message ends, and whoever writes the message can use that to smuggle a second one in.
//! Repairing would only move the disagreement to the next hop and break signatures on the way.

use memchr::memchr2;

/// How the end of the content is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// DATA: a line with a single dot ends it, and other lines have a leading dot removed (RFC 5321 §4.5.2).
    Dotted,
    /// BDAT: octets are counted by the caller (RFC 3030 §2).
    Counted,
}

/// What the last octets were. Octets named here are not yet handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    Line,
    /// A CR.
    Cr,
    /// A dot at the start of a line.
    Dot,
    /// A dot at the start of a line, and a CR.
    DotCr,
}

/// Reads the content of one message, in pieces of any size.
#[derive(Debug)]
pub(crate) struct Content {
    framing: Framing,
    at: At,
    size: u64,
    limit: u64,
    bare: bool,
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Octets used up.
    pub used: usize,
    /// The dot that ends the message was among them.
    pub ended: bool,
}

impl Content {
    /// `limit` is the number of octets after which nothing more is handed out.
    pub(crate) fn new(framing: Framing, limit: u64) -> Content {
        Content {
            framing,
            at: At::LineStart,
            size: 0,
            limit,
            bare: false,
        }
    }

    /// Octets of the message so far, also those beyond the limit.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether the message has more octets than the limit.
    pub(crate) fn is_oversize(&self) -> bool {
        self.size > self.limit
    }

    /// Whether octets that come now can still be handed out.
    pub(crate) fn hands_out(&self) -> bool {
        !self.bare && self.size < self.limit
    }

    /// Whether a CR or LF stood alone.
    pub(crate) fn has_bare_line_end(&self) -> bool {
        self.bare
    }

    /// Ends counted content: a CR that nothing can follow any more stands alone.
    pub(crate) fn finish(&mut self) {
        self.bare |= self.at == At::Cr;
    }

    /// Takes a piece and appends what belongs to the message to `out`: everything before the first bare CR or LF, at
    /// most `limit` octets. Runs of whole lines are copied at once.
    pub(crate) fn push(&mut self, data: &[u8], out: &mut Vec<u8>) -> Taken {
        // Octets from `run` to `pos` belong to the message and are not handed out yet.
        let (mut run, mut pos) = (0, 0);
        while let Some(&byte) = data.get(pos) {
            match (self.at, byte) {
                (At::LineStart, b'.') if self.framing == Framing::Dotted => {
                    self.keep(data, run, pos, out);
                    pos += 1;
                    run = pos;
                    self.at = At::Dot;
                }
                (At::LineStart | At::Line, _) => {
                    self.at = At::Line;
                    let rest = data.get(pos..).unwrap_or_default();
                    let Some(found) = memchr2(b'\r', b'\n', rest) else {
                        pos = data.len();
                        break;
                    };
                    pos += found;
                    match rest.get(found..found + 2) {
                        Some(b"\r\n") => {
                            pos += 2;
                            self.at = At::LineStart;
                        }
                        _ => {
                            self.keep(data, run, pos, out);
                            self.line_end(data.get(pos).copied());
                            pos += 1;
                            run = pos;
                        }
                    }
                }
                (At::Cr, b'\n') => {
                    self.keep(b"\r\n", 0, 2, out);
                    pos += 1;
                    run = pos;
                    self.at = At::LineStart;
                }
                (At::Dot, b'\r') => {
                    pos += 1;
                    run = pos;
                    self.at = At::DotCr;
                }
                (At::Dot, _) => self.at = At::Line,
                (At::DotCr, b'\n') => {
                    return Taken {
                        used: pos + 1,
                        ended: true,
                    };
                }
                // A CR before anything but LF, also before another CR, which may yet belong to a CRLF.
                (At::Cr | At::DotCr, _) => {
                    self.bare = true;
                    self.at = At::Line;
                    run = pos;
                }
            }
        }
        self.keep(data, run, pos, out);
        Taken {
            used: data.len(),
            ended: false,
        }
    }

    /// A CR whose next octet is not here yet, or is not LF; or an LF without its CR.
    fn line_end(&mut self, byte: Option<u8>) {
        if byte == Some(b'\r') {
            self.at = At::Cr;
        } else {
            self.bare = true;
        }
    }

    fn keep(&mut self, data: &[u8], from: usize, to: usize, out: &mut Vec<u8>) {
        let piece = data.get(from..to).unwrap_or_default();
        if !self.bare {
            let room = self.limit.saturating_sub(self.size);
            let end = usize::try_from(room).unwrap_or(usize::MAX).min(piece.len());
            out.extend_from_slice(piece.get(..end).unwrap_or_default());
        }
        self.size = self.size.saturating_add(piece.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Content, whether a bare line end was seen, and what is left after the end; none when there is no end.
    fn read(pieces: &[&[u8]]) -> Option<(Vec<u8>, bool, Vec<u8>)> {
        let mut content = Content::new(Framing::Dotted, 1 << 20);
        let mut out = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let taken = content.push(piece, &mut out);
            if taken.ended {
                let rest = [&piece[taken.used..], &pieces[index + 1..].concat()].concat();
                assert!(content.bare || content.size == out.len() as u64);
                return Some((out, content.bare, rest));
            }
        }
        None
    }

    fn whole(data: &[u8]) -> Option<(Vec<u8>, bool, Vec<u8>)> {
        read(&[data])
    }

    #[test]
    fn a_leading_dot_is_removed_and_a_lone_dot_ends() {
        assert_eq!(whole(b".\r\n"), Some((b"".to_vec(), false, b"".to_vec())));
        assert_eq!(
            whole(b"a\r\n..\r\n...b\r\n.c\r\n\r\n.\r\nNOOP"),
            Some((
                b"a\r\n.\r\n..b\r\nc\r\n\r\n".to_vec(),
                false,
                b"NOOP".to_vec()
            ))
        );
        assert_eq!(whole(b"a\r\n"), None);
    }

    #[test]
    fn nothing_but_crlf_dot_crlf_ends() {
        for before in [
            "\r\n", "\n", "\r", "\r\r\n", "\r\n\0", "\n\0", "\n\r", "\r\n ", "\u{85}", "\u{2028}",
            "\u{b}",
        ] {
            for after in [
                "\r\n", "\n", "\r", "\r\r\n", "\0\r\n", " \r\n", "\n\r", "\r\0\n", "\u{85}",
            ] {
                let text = format!("first{before}.{after}MAIL FROM:<x@evil.example>\r\n");
                if text.contains("\r\n.\r\n") {
                    continue;
                }
                let (content, bare, rest) =
                    whole(format!("{text}\r\n.\r\nNOOP\r\n").as_bytes()).unwrap();
                assert_eq!(rest, b"NOOP\r\n", "{before:?} {after:?}");
                assert!(
                    bare || content.windows(8).any(|w| w == b"MAIL FRO"),
                    "{before:?} {after:?}"
                );
            }
        }
    }

    #[test]
    fn a_bare_line_end_is_seen_and_nothing_after_it_is_handed_out() {
        for data in [
            "a\nb\r\n.\r\n",
            "a\rb\r\n.\r\n",
            "a\r\r\n.\r\n",
            "a\n.\r\n\r\n.\r\n",
            "a\r\n.\rb\r\n.\r\n",
            "a\r\n.\nb\r\n.\r\n",
            "a\r\n.\r\r\n.\r\n",
        ] {
            let (content, bare, rest) = whole(data.as_bytes()).unwrap();
            assert!(
                bare && rest.is_empty() && (content == b"a" || content == b"a\r\n"),
                "{data:?} {content:?}"
            );
        }
    }

    #[test]
    fn beyond_the_limit_octets_are_counted_and_not_handed_out() {
        let mut content = Content::new(Framing::Dotted, 5);
        let mut out = Vec::new();
        assert!(content.push(b"abc\r\ndefg\r\n.\r\n", &mut out).ended);
        assert_eq!(
            (out.as_slice(), content.size(), content.is_oversize()),
            (&b"abc\r\n"[..], 11, true)
        );
        let mut exact = Content::new(Framing::Dotted, 5);
        assert!(exact.push(b"abc\r\n.\r\n", &mut out).ended && !exact.is_oversize());
    }

    #[test]
    fn counted_content_has_no_dots_and_may_not_end_in_the_middle_of_a_crlf() {
        let mut content = Content::new(Framing::Counted, 100);
        let mut out = Vec::new();
        assert_eq!(
            content.push(b"a\r\n.\r\n..\r", &mut out),
            Taken {
                used: 9,
                ended: false
            }
        );
        assert_eq!(
            content.push(b"\nb\r", &mut out),
            Taken {
                used: 3,
                ended: false
            }
        );
        assert_eq!(
            (out.as_slice(), content.has_bare_line_end()),
            (&b"a\r\n.\r\n..\r\nb"[..], false)
        );
        content.finish();
        assert!(content.has_bare_line_end());
    }

    /// The definition, octet by octet, to compare the fast reader with.
    fn reference(data: &[u8]) -> Option<(Vec<u8>, bool, Vec<u8>)> {
        let framed = [b"\r\n", data].concat();
        let end = framed.windows(5).position(|w| w == b"\r\n.\r\n")?;
        let lines = &framed[2..end + 2];
        let alone = |i: usize| match lines[i] {
            b'\n' => i == 0 || lines[i - 1] != b'\r',
            b'\r' => lines.get(i + 1) != Some(&b'\n'),
            _ => false,
        };
        let bare = (0..lines.len()).find(|i| alone(*i));
        let kept = &lines[..bare.unwrap_or(lines.len())];
        let mut content = Vec::new();
        for (i, byte) in kept.iter().enumerate() {
            if !(*byte == b'.'
                && (i == 0 || (kept[i - 1] == b'\n' && i >= 2 && kept[i - 2] == b'\r')))
            {
                content.push(*byte);
            }
        }
        Some((content, bare.is_some(), framed[end + 5..].to_vec()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn any_split_reads_the_same_as_the_definition(data in "[\r\n.\r\n.ab]{0,30}(\r\n\\.\r\n)?x?", cuts in prop::collection::vec(0usize..40, 0..5)) {
            let data = data.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(data.len())).collect();
            cuts.extend([0, data.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &data[w[0]..w[1]]).collect();
            prop_assert_eq!(read(&pieces), reference(data));
        }
    }
}
