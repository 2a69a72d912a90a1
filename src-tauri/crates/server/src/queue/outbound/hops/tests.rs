use super::*;
use crate::deliver::link::tests::scripted::{Script, script};
use crate::deliver::link::tests::words;
use crate::queue::mail::Carriage;
use crate::queue::outbound::samples::{Bounds, mail, waiting};

const OPEN: &str = "S: 220 mx.test\nC: EHLO us.test\nS: 250 mx.test\n";
const MAIL: &str = "C: MAIL FROM:<a@x.example>\nS: 250 ok\n";
const RCPT: &str = "C: RCPT TO:<b@y.example>\nS: 250 ok\n";
const TAKEN: &str = "C: DATA\nS: 354 go\nD:\nS: 250 taken\n";

fn hops(scripts: &[&Script]) -> Hops {
    let mut hops = Hops::default();
    hops.know(scripts.iter().map(|script| script.hop()).collect());
    hops
}

fn trouble(outcome: &Outcome) -> &Trouble {
    match outcome {
        Outcome::Deferred(trouble) | Outcome::Failed(trouble) => trouble,
        Outcome::Delivered { .. } => panic!("{outcome:?}"),
    }
}

/// Hands the message over until all is decided; what became of whom, in the order in which it was decided.
async fn carry(
    link: &mut Option<Link>,
    hops: &mut Hops,
    recipients: Vec<Waiting>,
) -> Result<Vec<(i64, Outcome)>, Trouble> {
    let mail = mail("Subject: x\r\n\r\n", "text\r\n", Carriage::default());
    let (mut rest, mut decided) = (recipients, Vec::new());
    while !rest.is_empty() {
        let bounds = Bounds::default();
        let said = match hand_over(&bounds.means(), link, hops, &mail, rest).await {
            Ok(said) => said,
            Err(Unsent::NotReached { trouble, .. }) => return Err(trouble),
            Err(Unsent::Stopped(_)) => panic!("nobody stops it"),
        };
        assert_eq!(said.done.len(), said.outcomes.len());
        decided.extend(said.outcomes);
        rest = said.again;
    }
    Ok(decided)
}

/// One recipient, over a new connection.
async fn attempt(scripts: &[&Script]) -> Result<Outcome, Trouble> {
    let recipients = vec![waiting(7, "b@y.example")];
    let mut decided = carry(&mut None, &mut hops(scripts), recipients).await?;
    assert_eq!(decided.len(), 1);
    Ok(decided.remove(0).1)
}

#[tokio::test]
async fn a_server_that_goes_away_before_the_message_leaves_it_to_the_next() {
    let steps = [
        ("C: MAIL FROM:<a@x.example>\n", "S: 250 ok\n"),
        ("C: RCPT TO:<b@y.example>\n", "S: 250 ok\n"),
        ("C: DATA\n", "S: 354 go\n"),
    ];
    for last in 0..steps.len() {
        for end in ["S: 421 4.3.2 going down\n", "X:\n", "S: nonsense\n"] {
            let mut text = OPEN.to_owned();
            for (place, (command, answer)) in steps.iter().enumerate().take(last + 1) {
                text.push_str(command);
                text.push_str(if place == last { end } else { answer });
            }
            let first = script(&text).await;
            let second = script(&format!("{OPEN}{MAIL}{RCPT}{TAKEN}")).await;
            let outcome = attempt(&[&first, &second]).await.unwrap();
            assert_eq!(words(&outcome), "delivered 250 taken", "{text}");
        }
    }
}

#[tokio::test]
async fn a_server_that_says_421_while_the_conversation_is_opened_is_passed_over() {
    for text in [
        "S: 421 4.3.2 busy\n",
        "S: 220 mx.test\nC: EHLO us.test\nS: 421 4.3.2 busy\n",
    ] {
        let first = script(text).await;
        let second = script(&format!("{OPEN}{MAIL}{RCPT}{TAKEN}")).await;
        let outcome = attempt(&[&first, &second]).await.unwrap();
        assert_eq!(words(&outcome), "delivered 250 taken", "{text}");
    }
}

