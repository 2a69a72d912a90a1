//! Tables of Postfix. What they cannot hold (names, comments, rules that are off, masks with holes) stands in comment lines
//! that begin with `#:`, so that a file written here and read here is the same again, and Postfix passes over it.

use std::net::IpAddr;

use smtp::{Address, Host};

use super::{Draft, FileLine, Format, Mistake, fits};
use crate::postfix::access::{self, AccessError, Action, Entry};
use crate::postfix::lines::{self, Item};
use crate::security::lists::{Criterion, ListAction, ListKind, ListRule};
use crate::security::value::ListValue;

/// What `#:` lines say of the entry that follows.
#[derive(Default)]
struct Said {
    name: Option<String>,
    comment: Option<String>,
    criterion: Option<String>,
}

pub(super) fn read(format: Format, text: &str) -> Vec<FileLine> {
    let mut read = Vec::new();
    let mut said = Said::default();
    for item in lines::items(text) {
        match item {
            Item::Bad { number, why } => {
                read.push(FileLine::new(
                    number,
                    "",
                    Err(Mistake::new("line", why.to_string())),
                ));
            }
            Item::Text(line) => {
                let rule = draft(format, &line.text, true, std::mem::take(&mut said));
                read.push(FileLine::new(line.number, &line.text, rule));
            }
            Item::Comment(line) => {
                let Some(directive) = line.text.strip_prefix(':') else {
                    continue;
                };
                let (word, rest) = directive
                    .trim_start()
                    .split_once(' ')
                    .unwrap_or((directive.trim(), ""));
                match word {
                    "name" => said.name = Some(rest.into()),
                    "comment" => said.comment = Some(rest.into()),
                    "criterion" => said.criterion = Some(rest.into()),
                    "disabled" | "masked" => {
                        let enabled = word == "masked";
                        let rule = draft(format, rest, enabled, std::mem::take(&mut said));
                        read.push(FileLine::new(line.number, rest, rule));
                    }
                    _ => {}
                }
            }
        }
    }
    read
}

fn draft(format: Format, text: &str, enabled: bool, said: Said) -> Result<Draft, Mistake> {
    let entry = access::entry(text).map_err(|error| match error {
        AccessError::Action(_) | AccessError::Condition => {
            Mistake::new("unsupported", error.to_string())
        }
        AccessError::NoAction(_) | AccessError::Quote => Mistake::new("entry", error.to_string()),
    })?;
    let (list, action) = match entry.action {
        Action::Ok | Action::Dunno => (ListKind::White, ListAction::Reject),
        Action::Reject => (ListKind::Black, ListAction::Reject),
        Action::Discard => (ListKind::Black, ListAction::Discard),
    };
    let (criterion, value) = match format {
        Format::PostfixRecipient => mailbox_pattern(Criterion::Recipient, &entry)?,
        Format::PostfixSender => {
            let as_sender = said.criterion.as_deref() == Some("sender");
            match (list, as_sender || entry.pattern.contains('@')) {
                (ListKind::White, false) => (Criterion::Domain, entry.pattern.clone()),
                _ => mailbox_pattern(Criterion::Sender, &entry)?,
            }
        }
        Format::PostfixClient | Format::Csv => client_pattern(&entry.pattern)?,
    };
    Ok(Draft {
        name: said.name,
        list,
        criterion,
        value,
        action,
        enabled,
        comment: said.comment.unwrap_or(entry.text),
    })
}

/// access(5): `user@domain`, and `domain.tld` for all of its addresses.
fn mailbox_pattern(criterion: Criterion, entry: &Entry) -> Result<(Criterion, String), Mistake> {
    let pattern = entry.pattern.as_str();
    if pattern.ends_with('@') {
        let words = format!("\"{pattern}\" means this name at any domain, which no rule can say");
        return Err(Mistake::new("pattern", words));
    }
    if pattern.starts_with('.') {
        let words = format!(
            "\"{pattern}\" means all domains below, which a rule of this kind cannot say; name each domain"
        );
        return Err(Mistake::new("pattern", words));
    }
    let at = if pattern.contains('@') || pattern == "<>" {
        ""
    } else {
        "@"
    };
    Ok((criterion, format!("{at}{pattern}")))
}

/// cidr_table(5): addresses and networks; access(5): also the leading octets of a network.
fn client_pattern(pattern: &str) -> Result<(Criterion, String), Mistake> {
    if pattern.parse::<IpAddr>().is_ok() {
        return Ok((Criterion::Ip, pattern.into()));
    }
    if pattern.contains('/') {
        return Ok((Criterion::IpMask, pattern.into()));
    }
    if let Some(network) = leading_octets(pattern).or_else(|| leading_groups(pattern)) {
        return Ok((Criterion::IpMask, network));
    }
    Err(Mistake::new(
        "pattern",
        format!(
            "\"{}\" is no address or network; names of clients are no criterion here",
            super::shown(pattern)
        ),
    ))
}

