//! Bounds for what strangers write: nothing longer than a column is meant for gets into a row.

/// `text` without NUL and other control characters, at most `limit` characters; a cut is marked
/// with an ellipsis. Line breaks and tabs become spaces: one row, one line. What would turn the
/// letters around it the other way becomes U+FFFD, so that a row reads as it was written.
pub(crate) fn clamp(text: &str, limit: usize) -> String {
    let mut kept: String = text
        .chars()
        .take(limit)
        .map(|c| match c {
            _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
            _ if turns_letters(c) => char::REPLACEMENT_CHARACTER,
            _ => c,
        })
        .collect();
    if text.chars().nth(limit).is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// The characters with `Bidi_Control` (UAX #9 §2): unseen, they change in which order the others are shown.
fn turns_letters(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_do_not_reach_a_row() {
        assert_eq!(clamp("a\r\nb\0c\u{1b}[31m", 50), "a  b c [31m");
    }

    #[test]
    fn a_row_reads_in_the_order_in_which_it_was_written() {
        assert_eq!(clamp("exe.\u{202e}gpj\u{2028}x", 50), "exe.\u{fffd}gpj x");
        for turns in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202d}\u{2066}\u{2069}".chars() {
            assert_eq!(clamp(&turns.to_string(), 50), "\u{fffd}", "{turns:?}");
        }
        assert_eq!(clamp("שלום", 50), "שלום");
    }

    #[test]
    fn a_cut_is_visible() {
        assert_eq!(clamp("ümlaut", 6), "ümlaut");
        assert_eq!(clamp("ümlaut", 4), "üml…");
        assert_eq!(clamp("", 4), "");
    }

    proptest! {
        #[test]
        fn a_clamped_text_never_exceeds_its_limit(text in any::<String>(), limit in 1usize..40) {
            let kept = clamp(&text, limit);
            prop_assert!(kept.chars().count() <= limit);
            prop_assert!(!kept.chars().any(char::is_control));
        }
    }
}
