//! Mailbox lists of header fields (RFC 5322 §3.4): display names, comments, groups, obsolete forms.
//!
//! The point is not to accept everything but to miss nothing: every address a reader could be shown comes out, and
//! an entry that cannot be read comes out as unreadable.

use smtp::Address;

use crate::text::{MAX_SHOWN, printable};

/// Entries of one list that are read.
const MAX_ENTRIES: usize = 1000;
/// RFC 5322 has no bound for comments inside comments.
const MAX_COMMENT_DEPTH: u32 = 100;

/// One entry of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Address(Address),
    /// The entry as written, made printable.
    Unreadable(String),
}

/// Reads a list from an unfolded value. Empty entries (RFC 5322 §4.4 obs-mbox-list) vanish.
pub(crate) fn parse_list(value: &str) -> Vec<Entry> {
    let tokens = match tokens(value) {
        Some(tokens) => tokens,
        // A quotation or comment that does not end: where the addresses are is anybody's guess.
        None => {
            let mut entries = vec![unreadable(value)];
            entries.extend(shown(value));
            return entries;
        }
    };
    let mut entries = Vec::new();
    let mut list = tokens.as_slice();
    while !list.is_empty() {
        let (entry, rest) = split_entry(list);
        read_entry(entry, &mut entries);
        if entries.len() >= MAX_ENTRIES {
            entries.push(unreadable(value));
            break;
        }
        list = rest;
    }
    entries
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A run of characters that are neither special nor white space.
    Atom(String),
    /// A quoted string, without its quotes.
    Quoted(String),
    /// A domain literal, with its brackets.
    Literal(String),
    Special(char),
}

impl Token {
    fn is(&self, special: char) -> bool {
        *self == Self::Special(special)
    }
}

/// RFC 5322 §3.2: lexical tokens, without comments and white space. `None` when a comment, a quotation or a
/// literal does not end.
fn tokens(value: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let tail = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match first {
            ' ' | '\t' | '\r' | '\n' => tail,
            '(' => skip_comment(tail)?,
            '"' => {
                let (text, tail) = delimited(tail, '"')?;
                tokens.push(Token::Quoted(text));
                tail
            }
            '[' => {
                let (text, tail) = delimited(tail, ']')?;
                tokens.push(Token::Literal(format!("[{text}]")));
                tail
            }
            _ if is_special(first) => {
                tokens.push(Token::Special(first));
                tail
            }
            _ => {
                let end = rest.find(|c| is_special(c) || " \t\r\n([\"".contains(c));
                let (atom, tail) = rest.split_at(end.unwrap_or(rest.len()));
                tokens.push(Token::Atom(atom.to_owned()));
                tail
            }
        };
    }
    Some(tokens)
}

fn is_special(character: char) -> bool {
    "<>@,;:.\\)]".contains(character)
}

/// Text up to an unescaped `end`, with escapes undone, and what follows.
fn delimited(text: &str, end: char) -> Option<(String, &str)> {
    let mut inside = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '\\' => inside.push(characters.next()?),
            character if character == end => return Some((inside, characters.as_str())),
            character => inside.push(character),
        }
    }
}

