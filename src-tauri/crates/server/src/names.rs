//! The DNS for delivery: where a domain takes its mail, and the addresses of a host.
//!
//! An answer that did not come is never taken for "there is nothing": the first is tried again, the second goes back
//! to the sender. What the answers mean for a message is decided in [`crate::deliver::route`].

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use tokio::time::timeout;

/// A name server that has not answered by then does not.
const WAIT: Duration = Duration::from_secs(5);
/// Times a question is asked again.
const ATTEMPTS: usize = 2;
/// One question with all its attempts and the aliases it leads through.
const WAIT_FOR_ALL: Duration = Duration::from_secs(20);
/// Answers kept.
const CACHE: u64 = 2_048;
/// An answer is asked for again after this time, whatever it says of itself.
const LONGEST: Duration = Duration::from_secs(3_600);
/// A missing record may be added by somebody who waits for it.
const LONGEST_NEGATIVE: Duration = Duration::from_secs(300);
/// Records of one answer that are looked at.
const MOST: usize = 100;
/// The system's list of name servers is looked at again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const SYSTEM_LIST: &str = "/etc/resolv.conf";

/// What the DNS says to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// At least one record.
    Found(Vec<T>),
    /// The name exists and has no record of this kind.
    NoRecords,
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// Nobody knows now, and why: no server answered in time, or one said that it cannot (SERVFAIL, REFUSED).
    Unknown(String),
}

/// A host that takes a domain's mail (RFC 5321 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// Smaller is better.
    pub preference: u16,
    /// The host in lower case without the final dot; empty for the root, which means "no mail" (RFC 7505).
    pub host: String,
}

/// Questions that a route asks.
pub trait LookUp: Send + Sync {
    /// The MX records of a domain, in no order.
    fn exchanges(&self, domain: &str) -> impl Future<Output = Answer<Exchange>> + Send;

    /// A and AAAA records of a host, taking turns, IPv4 first: few small offices have the reverse names that large
    /// receivers ask of an IPv6 client. A name without a final dot is also looked for in the machine's own domains.
    fn addresses(&self, host: &str) -> impl Future<Output = Answer<IpAddr>> + Send;
}

/// Asks the servers of the settings, or the system's, and remembers answers for as long as they hold. Belongs to the
/// runtime in which it is first asked.
#[derive(Debug, Default)]
pub struct Names(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    servers: Vec<SocketAddr>,
    resolver: Option<TokioResolver>,
    /// When the system's list was last looked at, and its age then.
    looked: Option<Instant>,
    list: Option<SystemTime>,
}

impl Names {
    /// Asks these servers; none means the system's.
    pub fn new(servers: &[SocketAddr]) -> Self {
        let names = Self::default();
        names.ask(servers);
        names
    }

    /// From now on asks these servers; what others said is forgotten.
    pub fn ask(&self, servers: &[SocketAddr]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.servers != servers {
            *state = State {
                servers: servers.to_vec(),
                ..State::default()
            };
        }
    }

    /// Forgets all answers, for an admin who has just changed a record.
    pub fn forget(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.resolver = None;
    }

    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.notice_other_network();
        if let Some(resolver) = &state.resolver {
            return Ok(resolver.clone());
        }
        let resolver = resolver(&state.servers, |options| {
            options.timeout = WAIT;
            options.attempts = ATTEMPTS;
            options.cache_size = CACHE;
            options.positive_max_ttl = Some(LONGEST);
            options.negative_max_ttl = Some(LONGEST_NEGATIVE);
            options.server_ordering_strategy = ServerOrderingStrategy::QueryStatistics;
        })?;
        state.resolver = Some(resolver.clone());
        Ok(resolver)
    }

    async fn records(&self, name: &str, kind: RecordType) -> Answer<RData> {
        let Ok(name) = Name::from_ascii(name) else {
            return Answer::NoName;
        };
        let resolver = match self.resolver() {
            Ok(resolver) => resolver,
            Err(error) => return Answer::Unknown(error.to_string()),
        };
        match timeout(WAIT_FOR_ALL, resolver.lookup(name, kind)).await {
            Err(_) => Answer::Unknown("no name server answered in time".into()),
            Ok(Err(error)) if error.is_nx_domain() => Answer::NoName,
            Ok(Err(error)) if error.is_no_records_found() => Answer::NoRecords,
            Ok(Err(error)) => Answer::Unknown(explain(&error)),
            Ok(Ok(lookup)) => found(
                lookup
                    .answers()
                    .iter()
                    .filter(|record| record.record_type() == kind)
                    .map(|record| record.data.clone())
                    .take(MOST)
                    .collect(),
            ),
        }
    }
}

impl State {
    /// A machine that was carried elsewhere has other name servers.
    fn notice_other_network(&mut self) {
        if !self.servers.is_empty() || self.looked.is_some_and(|at| at.elapsed() < LOOK_AGAIN) {
            return;
        }
        let list = fs::metadata(SYSTEM_LIST)
            .and_then(|meta| meta.modified())
            .ok();
        if list != self.list {
            self.resolver = None;
        }
        self.list = list;
        self.looked = Some(Instant::now());
    }
}

