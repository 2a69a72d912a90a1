//! Cuts a stream of octets into line content and line ends, however it arrives.

use memchr::memchr;

/// A piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Some octets of the current line.
    Content(&'a [u8]),
    /// The line ended, with these octets.
    End(&'static [u8]),
}

/// Keeps back a CR until the next octet tells whether it ends a line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held_cr: bool,
}

impl Lines {
    /// The next piece of `input`, which is moved on behind it; `None` when more input is needed.
    ///
    /// CRLF ends a line. So does a bare LF, for files that come from disk; over SMTP it cannot arrive here, the
    /// session refuses it. A bare CR is content.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Piece<'a>> {
        loop {
            let (&first, rest) = input.split_first()?;
            if first == b'\n' {
                *input = rest;
                let held = std::mem::take(&mut self.held_cr);
                return Some(Piece::End(if held { b"\r\n" } else { b"\n" }));
            }
            if std::mem::take(&mut self.held_cr) {
                return Some(Piece::Content(b"\r"));
            }
            let (run, rest) = input.split_at(memchr(b'\n', input).unwrap_or(input.len()));
            *input = rest;
            let content = run.strip_suffix(b"\r");
            self.held_cr = content.is_some();
            let content = content.unwrap_or(run);
            if !content.is_empty() {
                return Some(Piece::Content(content));
            }
        }
    }

    /// The CR that ended the stream, if one did.
    pub(super) fn finish(&mut self) -> Option<Piece<'static>> {
        std::mem::take(&mut self.held_cr).then_some(Piece::Content(b"\r"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        let mut note = |piece: Piece<'_>| match piece {
            Piece::Content(octets) => seen.push(String::from_utf8_lossy(octets).into_owned()),
            Piece::End(octets) => seen.push(format!("<{}>", octets.len())),
        };
        for chunk in chunks {
            let mut input = *chunk;
            while let Some(piece) = lines.next(&mut input) {
                note(piece);
            }
        }
        if let Some(piece) = lines.finish() {
            note(piece);
        }
        seen
    }

    #[test]
    fn both_line_ends_are_known_and_a_bare_cr_is_content() {
        assert_eq!(
            pieces(&[b"a\r\nb\n\r\nc\rd"]),
            ["a", "<2>", "b", "<1>", "<2>", "c\rd"]
        );
    }

    #[test]
    fn a_line_end_split_between_two_reads_is_one_line_end() {
        assert_eq!(pieces(&[b"a\r", b"\nb"]), ["a", "<2>", "b"]);
    }

    #[test]
    fn a_held_cr_is_given_back_when_no_lf_follows() {
        assert_eq!(
            pieces(&[b"a\r", b"\r", b"b\r"]),
            ["a", "\r", "\r", "b", "\r"]
        );
    }
}
