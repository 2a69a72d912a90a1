//! The server's side of a session: gathers facts, asks the policy, acts, and keeps the record.

mod accept;
mod strangers;

use std::collections::HashSet;
use std::sync::Arc;

use policy::facts::{Client, Envelope, Load, Login, PasswordCheck, Port, Tls};
use policy::{Decision, Facts, Reason, Stage, decide, needs};
use smtp::{
    Answer, Credentials, Domain, ForwardPath, MailParameters, Profile, Question, RcptParameters,
    Reply, ReversePath, Role,
};
use store::journal::{Entry, Kind};
use store::setting::Revision;
use store::{StoreError, Tx};
use tokio::time::sleep;

use crate::content::Arriving;
use crate::rates::Counts;
use crate::record::{Record, note};
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::{clock, gather};

/// Errors with which a client is shown out, and from which on it is slowed down.
const MAX_ERRORS: u32 = 20;
const SLOW_ERRORS: u32 = 10;
/// RCPT commands of one transaction, whatever becomes of them.
const MAX_RCPT_COMMANDS: usize = 20_000;

/// A session from the server's point of view.
pub(crate) struct Conversation {
    shared: Arc<Shared>,
    /// Settings in force; replaced between transactions.
    snapshot: Arc<Snapshot>,
    facts: Facts,
    /// When the password of the login was set, to notice a change.
    password_set_at: Option<i64>,
    /// What is said about the connection as a whole.
    connection: Record,
    /// The transaction under way.
    transaction: Option<Transaction>,
    /// Whether any transaction of this session has been recorded.
    recorded: bool,
    closed: bool,
    /// The transaction is over once the reply that is about to be written is made.
    ending: bool,
    /// Greeted with EHLO.
    extended: bool,
    smtputf8: bool,
    /// For which settings, and whether over TLS, the session was told what it announces.
    announced: Option<(Revision, bool)>,
    /// The setting behind the refusal that is about to be written.
    refusing: Option<Option<&'static str>>,
    /// The refusal that is about to be written has an entry of its own, with this token.
    own_token: Option<String>,
    /// Blocked in this session, until then.
    blocked_until: Option<String>,
    /// What the client had done in its minute when it came.
    counts: Counts,
}

struct Transaction {
    record: Record,
    arriving: Arriving,
    scanner: message::Scanner,
    look: message::eight_bit::Look,
    /// Rules of the lists that matched already.
    matched: HashSet<String>,
}

impl Conversation {
    pub(crate) fn new(shared: Arc<Shared>, client: Client, load: Load, counts: Counts) -> Self {
        let snapshot = shared.current.get();
        let connection = Record::new(Kind::Connection, shared.new_token(), clock::now_ms());
        let mut facts = Facts::of_client(client);
        facts.load = Some(load);
        Self {
            shared,
            snapshot,
            facts,
            password_set_at: None,
            connection,
            transaction: None,
            recorded: false,
            closed: false,
            ending: false,
            extended: false,
            smtputf8: false,
            announced: None,
            refusing: None,
            own_token: None,
            blocked_until: None,
            counts,
        }
    }

    /// What the session announces, where the settings in force or the protection of the connection have changed since it
    /// was last asked: it is asked after every command.
    pub(crate) fn changed_profile(&mut self) -> Option<Profile> {
        if self.transaction.is_none() {
            self.snapshot = self.shared.current.get();
        }
        let now = (self.snapshot.revision, self.facts.client.tls.is_some());
        if self.announced == Some(now) {
            return None;
        }
        self.announced = Some(now);
        Some(self.profile())
    }

