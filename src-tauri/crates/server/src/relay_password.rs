//! The password for the relay: in the desktop's keychain where there is one, else in the database, which only its owner
//! can read. No revision, export or log ever holds it.
//!
//! A mark in the database says where it is, so that every program on the data folder knows that there is one. Which
//! keychain there is, is known to the program around the server.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use settings::Problem;
use store::{Store, StoreError, secret};
use zeroize::Zeroizing;

use crate::clock;

/// Table `secret`: the password itself.
const PASSWORD: &str = "relay_password";
/// Table `secret`: the name under which the keychain has it.
const MARK: &str = "relay_password_in_keychain";
/// There is one relay.
const NAME: &str = "relay";
/// Problems are said at this path, though no settings document has it.
const PATH: &str = "delivery.relay_password";
const LONGEST: usize = 1_024;

/// The desktop's store for secrets. Every call may block, but must end: whoever implements this gives each a time-out,
/// since a keychain may ask a person to unlock it.
pub trait Keychain: Debug + Send + Sync {
    /// Keeps `secret` under `name` in the place of an earlier one.
    ///
    /// # Errors
    /// When there is no keychain, it stays locked, or it does not answer.
    fn set(&self, name: &str, secret: &[u8]) -> Result<(), KeychainError>;

    /// The secret; `None` when the keychain has none of this name.
    ///
    /// # Errors
    /// As [`Keychain::set`].
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError>;

    /// Forgets the secret, if there is one.
    ///
    /// # Errors
    /// As [`Keychain::set`].
    fn clear(&self, name: &str) -> Result<(), KeychainError>;
}

/// Why the keychain did not do it, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeychainError(pub String);

/// Where the password is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the desktop's keychain.
    Keychain,
    /// In the database file.
    File,
}

/// Why the password cannot be kept or had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that a person can put right; it says how.
    #[error("{}", .0.message)]
    Problem(Problem),
}

/// The one password. All calls block; not for async code.
#[derive(Debug)]
pub struct RelayPassword {
    store: Store,
    keychain: Option<Arc<dyn Keychain>>,
    /// What the keychain said last, and the age of the mark it belongs to: the queue asks often.
    known: Mutex<Option<(i64, Zeroizing<String>)>>,
}

/// What the database has.
enum Kept {
    Mark { name: String, at_ms: i64 },
    Password(Zeroizing<Vec<u8>>),
}

impl RelayPassword {
    /// Over a database, and the keychain if this program runs on a desktop that has one.
    pub fn new(store: Store, keychain: Option<Arc<dyn Keychain>>) -> Self {
        Self {
            store,
            keychain,
            known: Mutex::default(),
        }
    }

    /// Keeps the password in the place of an earlier one and says where. A keychain that fails is done without.
    ///
    /// # Errors
    /// The text can be no password, or the database cannot be written.
    pub fn set(&self, password: &Zeroizing<String>) -> Result<Place, PasswordError> {
        check(password)?;
        self.forget_known();
        let old = self.mark()?;
        if let Some(name) = self.put_in_keychain(password, old.as_deref()) {
            self.store.write_blocking(move |tx| {
                secret::remove(tx, PASSWORD, NAME)?;
                secret::set(tx, MARK, NAME, name.as_bytes(), clock::now_ms())
            })?;
            return Ok(Place::Keychain);
        }
        let value = Zeroizing::new(password.as_bytes().to_vec());
        self.store.write_blocking(move |tx| {
            secret::set(tx, PASSWORD, NAME, &value, clock::now_ms())?;
            secret::remove(tx, MARK, NAME).map(|_| ())
        })?;
        if let (Some(keychain), Some(name)) = (&self.keychain, old) {
            // It just failed, so an old password may stay there; nothing points at it any more.
            let _ = keychain.clear(&name);
        }
        Ok(Place::File)
    }

    /// The password; `None` when none was set.
    ///
    /// # Errors
    /// It is in a keychain that cannot be reached from here, or that has lost it.
    pub fn get(&self) -> Result<Option<Zeroizing<String>>, PasswordError> {
        match self.kept()? {
            None => Ok(None),
            Some(Kept::Password(value)) => text(&value).map(Some),
            Some(Kept::Mark { name, at_ms }) => self.ask_keychain(&name, at_ms).map(Some),
        }
    }

