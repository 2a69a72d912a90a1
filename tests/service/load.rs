//! Clients that are many, slow, large or do not listen: nobody else notices, and the memory stays small.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postroom_tests::machine::until;
use postroom_tests::{Daemon, Dialogue};
use serde_json::json;

use super::{ALICE, ALICE_ADDRESS, STRANGER, deliver, server};

const MEGABYTE: u64 = 1024 * 1024;
/// Within this a client is served, however busy others keep the server.
const SOON: Duration = Duration::from_secs(10);

/// A line of `/proc/PID/status` that counts memory, in bytes.
fn memory(daemon: &Daemon, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    Ok(kilobytes.context("no such line")?.parse::<u64>()? * 1024)
}

/// Forgets the largest amount of memory so far (proc(5), clear_refs), and returns what is used now.
fn reset_peak(daemon: &Daemon) -> Result<u64> {
    fs::write(format!("/proc/{}/clear_refs", daemon.pid()), "5")?;
    memory(daemon, "VmRSS")
}

/// A server that does not mind clients which do not wait for replies.
fn patient() -> Result<Daemon> {
    let advanced = json!({"reject_unauthorized_pipelining": false});
    Daemon::start(&json!({"security": {"advanced": advanced}}), &[ALICE])
}

fn served_soon(daemon: &Daemon, subject: &str) -> Result<()> {
    let began = Instant::now();
    deliver(daemon.smtp()?, subject)?;
    ensure!(
        began.elapsed() < SOON,
        "served only after {:?}",
        began.elapsed()
    );
    Ok(())
}

/// Sends a message of so many octets without holding it.
fn send_large(daemon: &Daemon, size: u64) -> Result<()> {
    let mut client = Dialogue::open(daemon.smtp()?)?;
    client.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    client.command(&format!("RCPT TO:<{ALICE_ADDRESS}>"), 250)?;
    client.command("DATA", 354)?;
    client.send(b"Subject: large\r\n\r\n")?;
    let block = format!("{}\r\n", "x".repeat(70)).repeat(1000);
    for _ in 0..size / block.len() as u64 {
        client.send(block.as_bytes())?;
    }
    client.send(b".\r\n")?;
    client.expect(250).map(drop)
}

#[test]
fn a_large_message_does_not_need_large_memory() -> Result<()> {
    let daemon = Daemon::start(&json!({"general": {"max_message_size_mb": 100}}), &[ALICE])?;
    send_large(&daemon, MEGABYTE)?;
    let before = reset_peak(&daemon)?;
    send_large(&daemon, 60 * MEGABYTE)?;
    let peak = memory(&daemon, "VmHWM")?;
    ensure!(peak < before + 8 * MEGABYTE, "from {before} to {peak}");
    until("the large message in the mailbox", || {
        let sizes = fs::read_dir(daemon.data_folder().join("mail/alice/new"))?
            .map(|entry| Ok(entry?.metadata()?.len()))
            .collect::<Result<Vec<_>>>()?;
        Ok((sizes.iter().max() > Some(&(59 * MEGABYTE))).then_some(()))
    })?;
    daemon.queue_is_empty()?;
    until("the spool's copy is gone", || {
        let spool = fs::read_dir(daemon.data_folder().join("spool"))?;
        let mut names = spool.flatten().map(|entry| entry.file_name());
        Ok((!names.any(|name| name.to_string_lossy().starts_with("content-"))).then_some(()))
    })?;
    Ok(())
}

#[test]
fn two_hundred_idle_clients_of_one_address_keep_nobody_out() -> Result<()> {
    let daemon = server()?;
    let before = memory(&daemon, "VmRSS")?;
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(Dialogue::open(daemon.smtp()?)?);
    }
    let each = memory(&daemon, "VmRSS")?.saturating_sub(before) / 200;
    ensure!(
        each < 128 * 1024,
        "{each} octets of memory for an idle client"
    );
    served_soon(&daemon, "from the same address")?;
    let mut other =
        Dialogue::connect_from(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), daemon.smtp()?)?;
    other.expect(220)?;
    Dialogue::connect_tls(daemon.submissions()?)?.expect(220)?;
    for client in &mut idle {
        client.command("NOOP", 250)?;
    }
    Ok(())
}

#[test]
fn a_client_that_takes_all_its_places_is_told_and_others_still_come_in() -> Result<()> {
    let daemon = server()?;
    let mut held = Vec::new();
    let refused = loop {
        ensure!(held.len() < 1000, "no end of places");
        let mut client = Dialogue::connect(daemon.smtp()?)?;
        match client.reply()? {
            reply if reply.code == 220 => held.push(client),
            reply => break reply,
        }
    };
    ensure!(
        refused.code == 421 && refused.token().is_some(),
        "{refused}"
    );
    ensure!(held.len() >= 200, "only {}", held.len());
    let mut other =
        Dialogue::connect_from(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), daemon.smtp()?)?;
    other.expect(220)?;
    // A place is free again as soon as its client is gone.
    let mut gone = held.pop().context("none was let in")?;
    gone.command("QUIT", 221)?;
    ensure!(gone.is_closed()?);
    until("the place is free", || {
        Ok((Dialogue::connect(daemon.smtp()?)?.reply()?.code == 220).then_some(()))
    })
}

