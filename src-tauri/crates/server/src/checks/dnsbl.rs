//! Lists in the DNS of addresses that send spam (RFC 5782).

use std::net::{IpAddr, Ipv4Addr};

use hickory_resolver::proto::rr::RecordType;
use policy::facts::{DnsblAnswer, DnsblFact};
use settings::security::DnsblZone;
use smtp::Domain;
use tokio::time::{Instant, timeout_at};

use super::ask;
use crate::names::{Answer, Names};

/// Characters of a list's words that are kept.
const MAX_TEXT: usize = 200;

/// Asks all lists at the same time about an address. No list takes longer than 5 s.
pub async fn dnsbl(names: &Names, ip: IpAddr, zones: &[DnsblZone]) -> Vec<DnsblFact> {
    let ip = ip.to_canonical();
    ask::all(zones.iter().map(async |zone| DnsblFact {
        zone: zone.zone.clone(),
        answer: answer(names, ip, zone).await,
    }))
    .await
}

async fn answer(names: &Names, ip: IpAddr, zone: &DnsblZone) -> DnsblAnswer {
    let Ok(domain) = Domain::parse(&zone.zone) else {
        return DnsblAnswer::Failed("the list has no domain name".into());
    };
    let reversed = reversed(ip);
    let labels = reversed.split('.').chain(domain.ascii().split('.'));
    let Some(name) = ask::name(labels) else {
        return DnsblAnswer::Failed("the list's domain name is too long".into());
    };
    let deadline = Instant::now() + ask::WAIT;
    let question = ask::records(names, name.clone(), RecordType::A);
    let said = timeout_at(deadline, question)
        .await
        .unwrap_or_else(|_| Answer::Unknown("no name server answered in time".into()));
    let answers: Vec<IpAddr> = match said {
        Answer::Found(data) => data.iter().filter_map(|data| data.ip_addr()).collect(),
        // RFC 5782 §2.1: who is not listed has no record.
        Answer::NoName | Answer::NoRecords => return DnsblAnswer::NotListed,
        Answer::Unknown(why) => return DnsblAnswer::Failed(why),
    };
    match judge(&answers, &zone.answers) {
        Judged::Strange(ip) => DnsblAnswer::Failed(format!("the list answered {ip}")),
        Judged::NotListed => DnsblAnswer::NotListed,
        Judged::Listed(answers) => {
            let text = timeout_at(deadline, ask::txt(names, name)).await;
            DnsblAnswer::Listed {
                answers,
                text: match text {
                    Ok(Answer::Found(texts)) => {
                        ask::one_line(texts.first().map_or(&[], Vec::as_slice), MAX_TEXT)
                    }
                    _ => String::new(),
                },
            }
        }
    }
}

/// RFC 5782 §2.1 and §2.4: octets or half octets, last first.
fn reversed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(ip) => {
            let nibbles: Vec<String> = ip
                .octets()
                .iter()
                .rev()
                .flat_map(|octet| [octet & 0xf, octet >> 4])
                .map(|nibble| format!("{nibble:x}"))
                .collect();
            nibbles.join(".")
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Judged {
    Listed(Vec<IpAddr>),
    NotListed,
    /// An answer that is no listing: the list refuses to answer us, or is no list any more.
    Strange(IpAddr),
}

fn judge(answers: &[IpAddr], wanted: &[String]) -> Judged {
    if let Some(strange) = answers.iter().find(|ip| !is_listing(**ip)) {
        return Judged::Strange(*strange);
    }
    let counting: Vec<IpAddr> = answers
        .iter()
        .copied()
        .filter(|ip| wanted.is_empty() || wanted.iter().any(|range| is_in(*ip, range)))
        .collect();
    if counting.is_empty() {
        Judged::NotListed
    } else {
        Judged::Listed(counting)
    }
}

/// Listings are in 127.0.0.0/8 (RFC 5782 §2.1); in 127.255.255.0/24 lists say that they do not answer this resolver.
fn is_listing(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => match ip.octets() {
            [127, 255, 255, _] => false,
            [first, ..] => first == 127,
        },
        IpAddr::V6(_) => false,
    }
}

/// Whether an answer is this address, or in this range of addresses.
fn is_in(ip: IpAddr, range: &str) -> bool {
    let IpAddr::V4(ip) = ip else { return false };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (
        first.trim().parse::<Ipv4Addr>(),
        last.trim().parse::<Ipv4Addr>(),
    ) {
        (Ok(first), Ok(last)) => (first..=last).contains(&ip),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
