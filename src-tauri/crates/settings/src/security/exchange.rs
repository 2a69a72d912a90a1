//! Rules into files and out of them: CSV, and the tables of Postfix.
//!
//! Reading says of each line what would become of it, so that a person can look before anything is stored.

mod csv;
mod import;
mod tables;

use super::lists::{Criterion, ListAction, ListKind, ListRule};

pub use import::{Import, ImportVerdict, ListImportLine, OnExisting, import};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a line of column names; holds everything.
    Csv,
    /// Client addresses and networks: Postfix's `check_client_access`, as cidr_table(5).
    PostfixClient,
    /// Senders and their domains: `check_sender_access`, as access(5).
    PostfixSender,
    /// Recipients: `check_recipient_access`, as access(5).
    PostfixRecipient,
}

/// A file larger than this holds more rules than there can be.
pub const MAX_FILE: usize = 64 << 20;

/// A rule as a file has it; without a name it gets one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    name: Option<String>,
    list: ListKind,
    criterion: Criterion,
    value: String,
    action: ListAction,
    enabled: bool,
    comment: String,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// A stable word for it.
    pub code: String,
    /// In English.
    pub message: String,
}

impl Mistake {
    /// Whether the line says something that has no equal here, in place of saying it wrongly.
    fn is_unsupported(&self) -> bool {
        matches!(self.code.as_str(), "pattern" | "unsupported")
    }

    fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// A line that holds a rule, or should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLine {
    /// Its number, from 1.
    pub number: usize,
    /// Its beginning, to be shown.
    pub text: String,
    /// The rule, or why there is none.
    pub rule: Result<Draft, Mistake>,
}

impl FileLine {
    fn new(number: usize, text: &str, rule: Result<Draft, Mistake>) -> Self {
        Self {
            number,
            text: shown(text),
            rule,
        }
    }
}

/// Lines are shown up to here.
const SHOWN: usize = 120;

fn shown(text: &str) -> String {
    text.chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Reads a file. A file that is no text at all has one line, with the mistake.
pub fn read(format: Format, file: &[u8]) -> Vec<FileLine> {
    let whole = |number, mistake| vec![FileLine::new(number, "", Err(mistake))];
    if file.len() > MAX_FILE {
        let words = format!("a file can have at most {} MB", MAX_FILE >> 20);
        return whole(1, Mistake::new("too_large", words));
    }
    // Spreadsheets put a byte order mark before the first letter.
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let text = match std::str::from_utf8(file) {
        Ok(text) => text,
        Err(error) => {
            let before = file.get(..error.valid_up_to()).unwrap_or_default();
            let number = 1 + before.iter().filter(|octet| **octet == b'\n').count();
            let words = "this line is not UTF-8; save the file as UTF-8 text";
            return whole(number, Mistake::new("not_utf8", words));
        }
    };
    match format {
        Format::Csv => csv::read(text),
        Format::PostfixClient | Format::PostfixSender | Format::PostfixRecipient => {
            tables::read(format, text)
        }
    }
}

/// Writes the rules that the format can hold; those of other criteria are left out, see [`fits`].
pub fn write(format: Format, rules: &[ListRule]) -> String {
    match format {
        Format::Csv => csv::write(rules),
        Format::PostfixClient | Format::PostfixSender | Format::PostfixRecipient => {
            tables::write(format, rules)
        }
    }
}

/// Whether the format has a place for rules of this criterion.
pub fn fits(format: Format, criterion: Criterion) -> bool {
    match format {
        Format::Csv => true,
        Format::PostfixClient => matches!(criterion, Criterion::Ip | Criterion::IpMask),
        Format::PostfixSender => matches!(criterion, Criterion::Sender | Criterion::Domain),
        Format::PostfixRecipient => criterion == Criterion::Recipient,
    }
}

/// The format that a file seems to have; a table of addresses is taken for one of senders.
pub fn guess(file: &[u8]) -> Format {
    let head = file.get(..GUESSED_FROM).unwrap_or(file);
    let text = String::from_utf8_lossy(head);
    let first = text.trim_start_matches('\u{feff}').lines().next();
    let header = first.unwrap_or_default().to_lowercase();
    if header.contains("criterion") && header.contains("value") {
        return Format::Csv;
    }
    let client = |line: &&FileLine| {
        line.rule
            .as_ref()
            .is_ok_and(|rule| fits(Format::PostfixClient, rule.criterion))
    };
    if tables::read(Format::PostfixClient, &text)
        .iter()
        .any(|line| client(&line))
    {
        Format::PostfixClient
    } else {
        Format::PostfixSender
    }
}

/// Octets of a file that are looked at to guess its format.
const GUESSED_FROM: usize = 16 * 1024;

#[cfg(test)]
mod tests;
