//! Questions that the desktop's own dialogs ask. Behind a trait, so that a test can answer in the person's place.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

/// An answer that comes once the person has chosen.
pub type Chosen<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The dialogs the window opens.
pub trait Dialogs: Send + Sync {
    /// Lets the person choose one existing file. `None` when they changed their mind.
    fn choose_file(&self, title: &str) -> Chosen<Option<PathBuf>>;

    /// Lets the person choose where to write a file; `name` is offered. The dialog itself asks before one that exists is
    /// replaced. `None` when they changed their mind.
    fn choose_save(&self, title: &str, name: &str) -> Chosen<Option<PathBuf>>;
}

/// The dialogs of the desktop (GTK).
#[derive(Debug, Default, Clone, Copy)]
pub struct DesktopDialogs;

impl Dialogs for DesktopDialogs {
    fn choose_file(&self, title: &str) -> Chosen<Option<PathBuf>> {
        let dialog = rfd::AsyncFileDialog::new().set_title(title);
        Box::pin(async move {
            let file = dialog.pick_file().await?;
            Some(file.path().to_path_buf())
        })
    }

    fn choose_save(&self, title: &str, name: &str) -> Chosen<Option<PathBuf>> {
        let dialog = rfd::AsyncFileDialog::new()
            .set_title(title)
            .set_file_name(name);
        Box::pin(async move {
            let file = dialog.save_file().await?;
            Some(file.path().to_path_buf())
        })
    }
}
