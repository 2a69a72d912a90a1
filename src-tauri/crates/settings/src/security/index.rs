//! The rules compiled for looking up: what a look-up costs depends on the masks in use, not on the number of rules.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use smtp::{Address, Domain, Host};

use super::lists::{Criterion, ListAction, ListKind, ListRule};
use super::mask::Masked;
use super::value::{ListValue, ValueError};
use crate::General;

/// No rule.
const NONE: u32 = u32::MAX;

/// The rules of one value: one of each kind, since a second one changes nothing.
#[derive(Debug, Clone, Copy)]
struct Slot {
    white: u32,
    reject: u32,
    discard: u32,
}

impl Slot {
    const EMPTY: Self = Self {
        white: NONE,
        reject: NONE,
        discard: NONE,
    };

    fn enter(&mut self, at: u32, rule: &ListRule) {
        let place = match (rule.list, rule.action) {
            (ListKind::White, _) => &mut self.white,
            (ListKind::Black, ListAction::Reject) => &mut self.reject,
            (ListKind::Black, ListAction::Discard) => &mut self.discard,
        };
        if *place == NONE {
            *place = at;
        }
    }
}

/// Values under one mask.
type Table<K> = HashMap<K, Slot>;

/// Rules for mailboxes, by address and by domain. The keys are folded.
#[derive(Debug, Default)]
struct Mailboxes {
    address: Table<Box<str>>,
    at: Table<Box<str>>,
}

/// All enabled rules.
#[derive(Debug, Default)]
pub(super) struct Index {
    ip: Table<IpAddr>,
    /// One table for each mask in use.
    v4: Vec<(u32, Table<u32>)>,
    v6: Vec<(u128, Table<u128>)>,
    sender: Mailboxes,
    recipient: Mailboxes,
    domain: Table<Box<str>>,
    below: Table<Box<str>>,
    /// Values that cannot be read, whether their rules are enabled or not.
    pub(super) unreadable: Vec<(usize, ValueError)>,
    /// Different IPv4 masks with holes, of enabled rules.
    pub(super) masks_with_holes: usize,
}

/// Rules that match, of both lists.
pub type Found<'a> = Vec<&'a ListRule>;

impl Index {
    /// Compiles the rules; of unreadable ones at most `most_unreadable` are kept, and none of them matches anything.
    pub(super) fn of(rules: &[ListRule], most_unreadable: usize) -> Self {
        let mut index = Self::default();
        let mut v4: HashMap<u32, Table<u32>> = HashMap::new();
        let mut v6: HashMap<u128, Table<u128>> = HashMap::new();
        for (place, rule) in rules.iter().enumerate() {
            let value = match ListValue::parse(rule.criterion, &rule.value) {
                Ok(value) => value,
                Err(error) => {
                    if index.unreadable.len() < most_unreadable {
                        index.unreadable.push((place, error));
                    }
                    continue;
                }
            };
            let Some(at) = u32::try_from(place).ok().filter(|_| rule.enabled) else {
                continue;
            };
            match value {
                ListValue::Masked(Masked::V4 { net, mask }) => {
                    enter(v4.entry(mask).or_default(), net, at, rule);
                }
                ListValue::Masked(Masked::V6 { net, mask }) => {
                    enter(v6.entry(mask).or_default(), net, at, rule);
                }
                other => index.enter(other, at, rule),
            }
        }
        let holes = |mask: &&u32| mask.leading_ones() != mask.count_ones();
        index.masks_with_holes = v4.keys().filter(holes).count();
        index.v4 = v4.into_iter().collect();
        index.v6 = v6.into_iter().collect();
        index
    }

    fn enter(&mut self, value: ListValue, at: u32, rule: &ListRule) {
        let mailboxes = match rule.criterion {
            Criterion::Recipient => &mut self.recipient,
            _ => &mut self.sender,
        };
        match value {
            ListValue::Ip(ip) => enter(&mut self.ip, ip, at, rule),
            ListValue::Mailbox(address) => {
                enter(&mut mailboxes.address, address.folded().into(), at, rule);
            }
            ListValue::At(host) => enter(&mut mailboxes.at, host_key(&host), at, rule),
            ListValue::Domain(domain) => {
                enter(&mut self.domain, domain.ascii().into(), at, rule);
            }
            ListValue::Below(domain) => enter(&mut self.below, domain.ascii().into(), at, rule),
            ListValue::Masked(_) => {}
        }
    }

