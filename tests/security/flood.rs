//! Very many clients at once.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result, ensure};
use postroom_tests::{Daemon, Dialogue};
use serde_json::json;

use super::{client, greeted, office, told, turned_away};

const CLIENTS: u32 = 4_000;
/// What so many clients may cost, in KiB.
const MOST: u64 = 16 << 10;

fn memory(daemon: &Daemon) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let size = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(size.context("no VmRSS")?.parse()?)
}

#[test]
fn a_flood_from_thousands_of_addresses_takes_little_memory_and_makes_no_limit_forgotten()
-> Result<()> {
    let daemon = office(&json!({"security": {
        "connection_policy": {"max_connections_per_minute": 2},
        "advanced": {"max_nonexistent_accounts": 2},
    }}))?;
    for _ in 0..2 {
        greeted(&daemon, client(1))?;
    }
    turned_away(&daemon, client(1), "connection rate")?;
    let before = memory(&daemon)?;
    for number in 0..CLIENTS {
        let from = IpAddr::V4(Ipv4Addr::from(0x7f01_0000 + number));
        let mut dialogue = Dialogue::connect_from(from, daemon.smtp()?)?;
        dialogue.expect(220)?;
        if number % 8 == 0 {
            dialogue.command("EHLO client.example", 250)?;
            dialogue.send(b"MAIL FROM:<a@far.example>\r\nRCPT TO:<nobody@office.example>\r\n")?;
            dialogue.expect(250)?;
            dialogue.expect(550)?;
        }
    }
    let grown = memory(&daemon)?.saturating_sub(before);
    ensure!(grown < MOST, "grown by {grown} KiB");
    let live = told(&daemon, &["blocks", "rates"])?;
    let total = live["total"].as_u64().unwrap_or_default();
    ensure!(total > u64::from(CLIENTS), "{total}");
    ensure!(
        live["clients"]
            .as_array()
            .is_some_and(|list| list.len() == 200)
            && live["clients"][0]["client"] == "127.0.9.1",
        "{}",
        live["clients"][0]
    );
    turned_away(&daemon, client(1), "connection rate")?;
    Ok(())
}