#[test]
fn five_thousand_recipients_are_answered_one_by_one_and_nobody_waits_for_them() -> Result<()> {
    let daemon = Daemon::start(&json!({"general": {"max_recipients": 5_000}}), &[ALICE])?;
    let mut client = Dialogue::open(daemon.smtp()?)?;
    client.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    let before = reset_peak(&daemon)?;
    let mut codes = Vec::new();
    for hundred in 0..50 {
        let lines =
            (0..100).map(|number| format!("RCPT TO:<alice+{hundred}-{number}@office.example>\r\n"));
        client.send(lines.collect::<String>().as_bytes())?;
        if hundred % 10 == 0 {
            served_soon(&daemon, "meanwhile")?;
        }
        for _ in 0..100 {
            codes.push(client.reply()?.code);
        }
    }
    ensure!(codes.iter().all(|code| *code == 250), "{codes:?}");
    let peak = memory(&daemon, "VmHWM")?;
    ensure!(peak < before + 16 * MEGABYTE, "from {before} to {peak}");
    client.command("DATA", 354)?;
    let reply = client.send_content("Subject: to one of five thousand\n\nx\n")?;
    ensure!(reply.code == 250, "{reply}");
    ensure!(
        daemon
            .delivered("alice")?
            .containing("to one of five thousand")?
            .len()
            == 1
    );
    Ok(())
}

#[test]
fn recipients_beyond_the_limit_are_refused_however_many_they_are() -> Result<()> {
    let daemon = server()?;
    let mut client = Dialogue::open(daemon.smtp()?)?;
    client.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
    let lines: String = (0..1000)
        .map(|number| format!("RCPT TO:<alice+{number}@office.example>\r\n"))
        .collect();
    client.send(lines.as_bytes())?;
    for number in 0..1000 {
        let reply = client.reply()?;
        ensure!(
            reply.code == if number < 200 { 250 } else { 452 },
            "{number}: {reply}"
        );
    }
    client.command("DATA", 354)?;
    let reply = client.send_content("Subject: to so many\n\nx\n")?;
    ensure!(reply.code == 250, "{reply}");
    Ok(())
}

#[test]
fn a_client_that_sends_one_octet_at_a_time_is_served_like_any_other() -> Result<()> {
    let daemon = patient()?;
    let mut slow = Dialogue::open(daemon.smtp()?)?;
    let letter = format!(
        "MAIL FROM:<{STRANGER}>\r\nRCPT TO:<{ALICE_ADDRESS}>\r\nDATA\r\nSubject: drop by drop\r\n\r\n..\r\n.\r\n"
    );
    for octet in letter.as_bytes() {
        slow.send(&[*octet])?;
    }
    for code in [250, 250, 354, 250] {
        slow.expect(code)?;
    }
    ensure!(
        daemon
            .delivered("alice")?
            .containing("Subject: drop by drop\n\n.\n")?
            .len()
            == 1
    );
    // Many that never get to the end of their line.
    let mut drips = Vec::new();
    for _ in 0..100 {
        let mut drip = Dialogue::open(daemon.smtp()?)?;
        drip.send(b"MAIL FROM:<never")?;
        drips.push(drip);
    }
    served_soon(&daemon, "beside the drips")
}

#[test]
fn a_client_that_never_reads_its_replies_is_left_to_wait_and_nobody_else() -> Result<()> {
    let daemon = patient()?;
    let before = reset_peak(&daemon)?;
    let mut deaf = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(daemon.smtp()?)?;
        stream.read_exact(&mut [0; 4])?;
        stream.set_write_timeout(Some(Duration::from_millis(200)))?;
        let talk = "HELP\r\n".repeat(10_000);
        // Until it takes no more: its replies fill the pipe, and so the server stops reading.
        let stuck = (0..2000).find_map(|_| stream.write_all(talk.as_bytes()).err());
        let stuck = stuck.context("the server takes everything and forgets the replies")?;
        ensure!(
            matches!(stuck.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{stuck}"
        );
        deaf.push(stream);
    }
    served_soon(&daemon, "beside the deaf")?;
    let peak = memory(&daemon, "VmHWM")?;
    ensure!(peak < before + 16 * MEGABYTE, "from {before} to {peak}");
    Ok(())
}
