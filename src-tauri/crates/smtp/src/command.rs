//! One line of a client, read as a command.

mod parameters;
mod xtext;

pub use parameters::{Body, MailParameters, Notify, RcptParameters, Ret};

use crate::address::{AddressError, ForwardPath, ReversePath, split_path};
use crate::protocol_error::ProtocolError;
use crate::sasl::{InitialResponse, Mechanism};

/// Longest name after EHLO or HELO in octets (RFC 5321 §4.5.3.1.2).
const MAX_HELLO: usize = 255;

/// A well-formed command. Whether it is possible now is the session's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// EHLO and HELO with the name the client gives itself, which is any printable text without spaces.
    Hello {
        /// As the client wrote it.
        name: String,
        /// EHLO, so that extensions can be used.
        extended: bool,
    },
    /// MAIL FROM.
    Mail {
        /// The sender.
        path: ReversePath,
        /// What stood behind it.
        parameters: MailParameters,
        /// The path was written with non-ASCII characters.
        international: bool,
        /// Something stood behind the path, so the client uses ESMTP.
        extended: bool,
    },
    /// RCPT TO.
    Rcpt {
        /// The recipient.
        path: ForwardPath,
        /// What stood behind it.
        parameters: RcptParameters,
        /// The path was written with non-ASCII characters.
        international: bool,
        /// Something stood behind the path, so the client uses ESMTP.
        extended: bool,
    },
    /// DATA.
    Data,
    /// BDAT: `size` octets follow at once (RFC 3030 §2).
    Bdat {
        /// Octets in this chunk.
        size: u64,
        /// The message ends with this chunk.
        last: bool,
    },
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth {
        /// A mechanism this server knows.
        mechanism: Mechanism,
        /// The response that stood in the command itself.
        initial: Option<InitialResponse>,
    },
    /// RSET.
    Rset,
    /// NOOP, with or without an argument.
    Noop,
    /// HELP, with or without an argument.
    Help,
    /// VRFY; its argument is of no interest, since nothing is confirmed.
    Vrfy,
    /// EXPN.
    Expn,
    /// ETRN (RFC 1985).
    Etrn,
    /// QUIT.
    Quit,
}

impl Command {
    /// Reads a line without its CRLF.
    pub fn parse(line: &[u8]) -> Result<Command, ProtocolError> {
        let line = std::str::from_utf8(line).map_err(|_| ProtocolError::NotUtf8)?;
        if line
            .chars()
            .any(|c| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}'))
        {
            return Err(ProtocolError::ControlCharacter);
        }
        // RFC 5321 §4.1.1: trailing white space is tolerated.
        let line = line.trim_end_matches([' ', '\t']);
        let (verb, arguments) = line.split_once(' ').unwrap_or((line, ""));
        Self::parse_verb(
            &verb.to_ascii_uppercase(),
            arguments.trim_start_matches(' '),
        )
    }

    fn parse_verb(verb: &str, arguments: &str) -> Result<Command, ProtocolError> {
        match verb {
            "EHLO" => hello(arguments, true, "EHLO hostname"),
            "HELO" => hello(arguments, false, "HELO hostname"),
            "MAIL" => mail(arguments),
            "RCPT" => rcpt(arguments),
            "DATA" => alone(arguments, Command::Data, "DATA"),
            "BDAT" => bdat(arguments),
            "STARTTLS" => alone(arguments, Command::StartTls, "STARTTLS"),
            "AUTH" => auth(arguments),
            "RSET" => alone(arguments, Command::Rset, "RSET"),
            "NOOP" => Ok(Command::Noop),
            "HELP" => Ok(Command::Help),
            "VRFY" if arguments.is_empty() => Err(ProtocolError::Syntax("VRFY address")),
            "VRFY" => Ok(Command::Vrfy),
            "EXPN" => Ok(Command::Expn),
            "ETRN" => Ok(Command::Etrn),
            "QUIT" => alone(arguments, Command::Quit, "QUIT"),
            // A browser made to post to this port sends its body as commands if it is let to.
            "GET" | "POST" | "PUT" | "HEAD" | "OPTIONS" | "CONNECT" | "PATCH" | "DELETE" => {
                Err(ProtocolError::ForeignProtocol)
            }
            _ => Err(ProtocolError::Unknown),
        }
    }
}

