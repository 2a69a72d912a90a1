//! Golden dialogues: `dialogues/*.txt` hold what a server says and everything the client does in return.
//!
//! ```text
//! ## a sentence of behaviour
//! @ words for the profile; `ready` starts behind EHLO, with the extensions that follow it
//! S: a line of the server; CRLF is added        R: octets of the server; nothing is added
//! M: a message: <sender> <recipient> … and words        B: a piece of its content        B. the last one
//! E: another event
//! C: a line the client sends        c: another line in the same write        C~ a piece without a line end
//! = another action        > what became of a recipient
//! ```
//! `\r \n \t \0 \xHH \\` are escapes, and `{text*N}` repeats.

use zeroize::Zeroizing;

use super::*;
use crate::address::Address;
use crate::command::{Notify, RcptParameters, Ret};
use crate::domain::Domain;
use crate::session::tests::{check_with, expand, lines_of, unescape};

pub(super) fn profile(words: &str) -> Profile {
    let mut profile = Profile {
        peer: "mx".to_owned(),
        protocol: Protocol::Smtp,
        helo: Domain::parse("us.example").unwrap(),
        starttls: StartTls::Never,
        login: None,
    };
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("helo", name)) => profile.helo = Domain::parse(name).unwrap(),
            Some(("login", password)) => {
                profile.login = Some(Login {
                    username: "alice".to_owned(),
                    password: Zeroizing::new(password.to_owned()),
                    in_clear: words.contains("clear"),
                });
            }
            None if word == "lmtp" => profile.protocol = Protocol::Lmtp,
            None if word == "tls" => profile.starttls = StartTls::IfOffered,
            None if word == "must" => profile.starttls = StartTls::Required,
            None if word == "clear" || word == "ready" => {}
            // An extension, announced by the server of a dialogue that starts ready.
            _ if words.contains("ready") => {}
            other => panic!("unknown profile word {other:?}"),
        }
    }
    profile
}

/// `<sender> <recipient> …`, then words; `~` is a space in an address; `notify=` and `orcpt=` belong to the recipient before them.
pub(super) fn mail(text: &str) -> Mail {
    let mut words = text.split(' ');
    let mut mail = Mail {
        sender: words.next().unwrap().replace('~', " ").parse().unwrap(),
        size: 0,
        eight_bit: false,
        smtputf8: false,
        ret: None,
        envid: None,
        recipients: Vec::new(),
    };
    for word in words {
        if let Some(address) = word.strip_prefix('<') {
            mail.recipients.push(Recipient {
                address: Address::parse(&address.strip_suffix('>').unwrap().replace('~', " "))
                    .unwrap(),
                parameters: RcptParameters::default(),
            });
            continue;
        }
        let to = mail.recipients.last_mut().map(|to| &mut to.parameters);
        match word.split_once('=') {
            Some(("size", n)) => mail.size = n.parse().unwrap(),
            Some(("ret", "full")) => mail.ret = Some(Ret::Full),
            Some(("envid", id)) => mail.envid = Some(id.replace('_', " ")),
            Some(("orcpt", orcpt)) => to.unwrap().orcpt = Some(orcpt.to_owned()),
            Some(("notify", "never")) => to.unwrap().notify = Some(Notify::Never),
            Some(("notify", "success")) => {
                to.unwrap().notify = Some(Notify::On {
                    success: true,
                    failure: true,
                    delay: false,
                });
            }
            None if word == "8bit" => mail.eight_bit = true,
            None if word == "utf8" => mail.smtputf8 = true,
            other => panic!("unknown word of a message {other:?}"),
        }
    }
    mail
}

struct Played {
    client: Client,
    log: Vec<String>,
}

impl Played {
    fn start(words: &str) -> Played {
        let mut played = Played {
            client: Client::new(profile(words)),
            log: Vec::new(),
        };
        if words.contains("ready") {
            played.event(Input::Connected);
            played.event(Input::Bytes(b"220 mx.example ESMTP\r\n"));
            let extensions = words
                .split_whitespace()
                .filter(|word| word.chars().any(|c| c.is_uppercase()) || word.starts_with("8BIT"));
            let mut reply = "250-mx.example\r\n".to_owned();
            for extension in extensions {
                reply.push_str(&format!("250-{}\r\n", extension.replace('=', " ")));
            }
            reply.push_str("250 HELP\r\n");
            played.event(Input::Bytes(reply.as_bytes()));
            played.log.clear();
        }
        played
    }

    fn event(&mut self, input: Input<'_>) {
        for action in self.client.handle(input) {
            match action {
                Action::Write(bytes) => self.wrote(&bytes),
                Action::Done(outcomes) => {
                    self.log
                        .extend(outcomes.iter().map(|o| format!("> {}", shown(o))));
                }
                Action::Failed(trouble) => self.log.push(format!("= failed {}", words(&trouble))),
                other => self.log.push(format!("= {other:?}")),
            }
        }
    }

    fn wrote(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for (index, line) in text.split_inclusive("\r\n").enumerate() {
            let mark = match (line.strip_suffix("\r\n"), index) {
                (None, _) => "C~",
                (Some(_), 0) => "C:",
                (Some(_), _) => "c:",
            };
            let line = line.strip_suffix("\r\n").unwrap_or(line);
            let line = format!("{mark} {}", line.escape_default());
            self.log.push(if line.len() > 100 {
                format!("{}… {}", &line[..80], line.len())
            } else {
                line
            });
        }
    }
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered {
            reply,
            dsn_passed_on,
        } => format!(
            "delivered {reply}{}",
            if *dsn_passed_on { " (dsn)" } else { "" }
        ),
        Outcome::Deferred(trouble) => format!("deferred {}", words(trouble)),
        Outcome::Failed(trouble) => format!("failed {}", words(trouble)),
    }
}

