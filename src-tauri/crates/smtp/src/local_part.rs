//! The part of an address before the `@`.

use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::address::AddressError;
use crate::text::serde_as_text;

/// Longest local part in octets (RFC 5321 §4.5.3.1.1). RFC 6531 leaves the number as it is, which would leave 16
/// letters to some scripts; an international local part is counted in characters.
const MAX_LOCAL: usize = 64;

/// A local part as its meaning: without quotes and backslashes, in Unicode's form NFC, never with a control character.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalPart(Box<str>);

impl LocalPart {
    /// Takes the meaning, for example `john smith`; printing adds quotes when they are needed.
    pub fn from_text(text: &str) -> Result<LocalPart, AddressError> {
        if text.len() > 4 * MAX_LOCAL {
            return Err(AddressError::LocalPartTooLong);
        }
        // RFC 6531 §3.1 advises NFC, so that one name typed on two systems is one name. Normalising comes first: it can
        // yield ASCII (U+037E becomes a semicolon), which the checks below must see.
        let text = if text.is_ascii() {
            text.into()
        } else {
            ComposingNormalizerBorrowed::new_nfc().normalize(text)
        };
        if text.chars().count() > MAX_LOCAL {
            return Err(AddressError::LocalPartTooLong);
        }
        if text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        {
            return Err(AddressError::LocalPart);
        }
        Ok(LocalPart(text.into()))
    }

    /// Reads the wire form, a dot-string or a quoted string (RFC 5321 §4.1.2).
    pub fn parse(text: &str) -> Result<LocalPart, AddressError> {
        match LocalPart::parse_prefix(text)? {
            (local, "") => Ok(local),
            _ => Err(AddressError::LocalPart),
        }
    }

    /// Reads a local part off the front, up to an `@` or the end: `(local part, rest)`.
    pub(crate) fn parse_prefix(text: &str) -> Result<(LocalPart, &str), AddressError> {
        if let Some(quoted) = text.strip_prefix('"') {
            return parse_quoted(quoted);
        }
        let (local, rest) = text.split_at(text.find('@').unwrap_or(text.len()));
        if local.is_empty() {
            return Err(AddressError::NoLocalPart);
        }
        if !is_dot_string(local) {
            return Err(AddressError::LocalPart);
        }
        Ok((LocalPart::from_text(local)?, rest))
    }

    /// The meaning: no quotes, no backslashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a wire without SMTPUTF8 can carry it.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// Lower case, for comparing.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// Lower case without `+extension`; a local part that begins with `+` has none.
    pub fn base(&self) -> String {
        let base = match self.0.find('+') {
            Some(at) if at > 0 => self.0.get(..at).unwrap_or(&self.0),
            _ => &self.0,
        };
        base.to_lowercase()
    }
}

/// `quoted` begins behind the opening quotation mark.
fn parse_quoted(quoted: &str) -> Result<(LocalPart, &str), AddressError> {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                return Ok((
                    LocalPart::from_text(&text)?,
                    quoted.get(at + 1..).unwrap_or_default(),
                ));
            }
            // RFC 5321 §4.1.2 quoted-pairSMTP: a backslash before a printable ASCII character, also under RFC 6531.
            '\\' => match chars.next() {
                Some((_, escaped @ ' '..='~')) => text.push(escaped),
                Some(_) => return Err(AddressError::LocalPart),
                None => return Err(AddressError::Quote),
            },
            other => text.push(other),
        }
    }
    Err(AddressError::Quote)
}

/// RFC 5321 §4.1.2 `Dot-string`, with the letters of RFC 6531 §3.3.
fn is_dot_string(text: &str) -> bool {
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322 §3.2.3 `atext`, with the letters of RFC 6532 §3.2.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Debug for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalPart({self})")
    }
}

impl FromStr for LocalPart {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<LocalPart, AddressError> {
        LocalPart::parse(text)
    }
}

serde_as_text!(LocalPart);
