//! The fields that describe a part: a value with parameters (RFC 2045 §5.1, RFC 2183, RFC 2231), read the way
//! mail programs write them rather than the way the grammar has it.

use std::collections::BTreeMap;

use crate::text::{
    MAX_SHOWN, decode_charset, decode_escapes, decode_words, guess_charset, lower, printable,
};

/// Parameters of one field that are read.
const MAX_PARAMETERS: usize = 200;
/// RFC 6838 §4.2: 127 characters each for type and subtype.
const MAX_TOKEN: usize = 255;

/// A field value: its leading token in lower case, and its parameters with names in lower case.
#[derive(Debug, Default)]
pub(crate) struct Parameterised {
    /// The token before the first `;`, in lower case.
    pub(crate) token: String,
    parameters: Vec<(String, Vec<u8>)>,
}

impl Parameterised {
    /// Reads an unfolded value.
    pub(crate) fn parse(value: &[u8]) -> Self {
        let (token, mut rest) = split_token(value);
        let mut parameters = Vec::new();
        while let Some(after) = skip_to_semicolon(rest) {
            let (parameter, after) = split_parameter(after);
            if let Some(parameter) = parameter {
                parameters.push(parameter);
            }
            if parameters.len() >= MAX_PARAMETERS {
                break;
            }
            rest = after;
        }
        let token = lower(token).chars().take(MAX_TOKEN).collect();
        Self { token, parameters }
    }

    /// The octets of a parameter as written, also when it is given in sections (RFC 2231 §3).
    pub(crate) fn octets(&self, name: &str) -> Option<Vec<u8>> {
        let plain = self.plain(name).map(<[u8]>::to_vec);
        plain.or_else(|| self.extended(name).map(|value| value.octets))
    }

    /// A parameter as text for a person; the form with a declared character set is preferred.
    pub(crate) fn shown(&self, name: &str) -> Option<String> {
        let text = match self.extended(name) {
            Some(value) => value.decode(),
            None => decode_words(self.plain(name)?),
        };
        let text = printable(&text, MAX_SHOWN);
        (!text.is_empty()).then_some(text)
    }

    fn plain(&self, name: &str) -> Option<&[u8]> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_slice())
    }

    /// RFC 2231 §§3, 4: `name*`, or the sections `name*0`, `name*1*` … as far as they are without a gap.
    fn extended(&self, name: &str) -> Option<Extended> {
        let mut sections: BTreeMap<usize, (bool, &[u8])> = BTreeMap::new();
        for (known, value) in &self.parameters {
            let Some(suffix) = known.strip_prefix(name).and_then(|s| s.strip_prefix('*')) else {
                continue;
            };
            let number = suffix.strip_suffix('*').unwrap_or(suffix);
            let encoded = suffix.is_empty() || suffix.ends_with('*');
            let index = if number.is_empty() {
                Some(0)
            } else {
                number.parse().ok()
            };
            if let Some(index) = index {
                sections.entry(index).or_insert((encoded, value.as_slice()));
            }
        }
        let mut value = Extended::default();
        for (expected, (&index, &(encoded, octets))) in sections.iter().enumerate() {
            if index != expected {
                break;
            }
            value.add(index == 0, encoded, octets);
        }
        sections.contains_key(&0).then_some(value)
    }
}

/// A parameter put together from its sections.
#[derive(Debug, Default)]
struct Extended {
    charset: Option<Vec<u8>>,
    octets: Vec<u8>,
}

impl Extended {
    fn add(&mut self, first: bool, encoded: bool, section: &[u8]) {
        if !encoded {
            self.octets.extend_from_slice(section);
            return;
        }
        let mut text = section;
        if first {
            let mut fields = section.splitn(3, |&octet| octet == b'\'');
            let (charset, _language) = (fields.next(), fields.next());
            // Without both quotes there is no character set, only text.
            if let (Some(charset), Some(rest)) = (charset, fields.next()) {
                self.charset = Some(charset.to_vec());
                text = rest;
            }
        }
        self.octets.extend(decode_escapes(text, b'%'));
    }

    fn decode(&self) -> String {
        match self.charset.as_deref() {
            Some(charset) => decode_charset(charset, &self.octets),
            // Some senders put encoded words into sections.
            None if self.octets.starts_with(b"=?") => decode_words(&self.octets),
            None => guess_charset(&self.octets),
        }
    }
}

/// The leading token: it ends at `;`, at a comment or at white space.
fn split_token(value: &[u8]) -> (&[u8], &[u8]) {
    let value = value.trim_ascii_start();
    let end = value
        .iter()
        .position(|&octet| matches!(octet, b';' | b'(') || octet.is_ascii_whitespace());
    value.split_at(end.unwrap_or(value.len()))
}

