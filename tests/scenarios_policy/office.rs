//! A server made of the pure crates: it does what the driver of a session does, without a socket.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use anyhow::{Context as _, Result, bail, ensure};
use message::Scanner;
use policy::facts::{
    Attempt, Client, Envelope, Load, Login, MachineNetwork, PasswordCheck, Storage, Tls,
};
use policy::{Decision, Facts, Reason, Stage, counting, decide, needs, plan};
use postroom_tests::Reply;
use postroom_tests::scenario::{Entry, LOGINS, Peer, Port, World, password};
use serde_json::Value;
use settings::Settings;
use smtp::{
    Action, Answer, Credentials, ForwardPath, Input, MailParameters, Question, ReversePath, Session,
};

use crate::profile::profile;
use crate::world::Outside;

/// What a driver reads at once.
const READ: usize = 16 * 1024;

/// A server made of the pure crates.
#[derive(Default)]
pub struct Office {
    /// Settings for transactions that begin from now on.
    current: Settings,
    entries: Vec<Entry>,
    mailboxes: BTreeMap<String, usize>,
    /// Copies for elsewhere, by destination.
    waiting: BTreeMap<String, usize>,
    outside: Outside,
    connection: Option<Connection>,
}

struct Connection {
    session: Session,
    facts: Facts,
    /// Settings of the transaction under way.
    in_force: Settings,
    replies: VecDeque<Reply>,
    /// Place of the connection's own entry.
    entry: usize,
    transaction: Option<Transaction>,
    /// The setting behind the refusal that comes next, and the entry it belongs to.
    refusing: Option<(Option<&'static str>, usize)>,
    handshake: bool,
    closed: bool,
}

struct Transaction {
    entry: usize,
    scanner: Scanner,
}

/// Entries are numbered, and the number makes the token.
fn token(entry: usize) -> String {
    format!("{entry:06}")
}

impl Office {
    fn new_entry(&mut self) -> usize {
        self.entries.push(Entry {
            outcome: "aborted".into(),
            ..Entry::default()
        });
        self.entries.len() - 1
    }

    fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().context("there is no connection")
    }

