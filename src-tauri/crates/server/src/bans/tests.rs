use super::*;

fn at(text: &str) -> ZonedDateTime {
    text.parse().unwrap()
}

fn path(text: &str) -> ForwardPath {
    ForwardPath::parse(text).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn small(most_clients: usize, most_accounts: usize, now: &ZonedDateTime) -> Bans {
    Bans(Mutex::new(State {
        most_clients,
        most_accounts,
        ..State::of(now.date())
    }))
}

const NOON: &str = "2026-01-31T12:00:00+01:00[Europe/Berlin]";

/// With a limit that this account reaches, or with one out of reach.
fn count(bans: &Bans, client: &str, name: &str, block: bool) -> Option<Counted> {
    let recipient = path(&format!("<{name}@office.example>"));
    let limit = if block { 1 } else { 1_000 };
    bans.count(ip(client), &recipient, limit, &at(NOON))
}

fn counted(bans: &Bans, client: &str) -> u32 {
    bans.fact(ip(client), None, || at(NOON)).count
}

#[test]
fn an_account_counts_once_however_it_is_spelt() {
    let bans = Bans::new(&at(NOON));
    count(&bans, "192.0.2.1", "nobody", false).unwrap();
    for name in ["NoBody", "nobody+tag", "nobody"] {
        assert!(count(&bans, "192.0.2.1", name, false).is_none());
    }
    assert_eq!(counted(&bans, "192.0.2.1"), 1);
    let fact = |name: &str| {
        let recipient = path(&format!("<{name}@office.example>"));
        bans.fact(ip("192.0.2.1"), Some(&recipient), || at(NOON))
    };
    assert!(fact("NOBODY").known);
    assert!(!fact("somebody").known);
    assert_eq!(counted(&bans, "192.0.2.2"), 0);
}

#[test]
fn a_block_holds_until_midnight_where_the_machine_is() {
    let bans = Bans::new(&at(NOON));
    let kept = count(&bans, "2001:db8::1", "nobody", true).unwrap();
    let ban = kept.ban.unwrap();
    assert_eq!(
        (ban.client.as_str(), ban.ip.as_str()),
        ("2001:db8::", "2001:db8::1")
    );
    assert_eq!(
        ban.until_ms,
        at("2026-02-01T00:00:00+01:00[Europe/Berlin]")
            .timestamp()
            .as_millisecond()
    );
    let until = |now: &str| {
        let now = at(now);
        bans.fact(ip("2001:db8::ffff"), None, || now).blocked_until
    };
    let midnight = Some("2026-02-01T00:00:00+01:00".to_owned());
    assert_eq!(until(NOON), midnight);
    assert_eq!(until("2026-01-31T23:59:59+01:00[Europe/Berlin]"), midnight);
    assert_eq!(until("2026-02-01T00:00:00+01:00[Europe/Berlin]"), None);
}

#[test]
fn a_day_on_which_clocks_change_ends_at_its_own_midnight() {
    let now = at("2026-03-29T01:00:00+01:00[Europe/Berlin]");
    let bans = Bans::new(&now);
    bans.count(ip("192.0.2.1"), &path("<x@office.example>"), 1, &now)
        .unwrap();
    let until = bans.fact(ip("192.0.2.1"), None, || now).blocked_until;
    assert_eq!(until.unwrap(), "2026-03-30T00:00:00+02:00");
}

#[test]
fn sessions_that_guess_at_the_same_time_block_at_the_limit() {
    let bans = Bans::new(&at(NOON));
    let counted_once: Vec<bool> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..30)
            .map(|number| {
                let bans = &bans;
                scope.spawn(move || {
                    let recipient = path(&format!("<n{number}@office.example>"));
                    bans.count(ip("192.0.2.1"), &recipient, 3, &at(NOON))
                })
            })
            .collect();
        let counted = guesses.into_iter().map(|guess| guess.join().unwrap());
        counted.flatten().map(|counted| counted.blocks()).collect()
    });
    assert_eq!(counted_once.len(), 3);
    assert_eq!(counted_once.iter().filter(|blocks| **blocks).count(), 1);
    let fact = bans.fact(ip("192.0.2.1"), None, || at(NOON));
    assert_eq!((fact.count, fact.blocked_until.is_some()), (3, true));
}

#[test]
fn a_limit_that_was_lowered_holds_for_accounts_that_are_known() {
    let bans = Bans::new(&at(NOON));
    for name in ["a", "b"] {
        count(&bans, "192.0.2.1", name, false).unwrap();
    }
    let again = path("<a@office.example>");
    let counted = bans.count(ip("192.0.2.1"), &again, 2, &at(NOON)).unwrap();
    assert!(counted.blocks());
}

#[test]
fn accounts_have_the_numbers_that_earlier_versions_gave_them() {
    let number = account(&path("<Nobody+tag@office.example>"));
    // The first eight octets of the SHA-256 of "nobody".
    assert_eq!(number, Some(0x6382_b3cc_8814_12b7));
}

