//! After a start: enters what the log holds and the tables do not, and removes files that belong to no message.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::record::{self, ALIGN, Identity, Position, Record, SEGMENT};
use super::{segment_number, segment_path};
use crate::StoreError;

/// What was found behind the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Found {
    /// Messages that were entered.
    pub messages: usize,
    /// Places where something unreadable stood before a sound record. An unfinished record at the end is none: its
    /// message was not answered for.
    pub gaps: usize,
}

/// Reads the records behind `mark` (the number of the last message that was entered, or 0) in order and hands each to `enter`.
/// What cannot be read does not keep those behind it from being found.
pub(crate) fn recover(
    folder: &Path,
    identity: Identity,
    mark: i64,
    mut enter: impl FnMut(i64, &[u8]) -> Result<(), StoreError>,
) -> Result<Found, StoreError> {
    let from = Position::of(mark);
    let mut numbers: Vec<u64> = segments(folder)?;
    numbers.retain(|number| *number >= from.segment);
    numbers.sort_unstable();
    let mut found = Found::default();
    for number in numbers {
        let path = segment_path(folder, number);
        let octets = fs::read(&path).map_err(|error| StoreError::from_io(&path, &error))?;
        let mut at = Position {
            segment: number,
            offset: 0,
        };
        if number == from.segment && mark != 0 {
            // The last one entered is read again only to find its end.
            let entered = record_at(&octets, identity, from);
            at.offset = entered.map_or(from.offset + ALIGN, |entered| entered.end);
        }
        let mut in_gap = false;
        while at.offset < SEGMENT.min(octets.len() as u64) {
            let Some(record) = record_at(&octets, identity, at) else {
                in_gap = true;
                at.offset += ALIGN;
                continue;
            };
            found.gaps += usize::from(std::mem::take(&mut in_gap));
            found.messages += 1;
            enter(at.id(), &record.facts)?;
            at.offset = record.end;
        }
    }
    Ok(found)
}

fn record_at(octets: &[u8], identity: Identity, at: Position) -> Option<Record> {
    let from = usize::try_from(at.offset).ok()?;
    record::parse(octets.get(from..)?, identity, at)
}

/// Whether the folder holds mail of another database: records sealed by it, or content without any record, before this one
/// has written any.
pub(crate) fn is_foreign(folder: &Path, identity: Identity) -> Result<bool, StoreError> {
    let entries = fs::read_dir(folder).map_err(|error| StoreError::from_io(folder, &error))?;
    let mut has_content = false;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        has_content |= name.starts_with("content-");
        let Some(number) = segment_number(&name) else {
            continue;
        };
        let path = entry.path();
        let octets = fs::read(&path).map_err(|error| StoreError::from_io(&path, &error))?;
        let first = Position {
            segment: number,
            offset: 0,
        };
        if record_at(&octets, identity, first).is_some() {
            return Ok(false);
        }
        if record::may_begin(&octets) {
            return Ok(true);
        }
    }
    Ok(has_content)
}

pub(super) fn segments(folder: &Path) -> Result<Vec<u64>, StoreError> {
    let entries = fs::read_dir(folder).map_err(|error| StoreError::from_io(folder, &error))?;
    Ok(entries
        .flatten()
        .filter_map(|entry| segment_number(&entry.file_name().to_string_lossy()))
        .collect())
}

/// Removes content files that no message names: of transactions that never ended, and of messages that are done.
pub(crate) fn orphans(folder: &Path, known: &HashSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("content-") && !known.contains(&name) {
            // Looked at again at the next start.
            let _ = fs::remove_file(entry.path());
        }
    }
}
