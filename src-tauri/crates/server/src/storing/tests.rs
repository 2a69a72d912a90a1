//! Which failure is told to whom and in which words.

use store::DataDir;

use super::*;

fn io(kind: ErrorKind) -> io::Error {
    io::Error::new(kind, "no")
}

#[test]
fn each_failure_that_somebody_can_mend_puts_mail_off_and_is_told() {
    let path = PathBuf::from("/data/spool");
    let failures = [
        (StoreError::Full { path: path.clone() }, "full"),
        (
            StoreError::Io {
                path: path.clone(),
                detail: "no such file".into(),
            },
            "unwritable",
        ),
        (
            StoreError::Permission {
                path,
                detail: "denied".into(),
            },
            "unwritable",
        ),
        (StoreError::Busy, "busy"),
    ];
    for (error, cause) in failures {
        let storing = Storing::default();
        let (reason, why) = storing.failed(&error);
        assert_eq!(reason.reply().code(), 452, "{error}");
        assert!(why.starts_with(&reason.text()) && why.len() > reason.text().len());
        let problem = storing.problem(false).unwrap();
        assert_eq!(
            (problem.code.as_str(), problem.args["cause"].as_str()),
            ("storage_failing", cause)
        );
    }
}

#[test]
fn a_defect_is_not_blamed_on_the_disk() {
    let storing = Storing::default();
    let defect = StoreError::Defect {
        detail: "a fault".into(),
    };
    assert_eq!(storing.failed(&defect).0, Reason::StorageFailed);
    assert_eq!(storing.problem(false), None);
}

#[test]
fn a_spool_without_room_is_full_and_one_that_is_not_there_is_unwritable() {
    let spool = Path::new("/data/spool");
    let told = |kind| Storing::default().spool_failed(&io(kind), spool).0;
    assert_eq!(told(ErrorKind::StorageFull), Reason::StorageFull);
    assert_eq!(told(ErrorKind::NotFound), Reason::StorageUnwritable);
    assert_eq!(told(ErrorKind::NotADirectory), Reason::StorageUnwritable);
}

#[test]
fn tables_that_do_not_follow_are_told_also_when_nothing_was_refused() {
    let storing = Storing::default();
    assert_eq!(storing.problem(false), None);
    let behind = storing.problem(true).unwrap();
    assert_eq!(behind.code, "queue_behind");
    assert!(behind.message.starts_with("new mail is put off with 452"));
    assert!(behind.message.contains("may have been delivered already"));
    storing.failed(&StoreError::Busy);
    assert_eq!(storing.problem(true).unwrap().args["behind"], "true");
}

#[test]
fn a_message_too_large_for_the_room_there_is_does_not_mean_that_storing_fails() {
    let storing = Storing::default();
    storing.refused_for_room(ROOM, Path::new("/data/spool"));
    assert_eq!(storing.problem(false), None);
    storing.refused_for_room(ROOM - 1, Path::new("/data/spool"));
    assert_eq!(storing.problem(false).unwrap().args["cause"], "full");
}

#[tokio::test]
async fn other_programs_read_the_problem_until_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    assert_eq!(said(&data), None);
    let board = Board::new(&data);
    board.show(None).await.unwrap();
    assert_eq!(said(&data), None);
    let long = Trouble {
        cause: Cause::Busy,
        place: PathBuf::new(),
        detail: "x".repeat(10_000),
    };
    for problem in [long.problem(true), behind()] {
        board.show(Some(&problem)).await.unwrap();
        assert_eq!(said(&data), Some(problem));
    }
    board.show(None).await.unwrap();
    assert_eq!(said(&data), None);
}
