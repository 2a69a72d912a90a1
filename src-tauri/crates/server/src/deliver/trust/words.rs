//! Why TLS with another server did not come about, for the person who can change it.

use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, Error, OtherError};

/// A certificate that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why} (SHA-256 fingerprint of the certificate it showed: {sha256})")]
pub(super) struct Refused {
    pub why: String,
    pub sha256: String,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))))
    }
}

/// The SHA-256 of the certificate that was not taken, in 64 hex digits, if that is why the handshake failed.
pub fn fingerprint_seen(error: &Error) -> Option<String> {
    refused(error).map(|refused| refused.sha256.clone())
}

/// What went wrong in a handshake, in one line without a full stop.
pub fn explain(error: &Error) -> String {
    if let Some(refused) = refused(error) {
        return refused.to_string();
    }
    match error {
        Error::InvalidMessage(_) => {
            "the server answered with something that is not TLS; perhaps this port wants STARTTLS"
                .into()
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => {
            format!(
                "the server has no version or method of encryption that is still safe ({error})"
            )
        }
        Error::AlertReceived(alert) => format!("the server broke off the encryption ({alert:?})"),
        Error::InvalidCertificate(_) => {
            format!(
                "the server's certificate is not trusted: {}",
                of_certificate(error)
            )
        }
        other => format!("the encryption failed ({other})"),
    }
}

fn refused(error: &Error) -> Option<&Refused> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            inner.downcast_ref()
        }
        _ => None,
    }
}

/// What is wrong with a certificate, as the rest of a sentence about it.
pub(super) fn of_certificate(error: &Error) -> String {
    let Error::InvalidCertificate(reason) = error else {
        return error.to_string();
    };
    match reason {
        CertificateError::UnknownIssuer => {
            "it is not signed by an authority that this machine knows".into()
        }
        CertificateError::Expired => "it has expired".into(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("it expired on {}", day(not_after.as_secs()))
        }
        CertificateError::NotValidYet => "it is not valid yet".into(),
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "it is not valid before {}; is the clock of this machine right?",
            day(not_before.as_secs())
        ),
        CertificateError::NotValidForName => "it is made for another name".into(),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<&str> = presented
                .iter()
                .map(|name| short(name))
                .take(MOST_NAMES)
                .collect();
            let made_for = if names.is_empty() {
                "no name at all".into()
            } else {
                names.join(", ")
            };
            format!("it is made for {made_for}, not for {}", expected.to_str())
        }
        CertificateError::BadSignature => {
            "its signature is not that of the authority it names".into()
        }
        CertificateError::Revoked => "its authority has taken it back".into(),
        // The usual certificate that somebody made at home with a few words typed.
        CertificateError::Other(OtherError(inner))
            if inner.to_string().contains("CaUsedAsEndEntity") =>
        {
            "it is self-signed".into()
        }
        other => other.to_string(),
    }
}

/// Names of a certificate that are told; some have hundreds.
const MOST_NAMES: usize = 3;

/// `DnsName("mail.example")` as rustls writes it.
fn short(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

fn day(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(
            || "a day beyond all calendars".into(),
            |at| at.strftime("%Y-%m-%d").to_string(),
        )
}
