//! The shape of a message before anybody computes with it: how many signatures there are, and where its body ends.

use std::borrow::Cow;
use std::ops::Range;

/// Signatures that are checked, from the top.
pub(super) const MAX_SIGNATURES: usize = 10;
/// Sets of a chain that are checked; a longer chain is not.
pub(super) const MAX_SETS: usize = 5;

/// Fields that a signature may name; the longest lists of real ones have fifty.
pub(super) const MAX_SIGNED: usize = 200;
/// Tags of one field that are read.
const MAX_TAGS: usize = 50;

/// Names of fields that cost work, in lower case.
const COSTLY: [&[u8]; 6] = [
    b"dkim-signature",
    b"arc-seal",
    b"arc-message-signature",
    b"arc-authentication-results",
    b"dkim2-signature",
    b"message-instance",
];

/// The message without the fields that are too many of their kind: each signature has its key, and the whole body may be
/// hashed for it. One set of a chain more than are checked stays, to tell.
pub(super) fn bounded(octets: &[u8]) -> Cow<'_, [u8]> {
    let mut counts = [0_usize; COSTLY.len()];
    let mut kept: Vec<Range<usize>> = Vec::new();
    let mut whole = true;
    for field in fields(octets) {
        let text = octets.get(field.clone()).unwrap_or_default();
        let kind = COSTLY.iter().zip(&mut counts).find(|(name, _)| {
            let (start, rest) = text.split_at_checked(name.len()).unwrap_or_default();
            start.eq_ignore_ascii_case(name) && rest.trim_ascii_start().starts_with(b":")
        });
        if let Some((name, count)) = kind {
            *count += 1;
            let most = if name.starts_with(b"arc") {
                MAX_SETS + 1
            } else {
                MAX_SIGNATURES
            };
            if *count > most {
                whole = false;
                continue;
            }
        }
        match kept.last_mut() {
            Some(last) if last.end == field.start => last.end = field.end,
            _ => kept.push(field),
        }
    }
    if whole {
        return Cow::Borrowed(octets);
    }
    let body = fields(octets).last().map_or(0, |field| field.end);
    kept.push(body..octets.len());
    let pieces = kept.into_iter().filter_map(|range| octets.get(range));
    Cow::Owned(pieces.collect::<Vec<_>>().concat())
}

/// The header fields with their continuation lines, as far as the first empty line.
fn fields(octets: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        loop {
            let rest = octets.get(at..)?;
            let continues = matches!(rest.first(), Some(b' ' | b'\t'));
            let ends = rest.is_empty() || rest.starts_with(b"\r\n") || rest.starts_with(b"\n");
            if ends || (at > start && !continues) {
                return (at > start).then_some(start..at);
            }
            let line = rest.iter().position(|octet| *octet == b'\n');
            at += line.map_or(rest.len(), |end| end + 1);
        }
    })
}

/// The tags of a list and their values (RFC 6376 §3.2). `None` where it has faults: a name twice, none, or with other
/// characters.
fn tags(value: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    let text = value.trim_ascii_end();
    let text = text.strip_suffix(b";").unwrap_or(text);
    let mut tags: Vec<(&str, &[u8])> = Vec::new();
    for tag in text.split(|octet| *octet == b';') {
        let equals = tag.iter().position(|octet| *octet == b'=')?;
        let (name, value) = (tag.get(..equals)?, tag.get(equals + 1..)?);
        let name = std::str::from_utf8(name.trim_ascii()).ok()?;
        let sound = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // There are a dozen; a longer list is somebody's game.
        let twice = tags.iter().any(|(other, _)| *other == name);
        if !sound || twice || tags.len() == MAX_TAGS {
            return None;
        }
        tags.push((name, value.trim_ascii()));
    }
    Some(tags)
}

/// Whether a field has these tags, and none twice.
pub(super) fn has_tags(value: &[u8], wanted: &[&str]) -> bool {
    let tags = tags(value).unwrap_or_default();
    let has = |name| tags.iter().any(|(other, _)| other == name);
    wanted.iter().all(has)
}

/// Whether one of these words stands in the list that is the value of a tag, or there is no such list.
pub(super) fn allows(value: &[u8], tag: &str, words: &[&str]) -> bool {
    let tags = tags(value).unwrap_or_default();
    let list = tags.into_iter().find(|(name, _)| *name == tag);
    list.is_none_or(|(_, list)| {
        list.is_empty()
            || list.split(|octet| *octet == b':').any(|word| {
                let word = word.trim_ascii();
                words
                    .iter()
                    .any(|one| one.as_bytes().eq_ignore_ascii_case(word))
            })
    })
}

