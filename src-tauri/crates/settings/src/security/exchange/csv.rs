//! RFC 4180 with a header line. A file whose header has semicolons in place of commas, as some spreadsheets write it, is
//! read as well.

use super::{Draft, FileLine, Mistake};
use crate::security::lists::{Criterion, ListAction, ListKind, ListRule};

const COLUMNS: [&str; 7] = [
    "name",
    "list",
    "criterion",
    "value",
    "action",
    "enabled",
    "comment",
];
/// Without these there is no rule.
const NEEDED: [&str; 3] = ["list", "criterion", "value"];
/// Octets of a record.
const MAX_RECORD: usize = 8 * 1024;

pub(super) fn read(text: &str) -> Vec<FileLine> {
    let first = text.lines().next().unwrap_or_default();
    let comma = if first.contains(';') && !first.contains(',') {
        b';'
    } else {
        b','
    };
    let mut records = Records {
        text,
        at: 0,
        number: 1,
        comma,
    };
    let header = match records.next() {
        Some((_, _, Ok(fields))) => fields,
        Some((number, raw, Err(mistake))) => return vec![FileLine::new(number, raw, Err(mistake))],
        None => Vec::new(),
    };
    let columns = match columns(&header) {
        Ok(columns) => columns,
        Err(mistake) => return vec![FileLine::new(1, first, Err(mistake))],
    };
    records
        .map(|(number, raw, fields)| {
            FileLine::new(
                number,
                raw,
                fields.and_then(|fields| draft(&columns, fields)),
            )
        })
        .collect()
}

/// Which field is in which place of a record.
fn columns(header: &[String]) -> Result<Vec<&'static str>, Mistake> {
    let wrong = |words: String| {
        Mistake::new(
            "header",
            format!(
                "{words}; the first line must name the columns: {}",
                COLUMNS.join(",")
            ),
        )
    };
    let mut columns = Vec::new();
    for name in header {
        let folded = name.trim().to_lowercase();
        let known = COLUMNS.into_iter().find(|column| *column == folded);
        let known =
            known.ok_or_else(|| wrong(format!("\"{}\" is no column", super::shown(name))))?;
        if columns.contains(&known) {
            return Err(wrong(format!("the column {known} is there twice")));
        }
        columns.push(known);
    }
    match NEEDED.into_iter().find(|needed| !columns.contains(needed)) {
        Some(missing) => Err(wrong(format!("the column {missing} is missing"))),
        None => Ok(columns),
    }
}

fn draft(columns: &[&str], fields: Vec<String>) -> Result<Draft, Mistake> {
    if fields.len() != columns.len() {
        return Err(Mistake::new(
            "columns",
            format!(
                "{} columns are needed, and there are {}",
                columns.len(),
                fields.len()
            ),
        ));
    }
    let field = |name: &str| {
        columns
            .iter()
            .position(|column| *column == name)
            .and_then(|at| fields.get(at))
            .map(String::as_str)
            .unwrap_or_default()
    };
    let word = |name: &str| field(name).trim().to_lowercase();
    let one_of = |name: &str, words: &str| {
        Mistake::new(
            "word",
            format!(
                "\"{}\" cannot be in the column {name}; it takes {words}",
                super::shown(field(name))
            ),
        )
    };
    let list = match word("list").as_str() {
        "black" => ListKind::Black,
        "white" => ListKind::White,
        _ => return Err(one_of("list", "black or white")),
    };
    let said = word("criterion");
    let criterion = Criterion::ALL
        .into_iter()
        .find(|criterion| criterion.word() == said)
        .ok_or_else(|| one_of("criterion", "ip, ip_mask, sender, recipient or domain"))?;
    let action = match word("action").as_str() {
        "" | "reject" => ListAction::Reject,
        "discard" => ListAction::Discard,
        _ => return Err(one_of("action", "reject or discard")),
    };
    let enabled = match word("enabled").as_str() {
        "" | "true" | "yes" | "1" => true,
        "false" | "no" | "0" => false,
        _ => return Err(one_of("enabled", "true or false")),
    };
    Ok(Draft {
        name: Some(field("name").to_owned()).filter(|name| !name.is_empty()),
        list,
        criterion,
        value: field("value").into(),
        action,
        enabled,
        comment: field("comment").into(),
    })
}

/// Records with the number and text of their first line. Empty lines are left out.
struct Records<'a> {
    text: &'a str,
    at: usize,
    number: usize,
    comma: u8,
}

