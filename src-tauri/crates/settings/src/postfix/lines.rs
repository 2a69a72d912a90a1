//! Logical lines, as all of Postfix's text files have them (postconf(5), postmap(1)): `#` begins a comment line, and a line
//! that begins with white space goes on where the one before ended.

/// Octets of a logical line; more are an accident or an attack.
pub const MAX_LINE: usize = 8 * 1024;

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A logical line with something on it.
    Text(Line),
    /// A comment line, without its `#`.
    Comment(Line),
    /// A line that cannot be read.
    Bad {
        /// Its number, from 1.
        number: usize,
        /// Why not.
        why: LineError,
    },
}

/// A logical line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Number of its first line in the file, from 1.
    pub number: usize,
    /// Its text, without white space at the ends; lines that were joined have what stood between them.
    pub text: String,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// White space at its beginning, and no line before it.
    #[error(
        "the line begins with a space, so it goes on with the line before it, and there is none"
    )]
    NothingToContinue,
    /// More than [`MAX_LINE`].
    #[error("the line is longer than {MAX_LINE} characters")]
    TooLong,
    /// A control character.
    #[error("the line holds a control character")]
    Control,
}

/// All pieces of `text`, in their order. Empty lines are left out.
pub fn items(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    // Place of the logical line that can still go on; comments and empty lines do not end it.
    let mut open: Option<usize> = None;
    for (at, raw) in text.split('\n').enumerate() {
        let number = at + 1;
        let line = raw.strip_suffix('\r').unwrap_or(raw);
        let trimmed = line.trim_matches(blank);
        if trimmed.is_empty() {
            continue;
        }
        if let Some(comment) = trimmed.strip_prefix('#') {
            let text: String = comment.chars().take(MAX_LINE).collect();
            items.push(Item::Comment(Line { number, text }));
            continue;
        }
        let bad = |why| Item::Bad { number, why };
        if trimmed.chars().any(|c| c.is_control() && c != '\t') {
            open = None;
            items.push(bad(LineError::Control));
        } else if line.len() > MAX_LINE {
            open = None;
            items.push(bad(LineError::TooLong));
        } else if !line.starts_with(blank) {
            open = Some(items.len());
            items.push(Item::Text(Line {
                number,
                text: trimmed.into(),
            }));
        } else {
            match open.and_then(|place| items.get_mut(place)) {
                Some(Item::Text(whole)) if whole.text.len() + line.len() <= MAX_LINE => {
                    whole.text.push(' ');
                    whole.text.push_str(trimmed);
                }
                Some(begun) => {
                    let number = match begun {
                        Item::Text(whole) | Item::Comment(whole) => whole.number,
                        Item::Bad { number, .. } => *number,
                    };
                    *begun = Item::Bad {
                        number,
                        why: LineError::TooLong,
                    };
                }
                None => items.push(bad(LineError::NothingToContinue)),
            }
        }
    }
    items
}

fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(number: usize, text: &str) -> Item {
        Item::Text(Line {
            number,
            text: text.into(),
        })
    }

    #[test]
    fn a_line_goes_on_over_comments_and_empty_lines() {
        let found = items("# head\na b\r\n  c\n\n # between\n\td\n\nnext\n");
        assert_eq!(found.len(), 4);
        assert_eq!(found[1], text(2, "a b c d"));
        assert!(matches!(&found[2], Item::Comment(line) if line.number == 5));
        assert_eq!(found[3], text(8, "next"));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        assert_eq!(
            items("  x\nok\n"),
            [
                Item::Bad {
                    number: 1,
                    why: LineError::NothingToContinue
                },
                text(2, "ok")
            ]
        );
        let long = "x".repeat(MAX_LINE + 1);
        assert_eq!(
            items(&format!("a\n{long}\nb\u{0}\nc")),
            [
                text(1, "a"),
                Item::Bad {
                    number: 2,
                    why: LineError::TooLong
                },
                Item::Bad {
                    number: 3,
                    why: LineError::Control
                },
                text(4, "c")
            ]
        );
        let endless = format!("a\n{}", format!(" {}\n", "y".repeat(1000)).repeat(20));
        assert_eq!(
            items(&endless),
            [Item::Bad {
                number: 1,
                why: LineError::TooLong
            }]
        );
    }

    proptest! {
        #[test]
        fn no_text_yields_more_than_it_has_lines(text in "[a #\t\r\n]{0,80}|\\PC{0,80}") {
            let found = items(&text);
            prop_assert!(found.len() <= text.split('\n').count());
            let numbers: Vec<usize> = found.iter().map(|item| match item {
                Item::Text(line) | Item::Comment(line) => line.number,
                Item::Bad { number, .. } => *number,
            }).collect();
            prop_assert!(numbers.is_sorted());
        }
    }
}