    /// What the session announces under the settings in force.
    pub(crate) fn profile(&mut self) -> Profile {
        if self.transaction.is_none() {
            self.snapshot = self.shared.current.get();
        }
        let general = &self.snapshot.settings.general;
        let advanced = &self.snapshot.settings.security.advanced;
        let (role, offers_auth) = match self.facts.client.port {
            Port::Smtp => (Role::Inbound, general.smtp_auth),
            Port::Submission => (Role::Submission, true),
            Port::Submissions => (Role::Submissions, true),
        };
        Profile {
            role,
            banner: general.greeting_text(),
            hostname: general.hostname.clone().unwrap_or_else(Domain::localhost),
            max_message_size: general.max_message_bytes(),
            offers_starttls: true,
            offers_auth,
            auth_needs_tls: policy::auth_needs_tls(&self.facts.client, &self.snapshot.settings),
            max_errors: MAX_ERRORS,
            slow_errors: SLOW_ERRORS,
            max_junk_commands: advanced.max_junk_commands,
            rejects_early: advanced.reject_unauthorized_pipelining,
            max_recipients_hard: MAX_RCPT_COMMANDS,
        }
    }

    pub(crate) fn tls_started(&mut self, tls: Tls) {
        self.connection.step(note(
            "connect",
            "starttls",
            format!("{}, {}", tls.version, tls.cipher),
        ));
        self.facts.client.tls = Some(tls);
        // RFC 3207 §4.2: what was known before is forgotten.
        self.facts.helo = None;
        self.facts.login = None;
    }

    pub(crate) fn handshake_failed(&mut self, error: &std::io::Error) {
        self.connection.step(note(
            "connect",
            "tls_handshake",
            format!("the TLS handshake failed: {error}"),
        ));
    }

    fn record(&mut self) -> &mut Record {
        self.transaction
            .as_mut()
            .map_or(&mut self.connection, |transaction| &mut transaction.record)
    }

    /// A reply is about to be written: refusals get their token and are remembered, so that whoever reads the token can
    /// open it at once.
    pub(crate) async fn replied(&mut self, reply: Reply) -> Reply {
        let decided = self.refusing.take();
        let utf8 = self.smtputf8;
        if !reply.is_refusal() {
            return reply;
        }
        if let Some(token) = self.own_token.take() {
            return reply.with_token(&token);
        }
        let reply = reply
            .with_token(&self.record().token.clone())
            .with_utf8(utf8);
        // A slip of the client does not hide what was decided before.
        if decided.is_some() || !self.record().has_refusal() {
            self.record().refused(&reply, decided.flatten());
        }
        if decided.is_none() {
            self.record().step(policy::Step {
                result: "refuse".into(),
                ..note("protocol", "syntax", reply.to_string())
            });
        }
        if !self.ending {
            self.write_early().await;
        }
        reply
    }

    /// The next bytes of the message.
    pub(crate) async fn content(&mut self, bytes: Vec<u8>) {
        let spool = self.shared.spool();
        if let Some(transaction) = &mut self.transaction {
            transaction.scanner.push(&bytes);
            transaction.look.push(&bytes);
            transaction.arriving.push(bytes, &spool).await;
        }
    }

