//! The world outside the server: a name server and a clamd of the test's own that say what a scenario says, and clients
//! that only keep their places.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail, ensure};
use postroom_tests::scenario::{Record, Spoken, World};
use postroom_tests::{Clamd, Dialogue, Dns, Mood, Scanner};

/// Words that are the subject of `include` in a record of SPF, and that the DNS does not answer.
const SILENT: &str = "silent.example";
/// A key of Ed25519 that nobody has (RFC 8463 gives it as an example).
const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// What is outside.
pub struct Outside {
    dns: Dns,
    scanner: Scanner,
    /// Connections that are open for their own sake.
    open: Vec<Dialogue>,
    /// Whether the server cannot reach any name server.
    pub down: bool,
}

impl Outside {
    pub fn start() -> Result<Self> {
        let dns = Dns::start()?;
        dns.keep_for(0);
        Ok(Self {
            dns,
            scanner: Scanner::start()?,
            open: Vec::new(),
            down: false,
        })
    }

    pub fn dns(&self) -> SocketAddr {
        self.dns.address()
    }

    pub fn clamd(&self) -> SocketAddr {
        self.scanner.address()
    }

    /// `server` is where other clients come to.
    pub fn say(&mut self, world: &World, server: SocketAddr) -> Result<()> {
        let dns = &self.dns;
        match world {
            World::Record(name, record) => {
                match record {
                    Record::Host(ip) => dns.host(name, &[*ip])?,
                    Record::Mx(exchange) => dns.mx(name, 10, exchange)?,
                    Record::Txt(text) => dns.txt(name, text)?,
                    Record::Ptr(ip, name) => dns.ptr(*ip, name)?,
                };
            }
            World::Fails(name) => {
                let name = match name.parse() {
                    Ok(ip) => reversed(ip, "in-addr.arpa")?,
                    Err(_) => name.clone(),
                };
                dns.mood(&name, Mood::Fails);
            }
            World::NoDns => self.down = true,
            World::Dnsbl(zone, client, answer, text) => {
                let name = reversed(*client, zone)?;
                dns.host(&name, &[(*answer).into()])?.txt(&name, text)?;
            }
            World::DnsblFails(zone, client) => {
                dns.mood(&reversed(*client, zone)?, Mood::Fails);
            }
            World::Spf(domain, result, text) => self.spf(domain, *result, text)?,
            World::Dkim(domain, result) => self.dkim(domain, *result)?,
            World::Dmarc(domain, result, policy) => self.dmarc(domain, *result, policy)?,
            World::Virus(name) => self.scanner.says(Clamd::Finds(name.clone())),
            World::NoScanner => self.scanner.says(Clamd::Away),
            World::ScannerTooSmall => self.scanner.says(Clamd::TooSmall),
            World::Open(count, client) => {
                for _ in 0..*count {
                    let mut one = Dialogue::connect_from(*client, server)?;
                    let greeting = one.reply()?;
                    ensure!(greeting.code == 220, "a client was not greeted: {greeting}");
                    self.open.push(one);
                }
            }
            World::Early | World::Minute | World::Day => {
                bail!("this is for the policy alone: {world:?}")
            }
        }
        Ok(())
    }

    fn dkim(&self, domain: &str, result: Spoken) -> Result<()> {
        let name = format!("test._domainkey.{domain}");
        match result {
            Spoken::Fail => self.dns.txt(&name, KEY)?,
            Spoken::TempError => self.dns.mood(&name, Mood::Fails),
            other => bail!("a real message cannot be made to be {other:?}"),
        };
        Ok(())
    }

    fn dmarc(&self, domain: &str, result: Spoken, policy: &str) -> Result<()> {
        let name = format!("_dmarc.{domain}");
        match result {
            Spoken::None => &self.dns,
            Spoken::Pass | Spoken::Fail => self.dns.txt(&name, &format!("v=DMARC1; p={policy}"))?,
            Spoken::TempError => self.dns.mood(&name, Mood::Fails),
            other => bail!("DMARC cannot be made to be {other:?}"),
        };
        Ok(())
    }

    fn spf(&self, domain: &str, result: Spoken, text: &str) -> Result<()> {
        let record = match result {
            Spoken::None => return Ok(()),
            Spoken::Pass => "v=spf1 +all".into(),
            Spoken::SoftFail => "v=spf1 ~all".into(),
            Spoken::Neutral => "v=spf1 ?all".into(),
            Spoken::PermError => "v=spf1 nonsense:x -all".into(),
            Spoken::TempError => {
                self.dns.mood(SILENT, Mood::Fails);
                format!("v=spf1 include:{SILENT} -all")
            }
            Spoken::Fail if text.is_empty() => "v=spf1 -all".into(),
            Spoken::Fail => {
                // RFC 7208 §6.2: the words are a record of their own.
                let why = format!("why.{domain}");
                self.dns.txt(&why, text)?;
                format!("v=spf1 -all exp={why}")
            }
            other => bail!("SPF cannot be made to be {other:?}"),
        };
        self.dns.txt(domain, &record)?;
        Ok(())
    }
}

/// Where a list in the DNS has an IPv4 address (RFC 5782 §2.1).
fn reversed(client: IpAddr, zone: &str) -> Result<String> {
    let IpAddr::V4(client) = client else {
        bail!("no scenario asks a list about {client}");
    };
    let [a, b, c, d] = client.octets();
    Ok(format!("{d}.{c}.{b}.{a}.{zone}"))
}
