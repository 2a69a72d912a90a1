//! The `Authentication-Results` field (RFC 8601): written for the mail we take, and found where a stranger has written
//! it in our name.
//!
//! Much of what stands in it comes from strangers too: a sender's address, a signature's domain, a key's fault. It can
//! neither begin another field nor pretend to be another result.

use std::ops::Range;

use smtp::Domain;

use crate::trace::Folded;

/// Octets of one value that are kept, which is also the longest domain and the longest path of RFC 5321 §4.5.3.1.
const MAX_VALUE: usize = 256;
/// Results of one field; what comes behind is left out.
const MAX_RESULTS: usize = 50;
const NAME: &[u8] = b"authentication-results";

/// What one method found (RFC 8601 §2.2 `resinfo`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// The keyword of the method: `spf`, `dkim`, `dmarc`, `arc`, `iprev`.
    pub name: &'static str,
    /// The keyword of the result: `pass`, `fail`, `none`, …
    pub result: &'static str,
    /// Why, in words; empty for nothing.
    pub reason: String,
    /// What the result is about: `smtp.mailfrom`, `header.d`, `policy.iprev` with their values. Empty values are left out.
    pub properties: Vec<(&'static str, String)>,
}

/// The field with its line end, folded, with the results that `host` vouches for.
#[must_use]
pub fn field(host: &Domain, methods: &[Method]) -> String {
    let mut field = Folded::new("Authentication-Results:");
    if methods.is_empty() {
        field.word(&format!("{};", host.ascii()));
        field.word("none");
        return field.end();
    }
    field.word(&format!("{};", host.ascii()));
    let last = methods.len().min(MAX_RESULTS) - 1;
    for (index, method) in methods.iter().take(MAX_RESULTS).enumerate() {
        let words = words(method);
        field.line();
        let end = words.len() - 1;
        for (at, word) in words.iter().enumerate() {
            if at == end && index != last {
                field.word(&format!("{word};"));
            } else {
                field.word(word);
            }
        }
    }
    field.end()
}

/// The words of a result, between which the field may be folded.
fn words(method: &Method) -> Vec<String> {
    let mut words = vec![format!("{}={}", method.name, method.result)];
    if !method.reason.is_empty() {
        words.push(format!("reason={}", quoted(&method.reason)));
    }
    let properties = method.properties.iter();
    words.extend(
        properties
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", property(value))),
    );
    words
}

/// RFC 8601 §2.2 `pvalue`: a token or an address as it is, else a quoted string.
fn property(value: &str) -> String {
    // At most one `@`, as in `[[local-part] "@"] domain-name`.
    let bare = value.len() <= MAX_VALUE
        && value.bytes().all(is_bare)
        && value.bytes().filter(|octet| *octet == b'@').count() <= 1;
    if bare {
        value.to_owned()
    } else {
        quoted(value)
    }
}

/// Characters of a token (RFC 2045 §5.1) and the `@` of an address, without those that some readers take for an end.
fn is_bare(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$&'*+-.^_`{|}~@".contains(&octet)
}

/// A quoted string (RFC 5322 §3.2.4) that holds printable ASCII alone.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars().take(MAX_VALUE) {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            ' '..='~' => quoted.push(character),
            _ if character.is_whitespace() || character.is_control() => quoted.push(' '),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

/// Where the `Authentication-Results` fields of a header block stand that speak in the name of `host`, with their
/// continuation lines; `head` begins with the block.
///
/// RFC 8601 §5: whoever adds such fields removes those that somebody else has written with his name. When in doubt, a
/// field is one of those: only ours tell the truth about the mail we take.
#[must_use]
pub fn claimed(head: &[u8], host: &Domain) -> Vec<Range<usize>> {
    let mut claimed: Vec<Range<usize>> = Vec::new();
    let mut open: Option<Range<usize>> = None;
    let mut close = |field: Option<Range<usize>>| {
        let Some(field) = field else { return };
        if head
            .get(field.clone())
            .is_some_and(|text| speaks_for(text, host))
        {
            match claimed.last_mut() {
                Some(last) if last.end == field.start => last.end = field.end,
                _ => claimed.push(field),
            }
        }
    };
    let mut at = 0;
    for line in head.split_inclusive(|octet| *octet == b'\n') {
        let end = at + line.len();
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            if let Some(field) = &mut open {
                field.end = end;
            }
        } else {
            close(open.take());
            open = Some(at..end);
        }
        at = end;
    }
    close(open);
    claimed
}

/// Whether a field is an `Authentication-Results` with this authserv-id.
fn speaks_for(field: &[u8], host: &Domain) -> bool {
    let Some((name, value)) = field.split_at_checked(NAME.len()) else {
        return false;
    };
    // RFC 5322 §4.5: white space before the colon is obsolete, and readers take it.
    let value = value.trim_ascii_start().strip_prefix(b":");
    match value {
        Some(value) if name.eq_ignore_ascii_case(NAME) => is_host(value, host),
        _ => false,
    }
}

fn is_host(value: &[u8], host: &Domain) -> bool {
    let value = String::from_utf8_lossy(value);
    match authserv_id(&value) {
        Some(id) => same(&id, host),
        // A comment or quotation without an end: readers differ in where it ends.
        None => {
            let value = value.to_lowercase();
            value.contains(host.ascii()) || value.contains(&host.unicode().to_lowercase())
        }
    }
}

/// Whether an id is the host's name, with whatever stands around it that can be in no name: `host=1`, `host,`, and `host/1`
/// as a version was once written. Some readers drop it.
fn same(id: &str, host: &Domain) -> bool {
    let ends: [fn(char) -> bool; 2] = [
        |character| character.is_ascii() && !is_of_name(character),
        |character| !is_of_name(character) && !character.is_alphanumeric(),
    ];
    ends.into_iter().any(|is_end| {
        let id = id.trim_start_matches(is_end);
        let id = id.split(is_end).next().unwrap_or_default();
        match Domain::parse(id) {
            Ok(domain) => domain == *host,
            Err(_) => id.trim_matches('.').eq_ignore_ascii_case(host.ascii()),
        }
    })
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_')
}

/// The authserv-id of a value without its comments, quotation marks and the white space around its dots, as the most
/// lenient of readers would put it together. `None` when a comment or a quotation does not end.
fn authserv_id(value: &str) -> Option<String> {
    let mut id = String::new();
    let mut space = false;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        let piece = match character {
            ';' => break,
            '(' => {
                skip_comment(&mut characters)?;
                space = true;
                continue;
            }
            '"' => quotation(&mut characters)?,
            '\\' => characters.next()?.to_string(),
            _ if character.is_whitespace() || character == '\0' => {
                space = true;
                continue;
            }
            _ => character.to_string(),
        };
        // Behind the id there may be a version (RFC 8601 §2.2).
        if space && !id.is_empty() && !id.ends_with('.') && !piece.starts_with('.') {
            break;
        }
        space = false;
        id.push_str(&piece);
    }
    Some(id)
}

fn skip_comment(characters: &mut std::str::Chars<'_>) -> Option<()> {
    let mut depth = 1_usize;
    while depth > 0 {
        match characters.next()? {
            '\\' => drop(characters.next()?),
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    Some(())
}

/// What stands in a quotation, without its folds.
fn quotation(characters: &mut std::str::Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(text.trim().to_owned()),
            '\\' => text.push(characters.next()?),
            '\r' | '\n' => {}
            character => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests;
