//! A reply of the server: a code, an enhanced status code that cannot contradict it, and text.

use serde::{Deserialize, Serialize};

/// Longest reply line in octets with its CRLF (RFC 5321 §4.5.3.1.5).
const MAX_LINE: usize = 512;

/// One reply, of one or more lines.
///
/// The class of the enhanced code (RFC 3463 §2) is not stored: it is the first digit of the reply code, so a
/// temporary refusal with a permanent status cannot be built, read from the journal or sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reply {
    code: u16,
    enhanced: Option<(u16, u16)>,
    lines: Vec<String>,
    #[serde(default)]
    utf8: bool,
}

impl Reply {
    /// A reply with an enhanced status code, given as subject and detail: `Reply::new(550, (1, 1), "no such user")` is
    /// `550 5.1.1 no such user`. Replies of the 300s have none (RFC 2034 §4), so there the pair is dropped.
    pub fn new(code: u16, enhanced: (u16, u16), text: impl Into<String>) -> Reply {
        let enhanced = matches!(code / 100, 2 | 4 | 5).then_some(enhanced);
        Reply {
            code,
            enhanced,
            lines: vec![text.into()],
            utf8: false,
        }
    }

    /// A reply without an enhanced status code: greeting, EHLO, 334, 354.
    pub fn plain(code: u16, text: impl Into<String>) -> Reply {
        Reply {
            code,
            enhanced: None,
            lines: vec![text.into()],
            utf8: false,
        }
    }

    /// The same reply with one more line.
    #[must_use]
    pub fn and_line(mut self, text: impl Into<String>) -> Reply {
        self.lines.push(text.into());
        self
    }

    /// The same reply; when `allowed`, its text may leave as UTF-8, because the client said SMTPUTF8
    /// (RFC 6531 §3.7.4.1).
    #[must_use]
    pub fn with_utf8(mut self, allowed: bool) -> Reply {
        self.utf8 = allowed;
        self
    }

    /// The same reply with ` [TOKEN]` at the end of its last line, by which the journal finds it again.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Reply {
        match self.lines.last_mut() {
            Some(last) => last.push_str(&format!(" [{token}]")),
            None => self.lines.push(format!("[{token}]")),
        }
        self
    }

    /// The three-digit code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code with its class, for example `(5, 1, 1)`.
    pub fn enhanced(&self) -> Option<(u16, u16, u16)> {
        self.enhanced
            .map(|(subject, detail)| (self.code / 100, subject, detail))
    }

    /// The text of each line, without codes.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Whether the command was carried out (2xx) or waits for more (3xx).
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Whether the command was refused, for now (4xx) or for good (5xx).
    pub fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// Whether a later try may succeed (4xx).
    pub fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }

    /// The bytes for the wire. A text that is too long for one line continues on the next; characters that could end
    /// a line become spaces, and non-ASCII becomes `?` unless [`Reply::with_utf8`] allows it.
    pub fn to_wire(&self) -> Vec<u8> {
        // Only 200 to 599 are replies (RFC 5321 §4.2); anything else is a slip in our tables, and a client must not
        // take it for success.
        let code = if (200..600).contains(&self.code) {
            self.code
        } else {
            554
        };
        let status = match self.enhanced {
            // RFC 2034 §4: every line of a reply carries the same status code.
            Some((subject, detail)) => format!("{}.{subject}.{detail} ", code / 100),
            None => String::new(),
        };
        let room = MAX_LINE.saturating_sub("550-\r\n".len() + status.len());
        let mut lines: Vec<String> = self
            .lines
            .iter()
            .flat_map(|line| wrap(&clean(line, self.utf8), room))
            .collect();
        let last = lines.pop().unwrap_or_default();
        let mut wire = Vec::with_capacity((lines.len() + 1) * 64);
        for line in &lines {
            wire.extend_from_slice(format!("{code}-{status}{line}\r\n").as_bytes());
        }
        wire.extend_from_slice(format!("{code} {status}{last}\r\n").as_bytes());
        wire
    }
}

