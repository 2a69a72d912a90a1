//! After a start: enters what the log holds and the tables do not, and removes files that belong to no message.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::Path;

use super::record::{self, Identity, Position, SEGMENT};
use super::{segment_number, segment_path};
use crate::StoreError;

/// Reads the records behind `mark` (the number of the last message that was entered, or 0) in order and hands each to `enter`.
/// Returns where the next record goes, if the last segment can be written on.
pub(crate) fn recover(
    folder: &Path,
    identity: Identity,
    mark: i64,
    mut enter: impl FnMut(i64, &[u8]) -> Result<(), StoreError>,
) -> Result<Option<Position>, StoreError> {
    let from = Position::of(mark);
    let mut numbers: Vec<u64> = segments(folder)?;
    numbers.retain(|number| *number >= from.segment);
    numbers.sort_unstable();
    let mut last = None;
    for number in numbers {
        let path = segment_path(folder, number);
        let failed = |error: std::io::Error| StoreError::from_io(&path, &error);
        let file = File::open(&path).map_err(failed)?;
        let mut at = Position {
            segment: number,
            offset: 0,
        };
        if number == from.segment && mark != 0 {
            // The last one entered is read again only to find its end.
            match record::read(&file, identity, from).map_err(failed)? {
                Some(entered) => at.offset = entered.end,
                None => continue,
            }
        }
        while at.offset < SEGMENT {
            let Some(found) = record::read(&file, identity, at).map_err(failed)? else {
                break;
            };
            enter(at.id(), &found.facts)?;
            at.offset = found.end;
        }
        last = Some(at);
    }
    Ok(last)
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
