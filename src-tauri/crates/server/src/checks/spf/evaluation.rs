//! `check_host()` (RFC 7208 §4): walks the records, asks the DNS, and counts what it asks.

use std::net::IpAddr;

use hickory_resolver::proto::rr::{Name, RData, RecordType};
use policy::facts::AuthResult;

use super::macros::{Place, Template, Values};
use super::record::{Lengths, Mechanism, Record, is_spf};
use crate::checks::ask;
use crate::names::{Answer, Names};

/// Terms that ask the DNS (§4.6.4).
const MAX_TERMS: u32 = 10;
/// Questions of such terms that find nothing (§4.6.4).
const MAX_VOID: u32 = 2;
/// Hosts of an MX, and names of an address, that are asked for (§4.6.4).
const MAX_HOSTS: usize = 10;

/// Why a check ends early.
#[derive(Debug)]
enum Stop {
    /// §2.6.6
    Temp(String),
    /// §2.6.7
    Perm(String),
}

/// What a record leads to.
#[derive(Debug)]
struct Outcome {
    result: AuthResult,
    /// Where the domain's own words stand, and the domain that says so.
    explanation: Option<(Template, String)>,
}

impl Outcome {
    fn of(result: AuthResult) -> Self {
        Self {
            result,
            explanation: None,
        }
    }
}

/// One check.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    names: &'a Names,
    values: &'a Values,
    terms: u32,
    void: u32,
    /// Names of the client that have its address, once somebody asked.
    validated: Option<Vec<String>>,
}

/// A record that is being walked. It stays open while one that it includes is walked: a chain of includes must not become
/// one of calls, for which a stranger would choose how deep the stack has to be.
#[derive(Debug)]
struct Open {
    domain: String,
    record: Record,
    /// The directive at hand.
    at: usize,
}

/// Where a walk leads.
#[derive(Debug)]
enum Next {
    /// To the record of this domain.
    Enter(String),
    End(Outcome),
}

impl<'a> Evaluation<'a> {
    pub fn new(names: &'a Names, values: &'a Values) -> Self {
        Self {
            names,
            values,
            terms: 0,
            void: 0,
            validated: None,
        }
    }

    /// The result and, for a failure, the domain's own words, or why it could not be checked.
    pub async fn run(mut self, domain: &str) -> (AuthResult, String) {
        match self.check_host(domain.to_owned()).await {
            Ok(outcome) => {
                let words = match outcome.explanation {
                    Some((template, domain)) if outcome.result == AuthResult::Fail => {
                        self.explain(&template, &domain).await
                    }
                    _ => None,
                };
                (outcome.result, words.unwrap_or_default())
            }
            Err(Stop::Temp(why)) => (AuthResult::TempError, why),
            Err(Stop::Perm(why)) => (AuthResult::PermError, why),
        }
    }

    async fn check_host(&mut self, domain: String) -> Result<Outcome, Stop> {
        let mut open: Vec<Open> = Vec::new();
        let mut target = domain;
        let mut is_first = true;
        loop {
            match self.record(&target).await? {
                Some(record) => open.push(Open {
                    domain: target,
                    record,
                    at: 0,
                }),
                None if is_first => return Ok(Outcome::of(AuthResult::None)),
                // §5.2, §6.1
                None => return Err(Stop::Perm(format!("{target} has no SPF record"))),
            }
            is_first = false;
            target = match self.walk(&mut open).await? {
                Next::Enter(target) => target,
                Next::End(outcome) => return Ok(outcome),
            };
        }
    }

    /// Walks the innermost record, and those around it as it ends.
    async fn walk(&mut self, open: &mut Vec<Open>) -> Result<Next, Stop> {
        while let Some(inner) = open.last_mut() {
            let domain = inner.domain.clone();
            let result = match inner.record.directives.get(inner.at) {
                Some(directive) => {
                    if let Mechanism::Include(template) = &directive.mechanism {
                        self.count_term()?;
                        return Ok(Next::Enter(self.expand(template, &domain).await));
                    }
                    if !self.matches(&directive.mechanism, &domain).await? {
                        inner.at += 1;
                        continue;
                    }
                    directive.result
                }
                None => match inner.record.redirect.take() {
                    Some(redirect) => {
                        self.count_term()?;
                        open.pop();
                        return Ok(Next::Enter(self.expand(&redirect, &domain).await));
                    }
                    // §4.7
                    None => AuthResult::Neutral,
                },
            };
            if let Some(outcome) = close(open, result) {
                return Ok(Next::End(outcome));
            }
        }
        Ok(Next::End(Outcome::of(AuthResult::Neutral)))
    }

