//! Reports that are too much for the log, for a reader, or for the store.

use std::path::Path;

use serde_json::json;
use settings::Settings;
use smtp::{RcptParameters, ReversePath};
use store::spool::{Content, IN_LOG, Writing};
use store::{DataDir, Store};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::queue::Carriage;
use crate::queue::settle::{self, Settlement};
use crate::snapshot::Snapshot;
use crate::tls::{self, Certificates};

fn snapshot() -> Snapshot {
    let settings = Settings::default()
        .merged(&json!({
            "general": {"domain": "office.example", "hostname": "mail.office.example"},
            "users": [{"name": "ann"}],
        }))
        .unwrap();
    Snapshot {
        revision: store::setting::Revision(1),
        settings,
    }
}

fn mail(content: Content) -> Arc<Mail> {
    Arc::new(Mail {
        id: 1,
        token: "ABCDEF".into(),
        accepted_at_ms: 0,
        sender: ReversePath::Address(Address::parse("ann@office.example").unwrap()),
        carriage: Carriage::default(),
        head: "Received: by us\r\n".into(),
        content,
    })
}

fn short() -> Content {
    Content::Memory(Arc::new(b"Subject: to all\r\n\r\nhello\r\n".to_vec()))
}

/// So many recipients who do not exist, with replies of so many octets.
fn failed(count: usize, reply: usize, orcpt: usize) -> Vec<Event> {
    let event = |n: usize| {
        let waiting = Waiting {
            id: 0,
            address: Address::parse(&format!("user{n}@far.example")).unwrap(),
            mailbox: String::new(),
            parameters: RcptParameters {
                orcpt: Some(format!("rfc822;{}{n}@far.example", "o".repeat(orcpt))),
                ..RcptParameters::default()
            },
            attempts: 1,
            expires_at_ms: 0,
            reason: String::new(),
        };
        let mut trouble = Trouble::new((5, 1, 1), "x ".repeat(reply / 4));
        trouble.reply = Some(format!("550 5.1.1 no such user{}", " w".repeat(reply / 2)));
        Event::failed(&waiting, &trouble, "mx.far.example")
    };
    (0..count).map(event).collect()
}

fn reports(spool: &Path, content: Content, events: &[Event]) -> Vec<Report> {
    let making = Making {
        mail: mail(content),
        snapshot: Arc::new(snapshot()),
        spool: spool.to_owned(),
    };
    making.reports(events)
}

fn octets(content: &Content) -> Vec<u8> {
    let length = usize::try_from(content.length()).unwrap();
    content.read_at(0, length).unwrap()
}

fn text(content: &Content) -> String {
    String::from_utf8(octets(content)).unwrap()
}

fn files(spool: &Path) -> usize {
    let names = std::fs::read_dir(spool).unwrap();
    names
        .filter(|name| {
            let name = name.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with("content-")
        })
        .count()
}

fn opened(folder: &Path) -> Store {
    let store = Store::open(&DataDir::new(folder)).unwrap();
    store.recover().unwrap();
    store
}

/// Accepts all, loses the tables as in a crash, and reads all again.
fn through_the_store(store: &Store, reports: Vec<Report>) {
    let mut sent = Vec::new();
    for mut report in reports {
        let content = report.arrived.hand_over();
        let id = store.accept_blocking(report.accepted, content).unwrap();
        sent.push((id, octets(&report.arrived.content)));
    }
    store
        .write_blocking(|tx| {
            tx.execute_batch(
                "DELETE FROM message; DELETE FROM recipient; UPDATE spool_mark SET number = 0",
            )?;
            Ok(())
        })
        .unwrap();
    let found = store.recover().unwrap();
    assert_eq!((found.messages, found.gaps), (sent.len(), 0));
    for (id, written) in sent {
        assert!(octets(&store.content(id).unwrap()) == written);
    }
}

#[test]
fn a_report_on_a_hundred_recipients_with_long_replies_is_there_again_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let spool = store.data_dir().spool();
    let reports = reports(&spool, short(), &failed(100, 2000, 400));
    assert_eq!(reports.len(), 1);
    assert!(reports[0].arrived.content.length() > IN_LOG as u64);
    through_the_store(&store, reports);
    assert_eq!(files(&spool), 1);
}

