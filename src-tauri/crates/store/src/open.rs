//! From a path to a sound, up-to-date connection: creation, inspection, migrations, pragmas.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::data_dir::{private_file, sibling};
use crate::{DataDir, StoreError, checkpoint};

/// Each released migration, in order; the count is the format number kept in `user_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001.sql"),
    include_str!("../migrations/0002.sql"),
    include_str!("../migrations/0003.sql"),
];
const FORMAT: i64 = MIGRATIONS.len() as i64;
/// Marks the file as ours ("Post"), SQLite file format §1.3.
const APPLICATION_ID: i64 = 0x506f_7374;
/// How long a change waits for another process's change.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Up to this size the whole file is checked at every start (some ten milliseconds); beyond it the
/// journal, nearly all of such a file and the only part without settings or accounts, is left out.
const FULL_CHECK_UP_TO: u64 = 16 << 20;

const HEADER: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Makes sure that a sound database of a known format lies in the folder. A file that is not
/// sound, or newer, is only read.
pub(crate) fn prepare(data: &DataDir) -> Result<(), StoreError> {
    let path = data.database();
    // Opened for writing too, so that a read-only disk is told as such; a file in doubt is only read.
    match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => inspect(&path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path),
        Err(error) => Err(StoreError::from_io(&path, &error)),
    }
}

/// The one connection that changes things.
pub(crate) fn writer(path: &Path) -> Result<Connection, StoreError> {
    let open = || -> Result<Connection, rusqlite::Error> {
        let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, 2000)?;
        durable(&conn)?;
        migrate(&mut conn)?;
        conn.set_prepared_statement_cache_capacity(64);
        // The writer copies the write-ahead log itself, between two commits.
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(conn)
    };
    open().map_err(|error| StoreError::from(error).at(path))
}

/// A connection that copies the write-ahead log and does nothing else.
pub(crate) fn checkpointer(path: &Path) -> Result<Connection, StoreError> {
    let open = || -> Result<Connection, rusqlite::Error> {
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, 200)?;
        durable(&conn)?;
        Ok(conn)
    };
    open().map_err(|error| StoreError::from(error).at(path))
}

/// A connection that cannot change anything.
pub(crate) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let open = || -> Result<Connection, rusqlite::Error> {
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, 500)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    };
    open().map_err(|error| StoreError::from(error).at(path))
}

/// Looks for damage in every page, however large the file is.
pub(crate) fn check_all(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let verdict: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| StoreError::from(error).at(path))?;
    sound(verdict, path)
}

fn connect(path: &Path, access: OpenFlags, cache_kib: i64) -> Result<Connection, rusqlite::Error> {
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    // Negative: KiB instead of pages.
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    Ok(conn)
}

fn durable(conn: &Connection) -> Result<(), rusqlite::Error> {
    conn.pragma_update(None, "journal_mode", "wal")?;
    // In WAL mode only FULL makes a commit survive a power cut, and 250 promises that.
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "journal_size_limit", checkpoint::SHRINKS_TO)?;
    // Old password hashes are overwritten where that costs no extra write.
    conn.pragma_update(None, "secure_delete", "fast")?;
    Ok(())
}

/// Immediate, so that of two processes that start at once the second sees the work as done.
fn migrate(conn: &mut Connection) -> Result<(), rusqlite::Error> {
    if format(conn)? >= FORMAT {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(format(&tx)?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "user_version", FORMAT)?;
    tx.commit()
}

fn format(conn: &Connection) -> Result<i64, rusqlite::Error> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Builds the database under another name and links it into place when it is complete: a
/// `postroom.db` that is empty or half-made is therefore always damage, never a first start.
fn create(path: &Path) -> Result<(), StoreError> {
    let log = sibling(path, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        // SQLite would play the changes of the lost database into the new one.
        return Err(damaged(
            path,
            format!(
                "the file is gone, but its companion {} is still there",
                log.display()
            ),
        ));
    }
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = sibling(path, &format!(".new-{}-{number}", std::process::id()));
    let made = build(&draft).and_then(|()| {
        put_in_place(&draft, path).map_err(|error| StoreError::from_io(path, &error))
    });
    // Nothing to tell if it is gone already.
    let _ = fs::remove_file(&draft);
    made
}

fn build(draft: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private_file(&mut options, draft).map_err(|error| StoreError::from_io(draft, &error))?;
    let fill = || -> Result<(), rusqlite::Error> {
        let mut conn = connect(draft, OpenFlags::SQLITE_OPEN_READ_WRITE, 500)?;
        durable(&conn)?;
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
        migrate(&mut conn)?;
        conn.close().map_err(|(_, error)| error)
    };
    fill().map_err(|error| StoreError::from(error).at(draft))
}

fn put_in_place(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Ok(()) => {}
        // Another process was first; its database is as good as ours.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        // A file system without links.
        Err(_) => fs::rename(draft, path)?,
    }
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Refuses what must not be opened for writing. Reads the header by hand first, because even a
/// read-only SQLite connection leaves files beside the database.
fn inspect(path: &Path, file: File) -> Result<(), StoreError> {
    let mut header = Vec::with_capacity(HEADER);
    let size = file
        .metadata()
        .and_then(|metadata| {
            file.take(HEADER as u64)
                .read_to_end(&mut header)
                .map(|_| metadata.len())
        })
        .map_err(|error| StoreError::from_io(path, &error))?;
    if header.is_empty() {
        return Err(damaged(path, "the file is empty".into()));
    }
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        return Err(damaged(path, "it is not an SQLite database".into()));
    }
    if number_at(&header, 68) != APPLICATION_ID {
        return Err(damaged(
            path,
            "it is the database of another program".into(),
        ));
    }
    refuse_newer(path, number_at(&header, 60))?;
    // A connection that could write would copy a left-over log into the file when it is closed.
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, 500)
        .map_err(|error| StoreError::from(error).at(path))?;
    probe(&conn, path, size).map_err(|error| error.at(path))
}

