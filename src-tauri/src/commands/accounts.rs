//! The panes Users and Groups. A change here is in force at once; there is no draft.

use control::{Failure, Group, User};
use tauri::State;

use crate::shell::Shell;

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn user_add(
    shell: State<'_, Shell>,
    user: User,
    password: String,
) -> Result<(), Failure> {
    shell
        .ask(move |control| control.user_add(user, &password))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn user_set(
    shell: State<'_, Shell>,
    name: String,
    user: User,
) -> Result<(), Failure> {
    shell
        .ask(move |control| control.user_set(&name, user))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn user_password(
    shell: State<'_, Shell>,
    name: String,
    password: String,
) -> Result<(), Failure> {
    shell
        .ask(move |control| control.user_password(&name, &password))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn user_remove(shell: State<'_, Shell>, name: String) -> Result<(), Failure> {
    shell.ask(move |control| control.user_remove(&name)).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn user_restore(shell: State<'_, Shell>, name: String) -> Result<(), Failure> {
    shell.ask(move |control| control.user_restore(&name)).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn group_set(
    shell: State<'_, Shell>,
    name: Option<String>,
    group: Group,
) -> Result<(), Failure> {
    shell
        .ask(move |control| control.group_set(name.as_deref(), group))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn group_remove(shell: State<'_, Shell>, name: String) -> Result<(), Failure> {
    shell.ask(move |control| control.group_remove(&name)).await
}