#[test]
fn failures_of_thousands_of_recipients_become_several_reports_that_name_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let spool = store.data_dir().spool();
    let reports = reports(&spool, short(), &failed(9000, 2000, 480));
    assert_eq!(reports.len(), 9);
    let mut named = 0;
    let mut tokens: Vec<&str> = Vec::new();
    for report in &reports {
        assert_eq!(report.about, 1000);
        let text = text(&report.arrived.content);
        assert!(text.len() < 10 << 20);
        for (n, group) in text.split("Final-Recipient: rfc822; ").skip(1).enumerate() {
            let address = format!("user{}@far.example\r\n", named + n);
            assert!(group.starts_with(&address));
        }
        named += report.about;
        tokens.push(&report.accepted.token);
    }
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 9);
    through_the_store(&store, reports);
}

#[test]
fn a_spool_that_takes_no_files_makes_reports_small_and_loses_none() {
    let nowhere = Path::new("/nonexistent/spool");
    let head = format!("Subject: {}\r\n\r\n", "s".repeat(60 << 10));
    let content = Content::Memory(Arc::new(head.into_bytes()));
    let reports = reports(nowhere, content, &failed(105, 2000, 480));
    assert_eq!(
        reports.iter().map(|report| report.about).sum::<usize>(),
        105
    );
    for report in reports {
        assert!(report.arrived.content.length() <= IN_LOG as u64);
        assert!(matches!(report.arrived.content, Content::Memory(_)));
    }
}

#[test]
fn a_sender_is_told_also_when_the_message_itself_cannot_be_read_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut writing = Writing::begin(folder.path(), 7).unwrap();
    writing.push(b"Subject: gone\r\n\r\nhello\r\n").unwrap();
    let path = writing.path().to_owned();
    let content = Content::File(Arc::new(writing.finish().unwrap()));
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(3).unwrap();
    let reports = reports(folder.path(), content, &failed(1, 10, 1));
    let text = text(&reports[0].arrived.content);
    assert!(text.contains("user0@far.example") && text.contains("text/rfc822-headers"));
}

fn shared(store: Store) -> Arc<Shared> {
    let snapshot = snapshot();
    let loaded = tls::load(&snapshot.settings, store.data_dir().root()).unwrap();
    let certificates = Arc::new(Certificates::new(loaded));
    let config = tls::server_config(certificates.clone()).unwrap();
    Arc::new(Shared::new(store, snapshot, certificates, config, None))
}

#[tokio::test]
async fn a_report_that_finds_the_spool_closed_is_not_given_up_and_what_it_is_about_not_entered() {
    let folder = tempfile::tempdir().unwrap();
    // Its log was not opened.
    let store = Store::open(&DataDir::new(folder.path())).unwrap();
    std::fs::create_dir_all(store.data_dir().spool()).unwrap();
    let shared = shared(store.clone());
    let pause = store::queue::Pause {
        destination: "domain:far.example".into(),
        failures: 1,
        until_ms: i64::MAX,
        reason: "it is away".into(),
    };
    let settlement = Settlement {
        reports: reports(&store.data_dir().spool(), short(), &failed(1, 10, 1)),
        pause: Some(settle::Rest::Begins(pause)),
        ..Settlement::default()
    };
    settle::enter(&shared, settlement).await;
    let done = CancellationToken::new();
    done.cancel();
    settle::keep(Arc::clone(&shared), done).await;
    store.write(|_| Ok(())).await.unwrap();
    assert_eq!(store.read(store::queue::pauses).unwrap(), []);
}

#[tokio::test]
async fn a_report_that_is_refused_for_good_holds_up_nothing_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let spool = store.data_dir().spool();
    let shared = shared(store.clone());
    let mut refused = reports(&spool, short(), &failed(100, 2000, 400));
    let recipients = &mut refused[0].accepted.recipients;
    *recipients = vec![recipients[0].clone(); store::queue::MOST_RECIPIENTS + 1];
    let good = reports(&spool, short(), &failed(1, 10, 1));
    let token = good[0].accepted.token.clone();
    for reports in [refused, good] {
        let settlement = Settlement {
            reports,
            ..Settlement::default()
        };
        settle::enter(&shared, settlement).await;
    }
    // It enters what there is, and ends.
    let done = CancellationToken::new();
    done.cancel();
    settle::keep(Arc::clone(&shared), done).await;
    store.write(|_| Ok(())).await.unwrap();
    let listed = store
        .read(|conn| store::queue::list(conn, &store::queue::Filter::default(), None, 10))
        .unwrap();
    let tokens: Vec<String> = listed.rows.into_iter().map(|row| row.token).collect();
    assert_eq!(tokens, [token]);
    // And its file is gone.
    assert_eq!(files(&spool), 0);
}