impl LookUp for Names {
    async fn exchanges(&self, domain: &str) -> Answer<Exchange> {
        // The final dot keeps the machine's own domains out.
        match self.records(&format!("{domain}."), RecordType::MX).await {
            Answer::Found(data) => found(
                data.into_iter()
                    .filter_map(|data| match data {
                        RData::MX(mx) => Some(Exchange {
                            preference: mx.preference,
                            host: plain(&mx.exchange),
                        }),
                        _ => None,
                    })
                    .collect(),
            ),
            Answer::NoRecords => Answer::NoRecords,
            Answer::NoName => Answer::NoName,
            Answer::Unknown(why) => Answer::Unknown(why),
        }
    }

    async fn addresses(&self, host: &str) -> Answer<IpAddr> {
        let (v4, v6) = tokio::join!(
            self.records(host, RecordType::A),
            self.records(host, RecordType::AAAA)
        );
        both(v4, v6)
    }
}

/// What A and AAAA say together. One address is enough, so the other question may have failed.
fn both(v4: Answer<RData>, v6: Answer<RData>) -> Answer<IpAddr> {
    let ips = |answer: &Answer<RData>| -> Vec<IpAddr> {
        match answer {
            Answer::Found(data) => data.iter().filter_map(RData::ip_addr).collect(),
            _ => Vec::new(),
        }
    };
    let found = take_turns(ips(&v4), ips(&v6));
    if !found.is_empty() {
        return Answer::Found(found);
    }
    match (v4, v6) {
        (Answer::Unknown(why), _) | (_, Answer::Unknown(why)) => Answer::Unknown(why),
        // Some servers deny a name for the kind they do not have; only both together mean that it is not there.
        (Answer::NoName, Answer::NoName) => Answer::NoName,
        _ => Answer::NoRecords,
    }
}

fn take_turns(first: Vec<IpAddr>, second: Vec<IpAddr>) -> Vec<IpAddr> {
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return mixed,
            (a, b) => mixed.extend(a.into_iter().chain(b)),
        }
    }
}

fn found<T>(records: Vec<T>) -> Answer<T> {
    if records.is_empty() {
        Answer::NoRecords
    } else {
        Answer::Found(records)
    }
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn explain(error: &NetError) -> String {
    match error {
        NetError::Timeout => "no name server answered in time".into(),
        NetError::NoConnections => "no name server can be reached".into(),
        NetError::Dns(hickory_resolver::net::DnsError::ResponseCode(code)) => {
            format!("the name server cannot tell ({code})")
        }
        other => other.to_string(),
    }
}

/// A resolver over `servers`, or over the system's if there are none.
///
/// # Errors
/// When the system names no server.
pub(crate) fn resolver(
    servers: &[SocketAddr],
    tune: impl FnOnce(&mut ResolverOpts),
) -> Result<TokioResolver, NetError> {
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = servers
            .iter()
            .map(|server| {
                // RFC 7766 §5: an answer that does not fit a datagram is fetched over TCP.
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
                    .into_iter()
                    .map(|mut connection| {
                        connection.port = server.port();
                        connection
                    })
                    .collect();
                NameServerConfig::new(server.ip(), true, connections)
            })
            .collect();
        let config = ResolverConfig::from_parts(None, vec![], servers);
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    tune(builder.options_mut());
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn data(addresses: &[&str]) -> Answer<RData> {
        Answer::Found(addresses.iter().map(|text| ip(text).into()).collect())
    }

    #[test]
    fn addresses_of_both_kinds_take_turns() {
        let mixed = take_turns(
            vec![ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3")],
            vec![ip("2001:db8::1")],
        );
        assert_eq!(
            mixed,
            [
                ip("192.0.2.1"),
                ip("2001:db8::1"),
                ip("192.0.2.2"),
                ip("192.0.2.3")
            ]
        );
    }

    #[test]
    fn an_address_counts_although_the_other_question_failed() {
        let failed = || Answer::Unknown("no answer".into());
        let one = Answer::Found(vec![ip("192.0.2.1")]);
        assert_eq!(both(data(&["192.0.2.1"]), failed()), one);
        assert_eq!(both(data(&["192.0.2.1"]), Answer::NoName), one);
        assert_eq!(
            both(Answer::NoRecords, failed()),
            Answer::Unknown("no answer".into())
        );
        assert_eq!(
            both(failed(), Answer::NoName),
            Answer::Unknown("no answer".into())
        );
    }

    #[test]
    fn a_name_is_missing_only_when_both_questions_say_so() {
        assert_eq!(both(Answer::NoName, Answer::NoName), Answer::NoName);
        assert_eq!(both(Answer::NoRecords, Answer::NoName), Answer::NoRecords);
    }
}
