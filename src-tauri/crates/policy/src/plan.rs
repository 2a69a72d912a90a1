//! What is to be done with an accepted message.

use std::collections::HashSet;

use settings::{Group, Settings, User};
use smtp::{Address, ForwardPath};

use crate::decision::Step;
use crate::facts::Facts;
use crate::rules::qualify;

/// One copy for one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Name of the user whose mailbox it is.
    pub mailbox: String,
    /// The address by which it was reached, for `Delivered-To`.
    pub recipient: Address,
}

/// All that follows from accepting a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// One entry a mailbox, each mailbox once.
    pub deliveries: Vec<Delivery>,
    /// How each recipient became deliveries.
    pub trace: Vec<Step>,
}

/// The mailbox that takes mail for postmaster when there is no user at all.
pub(crate) const POSTMASTER: &str = "postmaster";

/// Whom a recipient stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target<'a> {
    User(&'a User),
    Group(&'a Group),
    /// RFC 5321 §4.5.1: postmaster must be read by somebody. Holds the name of the mailbox.
    Postmaster(&'a str),
    Elsewhere,
    Nobody,
}

/// Resolves a recipient: user, then group, then postmaster.
pub(crate) fn target<'a>(path: &ForwardPath, settings: &'a Settings) -> Target<'a> {
    let local = match path {
        ForwardPath::Postmaster => POSTMASTER.to_owned(),
        ForwardPath::Unqualified(local) => local.base(),
        ForwardPath::Address(address) if settings.is_local(address) => address.base_local(),
        ForwardPath::Address(_) => return Target::Elsewhere,
    };
    if let Some(user) = settings.user(&local) {
        Target::User(user)
    } else if let Some(group) = settings
        .group(&local)
        .filter(|group| !group.members.is_empty())
    {
        // A group without members is nobody: mail taken for it would be lost.
        Target::Group(group)
    } else if local.eq_ignore_ascii_case(POSTMASTER) {
        let reader = settings.users.iter().find(|user| user.enabled);
        Target::Postmaster(reader.map_or(POSTMASTER, |user| &user.name))
    } else {
        Target::Nobody
    }
}

/// Turns the recipients of an accepted message into deliveries.
pub fn plan(facts: &Facts, settings: &Settings) -> Plan {
    let mut plan = Plan::default();
    let mut reached = HashSet::new();
    for path in &facts.envelope.recipients {
        let Some(address) = delivered_to(path, settings) else {
            continue;
        };
        let mailboxes: Vec<&str> = match target(path, settings) {
            Target::User(user) => vec![&user.name],
            Target::Group(group) => group.members.iter().map(String::as_str).collect(),
            Target::Postmaster(mailbox) => vec![mailbox],
            Target::Elsewhere | Target::Nobody => Vec::new(),
        };
        plan.trace.push(Step {
            stage: "delivery".into(),
            check: "local_delivery".into(),
            result: "note".into(),
            input: address.to_string(),
            text: format!("to the mailbox of {}", mailboxes.join(", ")).into(),
            setting: Some("users".into()),
        });
        for mailbox in mailboxes {
            if reached.insert(mailbox) {
                plan.deliveries.push(Delivery {
                    mailbox: mailbox.to_owned(),
                    recipient: address.clone(),
                });
            }
        }
    }
    plan
}

/// The recipient as a full address.
fn delivered_to(path: &ForwardPath, settings: &Settings) -> Option<Address> {
    match path {
        ForwardPath::Address(address) => Some(address.clone()),
        ForwardPath::Unqualified(local) => qualify(local, settings),
        ForwardPath::Postmaster => {
            let domain = settings.general.domain.as_ref()?;
            Address::new(POSTMASTER, domain).ok()
        }
    }
}

#[cfg(test)]
mod tests;
