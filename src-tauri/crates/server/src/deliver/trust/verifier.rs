//! The three questions that a certificate can be asked.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::words::Refused;
use super::{fingerprint, words};

/// What a certificate is asked.
#[derive(Debug)]
pub(super) enum Question {
    /// To lead to a known authority, be valid now and be made for the name.
    Rooted(Arc<dyn ServerCertVerifier>),
    /// To be the one that the admin chose, by its SHA-256 in lower case, whoever signed it and whenever it ends. That the
    /// server holds its key is proved by the signature in the handshake.
    Pinned(String, WebPkiSupportedAlgorithms),
    /// Nothing, also of one that cannot be read: anybody on the way could show a certificate of their own, so a proof that
    /// its key is held would prove nothing.
    Nothing(WebPkiSupportedAlgorithms),
}

impl Question {
    /// `None` when the text is not 64 hex digits.
    pub fn pinned(sha256: &str, provider: &CryptoProvider) -> Option<Self> {
        let is_fingerprint =
            sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let algorithms = provider.signature_verification_algorithms;
        is_fingerprint.then(|| Self::Pinned(sha256.to_ascii_lowercase(), algorithms))
    }

    pub fn nothing(provider: &CryptoProvider) -> Self {
        Self::Nothing(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Question {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let why = match self {
            Self::Rooted(roots) => match roots.verify_server_cert(own, others, name, ocsp, now) {
                Ok(verified) => return Ok(verified),
                Err(error) => format!(
                    "the server's certificate is not trusted: {}",
                    words::of_certificate(&error)
                ),
            },
            Self::Pinned(sha256, _) if fingerprint(own) != *sha256 => {
                "the server's certificate is not the one that was chosen".into()
            }
            Self::Pinned(..) | Self::Nothing(_) => return Ok(ServerCertVerified::assertion()),
        };
        let sha256 = fingerprint(own);
        Err(Refused { why, sha256 }.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Rooted(roots) => roots.verify_tls12_signature(message, certificate, signature),
            Self::Pinned(_, known) => {
                verify_tls12_signature(message, certificate, signature, known)
            }
            Self::Nothing(_) => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Rooted(roots) => roots.verify_tls13_signature(message, certificate, signature),
            Self::Pinned(_, known) => {
                verify_tls13_signature(message, certificate, signature, known)
            }
            Self::Nothing(_) => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self {
            Self::Rooted(roots) => roots.supported_verify_schemes(),
            Self::Pinned(_, known) | Self::Nothing(known) => known.supported_schemes(),
        }
    }
}