/// `192.0.2` is 192.0.2.0/24.
fn leading_octets(pattern: &str) -> Option<String> {
    let octets: Vec<u8> = pattern
        .split('.')
        .map(|octet| octet.parse().ok().filter(|_| !octet.starts_with('+')))
        .collect::<Option<_>>()?;
    let known = octets.len();
    if !(1..=3).contains(&known) {
        return None;
    }
    let mut all = [0u8; 4];
    all.iter_mut()
        .zip(&octets)
        .for_each(|(place, octet)| *place = *octet);
    Some(format!("{}/{}", std::net::Ipv4Addr::from(all), known * 8))
}

/// `2001:db8` is 2001:db8::/32.
fn leading_groups(pattern: &str) -> Option<String> {
    let groups: Vec<u16> = pattern
        .split(':')
        .map(|group| {
            let digits =
                (1..=4).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_hexdigit());
            digits.then(|| u16::from_str_radix(group, 16).ok())?
        })
        .collect::<Option<_>>()?;
    let known = groups.len();
    if !(2..=7).contains(&known) {
        return None;
    }
    let mut all = [0u16; 8];
    all.iter_mut()
        .zip(&groups)
        .for_each(|(place, group)| *place = *group);
    Some(format!("{}/{}", std::net::Ipv6Addr::from(all), known * 16))
}

/// White entries come first and discarding ones last: in such tables the first match decides.
pub(super) fn write(format: Format, rules: &[ListRule]) -> String {
    let (use_of, kind) = match format {
        Format::PostfixSender => ("check_sender_access", "hash"),
        Format::PostfixRecipient => ("check_recipient_access", "hash"),
        Format::PostfixClient | Format::Csv => ("check_client_access", "cidr"),
    };
    let mut text = format!(
        "# For {use_of} {kind}:FILE in Postfix. Lines with #: hold what such a table cannot.\n"
    );
    let rank = |rule: &&ListRule| match (rule.list, rule.action) {
        (ListKind::White, _) => 0,
        (_, ListAction::Reject) => 1,
        (_, ListAction::Discard) => 2,
    };
    let mut rules: Vec<&ListRule> = rules
        .iter()
        .filter(|rule| fits(format, rule.criterion))
        .collect();
    rules.sort_by_key(rank);
    for rule in rules {
        push(&mut text, rule);
    }
    text
}

fn push(text: &mut String, rule: &ListRule) {
    let Ok(value) = ListValue::parse(rule.criterion, &rule.value) else {
        return;
    };
    let action = match (rule.list, rule.action) {
        (ListKind::White, _) => Action::Ok,
        (_, ListAction::Reject) => Action::Reject,
        (_, ListAction::Discard) => Action::Discard,
    };
    text.push_str(&format!("#: name {}\n", rule.name));
    if !rule.comment.is_empty() {
        text.push_str(&format!("#: comment {}\n", rule.comment));
    }
    // A domain on the white list would be read as a rule by Domain.
    if matches!(value, ListValue::At(_))
        && rule.list == ListKind::White
        && rule.criterion == Criterion::Sender
    {
        text.push_str("#: criterion sender\n");
    }
    let has_holes = matches!(value, ListValue::Masked(masked) if masked.prefix().is_none());
    let hidden = match (rule.enabled, has_holes) {
        (false, _) => "#: disabled ",
        (true, true) => "#: masked ",
        (true, false) => "",
    };
    text.push_str(hidden);
    text.push_str(&access::line(&pattern(&value), action));
    text.push('\n');
}

/// Postfix compares domains as they come over the wire, which is as A-labels.
fn pattern(value: &ListValue) -> String {
    match value {
        ListValue::Ip(ip) => ip.to_string(),
        ListValue::Masked(masked) => masked.to_string(),
        ListValue::Mailbox(address) => mailbox(address),
        ListValue::At(Host::Domain(domain)) | ListValue::Domain(domain) => domain.ascii().into(),
        ListValue::At(literal) => literal.to_string(),
        ListValue::Below(domain) => format!(".{}", domain.ascii()),
    }
}

/// What would be read as a comment or a condition is put in quotation marks, which are not part of the address.
fn mailbox(address: &Address) -> String {
    let text = address.to_ascii_domain();
    match text.split_once('@') {
        Some((local, host)) if local.starts_with(['#', '!']) => format!("\"{local}\"@{host}"),
        _ => text,
    }
}
