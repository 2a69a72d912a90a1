//! Bounds for what strangers write: nothing longer than a column is meant for gets into a row.

/// `text` without NUL and other control characters, at most `limit` characters; a cut is marked
/// with an ellipsis. Line breaks and tabs become spaces: one row, one line.
pub(crate) fn clamp(text: &str, limit: usize) -> String {
    let mut kept: String = text
        .chars()
        .take(limit)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(limit).is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
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