#[tokio::test]
async fn nobody_else_gets_a_message_that_a_server_may_have_taken() {
    for end in ["D:\nX:\n", "D:\nS: 421 4.3.2 going down\n", "X:\n"] {
        let first = script(&format!("{OPEN}{MAIL}{RCPT}C: DATA\nS: 354 go\n{end}")).await;
        let second = script(&format!("{OPEN}{MAIL}{RCPT}{TAKEN}")).await;
        let (mut hops, mut link) = (hops(&[&first, &second]), None);
        let recipients = vec![waiting(7, "b@y.example")];
        let decided = carry(&mut link, &mut hops, recipients).await.unwrap();
        let why = trouble(&decided[0].1);
        assert!(!why.is_permanent() && why.whole_hop, "{end} {why}");
        assert!(link.is_none());
    }
}

#[tokio::test]
async fn a_refusal_of_the_recipient_is_the_last_word_and_the_others_go_on() {
    let refused = "C: RCPT TO:<c@y.example>\nS: 550 5.1.1 no such user\n";
    let gone = "C: RCPT TO:<b@y.example>\nS: 421 4.3.2 going down\n";
    let first = script(&format!("{OPEN}{MAIL}{refused}{gone}")).await;
    let second = script(&format!("{OPEN}{MAIL}{RCPT}{TAKEN}")).await;
    let recipients = vec![waiting(7, "c@y.example"), waiting(8, "b@y.example")];
    let mut hops = hops(&[&first, &second]);
    let decided = carry(&mut None, &mut hops, recipients).await.unwrap();
    let decided: Vec<(i64, String)> = decided
        .iter()
        .map(|(id, outcome)| (*id, words(outcome)))
        .collect();
    let expected = [(7, "failed 5.1.1"), (8, "delivered 250 taken")];
    assert_eq!(decided, expected.map(|(id, text)| (id, text.to_owned())));
}

#[tokio::test]
async fn when_all_servers_go_away_each_of_them_is_named() {
    let first = script(&format!(
        "{OPEN}C: MAIL\nS: 421 4.3.2 first is going down\n"
    ))
    .await;
    let second = script(&format!("{OPEN}{MAIL}C: RCPT\nX:\n")).await;
    let third = script("S: 521 no mail here\n").await;
    let mut hops = hops(&[&first, &second, &third]);
    let (bounds, mail) = (
        Bounds::default(),
        mail("Subject: x\r\n\r\n", "text\r\n", Carriage::default()),
    );
    let (mut link, mut rest) = (None, vec![waiting(7, "b@y.example")]);
    let unsent = loop {
        match hand_over(&bounds.means(), &mut link, &mut hops, &mail, rest).await {
            Ok(said) => rest = said.again,
            Err(unsent) => break unsent,
        }
    };
    // The destination as a whole is to be left alone for a while.
    let Unsent::NotReached {
        trouble: why,
        hop,
        recipients,
    } = unsent
    else {
        panic!("{unsent:?}")
    };
    assert_eq!(recipients.len(), 1);
    assert!(hop.is_some_and(|hop| hop.ends_with("not encrypted")));
    assert_eq!((why.status, why.whole_hop), ((4, 3, 2), true));
    assert_eq!(why.reply.as_deref(), Some("421 4.3.2 first is going down"));
    for told in ["first is going down", "broke at RCPT", "no mail here"] {
        assert!(why.text.contains(told), "{why}");
    }
}

#[tokio::test]
async fn one_server_that_may_be_back_later_makes_the_whole_attempt_temporary() {
    for texts in [
        ["S: 421 4.3.2 busy\n", "S: 521 no mail here\n"],
        ["S: 521 no mail here\n", "S: 421 4.3.2 busy\n"],
    ] {
        let scripts = [script(texts[0]).await, script(texts[1]).await];
        let why = attempt(&[&scripts[0], &scripts[1]]).await.unwrap_err();
        assert_eq!((why.status, why.whole_hop), ((4, 3, 2), true));
        assert_eq!(why.reply.as_deref(), Some("421 4.3.2 busy"));
        assert!(why.text.contains("busy") && why.text.contains("no mail here"));
    }
    let scripts = [
        script("S: 521 no mail here\n").await,
        script("S: 220 us.test\n").await,
    ];
    let why = attempt(&[&scripts[0], &scripts[1]]).await.unwrap_err();
    assert!(why.is_permanent(), "{why}");
    let why = attempt(&[]).await.unwrap_err();
    assert_eq!(why.status, (4, 4, 1));
}