    /// Hands an input to the session and does what it says, until it waits for the client.
    fn input(&mut self, input: Input<'_>) -> Result<()> {
        let actions = self.connection()?.session.handle(input);
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Reply(reply) => self.replied(reply)?,
                Action::Ask(question) => {
                    let answer = self.answer(question)?;
                    let more = self.connection()?.session.handle(Input::Answer(answer));
                    ensure!(queue.is_empty(), "an action behind a question");
                    queue.extend(more);
                }
                Action::Content(octets) => {
                    let transaction = self.connection()?.transaction.as_mut();
                    transaction
                        .context("content outside a transaction")?
                        .scanner
                        .push(&octets);
                }
                // Nobody waits where there is no clock.
                Action::Wait(_) => {}
                Action::StartTls => self.connection()?.handshake = true,
                Action::TransactionEnded(_) => self.connection()?.transaction = None,
                Action::Close => self.connection()?.closed = true,
            }
        }
        Ok(())
    }

    fn replied(&mut self, reply: smtp::Reply) -> Result<()> {
        let connection = self.connection.as_mut().context("there is no connection")?;
        let mut reply = reply;
        if reply.is_refusal() {
            let running = connection
                .transaction
                .as_ref()
                .map_or(connection.entry, |transaction| transaction.entry);
            let decided = connection.refusing.take();
            let (setting, entry) = decided.unwrap_or((None, running));
            let record = self.entries.get_mut(entry).context("no such entry")?;
            // A slip of the client does not hide what was decided before.
            if decided.is_some() || record.outcome == "aborted" {
                record.decided_by = setting.unwrap_or_default().into();
                let temporary = reply.is_temporary();
                record.outcome = if temporary { "deferred" } else { "refused" }.into();
            }
            reply = reply.with_token(&token(entry));
        }
        let wire = String::from_utf8(reply.to_wire())?;
        let lines = wire.lines().map(ToOwned::to_owned).collect();
        connection.replies.push_back(Reply {
            code: reply.code(),
            lines,
        });
        Ok(())
    }

    fn answer(&mut self, question: Question) -> Result<Answer> {
        match question {
            Question::Connect => self.ask(Stage::Connect),
            Question::Helo { name, .. } => {
                self.connection()?.facts.greeted(name);
                self.ask(Stage::Helo)
            }
            Question::SpokeEarly => self.send_away(&Reason::SpokeEarly),
            Question::Blocked => {
                let ip = self.connection()?.facts.client.ip;
                let until = self.outside.blocked_until(ip).unwrap_or_default();
                self.send_away(&Reason::Blocked { ip, until })
            }
            Question::AuthStart { .. } => {
                self.connection()?.facts.attempt = Some(no_attempt());
                self.ask(Stage::AuthStart)
            }
            Question::Auth(credentials) => self.auth(&credentials),
            Question::Sender { path, parameters } => self.sender(path, &parameters),
            Question::Recipient { path, .. } => self.recipient(path),
            Question::Data { .. } => {
                let answer = self.ask(Stage::Data)?;
                if answer != Answer::Accept {
                    self.connection()?.transaction = None;
                }
                Ok(answer)
            }
            Question::Message { size, oversize } => self.message(size, oversize),
        }
    }

    fn entry_under_way(&mut self) -> Result<usize> {
        let connection = self.connection()?;
        Ok(connection
            .transaction
            .as_ref()
            .map_or(connection.entry, |transaction| transaction.entry))
    }

    /// Fetches what the stage needs and decides.
    fn decide(&mut self, stage: Stage) -> Result<Decision> {
        let connection = self.connection.as_mut().context("there is no connection")?;
        let (facts, settings) = (&mut connection.facts, &connection.in_force);
        let needed = needs(stage, facts, settings);
        if matches!(stage, Stage::Connect | Stage::Sender) {
            facts.network = needed.network.then(MachineNetwork::default);
            facts.storage = needed.storage.then_some(Storage { free: 1 << 40 });
        }
        self.outside.fetch(needed, facts, settings);
        Ok(decide(stage, facts, settings))
    }

    fn ask(&mut self, stage: Stage) -> Result<Answer> {
        let entry = self.entry_under_way()?;
        let decision = self.decide(stage)?;
        self.decided(entry, &decision)
    }

    fn send_away(&mut self, reason: &Reason) -> Result<Answer> {
        let entry = self.entry_under_way()?;
        self.connection()?.refusing = Some((reason.setting(), entry));
        Ok(Answer::Close(reason.reply()))
    }

    fn decided(&mut self, entry: usize, decision: &Decision) -> Result<Answer> {
        let record = self.entries.get_mut(entry).context("no such entry")?;
        record.steps.extend(decision.trace.iter().map(shown));
        let Some(reason) = &decision.refusal else {
            return Ok(Answer::Accept);
        };
        self.connection()?.refusing = Some((reason.setting(), entry));
        Ok(if reason.closes() {
            Answer::Close(reason.reply())
        } else {
            Answer::Refuse(reason.reply())
        })
    }

    /// A login that fails is an entry of its own.
    fn auth(&mut self, credentials: &Credentials) -> Result<Answer> {
        let entry = self.new_entry();
        let connection = self.connection()?;
        let user = connection
            .in_force
            .user_of_login(&credentials.login)
            .map(|user| user.name.clone());
        let right = user.as_ref().is_some_and(|name| {
            LOGINS.contains(&name.as_str()) && *credentials.password == password(name)
        });
        connection.facts.attempt = Some(Attempt {
            login: user.clone().unwrap_or_default(),
            password: Some(if right {
                PasswordCheck::Right
            } else {
                PasswordCheck::Wrong
            }),
            ..no_attempt()
        });
        let decision = decide(Stage::Auth, &connection.facts, &connection.in_force);
        if let Some(user) = user.filter(|_| decision.accepts()) {
            connection.facts.login = Some(Login {
                user,
                current: true,
            });
        }
        self.decided(entry, &decision)
    }

    fn sender(&mut self, path: ReversePath, parameters: &MailParameters) -> Result<Answer> {
        let entry = self.new_entry();
        let current = self.current.clone();
        let ip = self.connection()?.facts.client.ip;
        self.outside.began_message(ip);
        let connection = self.connection()?;
        connection.in_force = current;
        connection.facts.forget_transaction();
        connection.facts.envelope = Envelope {
            sender: Some(path),
            declared_size: parameters.size,
            ..Envelope::default()
        };
        connection.transaction = Some(Transaction {
            entry,
            scanner: Scanner::new(),
        });
        let answer = self.ask(Stage::Sender)?;
        if answer != Answer::Accept {
            self.connection()?.transaction = None;
        }
        Ok(answer)
    }

    fn recipient(&mut self, path: ForwardPath) -> Result<Answer> {
        self.connection()?.facts.recipient = Some(path.clone());
        let decision = self.decide(Stage::Recipient)?;
        let connection = self.connection.as_mut().context("there is no connection")?;
        let counted = counting(&decision, &connection.facts, &connection.in_force);
        let blocked = self
            .outside
            .counted(connection.facts.client.ip, &path, counted);
        if blocked && counted != policy::Counting::No {
            connection.session.block();
        }
        connection.facts.envelope.decided(path, &decision);
        let entry = connection
            .transaction
            .as_ref()
            .context("RCPT outside a transaction")?
            .entry;
        self.decided(entry, &decision)
    }

    fn message(&mut self, size: u64, oversize: bool) -> Result<Answer> {
        let connection = self.connection()?;
        let Transaction { entry, scanner } =
            connection.transaction.take().context("no transaction")?;
        connection.facts.recipient = None;
        connection.facts.message = Some(server::message_facts(&scanner.finish(), oversize, size));
        let decision = self.decide(Stage::Message)?;
        let connection = self.connection()?;
        let discarded = decision.discard.is_some() || connection.facts.envelope.is_discarded();
        let plan = plan(&connection.facts, &connection.in_force);
        let answer = self.decided(entry, &decision)?;
        if answer != Answer::Accept {
            return Ok(answer);
        }
        if discarded {
            return self.accepted(entry, "dropped");
        }
        for delivery in plan.deliveries {
            let copies = match delivery.mailbox {
                Some(user) => self.mailboxes.entry(user).or_default(),
                None => self.waiting.entry(delivery.destination.key()).or_default(),
            };
            *copies += 1;
        }
        let record = self.entries.get_mut(entry).context("no such entry")?;
        record.steps.extend(plan.trace.iter().map(shown));
        self.accepted(entry, "accepted")
    }

    /// The sender is told the same whatever becomes of the message.
    fn accepted(&mut self, entry: usize, outcome: &str) -> Result<Answer> {
        let record = self.entries.get_mut(entry).context("no such entry")?;
        record.outcome = outcome.into();
        record.decided_by = String::new();
        Ok(Answer::AcceptWith(smtp::Reply::new(
            250,
            (0, 0),
            format!("Ok: queued as {}", token(entry)),
        )))
    }
}

