//! The frame of the window: the server's state, and that the window is painted.

use control::{Failure, Status};
use tauri::State;

use crate::process;
use crate::shell::Shell;

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn status(shell: State<'_, Shell>) -> Result<Status, Failure> {
    shell.ask(|control| control.status()).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn server_start(shell: State<'_, Shell>) -> Result<(), Failure> {
    shell.ask(|control| control.server_start()).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn server_stop(shell: State<'_, Shell>) -> Result<(), Failure> {
    shell.ask(|control| control.server_stop()).await
}

/// The pages call this once, after their first paint.
#[tauri::command(rename_all = "snake_case")]
pub(crate) fn show_window_ready() {
    process::report_first_paint();
}
