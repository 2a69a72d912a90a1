//! What can stand behind the paths of MAIL and RCPT.

use serde::{Deserialize, Serialize};

use super::{digits, xtext};
use crate::protocol_error::ProtocolError;

/// Longest envelope identifier, in the characters of its xtext (RFC 3461 §4.4).
const MAX_ENVID: usize = 100;
/// Longest original recipient, in the characters of its xtext (RFC 3461 §4.2).
const MAX_ORCPT: usize = 500;
/// Longest AUTH parameter, in the characters of its xtext (RFC 4954 §5 adds 500 to the line).
const MAX_AUTH: usize = 500;

/// What the client says of the message's body (RFC 6152).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Nothing, or `7BIT`.
    #[default]
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
}

/// How much of the message a delivery status notification returns (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ret {
    /// The whole message.
    Full,
    /// The header block.
    Headers,
}

/// Parameters of MAIL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailParameters {
    /// Octets the client is going to send (RFC 1870).
    pub size: Option<u64>,
    /// What the body holds.
    pub body: Body,
    /// The message or its envelope is international (RFC 6531).
    pub smtputf8: bool,
    /// What a notification returns.
    pub ret: Option<Ret>,
    /// The sender's name for the transaction, decoded: printable ASCII.
    pub envid: Option<String>,
    /// Who submitted the message first (RFC 4954 §5), decoded: printable ASCII, `<>` when unknown. Not to be trusted.
    pub auth: Option<String>,
}

/// When the sender wants a delivery status notification (RFC 3461 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    /// Never, not even of a failure.
    Never,
    /// In the cases that are set; at least one is.
    On {
        /// When the message was delivered.
        success: bool,
        /// When it cannot be delivered.
        failure: bool,
        /// When it is late.
        delay: bool,
    },
}

/// Parameters of RCPT.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RcptParameters {
    /// When to notify the sender.
    pub notify: Option<Notify>,
    /// The recipient the sender first wrote to, as `type;address`: xtext decoded to printable ASCII for every type but
    /// `utf-8`, which stays as it came (RFC 6533 §3).
    pub orcpt: Option<String>,
}

/// The words of a parameter list: upper-case keyword and value.
fn words(text: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| match word.split_once('=') {
            Some((keyword, value)) => (keyword.to_ascii_uppercase(), Some(value)),
            None => (word.to_ascii_uppercase(), None),
        })
}

/// Puts a value into its place; no value, or a second one, is a mistake.
fn set<T>(
    place: &mut Option<T>,
    value: Option<T>,
    name: &'static str,
) -> Result<(), ProtocolError> {
    if place.is_some() || value.is_none() {
        return Err(ProtocolError::ParameterValue(name));
    }
    *place = value;
    Ok(())
}

impl MailParameters {
    pub(super) fn parse(text: &str) -> Result<MailParameters, ProtocolError> {
        let mut parameters = MailParameters::default();
        let (mut body, mut utf8) = (None, None);
        for (keyword, value) in words(text) {
            match keyword.as_str() {
                "SIZE" => set(&mut parameters.size, value.and_then(digits), "SIZE")?,
                "BODY" => set(&mut body, value.and_then(parse_body), "BODY")?,
                "SMTPUTF8" => set(&mut utf8, value.is_none().then_some(()), "SMTPUTF8")?,
                "RET" => set(&mut parameters.ret, value.and_then(parse_ret), "RET")?,
                "ENVID" => set(
                    &mut parameters.envid,
                    value.and_then(|v| decode(v, MAX_ENVID)),
                    "ENVID",
                )?,
                "AUTH" => set(
                    &mut parameters.auth,
                    value.and_then(|v| decode(v, MAX_AUTH)),
                    "AUTH",
                )?,
                _ => return Err(ProtocolError::UnknownParameter),
            }
        }
        parameters.body = body.unwrap_or_default();
        parameters.smtputf8 = utf8.is_some();
        Ok(parameters)
    }
}

impl RcptParameters {
    pub(super) fn parse(text: &str) -> Result<RcptParameters, ProtocolError> {
        let mut parameters = RcptParameters::default();
        for (keyword, value) in words(text) {
            match keyword.as_str() {
                "NOTIFY" => set(
                    &mut parameters.notify,
                    value.and_then(parse_notify),
                    "NOTIFY",
                )?,
                "ORCPT" => set(&mut parameters.orcpt, value.and_then(parse_orcpt), "ORCPT")?,
                _ => return Err(ProtocolError::UnknownParameter),
            }
        }
        Ok(parameters)
    }
}

fn decode(value: &str, longest: usize) -> Option<String> {
    if value.is_empty() || value.len() > longest {
        None
    } else {
        xtext::decode(value)
    }
}

fn parse_body(value: &str) -> Option<Body> {
    // BINARYMIME (RFC 3030 §3) is not announced: a mailbox of text lines cannot hold it.
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Some(Body::SevenBit),
        "8BITMIME" => Some(Body::EightBitMime),
        _ => None,
    }
}

fn parse_ret(value: &str) -> Option<Ret> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Some(Ret::Full),
        "HDRS" => Some(Ret::Headers),
        _ => None,
    }
}

fn parse_notify(value: &str) -> Option<Notify> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => success = true,
            "FAILURE" => failure = true,
            "DELAY" => delay = true,
            _ => return None,
        }
    }
    Some(Notify::On {
        success,
        failure,
        delay,
    })
}

fn parse_orcpt(value: &str) -> Option<String> {
    let (kind, address) = value.split_once(';')?;
    let is_atom = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_atom || address.is_empty() || value.len() > MAX_ORCPT {
        return None;
    }
    if kind.eq_ignore_ascii_case("utf-8") {
        // RFC 6533 §3: utf-8-addr-xtext has its own escapes, which a notification carries on unchanged. Control
        // characters and spaces cannot be here: the line was searched for them and cut at them.
        return (!address.contains('\t')).then(|| value.to_owned());
    }
    Some(format!("{kind};{}", xtext::decode(address)?))
}
