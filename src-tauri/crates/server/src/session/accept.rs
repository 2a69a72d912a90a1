//! The end of a transaction with a message: decide, plan, store durably, and only then say 250.

use std::sync::Arc;

use message::trace::{self, Received};
use policy::{Plan, Reason, Stage, decide, plan};
use smtp::{Answer, Domain, Reply};
use store::StoreError;
use store::queue::{Accepted, MOST_RECIPIENTS};
use store::spool::Content;

use super::{Conversation, Transaction};
use crate::content::Arrived;
use crate::queue::{self, Carriage, mail, report};
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
                Err((reason, why)) => {
                    let step = note("delivery", "storage", why);
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

    /// Takes the message over, durably, and only then gives the reply that makes us answerable for it.
    /// Else why not, for the client and for the record.
    async fn carry_out(
        &mut self,
        transaction: &mut Transaction,
    ) -> Result<Reply, (Reason, String)> {
        let plan = plan(&self.facts, &self.snapshot.settings);
        for step in &plan.trace {
            transaction.record.step(step.clone());
        }
        // Every accepted recipient leads somewhere; should that ever fail, the client keeps the message.
        if plan.deliveries.is_empty() || plan.deliveries.len() > MOST_RECIPIENTS {
            let why = format!("{} deliveries were planned", plan.deliveries.len());
            return Err((Reason::StorageFailed, why));
        }
        let spool = self.shared.spool();
        let arrived = std::mem::take(&mut transaction.arriving)
            .finish(&spool)
            .await
            .map_err(|error| {
                tracing::error!("a message could not be stored: {error}");
                self.shared.storing.spool_failed(&error, &spool)
            })?;
        let reply = Reply::new(
            250,
            (0, 0),
            format!("Ok: queued as {}", transaction.record.token),
        );
        transaction.record.accepted(&reply);
        let accepted = self.accepted(&plan, transaction, &arrived.content);
        if let Err(error) = self.take_over(accepted, arrived).await {
            tracing::error!("a message was not taken: {error}");
            transaction.record.not_accepted();
            return Err(self.shared.storing.failed(&error));
        }
        store::fail_point!("accept-before-reply");
        self.recorded = true;
        self.facts.envelope = policy::facts::Envelope::default();
        self.facts.message = None;
        self.smtputf8 = false;
        Ok(reply)
    }

    /// What the store takes over in one change.
    fn accepted(&self, plan: &Plan, transaction: &Transaction, content: &Content) -> Accepted {
        let facts = &self.facts;
        let settings = &self.snapshot.settings;
        let seen = transaction.look.seen();
        let carriage = Carriage {
            mail: facts.envelope.parameters.clone(),
            eight_bit_header: seen.eight_bit_header,
            eight_bit_body: seen.eight_bit_body,
            nul: seen.nul,
        };
        let head = self.received(plan, &transaction.record.token);
        let now_ms = clock::now_ms();
        let sender = facts.envelope.sender.as_ref();
        Accepted {
            token: transaction.record.token.clone(),
            accepted_at_ms: now_ms,
            sender: sender.map(mail::sender_text).unwrap_or_default(),
            parameters: carriage.to_text(),
            subject: transaction.record.subject.clone().unwrap_or_default(),
            size: head.len() as u64 + content.length(),
            head,
            recipients: plan
                .deliveries
                .iter()
                .map(|one| report::new_recipient(one, &settings.delivery, now_ms, false))
                .collect(),
            entry: transaction
                .record
                .entry(facts, settings, self.snapshot.revision),
        }
    }

    /// Has it stored, and hands it on from memory where its destinations have room for it.
    async fn take_over(
        &self,
        mut accepted: Accepted,
        mut arrived: Arrived,
    ) -> Result<(), StoreError> {
        let queue = &self.shared.queue;
        let octets = mail::octets(&arrived.content);
        let mut places: Vec<String> = Vec::new();
        let mut full: Vec<String> = Vec::new();
        for recipient in &mut accepted.recipients {
            let destination = &recipient.destination;
            if !places.contains(destination) && !full.contains(destination) {
                let list = if queue.reserve(destination, octets, accepted.accepted_at_ms) {
                    &mut places
                } else {
                    &mut full
                };
                list.push(destination.clone());
            }
            recipient.sending = places.contains(destination);
        }
        let accepted = Arc::new(accepted);
        let content = arrived.hand_over();
        let stored = self
            .shared
            .store
            .accept(Arc::clone(&accepted), content.clone());
        let id = match stored.await {
            Ok(id) => id,
            Err(error) => {
                arrived.refused();
                for place in places {
                    queue.unreserve(&place, octets);
                }
                return Err(error);
            }
        };
        store::fail_point!("accept-before-hand-on");
        for place in full {
            queue.waits(&place, accepted.accepted_at_ms);
        }
        queue::hand_on(&self.shared, id, &accepted, content, places);
        Ok(())
    }

    /// Our trace field. RFC 5321 §4.4: one Received of ours.
    fn received(&self, plan: &Plan, token: &str) -> String {
        let facts = &self.facts;
        let tls = facts.client.tls.as_ref();
        let one = match plan.deliveries.as_slice() {
            [only] => Some(only.recipient.clone()),
            _ => None,
        };
        let by = self.snapshot.settings.general.hostname.clone();
        Received {
            from_helo: facts.helo.clone().unwrap_or_default(),
            client_ip: facts.client.ip,
            client_name: None,
            by: by.unwrap_or_else(Domain::localhost),
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
        .to_header()
    }
}
