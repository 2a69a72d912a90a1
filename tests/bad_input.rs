//! What a person or a disk can give the server that it cannot take: each is told in words that help, at the setting
//! concerned, and nothing is changed or lost by it.

#[path = "bad_input/certificates.rs"]
mod certificates;
#[path = "bad_input/database.rs"]
mod database;
#[path = "bad_input/disks.rs"]
mod disks;
#[path = "bad_input/ports.rs"]
mod ports;
#[path = "bad_input/storing.rs"]
mod storing;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use postroom_tests::{Daemon, User, Verdict, verb, verb_with};
use serde_json::{Value, json};
use tempfile::TempDir;

const ALICE: User = User {
    name: "alice",
    password: "open sesame, 42",
};
const STRANGER: &str = "stranger@elsewhere.example";
const ALICE_ADDRESS: &str = "alice@office.example";

/// What a first start needs, on ports that nobody else has.
fn first_settings() -> Value {
    json!({
        "service": {
            "smtp": ["127.0.0.1:0"], "submission": ["127.0.0.1:0"], "submissions": ["127.0.0.1:0"],
        },
        "general": { "domain": "office.example", "hostname": "mx.office.example" },
    })
}

/// A data folder on which no server runs.
struct Office {
    folder: TempDir,
}

impl Office {
    fn new() -> Result<Self> {
        let office = Self {
            folder: tempfile::Builder::new()
                .prefix("postroom-test-")
                .tempdir()?,
        };
        let applied = office.apply(&first_settings())?;
        ensure!(applied.code == 0, "{applied:?}");
        Ok(office)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn database(&self) -> PathBuf {
        self.data().join("postroom.db")
    }

    fn verb(&self, arguments: &[&str]) -> Result<Verdict> {
        verb(&self.data(), arguments)
    }

    fn apply(&self, document: &Value) -> Result<Verdict> {
        self.apply_text(&document.to_string())
    }

    fn apply_text(&self, document: &str) -> Result<Verdict> {
        verb_with(&self.data(), &["settings", "apply", "-"], document)
    }

    /// Everything a person chose, to see that a refusal changed none of it.
    fn settings(&self) -> Result<String> {
        let exported = self.verb(&["settings", "export"])?;
        ensure!(exported.code == 0, "{exported:?}");
        Ok(exported.out)
    }

    /// Each document is refused with its words, and nothing is stored.
    fn refuses(&self, documents: &[(Value, &[&str])]) -> Result<()> {
        let before = self.settings()?;
        for (document, words) in documents {
            self.apply(document)?
                .refused_with(words)
                .with_context(|| document.to_string())?;
            ensure!(self.settings()? == before, "{document} changed something");
        }
        Ok(())
    }
}

/// Verbs of every kind: reading, changing, serving.
const VERBS: &[&[&str]] = &[
    &["serve"],
    &["status"],
    &["start"],
    &["settings", "get"],
    &["settings", "set", "general.max_hops", "30"],
    &["settings", "export"],
    &["user", "list"],
    &["user", "set", "alice", "--enabled", "false"],
    &["group", "list"],
    &["log"],
    &["explain", "K7QF2M"],
    &["blocks", "list"],
];

#[test]
fn a_name_that_is_no_domain_is_refused_at_its_setting() -> Result<()> {
    let domain = |name: &str| json!({"general": {"domain": name}});
    let hostname = |name: &str| json!({"general": {"hostname": name}});
    Office::new()?.refuses(&[
        (domain("localhost"), &["general.domain: ", "has no dot"]),
        (
            domain("a..example"),
            &["general.domain: ", "1 to 63 characters"],
        ),
        (domain("192.0.2.1"), &["general.domain: ", "IP address"]),
        (domain("office example"), &["general.domain: "]),
        (domain("office_.example"), &["general.domain: "]),
        (
            domain(&format!("{}.example", "x".repeat(64))),
            &["general.domain: "],
        ),
        (domain(""), &["general.domain: "]),
        (hostname("mx"), &["general.hostname: ", "mx.example.com"]),
        (hostname("-mx.office.example"), &["general.hostname: "]),
        (hostname("[192.0.2.1]"), &["general.hostname: "]),
        (
            json!({"general": {"additional_domains": ["fine.example", "no dot"]}}),
            &["general.additional_domains[1]: "],
        ),
        (
            json!({"general": {"additional_domains": ["OFFICE.example"]}}),
            &[
                "general.additional_domains[0]: ",
                "already one of your domains",
            ],
        ),
    ])
}

#[test]
fn a_value_out_of_range_or_of_another_kind_is_refused_at_its_setting() -> Result<()> {
    let general = |key: &str, value: Value| json!({"general": {key: value}});
    let service = |key: &str, value: Value| json!({"service": {key: value}});
    Office::new()?.refuses(&[
        (
            general("max_hops", json!(0)),
            &["general.max_hops: ", "from 1 to 200"],
        ),
        (general("max_hops", json!("many")), &["general.max_hops: "]),
        (general("max_hops", json!(-1)), &["general.max_hops: "]),
        (
            general("max_recipients", json!(10_001)),
            &["general.max_recipients: ", "10000"],
        ),
        (
            general("max_message_size_mb", json!(2.5)),
            &["general.max_message_size_mb: "],
        ),
        (general("smtp_auth", json!("yes")), &["general.smtp_auth: "]),
        (
            general("banner", json!("two\r\nlines")),
            &["general.banner: "],
        ),
        (
            general("banner", json!("x".repeat(600))),
            &["general.banner: "],
        ),
        (service("smtp", json!(["nonsense"])), &["service.smtp[0]: "]),
        (
            service("smtp", json!(["127.0.0.1:99999"])),
            &["service.smtp[0]: "],
        ),
        (
            service("journal_days", json!(0)),
            &["service.journal_days: "],
        ),
        (
            service("local_networks", json!(["10.0.0.0/99"])),
            &["service.local_networks[0]: "],
        ),
    ])
}

#[test]
fn an_unknown_key_is_refused_with_its_path() -> Result<()> {
    let office = Office::new()?;
    office.refuses(&[
        (json!({"general": {"colour": "red"}}), &["general.colour: "]),
        (json!({"colour": {}}), &["colour: "]),
        (
            json!({"users": [{"name": "bob", "shoe_size": 43}]}),
            &["users", "shoe_size"],
        ),
        (
            json!({"general": {"max_hops": 30, "max_hop": 30}}),
            &["general.max_hop: "],
        ),
    ])?;
    office
        .verb(&["settings", "set", "general.max_hop", "30"])?
        .refused_with(&["general.max_hop: ", "no such setting"])?;
    office
        .verb(&["settings", "get", "general.max_hop"])?
        .refused_with(&["general.max_hop: ", "no such setting"])
}

#[test]
fn a_document_that_is_no_json_is_refused_with_the_line() -> Result<()> {
    let office = Office::new()?;
    let before = office.settings()?;
    for (text, words) in [
        ("{\"general\":\n{\"max_hops\": 30,,}}", "line 2 column"),
        ("{\"general\":\n\n{\"max_hops\": 30", "line 3 column"),
        ("", "line 1 column"),
        ("[]", "JSON object"),
        ("{} trailing", "line 1 column"),
    ] {
        office.apply_text(text)?.refused_with(&[words])?;
        verb_with(&office.data(), &["settings", "check", "-"], text)?.refused_with(&[words])?;
    }
    // Nested beyond all reason.
    office
        .apply_text(&"[".repeat(100_000))?
        .refused_with(&["line 1"])?;
    office
        .verb(&["settings", "apply", "/nonexistent/settings.json"])?
        .refused_with(&["/nonexistent/settings.json: "])?;
    ensure!(office.settings()? == before);
    Ok(())
}

#[test]
fn names_and_passwords_that_cannot_be_are_refused_in_words() -> Result<()> {
    let office = Office::new()?;
    let add = |name: &str, password: &str| {
        verb_with(
            &office.data(),
            &["user", "add", "--password-stdin", "--", name],
            password,
        )
    };
    ensure!(add("alice", ALICE.password)?.code == 0);
    let before = office.settings()?;
    let long = "x".repeat(65);
    for (name, words) in [
        ("Alice", "lower case"),
        ("a/b", "'/' cannot be in a name"),
        ("..", "dot"),
        (".hidden", "dot"),
        ("-x", "hyphen"),
        ("a b", "' ' cannot be in a name"),
        ("a@office.example", "'@' cannot be in a name"),
        ("", "a name is needed"),
        (long.as_str(), "64"),
        ("alice", "exists already"),
    ] {
        add(name, ALICE.password)?
            .refused_with(&["users.", words])
            .with_context(|| format!("{name:?}"))?;
    }
    for password in ["short", "", "\n", "1234567", &"x".repeat(300)] {
        add("bob", password)?.refused_with(&["users.bob.password: "])?;
    }
    ensure!(office.settings()? == before);
    office
        .verb(&["group", "add", "staff", "carol"])?
        .refused_with(&["groups.staff.members[0]: ", "no user"])?;
    office
        .verb(&["group", "add", "alice", "alice"])?
        .refused_with(&["groups.alice.name: "])?;
    for verb in [
        &["user", "remove", "carol"][..],
        &["user", "set", "carol", "--enabled", "true"],
    ] {
        office
            .verb(verb)?
            .refused_with(&["users.carol: ", "no user"])?;
    }
    ensure!(!before.contains(ALICE.password) && !before.contains("argon2"));
    Ok(())
}

#[test]
fn what_cannot_be_looked_up_is_told_in_words() -> Result<()> {
    let office = Office::new()?;
    office
        .verb(&["explain", "K7QF2M"])?
        .refused_with(&["K7QF2M"])?;
    office
        .verb(&["explain", "no token"])?
        .refused_with(&["six letters and digits"])?;
    office
        .verb(&["blocks", "lift", "a.b.c.d"])?
        .refused_with(&["no", "IP address"])?;
    office
        .verb(&["log", "--since", "yesterday"])?
        .refused_with(&["yesterday", "24h"])?;
    office.verb(&["stop"])?.refused_with(&["no server runs"])?;
    let failure: Value = serde_json::from_str(
        &office
            .verb(&["--json", "settings", "set", "general.max_hops", "0"])?
            .err,
    )?;
    ensure!(
        failure["problems"][0]["path"] == "general.max_hops",
        "{failure}"
    );
    for usage in [&["nonsense"][..], &["settings"], &["user", "add"], &[]] {
        let verdict = office.verb(usage)?;
        ensure!(verdict.code == 2 && !verdict.err.is_empty(), "{verdict:?}");
    }
    Ok(())
}

#[test]
fn a_server_without_a_domain_does_not_start_and_says_what_is_missing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    verb(folder.path(), &["serve"])?.refused_with(&["general.domain", "general.hostname"])
}

#[test]
fn a_second_server_on_the_same_folder_says_who_has_it_and_every_other_verb_works() -> Result<()> {
    let daemon = Daemon::start(&json!({}), &[ALICE])?;
    let process = format!("process {}", daemon.pid());
    verb(&daemon.data_folder(), &["serve"])?.refused_with(&["already serves", &process])?;
    for arguments in VERBS
        .iter()
        .filter(|verb| verb[0] != "serve" && verb[0] != "explain")
    {
        let verdict = verb(&daemon.data_folder(), arguments)?;
        ensure!(verdict.code == 0, "{arguments:?}: {verdict:?}");
    }
    ensure!(daemon.command(&["status"])?.starts_with("running"));
    Ok(())
}

#[test]
fn a_file_in_the_place_of_the_data_folder_is_told_and_left_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("data");
    fs::write(&file, "not a folder")?;
    for data in [file.clone(), file.join("below")] {
        let name = data.display().to_string();
        for arguments in VERBS {
            verb(&data, arguments)?.refused_with(&[&name])?;
        }
    }
    ensure!(fs::read_to_string(file)? == "not a folder");
    Ok(())
}
