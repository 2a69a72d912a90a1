//! Turns the octets of header values into text for a person: character sets, encoded words, and nothing that could
//! disturb a log line or a table.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Characters of a subject, file name or message id that are kept.
pub(crate) const MAX_SHOWN: usize = 255;

/// Octets of a value that are decoded; what is shown never needs more.
const MAX_DECODED: usize = 16 * 1024;

/// Real messages lack padding or carry stray bits at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes octets in the named character set; an unknown one is guessed.
pub(crate) fn decode_charset(label: &[u8], octets: &[u8]) -> String {
    // RFC 2231 §5: a language may follow the character set of an encoded word.
    let label = label.split(|&octet| octet == b'*').next().unwrap_or(label);
    match Encoding::for_label(label) {
        Some(encoding) => encoding.decode_without_bom_handling(octets).0.into_owned(),
        None => guess_charset(octets),
    }
}

/// Reads octets of no declared character set: as UTF-8 when they are that, else as the usual Western one.
pub(crate) fn guess_charset(octets: &[u8]) -> String {
    let text = UTF_8.decode_without_bom_handling_and_without_replacement(octets);
    text.unwrap_or_else(|| WINDOWS_1252.decode_without_bom_handling(octets).0)
        .into_owned()
}

/// Makes text fit to be shown: control characters, line separators and marks that reorder other text become spaces
/// or vanish, and at most `limit` characters stay.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let cleaned: String = text
        .chars()
        .filter(|&character| !reorders_text(character))
        .map(|character| {
            let breaks_line = matches!(character, '\u{2028}' | '\u{2029}');
            if character.is_control() || breaks_line {
                ' '
            } else {
                character
            }
        })
        .take(limit)
        .collect();
    cleaned.trim().to_owned()
}

/// Bidirectional controls and invisible characters, with which `exe.fdp` is shown as `pdf.exe`.
fn reorders_text(character: char) -> bool {
    matches!(
        character,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

/// Decodes the encoded words of an unstructured value (RFC 2047 §6), also where they stand inside quotes or touch
/// other text, as many senders write them.
pub(crate) fn decode_words(value: &[u8]) -> String {
    let mut rest = value.get(..MAX_DECODED).unwrap_or(value);
    let mut text = String::new();
    let mut pending = Pending::default();
    while !rest.is_empty() {
        let start = find(rest, b"=?").unwrap_or(rest.len());
        let (plain, tail) = rest.split_at(start);
        let Some((word, after)) = encoded_word(tail) else {
            // No word here: `=?` is text, go on behind it.
            let (literal, tail) = rest.split_at((start + 2).min(rest.len()));
            pending.flush(&mut text);
            text.push_str(&guess_charset(literal));
            rest = tail;
            continue;
        };
        // RFC 2047 §6.2: white space between two encoded words is not shown.
        if !(pending.is_open() && plain.trim_ascii().is_empty()) {
            pending.flush(&mut text);
            text.push_str(&guess_charset(plain));
        }
        pending.add(&word, &mut text);
        rest = after;
    }
    pending.flush(&mut text);
    text
}

/// A recognised encoded word.
struct Word<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
}

impl Word<'_> {
    /// Whether the octets of the next word can be appended. ISO-2022 has a state that begins anew with each word.
    fn is_continued_by(&self, next: &Self) -> bool {
        let stateful = lower(self.charset).starts_with("iso-2022");
        !stateful && self.charset.eq_ignore_ascii_case(next.charset)
    }
}

/// The encoded word at the beginning of `text`, and what follows it.
fn encoded_word(text: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let (charset, rest) = split_at_mark(text.strip_prefix(b"=?")?)?;
    let (encoding, rest) = split_at_mark(rest)?;
    let (encoded, after) = rest.split_at(find(rest, b"?=")?);
    let after = after.strip_prefix(b"?=")?;
    let octets = match encoding {
        b"b" | b"B" => decode_base64(encoded),
        b"q" | b"Q" => decode_q(encoded),
        _ => return None,
    };
    let sound = !charset.is_empty() && charset.iter().all(u8::is_ascii_graphic);
    sound.then_some((Word { charset, octets }, after))
}

