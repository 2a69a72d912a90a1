//! What every command and the tray share: the way to `control`, and the dialogs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use control::{Control, DataDir, Failure, FailureKind, Keychain};

use crate::dialogs::Dialogs;
use crate::keychain::DesktopKeychain;

/// How long a failed opening of the data folder is remembered before the next command tries again.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// The shared state of the window program. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shell {
    folder: DataDir,
    opening: Arc<Mutex<Opening>>,
    /// The dialogs that commands open.
    pub(crate) dialogs: Arc<dyn Dialogs>,
}

/// How far the data folder is opened. It may fail for reasons a person can remove while the window is open
/// (a full disk, a wrong owner), so a failure is kept for a moment only.
enum Opening {
    NotTried,
    Open(Arc<Control>),
    Failed { at: Instant, failure: Failure },
}

impl Shell {
    pub(crate) fn new(folder: DataDir, dialogs: Arc<dyn Dialogs>) -> Self {
        let opening = Arc::new(Mutex::new(Opening::NotTried));
        Self {
            folder,
            opening,
            dialogs,
        }
    }

    /// Asks `control` something, away from the threads that draw the window and answer other commands.
    pub(crate) async fn ask<T, F>(&self, question: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Control) -> Result<T, Failure> + Send + 'static,
    {
        let shell = self.clone();
        let answered = tauri::async_runtime::spawn_blocking(move || question(&*shell.control()?));
        answered
            .await
            .unwrap_or_else(|error| Err(broken(format!("The command broke off: {error}."))))
    }

    /// The way to `control`; opens the data folder at the first call and after a failure. May wait for the disk.
    pub(crate) fn control(&self) -> Result<Arc<Control>, Failure> {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opening {
            Opening::Open(control) => return Ok(Arc::clone(control)),
            Opening::Failed { at, failure } if at.elapsed() < OPEN_AGAIN_AFTER => {
                return Err(failure.clone());
            }
            Opening::NotTried | Opening::Failed { .. } => {}
        }
        let keychain: Arc<dyn Keychain> = Arc::new(DesktopKeychain::default());
        let opened = Control::open(&self.folder)
            .and_then(|control| control.with_keychain(Some(keychain)).serving());
        match opened {
            Ok(control) => {
                let control = Arc::new(control);
                *opening = Opening::Open(Arc::clone(&control));
                Ok(control)
            }
            Err(failure) => {
                tracing::error!(message = %failure.message, "the data folder could not be opened");
                *opening = Opening::Failed {
                    at: Instant::now(),
                    failure: failure.clone(),
                };
                Err(failure)
            }
        }
    }

    /// `control` when the data folder is open already; never waits for the disk.
    pub(crate) fn opened(&self) -> Option<Arc<Control>> {
        let opening = self.opening.try_lock().ok()?;
        match &*opening {
            Opening::Open(control) => Some(Arc::clone(control)),
            Opening::NotTried | Opening::Failed { .. } => None,
        }
    }
}

/// A failure of the shell itself, in words.
pub(crate) fn broken(message: String) -> Failure {
    Failure {
        kind: FailureKind::Io,
        message,
        problems: Vec::new(),
    }
}
