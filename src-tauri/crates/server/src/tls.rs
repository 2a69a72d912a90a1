//! Certificates: our own made on first start, or the admin's files, read again when they change.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use settings::{Certificate, Problem, Settings};

/// A certificate made here lasts this long and is renewed a month before its end.
const OWN_DAYS: i64 = 825;
const RENEW_DAYS: i64 = 30;
const DAY_SECONDS: i64 = 86_400;
/// Files larger than this are no certificates.
const MAX_FILE: u64 = 1024 * 1024;

/// The certificate in use; new handshakes see a change at once.
#[derive(Debug)]
pub struct Certificates(ArcSwap<Loaded>);

/// A certificate and where it came from.
#[derive(Debug)]
pub struct Loaded {
    key: Arc<CertifiedKey>,
    files: Vec<(PathBuf, Option<SystemTime>)>,
    /// Made by Postroom, which then has to renew it.
    own: bool,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
}

impl Certificates {
    /// Starts with a loaded certificate.
    pub fn new(loaded: Loaded) -> Self {
        Self(ArcSwap::from_pointee(loaded))
    }

    /// Puts another certificate in use.
    pub fn replace(&self, loaded: Loaded) {
        self.0.store(Arc::new(loaded));
    }

    /// Whether the files changed since they were read, or our own certificate is about to end.
    pub fn is_stale(&self) -> bool {
        let loaded = self.0.load();
        let left = loaded.not_after - crate::clock::now_ms() / 1000;
        if loaded.own && left <= RENEW_DAYS * DAY_SECONDS {
            return true;
        }
        loaded
            .files
            .iter()
            .any(|(path, read)| modified(path) != *read)
    }

    /// End of validity, seconds since 1970.
    pub fn not_after(&self) -> i64 {
        self.0.load().not_after
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().key.clone())
    }
}

/// The TLS side of the server: TLS 1.2 and 1.3 (RFC 8996 retires what is older), no client certificates.
///
/// # Errors
/// Only if the cryptographic provider lacks these versions.
pub fn server_config(
    certificates: Arc<Certificates>,
) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    Ok(Arc::new(config))
}

/// Reads the certificate that the settings name, or makes our own in `folder`.
///
/// # Errors
/// What is wrong with the files, at the setting that names them.
pub fn load(settings: &Settings, folder: &Path) -> Result<Loaded, Problem> {
    match &settings.service.certificate {
        Certificate::Files { chain, key } => load_files(Path::new(chain), Path::new(key)),
        Certificate::SelfSigned => {
            let host = settings
                .general
                .hostname
                .as_ref()
                .map_or("localhost", |name| name.ascii());
            own(host, folder)
        }
    }
}

fn own(host: &str, folder: &Path) -> Result<Loaded, Problem> {
    let chain = folder.join(format!("{host}.cert.pem"));
    let key = folder.join(format!("{host}.key.pem"));
    if let Ok(loaded) = load_files(&chain, &key)
        && loaded.not_after - crate::clock::now_ms() / 1000 > RENEW_DAYS * DAY_SECONDS
    {
        return Ok(Loaded {
            own: true,
            ..loaded
        });
    }
    make(host, &chain, &key).map_err(|error| {
        Problem::new(
            "service.certificate",
            "cannot_make",
            format!(
                "Postroom could not make its own certificate in {}: {error}",
                folder.display()
            ),
        )
    })?;
    load_files(&chain, &key).map(|loaded| Loaded {
        own: true,
        ..loaded
    })
}

fn make(host: &str, chain: &Path, key: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut params = rcgen::CertificateParams::new(names(host))?;
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, host);
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let now = crate::clock::now_ms() / 1000;
    let date = |seconds: i64| {
        let day = jiff::Timestamp::from_second(seconds)
            .unwrap_or_default()
            .to_zoned_datetime(jiff::tz::TimeZone::UTC)
            .date();
        rcgen::date_time_ymd(
            day.year().into(),
            day.month().unsigned_abs(),
            day.day().unsigned_abs(),
        )
    };
    params.not_before = date(now - DAY_SECONDS);
    params.not_after = date(now + OWN_DAYS * DAY_SECONDS);
    let pair = rcgen::KeyPair::generate()?;
    let certificate = params.self_signed(&pair)?;
    write_private(key, pair.serialize_pem().as_bytes())?;
    write_private(chain, certificate.pem().as_bytes())?;
    Ok(())
}