    /// Forgets the password; tells whether there was one. A keychain that cannot be reached keeps it, and nobody asks
    /// for it any more.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn clear(&self) -> Result<bool, PasswordError> {
        self.forget_known();
        let name = self.mark()?;
        let was_there = self.store.write_blocking(|tx| {
            let password = secret::remove(tx, PASSWORD, NAME)?;
            let mark = secret::remove(tx, MARK, NAME)?;
            Ok(password || mark)
        })?;
        if let (Some(keychain), Some(name)) = (&self.keychain, name)
            && let Err(error) = keychain.clear(&name)
        {
            tracing::warn!("the old relay password stays in the keychain: {error}");
        }
        Ok(was_there)
    }

    /// Where the password is; `None` when none was set. Asks the database only.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn place(&self) -> Result<Option<Place>, StoreError> {
        Ok(self.kept()?.map(|kept| match kept {
            Kept::Mark { .. } => Place::Keychain,
            Kept::Password(_) => Place::File,
        }))
    }

    fn kept(&self) -> Result<Option<Kept>, StoreError> {
        self.store.read(|conn| {
            if let Some(name) = secret::get(conn, MARK, NAME)? {
                let at_ms = secret::changed_at(conn, MARK, NAME)?.unwrap_or_default();
                let name = String::from_utf8_lossy(&name).into_owned();
                return Ok(Some(Kept::Mark { name, at_ms }));
            }
            Ok(secret::get(conn, PASSWORD, NAME)?.map(Kept::Password))
        })
    }

    fn mark(&self) -> Result<Option<String>, StoreError> {
        Ok(match self.kept()? {
            Some(Kept::Mark { name, .. }) => Some(name),
            _ => None,
        })
    }

    /// The name under which the keychain has taken the password: the old one, or one that no other data folder has.
    fn put_in_keychain(&self, password: &str, old: Option<&str>) -> Option<String> {
        let keychain = self.keychain.as_ref()?;
        let name = old.map_or_else(
            || format!("relay-{:016x}", crate::random()),
            ToOwned::to_owned,
        );
        match keychain.set(&name, password.as_bytes()) {
            Ok(()) => Some(name),
            Err(error) => {
                tracing::warn!(
                    "the relay password is kept in the database, because the keychain fails: {error}"
                );
                None
            }
        }
    }

    fn ask_keychain(&self, name: &str, at_ms: i64) -> Result<Zeroizing<String>, PasswordError> {
        // Held while the keychain is asked: many deliveries that begin together ask it once.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, password)) = &*known
            && *at == at_ms
        {
            return Ok(password.clone());
        }
        let Some(keychain) = &self.keychain else {
            return Err(problem(
                "no_keychain",
                "the relay password is in the keychain of the desktop, which a server without a window cannot open; \
                 set the password again here and it is kept in the database instead"
                    .into(),
            ));
        };
        let value = keychain
            .get(name)
            .map_err(|error| {
                problem(
                    "keychain_fails",
                    format!(
                        "the relay password is in the keychain of the desktop, and that fails: {error}; \
                         unlock the keychain, or set the password again"
                    ),
                )
            })?
            .ok_or_else(|| {
                problem(
                    "lost_by_keychain",
                    "the keychain of the desktop no longer has the relay password; set it again".into(),
                )
            })?;
        let password = text(&value)?;
        *known = Some((at_ms, password.clone()));
        Ok(password)
    }

    fn forget_known(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn problem(code: &str, message: String) -> PasswordError {
    PasswordError::Problem(Problem::new(PATH, code, message))
}

/// RFC 4616 §2: NUL ends a part of SASL PLAIN; no relay gives out passwords with other control characters.
fn check(password: &str) -> Result<(), PasswordError> {
    if password.is_empty() {
        return Err(problem("empty", "the password is empty".into()));
    }
    if password.len() > LONGEST {
        return Err(problem(
            "too_long",
            format!("a password can have {LONGEST} octets"),
        ));
    }
    if password.chars().any(char::is_control) {
        return Err(problem(
            "control_character",
            "a password cannot hold line breaks or other control characters".into(),
        ));
    }
    Ok(())
}

fn text(value: &[u8]) -> Result<Zeroizing<String>, PasswordError> {
    std::str::from_utf8(value)
        .map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| {
            problem(
                "not_text",
                "the stored relay password is damaged; set it again".into(),
            )
        })
}

#[cfg(test)]
mod tests;
