//! The short word at the end of a refusal by which its journal record is found again.

/// Crockford's base 32: no I, L, O, U, so that it can be read out over the telephone.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 6;
/// A bounce quotes one refusal, perhaps a few; more than this is not a bounce.
const MOST_TOKENS: usize = 20;

/// A token from 30 of the `random` bits, for example `K7QF2M`.
pub fn new(random: u64) -> String {
    (0..LENGTH)
        .map(|place| char::from(ALPHABET[(random >> (5 * place) & 31) as usize]))
        .collect()
}

/// The token a person typed: brackets, spaces and case do not matter, and the letters that look
/// like digits are read as those. `None` when it cannot be one.
pub fn parse(typed: &str) -> Option<String> {
    let bare = typed
        .trim()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim();
    let token: String = bare
        .chars()
        .take(LENGTH + 1)
        .map(read)
        .collect::<Option<_>>()?;
    (token.len() == LENGTH).then_some(token)
}

/// Every token in square brackets in `text`, in order, each once, at most 20: what a pasted bounce
/// is searched for.
pub fn tokens_in(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (open, _) in text.match_indices('[') {
        let inside = text.get(open + 1..open + 1 + LENGTH);
        let closed = text.as_bytes().get(open + 1 + LENGTH) == Some(&b']');
        let Some(token) = inside.filter(|_| closed).and_then(parse) else {
            continue;
        };
        if !found.contains(&token) {
            found.push(token);
        }
        if found.len() == MOST_TOKENS {
            break;
        }
    }
    found
}

fn read(typed: char) -> Option<char> {
    match typed.to_ascii_uppercase() {
        'O' => Some('0'),
        'I' | 'L' => Some('1'),
        c if c.is_ascii() && ALPHABET.contains(&(c as u8)) => Some(c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_made_of_thirty_random_bits() {
        assert_eq!(new(0), "000000");
        assert_eq!(new(u64::MAX), "ZZZZZZ");
        assert_eq!(new(1 << 30), "000000");
        assert_ne!(new(1 << 29), "000000");
    }

    #[test]
    fn a_typed_token_is_read_kindly() {
        assert_eq!(parse(" [k7qf2m] "), Some("K7QF2M".into()));
        assert_eq!(parse("oil000"), Some("011000".into()));
        assert_eq!(parse("K7QF2"), None);
        assert_eq!(parse("K7QF2MM"), None);
        assert_eq!(parse("K7QU2M"), None);
        assert_eq!(parse("ſ7QF2M"), None);
    }

    #[test]
    fn tokens_are_found_in_a_pasted_bounce() {
        let bounce = "<nobody@office.example>: host mx[192.0.2.1] said: 550 5.1.1\r\n  no such user here [K7QF2M] \
                      (in reply to RCPT TO) [K7QF2M] [TRY] [[A1B2C3]";
        assert_eq!(tokens_in(bounce), ["K7QF2M", "A1B2C3"]);
        assert!(tokens_in("[ümlaut] [日本語] [").is_empty());
    }

    #[test]
    fn the_number_of_tokens_taken_from_a_text_is_bounded() {
        let text: String = (0..1000).map(|n| format!("[{}]", new(n))).collect();
        assert_eq!(tokens_in(&text).len(), MOST_TOKENS);
    }

    proptest! {
        #[test]
        fn every_token_is_found_again(random in any::<u64>(), before in ".*", after in ".*") {
            let token = new(random);
            let found = tokens_in(&format!("{}[{token}]{after}", before.replace('[', "")));
            prop_assert_eq!(found.first(), Some(&token));
            prop_assert_eq!(parse(&token), Some(token));
        }
    }
}
