//! The world outside the policy: facts as the server would find them, from what a scenario says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, ensure};
use policy::facts::{
    ArcFact, AuthResult, ClientName, ContentTests, DkimFact, DmarcFact, DmarcPolicy, DnsblAnswer,
    DnsblFact, NameFact, Nonexistent, Rates, ScanFact, SpfFact,
};
use policy::{Counting, Facts, Needs};
use postroom_tests::scenario::{Record, Spoken, World};
use settings::Settings;
use settings::security::DnsblZone;
use smtp::{ForwardPath, ReversePath};

/// When a block for unknown recipients ends.
const MIDNIGHT: &str = "2026-01-02T00:00:00+01:00";
/// What SERVFAIL is called.
const FAILED: &str = "server failure";

/// What a scenario said, and what clients have done.
#[derive(Default)]
pub struct Outside {
    records: BTreeMap<String, Vec<Record>>,
    failing: BTreeSet<String>,
    pub down: bool,
    dnsbl: BTreeMap<(String, IpAddr), Option<(Ipv4Addr, String)>>,
    spf: BTreeMap<String, (Spoken, String)>,
    dkim: Vec<(String, Spoken)>,
    dmarc: BTreeMap<String, (Spoken, String)>,
    scan: Option<ScanFact>,
    clients: BTreeMap<IpAddr, Behaviour>,
    pub early: bool,
}

/// What one client has done.
#[derive(Default)]
struct Behaviour {
    rates: Rates,
    unknown: BTreeSet<String>,
    blocked: bool,
}

impl Outside {
    pub fn say(&mut self, world: &World) -> Result<()> {
        match world.clone() {
            World::Record(name, record) => self.records.entry(name).or_default().push(record),
            World::Fails(name) => drop(self.failing.insert(name)),
            World::NoDns => self.down = true,
            World::Dnsbl(zone, client, answer, text) => {
                self.dnsbl.insert((zone, client), Some((answer, text)));
            }
            World::DnsblFails(zone, client) => drop(self.dnsbl.insert((zone, client), None)),
            World::Spf(domain, result, text) => drop(self.spf.insert(domain, (result, text))),
            World::Dkim(domain, result) => self.dkim.push((domain, result)),
            World::Dmarc(domain, result, policy) => {
                ensure!(
                    result != Spoken::Fail || !policy.is_empty(),
                    "what fails has a policy"
                );
                self.dmarc.insert(domain, (result, policy));
            }
            World::Virus(name) => self.scan = Some(ScanFact::Malware(name)),
            World::NoScanner => self.scan = Some(ScanFact::Unavailable("no connection".into())),
            World::ScannerTooSmall => self.scan = Some(ScanFact::TooLarge),
            World::Open(count, client) => {
                let count = u32::try_from(count)?;
                let rates = &mut self.client(client).rates;
                rates.connections += count;
                rates.connections_in_minute += count;
            }
            World::Early => self.early = true,
            World::Minute => {
                for client in self.clients.values_mut() {
                    client.rates.connections_in_minute = 0;
                    client.rates.messages_in_minute = 0;
                }
            }
            World::Day => {
                for client in self.clients.values_mut() {
                    client.unknown.clear();
                    client.blocked = false;
                }
            }
        }
        Ok(())
    }

    fn client(&mut self, ip: IpAddr) -> &mut Behaviour {
        self.clients.entry(ip).or_default()
    }

    pub fn connected(&mut self, ip: IpAddr) {
        let rates = &mut self.client(ip).rates;
        rates.connections += 1;
        rates.connections_in_minute += 1;
    }

    pub fn gone(&mut self, ip: IpAddr) {
        let rates = &mut self.client(ip).rates;
        rates.connections = rates.connections.saturating_sub(1);
    }

    pub fn began_message(&mut self, ip: IpAddr) {
        self.client(ip).rates.messages_in_minute += 1;
    }

