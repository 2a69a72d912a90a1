//! Hops that fall silent or are slow, in a time that runs by itself as soon as nobody has anything to do.

use super::*;

#[tokio::test]
async fn silence_ends_each_wait_after_the_time_of_the_rfc() {
    let envelope = "C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\n";
    let go = "C: DATA\nS: 354 go\n";
    for (text, words, minutes) in [
        (String::new(), "unopened 4.4.2 hop", 5),
        (GREETING.to_owned(), "unopened 4.4.2 hop", 5),
        (format!("{PLAIN}C: MAIL\n"), "deferred 4.4.2 hop", 5),
        (
            format!("{PLAIN}{envelope}C: DATA\n"),
            "deferred 4.4.2 hop",
            2,
        ),
        (
            format!("{PLAIN}{envelope}{go}D:\n"),
            "deferred 4.4.2 hop",
            10,
        ),
    ] {
        let begin = Instant::now();
        let went = attempt(&format!("U:\n{text}P:\n")).await;
        assert_eq!(went, words, "{text}");
        assert_eq!(begin.elapsed().as_secs() / 60, minutes, "{text}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn octets_that_trickle_in_do_not_prolong_a_wait() {
    let begin = Instant::now();
    let went = attempt(&format!("U:\n{GREETING}T: 250-this-never-ends\n")).await;
    assert_eq!(went, "unopened 4.4.2 hop");
    assert_eq!(begin.elapsed().as_secs() / 60, 5);
}

#[tokio::test]
async fn a_hop_that_answers_at_the_last_moment_is_given_up_in_the_end() {
    let slow = "C: RCPT\nZ:\nS: 250 ok\n".repeat(40);
    let text = format!("U:\n{PLAIN}C: MAIL\nS: 250 ok\n{slow}");
    let script = script(&text).await;
    let mut link = open(&script.hop()).await.unwrap();
    let recipients: Vec<String> = (0..40).map(|n| format!("b{n}@y.example")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let begin = Instant::now();
    let outcomes = link.send(&mail("x", &recipients)).await;
    assert_eq!(begin.elapsed().as_secs() / 60, 30);
    let Some((_, Outcome::Deferred(trouble))) = outcomes.last() else {
        panic!("{outcomes:?}")
    };
    assert!(trouble.text.contains("so slow"), "{trouble}");
}

#[tokio::test]
async fn patience_shortens_each_wait() {
    let script = script(&format!("U:\n{GREETING}P:\n")).await;
    let begin = Instant::now();
    let patience = Some(Duration::from_secs(10));
    let trouble = open_watched(&script.hop(), patience, &mut |_| {})
        .await
        .unwrap_err();
    assert_eq!(trouble.phase, Phase::Hello);
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_goodbye_is_not_waited_for_long() {
    let script = script(&format!("U:\n{PLAIN}C: QUIT\nP:\n")).await;
    let link = open(&script.hop()).await.unwrap();
    let begin = Instant::now();
    link.quit().await;
    assert!(begin.elapsed() <= Duration::from_secs(15));
}
