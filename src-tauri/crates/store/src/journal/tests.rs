use super::*;
use crate::open::memory;
use serde_json::json;

pub(super) fn entry(token: &str, at_ms: i64) -> Entry {
    Entry {
        token: token.into(),
        at_ms,
        kind: Kind::Transaction,
        client_ip: "192.0.2.1".into(),
        helo: "mx.far.example".into(),
        login: String::new(),
        sender: "sue@far.example".into(),
        recipients: vec!["alice@office.example".into(), "bob@office.example".into()],
        size: 1234,
        message_id: "<1@far.example>".into(),
        subject: "100% off_er".into(),
        outcome: Outcome::Accepted,
        reply: "250 2.0.0 Ok".into(),
        decided_by: String::new(),
        revision: Revision(3),
        facts: json!({"peer": "192.0.2.1"}).into(),
        trace: json!([{"rule": "relay"}]).into(),
    }
}

fn put(conn: &Connection, entry: &Entry) -> i64 {
    upsert(&Tx::for_test(conn), entry).unwrap()
}

fn everything() -> Filter {
    Filter {
        limit: 200,
        ..Filter::default()
    }
}

fn tokens(conn: &Connection, filter: &Filter) -> Vec<String> {
    list(conn, filter)
        .unwrap()
        .into_iter()
        .map(|line| line.token)
        .collect()
}

fn rows(conn: &Connection, table: &str) -> i64 {
    conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
        row.get(0)
    })
    .unwrap()
}

fn found(conn: &Connection, token: &str) -> Option<Entry> {
    find(conn, token).unwrap().map(|(_, entry)| entry)
}

#[test]
fn a_record_is_found_under_the_number_that_the_list_has() {
    let conn = memory();
    put(&conn, &entry("AAAAAA", 1));
    put(&conn, &entry("BBBBBB", 2));
    for line in list(&conn, &everything()).unwrap() {
        let (id, record) = find(&conn, &line.token).unwrap().unwrap();
        assert_eq!((id, record.at_ms), (line.id, line.at_ms));
    }
}

#[test]
fn a_record_comes_back_as_it_was() {
    let conn = memory();
    let record = entry("K7QF2M", 1000);
    put(&conn, &record);
    assert_eq!(found(&conn, "K7QF2M"), Some(record));
    assert_eq!(found(&conn, "000000"), None);
}

#[test]
fn a_record_is_brought_up_to_date_under_its_token() {
    let conn = memory();
    let mut record = entry("K7QF2M", 1000);
    let id = put(&conn, &record);
    record.outcome = Outcome::Refused;
    record.trace = json!(["longer"]).into();
    assert_eq!(put(&conn, &record), id);
    assert_eq!(found(&conn, "K7QF2M"), Some(record));
    assert_eq!(
        (rows(&conn, "journal"), rows(&conn, "journal_detail")),
        (1, 1)
    );
}

#[test]
fn a_token_that_repeats_after_years_does_not_overwrite_the_old_record() {
    let conn = memory();
    put(&conn, &entry("K7QF2M", 1000));
    let newer = entry("K7QF2M", 9000);
    put(&conn, &newer);
    assert_eq!(rows(&conn, "journal"), 2);
    assert_eq!(found(&conn, "K7QF2M"), Some(newer));
}

