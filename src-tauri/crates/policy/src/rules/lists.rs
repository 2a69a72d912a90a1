//! Rules about the black and the white list. A white rule wins over any black one, and a black rule that rejects over one
//! that discards. Whether mail may be relayed is decided elsewhere, so no white rule opens the relay.

use settings::Settings;
use settings::security::{Criterion, ListAction, ListRule};

use super::{sender_address, wire, wire_path};
use crate::decision::Finding;
use crate::facts::Facts;
use crate::lists::{covering, matching, of_authors};
use crate::reason::Reason;

/// Client, sender and recipient in question. Signed-in users and the local network are not exempt.
pub(crate) fn envelope(facts: &Facts, settings: &Settings) -> Finding {
    if settings.security.lists.rules().is_empty() {
        return Finding::skip("no rules");
    }
    let matches = matching(facts, settings, facts.recipient.as_ref());
    let black = strongest(matches.black);
    match (matches.white.first(), black) {
        (Some(white), None) => Finding::pass(named("white", white), "on the white list"),
        (Some(white), Some(black)) => Finding::pass(
            named("white", white),
            format!("it wins over {}", named("black", black)),
        ),
        (None, None) => Finding::pass("", "no rule matches"),
        (None, Some(black)) => against(black, what(black, facts, settings)),
    }
}

/// Authors in the From field, whom the reader sees, against black rules for senders.
pub(crate) fn authors(facts: &Facts, settings: &Settings) -> Finding {
    if settings.security.lists.rules().is_empty() {
        return Finding::skip("no rules");
    }
    let mut found = of_authors(facts, settings);
    found.sort_by_key(|(_, rule)| rule.action == ListAction::Discard);
    let Some((author, black)) = found.first() else {
        return Finding::pass("", "no rule matches");
    };
    let matches = matching(facts, settings, None);
    match matches
        .white
        .first()
        .copied()
        .or_else(|| covering(facts, settings))
    {
        Some(white) => Finding::pass(
            named("white", white),
            format!("it wins over {}", named("black", black)),
        ),
        None => against(black, wire(author)),
    }
}

/// The rule that decides among those of the black list.
fn strongest(black: Vec<&ListRule>) -> Option<&ListRule> {
    black
        .into_iter()
        .min_by_key(|rule| rule.action == ListAction::Discard)
}

fn against(rule: &ListRule, what: String) -> Finding {
    match rule.action {
        ListAction::Reject => Finding::refuse(
            format!("{what}, {}", named("black", rule)),
            Reason::Listed { what },
        ),
        ListAction::Discard => Finding::discard(what, &rule.name),
    }
}

/// What the reply names: the client's address, the sender, or the recipient.
fn what(rule: &ListRule, facts: &Facts, settings: &Settings) -> String {
    match rule.criterion {
        Criterion::Ip | Criterion::IpMask => format!("[{}]", facts.client.ip),
        Criterion::Sender | Criterion::Domain => facts
            .envelope
            .sender
            .as_ref()
            .and_then(|path| sender_address(path, settings))
            .map_or_else(String::new, |address| wire(&address)),
        Criterion::Recipient => facts.recipient.as_ref().map(wire_path).unwrap_or_default(),
    }
}

fn named(list: &str, rule: &ListRule) -> String {
    format!("{list} list rule \"{}\"", rule.name)
}
