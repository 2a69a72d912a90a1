//! What became of a message at the next hop, and why, in words.

use std::fmt;

use super::transcript::one_line;
use crate::reply::Reply;

/// Longest text of a trouble in characters.
pub(super) const MAX_TEXT: usize = 500;
/// Longest reply that is kept with it in characters.
const MAX_REPLY: usize = 2000;

/// Where in the conversation something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Before and while the connection was made.
    Connect,
    /// Waiting for the greeting.
    Greeting,
    /// EHLO, LHLO or HELO.
    Hello,
    /// STARTTLS and the handshake.
    Tls,
    /// AUTH.
    Auth,
    /// RSET between two messages.
    Reset,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, up to the permission to send.
    Data,
    /// Sending the message.
    Content,
    /// After the message, waiting for the final reply.
    End,
    /// Between messages.
    Idle,
    /// QUIT.
    Quit,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Connect => "while connecting",
            Phase::Greeting => "before its greeting",
            Phase::Hello => "at EHLO",
            Phase::Tls => "at STARTTLS",
            Phase::Auth => "at AUTH",
            Phase::Reset => "at RSET",
            Phase::Mail => "at MAIL",
            Phase::Rcpt => "at RCPT",
            Phase::Data => "at DATA",
            Phase::Content => "while the message was being sent",
            Phase::End => "after the message, before a final reply",
            Phase::Idle => "between messages",
            Phase::Quit => "at QUIT",
        })
    }
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The hop took the message over.
    Delivered {
        /// Its final reply, as one line.
        reply: String,
        /// The hop knows DSN, so it answers for notifications of success from here on (RFC 3461 §5.2.2).
        dsn_passed_on: bool,
    },
    /// Another try may succeed.
    Deferred(Trouble),
    /// No other try will succeed.
    Failed(Trouble),
}

/// Why something did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// Enhanced status code (RFC 3463); 4 first when another try may succeed, 5 when none will.
    pub status: (u8, u8, u16),
    /// What happened, in words: one line, at most 500 characters.
    pub text: String,
    /// The hop's own reply where there was one: one line, at most 2000 characters.
    pub reply: Option<String>,
    /// It says nothing about this recipient or message: any other would have met it too.
    pub whole_hop: bool,
    /// The connection was used before and was found dead before anything of this message was answered. A new
    /// connection may be tried at once.
    pub stale: bool,
    /// Where it happened.
    pub phase: Phase,
}

impl Trouble {
    /// A trouble with a status and words; nothing is set but these, and [`Phase::Connect`].
    pub fn new(status: (u8, u8, u16), text: impl AsRef<str>) -> Trouble {
        Trouble {
            status,
            text: one_line(text.as_ref(), MAX_TEXT),
            reply: None,
            whole_hop: false,
            stale: false,
            phase: Phase::Connect,
        }
    }

    /// The same, about the hop as a whole.
    #[must_use]
    pub fn whole_hop(mut self) -> Trouble {
        self.whole_hop = true;
        self
    }

    /// The same, with where it happened.
    #[must_use]
    pub fn at(mut self, phase: Phase) -> Trouble {
        self.phase = phase;
        self
    }

    /// The same, with the hop's reply.
    #[must_use]
    pub fn with_reply(mut self, reply: impl AsRef<str>) -> Trouble {
        self.reply = Some(one_line(reply.as_ref(), MAX_REPLY));
        self
    }

    /// Whether no other try will succeed.
    pub fn is_permanent(&self) -> bool {
        self.status.0 == 5
    }

    /// The outcome that goes with it.
    pub fn into_outcome(self) -> Outcome {
        if self.is_permanent() {
            Outcome::Failed(self)
        } else {
            Outcome::Deferred(self)
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, subject, detail) = self.status;
        write!(f, "{class}.{subject}.{detail} {}", self.text)
    }
}

/// A reply as it is kept: bounded.
pub(super) fn kept(shown: &str) -> String {
    one_line(shown, MAX_REPLY)
}

/// A refusal, judged: `peer` is who said it, `shown` the reply for people.
pub(super) fn refusal(peer: &str, phase: Phase, reply: &Reply, shown: &str) -> Trouble {
    let (status, whole_hop) = judge(phase, reply);
    let did = match phase {
        Phase::Greeting | Phase::Connect => "turned the connection away",
        Phase::Hello => "did not accept our name at EHLO",
        Phase::Tls => "refused to start TLS",
        Phase::Auth => "refused our login at AUTH",
        Phase::Reset => "refused RSET, so nothing more can be sent to it on this connection",
        Phase::Mail => "refused the sender at MAIL",
        Phase::Rcpt => "refused the recipient at RCPT",
        Phase::Data => "refused to take a message at DATA",
        Phase::Content => "broke the message off while it was being sent",
        Phase::End => "refused the message after receiving it",
        Phase::Idle | Phase::Quit => "ended the connection",
    };
    let trouble = Trouble::new(status, format!("{peer} {did}: {shown}")).at(phase);
    Trouble {
        whole_hop,
        ..trouble
    }
    .with_reply(shown)
}