impl std::fmt::Display for Reply {
    /// One line for people: `550 5.1.1 first line / second line`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced() {
            write!(f, "{class}.{subject}.{detail} ")?;
        }
        f.write_str(&clean(&self.lines.join(" / "), true))
    }
}

fn clean(text: &str, utf8: bool) -> String {
    // RFC 5321 §4.2 textstring: tab and printable characters.
    let replaced = |c: char| match c {
        _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
        _ if !c.is_ascii() && !utf8 => '?',
        _ => c,
    };
    text.chars().map(replaced).collect()
}

/// Cuts a text into pieces of at most `room` octets, at spaces where there are any.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > room {
        let end = (1..=room)
            .rev()
            .find(|at| rest.is_char_boundary(*at))
            .unwrap_or(rest.len());
        let cut = rest
            .get(..end)
            .and_then(|piece| piece.rfind(' '))
            .filter(|at| *at > 0)
            .unwrap_or(end);
        let (piece, tail) = rest.split_at_checked(cut).unwrap_or((rest, ""));
        pieces.push(piece.to_owned());
        rest = tail.trim_start_matches(' ');
    }
    pieces.push(rest.to_owned());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        String::from_utf8(reply.to_wire()).unwrap()
    }

    #[test]
    fn the_class_of_the_enhanced_code_follows_the_reply_code() {
        assert_eq!(
            wire(&Reply::new(550, (1, 1), "no such user here")),
            "550 5.1.1 no such user here\r\n"
        );
        assert_eq!(
            wire(&Reply::new(450, (7, 1), "later")),
            "450 4.7.1 later\r\n"
        );
        assert_eq!(wire(&Reply::new(354, (0, 0), "go on")), "354 go on\r\n");
        assert_eq!(Reply::new(452, (5, 3), "x").enhanced(), Some((4, 5, 3)));
    }

    #[test]
    fn every_line_of_a_reply_carries_both_codes() {
        let reply = Reply::new(214, (0, 0), "one")
            .and_line("two")
            .with_token("K7QF2M");
        assert_eq!(wire(&reply), "214-2.0.0 one\r\n214 2.0.0 two [K7QF2M]\r\n");
        assert!(reply.is_positive() && !reply.is_refusal() && !reply.is_temporary());
        assert_eq!(reply.to_string(), "214 2.0.0 one / two [K7QF2M]");
    }

    #[test]
    fn a_text_cannot_end_the_line() {
        let reply = Reply::new(550, (7, 1), "a\r\n250 ok\0\u{85}\u{2028}b\tc");
        assert_eq!(wire(&reply), "550 5.7.1 a  250 ok   b c\r\n");
    }

    #[test]
    fn non_ascii_leaves_only_when_the_client_said_smtputf8() {
        let reply = Reply::new(550, (1, 1), "<müller@büro.example>");
        assert_eq!(wire(&reply), "550 5.1.1 <m?ller@b?ro.example>\r\n");
        assert_eq!(
            wire(&reply.with_utf8(true)),
            "550 5.1.1 <müller@büro.example>\r\n"
        );
    }

    #[test]
    fn a_long_text_continues_on_the_next_line_and_keeps_its_token() {
        for text in ["word ".repeat(300), "x".repeat(2000), "ü".repeat(900)] {
            let sent = wire(
                &Reply::new(550, (7, 1), text)
                    .with_utf8(true)
                    .with_token("K7QF2M"),
            );
            assert!(sent.ends_with("[K7QF2M]\r\n"));
            let lines: Vec<&str> = sent.split_inclusive("\r\n").collect();
            assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= 512));
            assert!(
                lines
                    .iter()
                    .rev()
                    .skip(1)
                    .all(|line| line.starts_with("550-5.7.1 "))
            );
        }
    }

    #[test]
    fn a_code_that_is_no_reply_leaves_as_a_refusal() {
        assert_eq!(wire(&Reply::plain(0, "x")), "554 x\r\n");
    }
}
