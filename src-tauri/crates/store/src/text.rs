//! Bounds for what strangers write: nothing longer than a column is meant for gets into a row.

use serde_json::Value;

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

/// `value` as JSON text, or a short object that tells the lost size when it is over `limit` octets.
pub(crate) fn clamp_json(value: &Value, limit: usize) -> String {
    let text = value.to_string();
    if text.len() <= limit {
        return text;
    }
    serde_json::json!({ "left_out": true, "octets": text.len() }).to_string()
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

    #[test]
    fn json_over_the_limit_is_replaced_by_its_size() {
        let value = Value::from("x".repeat(100));
        assert_eq!(clamp_json(&value, 102), value.to_string());
        assert_eq!(clamp_json(&value, 101), r#"{"left_out":true,"octets":102}"#);
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
