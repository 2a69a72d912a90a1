//! The black and white lists: rules one by one, and whole files of them. Each act is one revision.

use std::io::Read;
use std::path::Path;

use policy::lists::overlap::{ListAnalysis, analyse};
use serde::{Deserialize, Serialize};
use server::{Snapshot, clock, rows};
use settings::Problem;
use settings::security::exchange::{
    self, Format, Import, ImportVerdict, ListImportLine, MAX_FILE, OnExisting,
};
use settings::security::{Criterion, ListRule, Lists};
use store::{list_hit, setting};
use ts_rs::TS;

use crate::{Control, Failure, FailureKind};

/// Lines that a preview shows at most, so that a window can show it.
const MAX_LINES: usize = 5_000;

/// How often a rule matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ListHits {
    /// Name of the rule.
    pub name: String,
    /// Messages of the last seven days.
    pub hits: u64,
    /// The last one ever, in milliseconds since 1970 UTC.
    pub last_at_ms: i64,
}

/// How a file of rules is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ListFormat {
    /// Comma-separated values, with all there is of a rule.
    Csv,
    /// Postfix's access(5), for senders or for recipients.
    Access,
    /// Postfix's cidr_table(5), for clients.
    Cidr,
}

/// A file to read rules from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ListImport {
    /// Where it lies.
    pub path: String,
    /// How it is written; none to see it from the file.
    pub format: Option<ListFormat>,
    /// What the addresses of an access table are: `sender` or `recipient`.
    pub addresses: Criterion,
    /// What becomes of rules that are there under the same name.
    pub existing: OnExisting,
}

/// What would become of each line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ListImportPreview {
    /// How the file was read.
    pub format: ListFormat,
    /// Its lines; of more than 5,000 the wrong ones first of all.
    pub lines: Vec<ListImportLine>,
    /// New rules.
    pub added: u32,
    /// Rules that would change.
    pub changed: u32,
    /// Lines that would change nothing: the rule is there, or its name is taken and stays.
    pub kept: u32,
    /// Lines that are no rules and would be left out.
    pub refused: u32,
    /// Why nothing of it can be taken.
    pub problem: Option<String>,
}

/// What was taken from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct ListImported {
    /// New rules.
    pub added: u32,
    /// Rules that changed.
    pub changed: u32,
    /// Lines that changed nothing.
    pub kept: u32,
    /// Lines that were left out.
    pub refused: u32,
}

/// What was written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct ListExported {
    /// Rules in it.
    pub written: u32,
    /// Rules that its format cannot hold.
    pub left_out: u32,
}

impl Control {
    /// Adds a rule (`name` is `None`) or changes the one of that name. The revision in which it is so.
    ///
    /// # Errors
    /// What is wrong with the rule, or that there is none of that name.
    pub fn list_set(&self, name: Option<&str>, rule: ListRule) -> Result<i64, Failure> {
        let old = name.map(str::to_owned);
        let reason = match &old {
            None => format!("rule {} added", rule.name),
            Some(old) => format!("rule {old} changed"),
        };
        let renamed = old.clone().map(|old| (old, rule.name.clone()));
        self.change_lists(&reason, renamed, move |rules| match &old {
            None => {
                rules.push(rule);
                Ok(())
            }
            Some(old) => {
                let known = rules.iter_mut().find(|known| same_name(&known.name, old));
                *known.ok_or_else(|| vec![no_such(old)])? = rule;
                Ok(())
            }
        })
    }

    /// Removes rules, all or none. The revision in which they are gone.
    ///
    /// # Errors
    /// That there is none of a name.
    pub fn lists_remove(&self, names: Vec<String>) -> Result<i64, Failure> {
        let reason = match names.as_slice() {
            [name] => format!("rule {name} removed"),
            _ => format!("{} rules removed", names.len()),
        };
        self.change_lists(&reason, None, move |rules| {
            let mut gone: std::collections::HashSet<String> =
                names.iter().map(|name| name.to_lowercase()).collect();
            rules.retain(|rule| !gone.remove(&rule.name.to_lowercase()));
            match names
                .iter()
                .find(|name| gone.contains(&name.to_lowercase()))
            {
                Some(name) => Err(vec![no_such(name)]),
                None => Ok(()),
            }
        })
    }

