//! Asks clamd about a message (INSTREAM, see clamd(8)): the octets go out in chunks, a verdict comes back.
//!
//! Whatever is not exactly a verdict is none. clamd may answer before it has everything, to say that it will take no
//! more; so it is listened to while the message goes out.

use std::io;
use std::time::Duration;

use policy::facts::ScanFact;
use settings::{ClamdAddress, RelayHost};
use store::spool::Content;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::ask::one_line;

/// A connection is made in this time or not at all.
const CONNECT: Duration = Duration::from_secs(10);
/// clamd takes a chunk in this time.
const WRITE: Duration = Duration::from_secs(30);
/// One scan, from the connection to the verdict.
const SCAN: Duration = Duration::from_secs(120);
/// How long to look for what clamd said before it broke the connection.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Octets of one chunk.
const CHUNK: usize = 64 << 10;
/// Octets of the longest verdict that is read.
const MAX_REPLY: usize = 4 << 10;
/// Characters of a name of malware, and of a fault, that are kept.
const MAX_SHOWN: usize = 200;

/// Has a message scanned. Takes 2 min at most.
pub async fn scan(address: &ClamdAddress, content: &Content) -> ScanFact {
    let scan = async {
        match address {
            ClamdAddress::Tcp { host, port } => {
                let host = match host {
                    RelayHost::Name(name) => name.ascii().to_owned(),
                    RelayHost::Address(ip) => ip.to_string(),
                };
                let connect = TcpStream::connect((host, *port));
                over(connected(connect).await?, content).await
            }
            ClamdAddress::Unix(path) => {
                over(connected(UnixStream::connect(path)).await?, content).await
            }
        }
    };
    match timeout(SCAN, scan).await {
        Ok(Ok(reply)) => verdict(&reply),
        Ok(Err(fault)) => ScanFact::Unavailable(fault.to_string()),
        Err(_) => ScanFact::Unavailable(Fault::Slow.to_string()),
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("clamd cannot be reached: {0}")]
    Connect(io::Error),
    #[error("clamd broke the connection: {0}")]
    Wire(io::Error),
    #[error("the message cannot be read: {0}")]
    Content(io::Error),
    #[error("clamd takes too long")]
    Slow,
    #[error("clamd ended the connection without a verdict")]
    Silent,
    #[error("clamd gave a verdict before it had the whole message")]
    Early,
    #[error("clamd's reply has no end")]
    Endless,
}

async fn connected<S>(connect: impl Future<Output = io::Result<S>>) -> Result<S, Fault> {
    match timeout(CONNECT, connect).await {
        Ok(connected) => connected.map_err(Fault::Connect),
        Err(_) => Err(Fault::Connect(io::ErrorKind::TimedOut.into())),
    }
}

/// What clamd says, without the octet that ends it.
async fn over<S: AsyncRead + AsyncWrite>(stream: S, content: &Content) -> Result<Vec<u8>, Fault> {
    let (mut from, mut to) = tokio::io::split(stream);
    let mut reply = Vec::new();
    let sent = tokio::select! {
        // What has gone out is known before what came back.
        biased;
        sent = send(&mut to, content) => sent,
        heard = hear(&mut from, &mut reply) => {
            heard?;
            // A refusal is believed early, a clean bill is not.
            return match verdict(&reply) {
                ScanFact::Clean => Err(Fault::Early),
                _ => Ok(reply),
            };
        }
    };
    match sent {
        Ok(()) => hear(&mut from, &mut reply).await?,
        // It may have said why before it went.
        Err(fault @ Fault::Wire(_)) => {
            match timeout(LAST_WORDS, hear(&mut from, &mut reply)).await {
                Ok(Ok(())) if verdict(&reply) != ScanFact::Clean => {}
                _ => return Err(fault),
            }
        }
        Err(fault) => return Err(fault),
    }
    Ok(reply)
}

async fn send(to: &mut (impl AsyncWrite + Unpin), content: &Content) -> Result<(), Fault> {
    write(to, b"zINSTREAM\0").await?;
    let mut offset = 0;
    while offset < content.length() {
        let chunk = chunk(content, offset).await?;
        // A file that was cut would else be asked for without end.
        let length = u32::try_from(chunk.len()).unwrap_or_default();
        if length == 0 {
            return Err(Fault::Content(io::ErrorKind::UnexpectedEof.into()));
        }
        write(to, &length.to_be_bytes()).await?;
        write(to, &chunk).await?;
        offset += u64::from(length);
    }
    write(to, &[0; 4]).await
}

async fn chunk(content: &Content, offset: u64) -> Result<Vec<u8>, Fault> {
    let read = match content {
        Content::Memory(_) => content.read_at(offset, CHUNK),
        Content::File(_) => {
            let content = content.clone();
            tokio::task::spawn_blocking(move || content.read_at(offset, CHUNK))
                .await
                .unwrap_or_else(|_| Err(io::Error::other("reading was interrupted")))
        }
    };
    read.map_err(Fault::Content)
}

async fn write(to: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> Result<(), Fault> {
    let write = async {
        to.write_all(octets).await?;
        to.flush().await
    };
    match timeout(WRITE, write).await {
        Ok(written) => written.map_err(Fault::Wire),
        Err(_) => Err(Fault::Slow),
    }
}

/// Reads up to the octet that ends a reply to a command that begins with `z`. What is in `reply` stays there when this
/// is given up.
async fn hear(from: &mut (impl AsyncRead + Unpin), reply: &mut Vec<u8>) -> Result<(), Fault> {
    let mut buffer = [0; 1024];
    loop {
        let count = from.read(&mut buffer).await.map_err(Fault::Wire)?;
        if count == 0 {
            return Err(Fault::Silent);
        }
        reply.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if let Some(end) = reply.iter().position(|octet| *octet == 0) {
            reply.truncate(end);
            return Ok(());
        }
        if reply.len() > MAX_REPLY {
            return Err(Fault::Endless);
        }
    }
}

fn verdict(reply: &[u8]) -> ScanFact {
    if reply == b"INSTREAM size limit exceeded. ERROR" {
        return ScanFact::TooLarge;
    }
    let said = reply.strip_prefix(b"stream: ");
    if said == Some(b"OK") {
        return ScanFact::Clean;
    }
    let found = said.and_then(|said| said.strip_suffix(b" FOUND"));
    match found.map(|name| one_line(name, MAX_SHOWN)) {
        Some(name) if !name.is_empty() => ScanFact::Malware(name),
        _ => ScanFact::Unavailable(format!("clamd answered: {}", one_line(reply, MAX_SHOWN))),
    }
}

#[cfg(test)]
mod tests;
