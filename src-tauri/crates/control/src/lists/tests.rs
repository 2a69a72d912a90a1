use settings::security::{ListAction, ListKind};
use store::DataDir;

use super::*;

struct Office {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    control: Control,
}

fn office() -> Office {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let control = Control::open(&DataDir::new(path.join("data"))).unwrap();
    Office {
        _folder: folder,
        path,
        control,
    }
}

fn rule(name: &str, value: &str) -> ListRule {
    ListRule {
        name: name.into(),
        list: ListKind::Black,
        criterion: Criterion::Ip,
        value: value.into(),
        action: ListAction::Reject,
        enabled: true,
        comment: String::new(),
    }
}

impl Office {
    fn names(&self) -> Vec<String> {
        let lists = self.control.snapshot().unwrap().settings.security.lists;
        lists.rules().iter().map(|rule| rule.name.clone()).collect()
    }

    fn file(&self, text: &str) -> ListImport {
        let path = self.path.join("rules");
        std::fs::write(&path, text).unwrap();
        ListImport {
            path: path.to_string_lossy().into_owned(),
            format: None,
            addresses: Criterion::Recipient,
            existing: OnExisting::Keep,
        }
    }
}

#[test]
fn rules_are_added_changed_removed_and_brought_back() {
    let office = office();
    let control = &office.control;
    let first = control.list_set(None, rule("b", "192.0.2.1")).unwrap();
    control.list_set(None, rule("a", "192.0.2.2")).unwrap();
    let last = control.list_set(Some("B"), rule("c", "192.0.2.1")).unwrap();
    assert_eq!(last, first + 2);
    // What is so already makes no revision.
    let same = control.list_set(Some("c"), rule("c", "192.0.2.1")).unwrap();
    assert_eq!(same, last);
    assert_eq!(office.names(), ["a", "c"]);
    let taken = control.list_set(None, rule("A", "192.0.2.3")).unwrap_err();
    assert_eq!(taken.problems[0].code, "taken");
    let wrong = control
        .list_set(Some("a"), rule("a", "mx.example"))
        .unwrap_err();
    assert!(wrong.problems[0].path.ends_with("].value"), "{wrong}");
    assert_eq!(
        control
            .list_set(Some("x"), rule("x", "192.0.2.3"))
            .unwrap_err()
            .problems[0]
            .code,
        "no_such_entry"
    );
    assert!(control.lists_remove(vec!["a".into(), "x".into()]).is_err());
    control.lists_remove(vec!["a".into(), "c".into()]).unwrap();
    assert!(office.names().is_empty());
    control.lists_restore(vec![rule("a", "192.0.2.2")]).unwrap();
    assert_eq!(office.names(), ["a"]);
}

#[test]
fn what_was_counted_goes_along_with_a_new_name() {
    let office = office();
    let control = &office.control;
    control.list_set(None, rule("a", "192.0.2.1")).unwrap();
    let batch = list_hit::Batch {
        rule: "a".into(),
        hits: 3,
        last_ms: clock::now_ms(),
    };
    control
        .store
        .write_blocking(move |tx| list_hit::add(tx, &[batch]))
        .unwrap();
    control.list_set(Some("a"), rule("b", "192.0.2.1")).unwrap();
    let hits = control.lists_hits().unwrap();
    assert_eq!((hits[0].name.as_str(), hits[0].hits), ("b", 3));
}

#[test]
fn a_file_is_shown_before_it_is_taken() {
    let office = office();
    let control = &office.control;
    control
        .list_set(None, rule("192.0.2.1", "192.0.2.9"))
        .unwrap();
    let file = office
        .file("# clients\n192.0.2.1 REJECT\n192.0.2.0/24 OK\nmx.example REJECT\n192.0.2.0/99 OK\n");
    let preview = control.lists_import_preview(&file).unwrap();
    assert_eq!(preview.format, ListFormat::Cidr);
    assert_eq!(
        (
            preview.added,
            preview.changed,
            preview.kept,
            preview.refused
        ),
        (2, 0, 0, 2)
    );
    let verdicts: Vec<_> = preview
        .lines
        .iter()
        .map(|line| (line.line, line.verdict))
        .collect();
    assert_eq!(
        verdicts,
        [
            (2, ImportVerdict::Added),
            (3, ImportVerdict::Added),
            (4, ImportVerdict::Unsupported),
            (5, ImportVerdict::Refused)
        ]
    );
    assert_eq!(office.names(), ["192.0.2.1"]);
    let refused = control.lists_import_all(&file).unwrap_err();
    assert!(
        refused.message.starts_with("line 4: mx.example REJECT: "),
        "{refused}"
    );
    assert_eq!(office.names(), ["192.0.2.1"]);
    let imported = control.lists_import(&file).unwrap();
    assert_eq!((imported.added, imported.refused), (2, 2));
    assert_eq!(office.names(), ["192.0.2.0/24", "192.0.2.1", "192.0.2.1 2"]);
}

#[test]
fn a_file_that_was_written_changes_nothing_when_it_is_read() {
    let office = office();
    let control = &office.control;
    control.list_set(None, rule("a", "192.0.2.1")).unwrap();
    let recipient = ListRule {
        criterion: Criterion::Recipient,
        ..rule("b", "alice@office.example")
    };
    control.list_set(None, recipient).unwrap();
    let mut file = office.file("");
    file.existing = OnExisting::Replace;
    for (format, addresses, written) in [
        (ListFormat::Csv, None, 2),
        (ListFormat::Cidr, None, 1),
        (ListFormat::Access, None, 0),
        (ListFormat::Access, Some(Criterion::Recipient), 1),
    ] {
        let exported = control.lists_export(&file.path, format, addresses).unwrap();
        assert_eq!(
            (exported.written, exported.left_out),
            (written, 2 - written)
        );
        file.format = Some(format);
        let preview = control.lists_import_preview(&file).unwrap();
        assert_eq!(
            (
                preview.kept,
                preview.added + preview.changed + preview.refused
            ),
            (written, 0),
            "{format:?}"
        );
    }
    assert!(
        control
            .lists_import_preview(&ListImport {
                path: "/nowhere/at/all".into(),
                ..file
            })
            .is_err()
    );
}

#[test]
fn an_apply_meets_a_change_of_the_same_part_of_security_and_no_other() {
    let office = office();
    let control = &office.control;
    control.list_set(None, rule("a", "192.0.2.1")).unwrap();
    let base = control.settings_get().unwrap().revision;
    control.list_set(None, rule("b", "192.0.2.2")).unwrap();
    let manners = serde_json::json!({"security": {"advanced": {"max_junk_commands": 7}}});
    control
        .settings_apply(&manners, Some(base), "window", "")
        .unwrap();
    assert_eq!(office.names(), ["a", "b"]);
    let lists = serde_json::json!({"security": {"lists": []}});
    let met = control.settings_apply(&lists, Some(base), "window", "");
    assert_eq!(met.unwrap_err().kind, FailureKind::Conflict);
    assert_eq!(office.names(), ["a", "b"]);
}