/// What stands behind the next `;`.
fn skip_to_semicolon(text: &[u8]) -> Option<&[u8]> {
    let at = text.iter().position(|&octet| octet == b';')?;
    text.get(at + 1..)
}

/// One `name=value` and what follows it; `None` for a parameter without a value.
type Parameter = (String, Vec<u8>);

fn split_parameter(text: &[u8]) -> (Option<Parameter>, &[u8]) {
    let end = text
        .iter()
        .position(|&octet| matches!(octet, b'=' | b';'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(rest) = rest.strip_prefix(b"=") else {
        return (None, rest);
    };
    let name = lower(name.trim_ascii());
    let rest = rest.trim_ascii_start();
    let (value, rest) = match rest.strip_prefix(b"\"") {
        Some(quoted) => unquote(quoted),
        None => {
            // `report (1).pdf` and `my file.pdf` are written without quotes: everything up to `;` is the value.
            let end = rest.iter().position(|&octet| octet == b';');
            let (value, rest) = rest.split_at(end.unwrap_or(rest.len()));
            (value.trim_ascii().to_vec(), rest)
        }
    };
    (Some((name, value)), rest)
}

/// Reads the inside of a quoted string and returns what follows it. Only `\"` and `\\` are escapes, because
/// some programs write paths with single backslashes.
fn unquote(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail.first()) {
            (b'"', _) => break,
            (b'\\', Some(&escaped @ (b'"' | b'\\'))) => {
                value.push(escaped);
                rest = tail.get(1..).unwrap_or_default();
            }
            _ => value.push(first),
        }
    }
    (value, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str, name: &str) -> Option<String> {
        Parameterised::parse(value.as_bytes()).shown(name)
    }

    fn filename(value: &str) -> Option<String> {
        shown(value, "filename")
    }

    #[test]
    fn the_token_is_lowered_and_freed_from_comments() {
        assert_eq!(
            Parameterised::parse(b" Text/HTML (x); a=b").token,
            "text/html"
        );
        assert_eq!(Parameterised::parse(b"").token, "");
    }

    #[test]
    fn quoted_and_bare_values_are_read() {
        assert_eq!(
            filename("attachment; filename=\"a; \\\"b\\\".txt\"; x=y").as_deref(),
            Some("a; \"b\".txt")
        );
        assert_eq!(
            filename("attachment;filename = my report (1).pdf ;x").as_deref(),
            Some("my report (1).pdf")
        );
        assert_eq!(filename("attachment; FILENAME=a.b").as_deref(), Some("a.b"));
        assert_eq!(
            filename("attachment; filename=\"C:\\dir\\a.txt\"").as_deref(),
            Some("C:\\dir\\a.txt")
        );
        assert_eq!(
            filename("attachment; filename=\"open").as_deref(),
            Some("open")
        );
    }

    #[test]
    fn an_empty_name_is_no_name() {
        assert_eq!(filename("attachment; filename=\"\""), None);
        assert_eq!(filename("attachment; filename"), None);
        assert_eq!(filename("attachment; filename=\"\r\n\""), None);
    }

    #[test]
    fn encoded_words_and_declared_character_sets_are_decoded() {
        assert_eq!(
            filename("attachment; filename=\"=?utf-8?b?w6QudHh0?=\"").as_deref(),
            Some("ä.txt")
        );
        assert_eq!(
            filename("attachment; filename*=iso-8859-1'de'%E4.txt").as_deref(),
            Some("ä.txt")
        );
        assert_eq!(
            filename("attachment; filename=x; filename*=utf-8''%C3%A4").as_deref(),
            Some("ä")
        );
    }

    #[test]
    fn sections_are_joined_by_number_up_to_the_first_gap() {
        let value =
            "attachment; filename*1*=%A4b; filename*0*=utf-8''%C3; filename*2=c%41; filename*4=z";
        assert_eq!(filename(value).as_deref(), Some("äbc%41"));
        assert_eq!(filename("attachment; filename*1=b"), None);
    }

    #[test]
    fn a_boundary_in_sections_is_found() {
        let field = Parameterised::parse(b"multipart/mixed; boundary*0=ab; boundary*1=\"c d\"");
        assert_eq!(
            field.octets("boundary").as_deref(),
            Some(b"abc d".as_slice())
        );
    }

    #[test]
    fn a_name_is_cut_to_what_can_be_shown() {
        let value = format!("attachment; filename={}", "ä".repeat(1000));
        assert_eq!(
            filename(&value).map(|name| name.chars().count()),
            Some(MAX_SHOWN)
        );
    }
}
