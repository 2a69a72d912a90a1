//! Answers for people, or in JSON for programs.

use std::io::Write;

use serde::Serialize;

use crate::Failure;

/// How to answer.
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    /// Prints a value, in words unless JSON was asked for.
    pub(super) fn value<T: Serialize>(&self, value: &T, words: impl FnOnce(&T) -> String) {
        let text = if self.json {
            json(value)
        } else {
            shown(&words(value))
        };
        // Whoever closed the pipe has read enough.
        let _ = writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n'));
    }

    /// Says to a program that something was done, with the entry that came of it; people see it by the exit status.
    pub(super) fn done<T: Serialize>(&self, entry: &T) {
        if self.json {
            self.value(entry, |_| String::new());
        }
    }

    /// Prints why something was not done, on the error stream.
    pub(super) fn failure(&self, failure: &Failure) {
        let text = if self.json {
            json(failure)
        } else {
            shown(&failure.message)
        };
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// Text for a terminal: a document or a file name can hold characters that would steer it.
pub(super) fn shown(text: &str) -> String {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.replace(steers, "\u{fffd}")
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
