//! Rules about the source itself that a compiler does not know: which crate may know which, what stays out of the
//! pure ones, how long a file may get, and what lies in the root folder.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate and the crates of this workspace it may know. Arrows point down only.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("smtp", &[]),
    ("message", &["smtp"]),
    ("settings", &["smtp"]),
    ("policy", &["settings", "smtp"]),
    ("store", &["settings", "smtp"]),
    (
        "server",
        &["policy", "store", "message", "settings", "smtp"],
    ),
    (
        "control",
        &["server", "policy", "store", "message", "settings", "smtp"],
    ),
    // The window knows what a person can ask, and nothing below it.
    ("postroom", &["control"]),
    ("xtask", &[]),
    (
        "postroom-tests",
        &[
            "control", "server", "policy", "store", "message", "settings", "smtp",
        ],
    ),
];

/// Crates in which the same input always gives the same output.
const PURE: &[&str] = &["smtp", "message", "settings", "policy"];

/// What a pure crate must not depend on, by the beginning of the name.
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "async",
    "futures",
    "mio",
    "rusqlite",
    "libsqlite3",
    "rustls",
    "hickory",
    "getrandom",
    "rand",
    "tempfile",
    "socket2",
    "nix",
    "libc",
    "rustix",
    "jiff",
    "chrono",
    "time",
    "rayon",
    "crossbeam",
    "parking_lot",
    "reqwest",
    "hyper",
];

/// What the source of a pure crate must not say. Clippy's lists hold the same for calls; this also sees types and `async`.
const IMPURE_WORDS: &[&str] = &[
    "async fn",
    "async move",
    ".await",
    "std::fs",
    "std::process",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant::now",
    "SystemTime",
    "std::env::",
    "println!",
    "static mut",
];

/// What may lie in the root folder, besides dot-files and what git ignores.
const ROOT: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "assets",
    "icons",
    "src-tauri",
    "tests",
    "ui",
];
const IGNORED_IN_ROOT: &[&str] = &["target"];

const LONGEST_FILE: usize = 500;
/// Flat tables that are easier to read in one piece, and generated files, which nobody reads.
const FLAT_TABLES: &[&str] = &["ui/src/lib/generated/types.ts"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn crates() -> PathBuf {
    root().join("src-tauri/crates")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The packages of the workspace, as cargo sees them.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap()
}

fn dependencies(package: &Value) -> &[Value] {
    package["dependencies"].as_array().unwrap()
}

/// All files below `folder` with one of these endings; what git ignores is left out.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    const IGNORED: &[&str] = &[
        "node_modules",
        "dist",
        "target",
        "gen",
        "corpus",
        "artifacts",
        "shots",
    ];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !IGNORED.contains(&name) {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

fn assert_none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}

#[test]
fn each_crate_knows_only_crates_below_it() {
    let mut faults = Vec::new();
    for package in packages() {
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(known, _)| *known == name(&package)) else {
            faults.push(format!("{} has no line in this test", name(&package)));
            continue;
        };
        let own = dependencies(&package)
            .iter()
            .filter(|dependency| !dependency["path"].is_null());
        for dependency in own.filter(|dependency| !allowed.contains(&name(dependency))) {
            faults.push(format!(
                "{} must not know {}",
                name(&package),
                name(dependency)
            ));
        }
    }
    assert_none("crates that know too much", &faults);
}

#[test]
fn pure_crates_depend_on_nothing_that_is_not_pure() {
    let mut faults = Vec::new();
    for package in packages()
        .iter()
        .filter(|package| PURE.contains(&name(package)))
    {
        // Tests may use what they like.
        let used = dependencies(package)
            .iter()
            .filter(|dependency| dependency["kind"] != "dev");
        for dependency in used.filter(|dependency| {
            IMPURE_CRATES
                .iter()
                .any(|impure| name(dependency).starts_with(impure))
        }) {
            faults.push(format!("{} depends on {}", name(package), name(dependency)));
        }
    }
    assert_none("impure dependencies", &faults);
}

#[test]
fn pure_crates_hold_no_clock_file_socket_thread_or_async() {
    let mut faults = Vec::new();
    for pure in PURE {
        let sources = files(&crates().join(pure).join("src"), &[".rs"]);
        for path in sources.iter().filter(|path| !is_test(path)) {
            let source = read(path);
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code
                .lines()
                .enumerate()
                .filter(|(_, line)| !line.trim_start().starts_with("//"))
            {
                let found = IMPURE_WORDS.iter().filter(|word| line.contains(**word));
                faults
                    .extend(found.map(|word| format!("{}:{}: {word}", relative(path), number + 1)));
            }
        }
    }
    assert_none("impure code in pure crates", &faults);
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
}

#[test]
fn pure_crates_have_their_rules_with_reasons_in_clippy_toml() {
    for pure in PURE {
        let path = crates().join(pure).join("clippy.toml");
        let rules = read(&path);
        for list in ["disallowed-methods", "disallowed-types"] {
            assert!(rules.contains(list), "{} has no {list}", path.display());
        }
        for line in rules.lines().filter(|line| line.contains("path =")) {
            assert!(
                line.contains("reason ="),
                "{}: a rule without a reason: {line}",
                path.display()
            );
        }
    }
}

#[test]
fn every_crate_says_at_its_head_what_lives_in_it() {
    for folder in fs::read_dir(crates()).unwrap() {
        let head = folder.unwrap().path().join("src/lib.rs");
        let doc: Vec<String> = read(&head)
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .map(str::to_owned)
            .collect();
        assert!(
            doc.len() >= 3,
            "{}: what lives here, what never does, who may call?",
            relative(&head)
        );
    }
}

#[test]
fn no_file_is_longer_than_a_thought() {
    let mut faults = Vec::new();
    let mut long_tables = Vec::new();
    for folder in ["src-tauri", "ui", "tests"] {
        for path in files(&root().join(folder), &[".rs", ".svelte", ".ts"]) {
            let lines = read(&path).lines().count();
            let path = relative(&path);
            match (lines > LONGEST_FILE, FLAT_TABLES.contains(&path.as_str())) {
                (true, true) => long_tables.push(path),
                (true, false) => faults.push(format!("{path}: {lines} lines")),
                (false, _) => {}
            }
        }
    }
    assert_none("files with too many lines", &faults);
    assert_eq!(
        long_tables.len(),
        FLAT_TABLES.len(),
        "a flat table is long no more and needs no exception"
    );
}

#[test]
fn the_root_folder_holds_only_what_belongs_there() {
    let mut strangers = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with('.')
            && !ROOT.contains(&name.as_str())
            && !IGNORED_IN_ROOT.contains(&name.as_str())
        {
            strangers.push(name);
        }
    }
    assert_none("strangers in the root folder", &strangers);
}
