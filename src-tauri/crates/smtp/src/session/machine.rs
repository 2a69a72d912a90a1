//! What each command means, and what each answer leads to.

use super::{
    Action, Answer, EndedBy, Hello, LineEnd, Pending, Question, Role, Session, State, Tls,
    Transaction,
};
use crate::command::{Command, MailParameters, RcptParameters};
use crate::content::Framing;
use crate::protocol_error::ProtocolError;
use crate::reply::Reply;
use crate::sasl::{Exchange, InitialResponse, Mechanism, Step};
use crate::{ForwardPath, ReversePath};

impl Session {
    pub(super) fn connected(&mut self) {
        if matches!(self.state, State::New) {
            self.ask(Question::Connect, Pending::Connect);
        }
    }

    pub(super) fn tls_started(&mut self, tls: Tls) {
        match self.state {
            // Implicit TLS.
            State::New => self.tls = Some(tls),
            State::Handshake => {
                self.tls = Some(tls);
                self.line_end = LineEnd::Unknown;
                self.more_waits = false;
                self.state = State::Commands;
                self.resume();
            }
            _ => {}
        }
    }

    pub(super) fn timed_out(&mut self) {
        // While a question is open the time is ours, not the client's.
        if !self.is_asking() {
            self.close_with(
                Reply::new(421, (4, 2), "timeout, closing connection"),
                EndedBy::TimedOut,
            );
        }
    }

    pub(super) fn peer_closed(&mut self) {
        self.close(EndedBy::PeerClosed);
    }

    /// The server stops: at once between commands, otherwise when the answer or the content is through.
    pub(super) fn shutdown(&mut self) {
        self.stopping = true;
        let waits = matches!(
            self.state,
            State::Asking(_) | State::Data | State::Chunk { .. } | State::Unwanted { .. }
        );
        if !waits {
            self.close_with(
                Reply::new(421, (3, 2), "server is shutting down"),
                EndedBy::Shutdown,
            );
        }
    }

    pub(super) fn ask(&mut self, question: Question, pending: Pending) {
        self.state = State::Asking(pending);
        self.actions.push(Action::Ask(question));
    }

    pub(super) fn end_transaction(&mut self, by: EndedBy) {
        self.utf8 = false;
        if self.transaction.take().is_some() {
            self.actions.push(Action::TransactionEnded(by));
        }
    }

    pub(super) fn close_with(&mut self, reply: Reply, by: EndedBy) {
        // During a handshake nothing can be said, in clear text least of all.
        if !matches!(self.state, State::Closed | State::Handshake) {
            self.reply_at_once(reply);
        }
        self.close(by);
    }

