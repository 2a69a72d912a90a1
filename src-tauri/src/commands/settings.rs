//! The settings panes.

use std::path::PathBuf;

use control::{Applied, Failure, Problem, SettingsView};
use serde_json::Value;
use tauri::State;

use crate::shell::{Shell, broken};

/// Who changed the settings, as the history shows it.
const AUTHOR: &str = "window";

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn settings_get(shell: State<'_, Shell>) -> Result<SettingsView, Failure> {
    shell.ask(|control| control.settings_get()).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn settings_check(
    shell: State<'_, Shell>,
    document: Value,
) -> Result<Vec<Problem>, Failure> {
    shell
        .ask(move |control| control.settings_check(&document))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn settings_apply(
    shell: State<'_, Shell>,
    document: Value,
    base_revision: i64,
    reason: String,
) -> Result<Applied, Failure> {
    shell
        .ask(move |control| control.settings_apply(&document, Some(base_revision), AUTHOR, &reason))
        .await
}

/// Lets the person choose an existing file.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn choose_file(
    shell: State<'_, Shell>,
    title: String,
) -> Result<Option<String>, Failure> {
    as_text(shell.dialogs.choose_file(&title).await)
}

/// Lets the person choose where to write a file; `name` is offered.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn choose_save(
    shell: State<'_, Shell>,
    title: String,
    name: String,
) -> Result<Option<String>, Failure> {
    as_text(shell.dialogs.choose_save(&title, &name).await)
}

/// A path goes to the page only when it is text that JSON can carry.
fn as_text(chosen: Option<PathBuf>) -> Result<Option<String>, Failure> {
    let Some(path) = chosen else { return Ok(None) };
    path.into_os_string().into_string().map(Some).map_err(|_| {
        broken(
            "The name of this file is not valid UTF-8. Give it another name and choose it again."
                .to_owned(),
        )
    })
}
