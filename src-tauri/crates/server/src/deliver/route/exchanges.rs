//! The mail servers of a domain, in the order of RFC 5321 §5.1.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smtp::client::Trouble;
use tokio::time::{Instant, timeout_at};

use super::machine::{self, Surroundings};
use super::{MOST_HOPS, Target, trouble};
use crate::names::{Answer, Exchange, LookUp};

/// Hosts that are looked up; a domain with more has them alike.
const MOST_EXCHANGES: usize = 20;
/// Addresses of one host while there are others, so that a backup gets its turn.
const MOST_OF_ONE: usize = 4;
/// After this time no further host is looked up.
const WAIT: Duration = Duration::from_secs(60);

/// What came of looking up the hosts.
#[derive(Debug, Default)]
struct Found {
    targets: Vec<Target>,
    /// This server is among the hosts, under that name.
    ours: Option<String>,
    /// A host nobody knows about now, and why.
    unknown: Option<String>,
}

/// The servers to try for mail to `domain`, best first.
///
/// # Errors
/// Why there is none.
pub(super) async fn targets(
    domain: &str,
    port: u16,
    names: &impl LookUp,
    around: &Surroundings,
) -> Result<Vec<Target>, Trouble> {
    let (exchanges, implicit) = exchanges(domain, names).await?;
    let found = look_up(&exchanges, port, names, around).await;
    if !found.targets.is_empty() {
        return Ok(found.targets);
    }
    // A better host may be only out of sight; then the mail waits, also where we are its backup.
    if let Some(why) = found.unknown {
        return Err(unknown(domain, &why));
    }
    Err(match found.ours {
        // RFC 5321 §5.1: nothing more preferred than ourselves is left.
        Some(_) if implicit => trouble(
            (5, 4, 6),
            format!("{domain} leads to this server, which has no mailboxes of that domain"),
        ),
        Some(host) => trouble(
            (5, 4, 6),
            format!(
                "{host}, the mail server of {domain}, is this server, which has no mailboxes of that domain"
            ),
        ),
        None if implicit => trouble(
            (5, 1, 2),
            format!(
                "the domain {domain} has no mail server: it has neither MX records nor an address"
            ),
        ),
        None => trouble((5, 4, 4), without_address(domain, &exchanges)),
    })
}

/// The hosts by preference, equals in any order; and whether the domain itself stands in for them.
async fn exchanges(domain: &str, names: &impl LookUp) -> Result<(Vec<Exchange>, bool), Trouble> {
    match names.exchanges(domain).await {
        Answer::Found(list) => {
            let mut list: Vec<Exchange> = list
                .into_iter()
                .filter(|exchange| !exchange.host.is_empty())
                .collect();
            if list.is_empty() {
                // RFC 7505 §4.2: 556 for the sender, status 5.1.10.
                return Err(trouble(
                    (5, 1, 10),
                    format!("the domain {domain} says that it takes no mail (null MX)"),
                ));
            }
            list.sort();
            list.dedup_by(|a, b| a.host == b.host);
            // RFC 5321 §5.1: equals in random order, to spread the load.
            list.sort_by_cached_key(|exchange| (exchange.preference, crate::random()));
            list.truncate(MOST_EXCHANGES);
            Ok((list, false))
        }
        // RFC 5321 §5.1: a domain without MX takes its mail itself.
        Answer::NoRecords => {
            let itself = Exchange {
                preference: 0,
                host: domain.to_owned(),
            };
            Ok((vec![itself], true))
        }
        Answer::NoName => Err(trouble(
            (5, 1, 2),
            format!("the domain {domain} does not exist"),
        )),
        Answer::Unknown(why) => Err(unknown(domain, &why)),
    }
}

fn unknown(domain: &str, why: &str) -> Trouble {
    trouble(
        (4, 4, 3),
        format!("the mail servers of {domain} could not be looked up: {why}"),
    )
}

/// Hosts of one preference are looked up together, because with ourselves among them all of them are dropped, and all
/// that are less preferred (RFC 5321 §5.1); the mail would come back from them.
async fn look_up(
    exchanges: &[Exchange],
    port: u16,
    names: &impl LookUp,
    around: &Surroundings,
) -> Found {
    let deadline = Instant::now() + WAIT;
    let most_of_one = if exchanges.len() > 1 {
        MOST_OF_ONE
    } else {
        MOST_HOPS
    };
    let mut found = Found::default();
    for equals in exchanges.chunk_by(|a, b| a.preference == b.preference) {
        let mut targets = Vec::new();
        for Exchange { host, .. } in equals {
            if around.is_named(host) {
                found.ours = Some(host.clone());
                break;
            }
            let answer = timeout_at(deadline, names.addresses(&format!("{host}.")))
                .await
                .unwrap_or_else(|_| Answer::Unknown("no name server answered in time".into()));
            let places = match answer {
                Answer::Found(ips) => places(ips, port),
                Answer::NoRecords | Answer::NoName => continue,
                Answer::Unknown(why) => {
                    found.unknown = Some(why);
                    continue;
                }
            };
            if places.iter().any(|place| around.is_ours(*place)) {
                found.ours = Some(host.clone());
                break;
            }
            targets.extend(places.into_iter().take(most_of_one).map(|address| Target {
                name: host.clone(),
                address,
            }));
        }
        if found.ours.is_some() {
            break;
        }
        found.targets.extend(targets);
        if found.targets.len() >= MOST_HOPS {
            break;
        }
    }
    found.targets.truncate(MOST_HOPS);
    found
}

fn places(ips: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
    let ips = ips.into_iter().filter(|ip| machine::is_of_a_host(*ip));
    machine::reachable(ips.collect())
        .into_iter()
        .map(|ip| SocketAddr::new(ip, port))
        .collect()
}

fn without_address(domain: &str, exchanges: &[Exchange]) -> String {
    const MOST_TOLD: usize = 3;
    let hosts: Vec<&str> = exchanges
        .iter()
        .map(|exchange| exchange.host.as_str())
        .take(MOST_TOLD)
        .collect();
    let mut text = format!(
        "the mail servers that {domain} names have no address: {}",
        hosts.join(", ")
    );
    if hosts.iter().any(|host| host.parse::<IpAddr>().is_ok()) {
        text.push_str(" (its MX record holds an address where the name of a host belongs)");
    }
    text
}

#[cfg(test)]
mod tests;
