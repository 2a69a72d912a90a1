//! Hundreds of destinations that say nothing, and what that must not cost the others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use postroom_tests::machine::{free_port, until};
use postroom_tests::{Act, At, Dns, Hop, Manner};

use crate::direct::direct;
use crate::{ALICE_ADDRESS, Office, letter};

/// More than the places for destinations of which nothing is known.
const SILENT: usize = 400;

#[test]
fn hundreds_of_silent_destinations_keep_neither_an_idle_nor_a_new_one_waiting_for_long()
-> Result<()> {
    let port = free_port()?;
    let at = |last| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), port);
    let (known, new) = (
        Hop::start_at(at(2), Manner::default())?,
        Hop::start_at(at(3), Manner::default())?,
    );
    let silent: Vec<Hop> = (10..50)
        .map(|last| {
            let hop = Hop::start_at(at(last), Manner::default())?;
            hop.at(At::Greeting, Act::Silence);
            Ok(hop)
        })
        .collect::<Result<_>>()?;
    let dns = Dns::start()?;
    dns.host("known.example", &[at(2).ip()])?;
    dns.host("new.example", &[at(3).ip()])?;
    for number in 0..SILENT {
        let last = u8::try_from(10 + number % silent.len())?;
        dns.host(&format!("silent{number}.example"), &[at(last).ip()])?;
    }
    let office = Office::with(&direct(&dns, port))?;
    office.send("first", &["bob@known.example"])?;
    known.wait_for(1)?;
    let mut client = office.client()?;
    for number in 0..SILENT {
        let to = format!("p@silent{number}.example");
        let reply = client.send_message(ALICE_ADDRESS, &to, &letter("into the void"))?;
        ensure!(reply.code == 250, "{reply}");
    }
    until("callers at the silent ones", || {
        let callers: usize = silent.iter().map(Hop::connections).sum();
        Ok((callers >= 200).then_some(()))
    })?;
    let began = Instant::now();
    office.send("second", &["bob@known.example"])?;
    known.wait_for(2)?;
    office.send("to a new one", &["bob@new.example"])?;
    new.wait_for(1)?;
    // The silent ones are heard out for minutes.
    ensure!(
        began.elapsed() < Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}
