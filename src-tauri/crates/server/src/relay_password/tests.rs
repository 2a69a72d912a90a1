use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use store::DataDir;
use tempfile::TempDir;

use super::*;

/// A keychain in memory that can be locked for good.
#[derive(Debug, Default)]
struct Fake {
    secrets: Mutex<BTreeMap<String, Vec<u8>>>,
    is_locked: AtomicBool,
    asked: AtomicUsize,
}

impl Fake {
    fn open(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>>, KeychainError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_locked.load(Ordering::SeqCst) {
            return Err(KeychainError("it is locked".into()));
        }
        Ok(self.secrets.lock().unwrap())
    }
}

impl Keychain for Fake {
    fn set(&self, name: &str, secret: &[u8]) -> Result<(), KeychainError> {
        self.open()?.insert(name.into(), secret.to_vec());
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        Ok(self.open()?.get(name).cloned().map(Zeroizing::new))
    }

    fn clear(&self, name: &str) -> Result<(), KeychainError> {
        self.open()?.remove(name);
        Ok(())
    }
}

struct Office {
    _folder: TempDir,
    store: Store,
    keychain: Arc<Fake>,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path());
        data.create().unwrap();
        Self {
            store: Store::open(&data).unwrap(),
            keychain: Arc::default(),
            _folder: folder,
        }
    }

    /// The program with the window.
    fn desktop(&self) -> RelayPassword {
        RelayPassword::new(self.store.clone(), Some(self.keychain.clone()))
    }

    /// The program without one.
    fn headless(&self) -> RelayPassword {
        RelayPassword::new(self.store.clone(), None)
    }

    fn in_database(&self) -> bool {
        self.store
            .read(|conn| secret::get(conn, PASSWORD, NAME))
            .unwrap()
            .is_some()
    }
}

fn secret_text(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

fn had(password: &RelayPassword) -> Option<String> {
    password.get().unwrap().map(|text| text.to_string())
}

fn code(result: Result<Option<Zeroizing<String>>, PasswordError>) -> String {
    match result {
        Err(PasswordError::Problem(problem)) => problem.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn on_a_desktop_the_password_is_in_the_keychain_and_not_in_the_database() {
    let office = Office::new();
    let password = office.desktop();
    assert_eq!(password.place().unwrap(), None);
    assert_eq!(
        password.set(&secret_text("geheim")).unwrap(),
        Place::Keychain
    );
    assert!(!office.in_database());
    assert_eq!(password.place().unwrap(), Some(Place::Keychain));
    assert_eq!(had(&password).as_deref(), Some("geheim"));
    assert_eq!(had(&office.desktop()).as_deref(), Some("geheim"));
}

#[test]
fn without_a_keychain_the_password_is_in_the_database() {
    let office = Office::new();
    let password = office.headless();
    assert_eq!(password.set(&secret_text("geheim")).unwrap(), Place::File);
    assert_eq!(password.place().unwrap(), Some(Place::File));
    assert_eq!(had(&office.desktop()).as_deref(), Some("geheim"));
    assert_eq!(office.keychain.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_keychain_that_fails_is_done_without() {
    let office = Office::new();
    office.keychain.is_locked.store(true, Ordering::SeqCst);
    let password = office.desktop();
    assert_eq!(password.set(&secret_text("geheim")).unwrap(), Place::File);
    assert_eq!(had(&password).as_deref(), Some("geheim"));
}

#[test]
fn a_server_without_a_window_says_that_it_cannot_open_the_keychain() {
    let office = Office::new();
    office.desktop().set(&secret_text("geheim")).unwrap();
    let headless = office.headless();
    assert_eq!(headless.place().unwrap(), Some(Place::Keychain));
    assert_eq!(code(headless.get()), "no_keychain");
    assert_eq!(headless.set(&secret_text("neu")).unwrap(), Place::File);
    assert_eq!(had(&headless).as_deref(), Some("neu"));
    assert_eq!(had(&office.desktop()).as_deref(), Some("neu"));
}

#[test]
fn a_locked_keychain_and_one_that_lost_the_password_are_told_apart() {
    let office = Office::new();
    office.desktop().set(&secret_text("geheim")).unwrap();
    let password = office.desktop();
    office.keychain.is_locked.store(true, Ordering::SeqCst);
    assert_eq!(code(password.get()), "keychain_fails");
    office.keychain.is_locked.store(false, Ordering::SeqCst);
    office.keychain.secrets.lock().unwrap().clear();
    assert_eq!(code(password.get()), "lost_by_keychain");
}

#[test]
fn the_keychain_is_asked_once_for_many_deliveries_and_again_after_a_change() {
    let office = Office::new();
    office.desktop().set(&secret_text("alt")).unwrap();
    let server = office.desktop();
    let before = office.keychain.asked.load(Ordering::SeqCst);
    assert_eq!(had(&server).as_deref(), Some("alt"));
    assert_eq!(had(&server).as_deref(), Some("alt"));
    assert_eq!(office.keychain.asked.load(Ordering::SeqCst), before + 1);
    server.set(&secret_text("neu")).unwrap();
    assert_eq!(had(&server).as_deref(), Some("neu"));
}

#[test]
fn a_new_password_takes_the_place_of_the_old_one_in_the_keychain() {
    let office = Office::new();
    let password = office.desktop();
    password.set(&secret_text("alt")).unwrap();
    password.set(&secret_text("neu")).unwrap();
    assert_eq!(office.keychain.secrets.lock().unwrap().len(), 1);
    assert_eq!(had(&password).as_deref(), Some("neu"));
}

#[test]
fn a_password_that_moves_from_the_database_to_the_keychain_leaves_nothing_behind() {
    let office = Office::new();
    office.headless().set(&secret_text("alt")).unwrap();
    office.desktop().set(&secret_text("neu")).unwrap();
    assert!(!office.in_database());
}

#[test]
fn a_forgotten_password_is_nowhere() {
    let office = Office::new();
    let password = office.desktop();
    password.set(&secret_text("geheim")).unwrap();
    assert!(password.clear().unwrap());
    assert!(!password.clear().unwrap());
    assert!(office.keychain.secrets.lock().unwrap().is_empty());
    assert_eq!(password.place().unwrap(), None);
    assert_eq!(had(&password), None);
}

#[test]
fn what_no_relay_takes_as_a_password_is_refused() {
    let office = Office::new();
    let password = office.desktop();
    for text in ["", "two\nlines", "nul\0", &"x".repeat(LONGEST + 1)] {
        assert!(password.set(&secret_text(text)).is_err(), "{text:?}");
    }
    assert_eq!(password.place().unwrap(), None);
}
