//! The Security pane: rules of the lists, clients as they are counted and blocked now, and the tests tried out.

use control::{
    BlockReason, BlockedClient, CheckFinding, CheckTrial, CheckedMessage, Criterion, DnsblZone,
    Failure, ListAnalysis, ListExported, ListFormat, ListHits, ListImport, ListImportPreview,
    ListImported, ListRule, LiveRates,
};
use tauri::State;

use crate::shell::Shell;

/// A new rule without `name`; else the rule of that name becomes `rule`. As of the others, the revision comes back.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn list_set(
    shell: State<'_, Shell>,
    name: Option<String>,
    rule: ListRule,
) -> Result<i64, Failure> {
    shell
        .ask(move |control| control.list_set(name.as_deref(), rule))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn lists_remove(
    shell: State<'_, Shell>,
    names: Vec<String>,
) -> Result<i64, Failure> {
    shell.ask(move |control| control.lists_remove(names)).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn lists_restore(
    shell: State<'_, Shell>,
    rules: Vec<ListRule>,
) -> Result<i64, Failure> {
    shell.ask(move |control| control.lists_restore(rules)).await
}

/// `name` is the stored rule that `rule` is to replace.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn lists_analyse(
    shell: State<'_, Shell>,
    rule: ListRule,
    name: Option<String>,
) -> Result<ListAnalysis, Failure> {
    shell
        .ask(move |control| control.lists_analyse(&rule, name.as_deref()))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn lists_hits(shell: State<'_, Shell>) -> Result<Vec<ListHits>, Failure> {
    shell.ask(|control| control.lists_hits()).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn lists_import_preview(
    shell: State<'_, Shell>,
    import: ListImport,
) -> Result<ListImportPreview, Failure> {
    shell
        .ask(move |control| control.lists_import_preview(&import))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn lists_import(
    shell: State<'_, Shell>,
    import: ListImport,
) -> Result<ListImported, Failure> {
    shell
        .ask(move |control| control.lists_import(&import))
        .await
}

/// `addresses`: whether an access table is one of senders or of recipients.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn lists_export(
    shell: State<'_, Shell>,
    path: String,
    format: ListFormat,
    addresses: Option<Criterion>,
) -> Result<ListExported, Failure> {
    shell
        .ask(move |control| control.lists_export(&path, format, addresses))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn rates_live(shell: State<'_, Shell>) -> Result<LiveRates, Failure> {
    shell.ask(|control| control.rates_live()).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn rates_unblock(shell: State<'_, Shell>, client: String) -> Result<(), Failure> {
    shell
        .ask(move |control| control.rates_unblock(&client))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn blocks_list(shell: State<'_, Shell>) -> Result<Vec<BlockedClient>, Failure> {
    shell.ask(|control| control.blocks_list()).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn blocks_lift(
    shell: State<'_, Shell>,
    client: String,
    reason: BlockReason,
) -> Result<(), Failure> {
    shell
        .ask(move |control| control.blocks_lift(&client, reason))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn check_dnsbl(
    shell: State<'_, Shell>,
    ip: String,
    zones: Vec<DnsblZone>,
) -> Result<Vec<CheckFinding>, Failure> {
    shell
        .ask(move |control| control.check_dnsbl(&ip, zones))
        .await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn check_spf(
    shell: State<'_, Shell>,
    trial: CheckTrial,
) -> Result<Vec<CheckFinding>, Failure> {
    shell.ask(move |control| control.check_spf(&trial)).await
}

#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn check_message(
    shell: State<'_, Shell>,
    trial: CheckTrial,
) -> Result<CheckedMessage, Failure> {
    shell
        .ask(move |control| control.check_message(&trial))
        .await
}
