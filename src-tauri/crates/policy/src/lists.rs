//! Which rules of the black and the white list match.

pub mod overlap;

use settings::Settings;
use settings::security::{ListKind, ListRule};
use smtp::{Address, Domain, ForwardPath, LocalPart};

use crate::facts::Facts;
use crate::rules::{qualify, sender_address};

/// Rules that match, by list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matches<'a> {
    /// Of the white list.
    pub white: Vec<&'a ListRule>,
    /// Of the black list.
    pub black: Vec<&'a ListRule>,
}

impl<'a> Matches<'a> {
    fn add(&mut self, rules: Vec<&'a ListRule>) {
        for rule in rules {
            match rule.list {
                ListKind::White => self.white.push(rule),
                ListKind::Black => self.black.push(rule),
            }
        }
    }

    /// Names of all that match, for counting.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        let all = self.white.iter().chain(&self.black);
        all.map(|rule| rule.name.as_str())
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// Rules that match the client, the sender as far as it is known, and this recipient. The null sender matches no rule for
/// senders.
pub fn matching<'a>(
    facts: &Facts,
    settings: &'a Settings,
    recipient: Option<&ForwardPath>,
) -> Matches<'a> {
    let lists = &settings.security.lists;
    let mut matches = Matches::default();
    if lists.rules().is_empty() {
        return matches;
    }
    matches.add(lists.of_client(facts.client.ip));
    let sender = facts.envelope.sender.as_ref();
    if let Some(address) = sender.and_then(|path| sender_address(path, settings)) {
        matches.add(lists.of_sender(&address, &settings.general));
    }
    if let Some(path) = recipient {
        matches.add(of_recipient(path, settings));
    }
    matches
}

/// Black rules for senders that match an author in the From field, with that author.
pub(crate) fn of_authors<'a, 'f>(
    facts: &'f Facts,
    settings: &'a Settings,
) -> Vec<(&'f Address, &'a ListRule)> {
    let lists = &settings.security.lists;
    if lists.rules().is_empty() {
        return Vec::new();
    }
    let authors = facts.message.iter().flat_map(|message| &message.from);
    authors
        .flat_map(|author| {
            let rules = lists.of_sender(author, &settings.general);
            rules.into_iter().map(move |rule| (author, rule))
        })
        .filter(|(_, rule)| rule.list == ListKind::Black)
        .collect()
}

/// Names of the rules that match an author in the From field, for counting. What matches the rest of the message is in
/// [`matching`].
pub fn of_header<'a>(facts: &Facts, settings: &'a Settings) -> impl Iterator<Item = &'a str> {
    let found = of_authors(facts, settings).into_iter();
    found.map(|(_, rule)| rule.name.as_str())
}

/// A white rule for a recipient, if each recipient of the message has one. Otherwise somebody whom no rule lets through
/// would get the message too.
pub(crate) fn covering<'a>(facts: &Facts, settings: &'a Settings) -> Option<&'a ListRule> {
    let mut first = None;
    for path in &facts.envelope.recipients {
        let rules = of_recipient(path, settings);
        let white = rules
            .into_iter()
            .find(|rule| rule.list == ListKind::White)?;
        first.get_or_insert(white);
    }
    first
}

fn of_recipient<'a>(path: &ForwardPath, settings: &'a Settings) -> Vec<&'a ListRule> {
    let address = match path {
        ForwardPath::Address(address) => Some(address.clone()),
        ForwardPath::Unqualified(local) => qualify(local, settings),
        ForwardPath::Postmaster => postmaster(settings.general.domain.as_ref()),
    };
    address.map_or_else(Vec::new, |address| {
        let lists = &settings.security.lists;
        lists.of_recipient(&address, &settings.general)
    })
}

/// A postmaster without domain is ours (RFC 5321 §4.5.1).
fn postmaster(domain: Option<&Domain>) -> Option<Address> {
    let local = LocalPart::from_text("postmaster").ok()?;
    Address::new(local.as_str(), domain?).ok()
}

#[cfg(test)]
mod tests;
