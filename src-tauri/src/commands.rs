//! What the pages may ask. Each command forwards to the method of the same name in `control`; names, arguments and
//! answers are spelled the same on both sides.

mod accounts;
mod first_run;
mod journal;
mod overview;
mod queue;
mod relay;
mod security;
mod settings;
mod status;

use tauri::Wry;
use tauri::ipc::Invoke;

/// Every command, by name.
pub(crate) fn all() -> impl Fn(Invoke<Wry>) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        status::status,
        status::server_start,
        status::server_stop,
        status::show_window_ready,
        settings::settings_get,
        settings::settings_check,
        settings::settings_apply,
        settings::choose_file,
        settings::choose_save,
        accounts::user_add,
        accounts::user_set,
        accounts::user_password,
        accounts::user_remove,
        accounts::user_restore,
        accounts::group_set,
        accounts::group_remove,
        journal::journal_list,
        journal::journal_open,
        journal::journal_text,
        overview::overview,
        queue::queue_list,
        queue::queue_show,
        queue::queue_act,
        relay::relay_password_set,
        relay::relay_password_clear,
        relay::relay_password_status,
        relay::relay_test,
        security::list_set,
        security::lists_remove,
        security::lists_restore,
        security::lists_analyse,
        security::lists_hits,
        security::lists_import_preview,
        security::lists_import,
        security::lists_export,
        security::rates_live,
        security::rates_unblock,
        security::blocks_list,
        security::blocks_lift,
        security::check_dnsbl,
        security::check_spf,
        security::check_message,
        first_run::dns_check,
        first_run::suggest_identity,
        first_run::ports_check,
        first_run::test_message,
    ]
}