    /// Rules of the criteria IP and IP/subnet mask.
    pub(super) fn of_client<'a>(&self, rules: &'a [ListRule], ip: IpAddr) -> Found<'a> {
        let ip = ip.to_canonical();
        let mut found = Found::new();
        take(&mut found, rules, self.ip.get(&ip));
        match ip {
            IpAddr::V4(v4) => {
                let bits = u32::from(v4);
                for (mask, table) in &self.v4 {
                    take(&mut found, rules, table.get(&(bits & mask)));
                }
            }
            IpAddr::V6(v6) => {
                let bits = u128::from(v6);
                for (mask, table) in &self.v6 {
                    take(&mut found, rules, table.get(&(bits & mask)));
                }
            }
        }
        found
    }

    /// Rules of the criteria Sender and Domain.
    pub(super) fn of_sender<'a>(
        &self,
        rules: &'a [ListRule],
        address: &Address,
        general: &General,
    ) -> Found<'a> {
        let mut found = self.sender.of(rules, address, general);
        if let Some(domain) = address.domain() {
            take(&mut found, rules, self.domain.get(domain.ascii()));
            if !self.below.is_empty() {
                let mut rest = domain.ascii();
                while let Some((_, parent)) = rest.split_once('.') {
                    take(&mut found, rules, self.below.get(parent));
                    rest = parent;
                }
            }
        }
        found
    }

    /// Rules of the criterion Recipient.
    pub(super) fn of_recipient<'a>(
        &self,
        rules: &'a [ListRule],
        address: &Address,
        general: &General,
    ) -> Found<'a> {
        self.recipient.of(rules, address, general)
    }
}

impl Mailboxes {
    /// One mailbox has many spellings: upper and lower case, an `+extension`, and for our own users each of our domains.
    fn of<'a>(&self, rules: &'a [ListRule], address: &Address, general: &General) -> Found<'a> {
        let mut found = Found::new();
        if !self.at.is_empty() {
            take(&mut found, rules, self.at.get(&host_key(address.host())));
        }
        if self.address.is_empty() {
            return found;
        }
        match address
            .domain()
            .filter(|domain| general.is_local_domain(domain))
        {
            None => self.at_host(&mut found, rules, address),
            Some(_) => {
                for domain in general.local_domains() {
                    self.at_domain(&mut found, rules, address, domain);
                }
            }
        }
        found
    }

    fn at_domain<'a>(
        &self,
        found: &mut Found<'a>,
        rules: &'a [ListRule],
        address: &Address,
        domain: &Domain,
    ) {
        let host = Host::Domain(domain.clone());
        if let Ok(same) = Address::from_parts(address.local_part().clone(), host) {
            self.at_host(found, rules, &same);
        }
    }

    fn at_host<'a>(&self, found: &mut Found<'a>, rules: &'a [ListRule], address: &Address) {
        let whole = address.folded();
        take(found, rules, self.address.get(whole.as_str()));
        if let Some(base) = without_extension(address) {
            take(found, rules, self.address.get(base.folded().as_str()));
        }
    }
}

/// The address without its `+extension`, if it has one.
pub(super) fn without_extension(address: &Address) -> Option<Address> {
    let local = address.local();
    if local.find('+').is_none_or(|at| at == 0) {
        return None;
    }
    let base = smtp::LocalPart::from_text(&address.base_local()).ok()?;
    Address::from_parts(base, address.host().clone()).ok()
}

fn host_key(host: &Host) -> Box<str> {
    match host {
        Host::Domain(domain) => domain.ascii().into(),
        Host::Literal(ip) => format!("[{}]", ip.to_canonical()).into(),
    }
}

fn enter<K: Eq + Hash>(table: &mut Table<K>, key: K, at: u32, rule: &ListRule) {
    table.entry(key).or_insert(Slot::EMPTY).enter(at, rule);
}

fn take<'a>(found: &mut Found<'a>, rules: &'a [ListRule], slot: Option<&Slot>) {
    let Some(slot) = slot else { return };
    for at in [slot.white, slot.reject, slot.discard] {
        if at != NONE
            && let Some(rule) = rules.get(at as usize)
        {
            found.push(rule);
        }
    }
}
