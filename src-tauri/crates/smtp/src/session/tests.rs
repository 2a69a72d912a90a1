//! Golden dialogues: `dialogues/*.txt` hold what a client sends and everything the session does in return.
//!
//! ```text
//! ## a sentence of behaviour
//! @ words for the profile; `greeted` starts behind EHLO
//! A: the answer to the next question, when it is not yes
//! C: a line of the client; CRLF is added        R: octets of the client; nothing is added
//! E: another event
//! S: a line of the server        ? a question        = another action
//! ```
//! `\r \n \t \0 \xHH \\` are escapes, and `{text*N}` repeats.

use super::*;
use crate::command::{Body, MailParameters, RcptParameters};
use std::collections::VecDeque;
use std::fmt::Write as _;

pub(crate) fn profile(words: &str) -> Profile {
    let mut profile = Profile {
        role: Role::Inbound,
        hostname: Domain::parse("mx.office.example").unwrap(),
        banner: "ESMTP Postroom".to_owned(),
        max_message_size: 1000,
        offers_starttls: true,
        offers_auth: false,
        auth_needs_tls: true,
        max_errors: 20,
        slow_errors: 10,
        max_junk_commands: 100,
        rejects_early: false,
        max_recipients_hard: 100,
    };
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("size", n)) => profile.max_message_size = n.parse().unwrap(),
            Some(("errors", n)) => {
                profile.max_errors = n.parse().unwrap();
                profile.slow_errors = profile.max_errors;
            }
            Some(("slow", n)) => profile.slow_errors = n.parse().unwrap(),
            Some(("junk", n)) => profile.max_junk_commands = n.parse().unwrap(),
            None if word == "strict" => profile.rejects_early = true,
            Some(("recipients", n)) => profile.max_recipients_hard = n.parse().unwrap(),
            None if word == "auth" => profile.offers_auth = true,
            None if word == "clear" => profile.auth_needs_tls = false,
            None if word == "notls" => profile.offers_starttls = false,
            None if word == "submissions" => profile.role = Role::Submissions,
            None if word == "greeted" => {}
            other => panic!("unknown profile word {other:?}"),
        }
    }
    profile
}

pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'r') => out.push(b'\r'),
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'0') => out.push(0),
            Some(b'x') => {
                let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            }
            Some(b'\\') => out.push(b'\\'),
            other => panic!("unknown escape {other:?}"),
        }
    }
    out
}

pub(crate) fn expand(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(open) = text.find('{') {
        let close = text[open..].find('}').unwrap() + open;
        let (piece, count) = text[open + 1..close].rsplit_once('*').unwrap();
        let repeated = piece.repeat(count.parse().unwrap());
        text.replace_range(open..=close, &repeated);
    }
    text
}

fn answer(text: &str) -> Answer {
    if text == "yes" {
        return Answer::Accept;
    }
    let mut words = text.splitn(4, ' ');
    let kind = words.next().unwrap();
    let code = words.next().unwrap().parse().unwrap();
    let (subject, detail) = words.next().unwrap().split_once('.').unwrap();
    let reply = Reply::new(
        code,
        (subject.parse().unwrap(), detail.parse().unwrap()),
        words.next().unwrap(),
    );
    match kind {
        "with" => Answer::AcceptWith(reply),
        "refuse" => Answer::Refuse(reply),
        "close" => Answer::Close(reply),
        other => panic!("unknown answer {other:?}"),
    }
}

fn describe(question: &Question) -> String {
    match question {
        Question::Connect => "connect".to_owned(),
        Question::SpokeEarly => "spoke-early".to_owned(),
        Question::Blocked => "blocked".to_owned(),
        Question::Helo { name, extended } => {
            format!("{} {name}", if *extended { "ehlo" } else { "helo" })
        }
        Question::AuthStart { mechanism } => format!("auth-start {mechanism}"),
        Question::Auth(c) => format!("auth {} {}", c.login, c.password.as_str()),
        Question::Sender { path, parameters } => format!("sender {path}{}", mail_words(parameters)),
        Question::Recipient { path, parameters } => {
            format!("recipient {path}{}", rcpt_words(parameters))
        }
        Question::Data { recipients } => format!("data {recipients}"),
        Question::Message { size, oversize } => {
            format!("message {size}{}", if *oversize { " oversize" } else { "" })
        }
    }
}

fn mail_words(p: &MailParameters) -> String {
    let mut text = String::new();
    let _ = p.size.map(|n| write!(text, " size={n}"));
    text.push_str(if p.body == Body::EightBitMime {
        " 8bit"
    } else {
        ""
    });
    text.push_str(if p.smtputf8 { " utf8" } else { "" });
    let _ = p.ret.map(|ret| write!(text, " ret={ret:?}"));
    let _ = p.envid.as_ref().map(|v| write!(text, " envid={v:?}"));
    let _ = p.auth.as_ref().map(|v| write!(text, " auth={v:?}"));
    text
}

