//! Text of strangers made into one harmless line, and lines made short enough.

use crate::text::printable;

/// RFC 5322 §2.1.1: where header lines should end, without their CRLF.
const COLUMNS: usize = 76;
/// A word without a space that is longer is cut, because no line may have more than 998 octets.
const LONGEST_WORD: usize = 900;

/// What a line may hold beside printable ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    Ascii,
    Unicode,
}

/// Makes text one line of at most `limit` octets: control characters and line ends become spaces, marks that reorder
/// text vanish, and with [`Letters::Ascii`] other characters become question marks.
pub(super) fn one_line(text: &str, limit: usize, letters: Letters) -> String {
    let text = printable(&text.replace("\r\n", " "), limit);
    let text = match letters {
        Letters::Unicode => text,
        Letters::Ascii => text
            .chars()
            .map(|c| if c.is_ascii() { c } else { '?' })
            .collect(),
    };
    prefix(&text, limit).trim_end().to_owned()
}

/// The same with each run of spaces as one: for sentences, not for addresses.
pub(super) fn sentence(text: &str, limit: usize, letters: Letters) -> String {
    let line = one_line(text, limit, letters);
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.join(" ")
}

/// The longest beginning of `text` that has at most `limit` octets.
fn prefix(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or(text)
}

/// A header field with its line end, folded at spaces. `value` is one line.
pub(super) fn field(name: &str, value: &str) -> String {
    let mut text = format!("{name}:");
    let mut column = text.len();
    let first = column + 1;
    for word in value.trim().split(' ') {
        let mut rest = word;
        loop {
            let piece = prefix(rest, LONGEST_WORD);
            let width = piece.chars().count();
            let too_wide = column + 1 + width > COLUMNS && column > first;
            if !piece.is_empty() && (too_wide || piece.len() < rest.len()) {
                text.push_str("\r\n");
                column = 0;
            }
            text.push(' ');
            text.push_str(piece);
            column += 1 + width;
            rest = rest.get(piece.len()..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
        }
    }
    text.push_str("\r\n");
    text
}

/// Adds a paragraph, each line with `indent` before it. `text` is one line.
pub(super) fn paragraph(out: &mut String, indent: &str, text: &str) {
    const WIDTH: usize = 72;
    let mut column = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest = word;
        while !rest.is_empty() {
            let piece = prefix(rest, LONGEST_WORD);
            let width = piece.chars().count();
            if column > 0 && column + 1 + width > WIDTH {
                out.push_str("\r\n");
                column = 0;
            }
            let before = if column == 0 { indent } else { " " };
            out.push_str(before);
            out.push_str(piece);
            column += before.len() + width;
            rest = rest.get(piece.len()..).unwrap_or_default();
        }
    }
    if column > 0 {
        out.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_lines_becomes_one() {
        let text = "550-5.1.1 no\r\n550 5.1.1 such\tuser\0\u{202e}\r\n";
        assert_eq!(
            one_line(text, 100, Letters::Unicode),
            "550-5.1.1 no 550 5.1.1 such user"
        );
        assert_eq!(one_line("Zoë\n", 100, Letters::Ascii), "Zo?");
        assert_eq!(one_line("ëëë", 5, Letters::Unicode), "ëë");
        assert_eq!(sentence(" a \r\n  b ", 100, Letters::Ascii), "a b");
    }

    #[test]
    fn a_long_field_is_folded_at_spaces_and_reads_the_same_unfolded() {
        let value = "word ".repeat(60) + "\"a  b\"@x.example";
        let text = field("Diagnostic-Code", &value);
        assert_eq!(
            text.replace("\r\n", ""),
            format!("Diagnostic-Code: {}", value.trim())
        );
        for line in text.split_terminator("\r\n") {
            assert!(line.len() <= COLUMNS && !line.trim().is_empty());
        }
    }

    #[test]
    fn a_word_without_end_is_cut() {
        let word = "ë".repeat(1000);
        for line in field("X", &format!("a {word}")).split("\r\n") {
            assert!(line.len() <= 998);
        }
        let mut text = String::new();
        paragraph(&mut text, "    ", &word);
        for line in text.split("\r\n") {
            assert!(line.len() <= 998);
        }
        assert_eq!(text.replace("\r\n", "").replace(' ', ""), word);
    }
}
