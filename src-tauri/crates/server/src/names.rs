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
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::proto::serialize::binary::BinEncodable as _;
use hickory_resolver::{Resolver, TokioResolver};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// A name server that has not answered by then does not.
const WAIT: Duration = Duration::from_secs(5);
/// Times a question is asked again.
const ATTEMPTS: usize = 2;
/// One question with all its attempts and the aliases it leads through.
const WAIT_FOR_ALL: Duration = Duration::from_secs(20);
/// Answers kept.
const CACHE: u64 = 2_048;
/// Octets in memory of an answer that is kept. Others choose how large theirs are, and 64 KiB can be asked for again.
const LARGE: usize = 16 * 1024;
/// Answers kept for those that ask by themselves; how large these are is not seen here.
const CACHE_UNSEEN: u64 = 256;
/// An answer is asked for again after this time, whatever it says of itself.
const LONGEST: Duration = Duration::from_secs(3_600);
/// A missing record may be added by somebody who waits for it.
const LONGEST_NEGATIVE: Duration = Duration::from_secs(300);
/// Records of one answer that are looked at.
const MOST: usize = 100;
/// That nobody answers at all is believed for this time.
const DOWN_HOLDS: Duration = Duration::from_secs(30);
/// That somebody does is believed for this time.
const UP_HOLDS: Duration = Duration::from_secs(3);
/// Who waits for answers for so long asks whether anybody answers at all.
const PATIENCE: Duration = Duration::from_secs(3);
/// Who has not answered that by then does not.
const WAIT_FOR_SIGN: Duration = Duration::from_secs(4);
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
#[derive(Debug)]
pub struct Names {
    state: Mutex<State>,
    /// Whose turn it is to find out whether anybody answers.
    sign: Semaphore,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            sign: Semaphore::new(1),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    servers: Vec<SocketAddr>,
    resolver: Option<TokioResolver>,
    /// For those that ask by themselves.
    unseen: Option<TokioResolver>,
    /// When the system's list was last looked at, and its age then.
    looked: Option<Instant>,
    list: Option<SystemTime>,
    /// When it was last found out whether anybody answers, and why nobody did.
    checked: Option<(Instant, Option<String>)>,
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
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.servers != servers {
            *state = State {
                servers: servers.to_vec(),
                ..State::default()
            };
        }
    }

    /// Forgets all answers, for an admin who has just changed a record.
    pub fn forget(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.resolver, state.unseen) = (None, None);
        state.checked = None;
    }

    /// Why nothing at all can be found out at the moment: no name server answers, or each says that it cannot. `None` when
    /// one does, which one silent domain does not change. To be asked after an answer that was [`Answer::Unknown`].
    pub async fn down(&self) -> Option<String> {
        if let Some(why) = self.believed() {
            return why;
        }
        // One asks for all who want to know at the same time; the others find what it found.
        let known = self.last_check();
        let turn = timeout(WAIT_FOR_SIGN, self.sign.acquire()).await;
        if self.last_check() != known
            && let Some(why) = self.believed()
        {
            return why;
        }
        if turn.is_err() {
            return Some("no name server answered in time".into());
        }
        // A name that nobody can have in memory; that it does not exist is an answer.
        let name = format!("{:016x}.arpa.", crate::random());
        let name = Name::from_ascii(name).unwrap_or_default();
        let sign = timeout(WAIT_FOR_SIGN, self.asked_anyway(name, RecordType::NS)).await;
        let why = match sign {
            Ok(Answer::Unknown(why)) => Some(why),
            Ok(_) => None,
            Err(_) => Some("no name server answered in time".into()),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.checked = Some((Instant::now(), why.clone()));
        why
    }

    /// What was found out so lately that it need not be asked for again. While one asks again whether nobody answers any
    /// more, that is what the others believe.
    fn believed(&self) -> Option<Option<String>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = state.checked.as_mut()?;
        let holds = if why.is_some() { DOWN_HOLDS } else { UP_HOLDS };
        if at.elapsed() < holds {
            return Some(why.clone());
        }
        if why.is_some() {
            *at = Instant::now();
        }
        None
    }

    /// What comes of `questions` that belong together, or why nothing at all can be found out, which nobody waits for longer
    /// than it takes to find that out: 7 s, and while it is remembered no time.
    ///
    /// # Errors
    /// Why nothing can be found out, as from [`Self::down`].
    pub async fn unless_down<T>(&self, questions: impl Future<Output = T>) -> Result<T, String> {
        let was_down = self.last_check().is_some_and(|(_, why)| why.is_some());
        if was_down && let Some(why) = self.down().await {
            return Err(why);
        }
        let silence = async {
            loop {
                sleep(PATIENCE).await;
                if let Some(why) = self.down().await {
                    return why;
                }
            }
        };
        tokio::select! {
            biased;
            answers = questions => Ok(answers),
            why = silence => Err(why),
        }
    }

    /// When [`Self::down`] last found out something, or began to find out whether it has changed, and what.
    pub fn last_check(&self) -> Option<(Instant, Option<String>)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.checked.clone()
    }

    /// What asks and remembers, for others that ask by themselves.
    pub(crate) fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.notice_other_network();
        let State {
            servers, unseen, ..
        } = &mut *state;
        kept(unseen, servers, CACHE_UNSEEN)
    }

    fn own_resolver(&self) -> Result<TokioResolver, NetError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.notice_other_network();
        let State {
            servers, resolver, ..
        } = &mut *state;
        kept(resolver, servers, CACHE)
    }

    async fn records(&self, name: &str, kind: RecordType) -> Answer<RData> {
        match Name::from_ascii(name) {
            Ok(name) => self.asked(name, kind).await,
            Err(_) => Answer::NoName,
        }
    }

    /// The records of one kind at a name, which may hold any octets.
    pub(crate) async fn asked(&self, name: Name, kind: RecordType) -> Answer<RData> {
        match self.last_check() {
            // Nobody waits for an answer again that nobody gave a moment ago.
            Some((at, Some(why))) if at.elapsed() < DOWN_HOLDS => Answer::Unknown(why),
            _ => self.asked_anyway(name, kind).await,
        }
    }

    async fn asked_anyway(&self, name: Name, kind: RecordType) -> Answer<RData> {
        let resolver = match self.own_resolver() {
            Ok(resolver) => resolver,
            Err(error) => return Answer::Unknown(error.to_string()),
        };
        let asked = timeout(WAIT_FOR_ALL, resolver.lookup(name.clone(), kind)).await;
        if let Ok(answer) = &asked {
            forget_large(&resolver, &name, kind, answer);
        }
        match asked {
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
            (self.resolver, self.unseen) = (None, None);
            self.checked = None;
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

/// Keeps answers out of memory that take much of it, under whatever names they came.
fn forget_large(
    resolver: &TokioResolver,
    name: &Name,
    kind: RecordType,
    answer: &Result<Lookup, NetError>,
) {
    let octets = match answer {
        Ok(lookup) => {
            octets(lookup.answers()) + octets(lookup.authorities()) + octets(lookup.additionals())
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            none.authorities.as_deref().map_or(0, octets)
        }
        Err(_) => 0,
    };
    if octets <= LARGE {
        return;
    }
    resolver.clear_lookup_cache(name.clone(), kind);
    if let Ok(lookup) = answer {
        let aliases = lookup.answers().iter().map(|record| &record.name);
        for alias in aliases.filter(|alias| *alias != name) {
            resolver.clear_lookup_cache(alias.clone(), kind);
        }
    }
}

/// What records take in memory, more or less.
fn octets(records: &[Record]) -> usize {
    let written = |record: &Record| record.to_bytes().map_or(LARGE, |bytes| bytes.len());
    records
        .iter()
        .map(|record| size_of::<Record>() + written(record))
        .sum()
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn explain(error: &NetError) -> String {
    match error {
        NetError::Timeout => "no name server answered in time".into(),
        NetError::NoConnections => "no name server can be reached".into(),
        NetError::Dns(DnsError::ResponseCode(code)) => {
            format!("the name server cannot tell ({code})")
        }
        other => other.to_string(),
    }
}

/// The resolver that is there, or one that is from now on, with room for this many answers.
fn kept(
    place: &mut Option<TokioResolver>,
    servers: &[SocketAddr],
    answers: u64,
) -> Result<TokioResolver, NetError> {
    if let Some(resolver) = place {
        return Ok(resolver.clone());
    }
    let made = resolver(servers, |options| {
        options.timeout = WAIT;
        options.attempts = ATTEMPTS;
        options.cache_size = answers;
        options.positive_max_ttl = Some(LONGEST);
        options.negative_max_ttl = Some(LONGEST_NEGATIVE);
        options.server_ordering_strategy = ServerOrderingStrategy::QueryStatistics;
    })?;
    Ok(place.insert(made).clone())
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
mod tests;