impl<'a> Iterator for Records<'a> {
    type Item = (usize, &'a str, Result<Vec<String>, Mistake>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let line = rest.split('\n').next().unwrap_or_default();
            let number = self.number;
            let raw = line.strip_suffix('\r').unwrap_or(line);
            if raw.trim().is_empty() {
                self.skip(line.len() + 1);
                continue;
            }
            let (used, fields) = match record(rest, self.comma) {
                Ok((used, fields)) => (used, Ok(fields)),
                // What follows is read again from the next line, so that one mistake does not hide the rest.
                Err(mistake) => (line.len() + 1, Err(mistake)),
            };
            self.skip(used);
            return Some((number, raw, fields));
        }
    }
}

impl Records<'_> {
    fn skip(&mut self, octets: usize) {
        let end = (self.at + octets).min(self.text.len());
        let passed = self.text.as_bytes().get(self.at..end).unwrap_or_default();
        self.number += passed.iter().filter(|octet| **octet == b'\n').count();
        self.at = end;
    }
}

/// One record off the front of `text`: its octets with the line end, and its fields.
fn record(text: &str, comma: u8) -> Result<(usize, Vec<String>), Mistake> {
    let octets = text.as_bytes();
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let (field, end) = if octets.get(at) == Some(&b'"') {
            quoted(octets, at + 1)?
        } else {
            plain(octets, at, comma)?
        };
        // Cuts are made at ASCII octets only, so the pieces are text.
        fields.push(String::from_utf8(field).map_err(|_| Mistake::new("quote", "not text"))?);
        match octets.get(end..).unwrap_or_default() {
            [] => return Ok((end, fields)),
            [b'\n', ..] => return Ok((end + 1, fields)),
            [b'\r', b'\n', ..] => return Ok((end + 2, fields)),
            [b'\r'] => return Ok((end + 1, fields)),
            [next, ..] if *next == comma => at = end + 1,
            _ => {
                return Err(Mistake::new(
                    "quote",
                    "something stands behind a closing quotation mark; write \"\" for a quotation mark inside",
                ));
            }
        }
        if fields.len() > COLUMNS.len() {
            return Err(Mistake::new(
                "columns",
                format!("there are more than {} columns", COLUMNS.len()),
            ));
        }
    }
}

fn too_long() -> Mistake {
    Mistake::new(
        "too_long",
        format!("the line is longer than {MAX_RECORD} characters"),
    )
}

/// A field that begins at `at`, up to the comma or line end: the field and where it ended.
fn plain(octets: &[u8], at: usize, comma: u8) -> Result<(Vec<u8>, usize), Mistake> {
    let rest = octets.get(at..).unwrap_or_default();
    let bounded = rest.get(..MAX_RECORD + 1).unwrap_or(rest);
    let length = bounded
        .iter()
        .position(|octet| *octet == comma || *octet == b'\n')
        .unwrap_or(bounded.len());
    if length > MAX_RECORD {
        return Err(too_long());
    }
    let mut field = rest.get(..length).unwrap_or_default();
    if rest.get(length) != Some(&comma) {
        field = field.strip_suffix(b"\r").unwrap_or(field);
    }
    if field.contains(&b'"') {
        return Err(Mistake::new(
            "quote",
            "a quotation mark stands inside a field; put the field in quotation marks and double it",
        ));
    }
    Ok((field.to_vec(), at + field.len()))
}

/// A field behind its opening quotation mark: the field and the place behind the closing one.
fn quoted(octets: &[u8], at: usize) -> Result<(Vec<u8>, usize), Mistake> {
    let mut field = Vec::new();
    let mut place = at;
    loop {
        match octets.get(place..).unwrap_or_default() {
            [] => return Err(Mistake::new("quote", "a quotation mark is not closed")),
            [b'"', b'"', ..] => {
                field.push(b'"');
                place += 2;
            }
            [b'"', ..] => return Ok((field, place + 1)),
            [octet, ..] => {
                field.push(*octet);
                place += 1;
            }
        }
        if field.len() > MAX_RECORD {
            return Err(Mistake::new("quote", "a quotation mark is not closed"));
        }
    }
}

pub(super) fn write(rules: &[ListRule]) -> String {
    let mut text = COLUMNS.join(",");
    text.push_str("\r\n");
    for rule in rules {
        let fields = [
            rule.name.as_str(),
            rule.list.word(),
            rule.criterion.word(),
            rule.value.as_str(),
            rule.action.word(),
            if rule.enabled { "true" } else { "false" },
            rule.comment.as_str(),
        ];
        for (place, field) in fields.into_iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            push_field(&mut text, field);
        }
        text.push_str("\r\n");
    }
    text
}

fn push_field(text: &mut String, field: &str) {
    let plain = !field.contains([',', ';', '"', '\r', '\n']) && field.trim() == field;
    if plain {
        text.push_str(field);
    } else {
        text.push('"');
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    }
}
