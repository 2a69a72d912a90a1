//! Whether a reply is as a scenario says.

use anyhow::{Result, ensure};

use crate::Reply;

/// What a reply must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Its code, its enhanced code if named, and a text that it holds.
    Reply {
        /// Three digits.
        code: u16,
        /// For example `5.7.1`.
        enhanced: Option<String>,
        /// May be empty.
        text: String,
    },
    /// One of its lines holds this.
    Holds(String),
    /// None of its lines holds this.
    Lacks(String),
}

/// Checks one reply.
///
/// # Errors
/// The first expectation that is not met, with the reply.
pub fn check(reply: &Reply, expected: &[Expected]) -> Result<()> {
    ensure!(
        reply.code < 400
            || expected
                .iter()
                .any(|one| matches!(one, Expected::Reply { .. })),
        "a positive reply was expected, and this came:\n{reply}"
    );
    for one in expected {
        match one {
            Expected::Reply {
                code,
                enhanced,
                text,
            } => {
                ensure!(
                    reply.code == *code,
                    "{code} was expected, and this came:\n{reply}"
                );
                if let Some(enhanced) = enhanced {
                    ensure!(
                        has_enhanced(reply, enhanced),
                        "{code} {enhanced} was expected, and this came:\n{reply}"
                    );
                }
                ensure!(holds(reply, text), "\"{text}\" was expected in:\n{reply}");
            }
            Expected::Holds(text) => {
                ensure!(holds(reply, text), "\"{text}\" was expected in:\n{reply}")
            }
            Expected::Lacks(text) => ensure!(
                !holds(reply, text),
                "\"{text}\" was not expected in:\n{reply}"
            ),
        }
    }
    Ok(())
}

/// RFC 2034 §4: each line carries it.
fn has_enhanced(reply: &Reply, enhanced: &str) -> bool {
    reply.lines.iter().all(|line| {
        line.get(4..)
            .is_some_and(|text| text.split(' ').next() == Some(enhanced))
    })
}

/// The class of an enhanced code repeats the class of the reply (RFC 2034 §4); checked for every refusal.
///
/// # Errors
/// It does not, or there is no enhanced code.
pub fn check_class(reply: &Reply) -> Result<()> {
    for line in &reply.lines {
        let enhanced = line
            .get(4..)
            .unwrap_or_default()
            .split(' ')
            .next()
            .unwrap_or_default();
        ensure!(
            is_enhanced(enhanced),
            "a refusal without enhanced code:\n{reply}"
        );
        ensure!(
            line.as_bytes().first() == enhanced.as_bytes().first(),
            "the two codes contradict each other:\n{reply}"
        );
    }
    Ok(())
}

fn holds(reply: &Reply, text: &str) -> bool {
    reply.lines.iter().any(|line| line.contains(text)) || reply.text().contains(text)
}

/// Whether a word has the form of an enhanced code (RFC 3463 §2).
pub fn is_enhanced(word: &str) -> bool {
    let numbers: Vec<&str> = word.split('.').collect();
    numbers.len() == 3
        && numbers
            .iter()
            .all(|n| !n.is_empty() && n.len() <= 3 && n.bytes().all(|b| b.is_ascii_digit()))
}
