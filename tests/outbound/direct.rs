//! Straight to the servers of each domain: MX by preference, implicit and null MX, and loops.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use postroom_tests::machine::free_port;
use postroom_tests::{Act, At, Dns, Hop, Manner, Mood};
use serde_json::{Value, json};

use crate::Office;
use crate::report::field;

const BOB: &str = "bob@elsewhere.example";

/// Mail goes straight to the servers of each domain, which all listen on this port.
pub fn direct(dns: &Dns, port: u16) -> Value {
    json!({
        "delivery": { "direct_port": port },
        "service": { "dns_servers": [dns.address().to_string()] },
    })
}

/// An address of the loopback, whose port all servers share.
fn ip(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

/// Some hops with a DNS that knows their hosts `mx2.elsewhere.example`, … at 127.0.0.2, ….
struct World {
    dns: Dns,
    port: u16,
}

impl World {
    fn new() -> Result<Self> {
        let (dns, port) = (Dns::start()?, free_port()?);
        for last in 2..8 {
            dns.host(&format!("mx{last}.elsewhere.example"), &[ip(last)])?;
        }
        Ok(Self { dns, port })
    }

    fn hop(&self, last: u8) -> Result<Hop> {
        let manner = Manner {
            name: format!("mx{last}.elsewhere.example"),
            ..Manner::default()
        };
        Hop::start_at(SocketAddr::new(ip(last), self.port), manner)
    }

    fn mx(&self, preference: u16, last: u8) -> Result<()> {
        let host = format!("mx{last}.elsewhere.example");
        self.dns
            .mx("elsewhere.example", preference, &host)
            .map(drop)
    }

    fn office(&self) -> Result<Office> {
        Office::with(&direct(&self.dns, self.port))
    }
}

#[test]
fn the_most_preferred_host_gets_the_mail() -> Result<()> {
    let world = World::new()?;
    world.mx(20, 2)?;
    world.mx(10, 3)?;
    let (second, first) = (world.hop(2)?, world.hop(3)?);
    let office = world.office()?;
    let token = office.send("direct", &[BOB])?;
    first.wait_for(1)?;
    office.is_done_without_a_report()?;
    ensure!(second.connections() == 0);
    let history = office.history(&token)?;
    ensure!(
        history[0].hop.starts_with("mx3.elsewhere.example"),
        "{history:?}"
    );
    Ok(())
}

#[test]
fn the_next_host_is_tried_when_the_first_is_down() -> Result<()> {
    let world = World::new()?;
    world.mx(10, 2)?;
    world.mx(20, 3)?;
    let second = world.hop(3)?;
    let office = world.office()?;
    office.send("direct", &[BOB])?;
    second.wait_for(1)?;
    office.is_done_without_a_report()
}

#[test]
fn the_next_host_is_tried_when_the_first_turns_us_away_for_now() -> Result<()> {
    let world = World::new()?;
    world.mx(10, 2)?;
    world.mx(20, 3)?;
    let (first, second) = (world.hop(2)?, world.hop(3)?);
    first.at(At::Greeting, Act::say("421 4.3.2 too busy"));
    let office = world.office()?;
    office.send("direct", &[BOB])?;
    second.wait_for(1)?;
    office.is_done_without_a_report()
}

#[test]
fn the_next_address_of_a_host_is_tried_when_the_first_is_down() -> Result<()> {
    let world = World::new()?;
    world
        .dns
        .mx("elsewhere.example", 10, "both.elsewhere.example")?;
    world.dns.host("both.elsewhere.example", &[ip(2), ip(3)])?;
    let hop = world.hop(3)?;
    let office = world.office()?;
    office.send("direct", &[BOB])?;
    hop.wait_for(1)?;
    office.is_done_without_a_report()
}

#[test]
fn equal_hosts_share_the_load() -> Result<()> {
    let world = World::new()?;
    for last in [2, 3] {
        world.mx(10, last)?;
    }
    let (one, other) = (world.hop(2)?, world.hop(3)?);
    // One message for each connection.
    for hop in [&one, &other] {
        hop.when(At::Other, "RSET", Act::HangUp);
    }
    let office = world.office()?;
    let mut sent = 0;
    while one.taken().is_empty() || other.taken().is_empty() {
        // A chance of one in a billion that all of them went to the same.
        ensure!(
            sent < 30,
            "all {sent} messages went to one of two equal hosts"
        );
        office.send("direct", &[BOB])?;
        sent += 1;
        office.daemon.queue_is_empty()?;
    }
    Ok(())
}

#[test]
fn a_domain_without_mx_takes_its_mail_itself() -> Result<()> {
    let world = World::new()?;
    world.dns.host("elsewhere.example", &[ip(4)])?;
    let hop = world.hop(4)?;
    let office = world.office()?;
    office.send("direct", &[BOB])?;
    hop.wait_for(1)?;
    office.is_done_without_a_report()
}

/// The mail comes back at once with this status and these words.
fn comes_back(world: &World, to: &str, status: &str, words: &str) -> Result<()> {
    let office = world.office()?;
    office.send("direct", &[to])?;
    let report = office.report()?;
    let only = report.says(to, "failed", status)?;
    ensure!(
        field(only, "Diagnostic-Code").is_empty(),
        "{}",
        report.whole
    );
    ensure!(report.words.contains(words), "{}", report.words);
    office.daemon.queue_is_empty()
}

#[test]
fn a_domain_with_a_null_mx_takes_no_mail() -> Result<()> {
    let world = World::new()?;
    world.dns.mx("elsewhere.example", 0, ".")?;
    comes_back(&world, BOB, "5.1.10", "null MX")
}

#[test]
fn a_domain_that_does_not_exist_takes_no_mail() -> Result<()> {
    comes_back(
        &World::new()?,
        "bob@nowhere.example",
        "5.1.2",
        "does not exist",
    )
}

#[test]
fn a_domain_without_mx_and_address_takes_no_mail() -> Result<()> {
    // It exists, for its hosts are below it.
    comes_back(
        &World::new()?,
        BOB,
        "5.1.2",
        "neither MX records nor an address",
    )
}

#[test]
fn mail_waits_while_the_dns_fails() -> Result<()> {
    let world = World::new()?;
    world.mx(10, 2)?;
    world.dns.mood("elsewhere.example", Mood::Fails);
    let hop = world.hop(2)?;
    let office = world.office()?;
    office.send("direct", &[BOB])?;
    let row = office.waits_because(BOB, &["could not be looked up", "elsewhere.example"])?;
    ensure!(row.destination == "domain:elsewhere.example", "{row:?}");
    world.dns.forget("elsewhere.example");
    world.mx(10, 2)?;
    office.act("retry")?;
    hop.wait_for(1)?;
    office.is_done_without_a_report()
}

#[test]
fn an_mx_that_is_this_server_is_a_loop() -> Result<()> {
    let world = World::new()?;
    world.dns.mx("elsewhere.example", 10, "mx.office.example")?;
    world.dns.host("mx.office.example", &[ip(2)])?;
    comes_back(&world, BOB, "5.4.6", "this server")
}

#[test]
fn a_host_that_greets_with_our_own_name_is_a_loop() -> Result<()> {
    let world = World::new()?;
    world.mx(10, 2)?;
    let hop = world.hop(2)?;
    hop.change(|manner| manner.name = "mx.office.example".into());
    comes_back(&world, BOB, "5.4.6", "loops back to myself")?;
    ensure!(
        !hop.said().iter().any(|line| line.starts_with("MAIL")),
        "{:?}",
        hop.said()
    );
    Ok(())
}

#[test]
fn an_address_in_brackets_is_used_without_the_dns() -> Result<()> {
    let world = World::new()?;
    let hop = world.hop(5)?;
    let office = world.office()?;
    office.send("direct", &["bob@[127.0.0.5]"])?;
    let taken = hop.wait_for(1)?;
    ensure!(
        taken[0].to[0].starts_with("RCPT TO:<bob@[127.0.0.5]>"),
        "{taken:?}"
    );
    ensure!(
        !world
            .dns
            .asked()
            .iter()
            .any(|(name, _)| name.contains("127"))
    );
    office.is_done_without_a_report()
}

#[test]
fn an_international_domain_is_asked_for_in_a_labels() -> Result<()> {
    let world = World::new()?;
    world
        .dns
        .mx("xn--bcher-kva.example", 10, "mx6.elsewhere.example")?;
    let hop = world.hop(6)?;
    hop.change(|manner| *manner = manner.clone().without("SMTPUTF8"));
    let office = world.office()?;
    let mail = format!("MAIL FROM:<{}> SMTPUTF8", crate::ALICE_ADDRESS);
    office.submit(
        &mail,
        &["RCPT TO:<bob@bücher.example>"],
        &crate::letter("direct"),
    )?;
    let taken = hop.wait_for(1)?;
    ensure!(
        taken[0].to[0].starts_with("RCPT TO:<bob@xn--bcher-kva.example>"),
        "{taken:?}"
    );
    office.is_done_without_a_report()
}

#[test]
fn the_next_host_is_tried_when_the_first_goes_away_before_it_got_anything() -> Result<()> {
    let world = World::new()?;
    world.mx(10, 2)?;
    world.mx(20, 3)?;
    let (first, second) = (world.hop(2)?, world.hop(3)?);
    first.at(At::Rcpt, Act::say("421 4.3.2 going down"));
    let office = world.office()?;
    office.send("direct", &[BOB])?;
    second.wait_for(1)?;
    ensure!(first.connections() == 1);
    office.is_done_without_a_report()
}

#[test]
fn waiting_mail_takes_the_new_way_when_the_route_changes() -> Result<()> {
    let world = World::new()?;
    world.mx(10, 2)?;
    let office = world.office()?;
    office.send("direct", &[BOB])?;
    office.waits_because(BOB, &["refuses connections"])?;
    let relay = Hop::start()?;
    office
        .daemon
        .apply(&crate::office::relay(relay.address()))?;
    let taken = relay.wait_for(1)?;
    ensure!(taken[0].text().contains("Subject: direct"));
    office.is_done_without_a_report()
}

#[test]
fn a_server_that_ends_each_connection_at_its_third_message_delays_nobody() -> Result<()> {
    let world = World::new()?;
    world.mx(10, 2)?;
    let hop = world.hop(2)?;
    hop.change(|manner| manner.most_mails = 2);
    let office = world.office()?;
    let mut tokens = Vec::new();
    for number in 0..12 {
        tokens.push(office.send("direct", &[BOB])?);
        hop.wait_for(number + 1)?;
    }
    office.is_done_without_a_report()?;
    ensure!(hop.connections() >= 6, "{} connections", hop.connections());
    for token in tokens {
        let history = office.history(&token)?;
        ensure!(history.len() == 1, "{history:?}");
    }
    Ok(())
}

#[test]
fn a_domain_whose_servers_go_away_at_each_message_is_left_alone_for_a_while() -> Result<()> {
    let world = World::new()?;
    world.mx(10, 2)?;
    let hop = world.hop(2)?;
    hop.at(At::Mail, Act::say("421 4.3.2 not now"));
    let office = world.office()?;
    office.send("first", &[BOB])?;
    let row = office.waits_because(BOB, &["421 4.3.2 not now"])?;
    let connections = hop.connections();
    let attempts = office.attempts(row.id)?;
    ensure!(
        attempts[0].hop.starts_with("mx2.elsewhere.example"),
        "{attempts:?}"
    );
    // It rests as a whole, so that more mail for it makes no more connections.
    let others: Vec<String> = (0..20)
        .map(|number| format!("p{number}@elsewhere.example"))
        .collect();
    for other in &others {
        office.send("another", &[other])?;
    }
    for other in &others {
        ensure!(office.waits(other, 0)?.attempts == 0);
    }
    ensure!(hop.connections() == connections);
    Ok(())
}
