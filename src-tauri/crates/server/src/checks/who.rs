//! What the DNS says of the client's address, of the name it greets with, and of the sender's domain.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RData, RecordType};
use policy::facts::{ClientName, NameFact};
use smtp::Domain;
use tokio::time::timeout;

use super::ask;
use crate::names::{Answer, Exchange, LookUp as _, Names};

/// Names of an address that are looked up.
const MAX_NAMES: usize = 8;
/// All about one name, one after the other.
const WAIT: Duration = Duration::from_secs(10);
/// RFC 1035 §2.3.4
const LONGEST: usize = 253;

/// The client's name (RFC 8601 §3). Whether names that cannot be looked up now make it unknown, or are just names that
/// were not confirmed, is for the caller to say.
pub async fn client_name(names: &Names, ip: IpAddr, must_be_sure: bool) -> ClientName {
    let ip = ip.to_canonical();
    let pointers = ask::records(names, Name::from(ip), RecordType::PTR).await;
    let found: Vec<Name> = match ask::only(pointers, pointer) {
        Answer::Found(found) => found,
        Answer::NoRecords | Answer::NoName => return ClientName::Missing,
        Answer::Unknown(why) => return ClientName::Unknown(why),
    };
    let found: Vec<(String, Name)> = found
        .into_iter()
        .take(MAX_NAMES)
        .map(|name| (plain(&name), name))
        .collect();
    let addresses = ask::all(
        found
            .iter()
            .map(|(_, name)| ask::addresses(names, name.clone(), ip)),
    )
    .await;
    let mut unknown = None;
    for ((name, _), answer) in found.iter().zip(addresses) {
        match answer {
            Answer::Found(list) if list.contains(&ip) => {
                return ClientName::Confirmed(name.clone());
            }
            Answer::Unknown(why) => unknown = Some(why),
            _ => {}
        }
    }
    let first = found.into_iter().next().map(|(name, _)| name);
    match (unknown, first) {
        (Some(why), _) if must_be_sure => ClientName::Unknown(why),
        (_, Some(name)) => ClientName::Unconfirmed(name),
        (_, None) => ClientName::Missing,
    }
}

fn pointer(data: &RData) -> Option<Name> {
    match data {
        RData::PTR(pointer) => Some(pointer.0.clone()),
        _ => None,
    }
}

/// A name as text that can stand in a log and in a trace field.
fn plain(name: &Name) -> String {
    let text = name.to_ascii();
    text.trim_end_matches('.')
        .chars()
        .take(LONGEST)
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-._".contains(c) {
                c.to_ascii_lowercase()
            } else {
                '?'
            }
        })
        .collect()
}

/// Whether mail can be sent back to a domain (RFC 5321 §5.1): it has an MX record, or else an address.
pub async fn mail_domain(names: &Names, domain: &Domain) -> NameFact {
    let domain = domain.ascii();
    within(async {
        match names.exchanges(domain).await {
            Answer::Found(exchanges) if takes_no_mail(&exchanges) => NameFact::NullMx,
            Answer::Found(_) => NameFact::Exists,
            // RFC 2308 §2.1: then there is no other record either.
            Answer::NoName => NameFact::Missing,
            Answer::NoRecords => of_addresses(&names.addresses(&format!("{domain}.")).await),
            Answer::Unknown(why) => NameFact::Unknown(why),
        }
    })
    .await
}

/// Whether the name a client greets with exists: it has an address, or else an MX record.
pub async fn host(names: &Names, name: &str) -> NameFact {
    let Some(domain) = looked_up_as(name.trim_end_matches('.')) else {
        return NameFact::Missing;
    };
    let domain = domain.as_str();
    within(async {
        let fact = of_addresses(&names.addresses(&format!("{domain}.")).await);
        if fact == NameFact::Exists {
            return fact;
        }
        match names.exchanges(domain).await {
            // A host that takes no mail may well send some.
            Answer::Found(_) => NameFact::Exists,
            Answer::NoName | Answer::NoRecords => fact,
            Answer::Unknown(why) => NameFact::Unknown(why),
        }
    })
    .await
}

/// The name of a host as it is asked for. RFC 1035 §2.3.1 has no underscore in it; the DNS has them all the same, and so
/// have honest hosts.
fn looked_up_as(name: &str) -> Option<String> {
    match Domain::parse(name) {
        Ok(domain) => Some(domain.ascii().to_owned()),
        Err(_) => {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            (name.contains('_') && name.chars().all(is_plain)).then(|| name.to_ascii_lowercase())
        }
    }
}

async fn within(fact: impl Future<Output = NameFact>) -> NameFact {
    timeout(WAIT, fact)
        .await
        .unwrap_or_else(|_| NameFact::Unknown("no name server answered in time".into()))
}

/// RFC 7505 §3: the only record, and it names the root.
fn takes_no_mail(exchanges: &[Exchange]) -> bool {
    matches!(exchanges, [only] if only.host.is_empty())
}

fn of_addresses(answer: &Answer<IpAddr>) -> NameFact {
    match answer {
        Answer::Found(_) => NameFact::Exists,
        Answer::NoName | Answer::NoRecords => NameFact::Missing,
        Answer::Unknown(why) => NameFact::Unknown(why.clone()),
    }
}

#[cfg(test)]
mod tests;