/// A copy without the lines of white space at the end of the body. In the relaxed form it is the same (RFC 6376 §3.4.4).
/// `None` where there are none.
pub(super) fn without_blank_tail(octets: &[u8], body: usize) -> Option<Vec<u8>> {
    let text = octets.get(body..)?;
    let end = text
        .iter()
        .rposition(|octet| !b" \t\r\n".contains(octet))
        .map_or(0, |last| last + 1);
    if !text.get(end..)?.iter().any(|octet| b" \t".contains(octet)) {
        return None;
    }
    let mut copy = octets.get(..body + end)?.to_vec();
    if end > 0 {
        copy.extend_from_slice(b"\r\n");
    }
    Some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(text: &str) -> String {
        let text = text.replace('\n', "\r\n");
        let short = bounded(text.as_bytes());
        String::from_utf8(short.into_owned())
            .unwrap()
            .replace("\r\n", "\n")
    }

    #[test]
    fn an_ordinary_message_is_not_copied() {
        let text = b"DKIM-Signature: a\r\n b\r\nFrom: x\r\n\r\nbody\r\n";
        assert!(matches!(bounded(text), Cow::Borrowed(_)));
        for text in [b"".as_slice(), b"\r\n", b"x", b"From: x", b" x\r\n"] {
            assert_eq!(*bounded(text), *text);
        }
    }

    #[test]
    fn only_the_first_signatures_stay_and_all_else() {
        let many: String = (0..14)
            .map(|n| format!("dkim-SIGNATURE : {n};\n more\nX-{n}: y\n"))
            .collect();
        let text = format!("From: x\n{many}To: y\n\nDKIM-Signature: in the body\n");
        let left: String = (0..14)
            .map(|n| {
                let signature = format!("dkim-SIGNATURE : {n};\n more\n");
                let signature = if n < 10 { signature } else { String::new() };
                format!("{signature}X-{n}: y\n")
            })
            .collect();
        assert_eq!(
            shortened(&text),
            format!("From: x\n{left}To: y\n\nDKIM-Signature: in the body\n")
        );
    }

    #[test]
    fn of_a_long_chain_one_set_too_many_stays() {
        let chain = "ARC-Seal: i\nARC-Message-Signature: i\nARC-Authentication-Results: i\n";
        let short = shortened(&format!("{}\nbody\n", chain.repeat(9)));
        assert_eq!(short, format!("{}\nbody\n", chain.repeat(6)));
    }

    #[test]
    fn tags_are_named_once_and_well() {
        let text = b" v=1; a=x=y;\r\n\tb =\r\n z;\r\n";
        let expected: [(&str, &[u8]); 3] = [("v", b"1"), ("a", b"x=y"), ("b", b"z")];
        assert_eq!(tags(text).as_deref(), Some(expected.as_slice()));
        for text in ["", ";", "a=1;;b=2", "a=1; a=2", "a", "=1", "1a=2", "a-b=1"] {
            assert_eq!(tags(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_list_allows_what_stands_in_it_and_one_that_is_missing_everything() {
        let allows = |text: &str| allows(text.as_bytes(), "s", &["*", "email"]);
        for text in ["p=x", "s=", "s=*", "s=other : EMail; p=x", "s=email"] {
            assert!(allows(text), "{text:?}");
        }
        for text in ["s=other", "s=e:mail", "s=emails;p=email"] {
            assert!(!allows(text), "{text:?}");
        }
    }

    #[test]
    fn lines_of_white_space_at_the_end_go() {
        let cut = |body: &str| {
            let text = format!("A: b\r\n\r\n{body}");
            let copy = without_blank_tail(text.as_bytes(), 8)?;
            Some(String::from_utf8(copy).unwrap().split_off(8))
        };
        assert_eq!(cut("x\r\n \t\r\n"), Some("x\r\n".into()));
        assert_eq!(cut("x\r\n\r\n \r\n\r\n"), Some("x\r\n".into()));
        assert_eq!(cut(" \r\n\t\r\n"), Some(String::new()));
        assert_eq!(cut("x\r\n\r\n"), None);
        assert_eq!(cut(""), None);
    }
}
