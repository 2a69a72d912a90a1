//! Messages that the log holds and the tables refuse for good. Each is put aside in two files of the spool folder, for a
//! person to send on, so that the others can go on.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::file;
use crate::writer::panic_text;
use crate::{StoreError, Tx};

/// So many in a row are not put aside: it is the tables then that are wrong, and not a message.
pub(crate) const MOST_IN_A_ROW: usize = 16;

/// Does `enter` so that nothing of it is left when it fails. `Some` tells why it will fail again.
///
/// # Errors
/// What is for the surroundings to mend.
pub(super) fn try_to_enter(
    tx: &Tx<'_>,
    enter: impl FnOnce(&Tx<'_>) -> Result<(), StoreError>,
) -> Result<Option<StoreError>, StoreError> {
    tx.execute_batch("SAVEPOINT entering")?;
    let entered = catch_unwind(AssertUnwindSafe(|| enter(tx))).unwrap_or_else(|panic| {
        Err(StoreError::Defect {
            detail: panic_text(&*panic),
        })
    });
    match entered {
        Ok(()) => {
            tx.execute_batch("RELEASE entering")?;
            Ok(None)
        }
        // SQLite may have ended the whole transaction, and with it what is not to blame.
        Err(error) if error.is_for_good() && !tx.is_autocommit() => {
            tx.execute_batch("ROLLBACK TO entering; RELEASE entering")?;
            Ok(Some(error))
        }
        Err(error) => Err(error),
    }
}

/// Puts a message aside, durably: `refused-NUMBER.eml` is the message as it would have been sent, `refused-NUMBER.json`
/// says to whom and why not. `content` is what the log has of it.
pub(super) fn put_aside(
    folder: &Path,
    id: i64,
    facts: &[u8],
    content: &[u8],
    why: &StoreError,
) -> Result<(), StoreError> {
    // Read as loosely as possible: what it says may be the very reason.
    let known: Value = serde_json::from_slice(facts)
        .unwrap_or_else(|_| String::from_utf8_lossy(facts).into_owned().into());
    let head = known.pointer("/0/head").and_then(Value::as_str);
    let name = known.pointer("/1/name").and_then(Value::as_str);
    let [message, record] = paths(folder, id);
    let mut octets: Box<dyn Read> = Box::new(content);
    if let Some(name) = name.filter(|name| name.starts_with("content-") && !name.contains('/')) {
        let path = folder.join(name);
        octets = match File::open(&path) {
            Ok(file) => Box::new(file),
            // Then the record is all there is.
            Err(error) if error.kind() == ErrorKind::NotFound => octets,
            Err(error) => return Err(StoreError::from_io(&path, &error)),
        };
    }
    let mut whole = head.unwrap_or_default().as_bytes().chain(octets);
    let told = json!({ "why": why.to_string(), "message": known });
    let told = serde_json::to_vec_pretty(&told).unwrap_or_else(|_| facts.to_vec());
    file::put_from(&message, &mut whole).map_err(|error| StoreError::from_io(&message, &error))?;
    // The last of the two: with it the message counts.
    file::put_from(&record, &mut told.as_slice())
        .map_err(|error| StoreError::from_io(&record, &error))
}

/// The numbers of the messages that lie aside.
pub(crate) fn list(folder: &Path) -> Result<HashSet<i64>, StoreError> {
    let entries = fs::read_dir(folder).map_err(|error| StoreError::from_io(folder, &error))?;
    Ok(entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("refused-")?;
            number.strip_suffix(".json")?.parse().ok()
        })
        .collect())
}

/// The tables have taken it after all.
pub(crate) fn remove(folder: &Path, id: i64) -> io::Result<()> {
    let [message, record] = paths(folder, id);
    fs::remove_file(record)?;
    fs::remove_file(message)
}

fn paths(folder: &Path, id: i64) -> [PathBuf; 2] {
    ["eml", "json"].map(|kind| folder.join(format!("refused-{id}.{kind}")))
}

/// Enters at a start what the log has, one by one.
pub(crate) struct Entering<'a> {
    tx: &'a Tx<'a>,
    folder: &'a Path,
    in_a_row: usize,
    refused: usize,
    /// Those that lay aside before.
    before: HashSet<i64>,
    /// Those of them that were entered now.
    taken: Vec<i64>,
}

impl<'a> Entering<'a> {
    pub(crate) fn begin(tx: &'a Tx<'a>, folder: &'a Path) -> Result<Self, StoreError> {
        Ok(Self {
            tx,
            folder,
            in_a_row: 0,
            refused: 0,
            before: list(folder)?,
            taken: Vec::new(),
        })
    }

    /// Enters one, or puts it aside when the tables refuse it.
    pub(crate) fn enter(
        &mut self,
        id: i64,
        facts: &[u8],
        content: &[u8],
    ) -> Result<(), StoreError> {
        let refused = try_to_enter(self.tx, |tx| crate::queue::enter(tx, id, facts))?;
        let Some(why) = refused else {
            self.in_a_row = 0;
            if self.before.contains(&id) {
                self.taken.push(id);
            }
            return Ok(());
        };
        self.in_a_row += 1;
        if self.in_a_row > MOST_IN_A_ROW {
            return Err(why);
        }
        self.refused += 1;
        put_aside(self.folder, id, facts, content, &why)?;
        crate::queue::mark(self.tx, id)
    }

    /// How many were put aside, and those that lay aside before and are in the tables once the change is committed.
    pub(crate) fn end(self) -> (usize, Vec<i64>) {
        (self.refused, self.taken)
    }
}
