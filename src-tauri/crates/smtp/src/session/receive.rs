//! From octets to lines and content.

use memchr::memchr;

use super::{
    Action, EndedBy, MAX_AUTH_LINE, MAX_BUFFER, MAX_DROPPED, MAX_LINE, Pending, Question, Session,
    State,
};
use crate::command::Command;
use crate::content::{Content, Framing};
use crate::protocol_error::ProtocolError;
use crate::reply::Reply;

/// The beginning of unused octets, taken for a line.
enum Line<'a> {
    /// The end is not here yet.
    Incomplete,
    /// No end within the limit.
    TooLong,
    /// Complete with this many octets, but with a CR or LF that is not part of the final CRLF.
    Bare(usize),
    /// Complete: the line without CRLF, and its octets with CRLF.
    Whole(&'a [u8], usize),
}

fn line(data: &[u8], limit: usize) -> Line<'_> {
    let window = data.get(..limit).unwrap_or(data);
    let Some(end) = memchr(b'\n', window) else {
        return if data.len() >= limit {
            Line::TooLong
        } else {
            Line::Incomplete
        };
    };
    match window.get(..end).and_then(|line| line.strip_suffix(b"\r")) {
        Some(line) if memchr(b'\r', line).is_none() => Line::Whole(line, end + 1),
        _ => Line::Bare(end + 1),
    }
}

fn is_bdat(line: &[u8]) -> bool {
    line.get(..5)
        .is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT "))
}

/// How the lines of this client end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// The first line is still to come.
    #[default]
    Unknown,
    /// As they must.
    Crlf,
    /// With a bare LF, from the first line on: a person types in a terminal.
    Lf,
}

