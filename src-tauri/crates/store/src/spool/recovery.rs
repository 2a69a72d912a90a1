//! After a start: enters what the log holds and the tables do not, and puts files aside that belong to no message.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::reading::Octets;
use super::record::{self, ALIGN, Identity, Position, Record};
use super::{segment_number, segment_path};
use crate::{DataDir, StoreError};

/// How folders are named that hold the spool of another database.
const FOREIGN: &str = "spool-of-another-database-";

/// What was found behind the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Found {
    /// Messages that were found.
    pub messages: usize,
    /// Places where something unreadable stood before a sound record, or that the disk does not give back. An unfinished
    /// record at the end is none: its message was not answered for.
    pub gaps: usize,
}

/// Reads the records behind `mark` (the number of the last message that was entered, or 0) in order and hands number, facts
/// and content of each to `enter`. What cannot be read does not keep those behind it from being found.
pub(crate) fn recover(
    folder: &Path,
    identity: Identity,
    mark: i64,
    mut enter: impl FnMut(i64, &[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<Found, StoreError> {
    let from = Position::of(mark);
    let mut numbers: Vec<u64> = segments(folder)?;
    numbers.retain(|number| *number >= from.segment);
    numbers.sort_unstable();
    let mut found = Found::default();
    for segment in numbers {
        let octets = Octets::open(&segment_path(folder, segment))?;
        let mut at = Position { segment, offset: 0 };
        if segment == from.segment && mark != 0 {
            // The last one entered is read again only to find its end.
            let entered = record_at(&octets.all, identity, from);
            at.offset = entered.map_or(from.offset + ALIGN, |entered| entered.end);
        }
        scan(&octets, identity, at, &mut found, &mut enter)?;
    }
    Ok(found)
}

/// Hands over the records of a segment from `at` on.
pub(super) fn scan(
    octets: &Octets,
    identity: Identity,
    mut at: Position,
    found: &mut Found,
    mut enter: impl FnMut(i64, &[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (mut in_gap, mut is_lost) = (false, false);
    while at.offset < octets.all.len() as u64 {
        let Some(record) = record_at(&octets.all, identity, at) else {
            in_gap = true;
            is_lost |= octets.is_lost(at.offset);
            at.offset += ALIGN;
            continue;
        };
        found.gaps += usize::from(std::mem::take(&mut in_gap));
        is_lost = false;
        found.messages += 1;
        enter(at.id(), &record.facts, &record.content)?;
        at.offset = record.end;
    }
    // What lies there may have been a record.
    found.gaps += usize::from(is_lost);
    Ok(())
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
        let file = File::open(&path).map_err(|error| StoreError::from_io(&path, &error))?;
        let first = Position {
            segment: number,
            offset: 0,
        };
        // What the disk does not give back says nothing either way.
        if record::read(&file, identity, first).is_ok_and(|record| record.is_some()) {
            return Ok(false);
        }
        if begins(&file).unwrap_or(false) {
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

fn begins(file: &File) -> io::Result<bool> {
    let mut octets = [0; 4];
    file.read_exact_at(&mut octets, 0)?;
    Ok(record::may_begin(&octets))
}

/// Where the spools of other databases lie that were put aside, each with its number.
pub(crate) fn foreign(data: &DataDir) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = fs::read_dir(data.root()) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            entry.file_type().ok().filter(|kind| kind.is_dir())?;
            let number = name.to_str()?.strip_prefix(FOREIGN)?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    found.sort_unstable();
    found
}

/// Puts the spool aside, for another database has written it. Returns where it lies.
pub(crate) fn put_foreign_aside(data: &DataDir) -> Result<PathBuf, StoreError> {
    let newest = foreign(data).last().map_or(0, |(number, _)| *number);
    let aside = data
        .root()
        .join(format!("{FOREIGN}{}", newest.saturating_add(1)));
    fs::rename(data.spool(), &aside).map_err(|error| StoreError::from_io(&aside, &error))?;
    Ok(aside)
}
