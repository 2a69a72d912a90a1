//! Certificates for hops, and who vouches for them.

use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Somebody who signs certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub pem: String,
    /// Its key.
    pub key_pem: String,
    /// DER.
    pub der: Vec<u8>,
    pub(super) config: Arc<ServerConfig>,
}

impl Authority {
    /// A new one that nobody knows yet.
    ///
    /// # Errors
    /// No key can be made; so in all that follow.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Authority of the test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self(issuer))
    }

    /// Its own certificate, for the file that names whom to trust.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Vouches for a server of this name or address.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sign(&self, name: &str) -> Result<Certificate> {
        let key = KeyPair::generate()?;
        let certificate = named(name)?.signed_by(&key, &self.0)?;
        Certificate::new(&certificate, &key)
    }
}

impl Certificate {
    /// One for which nobody vouches.
    ///
    /// # Errors
    /// As [`Authority::new`].
    pub fn self_signed(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = named(name)?.self_signed(&key)?;
        Self::new(&certificate, &key)
    }

    /// Its SHA-256 in hex digits.
    #[must_use]
    pub fn sha256(&self) -> String {
        let digest = rustls::crypto::ring::default_provider()
            .cipher_suites
            .iter()
            .filter_map(|suite| suite.tls13().map(|suite| suite.common.hash_provider))
            .find(|hash| hash.output_len() == 32)
            .map(|hash| hash.hash(&self.der));
        let digest = digest.as_ref().map_or(&[][..], |digest| digest.as_ref());
        digest.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Result<Self> {
        let der = CertificateDer::from(certificate.der().to_vec());
        let private =
            PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| anyhow::anyhow!(error))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![der.clone()], private)?;
        Ok(Self {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: der.to_vec(),
            config: Arc::new(config),
        })
    }
}

fn named(name: &str) -> Result<CertificateParams> {
    Ok(CertificateParams::new(vec![name.to_owned()])?)
}
