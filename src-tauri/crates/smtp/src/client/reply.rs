//! The replies of a server, read from a stream of octets with bounds on everything.

use crate::reply::Reply;

/// Longest reply line in octets without its line end. RFC 5321 §4.5.3.1.5 allows 512; servers exceed it.
const MAX_LINE: usize = 2048;
/// Most lines of one reply.
const MAX_LINES: usize = 100;
/// Most octets of one reply.
const MAX_REPLY: usize = 8 * 1024;

/// Why what came is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Garbage {
    #[error("a line of its reply is longer than 2048 characters")]
    LongLine,
    #[error("its reply has too many lines")]
    LongReply,
    #[error("what it sent is not an SMTP reply")]
    NoReply,
    #[error("the lines of its reply have different codes")]
    Codes,
}

/// Collects octets until a reply is complete.
#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: Vec<u8>,
    /// The lines of the reply so far, behind the code.
    lines: Vec<String>,
    code: Option<u16>,
    octets: usize,
}

impl Replies {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Whether nothing has come that was not yet read as a reply.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.code.is_none()
    }

    /// Drops everything, because it was sent before TLS or is of no interest any more.
    pub(super) fn clear(&mut self) {
        *self = Replies::default();
    }

    /// The next complete reply, if there is one. After an error nothing more can be read.
    pub(super) fn next(&mut self) -> Option<Result<Reply, Garbage>> {
        loop {
            let Some(end) = memchr::memchr(b'\n', &self.waiting) else {
                return (self.waiting.len() > MAX_LINE).then_some(Err(Garbage::LongLine));
            };
            let line: Vec<u8> = self.waiting.drain(..=end).collect();
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            // A server that ends its lines with LF alone is understood; nothing can be smuggled in by a reply.
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match self.line(line) {
                Ok(None) => {}
                Ok(Some(reply)) => return Some(Ok(reply)),
                Err(garbage) => return Some(Err(garbage)),
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, Garbage> {
        if line.len() > MAX_LINE {
            return Err(Garbage::LongLine);
        }
        let (code, more, text) = split(line).ok_or(Garbage::NoReply)?;
        if *self.code.get_or_insert(code) != code {
            return Err(Garbage::Codes);
        }
        self.octets += line.len();
        if self.lines.len() == MAX_LINES || self.octets > MAX_REPLY {
            return Err(Garbage::LongReply);
        }
        self.lines.push(String::from_utf8_lossy(text).into_owned());
        if more {
            return Ok(None);
        }
        let lines = std::mem::take(&mut self.lines);
        (self.code, self.octets) = (None, 0);
        Ok(Some(build(code, lines)))
    }
}

/// RFC 5321 §4.2: three digits of which the first is 2 to 5, then a hyphen, a space, or nothing.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_first_chunk::<3>()?;
    if !matches!(digits, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']) {
        return None;
    }
    let code = digits
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Some((code, false, rest)),
        Some((b' ', text)) => Some((code, false, text)),
        Some((b'-', text)) => Some((code, true, text)),
        Some(_) => None,
    }
}

/// Takes the enhanced status code out of the text (RFC 2034 §4), if all lines that have one agree with the first.
fn build(code: u16, lines: Vec<String>) -> Reply {
    let enhanced = lines.first().and_then(|line| enhanced(code, line));
    let Some((pair, mark)) = enhanced else {
        let mut lines = lines.into_iter();
        let first = Reply::plain(code, lines.next().unwrap_or_default());
        return lines.fold(first, Reply::and_line);
    };
    let mut lines = lines
        .into_iter()
        .map(|line| match line.strip_prefix(mark.as_str()) {
            Some("") => String::new(),
            Some(rest) => rest.strip_prefix(' ').unwrap_or(&line).to_owned(),
            None => line,
        });
    let first = Reply::new(code, pair, lines.next().unwrap_or_default());
    lines.fold(first, Reply::and_line)
}

/// `class.subject.detail` in front of the text; a class that contradicts the code makes it ordinary text.
fn enhanced(code: u16, text: &str) -> Option<((u16, u16), String)> {
    let word = text.split(' ').next()?;
    let mut numbers = word.split('.').map(|number| {
        let digits = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| number.parse::<u16>().ok()).flatten()
    });
    let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() || class != code / 100 || !matches!(class, 2 | 4 | 5) {
        return None;
    }
    Some(((subject, detail), word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Result<String, Garbage>> {
        let mut replies = Replies::default();
        replies.push(text.as_bytes());
        let reply = replies.next()?;
        Some(reply.map(|reply| format!("{reply} {:?}", reply.enhanced())))
    }

    #[test]
    fn a_reply_has_a_code_perhaps_an_enhanced_code_and_lines() {
        for (text, meaning) in [
            ("250 ok\r\n", "250 ok None"),
            ("250 ok\n", "250 ok None"),
            ("250\r\n", "250  None"),
            ("250 2.1.0 Ok\r\n", "250 2.1.0 Ok Some((2, 1, 0))"),
            (
                "550-5.1.1 no\r\n550-5.1.1\r\n550 5.1.1 user\r\n",
                "550 5.1.1 no /  / user Some((5, 1, 1))",
            ),
            ("550 4.1.1 no\r\n", "550 4.1.1 no None"),
            ("250-a\r\n250-\r\n250 b\r\n", "250 a /  / b None"),
            ("354 3.0.0 go\r\n", "354 3.0.0 go None"),
            ("250 2.0.0.1 x\r\n", "250 2.0.0.1 x None"),
            ("550 5.1.1\0\u{7f}\r\n", "550 5.1.1   None"),
        ] {
            assert_eq!(read(text), Some(Ok(meaning.to_owned())), "{text:?}");
        }
        assert_eq!(read("250-a\r\n250 b"), None);
    }

    #[test]
    fn what_is_no_reply_is_an_error_and_so_is_too_much() {
        let long = format!("250 {}\r\n", "x".repeat(2045));
        let endless = "x".repeat(2049);
        let many = format!("{}250 x\r\n", "250-x\r\n".repeat(100));
        let large = format!(
            "{}250 x\r\n",
            format!("250-{}\r\n", "x".repeat(1000)).repeat(9)
        );
        for (text, garbage) in [
            ("HTTP/1.1 400 Bad Request\r\n", Garbage::NoReply),
            ("\r\n", Garbage::NoReply),
            ("25\r\n", Garbage::NoReply),
            ("150 x\r\n", Garbage::NoReply),
            ("650 x\r\n", Garbage::NoReply),
            ("250_x\r\n", Garbage::NoReply),
            ("2500\r\n", Garbage::NoReply),
            ("250-x\r\n251 x\r\n", Garbage::Codes),
            ("250-x\r\n550 x\r\n", Garbage::Codes),
            (&long, Garbage::LongLine),
            (&endless, Garbage::LongLine),
            (&many, Garbage::LongReply),
            (&large, Garbage::LongReply),
        ] {
            assert_eq!(read(text), Some(Err(garbage)), "{text:.40}");
        }
    }

    #[test]
    fn replies_come_one_after_the_other_however_they_are_cut() {
        let text = b"250-a\r\n250 b\r\n354 go\r\n421 bye\r\n";
        let mut replies = Replies::default();
        let mut codes = Vec::new();
        for byte in text {
            replies.push(&[*byte]);
            codes.extend(replies.next().map(|reply| reply.unwrap().code()));
        }
        assert_eq!(codes, [250, 354, 421]);
        assert!(replies.is_empty());
    }
}
