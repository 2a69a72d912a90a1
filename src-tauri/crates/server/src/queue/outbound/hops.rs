//! The servers of a destination during one attempt: one after the other, each at most once, until one of them decides.

use std::collections::HashSet;
use std::sync::Arc;
use std::vec;

use smtp::client::{Outcome, Phase, Trouble};

use super::content::send_as_it_can;
use super::means::{Cut, Means, too_many_wait};
use crate::deliver::crowd::Crowd;
use crate::deliver::link::{self, Hop, HopAddress, Link};
use crate::queue::mail::{Mail, Waiting};

/// The servers that are left to be tried, and what was in the way at the others.
#[derive(Debug, Default)]
pub(super) struct Hops {
    left: Option<vec::IntoIter<Hop>>,
    troubles: Vec<Trouble>,
    /// The latest of them that got as far as a message.
    spoke: Option<String>,
}

/// What one server said.
#[derive(Debug)]
pub(super) struct Said {
    /// Which server, and how the way there was protected.
    pub hop: String,
    /// Those it decided about.
    pub done: Vec<Waiting>,
    /// What it decided.
    pub outcomes: Vec<(i64, Outcome)>,
    /// Those to be tried once more, at once.
    pub again: Vec<Waiting>,
}

/// Nothing was handed over, and these recipients have what they had.
#[derive(Debug)]
pub(super) enum Unsent {
    /// The server stops.
    Stopped(Vec<Waiting>),
    /// No server is left that could be tried.
    NotReached {
        trouble: Trouble,
        /// The latest of them that got as far as a message, described as in [`Said`].
        hop: Option<String>,
        recipients: Vec<Waiting>,
    },
}

impl Hops {
    /// Whether it was asked already which servers there are.
    pub fn are_known(&self) -> bool {
        self.left.is_some()
    }

    /// The servers in the order in which they are tried.
    pub fn know(&mut self, hops: Vec<Hop>) {
        self.left = Some(hops.into_iter());
    }

    /// Opens a connection to the next server that lets us.
    async fn open(&mut self, means: &Means<'_>) -> Result<Option<Link>, Cut> {
        match means.wait_for(self.open_next(means.crowd)).await {
            Err(Cut::TooMany) => {
                self.troubles.push(too_many_wait("the server"));
                Ok(None)
            }
            opened => opened,
        }
    }

    async fn open_next(&mut self, crowd: &Crowd) -> Option<Link> {
        for hop in self.left.iter_mut().flatten() {
            match open_in_turn(&hop, crowd).await {
                Ok(link) => return Some(link),
                Err(trouble) => self.troubles.push(trouble),
            }
        }
        None
    }

    /// What all of them together come to.
    fn trouble(&self) -> Trouble {
        Trouble::of_all(&self.troubles).unwrap_or_else(|| {
            Trouble::new((4, 4, 1), "no server of the destination has an address").whole_hop()
        })
    }

    /// No server is left. One that got as far as a message and went away is as little use to the next message as one
    /// that could not be reached.
    fn give_up(&mut self, recipients: Vec<Waiting>) -> Unsent {
        Unsent::NotReached {
            trouble: self.trouble(),
            hop: self.spoke.take(),
            recipients,
        }
    }
}

/// A connection to one server, when there is a seat for it.
async fn open_in_turn(hop: &Hop, crowd: &Crowd) -> Result<Link, Trouble> {
    let seat = match &hop.at {
        HopAddress::Unix(_) => None,
        HopAddress::Tcp(address) => match crowd.enter(*address).await {
            None => {
                let text = format!("too many connections to {} are open", hop.peer());
                return Err(Trouble::new((4, 4, 5), text).whole_hop());
            }
            seat => seat,
        },
    };
    let mut link = link::open(hop).await?;
    link.sit(seat);
    Ok(link)
}

/// One transaction: over the connection that is open, else with the next server that can be reached. An error gives the
/// recipients back.
pub(super) async fn hand_over(
    means: &Means<'_>,
    link: &mut Option<Link>,
    hops: &mut Hops,
    mail: &Arc<Mail>,
    recipients: Vec<Waiting>,
) -> Result<Said, Unsent> {
    let is_reused = link.as_ref().is_some_and(Link::is_alive);
    if !is_reused {
        // The old one first: it may have the seat that the new one waits for.
        *link = None;
        *link = match hops.open(means).await {
            Ok(opened) => opened,
            Err(_) => return Err(Unsent::Stopped(recipients)),
        };
    }
    let Some(open) = link.as_mut() else {
        return Err(hops.give_up(recipients));
    };
    let outcomes = send_as_it_can(means.conversions, open, mail, &recipients).await;
    let (hop, is_gone) = (describe(open), !open.is_alive());
    if is_gone {
        *link = None;
    }
    let mut undecided = HashSet::new();
    let mut trouble = None;
    let mut decided = Vec::new();
    for (id, outcome) in outcomes {
        match &outcome {
            Outcome::Deferred(why) if why.stale || is_gone && is_for_the_next(why) => {
                undecided.insert(id);
                // A connection that was kept open and has come to its end says nothing about these, nor about its server.
                if !is_reused {
                    trouble = Some(why.clone());
                }
            }
            _ => decided.push((id, outcome)),
        }
    }
    if let Some(trouble) = trouble {
        hops.troubles.push(trouble);
        hops.spoke = Some(hop.clone());
    }
    let (again, done) = recipients
        .into_iter()
        .partition(|waiting| undecided.contains(&waiting.id));
    Ok(Said {
        hop,
        done,
        outcomes: decided,
        again,
    })
}

/// RFC 5321 §5.1: a server that goes away before it was given anything of the message leaves the next one to be tried.
/// Once the message is on its way nobody else gets it in this attempt: the server may have taken it.
fn is_for_the_next(trouble: &Trouble) -> bool {
    trouble.whole_hop && matches!(trouble.phase, Phase::Mail | Phase::Rcpt | Phase::Data)
}

/// Who took or refused the message, and how the way there was protected.
fn describe(link: &Link) -> String {
    let summary = link.summary();
    match &summary.tls {
        None => match &summary.clear_because {
            None => format!("{}, not encrypted", summary.peer),
            Some(why) => format!("{}, not encrypted ({why})", summary.peer),
        },
        Some(tls) if tls.verified => {
            format!(
                "{}, {} {}, certificate verified",
                summary.peer, tls.version, tls.cipher
            )
        }
        Some(tls) => format!(
            "{}, {} {}, certificate not verified{}",
            summary.peer,
            tls.version,
            tls.cipher,
            tls.why_not
                .as_ref()
                .map(|why| format!(" ({why})"))
                .unwrap_or_default()
        ),
    }
}

#[cfg(test)]
mod tests;
