//! The Overview.

use control::{Failure, Overview};
use tauri::State;

use crate::shell::Shell;

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn overview(shell: State<'_, Shell>) -> Result<Overview, Failure> {
    shell.ask(|control| control.overview()).await
}
