//! A DNS in memory, for the tests of a route.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::names::{Answer, Exchange, LookUp};

/// Names that are not in it do not exist.
#[derive(Debug, Default)]
pub(super) struct Fake {
    exchanges: BTreeMap<String, Answer<Exchange>>,
    addresses: BTreeMap<String, Answer<IpAddr>>,
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl Fake {
    pub fn mx(mut self, domain: &str, list: &[(u16, &str)]) -> Self {
        let list = list
            .iter()
            .map(|(preference, host)| Exchange {
                preference: *preference,
                host: (*host).into(),
            })
            .collect();
        self.exchanges.insert(domain.into(), Answer::Found(list));
        self
    }

    pub fn mx_answer(mut self, domain: &str, answer: Answer<Exchange>) -> Self {
        self.exchanges.insert(domain.into(), answer);
        self
    }

    pub fn host(mut self, host: &str, ips: &[&str]) -> Self {
        let ips = ips.iter().map(|text| ip(text)).collect();
        self.addresses.insert(host.into(), Answer::Found(ips));
        self
    }

    pub fn host_answer(mut self, host: &str, answer: Answer<IpAddr>) -> Self {
        self.addresses.insert(host.into(), answer);
        self
    }
}

impl LookUp for Fake {
    async fn exchanges(&self, domain: &str) -> Answer<Exchange> {
        self.exchanges
            .get(domain)
            .cloned()
            .unwrap_or(Answer::NoName)
    }

    async fn addresses(&self, host: &str) -> Answer<IpAddr> {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.addresses.get(host).cloned().unwrap_or(Answer::NoName)
    }
}