/// Splits at the next `?`, which is dropped.
fn split_at_mark(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, tail) = text.split_at(text.iter().position(|&octet| octet == b'?')?);
    Some((head, tail.strip_prefix(b"?")?))
}

fn decode_base64(encoded: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = encoded
        .iter()
        .copied()
        .filter(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/'))
        .collect();
    // One digit too many holds no octet.
    let whole = digits.len() - usize::from(digits.len() % 4 == 1);
    let digits = digits.get(..whole).unwrap_or_default();
    LENIENT.decode(digits).unwrap_or_default()
}

/// RFC 2047 §4.2: `_` is a space whatever the character set.
fn decode_q(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|&octet| if octet == b'_' { b' ' } else { octet })
        .collect();
    decode_escapes(&spaced, b'=')
}

/// Replaces an escape mark and two hexadecimal digits by the octet they name; a broken escape stays as it is.
pub(crate) fn decode_escapes(text: &[u8], mark: u8) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let escaped = tail.get(..2).and_then(hexadecimal);
        match escaped {
            Some(octet) if first == mark => {
                octets.push(octet);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => octets.push(first),
        }
    }
    octets
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some((value << 4) | u8::try_from(digit).ok()?)
    })
}

/// Octets of encoded words that wait for a next word in the same character set: many senders cut a multi-octet
/// character between two words.
#[derive(Default)]
struct Pending<'a> {
    word: Option<Word<'a>>,
}

impl<'a> Pending<'a> {
    fn is_open(&self) -> bool {
        self.word.is_some()
    }

    fn add(&mut self, word: &Word<'a>, text: &mut String) {
        match &mut self.word {
            Some(open) if open.is_continued_by(word) => {
                open.octets.extend_from_slice(&word.octets);
            }
            _ => {
                self.flush(text);
                self.word = Some(Word {
                    charset: word.charset,
                    octets: word.octets.clone(),
                });
            }
        }
    }

    fn flush(&mut self, text: &mut String) {
        if let Some(word) = self.word.take() {
            text.push_str(&decode_charset(word.charset, &word.octets));
        }
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, mark)
}

/// Lower-case text of octets that should be ASCII.
pub(crate) fn lower(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        decode_words(text.as_bytes())
    }

    #[test]
    fn encoded_words_in_both_encodings_are_decoded() {
        assert_eq!(
            words("=?utf-8?q?Zo=C3=AB_x?= and =?ISO-8859-1?B?5A==?="),
            "Zoë x and ä"
        );
    }

    #[test]
    fn space_between_encoded_words_is_dropped_and_other_space_is_kept() {
        assert_eq!(words("a =?utf-8?q?b?= =?utf-8?q?c?= d"), "a bc d");
        assert_eq!(words("=?utf-8?q?b?=  =?iso-8859-1?q?=E4?="), "bä");
    }

    #[test]
    fn a_character_cut_between_two_words_is_put_together() {
        assert_eq!(words("=?utf-8?b?4oI=?= =?UTF-8?b?rA==?="), "€");
    }

    #[test]
    fn words_in_a_character_set_with_state_are_decoded_one_by_one() {
        assert_eq!(
            words("=?ISO-2022-JP?B?GyRCJUYbKEI=?= =?ISO-2022-JP?B?GyRCJUYbKEI=?="),
            "テテ"
        );
    }

    #[test]
    fn a_language_after_the_character_set_is_ignored() {
        assert_eq!(words("=?utf-8*en?q?x?="), "x");
    }

    #[test]
    fn what_only_looks_like_an_encoded_word_stays() {
        for text in ["=?", "=?utf-8?x?a?=", "=?utf-8?q?a", "a =? b", "=??q?a?="] {
            assert_eq!(words(text), text);
        }
    }

    #[test]
    fn raw_octets_are_read_as_utf_8_or_else_as_western() {
        assert_eq!(decode_words("Zoë".as_bytes()), "Zoë");
        assert_eq!(decode_words(b"Zo\xeb"), "Zoë");
        assert_eq!(words("=?x-unknown?q?=EB?="), "ë");
    }

    #[test]
    fn shown_text_has_no_control_character_and_no_reordering_mark() {
        assert_eq!(printable(" a\r\nb\u{202e}c\u{2028}d\0 ", 255), "a  bc d");
        assert_eq!(printable("abcdef", 3), "abc");
    }
}
