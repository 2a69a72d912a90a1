//! A message, its recipients and what a worker has for them, for tests.

use std::sync::Arc;

use smtp::{Address, RcptParameters, ReversePath};
use store::spool::Content;
use tokio_util::sync::CancellationToken;

use super::content::Conversions;
use super::means::Means;
use crate::deliver::crowd::Crowd;
use crate::queue::lanes::{Lanes, MAILBOX};
use crate::queue::mail::{Carriage, Mail, Waiting};

/// A message from `a@x.example`.
pub(super) fn mail(head: &str, body: &str, carriage: Carriage) -> Arc<Mail> {
    Arc::new(Mail {
        id: 1,
        token: "T".to_owned(),
        accepted_at_ms: 0,
        sender: ReversePath::parse("<a@x.example>").unwrap(),
        carriage,
        head: head.to_owned(),
        content: Content::Memory(Arc::new(body.as_bytes().to_vec())),
    })
}

pub(super) fn waiting(id: i64, address: &str) -> Waiting {
    Waiting {
        id,
        address: Address::parse(address).unwrap(),
        mailbox: String::new(),
        parameters: RcptParameters::default(),
        attempts: 0,
        expires_at_ms: 0,
        reason: String::new(),
    }
}

/// What means refer to.
#[derive(Default)]
pub(super) struct Bounds {
    pub lanes: Lanes,
    pub crowd: Crowd,
    pub conversions: Conversions,
    pub end: CancellationToken,
}

impl Bounds {
    /// Of a lane that may wait for however long.
    pub fn means(&self) -> Means<'_> {
        self.means_for(MAILBOX)
    }

    pub fn means_for<'a>(&'a self, destination: &'a str) -> Means<'a> {
        Means {
            lanes: &self.lanes,
            destination,
            crowd: &self.crowd,
            conversions: &self.conversions,
            end: &self.end,
        }
    }
}
