//! Entries of access(5) and cidr_table(5): a pattern and what to do. What a pattern stands for depends on where the table
//! is used and is not known here.

/// What to do with whoever matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `OK`: let through.
    Ok,
    /// `DUNNO`: no word against it from this table.
    Dunno,
    /// `REJECT`
    Reject,
    /// `DISCARD`
    Discard,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is looked for.
    pub pattern: String,
    /// What to do.
    pub action: Action,
    /// Words behind the action, meant for the sender or the log.
    pub text: String,
}

/// Why a line is no entry that can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// A pattern alone.
    #[error("what is to be done with \"{0}\" is missing: OK, DUNNO, REJECT or DISCARD")]
    NoAction(String),
    /// An action without an equal here.
    #[error("\"{0}\" is not taken; only OK, DUNNO, REJECT and DISCARD are")]
    Action(String),
    /// A quotation mark without its second one.
    #[error("a quotation mark is not closed")]
    Quote,
    /// `if`, `endif` and `!`, which some tables have.
    #[error("conditions (if, endif, !) are not taken; write each pattern for itself")]
    Condition,
}

/// Reads a logical line.
///
/// # Errors
/// Why it is no entry.
pub fn entry(line: &str) -> Result<Entry, AccessError> {
    let line = line.trim_matches([' ', '\t']);
    let (pattern, rest) = split_pattern(line)?;
    let is_condition = match pattern.to_ascii_lowercase().as_str() {
        "endif" => rest.is_empty(),
        "if" => !rest.is_empty() && known(rest).is_none(),
        _ => pattern.starts_with('!'),
    };
    if is_condition {
        return Err(AccessError::Condition);
    }
    if rest.is_empty() {
        return Err(AccessError::NoAction(shown(pattern)));
    }
    let (action, text) = known(rest).ok_or_else(|| AccessError::Action(shown(first_word(rest))))?;
    Ok(Entry {
        pattern: pattern.into(),
        action,
        text: text.trim().into(),
    })
}

fn first_word(text: &str) -> &str {
    text.split([' ', '\t']).next().unwrap_or_default()
}

/// The action that `text` begins with, and what stands behind it.
fn known(text: &str) -> Option<(Action, &str)> {
    let word = first_word(text);
    let action = match word.to_ascii_uppercase().as_str() {
        "OK" => Action::Ok,
        "DUNNO" => Action::Dunno,
        "REJECT" => Action::Reject,
        "DISCARD" => Action::Discard,
        _ => return None,
    };
    Some((action, text.get(word.len()..).unwrap_or_default()))
}

/// The pattern ends at white space; a quoted local part can hold some.
fn split_pattern(line: &str) -> Result<(&str, &str), AccessError> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                let (pattern, rest) = line.split_at(at);
                return Ok((pattern, rest.trim_start_matches([' ', '\t'])));
            }
            _ => {}
        }
    }
    if quoted {
        Err(AccessError::Quote)
    } else {
        Ok((line, ""))
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Writes an entry; the pattern must be one that [`entry`] reads.
pub fn line(pattern: &str, action: Action) -> String {
    let word = match action {
        Action::Ok => "OK",
        Action::Dunno => "DUNNO",
        Action::Reject => "REJECT",
        Action::Discard => "DISCARD",
    };
    format!("{pattern}\t{word}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pattern_action_and_words() {
        let read = entry("192.0.2.0/24\t  reject  go away ").unwrap();
        assert_eq!(
            (read.pattern.as_str(), read.action, read.text.as_str()),
            ("192.0.2.0/24", Action::Reject, "go away")
        );
        let quoted = entry("\"john smith\"@example.com OK").unwrap();
        assert_eq!(quoted.pattern, "\"john smith\"@example.com");
        assert_eq!(
            entry(&line("a@b.example", Action::Dunno)).unwrap().action,
            Action::Dunno
        );
    }

    #[test]
    fn what_is_not_taken_has_words() {
        assert!(matches!(
            entry("example.com"),
            Err(AccessError::NoAction(_))
        ));
        for action in [
            "HOLD",
            "550 5.7.1 no",
            "PERMIT",
            "FILTER x:y",
            "permit_mynetworks",
        ] {
            assert!(
                matches!(entry(&format!("a {action}")), Err(AccessError::Action(_))),
                "{action}"
            );
        }
        assert_eq!(entry("\"a b@c OK"), Err(AccessError::Quote));
        for condition in ["if 10.0.0.0/8", "endif", "!10.0.0.0/8 OK"] {
            assert_eq!(entry(condition), Err(AccessError::Condition));
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange_to_be_read(line in "\\PC{0,60}") {
            let _ = entry(&line);
        }
    }
}
