//! The Mail Log.

use control::{Entry, Failure, JournalFilter, JournalPage};
use tauri::State;

use crate::shell::Shell;

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn journal_list(
    shell: State<'_, Shell>,
    filter: JournalFilter,
) -> Result<JournalPage, Failure> {
    shell
        .ask(move |control| control.journal_list(&filter))
        .await
}

/// `text` is a token, or a whole bounce that holds tokens.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn journal_open(
    shell: State<'_, Shell>,
    text: String,
) -> Result<Vec<Entry>, Failure> {
    shell.ask(move |control| control.journal_open(&text)).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn journal_text(
    shell: State<'_, Shell>,
    token: String,
) -> Result<String, Failure> {
    shell.ask(move |control| control.journal_text(&token)).await
}
