//! The end of a transaction with a message: decide, plan, store durably, and only then say 250.

use std::sync::Arc;

use message::auth_results;
use message::trace::{self, Received};
use policy::facts::{ClientName, ContentTests};
use policy::{Plan, Reason, Stage, decide, needs, plan};
use smtp::{Answer, Domain, Reply, ReversePath};
use store::StoreError;
use store::queue::{Accepted, MOST_RECIPIENTS};
use store::spool::Content;

use super::{Conversation, Transaction};
use crate::checks::auth_results::{Found, header};
use crate::content::Arrived;
use crate::queue::{self, Carriage, mail, report};
use crate::record::note;
use crate::{clock, gather};

/// By which recipients are thrown away.
const LISTS: &str = "security.lists";

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
        self.count_header_matches(&mut transaction);
        let answer = match self.decide_and_carry_out(&mut transaction).await {
            Ok(answer) => answer,
            Err((reason, why)) => {
                let step = note("delivery", "storage", why);
                transaction.record.step(policy::Step {
                    result: "refuse".into(),
                    ..step
                });
                self.refuse(&reason)
            }
        };
        if matches!(answer, Answer::Refuse(_) | Answer::Close(_)) {
            // Written down once its reply is made.
            self.transaction = Some(transaction);
            self.ending = true;
        }
        answer
    }

    /// Has the content tested where it must be, decides, and does what was decided. Else why the message could not be
    /// stored, for the client and for the record.
    async fn decide_and_carry_out(
        &mut self,
        transaction: &mut Transaction,
    ) -> Result<Answer, (Reason, String)> {
        let settings = &self.snapshot.settings;
        let needs = needs(Stage::Message, &self.facts, settings);
        let mut arrived = None;
        let is_tested = needs.spf || needs.dkim || needs.dmarc || needs.arc || needs.antivirus;
        if is_tested && !self.facts.envelope.is_discarded() {
            let whole = self.whole(transaction).await?;
            let (shared, facts) = (&self.shared, &mut self.facts);
            gather::strangers::of_message(shared, settings, facts, needs, &whole.content).await;
            arrived = Some(whole);
        }
        let decision = decide(Stage::Message, &self.facts, settings);
        transaction.record.decided(&decision);
        if let Some(reason) = &decision.refusal {
            return Ok(self.refuse(reason));
        }
        let by = decision.discard.as_ref().map(|by| by.setting);
        if let Some(by) = by.or_else(|| self.facts.envelope.is_discarded().then_some(LISTS)) {
            return Ok(Answer::AcceptWith(self.discard(transaction, by).await));
        }
        let reply = self.carry_out(transaction, arrived).await?;
        Ok(Answer::AcceptWith(reply))
    }

    /// The message as it came.
    async fn whole(&self, transaction: &mut Transaction) -> Result<Arrived, (Reason, String)> {
        let spool = self.shared.spool();
        let arriving = std::mem::take(&mut transaction.arriving);
        arriving
            .finish(&spool)
            .await
            .map_err(|error| self.not_stored(&error))
    }

    fn not_stored(&self, error: &std::io::Error) -> (Reason, String) {
        tracing::error!("a message could not be stored: {error}");
        self.shared
            .storing
            .spool_failed(error, &self.shared.spool())
    }

    /// Tells the client yes and keeps nothing but the entry, which names the setting that decided.
    async fn discard(&mut self, transaction: &mut Transaction, by: &'static str) -> Reply {
        let reply = queued(&transaction.record.token);
        transaction.record.discarded(&reply, by);
        self.write(&transaction.record).await;
        self.recorded = true;
        self.forget_transaction();
        reply
    }

    /// Takes the message over, durably, and only then gives the reply that makes us answerable for it.
    /// Else why not, for the client and for the record.
    async fn carry_out(
        &mut self,
        transaction: &mut Transaction,
        arrived: Option<Arrived>,
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
        let arrived = match arrived {
            Some(arrived) => arrived,
            None => self.whole(transaction).await?,
        };
        let host = self.host();
        let arrived = arrived
            .without(
                move |head| auth_results::claimed(head, &host),
                &self.shared.spool(),
            )
            .await
            .map_err(|error| self.not_stored(&error))?;
        let reply = queued(&transaction.record.token);
        transaction.record.accepted(&reply);
        let accepted = self.accepted(&plan, transaction, &arrived.content);
        if let Err(error) = self.take_over(accepted, arrived).await {
            tracing::error!("a message was not taken: {error}");
            transaction.record.not_accepted();
            return Err(self.shared.storing.failed(&error));
        }
        store::fail_point!("accept-before-reply");
        self.recorded = true;
        self.forget_transaction();
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
        let head = self.auth_results() + &self.received(plan, &transaction.record.token);
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

    fn host(&self) -> Domain {
        let host = self.snapshot.settings.general.hostname.clone();
        host.unwrap_or_else(Domain::localhost)
    }

    /// What the tests found, for whoever reads the message (RFC 8601 §5); nothing where none was made.
    fn auth_results(&self) -> String {
        let facts = &self.facts;
        let none = ContentTests::default();
        let tests = facts.tests.as_ref().unwrap_or(&none);
        let says_something = facts.spf.is_some()
            || facts.client_name.is_some()
            || tests.dkim.is_some()
            || tests.dmarc.is_some()
            || tests.arc.is_some();
        if !says_something {
            return String::new();
        }
        let found = Found {
            sender: facts.envelope.sender.as_ref().unwrap_or(&ReversePath::Null),
            client: facts
                .client_name
                .as_ref()
                .map(|name| (name, facts.client.ip)),
            spf: facts.spf.as_ref(),
            tests,
        };
        header(&self.host(), &found)
    }

    /// Our trace field. RFC 5321 §4.4: one Received of ours.
    fn received(&self, plan: &Plan, token: &str) -> String {
        let facts = &self.facts;
        let tls = facts.client.tls.as_ref();
        let one = match plan.deliveries.as_slice() {
            [only] => Some(only.recipient.clone()),
            _ => None,
        };
        Received {
            from_helo: facts.helo.clone().unwrap_or_default(),
            client_ip: facts.client.ip,
            client_name: match &facts.client_name {
                Some(ClientName::Confirmed(name)) => Some(name.clone()),
                _ => None,
            },
            by: self.host(),
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

fn queued(token: &str) -> Reply {
    Reply::new(250, (0, 0), format!("Ok: queued as {token}"))
}
