use std::fs;
use std::path::PathBuf;

use serde_json::json;
use store::DataDir;

use super::*;

struct Office {
    folder: tempfile::TempDir,
    control: Control,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open(&DataDir::new(folder.path())).unwrap();
        Self { folder, control }
    }

    fn add(&self, name: &str) -> Result<(), Failure> {
        self.control.user_add(user(name), "open sesame, 42")
    }

    fn letters(&self, name: &str) -> PathBuf {
        DataDir::new(self.folder.path())
            .mail()
            .join(name)
            .join("new")
    }

    fn deliver(&self, name: &str) {
        for part in ["new", "cur", "tmp"] {
            fs::create_dir_all(self.letters(name).with_file_name(part)).unwrap();
        }
        fs::write(self.letters(name).join("1.letter"), "hello").unwrap();
    }

    fn has_secret(&self, name: &str) -> bool {
        let read = |conn: &store::Connection| secret::get(conn, secret::PASSWORD, name);
        self.control.store.read(read).unwrap().is_some()
    }
}

fn user(name: &str) -> User {
    User {
        name: name.into(),
        display_name: String::new(),
        enabled: true,
    }
}

fn refusal(done: Result<(), Failure>) -> (String, String) {
    let problem = done.unwrap_err().problems.remove(0);
    (problem.path, problem.code)
}

fn mailbox_exists(name: &str) -> (String, String) {
    (format!("users.{name}.name"), "mailbox_exists".into())
}

#[test]
fn the_mail_of_a_renamed_user_goes_along() {
    let office = Office::new();
    office.add("alice").unwrap();
    office.deliver("alice");
    office.control.user_set("alice", user("alicia")).unwrap();
    assert!(office.letters("alicia").join("1.letter").is_file());
    assert!(!office.letters("alice").exists());
    assert!(office.has_secret("alicia") && !office.has_secret("alice"));
}

#[test]
fn a_user_without_mail_is_renamed_too() {
    let office = Office::new();
    office.add("alice").unwrap();
    office.control.user_set("alice", user("alicia")).unwrap();
    assert!(!office.letters("alicia").exists());
}

#[test]
fn a_rename_onto_a_folder_that_exists_changes_nothing() {
    let office = Office::new();
    office.add("alice").unwrap();
    office.deliver("alice");
    office.deliver("bob");
    let done = office.control.user_set("alice", user("bob"));
    assert_eq!(refusal(done), mailbox_exists("bob"));
    assert!(office.letters("alice").join("1.letter").is_file());
    let settings = office.control.settings_get().unwrap().settings;
    assert!(settings.user("alice").is_some() && settings.user("bob").is_none());
}

#[test]
fn a_refused_rename_leaves_the_folder_where_it_is() {
    let office = Office::new();
    office.add("alice").unwrap();
    office.deliver("alice");
    let done = office.control.user_set("alice", user("../alice"));
    assert_eq!(refusal(done).0, "users.../alice.name");
    assert!(office.letters("alice").join("1.letter").is_file());
}

#[test]
fn mail_that_came_under_the_old_name_meanwhile_is_brought_over() {
    let office = Office::new();
    office.deliver("alice");
    fs::create_dir_all(office.letters("alicia")).unwrap();
    let moved = Folder::Move {
        from: "alice".into(),
        to: "alicia".into(),
    };
    moved.sweep(&DataDir::new(office.folder.path()).mail());
    assert!(office.letters("alicia").join("1.letter").is_file());
    assert!(!office.letters("alice").exists());
}

#[test]
fn mail_of_a_removed_user_is_not_given_to_a_new_one_but_to_the_one_brought_back() {
    let office = Office::new();
    office.add("alice").unwrap();
    office.deliver("alice");
    office.control.user_remove("alice").unwrap();
    assert_eq!(refusal(office.add("alice")), mailbox_exists("alice"));
    office.control.user_restore("alice").unwrap();
    assert!(office.has_secret("alice"));
}

#[test]
fn a_name_is_free_again_when_no_mail_lies_under_it() {
    let office = Office::new();
    office.add("alice").unwrap();
    office.control.user_remove("alice").unwrap();
    office.add("alice").unwrap();
}

#[test]
fn the_password_of_a_user_that_a_document_leaves_out_is_forgotten() {
    let office = Office::new();
    office.add("alice").unwrap();
    office.add("bob").unwrap();
    let document = json!({"users": [{"name": "bob"}]});
    let control = &office.control;
    control.settings_apply(&document, None, "test", "").unwrap();
    assert!(!office.has_secret("alice") && office.has_secret("bob"));
}

#[test]
fn a_document_tried_by_the_server_forgets_passwords_as_well() {
    let office = Office::new();
    office.add("alice").unwrap();
    let apply = server::Apply::new(&json!({"users": []}), "test", "");
    let stored = office
        .control
        .store
        .write_blocking(move |tx| apply.store(tx))
        .unwrap();
    assert!(stored.unwrap().settings.users.is_empty());
    assert!(!office.has_secret("alice"));
}
