//! The relay: its password, and the test.

use control::{Failure, RelayPasswordStatus, RelayStep, RelayTest};
use tauri::State;
use tauri::ipc::Channel;

use crate::shell::Shell;

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn relay_password_set(
    shell: State<'_, Shell>,
    password: String,
) -> Result<RelayPasswordStatus, Failure> {
    shell
        .ask(move |control| control.relay_password_set(&password))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn relay_password_clear(
    shell: State<'_, Shell>,
) -> Result<RelayPasswordStatus, Failure> {
    shell.ask(|control| control.relay_password_clear()).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn relay_password_status(
    shell: State<'_, Shell>,
) -> Result<RelayPasswordStatus, Failure> {
    shell.ask(|control| control.relay_password_status()).await
}

/// Each step goes through `steps` as it happens; the answer has them all.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn relay_test(
    shell: State<'_, Shell>,
    test: RelayTest,
    steps: Channel<RelayStep>,
) -> Result<Vec<RelayStep>, Failure> {
    shell
        .ask(move |control| {
            // A page that is gone needs no news; the test ends by itself.
            control.relay_test(test, &mut |step| drop(steps.send(step.clone())))
        })
        .await
}