fn shown(step: &policy::Step) -> (String, String, String) {
    (
        step.check.to_string(),
        step.result.to_string(),
        step.text.to_string(),
    )
}

fn no_attempt() -> Attempt {
    Attempt {
        login: String::new(),
        password: None,
        failures: 0,
        blocked_until: None,
    }
}

fn tls() -> Tls {
    Tls {
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
    }
}

fn problems(problems: Vec<settings::Problem>) -> Vec<(String, String)> {
    problems
        .into_iter()
        .map(|problem| (problem.path, problem.code))
        .collect()
}

impl Peer for Office {
    fn world(&mut self, world: &World) -> Result<()> {
        self.outside.say(world)
    }

    fn apply(&mut self, document: &Value) -> Result<()> {
        let read = Settings::default().merged(document);
        self.current = read.map_err(|found| anyhow::anyhow!("{:?}", problems(found)))?;
        Ok(())
    }

    fn problems(&mut self, document: &Value) -> Result<Vec<(String, String)>> {
        Ok(self
            .current
            .merged(document)
            .err()
            .map(problems)
            .unwrap_or_default())
    }

    fn connect(&mut self, ip: IpAddr, port: Port) -> Result<()> {
        self.hang_up();
        let port = match port {
            Port::Smtp => policy::facts::Port::Smtp,
            Port::Submission => policy::facts::Port::Submission,
            Port::Submissions => policy::facts::Port::Submissions,
        };
        let client = Client {
            ip,
            port,
            tls: None,
        };
        self.outside.connected(ip);
        let mut facts = Facts::of_client(client.clone());
        facts.spoke_early = std::mem::take(&mut self.outside.early);
        facts.load = Some(Load {
            sessions: 1,
            capacity: 10,
            sessions_of_client: 1,
            capacity_of_client: 10,
        });
        let entry = self.new_entry();
        self.connection = Some(Connection {
            session: Session::new(profile(&client, &self.current)),
            facts,
            in_force: self.current.clone(),
            replies: VecDeque::new(),
            entry,
            transaction: None,
            refusing: None,
            handshake: false,
            closed: false,
        });
        if port == policy::facts::Port::Submissions {
            self.connection()?.handshake = true;
            self.handshake()?;
        }
        self.input(Input::Connected)
    }