    /// The record of a domain; `None` where it publishes none, or is no domain (§4.3 to §4.5).
    async fn record(&mut self, domain: &str) -> Result<Option<Record>, Stop> {
        if !domain.contains('.') || domain.parse::<IpAddr>().is_ok() {
            return Ok(None);
        }
        let Some(name) = name(domain) else {
            return Ok(None);
        };
        let texts = match ask::txt(self.names, name).await {
            Answer::Found(texts) => texts,
            Answer::NoName | Answer::NoRecords => return Ok(None),
            Answer::Unknown(why) => return Err(Stop::Temp(format!("{domain}: {why}"))),
        };
        let mut records = texts.iter().filter(|text| is_spf(text));
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(text), None) => Record::parse(text)
                .map(Some)
                .map_err(|fault| Stop::Perm(format!("{domain}: {fault}"))),
            (Some(_), Some(_)) => Err(Stop::Perm(format!("{domain} has several SPF records"))),
        }
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Stop> {
        match mechanism {
            Mechanism::All => Ok(true),
            // The walk enters it.
            Mechanism::Include(_) => Ok(false),
            Mechanism::Ip(network, length) => Ok(is_within(self.values.ip, *network, *length)),
            Mechanism::A(template, lengths) => {
                self.count_term()?;
                let target = self.target(template.as_ref(), domain).await;
                self.has_address(&target, *lengths).await
            }
            Mechanism::Mx(template, lengths) => {
                self.count_term()?;
                let target = self.target(template.as_ref(), domain).await;
                self.is_exchange(&target, *lengths).await
            }
            Mechanism::Ptr(template) => {
                self.count_term()?;
                let target = self.target(template.as_ref(), domain).await;
                let names = self.validated_names().await;
                Ok(names.iter().any(|name| is_below(name, &target)))
            }
            Mechanism::Exists(template) => {
                self.count_term()?;
                let target = self.expand(template, domain).await;
                let Some(name) = name(&target) else {
                    return Ok(false);
                };
                // §5.7: an A record, whatever the client's family.
                let answer = ask::records(self.names, name, RecordType::A).await;
                Ok(self.counted(answer, &target)?.is_some())
            }
        }
    }

    /// §5.3
    async fn has_address(&mut self, target: &str, lengths: Lengths) -> Result<bool, Stop> {
        let Some(name) = name(target) else {
            return Ok(false);
        };
        let answer = ask::addresses(self.names, name, self.values.ip).await;
        let addresses = self.counted(answer, target)?.unwrap_or_default();
        Ok(addresses.iter().any(|ip| self.is_near(*ip, lengths)))
    }

    /// §5.4
    async fn is_exchange(&mut self, target: &str, lengths: Lengths) -> Result<bool, Stop> {
        let Some(at) = name(target) else {
            return Ok(false);
        };
        let answer = ask::records(self.names, at, RecordType::MX).await;
        let mut hosts: Vec<(u16, Name)> = self
            .counted(answer, target)?
            .unwrap_or_default()
            .into_iter()
            .filter_map(|data| match data {
                RData::MX(mx) => Some((mx.preference, mx.exchange.clone())),
                _ => None,
            })
            .collect();
        // §4.6.4
        if hosts.len() > MAX_HOSTS {
            return Err(Stop::Perm(format!("{target} has too many MX hosts")));
        }
        hosts.sort();
        for (_, host) in hosts {
            // A host with addresses of the other family alone is there, so only missing names count as found in vain.
            let found = match ask::addresses(self.names, host.clone(), self.values.ip).await {
                Answer::NoRecords => None,
                answer => self.counted(answer, &host.to_ascii())?,
            };
            let addresses = found.unwrap_or_default();
            if addresses.iter().any(|ip| self.is_near(*ip, lengths)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// §5.5: the client's names that have its address. Whatever goes wrong only makes them fewer.
    async fn validated_names(&mut self) -> Vec<String> {
        if let Some(names) = &self.validated {
            return names.clone();
        }
        let ip = self.values.ip;
        let answer = ask::records(self.names, Name::from(ip), RecordType::PTR).await;
        let hosts = match ask::only(answer, |data| match data {
            RData::PTR(ptr) => Some(ptr.0.clone()),
            _ => None,
        }) {
            Answer::Found(hosts) => hosts,
            _ => Vec::new(),
        };
        let names = self.names;
        let confirmed = ask::all(hosts.into_iter().take(MAX_HOSTS).map(async |host| {
            match ask::addresses(names, host.clone(), ip).await {
                Answer::Found(addresses) if addresses.contains(&ip) => Some(plain(&host)),
                _ => None,
            }
        }))
        .await;
        let confirmed: Vec<String> = confirmed.into_iter().flatten().collect();
        self.validated = Some(confirmed.clone());
        confirmed
    }

    /// The `<target-name>`: what the term names, or the domain at hand.
    async fn target(&mut self, template: Option<&Template>, domain: &str) -> String {
        match template {
            Some(template) => self.expand(template, domain).await,
            None => domain.to_owned(),
        }
    }

    async fn expand(&mut self, template: &Template, domain: &str) -> String {
        let validated = self.validated_for(template, domain).await;
        template.name(self.values, domain, &validated)
    }

    /// §7.3: what `%{p}` stands for.
    async fn validated_for(&mut self, template: &Template, domain: &str) -> String {
        const UNKNOWN: &str = "unknown";
        if !template.needs_validated_name() {
            return UNKNOWN.to_owned();
        }
        let names = self.validated_names().await;
        let same = names.iter().find(|name| name.eq_ignore_ascii_case(domain));
        let best = same
            .or_else(|| names.iter().find(|name| is_below(name, domain)))
            .or_else(|| names.first());
        best.cloned().unwrap_or_else(|| UNKNOWN.to_owned())
    }

    /// §6.2: the domain's own words. Whatever goes wrong, there are none.
    async fn explain(&mut self, template: &Template, domain: &str) -> Option<String> {
        let at = name(&self.expand(template, domain).await)?;
        let Answer::Found(texts) = ask::txt(self.names, at).await else {
            return None;
        };
        let [text] = texts.as_slice() else {
            return None;
        };
        let text = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.is_ascii());
        let template = Template::parse(text?, Place::Text)?;
        let validated = self.validated_for(&template, domain).await;
        let text = template.text(self.values, domain, &validated);
        text.is_ascii().then_some(text)
    }

    fn count_term(&mut self) -> Result<(), Stop> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(Stop::Perm("more than 10 terms ask the DNS".to_owned()));
        }
        Ok(())
    }

    /// What a question found; `None` for nothing, which may happen twice.
    fn counted<T>(&mut self, answer: Answer<T>, target: &str) -> Result<Option<Vec<T>>, Stop> {
        match answer {
            Answer::Found(found) => Ok(Some(found)),
            Answer::Unknown(why) => Err(Stop::Temp(format!("{target}: {why}"))),
            Answer::NoName | Answer::NoRecords => {
                self.void += 1;
                if self.void > MAX_VOID {
                    return Err(Stop::Perm("more than 2 questions found nothing".to_owned()));
                }
                Ok(None)
            }
        }
    }

    fn is_near(&self, ip: IpAddr, lengths: Lengths) -> bool {
        let length = if ip.is_ipv4() { lengths.v4 } else { lengths.v6 };
        is_within(self.values.ip, ip, length)
    }
}