    /// Answers a question of the session.
    pub(crate) async fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Connect => self.connect().await,
            Question::SpokeEarly => self.spoke_early().await,
            Question::Blocked => self.farewell(),
            Question::Helo { name, extended } => {
                self.facts.greeted(clip(&name));
                self.extended = extended;
                self.ask(Stage::Helo)
            }
            Question::AuthStart { .. } => self.auth_start(),
            Question::Auth(credentials) => self.auth(credentials).await,
            Question::Sender { path, parameters } => self.sender(path, &parameters),
            Question::Recipient { path, parameters } => self.recipient(path, parameters).await,
            Question::Data { .. } => {
                self.facts.recipient = None;
                self.look_at_accounts(needs(Stage::Data, &self.facts, &self.snapshot.settings));
                self.ask_and_end(Stage::Data)
            }
            Question::Message { size, oversize } => self.message(size, oversize).await,
        }
    }

    /// Decides, keeps the trace, and turns a refusal into its reply.
    fn ask(&mut self, stage: Stage) -> Answer {
        let decision = decide(stage, &self.facts, &self.snapshot.settings);
        self.record().decided(&decision);
        self.answer_of(&decision)
    }

    /// Like [`Self::ask`], where a refusal is the end of the transaction.
    fn ask_and_end(&mut self, stage: Stage) -> Answer {
        let answer = self.ask(stage);
        self.ending = !matches!(answer, Answer::Accept);
        answer
    }

    fn answer_of(&mut self, decision: &Decision) -> Answer {
        match &decision.refusal {
            None => Answer::Accept,
            Some(reason) => self.refuse(reason),
        }
    }

    fn refuse(&mut self, reason: &Reason) -> Answer {
        if let (Reason::StorageFull, Some(storage)) = (reason, self.facts.storage) {
            let spool = self.shared.spool();
            self.shared.storing.refused_for_room(storage.free, &spool);
        }
        self.refusing = Some(reason.setting());
        if reason.closes() {
            Answer::Close(reason.reply())
        } else {
            Answer::Refuse(reason.reply())
        }
    }

    fn auth_start(&mut self) -> Answer {
        if needs(Stage::AuthStart, &self.facts, &self.snapshot.settings).failures {
            match gather::failures(&self.shared.store, self.facts.client.ip) {
                Ok(attempt) => self.facts.attempt = Some(attempt),
                Err(_) => return self.refuse(&Reason::PasswordCheckUnavailable),
            }
        }
        self.ask(Stage::AuthStart)
    }

    /// A login is an entry of its own when it fails, so that the admin sees who knocks.
    ///
    /// One turn covers the look at earlier failures, the check and the note of a new failure: a hundred sessions that try
    /// at the same moment have no more tries than one.
    async fn auth(&mut self, credentials: Credentials) -> Answer {
        let shared = Arc::clone(&self.shared);
        let turn = gather::turn(&shared).await;
        let mut attempt = match gather::failures(&self.shared.store, self.facts.client.ip) {
            Ok(attempt) => attempt,
            Err(_) => return self.refuse(&Reason::PasswordCheckUnavailable),
        };
        if let Some(until) = attempt.blocked_until.clone() {
            let ip = self.facts.client.ip;
            self.facts.attempt = Some(attempt);
            return self.refuse(&Reason::TooManyFailedLogins { ip, until });
        }
        gather::check_password(
            &self.shared,
            &self.snapshot.settings,
            &credentials,
            &mut attempt,
            turn.as_ref(),
        )
        .await;
        let login = attempt.login.clone();
        let wrong = attempt.password == Some(PasswordCheck::Wrong);
        self.facts.attempt = Some(attempt);
        let decision = decide(Stage::Auth, &self.facts, &self.snapshot.settings);
        self.connection.decided(&decision);
        if decision.accepts() {
            self.password_set_at = gather::password_set_at(&self.shared.store, &login)
                .ok()
                .flatten();
            self.facts.login = Some(Login {
                user: login,
                current: true,
            });
        } else if wrong {
            let ip = self.facts.client.ip;
            let delay = gather::record_failure(&self.shared.store, ip, login).await;
            drop(turn);
            // A failure that could not be counted is slowed as if it were the last one allowed.
            sleep(delay.unwrap_or(gather::LONGEST_DELAY)).await;
        }
        let answer = self.answer_of(&decision);
        if !decision.accepts() {
            self.record_login(&decision).await;
        }
        answer
    }

    /// Writes the failed login down under a token of its own, which its reply will carry.
    async fn record_login(&mut self, decision: &Decision) {
        let Some(reason) = &decision.refusal else {
            return;
        };
        let token = self.shared.new_token();
        let mut record = Record::new(Kind::Login, token.clone(), clock::now_ms());
        record.decided(decision);
        record.refused(&reason.reply().with_token(&token), reason.setting());
        self.write(&record).await;
        self.own_token = Some(token);
        self.recorded = true;
    }

    fn sender(&mut self, path: ReversePath, parameters: &MailParameters) -> Answer {
        self.snapshot = self.shared.current.get();
        self.smtputf8 = parameters.smtputf8;
        self.transaction = Some(Transaction {
            record: Record::of_transaction(
                &self.connection,
                self.shared.new_token(),
                clock::now_ms(),
            ),
            arriving: Arriving::default(),
            scanner: message::Scanner::new(),
            look: message::eight_bit::Look::new(),
            matched: HashSet::new(),
        });
        self.facts.forget_transaction();
        self.facts.envelope = Envelope {
            sender: Some(path),
            declared_size: parameters.size,
            parameters: parameters.clone(),
            ..Envelope::default()
        };
        let needs = self.look_at_client(Stage::Sender);
        self.facts.storage = needs
            .storage
            .then(|| gather::storage(&self.shared, &self.snapshot))
            .flatten();
        if let Some(login) = self.facts.login.as_mut().filter(|_| needs.login) {
            gather::refresh_login(&self.shared.store, login, self.password_set_at);
        }
        self.ask_and_end(Stage::Sender)
    }

    async fn recipient(&mut self, path: ForwardPath, parameters: RcptParameters) -> Answer {
        self.record().recipient(&path);
        self.facts.recipient = Some(path.clone());
        let needs = needs(Stage::Recipient, &self.facts, &self.snapshot.settings);
        self.look_at_accounts(needs);
        if !self.ask_others(needs).await {
            return Answer::Close(Reply::new(421, (3, 2), "server is shutting down"));
        }
        let decision = decide(Stage::Recipient, &self.facts, &self.snapshot.settings);
        self.record().decided(&decision);
        self.count_matches();
        self.count_unknown(&path, &decision).await;
        let is_new = !self.facts.envelope.has(&path);
        let is_kept = decision.accepts() && decision.discard.is_none();
        if is_kept && is_new && parameters != RcptParameters::default() {
            self.facts
                .envelope
                .notifications
                .push((path.clone(), parameters));
        }
        self.facts.envelope.decided(path, &decision);
        self.answer_of(&decision)
    }

    /// The reply is made: if it ended the transaction, that is written down now.
    pub(crate) async fn after_reply(&mut self) {
        if self.ending {
            self.transaction_ended().await;
        }
    }

    /// The transaction is over without a message, and written down.
    pub(crate) async fn transaction_ended(&mut self) {
        self.ending = false;
        let Some(transaction) = self.transaction.take() else {
            return;
        };
        // A sender without recipients that nobody refused says nothing that the connection's entry does not say, and
        // must not let a stranger fill the disk for a few octets a row.
        if transaction.record.is_worth_keeping() {
            if transaction.record.has_news() {
                self.write(&transaction.record).await;
            }
            self.recorded = true;
        }
        self.forget_transaction();
    }

    /// The connection is over. Its own entry is written if it says what no other entry says.
    pub(crate) async fn closed(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.transaction_ended().await;
        if !self.recorded || self.connection.has_refusal() {
            let record = std::mem::replace(
                &mut self.connection,
                Record::new(Kind::Connection, String::new(), clock::now_ms()),
            );
            if record.has_news() {
                self.write(&record).await;
            }
        }
    }

    /// Writes the entry as it stands, so that its token opens something while the session goes on. Once an entry: its end
    /// brings the rest.
    async fn write_early(&mut self) {
        let record = match &mut self.transaction {
            Some(transaction) => &mut transaction.record,
            None => &mut self.connection,
        };
        if record.first_post() {
            let entry = record.entry(&self.facts, &self.snapshot.settings, self.snapshot.revision);
            self.write_entry(entry).await;
        }
    }

    async fn write(&self, record: &Record) {
        self.write_entry(self.entry(record)).await;
    }

    fn entry(&self, record: &Record) -> Entry {
        record.entry(&self.facts, &self.snapshot.settings, self.snapshot.revision)
    }

    async fn write_entry(&self, entry: Entry) {
        self.note("the mail log", move |tx| {
            store::journal::upsert(tx, &entry).map(drop)
        })
        .await;
    }

    /// Has something noted. It is not waited for: others read it a moment after the reply. While very many wait to be
    /// written, this one waits for its turn.
    async fn note<F>(&self, what: &'static str, work: F)
    where
        F: FnOnce(&Tx<'_>) -> Result<(), StoreError> + Send + 'static,
    {
        let turn = Arc::clone(&self.shared.journal_turns).acquire_owned().await;
        let written = self.shared.store.note(work);
        self.shared.sessions.spawn(async move {
            if let Err(error) = written.await {
                tracing::error!("{what} could not be written: {error}");
            }
            drop(turn);
        });
    }
}

/// A name from outside, without what would spoil a log, and not too long.
fn clip(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(255).collect()
}
