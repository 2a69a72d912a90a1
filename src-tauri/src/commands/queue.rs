//! The Queue.

use control::{Failure, QueueAct, QueueEntry, QueueFilter, QueuePage, QueueWhich};
use tauri::State;

use crate::shell::Shell;

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn queue_list(
    shell: State<'_, Shell>,
    filter: QueueFilter,
    after: Option<i64>,
    limit: u32,
) -> Result<QueuePage, Failure> {
    shell
        .ask(move |control| control.queue_list(&filter, after, limit))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn queue_show(shell: State<'_, Shell>, id: i64) -> Result<QueueEntry, Failure> {
    shell.ask(move |control| control.queue_show(id)).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn queue_act(
    shell: State<'_, Shell>,
    act: QueueAct,
    which: QueueWhich,
) -> Result<u64, Failure> {
    shell
        .ask(move |control| Ok(control.queue_act(act, &which)?.changed))
        .await
}