    /// Puts removed rules back. The revision in which they are there.
    ///
    /// # Errors
    /// That a name is taken meanwhile.
    pub fn lists_restore(&self, back: Vec<ListRule>) -> Result<i64, Failure> {
        let reason = format!("{} rules brought back", back.len());
        self.change_lists(&reason, None, move |rules| {
            rules.extend(back);
            Ok(())
        })
    }

    /// What a rule would come to; `name` is the stored rule that is being edited.
    ///
    /// # Errors
    /// When the settings cannot be read.
    pub fn lists_analyse(
        &self,
        rule: &ListRule,
        name: Option<&str>,
    ) -> Result<ListAnalysis, Failure> {
        Ok(analyse(rule, &self.snapshot()?.settings, name))
    }

    /// Rules that ever matched a message.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn lists_hits(&self) -> Result<Vec<ListHits>, Failure> {
        let hits = self
            .store
            .read(|conn| list_hit::all(conn, clock::now_ms()))?;
        let shown = |hits: list_hit::Hits| ListHits {
            name: hits.rule,
            hits: hits.hits,
            last_at_ms: hits.last_ms,
        };
        Ok(hits.into_iter().map(shown).collect())
    }

    /// What would become of each line of a file; nothing is stored.
    ///
    /// # Errors
    /// When the file or the settings cannot be read.
    pub fn lists_import_preview(&self, wanted: &ListImport) -> Result<ListImportPreview, Failure> {
        let file = read(&wanted.path)?;
        let format = wanted.format_of(&file);
        let lists = self.snapshot()?.settings.security.lists;
        let found = exchange::import(&lists, exchange::read(format, &file), wanted.existing);
        let counted = ListImported::of(&found);
        Ok(ListImportPreview {
            format: ListFormat::of(format),
            added: counted.added,
            changed: counted.changed,
            kept: counted.kept,
            refused: counted.refused,
            problem: found.problems.first().map(ToString::to_string),
            lines: worst(found.lines),
        })
    }

    /// Takes the rules of a file in one revision. Lines that are no rules are left out.
    ///
    /// # Errors
    /// When the file cannot be read, or the rules together cannot be stored.
    pub fn lists_import(&self, wanted: &ListImport) -> Result<ListImported, Failure> {
        self.import(wanted, false)
    }

    /// As [`Self::lists_import`], unless a line is no rule.
    ///
    /// # Errors
    /// The lines that are no rules; nothing was stored then.
    pub fn lists_import_all(&self, wanted: &ListImport) -> Result<ListImported, Failure> {
        self.import(wanted, true)
    }

    fn import(&self, wanted: &ListImport, all: bool) -> Result<ListImported, Failure> {
        let file = read(&wanted.path)?;
        let lines = exchange::read(wanted.format_of(&file), &file);
        let existing = wanted.existing;
        let (send, counted) = std::sync::mpsc::channel();
        self.change_lists("rules imported", None, move |rules| {
            let lists: Lists = std::mem::take(rules).into();
            let found = exchange::import(&lists, lines, existing);
            let wrong: Vec<Problem> = found
                .lines
                .iter()
                .filter_map(wrong_line)
                .take(MAX_WRONG)
                .collect();
            if all && !wrong.is_empty() {
                return Err(wrong);
            }
            // Whoever asked waits for it.
            let _ = send.send(ListImported::of(&found));
            *rules = found.lists.rules().to_vec();
            Ok(())
        })?;
        counted
            .try_recv()
            .map_err(|_| Failure::new(FailureKind::Io, "nobody counted the rules of the file"))
    }

    /// Writes the rules that the format can hold into a file, in the place of what is there. For [`ListFormat::Access`],
    /// `addresses` says whether the table is one of senders (also without a word) or of recipients.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn lists_export(
        &self,
        path: &str,
        format: ListFormat,
        addresses: Option<Criterion>,
    ) -> Result<ListExported, Failure> {
        let (text, exported) = self.lists_exported(format, addresses)?;
        std::fs::write(path, text).map_err(|error| {
            Failure::new(
                FailureKind::Io,
                format!("{path} cannot be written: {error}"),
            )
        })?;
        Ok(exported)
    }

    /// The text that [`Self::lists_export`] writes.
    ///
    /// # Errors
    /// When the settings cannot be read.
    pub fn lists_exported(
        &self,
        format: ListFormat,
        addresses: Option<Criterion>,
    ) -> Result<(String, ListExported), Failure> {
        let format = format.with(addresses.unwrap_or(Criterion::Sender));
        let lists = self.snapshot()?.settings.security.lists;
        let rules = lists.rules();
        let written = rules
            .iter()
            .filter(|rule| exchange::fits(format, rule.criterion))
            .count();
        let exported = ListExported {
            written: number(written),
            left_out: number(rules.len() - written),
        };
        Ok((exchange::write(format, rules), exported))
    }

    /// One revision: the edited rules are checked and stored. With `renamed`, what was counted for a rule goes along.
    fn change_lists(
        &self,
        reason: &str,
        renamed: Option<(String, String)>,
        edit: impl FnOnce(&mut Vec<ListRule>) -> Result<(), Vec<Problem>> + Send + 'static,
    ) -> Result<i64, Failure> {
        let reason = reason.to_owned();
        let stored = self.store.write_blocking(move |tx| {
            let mut settings = match Snapshot::read(tx)? {
                Ok(snapshot) => snapshot.settings,
                Err(problems) => return Ok(Err(problems)),
            };
            let mut rules = settings.security.lists.rules().to_vec();
            if let Err(problems) = edit(&mut rules) {
                return Ok(Err(problems));
            }
            settings.security.lists = rules.into();
            let settings = settings.in_order();
            let problems = settings.check();
            if !problems.is_empty() {
                return Ok(Err(problems));
            }
            if let Some((from, to)) = renamed {
                list_hit::rename(tx, &from, &to)?;
            }
            let author = crate::author();
            setting::replace(tx, &rows(&settings), &author, &reason, clock::now_ms()).map(Ok)
        })?;
        let revision = stored.map_err(Failure::problems)?.0;
        self.until_in_force(revision)?;
        Ok(revision)
    }
}