    /// Whether the client is blocked from now on.
    pub fn counted(&mut self, ip: IpAddr, path: &ForwardPath, counting: Counting) -> bool {
        let client = self.client(ip);
        if let Counting::UpTo { limit } = counting {
            client.unknown.insert(path.to_string().to_lowercase());
            client.blocked |= client.unknown.len() >= limit as usize;
        }
        client.blocked
    }

    /// Fetches what is needed.
    pub fn fetch(&mut self, needs: Needs, facts: &mut Facts, settings: &Settings) {
        let ip = facts.client.ip;
        facts.rates = needs.rates.then(|| self.client(ip).rates);
        if needs.nonexistent {
            facts.nonexistent = Some(self.nonexistent(ip, facts.recipient.as_ref()));
        }
        if needs.client_name {
            facts.client_name = Some(self.name_of(ip));
        }
        if needs.helo_name {
            facts.helo_name = facts.helo.as_ref().map(|name| self.name(name));
        }
        let sender = facts
            .envelope
            .sender
            .as_ref()
            .and_then(ReversePath::address)
            .and_then(|address| address.domain())
            .map(|domain| domain.ascii().to_owned());
        if needs.sender_domain {
            facts.sender_domain = sender.as_ref().map(|domain| self.name(domain));
        }
        if needs.dnsbl {
            let zones = &settings.security.checks.dnsbl_zones;
            facts.dnsbl = Some(zones.iter().map(|zone| self.listed(zone, ip)).collect());
        }
        if needs.spf {
            let of_helo = sender.is_none();
            let domain = sender.or_else(|| facts.helo.clone()).unwrap_or_default();
            facts.spf = Some(self.spf(domain, of_helo));
        }
        if needs.dkim || needs.dmarc || needs.arc || needs.antivirus {
            facts.tests = Some(self.tests(needs, facts));
        }
        let asked = [
            needs.client_name,
            needs.helo_name,
            needs.sender_domain,
            needs.spf,
            needs.dnsbl,
        ];
        if asked.contains(&true) {
            facts.resolver_down = self.down.then(|| "no name server answers".into());
        }
    }

    fn nonexistent(&mut self, ip: IpAddr, recipient: Option<&ForwardPath>) -> Nonexistent {
        let client = self.client(ip);
        Nonexistent {
            count: u32::try_from(client.unknown.len()).unwrap_or(u32::MAX),
            known: recipient
                .is_some_and(|path| client.unknown.contains(&path.to_string().to_lowercase())),
            blocked_until: client.blocked.then(|| MIDNIGHT.into()),
        }
    }

    pub fn blocked_until(&mut self, ip: IpAddr) -> Option<String> {
        self.nonexistent(ip, None).blocked_until
    }

    fn fails(&self, name: &str) -> bool {
        self.down || self.failing.contains(name)
    }

    fn of(&self, name: &str) -> &[Record] {
        self.records.get(name).map_or(&[], Vec::as_slice)
    }

    fn name(&self, name: &str) -> NameFact {
        if self.fails(name) {
            return NameFact::Unknown(FAILED.into());
        }
        let records = self.of(name);
        let null = |record: &Record| matches!(record, Record::Mx(exchange) if exchange == ".");
        let mail = |record: &Record| matches!(record, Record::Mx(_) | Record::Host(_));
        if records.iter().any(null) {
            NameFact::NullMx
        } else if records.iter().any(mail) {
            NameFact::Exists
        } else {
            NameFact::Missing
        }
    }

    fn name_of(&self, ip: IpAddr) -> ClientName {
        if self.fails(&ip.to_string()) {
            return ClientName::Unknown(FAILED.into());
        }
        let records = self.of(&ip.to_string());
        let Some(name) = records.iter().find_map(|record| match record {
            Record::Ptr(_, name) => Some(name),
            _ => None,
        }) else {
            return ClientName::Missing;
        };
        if self.of(name).contains(&Record::Host(ip)) {
            ClientName::Confirmed(name.clone())
        } else {
            ClientName::Unconfirmed(name.clone())
        }
    }

