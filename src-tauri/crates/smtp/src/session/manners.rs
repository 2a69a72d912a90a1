//! Clients that err, that do nothing, and that do not wait for replies.

use super::{Action, EndedBy, JUNK_STEP, LATE, Pending, Question, Session};
use crate::protocol_error::ProtocolError;
use crate::reply::Reply;

impl Session {
    pub(super) fn reply(&mut self, reply: Reply) {
        if std::mem::take(&mut self.late) || self.errors >= self.profile.slow_errors {
            self.actions.push(Action::Wait(LATE));
        }
        self.reply_at_once(reply);
    }

    pub(super) fn reply_at_once(&mut self, reply: Reply) {
        self.actions.push(Action::Reply(reply.with_utf8(self.utf8)));
    }

    /// Replies to a mistake; one too many ends the connection.
    pub(super) fn mistake(&mut self, error: ProtocolError) {
        self.reply(error.reply());
        if error.is_fatal() {
            return self.close(EndedBy::TooManyErrors);
        }
        self.count_error();
    }

    /// Counts an error that was answered; the last one allowed closes the connection.
    pub(super) fn count_error(&mut self) {
        self.errors = self.errors.saturating_add(1);
        if self.errors >= self.profile.max_errors {
            self.close_with(
                Reply::new(421, (7, 0), "Error: too many errors"),
                EndedBy::TooManyErrors,
            );
        }
    }

    pub(super) fn count_junk(&mut self) {
        self.junk = self.junk.saturating_add(1);
        self.late |= self.junk.is_multiple_of(JUNK_STEP);
    }

    /// Replies to a command without effect. So many are free; beyond, each is an error.
    pub(super) fn junk(&mut self, reply: Reply) {
        self.count_junk();
        self.reply(reply);
        if self.junk > self.profile.max_junk_commands {
            self.count_error();
        }
    }

    /// Whether the command in `line` was sent before it might be, or something behind it was: `ahead` says that more has
    /// come already. RFC 2920 §3.1: some commands end a group, and who did not say EHLO cannot know that there are groups.
    pub(super) fn speaks_early(&self, line: &[u8], ahead: bool) -> bool {
        let in_groups = self.hello.is_some_and(|hello| hello.extended) && !ends_group(line);
        self.profile.rejects_early && (self.early || (ahead || self.more_waits) && !in_groups)
    }

    pub(super) fn send_away(&mut self, question: Question) {
        self.ask(question, Pending::Farewell);
    }

    /// A message makes up for all errors before it.
    pub(super) fn message_accepted(&mut self, reply: Option<Reply>, close: bool) {
        (self.errors, self.junk, self.late) = (0, 0, false);
        self.reply(reply.unwrap_or_else(|| Reply::new(250, (0, 0), "message accepted")));
        self.after_message(close);
    }

    /// Whatever the answer was, this is the end.
    pub(super) fn farewell(&mut self, reply: Option<Reply>) {
        let usual = || Reply::new(554, (5, 0), "Error: SMTP protocol synchronization");
        self.close_with(
            reply.filter(Reply::is_refusal).unwrap_or_else(usual),
            EndedBy::Answer,
        );
    }
}

/// RFC 2920 §3.1, and STARTTLS by RFC 3207 §4.
fn ends_group(line: &[u8]) -> bool {
    const LAST: [&str; 9] = [
        "EHLO", "HELO", "DATA", "VRFY", "EXPN", "TURN", "QUIT", "NOOP", "STARTTLS",
    ];
    let verb = line
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .next()
        .unwrap_or_default();
    LAST.iter()
        .any(|last| verb.eq_ignore_ascii_case(last.as_bytes()))
}