/// The host name, and this machine for programs on it.
fn names(host: &str) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    names.extend(["localhost", "127.0.0.1", "::1"].map(Into::into));
    names.dedup();
    names
}

/// Writes beside and renames, so that a crash leaves the old file or the new one.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)
}

fn load_files(chain: &Path, key: &Path) -> Result<Loaded, Problem> {
    let at = |field: &str, code: &str, path: &Path, error: &dyn std::fmt::Display| {
        Problem::new(
            format!("service.certificate.{field}"),
            code,
            format!("{}: {error}", path.display()),
        )
        .arg("file", path.display())
    };
    let files = [chain, key]
        .map(|path| (path.to_owned(), modified(path)))
        .to_vec();
    let chain_pem = read(chain).map_err(|error| at("chain", "unreadable_file", chain, &error))?;
    let key_pem = read(key).map_err(|error| at("key", "unreadable_file", key, &error))?;
    let certificates = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| at("chain", "no_certificate", chain, &error))?;
    let Some(first) = certificates.first() else {
        return Err(at(
            "chain",
            "no_certificate",
            chain,
            &"holds no PEM certificate",
        ));
    };
    let not_after = x509_parser::parse_x509_certificate(first)
        .map_err(|error| at("chain", "no_certificate", chain, &error))?
        .1
        .validity()
        .not_after
        .timestamp();
    let private = PrivateKeyDer::from_pem_slice(&key_pem)
        .map_err(|_| at("key", "no_key", key, &"holds no PEM private key"))?;
    let signing = ring::sign::any_supported_type(&private)
        .map_err(|error| at("key", "no_key", key, &error))?;
    let certified = CertifiedKey::new(certificates, signing);
    // rustls says `Unknown` where a key has no public half to compare; only a real mismatch is refused.
    if let Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) =
        certified.keys_match()
    {
        return Err(at(
            "key",
            "key_mismatch",
            key,
            &"this key does not belong to the certificate",
        ));
    }
    Ok(Loaded {
        key: Arc::new(certified),
        files,
        own: false,
        not_after,
    })
}

/// Reads a file that may be anything somebody named: a device without end, a pipe without a writer.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Err(std::io::Error::other("is not a file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(std::io::Error::other(
            "is too large for a certificate or key",
        ));
    }
    Ok(bytes)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(chain: &Path, key: &Path) -> Settings {
        let mut settings = Settings::default();
        settings.service.certificate = Certificate::Files {
            chain: chain.display().to_string(),
            key: key.display().to_string(),
        };
        settings
    }

    #[test]
    fn our_own_certificate_is_made_once_and_its_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = load(&Settings::default(), folder.path()).unwrap();
        let second = load(&Settings::default(), folder.path()).unwrap();
        assert_eq!(first.key.cert, second.key.cert);
        let mode = fs::metadata(folder.path().join("localhost.key.pem"))
            .unwrap()
            .permissions();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
            0o600
        );
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_told_at_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        let problem = load(&files(&chain, &key), folder.path()).unwrap_err();
        assert_eq!(
            (problem.path.as_str(), problem.code.as_str()),
            ("service.certificate.chain", "unreadable_file")
        );
        let endless = load(&files(Path::new("/dev/zero"), &key), folder.path()).unwrap_err();
        assert_eq!(endless.code, "unreadable_file");
        fs::write(&chain, "hello").unwrap();
        fs::write(&key, "hello").unwrap();
        assert_eq!(
            load(&files(&chain, &key), folder.path()).unwrap_err().code,
            "no_certificate"
        );
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        own("a.example", folder.path()).unwrap();
        own("b.example", folder.path()).unwrap();
        let mixed = files(
            &folder.path().join("a.example.cert.pem"),
            &folder.path().join("b.example.key.pem"),
        );
        assert_eq!(
            load(&mixed, folder.path()).unwrap_err().code,
            "key_mismatch"
        );
    }
}
