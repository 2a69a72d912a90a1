//! A database that cannot be trusted is refused, and left byte for byte as it was found.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use store::{DataDir, Store, StoreError, setting};

fn folder() -> (tempfile::TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path().join("data"));
    (folder, data)
}

fn with_settings() -> (tempfile::TempDir, DataDir) {
    let (folder, data) = folder();
    let store = Store::open(&data).unwrap();
    store
        .write_blocking(|tx| {
            let rows: Vec<_> = (0..500)
                .map(|n| setting::Row {
                    section: "users".into(),
                    key: format!("user{n}"),
                    value: serde_json::json!({"name": "x".repeat(100)}),
                })
                .collect();
            setting::replace(tx, &rows, "test", "", 1)
        })
        .unwrap();
    (folder, data)
}

/// Refuses to open, with an error for the admin, and nothing in the file changes.
fn refused(data: &DataDir) -> StoreError {
    let before = fs::read(data.database()).ok();
    let Err(error) = Store::open(data) else {
        panic!("a database that should be refused was opened");
    };
    assert_eq!(
        fs::read(data.database()).ok(),
        before,
        "the file was changed"
    );
    assert!(
        error
            .to_string()
            .contains(&data.database().display().to_string()),
        "{error}"
    );
    error
}

fn damaged(data: &DataDir) -> String {
    match refused(data) {
        StoreError::Damaged { detail, .. } => detail,
        other => panic!("{other:?}"),
    }
}

fn overwrite(path: &Path, offset: usize, with: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset..offset + with.len()].copy_from_slice(with);
    fs::write(path, bytes).unwrap();
}

fn beside(data: &DataDir, suffix: &str) -> PathBuf {
    let mut name = data.database().into_os_string();
    name.push(suffix);
    name.into()
}

#[test]
fn a_database_with_a_ruined_page_is_refused_and_left_byte_identical() {
    let (_folder, data) = with_settings();
    let size = fs::metadata(data.database()).unwrap().len() as usize;
    let page = size / 4096 / 2;
    overwrite(&data.database(), page * 4096, &[0xa5; 4096]);
    damaged(&data);
    // Also not at the second try, when side files of the first might lie around.
    damaged(&data);
}

#[test]
fn a_database_cut_short_is_refused_and_left_byte_identical() {
    let (_folder, data) = with_settings();
    let bytes = fs::read(data.database()).unwrap();
    fs::write(data.database(), &bytes[..bytes.len() / 2]).unwrap();
    damaged(&data);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_byte_identical() {
    let (_folder, data) = folder();
    data.create().unwrap();
    for content in ["", "too short", &"long enough to be something ".repeat(500)] {
        fs::write(data.database(), content).unwrap();
        damaged(&data);
    }
}

#[test]
fn the_database_of_another_program_is_refused_and_left_byte_identical() {
    let (_folder, data) = folder();
    data.create().unwrap();
    let conn = rusqlite::Connection::open(data.database()).unwrap();
    conn.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        .unwrap();
    drop(conn);
    assert!(damaged(&data).contains("another program"));
}

#[test]
fn a_damaged_database_with_a_log_beside_it_is_left_alone_together_with_the_log() {
    let (_folder, data) = with_settings();
    // A copy taken while the program runs, as after a crash: the log is not empty.
    let store = Store::open(&data).unwrap();
    store
        .write_blocking(|tx| store::state::set(tx, "k", &serde_json::json!(1), 1))
        .unwrap();
    let log = fs::read(beside(&data, "-wal")).unwrap();
    assert!(!log.is_empty());
    let size = fs::metadata(data.database()).unwrap().len() as usize;
    let mut bytes = fs::read(data.database()).unwrap();
    drop(store);
    bytes[size / 4096 / 2 * 4096..][..4096].fill(0xa5);
    fs::write(data.database(), &bytes).unwrap();
    fs::write(beside(&data, "-wal"), &log).unwrap();
    damaged(&data);
    assert_eq!(fs::read(beside(&data, "-wal")).unwrap(), log);
}

#[test]
fn a_lost_database_whose_log_is_still_there_is_not_replaced_by_an_empty_one() {
    let (_folder, data) = folder();
    data.create().unwrap();
    fs::write(beside(&data, "-wal"), "changes of the lost database").unwrap();
    assert!(damaged(&data).contains("gone"));
    assert!(!data.database().exists());
}

#[test]
fn a_newer_database_is_refused_and_left_byte_identical() {
    let (_folder, data) = with_settings();
    // user_version, SQLite file format §1.3.
    overwrite(&data.database(), 60, &99u32.to_be_bytes());
    let error = refused(&data);
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("newer Postroom"), "{error}");
    assert!(!beside(&data, "-wal").exists() && !beside(&data, "-shm").exists());
}

#[test]
fn a_newer_format_that_is_only_in_the_log_is_seen_too() {
    let (_folder, data) = with_settings();
    let newer = rusqlite::Connection::open(data.database()).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    let error = refused(&data);
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error:?}"
    );
}

#[test]
fn after_a_crash_the_changes_in_the_log_are_there_again() {
    let (folder, data) = with_settings();
    let store = Store::open(&data).unwrap();
    store
        .write_blocking(|tx| store::state::set(tx, "k", &serde_json::json!("kept"), 1))
        .unwrap();
    let copy = DataDir::new(folder.path().join("copy"));
    copy.create().unwrap();
    fs::copy(data.database(), copy.database()).unwrap();
    fs::copy(beside(&data, "-wal"), beside(&copy, "-wal")).unwrap();
    drop(store);

    let revived = Store::open(&copy).unwrap();
    let said = revived
        .read(|conn| store::state::get(conn, "k"))
        .unwrap()
        .unwrap();
    assert_eq!(said.value, "kept");
}

#[test]
fn damage_that_appears_later_is_found_by_the_full_check() {
    let (_folder, data) = with_settings();
    let store = Store::open(&data).unwrap();
    store.check().unwrap();
    let size = fs::metadata(data.database()).unwrap().len() as usize;
    overwrite(&data.database(), size / 4096 / 2 * 4096, &[0xa5; 4096]);
    let error = store.check().unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

#[cfg(unix)]
#[test]
fn every_file_of_the_database_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, data) = with_settings();
    fs::set_permissions(data.database(), fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&data).unwrap();
    let _lock = store::Lock::acquire(&data).unwrap();
    store
        .write_blocking(|tx| store::state::set(tx, "k", &serde_json::json!(1), 1))
        .unwrap();
    for file in [
        data.database(),
        beside(&data, "-wal"),
        beside(&data, "-shm"),
        data.lock(),
    ] {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}