/// Ends the innermost record with a result, and each around it for which that decides. The outcome, once all are closed.
fn close(open: &mut Vec<Open>, mut result: AuthResult) -> Option<Outcome> {
    while let Some(inner) = open.pop() {
        let Some(outer) = open.last_mut() else {
            let explanation = inner.record.explanation;
            return Some(Outcome {
                result,
                explanation: explanation.map(|template| (template, inner.domain)),
            });
        };
        // §5.2: an included domain passes, or its term does not match.
        if result != AuthResult::Pass {
            outer.at += 1;
            return None;
        }
        let include = outer.record.directives.get(outer.at);
        result = include.map_or(AuthResult::Neutral, |directive| directive.result);
    }
    None
}

/// A name of the DNS; what holds other letters than ASCII names nothing (RFC 8616 §4).
fn name(text: &str) -> Option<Name> {
    if text.is_ascii() {
        ask::name(text.split('.'))
    } else {
        None
    }
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a name is a domain or lies below it.
fn is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.to_ascii_lowercase(), domain.to_ascii_lowercase());
    name.strip_suffix(&domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether two addresses of the same family have the same first bits.
fn is_within(ip: IpAddr, network: IpAddr, length: u8) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let differing = ip.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= u32::from(length)
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let differing = ip.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= u32::from(length)
        }
        _ => false,
    }
}
