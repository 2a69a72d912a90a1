//! Links against a scripted hop.

pub(crate) mod scripted;
mod tls;
mod waits;

use std::sync::Arc;

use smtp::{Address, RcptParameters, ReversePath};

use super::*;
use scripted::script;

const GREETING: &str = "S: 220 mx.test\nC: EHLO us.test\n";
const PLAIN: &str = "S: 220 mx.test\nC: EHLO us.test\nS: 250 mx.test\n";

pub(super) struct Memory(pub Vec<u8>);

impl Body for Memory {
    fn read_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let rest = self.0.get(usize::try_from(offset).unwrap()..);
        let rest = rest.unwrap_or_default();
        Ok(rest[..max.min(rest.len())].to_vec())
    }
}

pub(super) fn mail(body: &str, recipients: &[&str]) -> Outgoing {
    let recipients = recipients.iter().zip(7..);
    Outgoing {
        sender: ReversePath::parse("<a@x.example>").unwrap(),
        body: Arc::new(Memory(body.as_bytes().to_vec())),
        size: body.len() as u64,
        eight_bit: false,
        smtputf8: false,
        ret: None,
        envid: None,
        recipients: recipients
            .map(|(to, id)| OutgoingRecipient {
                id,
                address: Address::parse(to).unwrap(),
                parameters: RcptParameters::default(),
            })
            .collect(),
    }
}

/// The outcome in few words: kind, status, what concerns the hop.
pub(crate) fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered { reply, .. } => format!("delivered {reply}"),
        Outcome::Deferred(trouble) => format!("deferred {}", short(trouble)),
        Outcome::Failed(trouble) => format!("failed {}", short(trouble)),
    }
}

pub(super) fn short(trouble: &Trouble) -> String {
    let (class, subject, detail) = trouble.status;
    let hop = if trouble.whole_hop { " hop" } else { "" };
    let stale = if trouble.stale { " stale" } else { "" };
    format!("{class}.{subject}.{detail}{hop}{stale}")
}

pub(super) async fn send(link: &mut Link, mail: &Outgoing) -> Vec<String> {
    let outcomes = link.send(mail).await;
    let ids: Vec<i64> = outcomes.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, (7..7 + ids.len() as i64).collect::<Vec<_>>());
    outcomes.iter().map(|(_, outcome)| words(outcome)).collect()
}

/// Opens a link to a hop that follows the script, sends one message, and returns what became of it.
async fn attempt(text: &str) -> String {
    let script = script(text).await;
    let words = match open(&script.hop()).await {
        Err(trouble) => format!("unopened {}", short(&trouble)),
        Ok(mut link) => {
            let outcomes = send(&mut link, &mail("Subject: x\r\n\r\n.x", &["b@y.example"])).await;
            outcomes.concat()
        }
    };
    script.finished().await;
    words
}

#[tokio::test]
async fn three_messages_share_one_connection() {
    let one = "C: RSET\nC: MAIL FROM:<a@x.example>\nC: RCPT TO:<b@y.example>\nC: DATA\n\
               S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nD:\nS: 250 2.0.0 queued\n";
    let first = one.replace("C: RSET\n", "").replacen("S: 250 ok\n", "", 1);
    let text = format!(
        "{GREETING}S: 250-mx.test\nS: 250 PIPELINING\n{first}{one}{one}C: QUIT\nS: 221 bye\n"
    );
    let script = script(&text).await;
    let mut link = open(&script.hop()).await.unwrap();
    for number in 0..3 {
        let body = format!("Subject: {number}\r\n\r\n.dot\r\nlast");
        let outcomes = send(&mut link, &mail(&body, &["b@y.example"])).await;
        assert_eq!(outcomes, ["delivered 250 2.0.0 queued"]);
        assert!(link.is_alive());
    }
    let summary = link.summary();
    assert!(summary.peer.starts_with("mx.test [127.0.0.1]:") && summary.tls.is_none());
    assert!(link.transcript().lines().any(|line| line.text == "RSET"));
    link.quit().await;
    let heard = script.heard().await;
    assert_eq!(heard.iter().filter(|line| *line == "DATA").count(), 3);
    assert_eq!(heard.iter().filter(|line| *line == "..dot").count(), 3);
    assert_eq!(heard.last().unwrap(), "QUIT");
}

