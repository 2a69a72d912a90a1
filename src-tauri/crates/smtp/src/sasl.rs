//! The AUTH exchanges a server speaks: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::protocol_error::ProtocolError;

/// A mechanism this server announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mechanism {
    /// Login and password in one response.
    Plain,
    /// Login and password in two responses.
    Login,
}

impl Mechanism {
    /// The names for the EHLO reply.
    pub(crate) const ANNOUNCED: &'static str = "AUTH PLAIN LOGIN";

    pub(crate) fn parse(name: &str) -> Option<Mechanism> {
        match name.to_ascii_uppercase().as_str() {
            "PLAIN" => Some(Mechanism::Plain),
            "LOGIN" => Some(Mechanism::Login),
            _ => None,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
        })
    }
}

/// Who the client says it is. The password is wiped from memory when this is dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whom to act as: the login itself, since nobody may act as another.
    pub authorization: String,
    /// The login, as typed; not empty, without control characters.
    pub login: String,
    /// The password; not empty.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?})", self.login)
    }
}

/// The response inside the AUTH command, still in base64; `=` stands for an empty one (RFC 4954 §4). It holds a
/// password, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct InitialResponse(Zeroizing<String>);

impl InitialResponse {
    pub(crate) fn new(text: &str) -> InitialResponse {
        InitialResponse(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for InitialResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialResponse")
    }
}

/// What follows a client's response.
pub(crate) enum Step {
    /// Send this in a 334, already in base64.
    Challenge(&'static str),
    /// The exchange is complete.
    Complete(Credentials),
}

/// One AUTH exchange under way.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Exchange {
    mechanism: Mechanism,
    login: Option<String>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({})", self.mechanism)
    }
}

impl Exchange {
    /// Begins an exchange; `initial` is the response that stood in the AUTH command, in base64.
    pub(crate) fn begin(
        mechanism: Mechanism,
        initial: Option<&str>,
    ) -> Result<(Exchange, Step), ProtocolError> {
        let mut exchange = Exchange {
            mechanism,
            login: None,
        };
        let step = match initial {
            // RFC 4954 §4: `=` is an initial response of no octets.
            Some("=") => exchange.take(Zeroizing::new(Vec::new()))?,
            Some(response) => exchange.respond(response.as_bytes())?,
            None => exchange.challenge(),
        };
        Ok((exchange, step))
    }

    /// Takes a response line without its CRLF.
    pub(crate) fn respond(&mut self, line: &[u8]) -> Result<Step, ProtocolError> {
        if line == b"*" {
            return Err(ProtocolError::AuthCancelled);
        }
        let response = STANDARD.decode(line).map_err(|_| ProtocolError::Base64)?;
        self.take(Zeroizing::new(response))
    }

    fn challenge(&self) -> Step {
        Step::Challenge(match (self.mechanism, &self.login) {
            (Mechanism::Plain, _) => "",
            // "Username:" and "Password:"; clients compare these texts.
            (Mechanism::Login, None) => "VXNlcm5hbWU6",
            (Mechanism::Login, Some(_)) => "UGFzc3dvcmQ6",
        })
    }

    fn take(&mut self, response: Zeroizing<Vec<u8>>) -> Result<Step, ProtocolError> {
        let text = std::str::from_utf8(&response).map_err(|_| ProtocolError::Credentials)?;
        match (self.mechanism, self.login.take()) {
            (Mechanism::Plain, _) => plain(text).map(Step::Complete),
            (Mechanism::Login, None) => {
                self.login = Some(checked_login(text)?);
                Ok(self.challenge())
            }
            (Mechanism::Login, Some(login)) => credentials(login, text).map(Step::Complete),
        }
    }
}

/// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
fn plain(message: &str) -> Result<Credentials, ProtocolError> {
    let mut fields = message.split('\0');
    let (Some(authorization), Some(login), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(ProtocolError::Credentials);
    };
    let login = checked_login(login)?;
    if !authorization.is_empty() && authorization != login {
        return Err(ProtocolError::AuthorizationIdentity);
    }
    credentials(login, password)
}

fn checked_login(login: &str) -> Result<String, ProtocolError> {
    if login.is_empty() || login.chars().any(char::is_control) {
        return Err(ProtocolError::Credentials);
    }
    Ok(login.to_owned())
}

fn credentials(login: String, password: &str) -> Result<Credentials, ProtocolError> {
    if password.is_empty() || password.contains('\0') {
        return Err(ProtocolError::Credentials);
    }
    Ok(Credentials {
        authorization: login.clone(),
        login,
        password: Zeroizing::new(password.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_response(message: &[u8]) -> Result<Credentials, ProtocolError> {
        match Exchange::begin(Mechanism::Plain, Some(&STANDARD.encode(message)))? {
            (_, Step::Complete(credentials)) => Ok(credentials),
            (_, Step::Challenge(_)) => panic!("PLAIN has one step"),
        }
    }

    #[test]
    fn plain_takes_login_and_password() {
        let credentials = plain_response("\0alice\0pässword".as_bytes()).unwrap();
        assert_eq!(
            (credentials.login.as_str(), credentials.password.as_str()),
            ("alice", "pässword")
        );
        assert_eq!(
            plain_response(b"alice\0alice\0x").unwrap().authorization,
            "alice"
        );
    }

    #[test]
    fn nobody_acts_as_another() {
        assert_eq!(
            plain_response(b"bob\0alice\0x"),
            Err(ProtocolError::AuthorizationIdentity)
        );
    }

    #[test]
    fn malformed_responses_are_refused() {
        for message in [
            &b""[..],
            b"abc",
            b"\0a",
            b"\0a\0b\0c",
            b"\0\0b",
            b"\0a\0",
            b"\0\xff\xfe\0\xff",
            b"\0a\rb\0c",
        ] {
            assert_eq!(
                plain_response(message),
                Err(ProtocolError::Credentials),
                "{message:?}"
            );
        }
        for line in [&b"!!!!"[..], b"AGE", b"AGEAYg== ", b"\xff"] {
            let mut exchange = Exchange {
                mechanism: Mechanism::Plain,
                login: None,
            };
            assert!(
                matches!(exchange.respond(line), Err(ProtocolError::Base64)),
                "{line:?}"
            );
        }
        assert!(matches!(
            Exchange::begin(Mechanism::Plain, Some("=")),
            Err(ProtocolError::Credentials)
        ));
    }

    #[test]
    fn the_password_is_never_shown() {
        assert_eq!(
            format!("{:?}", InitialResponse::new("AGEAYg==")),
            "InitialResponse"
        );
        let credentials = plain_response(b"\0alice\0secret").unwrap();
        assert_eq!(format!("{credentials:?}"), "Credentials(\"alice\")");
    }
}
