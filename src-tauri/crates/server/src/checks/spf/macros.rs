//! Macros in records and explanations (RFC 7208 §7): read once, put in place for each name.

use std::net::IpAddr;

/// Longest name that a macro may make (RFC 7208 §7.3).
const MAX_NAME: usize = 253;
/// Characters that a text may grow to.
const MAX_TEXT: usize = 2_000;

/// What macros stand for, apart from the domain at hand and the client's validated name.
#[derive(Debug, Clone)]
pub(super) struct Values {
    pub ip: IpAddr,
    /// Local part of the sender, `postmaster` where there is none (§4.3).
    pub local: String,
    /// Domain of the sender.
    pub sender_domain: String,
    pub helo: String,
    /// Name of the server that checks.
    pub host: String,
    /// Seconds since 1970.
    pub now: u64,
}

/// A text with macros in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    /// Whether something that begins with `%` comes last.
    ends_with_macro: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Macro {
        /// In lower case.
        letter: char,
        /// Parts that are kept, from the right.
        keep: Option<usize>,
        reverse: bool,
        delimiters: String,
        /// Written as in a URL.
        escape: bool,
    },
}

/// Where a template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a record; its outcome is a name.
    Name,
    /// In an explanation, which may hold spaces and more letters (§6.2, §7.2).
    Text,
}

impl Template {
    /// Reads a `macro-string`, or an `explain-string`.
    pub fn parse(text: &str, place: Place) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        let mut ends_with_macro = false;
        while let Some(character) = rest.chars().next() {
            rest = rest.get(character.len_utf8()..)?;
            ends_with_macro = character == '%';
            match character {
                '%' => {
                    let kind = rest.chars().next()?;
                    rest = rest.get(kind.len_utf8()..)?;
                    match kind {
                        '%' => plain.push('%'),
                        '_' => plain.push(' '),
                        '-' => plain.push_str("%20"),
                        '{' => {
                            let (inside, tail) = rest.split_once('}')?;
                            rest = tail;
                            if !plain.is_empty() {
                                pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                            }
                            pieces.push(expand(inside, place)?);
                        }
                        _ => return None,
                    }
                }
                '!'..='~' => plain.push(character),
                ' ' if place == Place::Text => plain.push(' '),
                _ => return None,
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        Some(Self {
            pieces,
            ends_with_macro,
        })
    }

    /// Reads a `domain-spec`: it ends with a macro, or with a dot and a label that can be a top-level one.
    pub fn domain(text: &str) -> Option<Self> {
        let template = Self::parse(text, Place::Name)?;
        (template.ends_with_macro || ends_with_label(text)).then_some(template)
    }

    /// Whether the client's validated name is needed.
    pub fn needs_validated_name(&self) -> bool {
        let mut pieces = self.pieces.iter();
        pieces.any(|piece| matches!(piece, Piece::Macro { letter: 'p', .. }))
    }

    /// The text, with what the macros stand for.
    pub fn text(&self, values: &Values, domain: &str, validated: &str) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(plain) => text.push_str(plain),
                Piece::Macro {
                    letter,
                    keep,
                    reverse,
                    delimiters,
                    escape,
                } => {
                    let value = value(*letter, values, domain, validated);
                    let value = transform(&value, *keep, *reverse, delimiters);
                    if *escape {
                        push_escaped(&mut text, &value);
                    } else {
                        text.push_str(&value);
                    }
                }
            }
            if text.len() > MAX_TEXT {
                break;
            }
        }
        text
    }

    /// The name, without its final dot. §7.3: what is too long loses labels on its left.
    pub fn name(&self, values: &Values, domain: &str, validated: &str) -> String {
        let text = self.text(values, domain, validated);
        let mut name = text.strip_suffix('.').unwrap_or(&text);
        while name.len() > MAX_NAME {
            match name.split_once('.') {
                Some((_, rest)) => name = rest,
                None => break,
            }
        }
        name.to_owned()
    }
}

/// `macro-letter transformers *delimiter`
fn expand(inside: &str, place: Place) -> Option<Piece> {
    let letter = inside.chars().next()?;
    let lower = letter.to_ascii_lowercase();
    // §7.2: c, r and t are for explanations alone.
    let known = "slodiphv".contains(lower) || (place == Place::Text && "crt".contains(lower));
    let rest = inside.get(letter.len_utf8()..)?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (digits, rest) = rest.split_at(digits);
    let keep = match digits {
        "" => None,
        // §7.1: zero is an error; a number that is too large for us keeps everything.
        digits if digits.trim_start_matches('0').is_empty() => return None,
        digits => Some(digits.parse().unwrap_or(usize::MAX)),
    };
    let (reverse, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if !known || !delimiters.chars().all(|c| ".-+,/_=".contains(c)) {
        return None;
    }
    Some(Piece::Macro {
        letter: lower,
        keep,
        reverse,
        delimiters: if delimiters.is_empty() {
            ".".to_owned()
        } else {
            delimiters.to_owned()
        },
        escape: letter.is_ascii_uppercase(),
    })
}

fn value(letter: char, values: &Values, domain: &str, validated: &str) -> String {
    match letter {
        's' => format!("{}@{}", values.local, values.sender_domain),
        'l' => values.local.clone(),
        'o' => values.sender_domain.clone(),
        'd' => domain.to_owned(),
        'i' => dotted(values.ip),
        'p' => validated.to_owned(),
        'v' if values.ip.is_ipv4() => "in-addr".to_owned(),
        'v' => "ip6".to_owned(),
        'h' => values.helo.clone(),
        'c' => values.ip.to_string(),
        'r' => values.host.clone(),
        't' => values.now.to_string(),
        _ => String::new(),
    }
}

/// §7.3: an IPv6 address as its half octets with dots between them.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let nibbles: Vec<String> = ip
                .octets()
                .iter()
                .flat_map(|octet| [octet >> 4, octet & 0xf])
                .map(|nibble| format!("{nibble:x}"))
                .collect();
            nibbles.join(".")
        }
    }
}

fn transform(value: &str, keep: Option<usize>, reverse: bool, delimiters: &str) -> String {
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if reverse {
        parts.reverse();
    }
    let skip = keep.map_or(0, |keep| parts.len().saturating_sub(keep));
    parts.get(skip..).unwrap_or_default().join(".")
}

/// RFC 3986 §2.3: everything but unreserved characters.
fn push_escaped(text: &mut String, value: &str) {
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            text.push(char::from(octet));
        } else {
            text.push_str(&format!("%{octet:02X}"));
        }
    }
}

/// §7.1 `domain-end`: a dot and a top-level label, and perhaps the root's dot.
fn ends_with_label(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let Some((_, top)) = text.rsplit_once('.') else {
        return false;
    };
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !top.is_empty()
        && top.chars().all(sound)
        && !top.starts_with('-')
        && !top.ends_with('-')
        && !top.chars().all(|c| c.is_ascii_digit())
}
