//! What becomes of a message whose content is gone.

use std::collections::HashMap;

use serde_json::json;
use settings::Settings;
use store::journal::{Entry, Kind, Outcome};
use store::queue::{self, Accepted, Act, Filter, NewRecipient, Row, Which, recipient_id};
use store::spool::Writing;
use store::{DataDir, setting::Revision};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::queue::runner;
use crate::snapshot::Snapshot;
use crate::tls::{self, Certificates};

const HOUR_MS: i64 = 3_600_000;
const FAR: &str = "domain:far.example";

/// A server with one message from ann whose file was removed.
struct Office {
    shared: Arc<Shared>,
    message: i64,
    _folder: tempfile::TempDir,
}

fn entry(at_ms: i64) -> Entry {
    Entry {
        token: "ABCDEF".into(),
        at_ms,
        kind: Kind::Transaction,
        outcome: Outcome::Accepted,
        client_ip: String::new(),
        helo: String::new(),
        login: String::new(),
        sender: "ann@office.example".into(),
        recipients: vec!["bob@far.example".into()],
        size: 30,
        message_id: String::new(),
        subject: "hello".into(),
        reply: "250 2.0.0 Ok".into(),
        decided_by: String::new(),
        revision: Revision(1),
        facts: json!({}).into(),
        trace: json!([]).into(),
    }
}

impl Office {
    /// The message is so many hours old.
    fn open(hours: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DataDir::new(folder.path())).unwrap();
        store.recover().unwrap();
        let settings = Settings::default()
            .merged(&json!({
                "general": {"domain": "office.example", "hostname": "mail.office.example"},
                "users": [{"name": "ann"}],
            }))
            .unwrap();
        let at_ms = clock::now_ms() - hours * HOUR_MS;
        let accepted = Accepted {
            token: "ABCDEF".into(),
            accepted_at_ms: at_ms,
            sender: "ann@office.example".into(),
            parameters: "{}".into(),
            subject: "hello".into(),
            head: "Received: by us\r\n".into(),
            size: 30,
            recipients: vec![NewRecipient {
                address: "bob@far.example".into(),
                mailbox: String::new(),
                parameters: String::new(),
                destination: FAR.into(),
                sending: false,
                next_at_ms: at_ms,
                notice_at_ms: at_ms + HOUR_MS,
                expires_at_ms: attempt::expires_at_ms(at_ms, &settings.delivery),
            }],
            entry: entry(at_ms),
        };
        let mut writing = Writing::begin(&store.data_dir().spool(), 7).unwrap();
        writing.push(b"Subject: hello\r\n\r\ngone\r\n").unwrap();
        let path = writing.path().to_owned();
        let content = Content::File(Arc::new(writing.finish().unwrap()));
        let message = store.accept_blocking(accepted, content).unwrap();
        std::fs::remove_file(path).unwrap();
        let snapshot = Snapshot {
            revision: Revision(1),
            settings,
        };
        let loaded = tls::load(&snapshot.settings, store.data_dir().root()).unwrap();
        let certificates = Arc::new(Certificates::new(loaded));
        let config = tls::server_config(certificates.clone()).unwrap();
        Self {
            shared: Arc::new(Shared::new(store, snapshot, certificates, config, None)),
            message,
            _folder: folder,
        }
    }

    /// Enters what is to be entered.
    async fn settle(&self) {
        let done = CancellationToken::new();
        done.cancel();
        settle::keep(Arc::clone(&self.shared), done).await;
        self.shared.store.write(|_| Ok(())).await.unwrap();
    }

    /// What is in the queue besides the message, and the message.
    fn queue(&self) -> (Vec<Row>, Option<Row>) {
        let list = |conn: &_| queue::list(conn, &Filter::default(), None, 10);
        let rows = self.shared.store.read(list).unwrap().rows;
        let (mut mine, others): (Vec<Row>, Vec<Row>) = rows
            .into_iter()
            .partition(|row| row.message == self.message);
        (others, mine.pop())
    }

    /// Takes the only report there is, once the message is gone.
    fn report(&self) -> String {
        let (others, mine) = self.queue();
        assert_eq!((others.len(), mine), (1, None));
        assert_eq!(others[0].recipient, "ann@office.example");
        let content = self.shared.store.content(others[0].message).unwrap();
        let length = usize::try_from(content.length()).unwrap();
        let text = String::from_utf8(content.read_at(0, length).unwrap()).unwrap();
        // However its lines are broken.
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Has a worker take it up.
    async fn attempt(&self) {
        let take = |tx: &store::Tx<'_>| queue::take_due(tx, FAR, clock::now_ms(), 1, 1);
        let due = self.shared.store.write(take).await.unwrap().pop().unwrap();
        assert!(job(&self.shared, Ready::Row(due)).await.is_none());
        self.settle().await;
    }
}

fn is_without_original(report: &str) {
    assert!(report.contains("Final-Recipient: rfc822; bob@far.example"));
    assert!(report.contains("text/rfc822-headers") && report.contains("Received: by us"));
    assert!(!report.contains("message/rfc822") && !report.contains("spool/"));
}

#[tokio::test]
async fn it_goes_back_to_its_sender_when_the_admin_says_so() {
    let office = Office::open(0);
    let which = Which::Ids(vec![recipient_id(office.message, 0)]);
    let act = move |tx: &store::Tx<'_>| queue::act(tx, Act::Return, &which, 0);
    assert_eq!(office.shared.store.write(act).await.unwrap().changed, 1);
    runner::return_by_hand(&office.shared).await.unwrap();
    office.settle().await;
    let report = office.report();
    is_without_original(&report);
    assert!(report.contains("Action: failed") && report.contains("administrator"));
}

#[tokio::test]
async fn an_attempt_counts_once_and_leaves_the_notice_of_the_delay_alone() {
    let office = Office::open(0);
    office.attempt().await;
    let (others, mine) = office.queue();
    let mine = mine.unwrap();
    assert_eq!((others.len(), mine.attempts), (0, 1));
    assert_eq!((&*mine.state, &*mine.reason), ("waiting", UNREADABLE));
    // The delay is told, which is no attempt.
    let now_ms = clock::now_ms() + 2 * HOUR_MS;
    let take = move |tx: &store::Tx<'_>| queue::take_notices(tx, now_ms, 10);
    let due = office.shared.store.write(take).await.unwrap();
    assert_eq!(due.len(), 1);
    for one in due {
        runner::tell(&office.shared, one, &HashMap::new(), now_ms).await;
    }
    office.settle().await;
    let (others, again) = office.queue();
    assert_eq!((others.len(), again.unwrap().attempts), (1, 1));
}

#[tokio::test]
async fn it_goes_back_when_its_time_is_over_at_an_attempt_or_without_one() {
    let office = Office::open(24 * 365);
    office.attempt().await;
    let report = office.report();
    is_without_original(&report);
    assert!(report.contains("Status: 5.4.7") && report.contains("cannot be read"));

    let office = Office::open(24 * 365);
    let take = |tx: &store::Tx<'_>| queue::take_notices(tx, clock::now_ms(), 10);
    let due = office
        .shared
        .store
        .write(take)
        .await
        .unwrap()
        .pop()
        .unwrap();
    runner::tell(&office.shared, due, &HashMap::new(), clock::now_ms()).await;
    office.settle().await;
    is_without_original(&office.report());
}
