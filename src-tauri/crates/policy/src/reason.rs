//! Every reason for which something is refused, with its reply code, enhanced code (RFC 3463), words and the setting
//! that decided. Refusal texts stand in `reason/words.rs` and nowhere else.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use smtp::Reply;

mod words;

/// Why a client was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "the text of each reason says what it is, in `words.rs`"
)]
pub enum Reason {
    ServerFull,
    TooManyConnections {
        ip: IpAddr,
        /// The limit of the settings; none where the server itself has no more places for one client.
        #[serde(default)]
        limit: Option<u32>,
    },
    ConnectionRate {
        limit: u32,
    },
    Blocked {
        ip: IpAddr,
        until: String,
    },
    SpokeEarly,
    TooManyErrors,
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
    HeloNeeded,
    MessageRate {
        ip: IpAddr,
    },
    Listed {
        what: String,
    },
    NoReverseName {
        ip: IpAddr,
    },
    ReverseNameUnconfirmed {
        ip: IpAddr,
        name: String,
    },
    ReverseNameUnchecked {
        ip: IpAddr,
    },
    HeloNotFqdn {
        helo: String,
    },
    HeloUnknown {
        helo: String,
    },
    HeloUnchecked {
        helo: String,
    },
    SenderNotFqdn {
        sender: String,
    },
    SenderDomainUnknown {
        sender: String,
    },
    SenderDomainUnchecked {
        sender: String,
    },
    SenderNullMx {
        sender: String,
        domain: String,
    },
    Dnsbl {
        ip: IpAddr,
        zone: String,
        text: String,
    },
    SpfFail {
        ip: IpAddr,
        domain: String,
        explanation: String,
    },
    SpfTempError {
        domain: String,
    },
    Malware {
        name: String,
    },
    ScanTooLarge,
    ScanUnavailable,
    DkimFail {
        domains: String,
    },
    DkimTempError {
        domain: String,
    },
    DmarcFail {
        domain: String,
    },
    DmarcTempError {
        domain: String,
    },
    FromFieldUnfit {
        /// In our words, without those of the message.
        why: String,
    },
    SeveralTestsFail {
        domain: String,
    },
}

impl Reason {
    /// The reply that the client gets, without the token.
    pub fn reply(&self) -> Reply {
        let (code, enhanced, text) = words::parts(self);
        Reply::new(code, enhanced, bounded(text))
    }

    /// The words alone.
    pub fn text(&self) -> String {
        bounded(words::parts(self).2)
    }

    /// Whether the connection ends with this reply.
    pub fn closes(&self) -> bool {
        matches!(self, Self::SpokeEarly) || words::parts(self).0 == 421
    }

    /// The reason when `other` refuses the same message too. RFC 7372 §3.3: a code of its own says that more than one
    /// test of the author failed.
    #[must_use]
    pub(crate) fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::DkimFail { .. }, Self::DmarcFail { domain }) => Self::SeveralTestsFail {
                domain: domain.clone(),
            },
            (first, _) => first,
        }
    }

    /// Path of the setting that decided, if one did.
    #[expect(
        clippy::too_many_lines,
        reason = "one flat table of all settings reads better than pieces of it"
    )]
    pub fn setting(&self) -> Option<&'static str> {
        use Reason as R;
        Some(match self {
            R::ServerFull
            | R::TooManyConnections { limit: None, .. }
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
            R::TooManyConnections { limit: Some(_), .. } => {
                "security.connection_policy.max_connections"
            }
            R::ConnectionRate { .. } => "security.connection_policy.max_connections_per_minute",
            R::MessageRate { .. } => "security.connection_policy.max_messages_per_minute",
            R::NoReverseName { .. }
            | R::ReverseNameUnconfirmed { .. }
            | R::ReverseNameUnchecked { .. } => {
                "security.connection_policy.reject_unknown_client_hostname"
            }
            R::Blocked { .. } => "security.advanced.max_nonexistent_accounts",
            R::SpokeEarly => "security.advanced.reject_unauthorized_pipelining",
            R::TooManyErrors => "security.advanced.max_junk_commands",
            R::HeloNeeded | R::HeloNotFqdn { .. } => "security.advanced.reject_non_fqdn_helo",
            R::HeloUnknown { .. } | R::HeloUnchecked { .. } => {
                "security.advanced.reject_unknown_helo"
            }
            R::Listed { .. } => "security.lists",
            R::SenderNotFqdn { .. } => "security.sender_policy.reject_non_fqdn",
            R::SenderDomainUnknown { .. }
            | R::SenderDomainUnchecked { .. }
            | R::SenderNullMx { .. } => "security.sender_policy.reject_unknown_domain",
            R::Dnsbl { .. } => "security.checks.dnsbl_zones",
            R::SpfFail { .. } | R::SpfTempError { .. } => "security.checks.spf",
            R::Malware { .. } => "security.checks.antivirus",
            R::ScanTooLarge | R::ScanUnavailable => "security.checks.antivirus_unavailable",
            R::DkimFail { .. } | R::DkimTempError { .. } => "security.checks.dkim",
            R::DmarcFail { .. }
            | R::DmarcTempError { .. }
            | R::FromFieldUnfit { .. }
            | R::SeveralTestsFail { .. } => "security.checks.dmarc",
        })
    }
}

/// Octets of a text that fit into one line of a reply (RFC 5321 §4.5.3.1.5) with its codes and its token.
const MAX_TEXT: usize = 480;

/// What strangers wrote stands at the end of the texts, so what is cut off is theirs.
fn bounded(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT - "...".len()));
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests;