fn words(trouble: &Trouble) -> String {
    let hop = if trouble.whole_hop { " (hop)" } else { "" };
    let stale = if trouble.stale { " (stale)" } else { "" };
    format!("{trouble}{hop}{stale}")
}

/// Plays a dialogue and returns it as it went.
fn play(dialogue: &str) -> Vec<String> {
    let mut played: Option<Played> = None;
    let mut went = Vec::new();
    for line in lines_of(dialogue) {
        let (mark, text) = line.split_once(' ').unwrap_or((line, ""));
        if let "C:" | "c:" | "C~" | ">" | "=" = mark {
            continue;
        }
        went.push(line.to_owned());
        if mark == "@" {
            played = Some(Played::start(&expand(text)));
            continue;
        }
        let played = played.as_mut().expect("a dialogue begins with @");
        let octets = match mark {
            "S:" | "R:" | "B:" | "B." => unescape(&expand(text)),
            _ => Vec::new(),
        };
        match mark {
            "S:" => played.event(Input::Bytes(&[octets, b"\r\n".to_vec()].concat())),
            "R:" => played.event(Input::Bytes(&octets)),
            "M:" => played.event(Input::Mail(mail(text))),
            "P:" => played.event(Input::Probe(mail(text))),
            "B:" | "B." => played.event(Input::Content {
                bytes: &octets,
                last: mark == "B.",
            }),
            "E:" => played.event(match text {
                "connected" => Input::Connected,
                "tls" => Input::TlsStarted { private: true },
                "tls unverified" => Input::TlsStarted { private: false },
                "quit" => Input::Quit,
                "timeout" => Input::TimedOut,
                "too long" => Input::TookTooLong,
                "closed" => Input::PeerClosed,
                "lost" => Input::ContentLost("the disk is gone"),
                other => panic!("unknown event {other:?}"),
            }),
            other => panic!("unknown mark {other:?}"),
        }
        went.append(&mut played.log);
    }
    went
}

fn check(file: &str) {
    check_with(file, play);
}

#[test]
fn opening_a_conversation_follows_the_dialogues() {
    check(include_str!("dialogues/opening.txt"));
}

#[test]
fn tls_and_auth_follow_the_dialogues() {
    check(include_str!("dialogues/tls_and_auth.txt"));
}

#[test]
fn transactions_follow_the_dialogues() {
    check(include_str!("dialogues/transaction.txt"));
}

#[test]
fn probes_follow_the_dialogues() {
    check(include_str!("dialogues/probe.txt"));
}

#[test]
fn lmtp_follows_the_dialogues() {
    check(include_str!("dialogues/lmtp.txt"));
}

#[test]
fn endings_follow_the_dialogues() {
    check(include_str!("dialogues/endings.txt"));
}

#[test]
fn the_transcript_shows_everything_but_the_password() {
    let mut played = Played::start("login=secret clear");
    played.event(Input::Connected);
    for line in [
        "220 mx.example",
        "250-mx.example\r\n250 AUTH PLAIN LOGIN CRAM-MD5",
        "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",
        "504 5.5.4 not this one",
        "504 5.5.4 you said AGFsaWNlAHNlY3JldA==",
        "334 VXNlcm5hbWU6",
        "334 UGFzc3dvcmQ6",
        "535 5.7.8 secret and c2VjcmV0 are wrong",
    ] {
        played.event(Input::Bytes(format!("{line}\r\n").as_bytes()));
    }
    let client = &played.client;
    let transcript: Vec<String> = client.transcript().lines().map(Line::to_string).collect();
    assert_eq!(
        transcript,
        [
            "S: 220 mx.example",
            "C: EHLO us.example",
            "S: 250 mx.example",
            "S: 250 AUTH PLAIN LOGIN CRAM-MD5",
            "C: AUTH CRAM-MD5",
            "S: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",
            "C: ***",
            "S: 504 5.5.4 not this one",
            "C: AUTH PLAIN ***",
            "S: 504 5.5.4 you said ***==",
            "C: AUTH LOGIN",
            "S: 334 VXNlcm5hbWU6",
            "C: ***",
            "S: 334 UGFzc3dvcmQ6",
            "C: ***",
            "S: 535 5.7.8 *** and *** are wrong",
            "C: QUIT",
        ]
    );
    assert!(played.log.iter().any(|line| line
        == "= failed 4.7.8 mx refused our login at AUTH: 535 5.7.8 *** and *** are wrong (hop)"));
    assert!(!format!("{client:?}").contains("secret\""));
}

#[test]
fn each_wait_has_the_length_of_the_rfc() {
    let mut played = Played::start("ready");
    let minutes = |played: &Played| played.client.timeout().as_secs() / 60;
    played.event(Input::Mail(mail("<a@x.example> <b@y.example>")));
    assert_eq!(minutes(&played), 5);
    played.event(Input::Bytes(b"250 ok\r\n"));
    assert_eq!(minutes(&played), 5);
    played.event(Input::Bytes(b"250 ok\r\n"));
    assert_eq!(minutes(&played), 2);
    played.event(Input::Bytes(b"354 go\r\n"));
    assert_eq!(minutes(&played), 3);
    played.event(Input::Content {
        bytes: b"x",
        last: true,
    });
    assert_eq!(minutes(&played), 10);
}