fn skip_comment(text: &str) -> Option<&str> {
    let mut depth = 1_u32;
    let mut characters = text.chars();
    while depth > 0 {
        match characters.next()? {
            '\\' => drop(characters.next()?),
            '(' if depth == MAX_COMMENT_DEPTH => return None,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    Some(characters.as_str())
}

/// The tokens of the first entry, and the list behind its separator. A group's name and colon are an entry of
/// their own without an address; its members are entries like any other.
fn split_entry(list: &[Token]) -> (&[Token], &[Token]) {
    let mut in_brackets = false;
    let mut has_address = false;
    for (index, token) in list.iter().enumerate() {
        let (before, from) = list.split_at(index);
        let behind = from.get(1..).unwrap_or_default();
        match token {
            Token::Special('<') => (in_brackets, has_address) = (true, true),
            Token::Special('>') => in_brackets = false,
            Token::Special('@') => has_address = true,
            Token::Special(',' | ';') if !in_brackets => return (before, behind),
            // RFC 5322 §3.4: display-name ":" begins a group.
            Token::Special(':') if !has_address => return (&[], behind),
            _ => {}
        }
    }
    (list, &[])
}

fn read_entry(entry: &[Token], entries: &mut Vec<Entry>) {
    if entry.is_empty() {
        return;
    }
    let Some(open) = entry.iter().position(|token| token.is('<')) else {
        match addr_spec(entry) {
            Some(address) => entries.push(Entry::Address(address)),
            None => unclear(entry, entries),
        }
        return;
    };
    let (name, bracketed) = entry.split_at(open);
    // `boss@office.example <mallory@example.org>`: no display name by the grammar, yet shown as one. Both count.
    if name.iter().any(|token| token.is('@')) {
        match addr_spec(name) {
            Some(address) => entries.push(Entry::Address(address)),
            // Such as `Ann @ Work <ann@work.example>`: not by the grammar, and no riddle either.
            None => entries.extend(shown(&written(name))),
        }
    }
    let inside = match bracketed {
        [_, inside @ .., last] if last.is('>') => addr_spec(without_route(inside)),
        _ => None,
    };
    match inside {
        Some(address) => entries.push(Entry::Address(address)),
        None => unclear(entry, entries),
    }
}

/// An entry that cannot be read, and the addresses that a lenient reader could find in it.
fn unclear(tokens: &[Token], entries: &mut Vec<Entry>) {
    let text = written(tokens);
    entries.push(unreadable(&text));
    entries.extend(shown(&text));
}

/// Whatever has the looks of an address in a text, quoted or not: the words on both sides of each `@`.
fn shown(text: &str) -> impl Iterator<Item = Entry> {
    let ends = |c: char| {
        is_special(c) && c != '.'
            || c.is_whitespace()
            || c.is_control()
            || "([\"\u{fffd}".contains(c)
    };
    let around = text.match_indices('@').filter_map(move |(at, _)| {
        let (local, domain) = (text.get(..at)?, text.get(at + 1..)?);
        let local = local.rsplit(ends).next()?.trim_matches('.');
        let domain = domain.split(ends).next()?.trim_matches('.');
        Address::parse(&format!("{local}@{domain}")).ok()
    });
    around.take(MAX_ENTRIES).map(Entry::Address)
}

/// RFC 5322 §4.4 obs-route: `@a,@b:` before the address proper.
fn without_route(inside: &[Token]) -> &[Token] {
    if !inside.first().is_some_and(|token| token.is('@')) {
        return inside;
    }
    let colon = inside.iter().position(|token| token.is(':'));
    colon
        .and_then(|colon| inside.get(colon + 1..))
        .unwrap_or(inside)
}

/// An addr-spec (RFC 5322 §3.4.1), with white space around its dots (§4.4). The dot of the root at the end of a domain is
/// no part of the grammar, and readers show the address all the same.
fn addr_spec(tokens: &[Token]) -> Option<Address> {
    let at = tokens.iter().position(|token| token.is('@'))?;
    let (local, domain) = tokens.split_at(at);
    let domain = match domain {
        [_, Token::Literal(_)] => domain,
        [start @ .., last] if last.is('.') => start,
        _ => domain,
    };
    let local = local_part(local)?;
    let domain = match domain {
        [_, Token::Literal(literal)] => literal.clone(),
        [_, rest @ ..] => dotted(rest, |token| match token {
            Token::Atom(atom) => Some(atom.clone()),
            _ => None,
        })?,
        [] => return None,
    };
    // Octets that were no UTF-8 cannot be compared with anything.
    let text = format!("{local}@{domain}");
    if text.contains('\u{fffd}') {
        return None;
    }
    Address::parse(&text).ok()
}

/// The local part in the form of RFC 5321: quoted as a whole when a word of it is.
fn local_part(tokens: &[Token]) -> Option<String> {
    let quoted = tokens.iter().any(|token| matches!(token, Token::Quoted(_)));
    let words = dotted(tokens, |token| match token {
        Token::Atom(word) | Token::Quoted(word) => Some(word.clone()),
        _ => None,
    })?;
    if quoted {
        let escaped = words.replace('\\', "\\\\").replace('"', "\\\"");
        Some(format!("\"{escaped}\""))
    } else {
        Some(words)
    }
}

/// Words with dots between them; two words without a dot are no such thing.
fn dotted(tokens: &[Token], word: impl Fn(&Token) -> Option<String>) -> Option<String> {
    let mut words = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if index % 2 == 0 {
            words.push(word(token)?);
        } else if !token.is('.') {
            return None;
        }
    }
    (tokens.len() % 2 == 1).then(|| words.join("."))
}

fn unreadable(text: &str) -> Entry {
    Entry::Unreadable(printable(text, MAX_SHOWN))
}

/// The tokens as text for a person.
fn written(tokens: &[Token]) -> String {
    let mut text = String::new();
    let mut after_word = false;
    for token in tokens {
        let is_word = matches!(token, Token::Atom(_) | Token::Literal(_));
        if is_word && after_word {
            text.push(' ');
        }
        after_word = is_word;
        match token {
            Token::Special(special) => text.push(*special),
            Token::Atom(word) | Token::Literal(word) => text.push_str(word),
            Token::Quoted(word) => text.push_str(&format!("\"{word}\"")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Addresses as text, unreadable entries with a `!` before them.
    fn list(value: &str) -> Vec<String> {
        parse_list(value)
            .into_iter()
            .map(|entry| match entry {
                Entry::Address(address) => address.to_string(),
                Entry::Unreadable(text) => format!("!{text}"),
            })
            .collect()
    }

    #[test]
    fn display_names_comments_and_bare_addresses_are_read() {
        assert_eq!(
            list(
                "Zoë (boss) <zoe@office.example>, \"Doe, J. <x@y.example>\" <j@a.example>, bob@b.example (Bob)"
            ),
            ["zoe@office.example", "j@a.example", "bob@b.example"]
        );
        assert_eq!(
            list("=?utf-8?q?Zo=C3=AB?= <zoe@office.example>"),
            ["zoe@office.example"]
        );
        assert_eq!(list("J. Doe [team] <j@a.example>"), ["j@a.example"]);
    }

    #[test]
    fn groups_give_their_members() {
        assert_eq!(
            list("Team: a@x.example, B <b@x.example>; , c@x.example"),
            ["a@x.example", "b@x.example", "c@x.example"]
        );
        assert!(list("undisclosed-recipients:;").is_empty());
    }

    #[test]
    fn obsolete_forms_are_read() {
        assert_eq!(
            list("<@r1.example,@r2.example:a@x.example>"),
            ["a@x.example"]
        );
        assert_eq!(list("john . doe (x) @ x . example"), ["john.doe@x.example"]);
        assert_eq!(list("\"john\".doe@x.example"), ["john.doe@x.example"]);
        assert_eq!(list(", a@x.example,, "), ["a@x.example"]);
    }

    #[test]
    fn quoted_local_parts_and_literals_are_read() {
        assert_eq!(list("\"a@b\"@x.example"), ["\"a@b\"@x.example"]);
        assert_eq!(list("a@[192.0.2.1]"), ["a@[192.0.2.1]"]);
    }

    #[test]
    fn an_address_in_place_of_a_display_name_counts_too() {
        assert_eq!(
            list("boss@office.example <mallory@evil.example>"),
            ["boss@office.example", "mallory@evil.example"]
        );
        assert_eq!(
            list("the boss@office.example <m@evil.example>"),
            ["boss@office.example", "m@evil.example"]
        );
        assert_eq!(
            list("the boss @ office.example <m@evil.example>"),
            ["boss@office.example", "m@evil.example"]
        );
        assert_eq!(
            list("Ann Smith @ Work Ltd <a@x.example>"),
            ["Smith@work", "a@x.example"]
        );
    }

    #[test]
    fn what_cannot_be_read_is_reported() {
        assert_eq!(list("alice"), ["!alice"]);
        assert_eq!(list("Bob <>"), ["!Bob<>"]);
        assert_eq!(list("a\u{fffd}@x.example"), ["!a\u{fffd}@x.example"]);
    }

    #[test]
    fn of_what_cannot_be_read_every_address_counts_that_could_be_shown() {
        for (value, shown) in [
            ("<a@x.example> b", vec!["a@x.example"]),
            (
                "<boss@x.example> <a@y.example>",
                vec!["boss@x.example", "a@y.example"],
            ),
            (
                "boss@x.example a@y.example",
                vec!["boss@x.example", "a@y.example"],
            ),
            ("boss_ a@y.example", vec!["a@y.example"]),
            ("a@x.example (open", vec!["a@x.example"]),
            ("\"open <a@x.example>", vec!["a@x.example"]),
            ("Boss <a@x.example", vec!["a@x.example"]),
            ("<a@x.example>\0", vec!["a@x.example"]),
            ("\"a@x.example\"", vec!["a@x.example"]),
            ("<a@x.example..>", vec!["a@x.example"]),
            ("a@b@x.example", vec!["a@b", "b@x.example"]),
        ] {
            let list = list(value);
            let (unreadable, addresses) = list.split_first().unwrap();
            assert!(unreadable.starts_with('!'), "{list:?}");
            assert_eq!(addresses, shown, "{value}");
        }
        assert_eq!(
            list("a@x.example, <b@x.example"),
            ["a@x.example", "!<b@x.example", "b@x.example"]
        );
    }

    #[test]
    fn the_dot_of_the_root_at_the_end_of_a_domain_is_dropped() {
        assert_eq!(list("<a@x.example.>"), ["a@x.example"]);
        assert_eq!(list("a@X.example . , b@y"), ["a@x.example", "b@y"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_loss_of_all_entries(text in "[a-c@<>,;:.\"\\\\()\\[\\] ]{0,40}") {
            let entries = parse_list(&text);
            // Something with an `@` outside comments and quotes never vanishes silently.
            if let Some(tokens) = tokens(&text) && tokens.iter().any(|token| token.is('@')) {
                prop_assert!(!entries.is_empty());
            }
        }

        #[test]
        fn a_printed_address_is_read_back(local in "[ -~]{1,30}") {
            let domain = smtp::Domain::parse("x.example").unwrap();
            let address = Address::new(&local, &domain).unwrap();
            prop_assert_eq!(parse_list(&address.to_string()), [Entry::Address(address)]);
        }
    }
}