    pub(super) fn close(&mut self, by: EndedBy) {
        if !matches!(self.state, State::Closed) {
            self.end_transaction(by);
            self.actions.push(Action::Close);
            self.state = State::Closed;
            self.buffer.clear();
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Hello { name, extended } => {
                // RFC 5321 §4.1.4: EHLO clears all state, as RSET does.
                self.end_transaction(EndedBy::Hello);
                self.ask(
                    Question::Helo { name, extended },
                    Pending::Hello(Hello { extended }),
                );
            }
            Command::Mail {
                path,
                parameters,
                international,
                extended,
            } => {
                self.mail(path, parameters, international, extended);
            }
            Command::Rcpt {
                path,
                parameters,
                international,
                extended,
            } => {
                self.rcpt(path, parameters, international, extended);
            }
            Command::Data => self.data_command(),
            Command::Bdat { size, last } => self.bdat(size, last),
            Command::StartTls => self.starttls(),
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial),
            Command::Rset => {
                self.end_transaction(EndedBy::Reset);
                self.junk(Reply::new(250, (0, 0), "ok"));
            }
            Command::Noop => self.junk(Reply::new(250, (0, 0), "ok")),
            Command::Help => self.reply(help()),
            // RFC 5321 §3.5.3: 252 confirms nothing.
            Command::Vrfy => self.junk(Reply::new(
                252,
                (1, 5),
                "cannot verify, but will take messages for local users",
            )),
            Command::Expn => self.mistake(ProtocolError::NotOffered),
            Command::Etrn => {
                self.count_junk();
                self.mistake(ProtocolError::NotOffered);
            }
            Command::Quit => {
                self.end_transaction(EndedBy::Quit);
                self.reply(Reply::new(221, (0, 0), "bye"));
                self.close(EndedBy::Quit);
            }
        }
    }

    fn mail(
        &mut self,
        path: ReversePath,
        parameters: MailParameters,
        international: bool,
        extended: bool,
    ) {
        if self.transaction.is_some() {
            return self.mistake(ProtocolError::NestedMail);
        }
        match self.hello {
            None => return self.mistake(ProtocolError::NeedHello),
            // RFC 5321 §2.2.1: after HELO there are no extensions.
            Some(Hello { extended: false }) if extended => {
                return self.mistake(ProtocolError::UnknownParameter);
            }
            Some(_) => {}
        }
        if international && !parameters.smtputf8 {
            return self.mistake(ProtocolError::NeedsSmtpUtf8);
        }
        self.utf8 = parameters.smtputf8;
        let pending = Pending::Sender {
            utf8: parameters.smtputf8,
        };
        self.ask(Question::Sender { path, parameters }, pending);
    }

    fn rcpt(
        &mut self,
        path: ForwardPath,
        parameters: RcptParameters,
        international: bool,
        extended: bool,
    ) {
        let hello_is_plain = self.hello.is_none_or(|hello| !hello.extended);
        let Some(transaction) = &mut self.transaction else {
            return self.mistake(ProtocolError::NeedMail);
        };
        if transaction.content.is_some() {
            return self.mistake(ProtocolError::ChunksStarted);
        }
        if extended && hello_is_plain {
            return self.mistake(ProtocolError::UnknownParameter);
        }
        if international && !transaction.utf8 {
            return self.mistake(ProtocolError::NeedsSmtpUtf8);
        }
        transaction.addressed = true;
        if transaction.recipients >= self.profile.max_recipients_hard {
            // RFC 5321 §4.5.3.1.10: 452, not 552; the client sends the rest in another transaction.
            return self.reply(Reply::new(452, (5, 3), "too many recipients"));
        }
        self.ask(Question::Recipient { path, parameters }, Pending::Recipient);
    }

    /// Whether DATA or BDAT can come now, and with how many recipients.
    fn ready_for_content(&self) -> Result<usize, ProtocolError> {
        match &self.transaction {
            None => Err(ProtocolError::NeedMail),
            Some(transaction) if transaction.recipients > 0 => Ok(transaction.recipients),
            Some(transaction) if transaction.addressed => Err(ProtocolError::NoValidRecipients),
            Some(_) => Err(ProtocolError::NeedRecipient),
        }
    }

    fn has_content(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|transaction| transaction.content.is_some())
    }

    fn data_command(&mut self) {
        if self.line_end == LineEnd::Lf {
            return self.mistake(ProtocolError::ContentNeedsCrlf);
        }
        match self.ready_for_content() {
            Ok(_) if self.has_content() => self.mistake(ProtocolError::ChunksStarted),
            Ok(recipients) => self.ask(Question::Data { recipients }, Pending::Data),
            Err(error) => self.mistake(error),
        }
    }

    fn bdat(&mut self, size: u64, last: bool) {
        if self.line_end == LineEnd::Lf {
            self.mistake(ProtocolError::ContentNeedsCrlf);
            // The octets of the chunk would be taken for commands.
            return self.close(EndedBy::TooManyErrors);
        }
        match self.ready_for_content() {
            Ok(_) if self.has_content() => self.begin_chunk(size, last),
            Ok(recipients) => {
                self.ask(Question::Data { recipients }, Pending::Chunk { size, last })
            }
            // The octets of the chunk need not be waited for when the connection ends here.
            Err(error) if self.errors.saturating_add(1) >= self.profile.max_errors => {
                self.mistake(error);
            }
            Err(error) => {
                self.errors = self.errors.saturating_add(1);
                self.refuse_chunk(size, error.reply());
            }
        }
    }

    fn offers_starttls(&self) -> bool {
        self.profile.offers_starttls && self.tls.is_none() && self.profile.role != Role::Submissions
    }

    fn starttls(&mut self) {
        if self.tls.is_some() {
            return self.mistake(ProtocolError::TlsActive);
        }
        if !self.offers_starttls() {
            return self.mistake(ProtocolError::NotOffered);
        }
        if self.hello.is_none() {
            return self.mistake(ProtocolError::NeedEhlo);
        }
        // RFC 3207 §4.2: everything learnt before is forgotten.
        self.end_transaction(EndedBy::StartTls);
        self.hello = None;
        self.authenticated = false;
        self.reply(Reply::new(220, (0, 0), "ready to start TLS"));
        self.actions.push(Action::StartTls);
        self.state = State::Handshake;
    }

    fn announces_auth(&self) -> bool {
        self.profile.offers_auth
            && (self.tls.is_some() || !self.profile.auth_needs_tls)
            && !self.authenticated
    }

    fn auth(&mut self, mechanism: Mechanism, initial: Option<InitialResponse>) {
        let error = match self.hello {
            None | Some(Hello { extended: false }) => Some(ProtocolError::NeedEhlo),
            // RFC 4954 §4
            _ if self.authenticated => Some(ProtocolError::AlreadyAuthenticated),
            _ if self.transaction.is_some() => Some(ProtocolError::AuthInTransaction),
            _ => None,
        };
        match error {
            Some(error) => self.mistake(error),
            None => self.ask(
                Question::AuthStart { mechanism },
                Pending::AuthStart { mechanism, initial },
            ),
        }
    }

    /// What stands against AUTH here even if the answer to [`Question::AuthStart`] was yes.
    fn auth_not_announced(&self) -> Option<ProtocolError> {
        if !self.profile.offers_auth {
            Some(ProtocolError::NotOffered)
        } else if self.profile.auth_needs_tls && self.tls.is_none() {
            Some(ProtocolError::AuthNeedsTls)
        } else {
            None
        }
    }

    pub(super) fn auth_step(&mut self, step: Result<(Exchange, Step), ProtocolError>) {
        match step {
            Ok((exchange, Step::Challenge(text))) => {
                self.state = State::Auth(exchange);
                self.reply(Reply::plain(334, text));
            }
            Ok((_, Step::Complete(credentials))) => {
                self.ask(Question::Auth(credentials), Pending::Auth)
            }
            Err(error) => self.mistake(error),
        }
    }

    pub(super) fn answered(&mut self, answer: Answer) {
        if !self.is_asking() {
            return;
        }
        let State::Asking(pending) = std::mem::replace(&mut self.state, State::Commands) else {
            return;
        };
        match answer {
            Answer::Accept => self.accepted(pending, None),
            Answer::AcceptWith(reply) if reply.is_positive() => self.accepted(pending, Some(reply)),
            Answer::AcceptWith(reply) | Answer::Refuse(reply) => {
                self.refused(pending, refusal(reply))
            }
            Answer::Close(reply) => {
                if matches!(pending, Pending::Data | Pending::Chunk { .. }) {
                    self.transaction = None;
                }
                self.close_with(refusal(reply), EndedBy::Answer);
            }
        }
    }

    fn accepted(&mut self, pending: Pending, reply: Option<Reply>) {
        let usual = |code, enhanced, text: &str| Reply::new(code, enhanced, text);
        match pending {
            Pending::Connect => {
                let greeting = Reply::plain(
                    220,
                    format!("{} {}", self.profile.hostname.ascii(), self.profile.banner),
                );
                self.reply(reply.unwrap_or(greeting));
            }
            Pending::Hello(hello) => {
                self.hello = Some(hello);
                self.reply(if hello.extended {
                    self.capabilities()
                } else {
                    self.plain_greeting()
                });
            }
            Pending::AuthStart { mechanism, initial } => {
                let begun = match self.auth_not_announced() {
                    Some(error) => Err(error),
                    None => {
                        Exchange::begin(mechanism, initial.as_ref().map(InitialResponse::as_str))
                    }
                };
                self.auth_step(begun);
            }
            Pending::Auth => {
                self.authenticated = true;
                self.reply(reply.unwrap_or_else(|| usual(235, (7, 0), "authentication succeeded")));
            }
            Pending::Sender { utf8 } => {
                self.transaction = Some(Transaction {
                    utf8,
                    addressed: false,
                    recipients: 0,
                    content: None,
                });
                self.reply(reply.unwrap_or_else(|| usual(250, (1, 0), "sender ok")));
            }
            Pending::Recipient => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.recipients += 1;
                }
                self.reply(reply.unwrap_or_else(|| usual(250, (1, 5), "recipient ok")));
            }
            Pending::Data => {
                self.begin_content(Framing::Dotted);
                self.state = State::Data;
                self.reply(Reply::plain(354, "end data with <CR><LF>.<CR><LF>"));
            }
            Pending::Chunk { size, last } => {
                self.begin_content(Framing::Counted);
                self.begin_chunk(size, last);
            }
            Pending::Farewell => self.farewell(reply),
            Pending::Message { close } => self.message_accepted(reply, close),
        }
    }

    fn refused(&mut self, pending: Pending, reply: Reply) {
        // Who is asked to come back later has done nothing wrong.
        let is_error = !reply.is_temporary();
        match pending {
            Pending::Farewell => return self.farewell(Some(reply)),
            Pending::Connect => return self.close_with(reply, EndedBy::Answer),
            Pending::Data => {
                self.transaction = None;
                self.reply(reply);
            }
            Pending::Chunk { size, .. } => {
                self.transaction = None;
                self.refuse_chunk(size, reply.with_utf8(self.utf8));
            }
            Pending::Message { close } => {
                self.reply(reply);
                self.after_message(close);
            }
            Pending::Hello(_)
            | Pending::AuthStart { .. }
            | Pending::Auth
            | Pending::Sender { .. }
            | Pending::Recipient => {
                self.reply(reply);
            }
        }
        if is_error {
            self.count_error();
        }
    }

    pub(super) fn after_message(&mut self, close: bool) {
        self.utf8 = false;
        if close {
            self.close(EndedBy::TooManyErrors);
        }
    }

    fn plain_greeting(&self) -> Reply {
        Reply::plain(250, self.profile.hostname.ascii())
    }

    /// The reply to EHLO (RFC 5321 §4.1.1.1).
    fn capabilities(&self) -> Reply {
        let mut reply = self
            .plain_greeting()
            .and_line("PIPELINING")
            .and_line(format!("SIZE {}", self.profile.max_message_size))
            .and_line("8BITMIME")
            .and_line("SMTPUTF8")
            .and_line("ENHANCEDSTATUSCODES")
            .and_line("CHUNKING")
            .and_line("DSN");
        if self.offers_starttls() {
            reply = reply.and_line("STARTTLS");
        }
        if self.announces_auth() {
            reply = reply.and_line(Mechanism::ANNOUNCED);
        }
        reply.and_line("HELP")
    }
}

fn help() -> Reply {
    Reply::new(
        214,
        (0, 0),
        "commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP",
    )
    .and_line("STARTTLS AUTH VRFY HELP QUIT")
    .and_line("see RFC 5321")
}

/// A refusal that says yes would lose the message it refuses.
fn refusal(reply: Reply) -> Reply {
    if reply.is_refusal() {
        reply
    } else {
        Reply::new(451, (3, 0), "local error in processing")
    }
}
