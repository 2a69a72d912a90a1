//! Facts about the client: how often it came, to whom it wrote, and what other people's servers say of it.

use std::time::Instant;

use policy::facts::Rates;
use policy::{Counting, Decision, Needs, Reason, Stage, counting, decide, needs};
use smtp::{Answer, ForwardPath};

use super::{Conversation, Transaction};
use crate::{clock, gather};

impl Conversation {
    /// Whether clients that do not wait for replies are sent away.
    pub(crate) fn rejects_early(&self) -> bool {
        self.snapshot
            .settings
            .security
            .advanced
            .reject_unauthorized_pipelining
    }

    /// Whether the client sent something before its greeting.
    pub(crate) fn notice_early(&mut self, early: bool) {
        self.facts.spoke_early |= early;
    }

    /// Whether the client was blocked in this session, so that its next command is the last.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked_until.is_some()
    }

    pub(super) async fn connect(&mut self) -> Answer {
        self.look_at_client(Stage::Connect);
        let decision = decide(Stage::Connect, &self.facts, &self.snapshot.settings);
        self.connection.decided(&decision);
        if let Some(reason) = &decision.refusal {
            self.turned_away(reason).await;
        }
        self.answer_of(&decision)
    }

    pub(super) async fn spoke_early(&mut self) -> Answer {
        self.facts.spoke_early = true;
        self.turned_away(&Reason::SpokeEarly).await;
        self.refuse(&Reason::SpokeEarly)
    }

    /// The client is sent away before the greeting. If that happened for the same reason a moment ago, the entry of then
    /// stands for this connection too, and its token is told.
    async fn turned_away(&mut self, reason: &Reason) {
        let ip = self.facts.client.ip;
        let entry = (self.connection.token.as_str(), self.connection.at_ms());
        let (token, ended) = self
            .shared
            .turned_away
            .came(ip, reason, entry, Instant::now());
        if token.is_some() {
            self.own_token = token;
            self.recorded = true;
        }
        for more in ended {
            self.note("the mail log", move |tx| more.keep(tx)).await;
        }
    }

    /// The last words to a client that was blocked in this session.
    pub(super) fn farewell(&mut self) -> Answer {
        let until = self.blocked_until.clone().unwrap_or_default();
        self.refuse(&Reason::Blocked {
            ip: self.facts.client.ip,
            until,
        })
    }

    /// Counts the message, whatever becomes of it (the connection was counted when it came), and gathers what is known of
    /// the client. Says what else is needed.
    pub(super) fn look_at_client(&mut self, stage: Stage) -> Needs {
        let settings = &self.snapshot.settings;
        let network = needs(stage, &self.facts, settings).network;
        self.facts.network = network.then(|| self.shared.machine.network());
        let (ip, now) = (self.facts.client.ip, Instant::now());
        let counts = match stage {
            Stage::Connect => self.counts,
            _ => self.shared.rates.began_message(ip, now),
        };
        let held = self.facts.load.map_or(0, |load| load.sessions_of_client);
        // What is needed depends on whether the client is one of ours.
        let needs = needs(stage, &self.facts, settings);
        self.facts.rates = needs.rates.then(|| Rates {
            connections: u32::try_from(held).unwrap_or(u32::MAX),
            connections_in_minute: counts.connections,
            messages_in_minute: counts.messages,
        });
        self.look_at_accounts(needs);
        needs
    }

    /// Gathers to which accounts that do not exist the client wrote.
    pub(super) fn look_at_accounts(&mut self, needs: Needs) {
        let recipient = self.facts.recipient.as_ref();
        self.facts.nonexistent = needs.nonexistent.then(|| {
            let ip = self.facts.client.ip;
            self.shared.bans.fact(ip, recipient, clock::now)
        });
    }

    /// Asks other servers for what the rules about the recipient read. False when the server stops meanwhile.
    pub(super) async fn ask_others(&mut self, needs: Needs) -> bool {
        let settings = &self.snapshot.settings;
        let stop = self.shared.stop.clone();
        tokio::select! {
            () = gather::strangers::of_recipient(&self.shared, settings, &mut self.facts, needs) => true,
            () = stop.cancelled() => false,
        }
    }

    /// Counts the rules of the lists that match the recipient.
    pub(super) fn count_matches(&mut self) {
        let (facts, settings) = (&self.facts, &self.snapshot.settings);
        if let Some(transaction) = &mut self.transaction
            && !settings.security.lists.rules().is_empty()
        {
            let matches = policy::lists::matching(facts, settings, facts.recipient.as_ref());
            let hits = &self.shared.list_hits;
            hits.count(matches.names(), &mut transaction.matched, clock::now_ms());
        }
    }

    /// Counts the rules of the lists that match an author in the header.
    pub(super) fn count_header_matches(&self, transaction: &mut Transaction) {
        let names = policy::lists::of_header(&self.facts, &self.snapshot.settings);
        let hits = &self.shared.list_hits;
        hits.count(names, &mut transaction.matched, clock::now_ms());
    }

    /// Remembers a recipient that does not exist, where it counts against the client.
    pub(super) async fn count_unknown(&mut self, path: &ForwardPath, decision: &Decision) {
        let counting = counting(decision, &self.facts, &self.snapshot.settings);
        let Counting::UpTo { limit } = counting else {
            return;
        };
        let ip = self.facts.client.ip;
        let counted = self.shared.bans.count(ip, path, limit, &clock::now());
        // Perhaps by another session of the client, which counted at the same time.
        let fact = self.shared.bans.fact(ip, None, clock::now);
        self.blocked_until = fact.blocked_until;
        if let Some(counted) = counted {
            if counted.blocks() {
                tracing::info!(%ip, "blocked until the day ends: it wrote to too many accounts that do not exist");
            }
            self.note("who is blocked", move |tx| counted.keep(tx))
                .await;
        }
    }

    /// Nothing of the transaction is kept; what the DNS could not tell of the client may be asked again.
    pub(super) fn forget_transaction(&mut self) {
        self.facts.forget_transaction();
        self.facts.forget_unknown();
        self.smtputf8 = false;
    }
}