#[test]
fn hostile_text_is_kept_as_text_and_within_bounds() {
    let conn = memory();
    let mut record = entry("K7QF2M", 1000);
    record.sender = "x'); DROP TABLE journal; --\0\r\n".into();
    record.helo = "h".repeat(1 << 20);
    record.reply = "r".repeat(5000);
    record.subject = "\u{1b}[2J\u{202e}täuschend".into();
    record.recipients = vec!["\"\\\"\u{0}".repeat(200); 5000];
    record.size = u64::MAX;
    record.facts = json!("f".repeat(LARGE)).into();
    record.trace = json!({"t": "t".repeat(LARGE)}).into();
    put(&conn, &record);
    let kept = found(&conn, "K7QF2M").unwrap();
    assert_eq!(kept.sender, "x'); DROP TABLE journal; --   ");
    assert_eq!(kept.helo.chars().count(), SHORT);
    assert_eq!(kept.reply.chars().count(), REPLY);
    assert!(!kept.subject.contains('\u{1b}'));
    assert!(kept.recipients.last().unwrap().ends_with("more"));
    assert!(json!(kept.recipients).to_string().len() <= LARGE);
    for (json, text) in [
        (&kept.facts, kept.facts.value()),
        (&kept.trace, kept.trace.value()["t"].clone()),
    ] {
        assert!(json.text().len() <= LARGE);
        assert!(text.as_str().unwrap().ends_with("octets left out)"));
    }
    assert_eq!(list(&conn, &everything()).unwrap().len(), 1);
}

#[test]
fn the_list_is_newest_first_and_pages_without_gaps() {
    let conn = memory();
    // Written in another order than begun, two of them at the same moment.
    for (token, at_ms) in [
        ("BBBBBB", 20),
        ("AAAAAA", 10),
        ("DDDDDD", 30),
        ("CCCCCC", 20),
    ] {
        put(&conn, &entry(token, at_ms));
    }
    assert_eq!(
        tokens(&conn, &everything()),
        ["DDDDDD", "CCCCCC", "BBBBBB", "AAAAAA"]
    );

    let mut page = Filter {
        limit: 2,
        ..Filter::default()
    };
    let first = list(&conn, &page).unwrap();
    page.before_id = first.last().map(|line| line.id);
    assert_eq!(tokens(&conn, &page), ["BBBBBB", "AAAAAA"]);
    page.before_id = Some(12345);
    assert!(tokens(&conn, &page).is_empty());
}

#[test]
fn the_list_is_filtered_by_every_field() {
    let conn = memory();
    put(&conn, &entry("AAAAAA", 10));
    let mut other = entry("BBBBBB", 20);
    other.sender = "tom@near.example".into();
    other.recipients = vec!["carol@office.example".into()];
    other.outcome = Outcome::Refused;
    other.reply = "550 5.1.1 no such user here".into();
    other.subject = "Grüße".into();
    other.login = "tom".into();
    put(&conn, &other);

    let by = |change: fn(&mut Filter)| {
        let mut filter = everything();
        change(&mut filter);
        tokens(&conn, &filter)
    };
    assert_eq!(by(|f| f.outcome = Some(Outcome::Refused)), ["BBBBBB"]);
    assert_eq!(by(|f| f.sender = "NEAR.example".into()), ["BBBBBB"]);
    assert_eq!(by(|f| f.recipient = "alice@".into()), ["AAAAAA"]);
    assert_eq!(by(|f| f.since_ms = Some(20)), ["BBBBBB"]);
    assert_eq!(by(|f| f.until_ms = Some(20)), ["AAAAAA"]);
    assert_eq!(by(|f| f.text = " no such user ".into()), ["BBBBBB"]);
    assert_eq!(by(|f| f.text = "Grüße".into()), ["BBBBBB"]);
    assert_eq!(by(|f| f.text = "aaaaaa".into()), ["AAAAAA"]);
    assert_eq!(by(|f| f.text = "192.0.2".into()), ["BBBBBB", "AAAAAA"]);
    assert!(by(|f| f.text = "nowhere".into()).is_empty());
    assert_eq!(
        by(|f| {
            f.text = "office".into();
            f.outcome = Some(Outcome::Accepted);
        }),
        ["AAAAAA"]
    );
}

#[test]
fn wildcards_in_a_search_are_ordinary_characters() {
    let conn = memory();
    put(&conn, &entry("AAAAAA", 10));
    let by = |text: &str| {
        tokens(
            &conn,
            &Filter {
                text: text.into(),
                ..everything()
            },
        )
    };
    assert_eq!(by("100% off_er"), ["AAAAAA"]);
    assert!(by("1%off").is_empty());
    assert!(by("off.er").is_empty());
    assert!(by("offer_").is_empty());
    assert!(by("\\").is_empty());
}

