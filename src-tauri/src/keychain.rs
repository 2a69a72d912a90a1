//! The keychain of the desktop, over the Secret Service (GNOME Keyring, KWallet, KeePassXC).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use control::{Keychain, KeychainError};
use keyring_core::api::CredentialStoreApi as _;
use keyring_core::{Entry, Error};
use zbus_secret_service_keyring_store::Store;
use zeroize::Zeroizing;

/// Under this name the desktop's own program for passwords lists our secrets.
const SERVICE: &str = "Postroom";
/// A locked keychain asks a person for its password and answers after that.
const WAIT: Duration = Duration::from_secs(30);
/// Calls that were given up and may still wait for that person.
const MOST_WAITING: usize = 4;

/// Every call goes over a connection and in a thread of its own: one that hangs holds up no other.
#[derive(Debug)]
pub(crate) struct DesktopKeychain {
    wait: Duration,
    waiting: Arc<AtomicUsize>,
}

impl Default for DesktopKeychain {
    fn default() -> Self {
        Self {
            wait: WAIT,
            waiting: Arc::default(),
        }
    }
}

impl Keychain for DesktopKeychain {
    fn set(&self, name: &str, secret: &[u8]) -> Result<(), KeychainError> {
        let secret = Zeroizing::new(secret.to_vec());
        self.bounded(name, move |entry| entry.set_secret(&secret))
    }

    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        self.bounded(name, |entry| match entry.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn clear(&self, name: &str) -> Result<(), KeychainError> {
        self.bounded(name, |entry| match entry.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(error),
        })
    }
}

impl DesktopKeychain {
    fn bounded<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Entry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, KeychainError> {
        let name = name.to_owned();
        self.in_time(move || {
            entry(&name)
                .and_then(|entry| work(&entry))
                .map_err(|error| explain(&error))
        })
    }

    fn in_time<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, KeychainError> + Send + 'static,
    ) -> Result<T, KeychainError> {
        let Some(turn) = Turn::take(&self.waiting) else {
            return Err(KeychainError(
                "it still waits to be unlocked, or does not answer".into(),
            ));
        };
        let (answer, answered) = sync_channel(1);
        thread::Builder::new()
            .name("keychain".into())
            .spawn(move || {
                let _turn = turn;
                // Nobody waits any more when the time is over.
                let _ = answer.send(work());
            })
            .map_err(|error| KeychainError(format!("no thread can be started ({error})")))?;
        answered.recv_timeout(self.wait).unwrap_or_else(|_| {
            Err(KeychainError(format!(
                "it did not answer in {} seconds; perhaps it waits to be unlocked",
                self.wait.as_secs()
            )))
        })
    }
}

/// One of the calls that may wait at a time.
struct Turn(Arc<AtomicUsize>);

impl Turn {
    fn take(waiting: &Arc<AtomicUsize>) -> Option<Self> {
        waiting
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
                (count < MOST_WAITING).then_some(count + 1)
            })
            .ok()
            .map(|_| Self(waiting.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn entry(name: &str) -> Result<Entry, Error> {
    let label = HashMap::from([("label", "Postroom: password for the mail relay")]);
    Store::new()?.build(SERVICE, name, Some(&label))
}

fn explain(error: &Error) -> KeychainError {
    KeychainError(match error {
        Error::NoStorageAccess(why) => format!("it stays locked ({why})"),
        Error::PlatformFailure(why) => format!("this desktop offers none ({why})"),
        Error::Ambiguous(entries) => format!(
            "it has {} entries where one is expected; delete those of Postroom in the desktop's program for passwords",
            entries.len()
        ),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impatient() -> DesktopKeychain {
        DesktopKeychain {
            wait: Duration::from_millis(20),
            waiting: Arc::default(),
        }
    }

    #[test]
    fn a_keychain_that_hangs_is_given_up_and_only_so_many_calls_wait_for_it() {
        let keychain = impatient();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        for _ in 0..MOST_WAITING {
            let held = held.clone();
            let error = keychain
                .in_time(move || {
                    // Ends when the test lets go of the other side.
                    let _ = held.lock().map(|held| held.recv());
                    Ok(())
                })
                .unwrap_err();
            assert!(error.0.contains("did not answer"), "{error}");
        }
        let error = keychain.in_time(|| Ok(())).unwrap_err();
        assert!(error.0.contains("still waits"), "{error}");
        drop(release);
    }

    #[test]
    fn what_the_keychain_says_in_time_is_passed_on() {
        let keychain = DesktopKeychain::default();
        assert_eq!(keychain.in_time(|| Ok(7)), Ok(7));
        let no = KeychainError("no".into());
        let said = no.clone();
        assert_eq!(keychain.in_time::<()>(move || Err(said)), Err(no));
    }
}