fn probe(conn: &Connection, path: &Path, size: u64) -> Result<(), StoreError> {
    refuse_newer(path, format(conn)?)?;
    if size <= FULL_CHECK_UP_TO {
        return check_all(conn, path);
    }
    let mut tables = conn.prepare(
        "SELECT 'sqlite_schema' UNION ALL
         SELECT name FROM sqlite_schema
         WHERE type = 'table' AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'journal*'",
    )?;
    let names = tables
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    for name in names {
        let verdict = conn.query_row(
            "SELECT * FROM pragma_quick_check(?1) LIMIT 1",
            [name],
            |row| row.get(0),
        )?;
        sound(verdict, path)?;
    }
    Ok(())
}

fn refuse_newer(path: &Path, found: i64) -> Result<(), StoreError> {
    if found <= FORMAT {
        return Ok(());
    }
    Err(StoreError::Newer {
        path: path.to_path_buf(),
        found,
        known: FORMAT,
    })
}

fn sound(verdict: String, path: &Path) -> Result<(), StoreError> {
    if verdict == "ok" {
        Ok(())
    } else {
        Err(damaged(path, verdict))
    }
}

fn damaged(path: &Path, detail: String) -> StoreError {
    StoreError::Damaged {
        path: path.to_path_buf(),
        // SQLite numbers what it finds and puts each on a line of its own.
        detail: detail.replace('\n', " "),
    }
}

/// A big-endian number of four octets, SQLite file format §1.3.
fn number_at(header: &[u8], offset: usize) -> i64 {
    header
        .get(offset..offset + 4)
        .and_then(|octets| octets.try_into().ok())
        .map_or(0, |octets| i64::from(u32::from_be_bytes(octets)))
}

/// An up-to-date database in memory, for the tests of the table files.
#[cfg(test)]
pub(crate) fn memory() -> Connection {
    let mut conn = Connection::open_in_memory().unwrap();
    conn.pragma_update(None, "foreign_keys", true).unwrap();
    migrate(&mut conn).unwrap();
    conn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_programs_that_start_at_once_on_an_empty_folder_share_one_database() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path().join("data"));
        data.create().unwrap();
        std::thread::scope(|scope| {
            let starts: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| prepare(&data).and_then(|()| writer(&data.database()))))
                .collect();
            for start in starts {
                start.join().unwrap().unwrap();
            }
        });
        let files: Vec<_> = fs::read_dir(data.root())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains(".new"))
            .collect();
        assert!(files.is_empty(), "{files:?}");
    }

    #[test]
    fn a_large_database_is_checked_without_its_journal() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path().join("data"));
        data.create().unwrap();
        prepare(&data).unwrap();
        let path = data.database();
        let conn = reader(&path).unwrap();
        probe(&conn, &path, FULL_CHECK_UP_TO + 1).unwrap();
    }

    #[test]
    fn the_pragmas_promise_durability() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path().join("data"));
        data.create().unwrap();
        prepare(&data).unwrap();
        let conn = writer(&data.database()).unwrap();
        let mode: String = conn
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        let synchronous: i64 = conn
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        let keys: bool = conn
            .pragma_query_value(None, "foreign_keys", |row| row.get(0))
            .unwrap();
        assert_eq!((mode.as_str(), synchronous, keys), ("wal", 2, true));
    }
}
