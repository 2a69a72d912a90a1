//! The server without a window: how soon it takes mail, and what it needs while nothing happens.

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::folder::DataFolder;
use super::memory;
use super::process::Running;
use crate::place;

const RUNS: usize = 7;
const PATIENCE: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(3);

/// Milliseconds to the first greeting, and MB when idle, of each run.
pub fn measure() -> Result<(Vec<f64>, Vec<f64>)> {
    let folder = DataFolder::new("serve")?;
    // The very first start makes a certificate; what is measured is every later one.
    let _ = idle_memory(&folder)?;
    let mut first_connection = Vec::new();
    let mut idle = Vec::new();
    for _ in 0..RUNS {
        first_connection.push(time_to_greeting(&folder)?);
    }
    for _ in 0..3 {
        idle.push(idle_memory(&folder)?);
    }
    Ok((first_connection, idle))
}

fn start(folder: &DataFolder) -> Result<Running> {
    let mut command = Command::new(place::built("release", "postroomd")?);
    command
        .arg("--data-dir")
        .arg(folder.data())
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    Running::start(&mut command)
}

fn idle_memory(folder: &DataFolder) -> Result<f64> {
    let mut server = start(folder)?;
    server.stdout()?.wait_for("ready ", PATIENCE)?;
    sleep(IDLE);
    memory::pss(server.pid())
}

fn time_to_greeting(folder: &DataFolder) -> Result<f64> {
    let mut server = start(folder)?;
    let _lines = server.stdout()?;
    let deadline = Instant::now() + PATIENCE;
    let mut connection = loop {
        ensure!(
            Instant::now() < deadline,
            "nobody answers at port {}",
            folder.port
        );
        match TcpStream::connect((Ipv4Addr::LOCALHOST, folder.port)) {
            Ok(connection) => break connection,
            Err(_) => sleep(Duration::from_millis(1)),
        }
    };
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut code = [0; 3];
    connection.read_exact(&mut code)?;
    ensure!(&code == b"220", "the server did not greet");
    Ok(server.started.elapsed().as_secs_f64() * 1000.0)
}