#[tokio::test]
async fn a_refusal_at_any_command_is_told_as_what_it_is() {
    let steps = [
        ("C: MAIL FROM:<a@x.example>\n", "S: 250 ok\n"),
        ("C: RCPT TO:<b@y.example>\n", "S: 250 ok\n"),
        ("C: DATA\n", "S: 354 go\n"),
        ("D:\n", "S: 250 ok\n"),
    ];
    for (reply, outcome) in [
        ("S: 451 4.3.0 later\n", "deferred 4.3.0"),
        ("S: 554 5.7.1 never\n", "failed 5.7.1"),
        ("S: 421 4.3.2 down\n", "deferred 4.3.2 hop"),
        ("S: nonsense\n", "deferred 4.5.0 hop"),
        ("X:\n", "deferred 4.4.2 hop"),
    ] {
        for refused in 0..steps.len() {
            let mut text = PLAIN.to_owned();
            for (index, (command, answer)) in steps.iter().enumerate().take(refused + 1) {
                text.push_str(command);
                text.push_str(if index == refused { reply } else { answer });
            }
            assert_eq!(attempt(&text).await, outcome, "{text}");
        }
    }
}

#[tokio::test]
async fn a_refusal_before_the_message_concerns_the_hop() {
    for (text, words) in [
        ("S: 421 4.3.2 busy\n", "unopened 4.3.2 hop"),
        ("S: 554 5.7.1 you are on a list\n", "unopened 4.7.1 hop"),
        ("S: 521 no mail here\n", "unopened 5.3.2 hop"),
        ("S: 220 us.test\n", "unopened 5.4.6 hop"),
        ("X:\n", "unopened 4.4.2 hop"),
        ("S: 220 mx\nC: EHLO\nS: 450 later\n", "unopened 4.0.0 hop"),
        (
            "S: 220 mx\nC: EHLO\nS: 500 what\nC: HELO us.test\nS: 550 no\n",
            "unopened 4.0.0 hop",
        ),
        ("S: 220 mx\nC: EHLO\nH:\nC: nothing\n", "unopened 4.4.2 hop"),
    ] {
        assert_eq!(attempt(text).await, words, "{text}");
    }
}

#[tokio::test]
async fn a_hop_that_closes_its_half_after_the_message_leaves_it_open_what_became_of_it() {
    let text = format!(
        "{PLAIN}C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nD:\nH:\nC: nothing\n"
    );
    let script = script(&text).await;
    let mut link = open(&script.hop()).await.unwrap();
    let outcomes = link.send(&mail("x", &["b@y.example"])).await;
    let Some((7, Outcome::Deferred(trouble))) = outcomes.first() else {
        panic!("{outcomes:?}")
    };
    assert_eq!(short(trouble), "4.4.2 hop");
    assert!(trouble.text.contains("whether it took the message"));
    assert!(!link.is_alive());
    let outcomes = send(&mut link, &mail("x", &["b@y.example"])).await;
    assert_eq!(outcomes, ["deferred 4.4.2 hop"]);
}

#[tokio::test]
async fn a_reused_connection_that_is_dead_is_told_as_stale() {
    let message = "C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nD:\nS: 250 ok\n";
    for (end, outcome) in [
        ("C: RSET\nX:\n", "deferred 4.4.2 hop stale"),
        ("C: RSET\nS: 421 4.4.2 idle\n", "deferred 4.4.2 hop stale"),
        ("X:\n", "deferred 4.4.2 hop stale"),
        ("C: RSET\nS: 250 ok\nC: MAIL\nX:\n", "deferred 4.4.2 hop"),
    ] {
        let script = script(&format!("{PLAIN}{message}{end}")).await;
        let mut link = open(&script.hop()).await.unwrap();
        let mail = mail("x", &["b@y.example"]);
        assert_eq!(send(&mut link, &mail).await, ["delivered 250 ok"]);
        if end == "X:\n" {
            script.finished().await;
        }
        assert_eq!(send(&mut link, &mail).await, [outcome], "{end}");
    }
}