impl ListImport {
    fn format_of(&self, file: &[u8]) -> Format {
        let seen = || ListFormat::of(exchange::guess(file));
        self.format.unwrap_or_else(seen).with(self.addresses)
    }
}

impl ListFormat {
    fn with(self, addresses: Criterion) -> Format {
        match (self, addresses) {
            (Self::Csv, _) => Format::Csv,
            (Self::Cidr, _) => Format::PostfixClient,
            (Self::Access, Criterion::Recipient) => Format::PostfixRecipient,
            (Self::Access, _) => Format::PostfixSender,
        }
    }

    fn of(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::PostfixClient => Self::Cidr,
            Format::PostfixSender | Format::PostfixRecipient => Self::Access,
        }
    }
}

impl ListImported {
    fn of(import: &Import) -> Self {
        let kept = import.count(ImportVerdict::Kept) + import.count(ImportVerdict::Same);
        Self {
            added: number(import.count(ImportVerdict::Added)),
            changed: number(import.count(ImportVerdict::Changed)),
            kept: number(kept),
            refused: number(import.refused()),
        }
    }
}

/// Lines that are told when a file is not taken.
const MAX_WRONG: usize = 100;

fn wrong_line(line: &ListImportLine) -> Option<Problem> {
    let words = format!("line {}: {}: {}", line.line, line.text, line.message);
    let is_wrong = line.rule.is_none();
    is_wrong.then(|| Problem::new("", &line.code, words).arg("line", line.line))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Not too many lines, and the wrong ones in any case, in their order.
fn worst(mut lines: Vec<ListImportLine>) -> Vec<ListImportLine> {
    if lines.len() > MAX_LINES {
        lines.sort_by_key(|line| line.rule.is_some());
        lines.truncate(MAX_LINES);
        lines.sort_by_key(|line| line.line);
    }
    lines
}

/// Reads a file, or standard input for `-`; a little more than may be, so that too much is seen.
fn read(path: &str) -> Result<Vec<u8>, Failure> {
    let limit = MAX_FILE as u64 + 1;
    let mut octets = Vec::new();
    let read = if path == "-" {
        std::io::stdin().take(limit).read_to_end(&mut octets)
    } else {
        std::fs::File::open(Path::new(path))
            .and_then(|file| file.take(limit).read_to_end(&mut octets))
    };
    read.map(|_| octets)
        .map_err(|error| Failure::new(FailureKind::Io, format!("{path} cannot be read: {error}")))
}

fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn no_such(name: &str) -> Problem {
    Problem::new(
        format!("security.lists.{name}"),
        "no_such_entry",
        format!("there is no rule \"{name}\""),
    )
    .arg("value", name)
}

#[cfg(test)]
mod tests;
