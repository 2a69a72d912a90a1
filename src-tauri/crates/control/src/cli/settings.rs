//! `settings`: get, set, apply, export, check.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::Output;
use crate::{Applied, Control, Failure, FailureKind};

/// Documents larger than this are no settings.
const MAX_DOCUMENT: u64 = 64 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show all settings, or the one at PATH.
    Get {
        /// For example general.max_hops
        path: Option<String>,
    },
    /// Change one setting.
    Set {
        /// For example general.max_hops
        path: String,
        /// JSON, or plain text for a setting that is text.
        value: String,
    },
    /// Change what a JSON document names, all or nothing.
    Apply {
        /// A file, or - for standard input.
        file: PathBuf,
        /// A word on why, for the history.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Show all settings as a document that `apply` takes. Secrets are not in it.
    Export,
    /// Say what `apply` would refuse; nothing is changed.
    Check {
        /// A file, or - for standard input.
        file: PathBuf,
    },
}

pub(super) fn run(control: &Control, verb: Verb, output: &Output) -> Result<(), Failure> {
    match verb {
        Verb::Get { path } => {
            let value = get(control, path.as_deref().unwrap_or_default())?;
            output.value(&value, |value| match value {
                Value::String(text) => text.clone(),
                other => serde_json::to_string_pretty(other).unwrap_or_default(),
            });
            Ok(())
        }
        Verb::Set { path, value } => {
            let applied = set(control, &path, &value)?;
            report(&applied, output);
            Ok(())
        }
        Verb::Apply { file, reason } => {
            let applied = control.settings_apply(&read(&file)?, None, &crate::author(), &reason)?;
            report(&applied, output);
            Ok(())
        }
        Verb::Export => {
            output.value(&control.settings_get()?.settings, |settings| {
                serde_json::to_string_pretty(settings).unwrap_or_default()
            });
            Ok(())
        }
        Verb::Check { file } => {
            let problems = control.settings_check(&read(&file)?)?;
            if problems.is_empty() {
                output.value(&json!({"problems": []}), |_| {
                    "nothing would be refused".into()
                });
                Ok(())
            } else {
                Err(Failure::problems(problems))
            }
        }
    }
}

fn report(applied: &Applied, output: &Output) {
    output.value(applied, |applied| {
        let mut lines = vec![format!("revision {}", applied.revision)];
        lines.extend(applied.notes.iter().map(|note| format!("note: {note}")));
        lines.join("\n")
    });
}

fn get(control: &Control, path: &str) -> Result<Value, Failure> {
    let all = serde_json::to_value(control.settings_get()?.settings).unwrap_or_default();
    let mut at = &all;
    for step in path.split('.').filter(|step| !step.is_empty()) {
        at = entry(at, step).ok_or_else(|| unknown(path))?;
    }
    Ok(at.clone())
}

/// A field of an object, or the entry of that name in a list.
fn entry<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Array(list) => list
            .iter()
            .find(|entry| entry.get("name").and_then(Value::as_str) == Some(step))
            .or_else(|| list.get(step.parse::<usize>().ok()?)),
        other => other.get(step),
    }
}

fn set(control: &Control, path: &str, text: &str) -> Result<Applied, Failure> {
    let old = get(control, path)?;
    let value = match (serde_json::from_str::<Value>(text), &old) {
        // A text setting takes what was typed as it is, also when it looks like a number.
        (Ok(value @ Value::String(_)), _) => value,
        (_, Value::String(_)) => Value::String(text.into()),
        (Ok(value), _) => value,
        (Err(_), _) => Value::String(text.into()),
    };
    let steps: Vec<&str> = path.split('.').collect();
    let document = match steps.as_slice() {
        [section, field] => json!({ *section: { *field: value } }),
        ["security", part, field] => json!({ "security": { *part: { *field: value } } }),
        _ => {
            return Err(Failure::new(
                FailureKind::Problems,
                format!(
                    "{path}: only a setting like general.max_hops can be set; use `settings apply`, `user`, `group` or `lists` for the rest"
                ),
            ));
        }
    };
    control.settings_apply(&document, None, &crate::author(), &format!("{path} set"))
}

fn unknown(path: &str) -> Failure {
    Failure::new(
        FailureKind::Problems,
        format!("{path}: there is no such setting; `settings get` shows all"),
    )
}

fn read(file: &Path) -> Result<Value, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(
            FailureKind::Problems,
            format!("{}: {error}", file.display()),
        )
    };
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin()
            .take(MAX_DOCUMENT)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(MAX_DOCUMENT).read_to_string(&mut text))
    };
    read.map_err(|error| failed(&error))?;
    // The message of serde_json names line and column.
    serde_json::from_str(&text).map_err(|error| failed(&error))
}
