//! Many messages over few connections, and no destination that holds another up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::{Act, At, Dns, Hop, Manner};

use crate::direct::direct;
use crate::{ALICE_ADDRESS, Office, letter};

#[test]
fn twenty_letters_need_few_connections() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    let mut client = office.client()?;
    for number in 0..20 {
        let subject = format!("number {number}");
        let reply =
            client.send_message(ALICE_ADDRESS, "bob@elsewhere.example", &letter(&subject))?;
        ensure!(reply.code == 250, "{reply}");
        hop.wait_for(number + 1)?;
    }
    let taken = hop.wait_for(20)?;
    // One would do, but who has just sent a letter may not be free for the next one yet.
    ensure!(hop.connections() <= 10, "{} connections", hop.connections());
    for number in 0..20 {
        let subject = format!("Subject: number {number}\n");
        ensure!(
            taken
                .iter()
                .filter(|mail| mail.text().contains(&subject))
                .count()
                == 1
        );
    }
    office.is_done_without_a_report()
}

#[test]
fn a_hundred_and_fifty_recipients_get_one_message_each_in_two_transactions() -> Result<()> {
    let hop = Hop::start()?;
    let office = Office::relaying_to(&hop)?;
    let to: Vec<String> = (0..150)
        .map(|number| format!("p{number}@elsewhere.example"))
        .collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    office.send("to many", &to)?;
    let taken = hop.wait_for(2)?;
    let mut all: Vec<&String> = taken.iter().flat_map(|mail| &mail.to).collect();
    all.sort();
    all.dedup();
    ensure!(all.len() == 150, "{} recipients", all.len());
    office.is_done_without_a_report()
}

/// Everything that can be wrong with a destination, beside one that is well.
#[test]
fn dead_silent_and_slow_destinations_do_not_hold_a_good_one_up() -> Result<()> {
    let port = free_port()?;
    let at = |last| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), port);
    // Nobody is at 127.0.0.2.
    let silent = Hop::start_at(at(3), Manner::default())?;
    silent.at(At::Greeting, Act::Silence);
    let slow = Hop::start_at(at(4), Manner::default())?;
    slow.at(At::Mail, Act::Late(Duration::from_secs(600)));
    let stuck = Hop::start_at(at(5), Manner::default())?;
    stuck.at(At::End, Act::Silence);
    let good = Hop::start_at(at(6), Manner::default())?;
    let dns = Dns::start()?;
    for (domain, last) in [
        ("dead", 2),
        ("silent", 3),
        ("slow", 4),
        ("stuck", 5),
        ("good", 6),
    ] {
        dns.host(&format!("{domain}.example"), &[at(last).ip()])?;
    }
    let office = Office::with(&direct(&dns, port))?;
    for domain in ["dead", "silent", "slow", "stuck"] {
        send_each(&office, domain, 30)?;
    }
    have_callers(&[&silent, &slow, &stuck])?;
    let began = Instant::now();
    send_each(&office, "good", 20)?;
    good.wait_for(20)?;
    // A wait of any of the others would be minutes.
    ensure!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    // One letter to all gets through where it can.
    let all =
        ["dead", "silent", "slow", "stuck", "good"].map(|domain| format!("x@{domain}.example"));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    office.send("to all", &all)?;
    good.wait_for(21)?;
    let connections = silent.connections() + slow.connections() + stuck.connections();
    ensure!(connections <= 3 * 5, "{connections} connections");
    Ok(())
}

fn send_each(office: &Office, domain: &str, count: usize) -> Result<()> {
    let mut client = office.client()?;
    for number in 0..count {
        let to = format!("p{number}@{domain}.example");
        let reply = client.send_message(ALICE_ADDRESS, &to, &letter("one of many"))?;
        ensure!(reply.code == 250, "{reply}");
    }
    Ok(())
}

/// Somebody is caught at each of these.
fn have_callers(hops: &[&Hop]) -> Result<()> {
    until("callers at each of the bad hops", || {
        Ok(hops.iter().all(|hop| hop.connections() > 0).then_some(()))
    })
}

#[test]
fn mail_for_here_is_not_held_up_by_mail_for_elsewhere() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(At::Greeting, Act::Silence);
    let office = Office::relaying_to(&hop)?;
    for _ in 0..3 {
        office.send("to both", &["bob@elsewhere.example", ALICE_ADDRESS])?;
    }
    let mail = office.daemon.mail("alice");
    until("three letters for Alice", || {
        Ok((mail.messages()?.len() == 3).then_some(()))
    })
}

#[test]
fn the_server_stops_at_once_though_a_hop_is_silent() -> Result<()> {
    let hop = Hop::start()?;
    hop.at(At::End, Act::Silence);
    let mut office = Office::relaying_to(&hop)?;
    office.send("caught", &["bob@elsewhere.example"])?;
    hop.wait_for_line("DATA")?;
    let began = Instant::now();
    office.daemon.stop()?;
    ensure!(
        began.elapsed() < Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    // What was not acknowledged is sent again.
    hop.obey();
    let office = Office {
        daemon: office.daemon.restart()?,
    };
    hop.wait_for(1)?;
    office.is_done_without_a_report()
}

#[test]
fn sixty_domains_with_one_host_make_no_crowd_there() -> Result<()> {
    let dns = Dns::start()?;
    let hop = Hop::start_at(
        SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0)),
        Manner::default(),
    )?;
    // Long enough for all who come to be there together.
    hop.at(At::Greeting, Act::Late(Duration::from_millis(500)));
    dns.host("mx.host.example", &[hop.address().ip()])?;
    let mut to = Vec::new();
    for number in 0..60 {
        let domain = format!("d{number}.example");
        dns.mx(&domain, 10, "mx.host.example")?;
        to.push(format!("bob@{domain}"));
    }
    let office = Office::with(&direct(&dns, hop.port()))?;
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let token = office.send("to all", &to)?;
    hop.wait_for(60)?;
    ensure!(hop.most_at_once() <= 20, "{} at once", hop.most_at_once());
    office.is_done_without_a_report()?;
    // Who waited for its turn has not been tried in vain.
    ensure!(office.history(&token)?.len() == 60);
    Ok(())
}