impl Session {
    /// Takes a line. RFC 5321 §2.3.8 knows CRLF only, and a bare LF in the middle of a session is an attack. But where
    /// the very first command ends with one, a person types by hand (`nc`, `openssl s_client`), and that person is served:
    /// commands of a session that never sent a CRLF cannot have been smuggled into another. Message content stays strict.
    fn line<'a>(&mut self, data: &'a [u8], limit: usize) -> Line<'a> {
        match line(data, limit) {
            Line::Bare(used) if self.line_end != LineEnd::Crlf => {
                let typed = data.get(..used.saturating_sub(1)).unwrap_or_default();
                if memchr(b'\r', typed).is_some() {
                    return Line::Bare(used);
                }
                self.line_end = LineEnd::Lf;
                Line::Whole(typed, used)
            }
            Line::Whole(line, used) => {
                self.line_end = LineEnd::Crlf;
                Line::Whole(line, used)
            }
            other => other,
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        if self.buffer.is_empty() && self.is_reading() {
            // The usual case: what came is used where it lies.
            let used = self.consume(bytes);
            self.keep(bytes.get(used..).unwrap_or_default());
        } else {
            self.keep(bytes);
            self.resume();
        }
    }

    /// Goes on with what the client sent ahead.
    pub(super) fn resume(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let used = self.consume(buffer.unused());
        buffer.advance(used);
        self.buffer = buffer;
        if self.drops_input() {
            self.buffer.clear();
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        // RFC 3207 §4.2: what came in clear text before the handshake must not be taken for what came in TLS.
        if self.drops_input() {
            self.buffer.clear();
        } else if self.buffer.len() + bytes.len() > MAX_BUFFER {
            self.close_with(
                Reply::new(421, (7, 0), "too much sent ahead"),
                EndedBy::TooManyErrors,
            );
        } else {
            self.buffer.push(bytes);
        }
    }

    fn is_reading(&self) -> bool {
        !matches!(
            self.state,
            State::New | State::Asking(_) | State::Handshake | State::Closed
        )
    }

    fn drops_input(&self) -> bool {
        matches!(self.state, State::Handshake | State::Closed)
    }

    /// Uses as much as can be used now.
    fn consume(&mut self, data: &[u8]) -> usize {
        let mut used = 0;
        loop {
            if self.stopping && matches!(self.state, State::Commands | State::Auth(_)) {
                self.shutdown();
            }
            let rest = data.get(used..).unwrap_or_default();
            if rest.is_empty() || !self.is_reading() {
                return used;
            }
            match self.step(rest) {
                0 => return used,
                step => used += step,
            }
        }
    }

    /// Uses one line or one run of content; 0 when more must come first.
    fn step(&mut self, data: &[u8]) -> usize {
        match self.state {
            State::Commands => self.command_line(data),
            State::Auth(_) => self.auth_line(data),
            State::LongLine { auth } => self.long_line(data, auth),
            State::Data => self.data(data),
            State::Chunk { size, left, last } => self.chunk(data, size, left, last),
            State::Unwanted { .. } => self.unwanted(data),
            State::New | State::Asking(_) | State::Handshake | State::Closed => 0,
        }
    }

    fn command_line(&mut self, data: &[u8]) -> usize {
        // A TLS handshake record (RFC 8446 §5.1): the client is set to implicit TLS and would wait for ever.
        if data.starts_with(b"\x16\x03") {
            self.mistake(ProtocolError::ForeignProtocol);
            return data.len();
        }
        let auth = data
            .get(..5)
            .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        match self.line(data, if auth { MAX_AUTH_LINE } else { MAX_LINE }) {
            Line::Incomplete => 0,
            Line::TooLong if is_bdat(data) => {
                self.mistake(ProtocolError::LineTooLong);
                self.close_before_chunk(data);
                data.len()
            }
            Line::TooLong => {
                self.state = State::LongLine { auth };
                data.len().min(MAX_LINE)
            }
            Line::Bare(used) => {
                // A server before us may have read this as part of another line, so neither it nor what it was smuggled
                // into is carried out.
                self.mistake(ProtocolError::BareLineEnd);
                self.end_transaction(EndedBy::BareLineEnd);
                self.close_before_chunk(data);
                used
            }
            Line::Whole(_, used) if self.blocked => {
                self.send_away(Question::Blocked);
                used
            }
            Line::Whole(line, used) if self.speaks_early(line, used < data.len()) => {
                self.send_away(Question::SpokeEarly);
                used
            }
            Line::Whole(line, used) => {
                match Command::parse(line) {
                    Ok(command) => self.command(command),
                    Err(error) => {
                        self.mistake(error);
                        self.close_before_chunk(line);
                    }
                }
                used
            }
        }
    }

    /// After a BDAT that was not understood: the octets of its chunk would be taken for commands.
    fn close_before_chunk(&mut self, line: &[u8]) {
        if is_bdat(line) {
            self.close(EndedBy::TooManyErrors);
        }
    }

    fn auth_line(&mut self, data: &[u8]) -> usize {
        match self.line(data, MAX_AUTH_LINE) {
            Line::Incomplete => 0,
            Line::TooLong => {
                self.state = State::LongLine { auth: true };
                data.len().min(MAX_AUTH_LINE)
            }
            Line::Bare(used) => {
                self.state = State::Commands;
                self.mistake(ProtocolError::BareLineEnd);
                used
            }
            Line::Whole(line, used) => {
                if let State::Auth(mut exchange) =
                    std::mem::replace(&mut self.state, State::Commands)
                {
                    let step = exchange.respond(line);
                    self.auth_step(step.map(|step| (exchange, step)));
                }
                used
            }
        }
    }

    fn long_line(&mut self, data: &[u8], auth: bool) -> usize {
        let Some(end) = memchr(b'\n', data) else {
            return data.len();
        };
        self.state = State::Commands;
        self.mistake(if auth {
            ProtocolError::AuthLineTooLong
        } else {
            ProtocolError::LineTooLong
        });
        end + 1
    }

    fn data(&mut self, data: &[u8]) -> usize {
        let Some(content) = self.content_mut() else {
            self.state = State::Commands;
            return 0;
        };
        let mut out = Vec::with_capacity(if content.hands_out() { data.len() } else { 0 });
        let taken = content.push(data, &mut out);
        self.hand_out(out);
        if taken.ended {
            self.content_ended();
        } else {
            self.check_endless();
        }
        taken.used
    }

    fn chunk(&mut self, data: &[u8], size: u64, left: u64, last: bool) -> usize {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        let Some(content) = self.content_mut() else {
            self.state = State::Commands;
            return 0;
        };
        let mut out = Vec::with_capacity(if content.hands_out() { take } else { 0 });
        content.push(data.get(..take).unwrap_or_default(), &mut out);
        self.hand_out(out);
        let left = left.saturating_sub(take as u64);
        self.state = State::Chunk { size, left, last };
        if left == 0 {
            self.chunk_ended(size, last);
        } else {
            self.check_endless();
        }
        take
    }

    fn hand_out(&mut self, out: Vec<u8>) {
        if !out.is_empty() {
            self.actions.push(Action::Content(out));
        }
    }

    /// A chunk of `size` octets begins.
    pub(super) fn begin_chunk(&mut self, size: u64, last: bool) {
        self.state = State::Chunk {
            size,
            left: size,
            last,
        };
        if size == 0 {
            self.chunk_ended(size, last);
        }
    }

    fn chunk_ended(&mut self, size: u64, last: bool) {
        let Some(content) = self.content_mut() else {
            self.state = State::Commands;
            return;
        };
        if last {
            content.finish();
        }
        if last || content.is_oversize() || content.has_bare_line_end() {
            return self.content_ended();
        }
        let text = format!("{size} octets received");
        self.state = State::Commands;
        self.reply(Reply::new(250, (0, 0), text));
    }

    /// The message is complete, or cannot become acceptable any more.
    fn content_ended(&mut self) {
        self.state = State::Commands;
        let content = self.content();
        if content.is_some_and(|content| content.has_bare_line_end()) {
            let text = "bare CR or LF in message: lines must end with CRLF";
            self.reply(Reply::new(550, (5, 2), text));
            return self.end_transaction(EndedBy::BareLineEnd);
        }
        self.ask_message(false);
    }

    fn ask_message(&mut self, close: bool) {
        let content = self
            .transaction
            .take()
            .and_then(|transaction| transaction.content);
        if let Some(content) = content {
            let question = Question::Message {
                size: content.size(),
                oversize: content.is_oversize(),
            };
            self.ask(question, Pending::Message { close });
        }
    }

    /// A client that sends and sends holds a connection; at some point the answer comes in the middle.
    fn check_endless(&mut self) {
        let limit = self.profile.max_message_size.saturating_add(MAX_DROPPED);
        let content = self.content();
        if content.is_some_and(|content| content.size() > limit) {
            self.ask_message(true);
        }
    }

    /// A chunk comes that nobody wants; RFC 3030 §2 has it read, then refused.
    pub(super) fn refuse_chunk(&mut self, size: u64, reply: Reply) {
        self.state = State::Commands;
        if size > MAX_DROPPED {
            self.reply(reply);
            return self.close(EndedBy::TooManyErrors);
        }
        if size == 0 {
            return self.reply(reply);
        }
        self.state = State::Unwanted { left: size, reply };
    }

    fn unwanted(&mut self, data: &[u8]) -> usize {
        let State::Unwanted { left, .. } = &mut self.state else {
            return 0;
        };
        let take = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
        *left = left.saturating_sub(take as u64);
        if *left == 0
            && let State::Unwanted { reply, .. } =
                std::mem::replace(&mut self.state, State::Commands)
        {
            self.reply(reply);
        }
        take
    }

    fn content(&self) -> Option<&Content> {
        self.transaction.as_ref()?.content.as_ref()
    }

    fn content_mut(&mut self) -> Option<&mut Content> {
        self.transaction.as_mut()?.content.as_mut()
    }

    /// The content of the transaction begins.
    pub(super) fn begin_content(&mut self, framing: Framing) {
        if let Some(transaction) = &mut self.transaction {
            transaction.content = Some(Content::new(framing, self.profile.max_message_size));
        }
    }
}
