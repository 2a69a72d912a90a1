//! The end of a transaction with a message: decide, plan, deliver durably, write it down, and only then say 250.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use message::trace::{self, Received};
use policy::{Plan, Reason, Stage, decide, plan};
use smtp::{Answer, Reply};

use super::{Conversation, Transaction};
use crate::content::Content;
use crate::deliver::maildir::{self, Copy, Delivered};
use crate::record::note;
use crate::{clock, gather};

impl Conversation {
    /// Decides about the message that has arrived and carries the decision out.
    pub(super) async fn message(&mut self, size: u64, oversize: bool) -> Answer {
        let Some(mut transaction) = self.transaction.take() else {
            return self.refuse(&Reason::StorageFailed);
        };
        let scan = std::mem::take(&mut transaction.scanner).finish();
        transaction.record.subject = Some(message::subject(&scan));
        transaction.record.message_id = message::message_id(&scan);
        self.facts.recipient = None;
        self.facts.message = Some(gather::message_facts(&scan, oversize, size));
        let decision = decide(Stage::Message, &self.facts, &self.snapshot.settings);
        transaction.record.decided(&decision);
        let answer = match &decision.refusal {
            Some(reason) => self.refuse(reason),
            None => match self.carry_out(&mut transaction).await {
                Ok(reply) => Answer::AcceptWith(reply),
                Err(reason) => {
                    let step = note("delivery", "storage", reason.text());
                    transaction.record.step(policy::Step {
                        result: "refuse".into(),
                        ..step
                    });
                    self.refuse(&reason)
                }
            },
        };
        if matches!(answer, Answer::Refuse(_) | Answer::Close(_)) {
            // Written down once its reply is made.
            self.transaction = Some(transaction);
            self.ending = true;
        }
        answer
    }

    /// Delivers, writes the journal, and only then gives the reply that makes us answerable for the message.
    async fn carry_out(&mut self, transaction: &mut Transaction) -> Result<Reply, Reason> {
        let plan = plan(&self.facts, &self.snapshot.settings);
        for step in &plan.trace {
            transaction.record.step(step.clone());
        }
        // Every accepted recipient leads to a mailbox; should that ever fail, the client keeps the message.
        if plan.deliveries.is_empty() {
            return Err(Reason::StorageFailed);
        }
        let content = std::mem::take(&mut transaction.arriving)
            .finish(&self.shared.spool())
            .await;
        let content = content.map_err(|error| reason_of(&error))?;
        let copies = self.copies(&plan, &transaction.record.token);
        let delivered = self.deliver(copies, content).await.map_err(|error| {
            tracing::error!("a message could not be stored: {error}");
            reason_of(&error)
        })?;
        let reply = Reply::new(
            250,
            (0, 0),
            format!("Ok: queued as {}", transaction.record.token),
        );
        transaction.record.accepted(&reply);
        let entry =
            transaction
                .record
                .entry(&self.facts, &self.snapshot.settings, self.snapshot.revision);
        let written = self
            .shared
            .store
            .write(move |tx| store::journal::upsert(tx, &entry))
            .await;
        if let Err(error) = written {
            tracing::error!(
                "the mail log could not be written, so the message was not taken: {error}"
            );
            transaction.record.not_accepted();
            // Its end is waited for, so that the client does not come again before the copies are gone.
            let taken_back = tokio::task::spawn_blocking(move || delivered.take_back()).await;
            if taken_back.is_err() {
                tracing::error!("copies of a message that was put off may be left");
            }
            let full = matches!(error, store::StoreError::Full { .. });
            return Err(if full {
                Reason::StorageFull
            } else {
                Reason::StorageFailed
            });
        }
        self.recorded = true;
        self.facts.envelope = policy::facts::Envelope::default();
        self.facts.message = None;
        self.smtputf8 = false;
        Ok(reply)
    }

    async fn deliver(&self, copies: Vec<Copy>, mut content: Content) -> io::Result<Delivered> {
        let root: PathBuf = self.shared.mail_root(&self.snapshot);
        let snapshot = Arc::clone(&self.snapshot);
        let work = move || {
            let host = snapshot
                .settings
                .general
                .hostname
                .as_ref()
                .map_or("localhost", |name| name.ascii());
            content.drop_return_path()?;
            maildir::deliver(&root, host, &copies, &content)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(io::Error::other)?
    }

    /// What stands above the message in each mailbox. RFC 5321 §4.4: one Return-Path and one Received of ours.
    fn copies(&self, plan: &Plan, token: &str) -> Vec<Copy> {
        let facts = &self.facts;
        let tls = facts.client.tls.as_ref();
        let one = if let [only] = plan.deliveries.as_slice() {
            Some(only.recipient.clone())
        } else {
            None
        };
        let Some(by) = self.snapshot.settings.general.hostname.clone() else {
            return Vec::new();
        };
        let received = Received {
            from_helo: facts.helo.clone().unwrap_or_default(),
            client_ip: facts.client.ip,
            client_name: None,
            by,
            with: trace::protocol(
                self.extended,
                self.smtputf8,
                tls.is_some(),
                facts.login.is_some(),
            ),
            tls: tls.map(|tls| trace::Tls {
                version: tls.version.clone(),
                cipher: tls.cipher.clone(),
            }),
            id: token.to_owned(),
            for_: one,
            date: clock::mail_date(clock::now_ms()),
        }
        .to_header();
        let return_path = facts
            .envelope
            .sender
            .as_ref()
            .map(trace::return_path)
            .unwrap_or_default();
        plan.deliveries
            .iter()
            .map(|delivery| Copy {
                mailbox: delivery.mailbox.clone(),
                head: format!(
                    "{return_path}{}{received}",
                    trace::delivered_to(&delivery.recipient)
                ),
            })
            .collect()
    }
}

/// Whether there is no room, or something else is wrong with the disk.
fn reason_of(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Reason::StorageFull
        }
        _ => Reason::StorageFailed,
    }
}