    fn listed(&self, zone: &DnsblZone, ip: IpAddr) -> DnsblFact {
        let answer = match self.dnsbl.get(&(zone.zone.clone(), ip)) {
            _ if self.down => DnsblAnswer::Failed(FAILED.into()),
            None => DnsblAnswer::NotListed,
            Some(None) => DnsblAnswer::Failed(FAILED.into()),
            Some(Some((answer, _))) if !is_listing(*answer) => {
                DnsblAnswer::Failed(format!("{answer} is no listing"))
            }
            Some(Some((answer, text))) if counts(zone, *answer) => DnsblAnswer::Listed {
                answers: vec![(*answer).into()],
                text: text.clone(),
            },
            Some(Some(_)) => DnsblAnswer::NotListed,
        };
        DnsblFact {
            zone: zone.zone.clone(),
            answer,
        }
    }

    fn spf(&self, domain: String, of_helo: bool) -> SpfFact {
        let (said, explanation) = self
            .spf
            .get(&domain)
            .cloned()
            .unwrap_or((Spoken::None, String::new()));
        SpfFact {
            result: if self.down {
                AuthResult::TempError
            } else {
                result(said)
            },
            domain,
            of_helo,
            explanation,
        }
    }

    fn tests(&self, needs: Needs, facts: &Facts) -> ContentTests {
        let signature = |(domain, said): &(String, Spoken)| DkimFact {
            result: result(*said),
            domain: domain.clone(),
            selector: "test".into(),
            reason: String::new(),
        };
        let message = facts.message.as_ref();
        let authors = message.map(|message| message.author_domains());
        let authors = authors.unwrap_or_default().into_iter();
        let dmarc = authors.map(|domain| self.dmarc(domain.to_owned()));
        let dmarc = dmarc.max_by_key(|fact| fact.result == AuthResult::Fail);
        ContentTests {
            dkim: needs
                .dkim
                .then(|| self.dkim.iter().map(signature).collect()),
            dmarc: needs
                .dmarc
                .then(|| dmarc.unwrap_or_else(|| self.dmarc(String::new()))),
            arc: needs.arc.then(|| ArcFact {
                result: AuthResult::None,
                reason: String::new(),
            }),
            antivirus: needs
                .antivirus
                .then(|| self.scan.clone().unwrap_or(ScanFact::Clean)),
        }
    }

    fn dmarc(&self, domain: String) -> DmarcFact {
        let (said, policy) = self
            .dmarc
            .get(&domain)
            .cloned()
            .unwrap_or((Spoken::None, String::new()));
        DmarcFact {
            result: result(said),
            domain,
            policy: match policy.as_str() {
                "reject" => DmarcPolicy::Reject,
                "quarantine" => DmarcPolicy::Quarantine,
                _ => DmarcPolicy::None,
            },
            reason: String::new(),
        }
    }
}

/// 127.255.255.x is how lists say that they were asked wrongly.
fn is_listing(answer: Ipv4Addr) -> bool {
    answer.is_loopback() && answer.octets()[..3] != [127, 255, 255]
}

fn counts(zone: &DnsblZone, answer: Ipv4Addr) -> bool {
    let within = |range: &String| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let parsed = first.parse::<Ipv4Addr>().ok().zip(last.parse().ok());
        parsed.is_some_and(|(first, last)| (first..=last).contains(&answer))
    };
    zone.answers.is_empty() || zone.answers.iter().any(within)
}

fn result(said: Spoken) -> AuthResult {
    match said {
        Spoken::None => AuthResult::None,
        Spoken::Pass => AuthResult::Pass,
        Spoken::Fail => AuthResult::Fail,
        Spoken::SoftFail => AuthResult::SoftFail,
        Spoken::Neutral => AuthResult::Neutral,
        Spoken::Policy => AuthResult::Policy,
        Spoken::TempError => AuthResult::TempError,
        Spoken::PermError => AuthResult::PermError,
    }
}
