//! The AUTH exchanges a client speaks: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login), CRAM-MD5 (RFC 2195).

use std::fmt;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use zeroize::Zeroizing;

use super::Login;
use super::capabilities::Capabilities;

/// Longest command line in octets with its CRLF; an initial response that does not fit waits for the server's word
/// (RFC 4954 §4).
const MAX_COMMAND: usize = 512;
/// What stands in the transcript for anything that would give the password away.
pub(super) const MARK: &str = "***";

/// A mechanism this client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    Login,
    CramMd5,
}

impl Mechanism {
    pub(super) fn parse(name: &str) -> Option<Mechanism> {
        [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5]
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::CramMd5 => "CRAM-MD5",
        }
    }
}

/// The mechanisms to try, best first. Inside TLS the simplest is the best. Elsewhere only the admin's word lets the password
/// go, and no mechanism makes up for it: whoever reads an exchange of CRAM-MD5, or asks the question, can try passwords
/// against it for as long as he likes.
pub(super) fn choices(
    capabilities: &Capabilities,
    private: bool,
    password_in_clear: bool,
) -> Vec<Mechanism> {
    let order = if private {
        [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5]
    } else {
        [Mechanism::CramMd5, Mechanism::Plain, Mechanism::Login]
    };
    order
        .into_iter()
        .filter(|_| private || password_in_clear)
        .filter(|mechanism| capabilities.mechanisms.contains(mechanism))
        .collect()
}

/// One exchange under way.
pub(super) struct Exchange {
    mechanism: Mechanism,
    login: Login,
    answered: u8,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({})", self.mechanism.name())
    }
}

impl Exchange {
    /// Begins an exchange: itself and the AUTH command.
    pub(super) fn begin(mechanism: Mechanism, login: &Login) -> (Exchange, Zeroizing<String>) {
        let mut exchange = Exchange {
            mechanism,
            login: login.clone(),
            answered: 0,
        };
        let mut command = Zeroizing::new(format!("AUTH {}", mechanism.name()));
        if mechanism == Mechanism::Plain {
            let initial = exchange.plain();
            if command.len() + 1 + initial.len() + 2 <= MAX_COMMAND {
                exchange.answered = 1;
                command.push(' ');
                command.push_str(&initial);
            }
        }
        (exchange, command)
    }

    pub(super) fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The response to a challenge, in base64; none when the server asks for what the mechanism does not have.
    pub(super) fn respond(&mut self, challenge: &str) -> Option<Zeroizing<String>> {
        let turn = self.answered;
        self.answered = turn.saturating_add(1);
        match (self.mechanism, turn) {
            (Mechanism::Plain, 0) => Some(self.plain()),
            // The texts of the challenges differ between servers; their order does not.
            (Mechanism::Login, 0) => Some(encode(self.login.username.as_bytes())),
            (Mechanism::Login, 1) => Some(encode(self.login.password.as_bytes())),
            (Mechanism::CramMd5, 0) => self.cram_md5(challenge),
            _ => None,
        }
    }

    fn plain(&self) -> Zeroizing<String> {
        let message = Zeroizing::new(format!(
            "\0{}\0{}",
            self.login.username,
            self.login.password.as_str()
        ));
        encode(message.as_bytes())
    }

    /// RFC 2195 §2: the user's name, a space, and the keyed digest of the challenge in lower-case hexadecimal.
    fn cram_md5(&self, challenge: &str) -> Option<Zeroizing<String>> {
        let challenge = STANDARD.decode(challenge.trim()).ok()?;
        let mut mac = Hmac::<Md5>::new_from_slice(self.login.password.as_bytes()).ok()?;
        mac.update(&challenge);
        let mut response = Zeroizing::new(format!("{} ", self.login.username));
        for byte in mac.finalize().into_bytes() {
            // Writing to a text cannot fail.
            let _ = write!(response, "{byte:02x}");
        }
        Some(encode(response.as_bytes()))
    }
}

fn encode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

/// Texts that must not be shown: the password, and every response that was made with it.
#[derive(Default)]
pub(super) struct Secrets(Vec<Zeroizing<String>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    pub(super) fn of(login: Option<&Login>) -> Secrets {
        let mut secrets = Secrets::default();
        if let Some(login) = login {
            let (exchange, _) = Exchange::begin(Mechanism::Plain, login);
            secrets.add(&login.password);
            secrets.add(&encode(login.password.as_bytes()));
            secrets.add(&exchange.plain());
        }
        secrets
    }

    /// The latest is looked for first: it may hold an earlier one.
    pub(super) fn add(&mut self, secret: &str) {
        let secret = secret.trim_end_matches('=');
        if !secret.is_empty() {
            self.0.insert(0, Zeroizing::new(secret.to_owned()));
        }
    }

    /// The text with a mark in every place where a secret stood: a server may repeat what it was sent.
    pub(super) fn scrub(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) {
                text.replace(secret.as_str(), MARK)
            } else {
                text
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(username: &str, password: &str) -> Login {
        Login {
            username: username.to_owned(),
            password: Zeroizing::new(password.to_owned()),
            in_clear: false,
        }
    }

    #[test]
    fn cram_md5_gives_the_digest_of_the_rfc() {
        let (mut exchange, command) =
            Exchange::begin(Mechanism::CramMd5, &login("tim", "tanstaaftanstaaf"));
        assert_eq!(command.as_str(), "AUTH CRAM-MD5");
        let response = exchange
            .respond("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+")
            .unwrap();
        assert_eq!(
            response.as_str(),
            "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"
        );
        assert!(exchange.respond("").is_none());
        let (mut exchange, _) = Exchange::begin(Mechanism::CramMd5, &login("tim", "x"));
        assert!(exchange.respond("no base64!").is_none());
    }

    #[test]
    fn plain_comes_with_its_command_unless_the_line_would_be_too_long() {
        let (mut exchange, command) = Exchange::begin(Mechanism::Plain, &login("alice", "secret"));
        assert_eq!(command.as_str(), "AUTH PLAIN AGFsaWNlAHNlY3JldA==");
        assert!(exchange.respond("").is_none());
        let (mut exchange, command) =
            Exchange::begin(Mechanism::Plain, &login("alice", &"x".repeat(500)));
        assert_eq!(command.as_str(), "AUTH PLAIN");
        assert!(exchange.respond("").is_some());
    }

    #[test]
    fn what_a_password_was_made_into_is_not_shown() {
        let secrets = Secrets::of(Some(&login("alice", "secret")));
        assert_eq!(
            secrets.scrub("secret c2VjcmV0 AGFsaWNlAHNlY3JldA== AGFsaWNlAHNlY3JldA"),
            "*** *** ***== ***"
        );
        assert_eq!(format!("{secrets:?}"), "Secrets");
    }

    #[test]
    fn outside_tls_only_the_admins_word_lets_a_mechanism_be_chosen() {
        let all = Capabilities {
            mechanisms: vec![Mechanism::Login, Mechanism::Plain, Mechanism::CramMd5],
            ..Capabilities::default()
        };
        assert!(choices(&all, false, false).is_empty());
        assert_eq!(choices(&all, false, true)[0], Mechanism::CramMd5);
        assert_eq!(choices(&all, true, false)[0], Mechanism::Plain);
    }
}