fn alone(arguments: &str, command: Command, form: &'static str) -> Result<Command, ProtocolError> {
    if arguments.is_empty() {
        Ok(command)
    } else {
        Err(ProtocolError::Syntax(form))
    }
}

fn hello(name: &str, extended: bool, form: &'static str) -> Result<Command, ProtocolError> {
    if name.is_empty() || name.len() > MAX_HELLO || name.contains([' ', '\t']) {
        return Err(ProtocolError::Syntax(form));
    }
    Ok(Command::Hello {
        name: name.to_owned(),
        extended,
    })
}

/// Takes `FROM:` or `TO:` off the front. RFC 5321 §3.3 allows no space behind the colon, but clients send one.
fn after_keyword<'a>(arguments: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = arguments.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword)
        .then(|| rest.trim_start_matches(' '))
}

/// The path and the parameters behind it, which a space must part.
fn path_and_parameters<'a>(
    arguments: &'a str,
    keyword: &str,
    form: &'static str,
    malformed: fn(AddressError) -> ProtocolError,
) -> Result<(&'a str, &'a str), ProtocolError> {
    let arguments = after_keyword(arguments, keyword).ok_or(ProtocolError::Syntax(form))?;
    let (path, rest) = split_path(arguments).map_err(|error| match error {
        AddressError::Brackets => ProtocolError::Syntax(form),
        error => malformed(error),
    })?;
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(ProtocolError::Syntax(form));
    }
    Ok((path, rest.trim_start_matches(' ')))
}

fn mail(arguments: &str) -> Result<Command, ProtocolError> {
    let (path, rest) = path_and_parameters(
        arguments,
        "FROM:",
        "MAIL FROM:<address>",
        ProtocolError::Sender,
    )?;
    Ok(Command::Mail {
        path: ReversePath::parse(path).map_err(ProtocolError::Sender)?,
        parameters: MailParameters::parse(rest)?,
        international: !path.is_ascii(),
        extended: !rest.is_empty(),
    })
}

fn rcpt(arguments: &str) -> Result<Command, ProtocolError> {
    let (path, rest) = path_and_parameters(
        arguments,
        "TO:",
        "RCPT TO:<address>",
        ProtocolError::Recipient,
    )?;
    Ok(Command::Rcpt {
        path: ForwardPath::parse(path).map_err(ProtocolError::Recipient)?,
        parameters: RcptParameters::parse(rest)?,
        international: !path.is_ascii(),
        extended: !rest.is_empty(),
    })
}

fn bdat(arguments: &str) -> Result<Command, ProtocolError> {
    let malformed = ProtocolError::Syntax("BDAT size [LAST]");
    let (size, last) = match arguments.split_once(' ') {
        None => (arguments, false),
        Some((size, word)) if word.trim_start_matches(' ').eq_ignore_ascii_case("LAST") => {
            (size, true)
        }
        Some(_) => return Err(malformed),
    };
    Ok(Command::Bdat {
        size: digits(size).ok_or(malformed)?,
        last,
    })
}

fn auth(arguments: &str) -> Result<Command, ProtocolError> {
    let malformed = ProtocolError::Syntax("AUTH mechanism [initial-response]");
    let mut words = arguments.split(' ').filter(|word| !word.is_empty());
    let mechanism = words.next().ok_or(malformed)?;
    let initial = words.next().map(InitialResponse::new);
    if words.next().is_some() {
        return Err(malformed);
    }
    let mechanism = Mechanism::parse(mechanism).ok_or(ProtocolError::UnknownMechanism)?;
    Ok(Command::Auth { mechanism, initial })
}

/// A number of 1 to 20 digits (RFC 1870 §3, RFC 3030 §2) and nothing else: no sign, no space. What 64 bits cannot hold
/// is taken for the largest number they can, which is too large for every purpose as well.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 20 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
