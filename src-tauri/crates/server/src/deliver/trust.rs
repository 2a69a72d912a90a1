//! Which certificate of another server is good enough, and what to say when it is not.
//!
//! A configuration is built once and shared by all connections that ask the same of a certificate; sessions are resumed
//! only within it, so a session made without questions never stands in for one that asks them.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;
use settings::RelayCertificate;

mod verifier;
mod words;

pub use words::{explain, fingerprint_seen};

use verifier::Question;

/// Sessions kept for resumption in each configuration; one holds the other server's certificates.
const SESSIONS: usize = 64;

/// The client side of TLS. Clones share what was built.
#[derive(Debug, Clone)]
pub struct Trust {
    provider: Arc<CryptoProvider>,
    built: Arc<Mutex<Built>>,
}

#[derive(Debug, Default)]
struct Built {
    roots: Option<Arc<dyn ServerCertVerifier>>,
    verify: Option<Arc<ClientConfig>>,
    any: Option<Arc<ClientConfig>>,
    pin: Option<(String, Arc<ClientConfig>)>,
}

/// How to begin TLS with a server.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// For the connection.
    pub config: Arc<ClientConfig>,
    /// Where the handshake takes every certificate: tells afterwards whether it would have been good.
    pub judge: Option<Arc<Judge>>,
}

/// Says of a certificate that was taken without questions whether it would have stood them.
#[derive(Debug)]
pub struct Judge(Trust);

impl Default for Trust {
    fn default() -> Self {
        Self::new()
    }
}

impl Trust {
    /// Reads nothing yet; the machine's list of authorities is read when it is first needed.
    pub fn new() -> Self {
        Self {
            provider: Arc::new(ring::default_provider()),
            built: Arc::default(),
        }
    }

    /// Trusts these authorities in the place of the machine's.
    ///
    /// # Errors
    /// When there are none.
    pub fn with_roots(roots: rustls::RootCertStore) -> Result<Self, String> {
        let trust = Self::new();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.into(), trust.provider.clone())
                .build()
                .map_err(|error| error.to_string())?;
        trust.lock().roots = Some(verifier);
        Ok(trust)
    }

    /// What `certificate` asks for.
    ///
    /// # Errors
    /// In words: this machine knows no authorities, or the fingerprint is none.
    pub fn by(&self, certificate: &RelayCertificate) -> Result<Trusted, String> {
        match certificate {
            RelayCertificate::Verify => self.verify().map(Trusted::asked),
            RelayCertificate::Any => self.any(),
            RelayCertificate::Pin(sha256) => self.pin(sha256).map(Trusted::asked),
        }
    }

    /// Takes every certificate and tells afterwards what it was worth: encryption that helps against listeners, where
    /// the other way is none at all (RFC 7435).
    ///
    /// # Errors
    /// Only if the cryptographic provider lacks TLS 1.2 and 1.3.
    pub fn any(&self) -> Result<Trusted, String> {
        let mut built = self.lock();
        let config = match &built.any {
            Some(config) => config.clone(),
            None => built
                .any
                .insert(self.config(Question::nothing(&self.provider))?)
                .clone(),
        };
        let judge = Some(Arc::new(Judge(self.clone())));
        Ok(Trusted { config, judge })
    }

    fn verify(&self) -> Result<Arc<ClientConfig>, String> {
        let mut built = self.lock();
        if let Some(config) = &built.verify {
            return Ok(config.clone());
        }
        let rooted = Question::Rooted(self.roots(&mut built)?);
        Ok(built.verify.insert(self.config(rooted)?).clone())
    }

    fn pin(&self, sha256: &str) -> Result<Arc<ClientConfig>, String> {
        let mut built = self.lock();
        if let Some((known, config)) = &built.pin
            && known == sha256
        {
            return Ok(config.clone());
        }
        let pinned = Question::pinned(sha256, &self.provider)
            .ok_or("the chosen fingerprint is not 64 hex digits")?;
        let config = self.config(pinned)?;
        built.pin = Some((sha256.to_owned(), config.clone()));
        Ok(config)
    }

    /// The machine's authorities. A failure is not kept: the list may be installed in the meantime.
    fn roots(&self, built: &mut Built) -> Result<Arc<dyn ServerCertVerifier>, String> {
        if let Some(roots) = &built.roots {
            return Ok(roots.clone());
        }
        let roots: Arc<dyn ServerCertVerifier> =
            Arc::new(Verifier::new(self.provider.clone()).map_err(|error| {
                format!(
                    "the authorities that this machine trusts cannot be read ({error}); \
                     on Linux they come with the package ca-certificates"
                )
            })?);
        Ok(built.roots.insert(roots).clone())
    }

    /// TLS 1.2 and 1.3 (RFC 8996 retires what is older), no certificate of our own.
    fn config(&self, question: Question) -> Result<Arc<ClientConfig>, String> {
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(question))
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Arc::new(config))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Built> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trusted {
    fn asked(config: Arc<ClientConfig>) -> Self {
        Self {
            config,
            judge: None,
        }
    }
}

impl Judge {
    /// Whether the certificate shown in `connection` leads to a known authority, is valid now and is made for `name`.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn verdict(
        &self,
        connection: &rustls::CommonState,
        name: &ServerName<'_>,
    ) -> Result<(), String> {
        self.of(connection.peer_certificates().unwrap_or_default(), name)
    }

    fn of(&self, certificates: &[CertificateDer<'_>], name: &ServerName<'_>) -> Result<(), String> {
        let Some((own, others)) = certificates.split_first() else {
            return Err("it showed no certificate".into());
        };
        let roots = self.0.roots(&mut self.0.lock())?;
        roots
            .verify_server_cert(own, others, name, &[], UnixTime::now())
            .map(|_| ())
            .map_err(|error| words::of_certificate(&error))
    }
}

/// SHA-256 over the DER form of a certificate, in 64 hex digits.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = ::ring::digest::digest(&::ring::digest::SHA256, certificate);
    digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        // Writing into a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests;