    fn send(&mut self, octets: &[u8]) -> Result<()> {
        for chunk in octets.chunks(READ) {
            let current = self.current.clone();
            let connection = self.connection()?;
            ensure!(!connection.closed, "the server has closed the connection");
            if connection.transaction.is_none() {
                connection.in_force = current;
                connection
                    .session
                    .set_profile(profile(&connection.facts.client, &connection.in_force));
            }
            self.input(Input::Bytes(chunk))?;
        }
        Ok(())
    }

    fn reply(&mut self) -> Result<Reply> {
        self.connection()?
            .replies
            .pop_front()
            .context("there is no reply")
    }

    fn handshake(&mut self) -> Result<()> {
        let connection = self.connection()?;
        ensure!(
            std::mem::take(&mut connection.handshake),
            "the server does not begin a handshake"
        );
        connection.facts.client.tls = Some(tls());
        connection.facts.login = None;
        connection
            .session
            .set_profile(profile(&connection.facts.client, &connection.in_force));
        let Tls { version, cipher } = tls();
        self.input(Input::TlsStarted { version, cipher })
    }

    fn is_closed(&mut self) -> Result<bool> {
        let connection = self.connection()?;
        if let Some(reply) = connection.replies.pop_front() {
            bail!("another reply came: {reply}");
        }
        Ok(connection.closed)
    }

    fn hang_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.outside.gone(connection.facts.client.ip);
        }
    }

    fn delivered(&mut self) -> Result<BTreeMap<String, usize>> {
        Ok(self.mailboxes.clone())
    }

    fn waiting(&mut self) -> Result<Option<BTreeMap<String, usize>>> {
        Ok(Some(self.waiting.clone()))
    }

    fn letter_holds(&mut self, _: &str, _: &str) -> Result<Option<bool>> {
        Ok(None)
    }

    fn entry(&mut self, token: &str) -> Result<Entry> {
        let entry: usize = token
            .parse()
            .with_context(|| format!("`{token}` is no token"))?;
        self.entries.get(entry).cloned().context("no such entry")
    }
}
