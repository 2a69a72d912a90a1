//! The first-run assistant. These look at the network and may take seconds.

use control::{DnsCheck, Failure, Identity, PortCheck, TestResult};
use tauri::State;

use crate::shell::Shell;

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn dns_check(
    shell: State<'_, Shell>,
    domain: String,
    hostname: String,
) -> Result<Vec<DnsCheck>, Failure> {
    shell
        .ask(move |control| control.dns_check(&domain, &hostname))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn suggest_identity(shell: State<'_, Shell>) -> Result<Identity, Failure> {
    shell.ask(|control| Ok(control.suggest_identity())).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn ports_check(shell: State<'_, Shell>) -> Result<Vec<PortCheck>, Failure> {
    shell.ask(|control| control.ports_check()).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn test_message(
    shell: State<'_, Shell>,
    to: String,
) -> Result<TestResult, Failure> {
    shell.ask(move |control| control.test_message(&to)).await
}
