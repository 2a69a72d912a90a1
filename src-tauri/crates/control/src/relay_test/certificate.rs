//! What a person wants to know of a certificate.

use rustls::pki_types::CertificateDer;
use serde::Serialize;
use server::deliver::trust;
use ts_rs::TS;
use x509_parser::extensions::GeneralName;

/// Names and texts of a certificate are a stranger's: so many, and so long.
const MAX_NAMES: usize = 20;
const MAX_TEXT: usize = 300;

/// The certificate that a server showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SeenCertificate {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Host names and addresses it is made for, at most 20.
    pub names: Vec<String>,
    /// Valid from then, milliseconds since 1970.
    pub valid_from_ms: i64,
    /// Valid until then, milliseconds since 1970.
    pub valid_until_ms: i64,
    /// SHA-256 over it, 64 hex digits: what `relay_certificate` takes as `pin`.
    pub sha256: String,
    /// Whether it stood what was asked of it.
    pub verified: bool,
    /// Why not.
    pub problem: Option<String>,
}

impl SeenCertificate {
    /// Reads the DER form; `None` when it is none.
    pub(super) fn read(der: &[u8], verified: bool, problem: Option<String>) -> Option<Self> {
        let (_, read) = x509_parser::parse_x509_certificate(der).ok()?;
        let validity = read.validity();
        let others = read.subject_alternative_name().ok().flatten();
        let names = others.map(|others| {
            let name = |name: &GeneralName<'_>| match name {
                GeneralName::DNSName(name) => Some(shown(name)),
                GeneralName::IPAddress(octets) => address(octets),
                _ => None,
            };
            let names = others.value.general_names.iter().filter_map(name);
            names.take(MAX_NAMES).collect()
        });
        Some(Self {
            subject: shown(&read.subject().to_string()),
            issuer: shown(&read.issuer().to_string()),
            names: names.unwrap_or_default(),
            valid_from_ms: validity.not_before.timestamp().saturating_mul(1000),
            valid_until_ms: validity.not_after.timestamp().saturating_mul(1000),
            sha256: trust::fingerprint(&CertificateDer::from(der)),
            verified,
            problem,
        })
    }
}

fn address(octets: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(octets).map(std::net::IpAddr::from);
    let v6 = <[u8; 16]>::try_from(octets).map(std::net::IpAddr::from);
    v4.or(v6).ok().map(|ip| ip.to_string())
}

fn shown(text: &str) -> String {
    text.chars()
        .take(MAX_TEXT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
