//! The reply to each reason.

use settings::MEGABYTE;

use super::Reason;

/// Reply code, subject and detail of the enhanced code, and the words. RFC 5321 §4.2, RFC 3463, RFC 5248.
#[allow(
    clippy::too_many_lines,
    reason = "one flat table of all replies reads better than pieces of it"
)]
pub(super) fn parts(reason: &Reason) -> (u16, (u16, u16), String) {
    use Reason as R;
    match reason {
        // RFC 5321 §3.8: 421 announces that the server closes the channel.
        R::ServerFull => (
            421,
            (3, 2),
            "too many sessions are open, try again later".into(),
        ),
        R::TooManyConnections { ip, .. } => (
            421,
            (7, 0),
            format!("Error: too many connections from {ip}"),
        ),
        R::ConnectionRate { limit } => (
            421,
            (7, 0),
            format!("Error: connection rate limit reached ({limit} per minute), try again later"),
        ),
        R::Blocked { ip, until } => (
            421,
            (7, 0),
            format!("Error: too many unknown recipients from {ip}, blocked until {until}"),
        ),
        // RFC 5321 §4.3.1, RFC 2920 §3.1
        R::SpokeEarly => (554, (5, 0), "Error: SMTP protocol synchronization".into()),
        R::TooManyErrors => (421, (7, 0), "Error: too many errors".into()),
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
            format!("{recipient}: relay access denied - users send through the submission port"),
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
        R::HeloNeeded => (503, (5, 1), "Error: send HELO/EHLO first".into()),
        R::MessageRate { ip } => (450, (7, 1), format!("Error: too much mail from {ip}")),
        // Says which address or client is meant, and not which rule: that is for our admin.
        R::Listed { what } => (550, (7, 1), format!("{what}: rejected by local policy")),
        // RFC 7372 §3.3: X.7.25 is a reverse name that is not good enough.
        R::NoReverseName { ip } => (
            450,
            (7, 25),
            format!("Client host rejected: cannot find your reverse hostname, [{ip}]"),
        ),
        R::ReverseNameUnconfirmed { ip, name } => (
            450,
            (7, 25),
            format!(
                "Client host rejected: cannot find your hostname, [{ip}]: {name} does not have this address"
            ),
        ),
        R::ReverseNameUnchecked { ip } => (
            450,
            (7, 25),
            format!(
                "Client host rejected: your hostname cannot be looked up now, [{ip}], try again later"
            ),
        ),
        R::HeloNotFqdn { helo } => (
            504,
            (5, 2),
            format!(
                "<{}>: Helo command rejected: need fully-qualified hostname",
                short(helo)
            ),
        ),
        R::HeloUnknown { helo } => (
            450,
            (7, 1),
            format!("<{}>: Helo command rejected: Host not found", short(helo)),
        ),
        R::HeloUnchecked { helo } => (
            450,
            (7, 1),
            format!(
                "<{}>: Helo command rejected: the name cannot be looked up now, try again later",
                short(helo)
            ),
        ),
        R::SenderNotFqdn { sender } => (
            504,
            (5, 2),
            format!("{sender}: Sender address rejected: need fully-qualified address"),
        ),
        // What does not exist today will not tomorrow; 450 would have the other side try for days.
        R::SenderDomainUnknown { sender } => (
            550,
            (1, 8),
            format!("{sender}: Sender address rejected: Domain not found"),
        ),
        R::SenderDomainUnchecked { sender } => (
            451,
            (1, 8),
            format!(
                "{sender}: Sender address rejected: the domain cannot be looked up now, try again later"
            ),
        ),
        // RFC 7505 §4.2
        R::SenderNullMx { sender, domain } => (
            550,
            (7, 27),
            format!(
                "{sender}: Sender address rejected: Domain {domain} does not accept mail (nullMX)"
            ),
        ),
        R::Dnsbl { ip, zone, text } => (
            554,
            (7, 1),
            with_more(
                format!("Service unavailable; Client host [{ip}] blocked using {zone}"),
                text,
            ),
        ),
        // RFC 7208 §8.4, RFC 7372 §3.2
        R::SpfFail {
            ip,
            domain,
            explanation,
        } => (
            550,
            (7, 23),
            with_more(
                format!("SPF: {ip} is not allowed to send mail from {domain}"),
                explanation,
            ),
        ),
        R::SpfTempError { domain } => (
            451,
            (7, 24),
            format!("the SPF record of {domain} cannot be read now, try again later"),
        ),
        R::Malware { name } => (550, (7, 1), format!("message contains malware: {name}")),
        R::ScanTooLarge => (
            552,
            (3, 4),
            "the message is too large to be searched for malware".into(),
        ),
        R::ScanUnavailable => (
            451,
            (3, 0),
            "the message cannot be searched for malware now, try again later".into(),
        ),
        // RFC 7372 §3.1
        R::DkimFail { domains } => (
            550,
            (7, 20),
            format!("no DKIM signature of this message is right: {domains}"),
        ),
        R::DkimTempError { domain } => (
            451,
            (7, 20),
            format!("the DKIM key of {domain} cannot be fetched now, try again later"),
        ),
        R::DmarcFail { domain } => (
            550,
            (7, 1),
            format!("rejected per DMARC policy of {domain}: neither SPF nor DKIM speaks for it"),
        ),
        // RFC 7489 §6.6.2 leaves it to the receiver to put off what cannot be decided.
        R::DmarcTempError { domain } => (
            451,
            (7, 1),
            format!("the DMARC policy of {domain} cannot be applied now, try again later"),
        ),
        // RFC 7489 §6.6.1
        R::FromFieldUnfit { why } => (
            550,
            (7, 1),
            format!("a message needs one From field that can be read (RFC 5322, 3.6.2): {why}"),
        ),
        R::SeveralTestsFail { domain } => (
            550,
            (7, 26),
            format!(
                "no DKIM signature is right, and rejected per DMARC policy of {domain}: neither SPF nor DKIM speaks for it"
            ),
        ),
    }
}

/// A name that a client chose, cut so that our own words behind it fit too.
fn short(name: &str) -> &str {
    name.get(..name.floor_char_boundary(255)).unwrap_or(name)
}

/// A sentence of ours, and then theirs.
fn with_more(ours: String, theirs: &str) -> String {
    if theirs.is_empty() {
        ours
    } else {
        format!("{ours}; {theirs}")
    }
}

/// A size for people, in MB of 1,048,576 bytes; never rounded down to the limit it exceeds.
pub(super) fn megabytes(size: u64) -> String {
    let tenths = size.saturating_mul(10).div_ceil(MEGABYTE);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
