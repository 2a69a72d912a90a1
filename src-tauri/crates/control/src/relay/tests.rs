use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use store::{DataDir, Lock};

use super::*;
use crate::{Keychain, KeychainError};

/// A keychain in memory.
#[derive(Debug, Default)]
struct Memory(Mutex<HashMap<String, Vec<u8>>>);

impl Keychain for Memory {
    fn set(&self, name: &str, secret: &[u8]) -> Result<(), KeychainError> {
        self.0.lock().unwrap().insert(name.into(), secret.to_vec());
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        Ok(self
            .0
            .lock()
            .unwrap()
            .get(name)
            .cloned()
            .map(Zeroizing::new))
    }

    fn clear(&self, name: &str) -> Result<(), KeychainError> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

fn office() -> (tempfile::TempDir, DataDir, Arc<Memory>, Control) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    let keychain = Arc::new(Memory::default());
    let control = Control::open(&data)
        .unwrap()
        .with_keychain(Some(keychain.clone()));
    (folder, data, keychain, control)
}

fn status(is_set: bool, place: Option<Place>) -> RelayPasswordStatus {
    RelayPasswordStatus { is_set, place }
}

#[test]
fn the_password_goes_into_the_keychain_and_out_again() {
    let (_folder, _, keychain, control) = office();
    assert_eq!(
        control.relay_password_status().unwrap(),
        status(false, None)
    );
    let set = control.relay_password_set("sesame").unwrap();
    assert_eq!(set, status(true, Some(Place::Keychain)));
    assert_eq!(keychain.0.lock().unwrap().len(), 1);
    assert_eq!(control.relay_password_clear().unwrap(), status(false, None));
    assert!(keychain.0.lock().unwrap().is_empty());
}

#[test]
fn without_a_keychain_the_password_goes_into_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let control = Control::open(&DataDir::new(folder.path())).unwrap();
    let set = control.relay_password_set("sesame").unwrap();
    assert_eq!(set, status(true, Some(Place::File)));
    assert_eq!(
        serde_json::to_value(&set).unwrap(),
        serde_json::json!({"is_set": true, "place": "file"})
    );
}

#[test]
fn a_server_in_another_process_can_read_the_password_that_a_window_sets() {
    let (_folder, data, keychain, control) = office();
    control.relay_password_set("sesame").unwrap();
    let _served = Lock::acquire(&data).unwrap();
    let set = control.relay_password_set("other").unwrap();
    assert_eq!(set, status(true, Some(Place::File)));
    assert!(keychain.0.lock().unwrap().is_empty());
    let elsewhere = Control::open(&data)
        .unwrap()
        .relay_password()
        .get()
        .unwrap();
    assert_eq!(elsewhere.unwrap().as_str(), "other");
}

#[test]
fn what_can_be_no_password_is_refused() {
    let (_folder, _, _, control) = office();
    let refused = control.relay_password_set("two\nlines").unwrap_err();
    assert_eq!(refused.problems[0].path, "delivery.relay_password");
    assert_eq!(
        control.relay_password_status().unwrap(),
        status(false, None)
    );
}
