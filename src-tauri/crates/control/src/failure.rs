//! Why something that a person asked for was not done, for the window and the command line alike.

use serde::Serialize;
use settings::Problem;
use store::StoreError;
use ts_rs::TS;

/// What kind of failure it is, so that the window knows where to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Values that cannot be taken; each problem names its field.
    Problems,
    /// Somebody else changed the same section meanwhile.
    Conflict,
    /// The server does not answer, or is not there.
    Unavailable,
    /// Disk or database.
    Io,
}

/// A refusal or an error; nothing was changed.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Failure {
    /// See [`FailureKind`].
    pub kind: FailureKind,
    /// What happened and what to do.
    pub message: String,
    /// The fields concerned.
    pub problems: Vec<Problem>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            problems: Vec::new(),
        }
    }

    pub(crate) fn problem(problem: Problem) -> Self {
        Self::problems(vec![problem])
    }

    pub(crate) fn problems(problems: Vec<Problem>) -> Self {
        let message = problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        Self {
            kind: FailureKind::Problems,
            message,
            problems,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(FailureKind::Io, error.to_string())
    }
}