fn rcpt_words(p: &RcptParameters) -> String {
    let mut text = String::new();
    let _ = p.notify.map(|notify| write!(text, " notify={notify:?}"));
    let _ = p.orcpt.as_ref().map(|v| write!(text, " orcpt={v:?}"));
    text
}

/// A session, its answers, and everything it did.
struct Played {
    session: Session,
    answers: VecDeque<Answer>,
    log: Vec<String>,
}

impl Played {
    fn event(&mut self, input: Input<'_>) {
        let mut actions: VecDeque<Action> = self.session.handle(input).into();
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Reply(reply) => {
                    let wire = String::from_utf8(reply.to_wire()).unwrap();
                    self.log
                        .extend(wire.lines().map(|line| format!("S: {line}")));
                }
                Action::Ask(question) => {
                    assert!(
                        actions.is_empty() && self.session.is_asking(),
                        "a question is the last action"
                    );
                    self.log.push(format!("? {}", describe(&question)));
                    let answer = self.answers.pop_front().unwrap_or(Answer::Accept);
                    actions.extend(self.session.handle(Input::Answer(answer)));
                }
                Action::Content(octets) => self
                    .log
                    .push(format!("= content {}", octets.escape_ascii())),
                Action::Wait(time) => self.log.push(format!("= wait {}", time.as_secs())),
                Action::StartTls => self.log.push("= starttls".to_owned()),
                Action::TransactionEnded(by) => self.log.push(format!("= ended {by:?}")),
                Action::Close => self.log.push("= close".to_owned()),
            }
        }
    }

    fn named_event(&mut self, name: &str) {
        match name {
            "connected" => self.event(Input::Connected),
            "tls" => self.event(Input::TlsStarted {
                version: "TLSv1.3".to_owned(),
                cipher: "TEST".to_owned(),
            }),
            "timeout" => self.event(Input::TimedOut),
            "gone" => self.event(Input::PeerClosed),
            "shutdown" => self.event(Input::Shutdown),
            "more waits" => self.session.more_waits(true),
            "nothing waits" => self.session.more_waits(false),
            "early" => self.session.spoke_early(),
            "blocked" => self.session.block(),
            "stray answer" => self.event(Input::Answer(Answer::Accept)),
            other => panic!("unknown event {other:?}"),
        }
    }

    fn start(words: &str) -> Played {
        let session = Session::new(profile(words));
        let mut played = Played {
            session,
            answers: VecDeque::new(),
            log: Vec::new(),
        };
        if words.contains("greeted") {
            played.named_event("connected");
            played.event(Input::Bytes(b"EHLO c.example\r\n"));
            played.log.clear();
        }
        played
    }
}

/// Plays a dialogue and returns it as it went.
fn play(dialogue: &str) -> Vec<String> {
    let mut played: Option<Played> = None;
    let mut went = Vec::new();
    for line in lines_of(dialogue) {
        let (mark, text) = line.split_once(' ').unwrap_or((line, ""));
        if let "S:" | "?" | "=" = mark {
            continue;
        }
        went.push(line.to_owned());
        if mark == "@" {
            played = Some(Played::start(text));
            continue;
        }
        let played = played.as_mut().expect("a dialogue begins with @");
        match mark {
            "A:" => played.answers.push_back(answer(text)),
            "C:" => played.event(Input::Bytes(
                &[unescape(&expand(text)), b"\r\n".to_vec()].concat(),
            )),
            "R:" => played.event(Input::Bytes(&unescape(&expand(text)))),
            "E:" => played.named_event(text),
            other => panic!("unknown mark {other:?}"),
        }
        went.append(&mut played.log);
    }
    went
}

/// The lines of a dialogue that are not empty and no remark.
pub(crate) fn lines_of(dialogue: &str) -> impl Iterator<Item = &str> {
    let lines = dialogue.lines();
    lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// Plays the dialogues of a file and compares how they went.
pub(crate) fn check_with(file: &str, play: fn(&str) -> Vec<String>) {
    for dialogue in file.split("\n## ").skip(1) {
        let (title, body) = dialogue.split_once('\n').unwrap();
        let want: Vec<&str> = lines_of(body).collect();
        let went = play(body);
        assert!(went == want, "{title}; it went:\n{}\n", went.join("\n"));
    }
}

fn check(file: &str) {
    check_with(file, play);
}

#[test]
fn greeting_and_order_of_commands_follow_the_dialogues() {
    check(include_str!("dialogues/greeting.txt"));
}

#[test]
fn transactions_follow_the_dialogues() {
    check(include_str!("dialogues/transaction.txt"));
}

#[test]
fn message_content_follows_the_dialogues() {
    check(include_str!("dialogues/content.txt"));
}

#[test]
fn starttls_and_auth_follow_the_dialogues() {
    check(include_str!("dialogues/tls_and_auth.txt"));
}

#[test]
fn mistakes_follow_the_dialogues() {
    check(include_str!("dialogues/mistakes.txt"));
}

#[test]
fn manners_follow_the_dialogues() {
    check(include_str!("dialogues/manners.txt"));
}

#[test]
fn endings_follow_the_dialogues() {
    check(include_str!("dialogues/endings.txt"));
}
