//! The two transfer encodings (RFC 2045 §§6.7, 6.8), written.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

/// Longest line of either encoding, without its CRLF.
const LINE: usize = 76;
/// Octets in one full line of base64.
const BASE64_OCTETS: usize = LINE / 4 * 3;

const HEXADECIMAL: &[u8; 16] = b"0123456789ABCDEF";

/// Writes lines of base64, without a line end after the last.
pub(super) fn base64(octets: &[u8], out: &mut Vec<u8>) {
    let mut line = String::with_capacity(LINE);
    for (index, chunk) in octets.chunks(BASE64_OCTETS).enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\r\n");
        }
        line.clear();
        STANDARD.encode_string(chunk, &mut line);
        out.extend_from_slice(line.as_bytes());
    }
}

/// Writes text as quoted-printable. CRLF stays a line end; everything else comes out as the same octets.
pub(super) fn quoted_printable(octets: &[u8], out: &mut Vec<u8>) {
    let mut rest = octets;
    while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
        let (line, after) = rest.split_at(end);
        text_line(line, out);
        out.extend_from_slice(b"\r\n");
        rest = after.strip_prefix(b"\r\n").unwrap_or(after);
    }
    text_line(rest, out);
}

/// One line of text, broken softly where it is too long.
fn text_line(line: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for (index, &octet) in line.iter().enumerate() {
        let last = index + 1 == line.len();
        let from_here = || line.get(index..).unwrap_or_default();
        let plain = match octet {
            // Rule 3: white space at the end of a line would not survive.
            b' ' | b'\t' => !last,
            // `From ` would be changed by what writes mailbox files, a lone dot by a careless client.
            b'F' if column == 0 || column >= LINE - 1 => !from_here().starts_with(b"From "),
            b'.' if column == 0 => !last,
            b'=' => false,
            _ => octet.is_ascii_graphic(),
        };
        let width = if plain { 1 } else { 3 };
        // Rule 5: a soft line break takes a place of its own, unless the line ends here anyway.
        if column + width > LINE - usize::from(!last) {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(octet);
        } else {
            out.extend_from_slice(&escape(octet));
        }
        column += width;
    }
}

fn escape(octet: u8) -> [u8; 3] {
    let digit = |value: u8| HEXADECIMAL.get(usize::from(value)).copied().unwrap_or(b'0');
    [b'=', digit(octet >> 4), digit(octet & 15)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> String {
        let mut out = Vec::new();
        quoted_printable(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_must_be_is_escaped() {
        assert_eq!(quoted("Zoë = x\r\n"), "Zo=C3=AB =3D x\r\n");
        assert_eq!(quoted("a \r\nb\t"), "a=20\r\nb=09");
        assert_eq!(quoted("a\rb\nc\0"), "a=0Db=0Ac=00");
        assert_eq!(quoted("From x\r\n.\r\n..\r\n"), "=46rom x\r\n=2E\r\n..\r\n");
    }

    #[test]
    fn long_lines_are_broken_softly_at_76_columns() {
        let text = quoted(&"x".repeat(160));
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(
            lines,
            ["x".repeat(75) + "=", "x".repeat(75) + "=", "x".repeat(10)]
        );
        assert_eq!(quoted(&"x".repeat(76)), "x".repeat(76));
        for line in quoted(&"ë".repeat(100)).split("\r\n") {
            assert!(line.len() <= LINE);
        }
    }

    #[test]
    fn no_line_begins_like_the_separator_of_a_mailbox_file() {
        for before in 70..80 {
            let text = quoted(&format!("{}From x", "x".repeat(before)));
            assert!(!text.contains("\r\nFrom "), "{text}");
        }
    }

    #[test]
    fn base64_has_lines_of_76_columns_and_none_at_the_end() {
        let mut out = Vec::new();
        base64(&[0xff; 60], &mut out);
        assert_eq!(out, [b"/".repeat(76), b"\r\n////".to_vec()].concat());
    }
}