#[test]
fn a_page_has_one_to_two_hundred_lines() {
    let conn = memory();
    for n in 0..250 {
        put(&conn, &entry(&crate::token::new(n), 10));
    }
    let count = |limit| {
        list(
            &conn,
            &Filter {
                limit,
                ..Filter::default()
            },
        )
        .unwrap()
        .len()
    };
    assert_eq!((count(0), count(7), count(9999)), (1, 7, 200));
}

#[test]
fn hours_and_outcomes_count_messages_and_connections_turned_away() {
    let conn = memory();
    let hour = 3_600_000;
    let mut number = 0;
    let mut add = |at_ms, kind, outcome| {
        number += 1;
        let mut record = entry(&crate::token::new(number), at_ms);
        (record.kind, record.outcome) = (kind, outcome);
        put(&conn, &record);
    };
    add(1, Kind::Transaction, Outcome::Accepted);
    add(hour, Kind::Transaction, Outcome::Accepted);
    add(hour + 1, Kind::Transaction, Outcome::Accepted);
    add(2 * hour - 1, Kind::Connection, Outcome::Refused);
    add(2 * hour - 1, Kind::Login, Outcome::Refused);
    add(2 * hour - 1, Kind::Connection, Outcome::Accepted);
    add(3 * hour, Kind::Transaction, Outcome::Deferred);
    add(4 * hour, Kind::Transaction, Outcome::Aborted);
    add(4 * hour, Kind::Transaction, Outcome::Dropped);

    let hours: Vec<_> = per_hour(&conn, hour)
        .unwrap()
        .iter()
        .map(|h| (h.hour_ms / hour, h.accepted, h.refused))
        .collect();
    assert_eq!(hours, [(1, 2, 1), (3, 0, 1)]);
    let expected = Counts {
        accepted: 2,
        refused: 1,
        deferred: 1,
        aborted: 1,
        dropped: 1,
    };
    assert_eq!(counts_since(&conn, hour).unwrap(), expected);
}

#[test]
fn old_and_surplus_records_go_with_their_details() {
    let conn = memory();
    let tx = Tx::for_test(&conn);
    for at_ms in 0..10 {
        put(&conn, &entry("AAAAAA", at_ms));
    }
    assert_eq!(prune(&tx, 3, 100).unwrap(), 3);
    assert_eq!(prune(&tx, 3, 5).unwrap(), 2);
    assert_eq!(prune(&tx, 3, 5).unwrap(), 0);
    assert_eq!(
        (rows(&conn, "journal"), rows(&conn, "journal_detail")),
        (5, 5)
    );
    assert_eq!(found(&conn, "AAAAAA").unwrap().at_ms, 9);
    let oldest = list(&conn, &everything()).unwrap().last().unwrap().at_ms;
    assert_eq!(oldest, 5);
}

#[test]
fn one_pruning_is_short_and_the_next_goes_on() {
    let conn = memory();
    conn.execute_batch(
        "INSERT INTO journal SELECT i, 'T', i, 'connection', 'accepted', '', '', '', '', '[]', 0, '', '', '', '', 0
         FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) SELECT i FROM n)",
    )
    .unwrap();
    let tx = Tx::for_test(&conn);
    let mut steps = Vec::new();
    loop {
        match prune(&tx, i64::MIN, 100).unwrap() {
            0 => break,
            removed => steps.push(removed),
        }
    }
    assert_eq!(steps, [5000, 5000, 1900]);
}

#[test]
fn the_list_reads_the_time_index_in_order() {
    let conn = memory();
    let plan: String = conn
        .query_row(
            "EXPLAIN QUERY PLAN SELECT id FROM journal
             WHERE at_ms >= 5 AND (at_ms, id) < (9, 9) ORDER BY at_ms DESC, id DESC LIMIT 5",
            [],
            |row| row.get("detail"),
        )
        .unwrap();
    assert!(
        plan.contains("journal_by_time") && !plan.contains("TEMP"),
        "{plan}"
    );
}
