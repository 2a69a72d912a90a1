//! Messages of an exact size, built from few words.

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BOUNDARY: &str = "=_scenario";
/// Octets of a base64 line before encoding; 76 characters after it (RFC 2045 §6.8).
const BASE64_LINE: usize = 57;
/// Octets of a line of the filling, CRLF included; RFC 5321 §4.5.3.1.6 allows 1000.
const FILL_LINE: usize = 1000;

/// What a message is to be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Lines as written, `Received` fields among them.
    pub lines: Vec<String>,
    /// File names and decoded sizes.
    pub attachments: Vec<(String, usize)>,
    /// Size of the whole.
    pub fill: Option<usize>,
}

impl Message {
    /// Adds `count` fields as servers put them in.
    pub fn add_received(&mut self, count: usize) {
        for hop in 1..=count {
            self.lines.push(format!(
                "Received: from hop{hop}.example by hop{}.example; Mon, 5 Jan 2026 10:00:00 +0000",
                hop + 1
            ));
        }
    }

    /// The octets of the message, without dot-stuffing.
    ///
    /// # Errors
    /// It is larger than it should be filled to, or one octet short, which no line can be.
    pub fn octets(&self) -> Result<Vec<u8>> {
        let mut text = self.text();
        let Some(size) = self.fill else {
            return Ok(text.into_bytes());
        };
        // The closing boundary stands behind the filling.
        let tail = self.tail();
        ensure!(
            text.len() + tail.len() + 2 <= size || text.len() + tail.len() == size,
            "the message has {} octets without filling",
            text.len() + tail.len()
        );
        let mut missing = size - text.len() - tail.len();
        text.reserve(missing);
        while missing > 0 {
            // What is left over must be long enough for a line of its own.
            let line = if missing <= FILL_LINE {
                missing
            } else {
                FILL_LINE.min(missing - 3)
            };
            push_line(&mut text, line);
            missing -= line;
        }
        text.push_str(&tail);
        Ok(text.into_bytes())
    }

    fn text(&self) -> String {
        if self.attachments.is_empty() {
            return join(&self.lines);
        }
        let end = self
            .lines
            .iter()
            .position(String::is_empty)
            .unwrap_or(self.lines.len());
        let (head, body) = self.lines.split_at(end);
        let mut text = join(head);
        text.push_str(&format!(
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\r\n\r\n"
        ));
        text.push_str(&format!("--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\n"));
        text.push_str(&join(body.get(1..).unwrap_or_default()));
        for (name, size) in &self.attachments {
            text.push_str(&attachment(name, *size));
        }
        if self.fill.is_some() {
            text.push_str(&format!("--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\n"));
        } else {
            text.push_str(&self.tail());
        }
        text
    }

    fn tail(&self) -> String {
        if self.attachments.is_empty() {
            String::new()
        } else {
            format!("--{BOUNDARY}--\r\n")
        }
    }
}

/// For the wire: dots at the beginning of lines doubled, and the final dot (RFC 5321 §4.5.2).
#[must_use]
pub fn dot_stuffed(octets: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(octets.len() + octets.len() / 100 + 8);
    let mut at_start = true;
    for &octet in octets {
        if at_start && octet == b'.' {
            wire.push(b'.');
        }
        wire.push(octet);
        at_start = octet == b'\n';
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

/// A line of so many octets, at least two. It begins with a dot, so that dot-stuffing has something to do.
fn push_line(text: &mut String, octets: usize) {
    if octets > 2 {
        text.push('.');
        text.extend(std::iter::repeat_n('x', octets - 3));
    }
    text.push_str("\r\n");
}

fn join(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

fn attachment(name: &str, size: usize) -> String {
    let octets: Vec<u8> = (0..size)
        .map(|at| u8::try_from(at % 251).unwrap_or_default())
        .collect();
    let mut text = format!(
        "--{BOUNDARY}\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    );
    for line in octets.chunks(BASE64_LINE) {
        text.push_str(&STANDARD.encode(line));
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fill: usize) -> Message {
        Message {
            lines: vec!["Subject: x".into(), String::new()],
            fill: Some(fill),
            ..Message::default()
        }
    }

    #[test]
    fn a_message_is_filled_to_the_octet() {
        for size in [
            14, 16, 17, 1000, 1013, 1014, 1015, 1016, 2014, 5000, 1_048_577,
        ] {
            assert_eq!(message(size).octets().unwrap().len(), size);
            let mut with_part = message(size + 10_000);
            with_part.attachments.push(("a.bin".into(), 3000));
            assert_eq!(with_part.octets().unwrap().len(), size + 10_000);
        }
        assert!(message(15).octets().is_err());
        assert!(message(5).octets().is_err());
    }

    #[test]
    fn dots_at_the_beginning_of_lines_are_doubled_and_the_end_is_marked() {
        assert_eq!(dot_stuffed(b"a\r\n.b\r\n"), b"a\r\n..b\r\n.\r\n");
    }
}
