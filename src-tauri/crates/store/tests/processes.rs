//! Several processes on one data folder, and one that is killed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use store::{DataDir, Lock, LockError, Store, request, state};

const FOLDER: &str = "POSTROOM_TEST_FOLDER";
const TASK: &str = "POSTROOM_TEST_TASK";

/// What a child process of these tests does; without a task it is an empty test.
#[test]
fn the_part_of_the_other_process() {
    let (Ok(folder), Ok(task)) = (std::env::var(FOLDER), std::env::var(TASK)) else {
        return;
    };
    let data = DataDir::new(folder);
    match task.as_str() {
        "write" => {
            let store = Store::open(&data).unwrap();
            for n in 0..100 {
                store
                    .write_blocking(move |tx| request::ask(tx, "test", &json!(n), 1))
                    .unwrap();
            }
        }
        "write_for_ever" => {
            let store = Store::open(&data).unwrap();
            for n in 0..u64::MAX {
                store
                    .write_blocking(move |tx| state::set(tx, &n.to_string(), &json!(n), 1))
                    .unwrap();
                println!("stored {n}");
            }
        }
        "hold_lock" => {
            let _lock = Lock::acquire(&data).unwrap();
            println!("stored 0");
            // Until it is killed.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        other => panic!("{other}"),
    }
}

fn spawn(data: &DataDir, task: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_part_of_the_other_process", "--nocapture"])
        .env(FOLDER, data.root())
        .env(TASK, task)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn folder() -> (tempfile::TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path().join("data"));
    data.create().unwrap();
    (folder, data)
}

#[test]
fn processes_that_write_at_the_same_time_lose_nothing() {
    let (_folder, data) = folder();
    let mut children: Vec<_> = (0..4).map(|_| spawn(&data, "write")).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let store = Store::open(&data).unwrap();
    assert_eq!(store.read(request::pending).unwrap().len(), 400);
    store.check().unwrap();
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let (_folder, data) = folder();
    let mut child = spawn(&data, "write_for_ever");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    for line in lines {
        // A line cut by the kill does not count.
        let Some(number) = line
            .unwrap()
            .strip_prefix("stored ")
            .and_then(|n| n.parse::<u64>().ok())
        else {
            continue;
        };
        acknowledged.push(number);
        if number == 50 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() > 50);
    let store = Store::open(&data).unwrap();
    store.check().unwrap();
    for number in acknowledged {
        let found = store
            .read(|conn| state::get(conn, &number.to_string()))
            .unwrap();
        assert!(found.is_some(), "{number} is lost");
    }
}

#[test]
fn a_killed_server_leaves_the_lock_free() {
    let (_folder, data) = folder();
    let mut child = spawn(&data, "hold_lock");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("stored 0")));
    assert_eq!(store::is_held(&data).unwrap(), Some(Some(child.id())));
    let error = Lock::acquire(&data).unwrap_err();
    assert!(
        matches!(error, LockError::Held { pid, .. } if pid == Some(child.id())),
        "{error}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    Lock::acquire(&data).unwrap();
}
