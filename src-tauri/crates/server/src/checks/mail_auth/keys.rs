//! Public keys of signatures: fetched at the same time, each with its own time-out, and kept for one message.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ::mail_auth::common::crypto::{Algorithm, HashAlgorithm};
use ::mail_auth::common::parse::TxtRecordParser;
use ::mail_auth::common::resolver::UnwrapTxtRecord;
use ::mail_auth::common::verify::{DomainKey, VerifySignature};
use ::mail_auth::dkim::DkimError;
use ::mail_auth::{DnsError, Error, MessageAuthenticator, ResolverCache, Txt};
use policy::facts::AuthResult;
use tokio::time::timeout;

use super::{Verdict, shape};
use crate::checks::ask;

/// RFC 6376 §8.2
pub(super) const OF_A_PART: &str = "a signature of a part of the body (l=) does not count";
/// RFC 8301 §3.2: shorter keys do not count.
const MIN_BITS: usize = 1_024;

/// The keys of one message, by name.
#[derive(Default)]
pub(super) struct Keys(Mutex<HashMap<Box<str>, Txt>>);

impl ResolverCache<Box<str>, Txt> for Keys {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(name).cloned()
    }

    fn remove<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.remove(name)
    }

    fn insert(&self, name: Box<str>, key: Txt, _valid_until: Instant) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(name, key);
    }
}

/// A key that is for mail and can be read. `mail-auth` takes the first record that is one.
struct Fit(Arc<DomainKey>);

impl TxtRecordParser for Fit {
    fn parse(record: &[u8]) -> Result<Self, Error> {
        // RFC 6376 §3.6.1: a record of other services alone is to be ignored.
        if !shape::allows(record, "s", &["*", "email"]) {
            return Err(Error::Dns(DnsError::InvalidRecordType));
        }
        let key = DomainKey::parse(record)?;
        if key.p.public_key_bits() == 0 {
            return Err(Error::Dkim(DkimError::UnsupportedKeyType));
        }
        Ok(Self(Arc::new(key)))
    }
}

impl From<Fit> for Txt {
    fn from(key: Fit) -> Self {
        Self::DomainKey(key.0)
    }
}

impl UnwrapTxtRecord for Fit {
    fn unwrap_txt(txt: Txt) -> Result<Arc<Self>, Error> {
        DomainKey::unwrap_txt(txt).map(|key| Arc::new(Self(key)))
    }
}

/// The key of a signature, which then is in `keys`.
///
/// # Errors
/// What it means for the signature that there is none.
pub(super) async fn fetch(
    authenticator: &MessageAuthenticator,
    keys: &Keys,
    signature: &impl VerifySignature,
) -> Result<Arc<DomainKey>, Verdict> {
    let question = authenticator.txt_lookup::<Fit>(signature.domain_key(), Some(keys));
    let key = match timeout(ask::WAIT, question).await {
        Ok(key) => key.map_err(|error| fault(&error))?.0.clone(),
        Err(_) => {
            return Err(Verdict::new(
                AuthResult::TempError,
                "no name server told the key in time",
            ));
        }
    };
    // RFC 6376 §3.6.1: the key may name the hashes that go with it.
    let named = key.f & (HashAlgorithm::Sha1 as u64 | HashAlgorithm::Sha256 as u64);
    if named != 0 && named & HashAlgorithm::from(signature.algorithm()) as u64 == 0 {
        return Err(Verdict::new(
            AuthResult::PermError,
            "the key is not for this hash",
        ));
    }
    Ok(key)
}

fn fault(error: &Error) -> Verdict {
    match error {
        Error::Dns(DnsError::Resolver(why)) => Verdict::new(
            AuthResult::TempError,
            format!("the key cannot be asked for: {why}"),
        ),
        Error::Dns(DnsError::RecordNotFound(_)) => {
            Verdict::new(AuthResult::PermError, "there is no key")
        }
        other => Verdict::new(AuthResult::PermError, other.to_string()),
    }
}

/// Whether a key is too short to count, which also makes it too short to be computed with.
pub(super) fn is_short(key: &DomainKey) -> bool {
    key.p.public_key_bits() < MIN_BITS
}

/// Why a signature does not count, however right it is.
pub(super) fn weakness(algorithm: Algorithm, key: &DomainKey) -> Option<String> {
    if algorithm == Algorithm::RsaSha1 {
        // RFC 8301 §3.1
        Some("rsa-sha1 does not count".into())
    } else if is_short(key) {
        let bits = key.p.public_key_bits();
        Some(format!("an RSA key of {bits} bits does not count"))
    } else {
        None
    }
}
