//! Every reason for which something is refused, with its reply code, enhanced code (RFC 3463), words and the setting
//! that decided. Refusal texts stand here and nowhere else.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use settings::MEGABYTE;
use smtp::Reply;

/// Why a client was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "the text of each reason says what it is, in `reply` below"
)]
pub enum Reason {
    ServerFull,
    TooManyConnections {
        ip: IpAddr,
    },
    AuthNotEnabled,
    EncryptionRequired,
    TooManyFailedLogins {
        ip: IpAddr,
        until: String,
    },
    BadCredentials,
    AccountDisabled,
    PasswordCheckUnavailable,
    AuthenticationRequired,
    LoginOutdated,
    DeclaredSizeTooLarge {
        size: u64,
        limit: u64,
    },
    SenderNotQualified {
        sender: String,
    },
    TooManyRecipients {
        limit: u32,
    },
    RecipientNotQualified {
        recipient: String,
    },
    RelayDenied {
        recipient: String,
        can_sign_in: bool,
    },
    LocalSenderNeedsLogin {
        sender: String,
    },
    SenderNotOwned {
        sender: String,
        user: String,
    },
    TrustedSenderNotLocal {
        sender: String,
    },
    NoSuchUser {
        recipient: String,
    },
    NothingSentTooManyRecipients {
        count: u32,
        limit: u32,
    },
    MessageTooLarge {
        size: u64,
        limit: u64,
    },
    HeaderTooLarge,
    TooManyHops {
        hops: usize,
        limit: u32,
    },
    AttachmentTooLarge {
        name: String,
        size: u64,
        limit_mb: u32,
    },
    NoAuthor,
    UnreadableAuthor,
    AuthorNotOwned {
        author: String,
        user: String,
    },
    AutoForwarded,
    StorageFull,
    StorageUnwritable,
    StorageBusy,
    StorageFailed,
}

