//! Start-up with very much in the queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::{Daemon, Dialogue, User};
use serde_json::json;
use store::journal::{Entry, Kind, Outcome};
use store::queue::{self, Accepted, NewRecipient};
use store::setting::Revision;
use store::spool::Content;
use store::{DataDir, Store};

const WAITING: u64 = 100_000;
const AT_ONCE: u64 = 1_000;
/// It takes a fraction of a second; this is for a machine that is very busy.
const START: Duration = Duration::from_secs(10);

fn accepted(number: u64, now_ms: i64) -> Accepted {
    let token = format!("W{number:05}");
    let address = format!("quinn{number}@elsewhere.example");
    Accepted {
        token: token.clone(),
        accepted_at_ms: now_ms,
        sender: "alice@office.example".into(),
        parameters: "{}".into(),
        subject: format!("letter {number}"),
        head: "Received: by mx.office.example\r\n".into(),
        size: 64,
        recipients: vec![NewRecipient {
            address: address.clone(),
            mailbox: String::new(),
            parameters: String::new(),
            destination: "relay".into(),
            sending: false,
            next_at_ms: now_ms,
            notice_at_ms: now_ms + 14_400_000,
            expires_at_ms: now_ms + 432_000_000,
        }],
        entry: Entry {
            token,
            at_ms: now_ms,
            kind: Kind::Transaction,
            outcome: Outcome::Accepted,
            client_ip: "127.0.0.1".into(),
            helo: "client.example".into(),
            login: "alice".into(),
            sender: "alice@office.example".into(),
            recipients: vec![address],
            size: 64,
            message_id: String::new(),
            subject: format!("letter {number}"),
            reply: "250 2.0.0 Ok".into(),
            decided_by: String::new(),
            revision: Revision(1),
            facts: json!({}).into(),
            trace: json!([]).into(),
        },
    }
}

/// Puts them into the queue of a server that does not run, the way the server itself does.
fn fill(data: &DataDir) -> Result<()> {
    let store = Store::open(data)?;
    store.recover()?;
    let now_ms = server::clock::now_ms();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let content = Content::Memory(b"Subject: waiting\r\n\r\nhello\r\n".to_vec().into());
    for from in (0..WAITING).step_by(usize::try_from(AT_ONCE)?) {
        // Queued together, so that they share a flush.
        let taken: Vec<_> = (from..from + AT_ONCE)
            .map(|one| store.accept(Arc::new(accepted(one, now_ms)), content.clone()))
            .collect();
        for one in taken {
            runtime.block_on(one)?;
        }
    }
    Ok(())
}

#[test]
fn with_a_hundred_thousand_letters_in_the_queue_it_starts_and_takes_mail_at_once() -> Result<()> {
    let dead = free_port()?;
    let alice = User {
        name: "alice",
        password: "open sesame, 42",
    };
    let settings = json!({"delivery": {"relay_enabled": true, "relay_server": "127.0.0.1", "relay_port": dead}});
    let mut daemon = Daemon::start(&settings, &[alice])?;
    ensure!(daemon.stop()?.success());
    let began = Instant::now();
    fill(&DataDir::new(daemon.data_folder()))?;
    println!(
        "{WAITING} letters put into the queue in {:?}",
        began.elapsed()
    );

    for how in ["stopped", "killed"] {
        let began = Instant::now();
        daemon = daemon.restart()?;
        let mut client = Dialogue::open(daemon.smtp()?)?;
        let open = began.elapsed();
        let reply = client.send_message(
            "stranger@elsewhere.example",
            "alice@office.example",
            &format!("Subject: after it was {how}\n\nhello\n"),
        )?;
        ensure!(reply.code == 250, "{reply}");
        let taken = began.elapsed();
        until("the letter arrives", || {
            let found = daemon
                .mail("alice")
                .containing(&format!("it was {how}\n"))?;
            Ok((found.len() == 1).then_some(()))
        })?;
        println!(
            "{how} before, it greeted after {open:?}, took a letter after {taken:?}, delivered it after {:?}",
            began.elapsed()
        );
        ensure!(taken < START, "{taken:?}");
        daemon.kill()?;
    }
    // Everything is still there.
    let store = Store::open(&DataDir::new(daemon.data_folder()))?;
    let relayed = queue::Filter {
        destination: Some("relay".into()),
        ..queue::Filter::default()
    };
    let page = store.read(|conn| queue::list(conn, &relayed, None, 1))?;
    ensure!(page.total == WAITING, "{}", page.total);
    Ok(())
}
