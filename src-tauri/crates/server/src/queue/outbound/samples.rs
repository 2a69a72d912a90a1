//! A message and its recipients, for tests.

use std::sync::Arc;

use smtp::{Address, RcptParameters, ReversePath};
use store::spool::Content;

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
