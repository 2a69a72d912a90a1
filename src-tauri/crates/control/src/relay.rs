//! The relay's password. It goes in, and never comes out again.

use policy::Destination;
use serde::Serialize;
use server::clock;
use server::relay_password::{PasswordError, Place, RelayPassword};
use store::queue::{Act, Filter, Which, act};
use ts_rs::TS;
use zeroize::Zeroizing;

use crate::{Control, Failure, Owner};

/// Whether there is a password for the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RelayPasswordStatus {
    /// Whether one is stored.
    pub is_set: bool,
    /// Where it is: in the desktop's keychain, or in the data folder's database file.
    #[ts(type = "\"keychain\" | \"file\" | null")]
    pub place: Option<Place>,
}

impl Control {
    /// Keeps the password for the relay in the place of an earlier one: in the desktop's keychain where this program
    /// knows one and the server can open it, else in the database.
    ///
    /// # Errors
    /// That it can be no password, or the disk.
    pub fn relay_password_set(&self, password: &str) -> Result<RelayPasswordStatus, Failure> {
        let password = Zeroizing::new(password.to_owned());
        let mut kept = self.relay_password();
        if self.owner()? == Owner::OtherProcess {
            // A server without a desktop cannot look into its keychain, and which kind of server it is, is not known.
            if kept.place()? == Some(Place::Keychain) {
                kept.clear()?;
            }
            kept = RelayPassword::new(self.store.clone(), None);
        }
        kept.set(&password)?;
        self.retry_relay()?;
        self.relay_password_status()
    }

    /// What waited for the old password has no reason to wait any longer.
    fn retry_relay(&self) -> Result<(), Failure> {
        let for_relay = Filter {
            destination: Some(Destination::Relay.key()),
            ..Filter::default()
        };
        let now = clock::now_ms();
        self.store
            .write_blocking(move |tx| act(tx, Act::Retry, &Which::Matching(for_relay), now))?;
        Ok(())
    }

    /// Forgets the password.
    ///
    /// # Errors
    /// The disk.
    pub fn relay_password_clear(&self) -> Result<RelayPasswordStatus, Failure> {
        self.relay_password().clear()?;
        self.relay_password_status()
    }

    /// Whether there is a password, and where.
    ///
    /// # Errors
    /// The disk.
    pub fn relay_password_status(&self) -> Result<RelayPasswordStatus, Failure> {
        let place = self.relay_password().place()?;
        Ok(RelayPasswordStatus {
            is_set: place.is_some(),
            place,
        })
    }

    pub(crate) fn relay_password(&self) -> RelayPassword {
        RelayPassword::new(self.store.clone(), self.keychain.clone())
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Store(error) => error.into(),
            PasswordError::Problem(problem) => Self::problem(problem),
        }
    }
}

#[cfg(test)]
mod tests;