#[test]
fn a_clock_set_back_resets_nothing_and_one_that_ran_ahead_locks_nobody_out_until_then() {
    let bans = Bans::new(&at(NOON));
    count(&bans, "192.0.2.1", "nobody", true).unwrap();
    let until = |now: &str| {
        let now = at(now);
        bans.fact(ip("192.0.2.1"), None, || now).blocked_until
    };
    let at_the_end = Some("2026-02-01T00:00:00+01:00".to_owned());
    assert_eq!(
        until("2026-01-30T23:00:00+01:00[Europe/Berlin]"),
        at_the_end
    );
    let today = Some("2025-06-02T00:00:00+02:00".to_owned());
    assert_eq!(until("2025-06-01T12:00:00+02:00[Europe/Berlin]"), today);
    assert_eq!(until("2025-06-02T00:00:00+02:00[Europe/Berlin]"), None);
}

#[test]
fn who_is_lifted_begins_anew() {
    let bans = Bans::new(&at(NOON));
    count(&bans, "192.0.2.1", "nobody", true).unwrap();
    assert!(bans.lift(ip("192.0.2.1")));
    assert!(!bans.lift(ip("192.0.2.1")));
    assert_eq!(
        bans.fact(ip("192.0.2.1"), None, || at(NOON)),
        Nonexistent::default()
    );
    assert_eq!(bans.0.lock().unwrap().accounts, 0);
}

#[test]
fn a_flood_of_clients_makes_room_for_itself_and_not_for_who_tries_many_names() {
    let now = at(NOON);
    let bans = small(20, 1_000, &now);
    for name in ["a", "b", "c", "d"] {
        count(&bans, "192.0.2.1", name, false).unwrap();
    }
    count(&bans, "192.0.2.2", "a", true).unwrap();
    for n in 0..200 {
        let kept = count(&bans, &format!("198.51.100.{n}"), "a", false).unwrap();
        assert!(kept.forgotten.len() <= 2);
    }
    assert!(bans.0.lock().unwrap().clients.len() <= 20);
    assert_eq!(counted(&bans, "192.0.2.1"), 4);
    assert!(
        bans.fact(ip("192.0.2.2"), None, || now)
            .blocked_until
            .is_some()
    );
}

#[test]
fn the_accounts_of_all_clients_together_are_bounded() {
    let bans = small(100, 50, &at(NOON));
    for client in 0..5 {
        for name in 0..20 {
            count(
                &bans,
                &format!("192.0.2.{client}"),
                &format!("n{name}"),
                false,
            );
        }
    }
    let state = bans.0.lock().unwrap();
    assert!(state.accounts <= 50);
    let sum: usize = state
        .clients
        .values()
        .map(|client| client.accounts.len())
        .sum();
    assert_eq!(sum, state.accounts);
}

#[test]
fn when_all_are_blocked_newcomers_are_not_counted() {
    let bans = small(2, 50, &at(NOON));
    count(&bans, "192.0.2.1", "a", true).unwrap();
    count(&bans, "192.0.2.2", "a", true).unwrap();
    assert!(count(&bans, "192.0.2.3", "a", false).is_none());
    assert_eq!(counted(&bans, "192.0.2.3"), 0);
}

#[test]
fn a_restart_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let data = store::DataDir::new(folder.path());
    data.create().unwrap();
    let store = store::Store::open(&data).unwrap();
    let bans = Bans::new(&at(NOON));
    for (client, name, block) in [
        ("192.0.2.1", "a", false),
        ("192.0.2.1", "b", false),
        ("192.0.2.4", "b", true),
        ("2001:db8::5", "a", false),
    ] {
        let kept = count(&bans, client, name, block).unwrap();
        store.write_blocking(move |tx| kept.keep(tx)).unwrap();
    }
    let again = store.read(|conn| Bans::read(conn, &at(NOON))).unwrap();
    for client in ["192.0.2.1", "192.0.2.4", "2001:db8::9", "192.0.2.3"] {
        let of =
            |bans: &Bans| bans.fact(ip(client), Some(&path("<a@office.example>")), || at(NOON));
        assert_eq!(of(&again), of(&bans), "{client}");
    }
    // Nor does a restart under a clock that was set back: by a little, and by much.
    for back in [
        "2026-01-30T23:00:00+01:00[Europe/Berlin]",
        "2025-06-01T12:00:00+02:00[Europe/Berlin]",
    ] {
        let again = store.read(|conn| Bans::read(conn, &at(back))).unwrap();
        let fact = |client: &str| again.fact(ip(client), None, || at(back));
        assert_eq!(fact("192.0.2.1").count, 2, "{back}");
        assert!(fact("192.0.2.4").blocked_until.is_some(), "{back}");
    }
    let next_day = at("2026-02-01T08:00:00+01:00[Europe/Berlin]");
    let next = store.read(|conn| Bans::read(conn, &next_day)).unwrap();
    assert_eq!(counted(&next, "192.0.2.1"), 0);
}
