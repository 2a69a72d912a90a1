//! A value that cannot be taken, said to the person who can change it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One thing that is wrong with a settings document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Problem {
    /// The setting, in the one spelling it has everywhere: `general.max_recipients`.
    pub path: String,
    /// A stable word for the kind of problem, for catalogues of other languages.
    pub code: String,
    /// What is wrong and what to do, in English.
    pub message: String,
    /// The values that the message names, for catalogues of other languages.
    pub args: BTreeMap<String, String>,
}

impl Problem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            code: code.into(),
            message: message.into(),
            args: BTreeMap::new(),
        }
    }

    /// Adds a value that the message names.
    #[must_use]
    pub fn arg(mut self, name: &str, value: impl ToString) -> Self {
        self.args.insert(name.into(), value.to_string());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_the_whole_document_has_no_path_before_it() {
        assert_eq!(Problem::new("", "x", "no object").to_string(), "no object");
        assert_eq!(Problem::new("a.b", "x", "bad").to_string(), "a.b: bad");
    }
}