#[tokio::test]
async fn a_kept_connection_that_is_dead_is_replaced_by_a_new_one() {
    let first = script(&format!("{OPEN}{MAIL}{RCPT}{TAKEN}C: RSET\nX:\n")).await;
    let mut link = None;
    let to = || vec![waiting(7, "b@y.example")];
    let decided = carry(&mut link, &mut hops(&[&first]), to()).await.unwrap();
    assert_eq!(words(&decided[0].1), "delivered 250 taken");
    let second = script(&format!("{OPEN}{MAIL}{RCPT}{TAKEN}")).await;
    let mut hops = hops(&[&second]);
    let decided = carry(&mut link, &mut hops, to()).await.unwrap();
    assert_eq!(words(&decided[0].1), "delivered 250 taken");
    assert!(link.is_some_and(|link| link.is_alive()));
}

#[tokio::test]
async fn a_kept_connection_that_ends_before_the_message_is_replaced_by_a_new_one() {
    let steps = [MAIL, RCPT, "C: DATA\nS: 354 go\n"];
    for last in 0..steps.len() {
        for end in ["S: 421 4.7.0 too many messages\n", "X:\n"] {
            let (command, _) = steps[last].split_once('\n').unwrap();
            let before = steps[..last].concat();
            let first = format!("{OPEN}{MAIL}{RCPT}{TAKEN}C: RSET\nS: 250 ok\n");
            let first = script(&format!("{first}{before}{command}\n{end}")).await;
            let mut link = None;
            let to = || vec![waiting(7, "b@y.example")];
            let decided = carry(&mut link, &mut hops(&[&first]), to()).await.unwrap();
            assert_eq!(words(&decided[0].1), "delivered 250 taken");
            assert!(link.is_some());
            let second = script(&format!("{OPEN}{MAIL}{RCPT}{TAKEN}")).await;
            let mut hops = hops(&[&second]);
            let decided = carry(&mut link, &mut hops, to()).await.unwrap();
            assert_eq!(words(&decided[0].1), "delivered 250 taken", "{before}{end}");
            assert!(hops.troubles.is_empty());
        }
    }
}

/// One recipient who is handed over, or not.
async fn once(bounds: &Bounds, link: &mut Option<Link>, hops: &mut Hops) -> Result<Said, Unsent> {
    let mail = mail("Subject: x\r\n\r\n", "text\r\n", Carriage::default());
    let recipients = vec![waiting(7, "b@y.example")];
    hand_over(&bounds.means(), link, hops, &mail, recipients).await
}

fn address(script: &Script) -> std::net::SocketAddr {
    match script.hop().at {
        HopAddress::Tcp(address) => address,
        HopAddress::Unix(path) => panic!("{path:?}"),
    }
}

#[tokio::test]
async fn a_connection_has_its_seat_for_as_long_as_it_is_there() {
    let (bounds, mut link) = (Bounds::default(), None);
    let refuses = script("S: 421 4.3.2 busy\n").await;
    let takes = script(&format!("{OPEN}{MAIL}{RCPT}{TAKEN}")).await;
    let mut hops = hops(&[&refuses, &takes]);
    once(&bounds, &mut link, &mut hops).await.unwrap();
    assert_eq!(bounds.crowd.there(address(&refuses)), 0);
    assert_eq!(bounds.crowd.there(address(&takes)), 1);
    link.unwrap().quit().await;
    assert_eq!(bounds.crowd.there(address(&takes)), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_with_too_many_connections_is_a_trouble_for_now() {
    let (bounds, first) = (Bounds::default(), script("S: 220 mx.test\n").await);
    let mut seats = Vec::new();
    for _ in 0..20 {
        seats.push(bounds.crowd.enter(address(&first)).await.unwrap());
    }
    let unsent = once(&bounds, &mut None, &mut hops(&[&first])).await;
    let Err(Unsent::NotReached { trouble, hop, .. }) = unsent else {
        panic!("{unsent:?}")
    };
    assert!(trouble.whole_hop && !trouble.is_permanent() && hop.is_none());
    assert!(trouble.text.starts_with("too many connections to mx.test"));
}

#[tokio::test]
async fn when_the_server_stops_while_a_connection_is_opened_its_mail_comes_back() {
    let (bounds, silent) = (Bounds::default(), script("C: nothing\n").await);
    let (mut link, mut hops) = (None, hops(&[&silent]));
    let (unsent, ()) = tokio::join!(once(&bounds, &mut link, &mut hops), async {
        bounds.end.cancel();
    });
    let Err(Unsent::Stopped(recipients)) = unsent else {
        panic!("{unsent:?}")
    };
    assert_eq!(recipients.len(), 1);
    assert_eq!(bounds.crowd.there(address(&silent)), 0);
}
