//! What a client did wrong, and the one table of replies for it.
//!
//! Only mistakes against the protocol are here. Refusals that follow from a setting come from the `policy` crate as
//! answers to the session's questions.

use crate::address::AddressError;
use crate::domain::DomainError;
use crate::reply::Reply;

/// A mistake against the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A command line longer than the limit.
    LineTooLong,
    /// A line of an AUTH exchange longer than the limit.
    AuthLineTooLong,
    /// A command line with a CR or LF that is not part of its final CRLF.
    BareLineEnd,
    /// A command line that is not UTF-8.
    NotUtf8,
    /// A command line with a control character.
    ControlCharacter,
    /// No such command.
    Unknown,
    /// Another protocol is spoken: TLS on a cleartext port, HTTP.
    ForeignProtocol,
    /// The command's arguments do not follow its syntax, which is given.
    Syntax(&'static str),
    /// A parameter of MAIL or RCPT that was not announced.
    UnknownParameter,
    /// A known parameter with a value that is none, or given twice.
    ParameterValue(&'static str),
    /// The reverse-path is malformed.
    Sender(AddressError),
    /// The forward-path is malformed.
    Recipient(AddressError),
    /// An address with non-ASCII characters although SMTPUTF8 was not said.
    NeedsSmtpUtf8,
    /// EHLO or HELO has to come first.
    NeedHello,
    /// EHLO has to come first: the command belongs to an extension.
    NeedEhlo,
    /// MAIL has to come first.
    NeedMail,
    /// RCPT has to come first.
    NeedRecipient,
    /// Every RCPT was refused.
    NoValidRecipients,
    /// MAIL inside a transaction.
    NestedMail,
    /// AUTH inside a transaction.
    AuthInTransaction,
    /// RCPT or DATA after the first BDAT.
    ChunksStarted,
    /// DATA or BDAT in a session whose lines end with a bare LF: the end of the content would never be found.
    ContentNeedsCrlf,
    /// STARTTLS inside TLS.
    TlsActive,
    /// The command exists, but not on this connection.
    NotOffered,
    /// AUTH after a successful AUTH.
    AlreadyAuthenticated,
    /// AUTH over a cleartext connection where that is not allowed.
    AuthNeedsTls,
    /// An AUTH mechanism that was not announced.
    UnknownMechanism,
    /// The client gave the exchange up with `*`.
    AuthCancelled,
    /// A response that is not base64.
    Base64,
    /// A response that does not hold what the mechanism asks for.
    Credentials,
    /// The client wants to act as somebody other than the login.
    AuthorizationIdentity,
}

impl ProtocolError {
    /// The reply for it.
    pub fn reply(self) -> Reply {
        use ProtocolError::*;
        let (code, enhanced, text) = match self {
            LineTooLong => (500, (5, 2), "line too long"),
            // RFC 4954 §4
            AuthLineTooLong => (500, (5, 6), "authentication exchange line is too long"),
            BareLineEnd => (500, (5, 2), "bare CR or LF: lines must end with CRLF"),
            NotUtf8 => (500, (5, 2), "the command is not valid UTF-8"),
            ControlCharacter => (500, (5, 2), "the command holds a control character"),
            Unknown => (500, (5, 2), "command not recognized"),
            ForeignProtocol => (554, (5, 0), "this is an SMTP server"),
            Syntax(form) => return Reply::new(501, (5, 4), format!("syntax: {form}")),
            UnknownParameter => (555, (5, 4), "parameter not recognized"),
            ParameterValue(name) => {
                return Reply::new(501, (5, 4), format!("bad value for parameter {name}"));
            }
            Sender(error) => return bad_path(error, (1, 7), (1, 8)),
            Recipient(error) => return bad_path(error, (1, 3), (1, 2)),
            // RFC 6531 §3.5
            NeedsSmtpUtf8 => (
                553,
                (6, 7),
                "the address is not ASCII and SMTPUTF8 was not requested",
            ),
            NeedHello => (503, (5, 1), "send EHLO or HELO first"),
            NeedEhlo => (503, (5, 1), "send EHLO first"),
            NeedMail => (503, (5, 1), "need MAIL command"),
            NeedRecipient => (503, (5, 1), "need RCPT command"),
            NoValidRecipients => (554, (5, 1), "no valid recipients"),
            NestedMail => (503, (5, 1), "nested MAIL command"),
            AuthInTransaction => (
                503,
                (5, 1),
                "AUTH is not possible during a mail transaction",
            ),
            ChunksStarted => (503, (5, 1), "only BDAT can follow BDAT"),
            ContentNeedsCrlf => (
                500,
                (5, 2),
                "message content needs lines that end with CRLF (try nc -C or openssl s_client -crlf)",
            ),
            TlsActive => (503, (5, 1), "TLS is already active"),
            NotOffered => (502, (5, 1), "command not available here"),
            AlreadyAuthenticated => (503, (5, 1), "already authenticated"),
            AuthNeedsTls => (
                538,
                (7, 11),
                "encryption required for requested authentication mechanism",
            ),
            UnknownMechanism => (504, (5, 4), "authentication mechanism not offered"),
            AuthCancelled => (501, (7, 0), "authentication cancelled"),
            Base64 => (501, (5, 2), "cannot decode the base64 response"),
            Credentials => (
                501,
                (5, 2),
                "the response does not hold a login and a password",
            ),
            AuthorizationIdentity => (535, (7, 8), "acting as another user is not possible"),
        };
        Reply::new(code, enhanced, text)
    }

    /// Whether the conversation cannot go on, because what follows is not meant for an SMTP server.
    pub(crate) fn is_fatal(self) -> bool {
        self == ProtocolError::ForeignProtocol
    }
}

fn bad_path(error: AddressError, malformed: (u16, u16), impossible: (u16, u16)) -> Reply {
    match error {
        // `user@192.0.2.1` follows the grammar of a domain, but no such domain can exist.
        AddressError::Domain(DomainError::Ip) => Reply::new(
            550,
            impossible,
            "an IP address stands in square brackets: user@[192.0.2.1]",
        ),
        error => Reply::new(501, malformed, format!("bad address syntax: {error}")),
    }
}
