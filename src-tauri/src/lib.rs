//! The window of Postroom: one webview, a tray icon and the desktop's file dialogs.
//!
//! Lives here: opening and closing the window, the tray, and commands that forward to `control` in a few lines.
//! Never here: a decision about mail or settings, SQL, a socket. Called by: `main.rs` alone.

mod commands;
mod desktop;
mod dialogs;
mod keychain;
mod launch;
mod navigation;
mod process;
mod shell;
mod tray;
mod window;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tauri::{App, AppHandle, Manager, RunEvent};

use crate::dialogs::DesktopDialogs;
use crate::shell::Shell;
use crate::tray::Tray;

pub use crate::launch::Launch;

/// The keychain of the desktop, for the command line.
pub fn keychain() -> Arc<dyn control::Keychain> {
    Arc::new(keychain::DesktopKeychain::default())
}

/// Opens the window on a data folder (`None`: the usual one) and returns when the program is to end.
///
/// With `POSTROOM_TIMINGS=1` in the environment the time from the program's start to the first paint is printed on
/// standard error.
pub fn run(data_dir: Option<PathBuf>) -> ExitCode {
    if !has_display() {
        eprintln!(
            "postroom: there is no display to open a window on. To run the server without one, type: postroom serve"
        );
        return ExitCode::FAILURE;
    }
    process::draw_without_graphics_card();
    let folder = match control::cli::data_dir(data_dir) {
        Ok(folder) => folder,
        Err(failure) => {
            eprintln!("postroom: {failure}");
            return ExitCode::FAILURE;
        }
    };
    let context = tauri::generate_context!();
    let bus_name = desktop::bus_name(&context.config().identifier, folder.root());
    let shell = Shell::new(folder, Arc::new(DesktopDialogs));
    open_in_background(&shell);
    let built = tauri::Builder::default()
        .plugin(single_instance(bus_name))
        .manage(shell)
        .invoke_handler(commands::all())
        .setup(|app| Ok(set_up(app)?))
        .build(context);
    match built {
        Ok(app) => {
            app.run(on_event);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("postroom: the window could not be opened: {error}");
            ExitCode::FAILURE
        }
    }
}

/// GTK ends the whole program when it finds no display, so this is asked before.
fn has_display() -> bool {
    let named = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || named("DISPLAY") || named("WAYLAND_DISPLAY")
}

/// The database is read while the webview starts; the first command then finds it open.
fn open_in_background(shell: &Shell) {
    let shell = shell.clone();
    tauri::async_runtime::spawn_blocking(move || {
        // A failure is kept in the shell and shown in the window.
        drop(shell.control());
    });
}

fn single_instance(bus_name: String) -> tauri::plugin::TauriPlugin<tauri::Wry> {
    tauri_plugin_single_instance::Builder::new()
        .dbus_id(bus_name)
        .callback(|app, _arguments, _folder| window::open(app))
        .build()
}

fn set_up(app: &mut App) -> tauri::Result<()> {
    window::build(app.handle())?;
    app.manage(Tray::build(app.handle()));
    Ok(())
}

fn on_event(app: &AppHandle, event: RunEvent) {
    match event {
        // No code: nobody asked for the end, the last window was closed.
        RunEvent::ExitRequested {
            api, code: None, ..
        } if keeps_running(app) => {
            api.prevent_exit();
            tauri::async_runtime::spawn_blocking(|| {
                desktop::notify(
                    "Postroom keeps running",
                    "The server goes on taking mail. Open or quit Postroom from its tray icon.",
                );
            });
        }
        RunEvent::Exit => {
            if let Some(control) = app.state::<Shell>().opened() {
                control.quit();
            }
        }
        _ => {}
    }
}

fn keeps_running(app: &AppHandle) -> bool {
    app.state::<Tray>().keeps_running(&app.state::<Shell>())
}
