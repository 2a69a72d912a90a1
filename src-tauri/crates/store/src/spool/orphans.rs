//! Content files that no message names: of transactions that never ended, and of messages that are done. But also those of
//! messages that an older copy of the database does not know, put back by somebody who may put the newer one back as well.
//! So they lie in a folder of their own for some days before they are removed.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::data_dir::make_folder;

/// Puts content files aside that are not among the `known`, and back those that are. No message may be taken in meanwhile.
pub(crate) fn sort(folder: &Path, known: &HashSet<String>) {
    // What fails here is looked at again at the next start.
    for (name, path) in content_in(&aside(folder)) {
        let (_, name) = parts(&name);
        let place = folder.join(name);
        if known.contains(name) && !place.exists() {
            let _ = fs::rename(path, place);
        }
    }
    for (name, path) in content_in(folder) {
        if !known.contains(&name) && make_folder(&aside(folder)).is_ok() {
            let _ = fs::rename(path, aside(folder).join(name));
        }
    }
}

/// Removes what was seen aside before `before_ms`. What is seen for the first time gets the time `now_ms` into its name. Both
/// in milliseconds since 1970 UTC.
///
/// # Errors
/// What the system says of one of them; the others are done.
pub(crate) fn prune(folder: &Path, now_ms: i64, before_ms: i64) -> io::Result<()> {
    let mut done = Ok(());
    for (name, path) in content_in(&aside(folder)) {
        let one = match parts(&name) {
            (None, name) => fs::rename(&path, aside(folder).join(format!("{now_ms}-{name}"))),
            (Some(seen), _) if seen < before_ms => fs::remove_file(&path),
            _ => Ok(()),
        };
        match one {
            Err(error) if error.kind() != ErrorKind::NotFound => done = Err(error),
            _ => {}
        }
    }
    done
}

/// The folder.
pub(super) fn aside(folder: &Path) -> PathBuf {
    folder.join("orphans")
}

/// When a file was first seen here, and the name it had as content.
fn parts(name: &str) -> (Option<i64>, &str) {
    match name.split_once('-') {
        Some((seen, rest)) if rest.starts_with(CONTENT) => (seen.parse().ok(), rest),
        _ => (None, name),
    }
}

/// How content files are named.
const CONTENT: &str = "content-";

/// The content files of a folder, none where there is no such folder.
fn content_in(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            parts(&name)
                .1
                .starts_with(CONTENT)
                .then(|| (name, entry.path()))
        })
        .collect()
}