#[tokio::test]
async fn lmtp_over_a_socket_file_has_a_reply_for_each_recipient() {
    let text = "U:\nS: 220 store\nC: LHLO us.test\nS: 250-store\nS: 250 PIPELINING\n\
                C: MAIL\nC: RCPT\nC: RCPT\nC: RCPT\nC: DATA\n\
                S: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nS: 250 ok\nS: 354 go\nD:\n\
                S: 250 2.0.0 saved\nS: 452 4.2.2 full\n";
    let script = script(text).await;
    let mut hop = script.hop();
    hop.protocol = Protocol::Lmtp;
    let mut link = open(&hop).await.unwrap();
    let outcomes = send(&mut link, &mail("x", &["b@y.test", "c@y.test", "d@y.test"])).await;
    assert_eq!(
        outcomes,
        [
            "delivered 250 2.0.0 saved",
            "failed 5.1.1",
            "deferred 4.2.2"
        ]
    );
    assert!(link.summary().peer.starts_with("unix:/") && link.is_alive());
}

#[tokio::test]
async fn a_message_that_ends_too_early_is_not_delivered() {
    let text = format!(
        "{PLAIN}C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nD:\nS: 250 taken\n"
    );
    let script = script(&text).await;
    let mut link = open(&script.hop()).await.unwrap();
    let mut mail = mail("Subject: x\r\n", &["b@y.example"]);
    mail.size += 1;
    assert_eq!(send(&mut link, &mail).await, ["deferred 4.3.0"]);
    assert!(!link.is_alive());
    let heard = script.heard().await;
    assert!(heard.contains(&"Subject: x".to_owned()) && !heard.contains(&".".to_owned()));
}

#[tokio::test]
async fn a_large_message_arrives_as_it_is() {
    let text = format!(
        "{PLAIN}C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nD:\nS: 250 taken\n"
    );
    let script = script(&text).await;
    let mut link = open(&script.hop()).await.unwrap();
    let body = ".line of text\r\n".repeat(100_000);
    let outcomes = send(&mut link, &mail(&body, &["b@y.example"])).await;
    assert_eq!(outcomes, ["delivered 250 taken"]);
    drop(link);
    let heard = script.heard().await;
    let lines = heard.iter().filter(|line| *line == "..line of text");
    assert_eq!(lines.count(), 100_000);
}

#[tokio::test]
async fn a_hop_that_breaks_off_in_the_middle_has_said_why() {
    let text = format!(
        "{PLAIN}C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nC: .\nS: 552 5.3.4 too large\nX:\n"
    );
    let script = script(&text).await;
    let mut link = open(&script.hop()).await.unwrap();
    let body = ".line of text\r\n".repeat(1_000_000);
    let outcomes = send(&mut link, &mail(&body, &["b@y.example"])).await;
    assert_eq!(outcomes, ["failed 5.3.4"]);
}

#[test]
fn a_link_can_move_between_threads() {
    fn moves<T: Send>(_: impl FnOnce(&'static Hop, &'static mut Link, &'static Outgoing) -> T) {}
    moves(|hop, link, mail| async {
        let _ = open(hop).await;
        let _ = link.send(mail).await;
    });
    moves(|hop, _, _| open_watched(hop, None, Box::leak(Box::new(|_: &Line| {}))));
}

#[tokio::test]
async fn where_nobody_listens_is_told_in_words() {
    let script = script("").await;
    let hop = script.hop();
    script.finished().await;
    let trouble = open(&hop).await.unwrap_err();
    assert_eq!(short(&trouble), "4.4.1 hop");
    assert!(trouble.text.ends_with("nothing listens there"), "{trouble}");
    let mut hop = hop;
    hop.at = HopAddress::Unix("/nowhere/at/all".into());
    let trouble = open(&hop).await.unwrap_err();
    assert_eq!(trouble.text, "unix:/nowhere/at/all does not exist");
}