impl Reason {
    /// Reply code, subject and detail of the enhanced code, and the words. RFC 5321 §4.2, RFC 3463, RFC 5248.
    #[allow(
        clippy::too_many_lines,
        reason = "one flat table of all replies reads better than pieces of it"
    )]
    fn parts(&self) -> (u16, (u16, u16), String) {
        use Reason as R;
        match self {
            // RFC 5321 §3.8: 421 announces that the server closes the channel.
            R::ServerFull => (
                421,
                (3, 2),
                "too many sessions are open, try again later".into(),
            ),
            R::TooManyConnections { ip } => {
                (421, (7, 0), format!("too many connections from {ip}"))
            }
            R::AuthNotEnabled => (503, (5, 1), "authentication is not enabled".into()),
            // RFC 4954 §6 with the enhanced code that IANA registered for 538.
            R::EncryptionRequired => (
                538,
                (7, 11),
                "encryption is required before authentication: use STARTTLS".into(),
            ),
            R::TooManyFailedLogins { ip, until } => (
                454,
                (7, 0),
                format!("too many failed logins from {ip}, try again after {until}"),
            ),
            // Does not tell which half was wrong.
            R::BadCredentials => (535, (7, 8), "authentication credentials invalid".into()),
            R::AccountDisabled => (525, (7, 13), "user account disabled".into()),
            R::PasswordCheckUnavailable => (
                454,
                (7, 0),
                "temporary authentication failure, try again later".into(),
            ),
            // RFC 4954 §6, RFC 6409 §4.3
            R::AuthenticationRequired => (530, (7, 0), "authentication required".into()),
            // RFC 4954 §4 allows one AUTH in a session, so that another login needs another session.
            R::LoginOutdated => (
                421,
                (7, 0),
                "the account changed since you signed in; connect and sign in again".into(),
            ),
            // RFC 1870 §6.1
            R::DeclaredSizeTooLarge { size, limit } | R::MessageTooLarge { size, limit } => (
                552,
                (3, 4),
                format!("message size {size} exceeds limit {limit} bytes"),
            ),
            R::SenderNotQualified { sender } => (
                504,
                (5, 2),
                format!("{sender}: sender address rejected: need a fully-qualified address"),
            ),
            // RFC 5321 §4.5.3.1.10: 452, not 552
            R::TooManyRecipients { limit } => {
                (452, (5, 3), format!("too many recipients, limit {limit}"))
            }
            R::RecipientNotQualified { recipient } => (
                504,
                (5, 2),
                format!("{recipient}: recipient address rejected: need a fully-qualified address"),
            ),
            R::RelayDenied {
                recipient,
                can_sign_in: true,
            } => (
                550,
                (7, 1),
                format!("{recipient}: relay access denied - authentication required"),
            ),
            R::RelayDenied {
                recipient,
                can_sign_in: false,
            } => (
                550,
                (7, 1),
                format!(
                    "{recipient}: relay access denied - users send through the submission port"
                ),
            ),
            R::LocalSenderNeedsLogin { sender } => (
                550,
                (7, 1),
                format!("{sender}: a sender in a local domain requires authentication"),
            ),
            R::SenderNotOwned { sender, user } => (
                553,
                (7, 1),
                format!("{sender}: sender address rejected: not owned by user {user}"),
            ),
            R::TrustedSenderNotLocal { sender } => (
                550,
                (7, 1),
                format!("{sender}: without login the sender must be an address of this server"),
            ),
            R::NoSuchUser { recipient } => (550, (1, 1), format!("{recipient}: no such user here")),
            R::NothingSentTooManyRecipients { count, limit } => (
                550,
                (5, 3),
                format!("too many recipients ({count}, limit {limit}); nothing was sent"),
            ),
            R::HeaderTooLarge => (
                552,
                (3, 4),
                "the message header is too large to be read (limit 256 KB)".into(),
            ),
            // RFC 3463 §3.5: X.4.6 is a routing loop
            R::TooManyHops { hops, limit } => (
                554,
                (4, 6),
                format!("too many hops ({hops} Received headers, limit {limit})"),
            ),
            R::AttachmentTooLarge {
                name,
                size,
                limit_mb,
            } => (
                552,
                (3, 4),
                format!(
                    "attachment \"{name}\" ({}) exceeds the limit of {limit_mb} MB per attachment",
                    megabytes(*size)
                ),
            ),
            R::NoAuthor => (
                550,
                (7, 1),
                "a message from a signed-in user needs its address in the From header".into(),
            ),
            R::UnreadableAuthor => (
                550,
                (7, 1),
                "the From or Sender header cannot be read as addresses".into(),
            ),
            R::AuthorNotOwned { author, user } => (
                550,
                (7, 1),
                format!("header address {author} is not owned by user {user}"),
            ),
            R::AutoForwarded => (
                550,
                (7, 1),
                "automatic forwarding is disabled on this server".into(),
            ),
            // RFC 5321 §4.2.3: 452 for all three, so that the client keeps the message and comes again.
            R::StorageFull => (
                452,
                (3, 1),
                "insufficient system storage, try again later".into(),
            ),
            R::StorageUnwritable => (
                452,
                (3, 1),
                "mail cannot be written to the disk at present, try again later".into(),
            ),
            R::StorageBusy => (
                452,
                (3, 1),
                "the mail database is busy, try again later".into(),
            ),
            // A defect of this program, not of its disk.
            R::StorageFailed => (
                451,
                (3, 0),
                "the message could not be stored, try again later".into(),
            ),
        }
    }

    /// The reply that the client gets, without the token.
    pub fn reply(&self) -> Reply {
        let (code, enhanced, text) = self.parts();
        Reply::new(code, enhanced, text)
    }

    /// The words alone.
    pub fn text(&self) -> String {
        self.parts().2
    }

    /// Whether the connection ends with this reply.
    pub fn closes(&self) -> bool {
        self.parts().0 == 421
    }

    /// Path of the setting that decided, if one did.
    pub fn setting(&self) -> Option<&'static str> {
        use Reason as R;
        Some(match self {
            R::ServerFull
            | R::TooManyConnections { .. }
            | R::TooManyFailedLogins { .. }
            | R::PasswordCheckUnavailable
            | R::HeaderTooLarge
            | R::StorageFull
            | R::StorageUnwritable
            | R::StorageBusy
            | R::StorageFailed => return None,
            R::AuthNotEnabled
            | R::AuthenticationRequired
            | R::RelayDenied { .. }
            | R::LocalSenderNeedsLogin { .. } => "general.smtp_auth",
            R::EncryptionRequired => "general.auth_requires_tls",
            R::BadCredentials | R::AccountDisabled | R::LoginOutdated | R::NoSuchUser { .. } => {
                "users"
            }
            R::DeclaredSizeTooLarge { .. } | R::MessageTooLarge { .. } => {
                "general.max_message_size_mb"
            }
            R::SenderNotQualified { .. } | R::RecipientNotQualified { .. } => "general.domain",
            R::TooManyRecipients { .. } | R::NothingSentTooManyRecipients { .. } => {
                "general.max_recipients"
            }
            R::SenderNotOwned { .. }
            | R::NoAuthor
            | R::UnreadableAuthor
            | R::AuthorNotOwned { .. } => "general.sender_must_match_login",
            R::TrustedSenderNotLocal { .. } => "general.skip_auth_for_local_network",
            R::TooManyHops { .. } => "general.max_hops",
            R::AttachmentTooLarge { .. } => "general.max_attachment_size_mb",
            R::AutoForwarded => "general.disable_auto_forwarding",
        })
    }
}

/// A size for people, in MB of 1,048,576 bytes; never rounded down to the limit it exceeds.
fn megabytes(size: u64) -> String {
    let tenths = size.saturating_mul(10).div_ceil(MEGABYTE);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests;
