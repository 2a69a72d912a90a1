//! What is to be done with an accepted message.

use std::collections::{HashMap, HashSet};

use settings::{Group, Mailbox, Settings, User};
use smtp::{Address, ForwardPath, RcptParameters};

use crate::decision::Step;
use crate::destination::{Destination, Way, destination};
use crate::facts::Facts;
use crate::rules::qualify;

/// One copy of the message for one mailbox or one address elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The address by which it was reached: `Delivered-To` here, RCPT at the next server.
    pub recipient: Address,
    /// Name of the user whose mailbox it is; `None` elsewhere.
    pub mailbox: Option<String>,
    /// Where it goes next.
    pub destination: Destination,
    /// What came with RCPT (RFC 3461). The members of a group inherit it from the group's address.
    pub parameters: RcptParameters,
}

/// All that follows from accepting a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Each mailbox once and each address elsewhere once.
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
    let mut planning = Planning {
        settings,
        plan: Plan::default(),
        mailboxes: HashSet::new(),
        elsewhere: HashSet::new(),
    };
    let parameters = parameters(facts);
    for path in &facts.envelope.recipients {
        let Some(address) = delivered_to(path, settings) else {
            continue;
        };
        let parameters = parameters.get(&key(path)).copied();
        let mailboxes: Vec<&str> = match target(path, settings) {
            Target::User(user) => vec![&user.name],
            Target::Group(group) => group.members.iter().map(String::as_str).collect(),
            Target::Postmaster(mailbox) => vec![mailbox],
            Target::Elsewhere => {
                planning.send(address, parameters);
                continue;
            }
            // Taken under other settings than these.
            Target::Nobody => continue,
        };
        planning.deliver(&address, &mailboxes, parameters);
    }
    planning.plan
}

struct Planning<'a> {
    settings: &'a Settings,
    plan: Plan,
    /// Users who get a copy already.
    mailboxes: HashSet<&'a str>,
    /// Addresses that get a copy already, in one spelling.
    elsewhere: HashSet<String>,
}

impl<'a> Planning<'a> {
    fn deliver(
        &mut self,
        address: &Address,
        mailboxes: &[&'a str],
        parameters: Option<&RcptParameters>,
    ) {
        let into = format!("to the mailbox of {}", mailboxes.join(", "));
        let (text, setting) = match &self.settings.service.mailbox {
            Mailbox::Maildir(_) => (into, "users"),
            Mailbox::Lmtp(at) => (format!("{into} through LMTP at {at}"), "service.mailbox"),
        };
        self.note("local_delivery", address, text, setting);
        for mailbox in mailboxes {
            if self.mailboxes.insert(mailbox) {
                self.plan.deliveries.push(Delivery {
                    recipient: address.clone(),
                    mailbox: Some((*mailbox).to_owned()),
                    destination: Destination::Mailbox,
                    parameters: parameters.cloned().unwrap_or_default(),
                });
            }
        }
    }

    fn send(&mut self, address: Address, parameters: Option<&RcptParameters>) {
        let destination = destination(&address, self.settings);
        let way = Way(&destination, self.settings).to_string();
        self.note("remote_delivery", &address, way, "delivery.relay_enabled");
        if self.elsewhere.insert(address.folded()) {
            self.plan.deliveries.push(Delivery {
                recipient: address,
                mailbox: None,
                destination,
                parameters: parameters.cloned().unwrap_or_default(),
            });
        }
    }

    fn note(
        &mut self,
        check: &'static str,
        address: &Address,
        text: String,
        setting: &'static str,
    ) {
        self.plan.trace.push(Step {
            stage: "delivery".into(),
            check: check.into(),
            result: "note".into(),
            input: address.to_string(),
            text: text.into(),
            setting: Some(setting.into()),
        });
    }
}

/// What came with each RCPT, by recipient. Looked up once for each of thousands, so it is not searched.
fn parameters(facts: &Facts) -> HashMap<String, &RcptParameters> {
    let mut found = HashMap::new();
    for (path, parameters) in &facts.envelope.notifications {
        // Of a recipient named twice the first RCPT counts, as for all else.
        found.entry(key(path)).or_insert(parameters);
    }
    found
}

/// One spelling for all paths that name the same recipient.
fn key(path: &ForwardPath) -> String {
    match path {
        ForwardPath::Address(address) => address.folded(),
        ForwardPath::Postmaster | ForwardPath::Unqualified(_) => path.to_string(),
    }
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