/// The status of a refusal, and whether it concerns the whole hop.
fn judge(phase: Phase, reply: &Reply) -> ((u8, u8, u16), bool) {
    let code = reply.code();
    let given = reply
        .enhanced()
        .map(|(_, subject, detail)| (subject, detail));
    let about_us = phase < Phase::Reset;
    // RFC 7504 §3, RFC 7505 §4: a host that says so never takes mail; asking again is useless.
    if about_us && matches!(code, 521 | 556) {
        return (status(5, given, (3, 2)), true);
    }
    if about_us {
        // What stands between the hop and us (a block list, a wrong password, a missing permission) is for the admin
        // to mend; the mail of the users waits meanwhile.
        let usual = match (phase, code) {
            (Phase::Auth, 535) => (7, 8),
            (Phase::Auth, 538) => (7, 11),
            (Phase::Auth, 534) => (7, 9),
            (Phase::Auth | Phase::Tls, _) => (7, 0),
            (_, 421) => (3, 2),
            _ => (0, 0),
        };
        return (status(4, given, usual), true);
    }
    match (phase, code) {
        // RFC 4954 §6, RFC 3207 §4: the hop wants a login or TLS first. Again nothing the sender could mend.
        (_, 530 | 534 | 535 | 538) => (status(4, given, (7, 0)), true),
        (_, 421) => (status(4, given, (3, 2)), true),
        // RFC 5321 §4.5.3.1.10: 552 to RCPT means "too many recipients", unless it says something else.
        (Phase::Rcpt, 552) if matches!(given, None | Some((5, 3))) => ((4, 5, 3), false),
        (Phase::Rcpt, 452) => (status(4, given, (5, 3)), false),
        (_, 452) => (status(4, given, (3, 1)), false),
        (_, 552) => (status(5, given, (3, 4)), false),
        (_, 556) => (status(5, given, (1, 10)), false),
        (_, 500..) => (status(5, given, (0, 0)), false),
        _ => (status(4, given, (0, 0)), false),
    }
}

fn status(class: u8, given: Option<(u16, u16)>, usual: (u8, u16)) -> (u8, u8, u16) {
    let given = given.and_then(|(subject, detail)| Some((u8::try_from(subject).ok()?, detail)));
    let (subject, detail) = given.unwrap_or(usual);
    (class, subject, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_permanent_only_where_the_sender_must_know() {
        let judged = |phase, code, enhanced: Option<(u16, u16)>| {
            let reply = match enhanced {
                Some(pair) => Reply::new(code, pair, "no"),
                None => Reply::plain(code, "no"),
            };
            judge(phase, &reply)
        };
        for (phase, code, enhanced, status, whole_hop) in [
            (Phase::Greeting, 554, Some((7, 1)), (4, 7, 1), true),
            (Phase::Greeting, 521, None, (5, 3, 2), true),
            (Phase::Hello, 550, None, (4, 0, 0), true),
            (Phase::Auth, 535, None, (4, 7, 8), true),
            (Phase::Tls, 454, None, (4, 7, 0), true),
            (Phase::Mail, 530, Some((7, 0)), (4, 7, 0), true),
            (Phase::Mail, 550, Some((7, 1)), (5, 7, 1), false),
            (Phase::Mail, 552, None, (5, 3, 4), false),
            (Phase::Rcpt, 550, None, (5, 0, 0), false),
            (Phase::Rcpt, 450, Some((2, 0)), (4, 2, 0), false),
            (Phase::Rcpt, 552, None, (4, 5, 3), false),
            (Phase::Rcpt, 552, Some((2, 2)), (5, 2, 2), false),
            (Phase::Rcpt, 421, None, (4, 3, 2), true),
            (Phase::Rcpt, 550, Some((999, 1)), (5, 0, 0), false),
            (Phase::End, 452, None, (4, 3, 1), false),
        ] {
            assert_eq!(
                judged(phase, code, enhanced),
                (status, whole_hop),
                "{phase:?} {code}"
            );
        }
    }

    #[test]
    fn texts_are_one_line_and_bounded() {
        let trouble = Trouble::new((4, 4, 2), format!("a\r\nb{}", "x".repeat(1000)))
            .with_reply("y\n".repeat(2000));
        assert_eq!(trouble.text.chars().count(), MAX_TEXT);
        assert_eq!(trouble.reply.as_ref().unwrap().chars().count(), MAX_REPLY);
        assert!(!format!("{trouble}{:?}", trouble.reply).contains('\n'));
    }
}
