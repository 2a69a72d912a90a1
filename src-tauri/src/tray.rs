//! The tray icon: shows the server's state, opens the window, starts and stops the server, quits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use control::{Owner, Status};
use tauri::image::Image;
use tauri::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager, Wry};

use crate::shell::Shell;
use crate::{desktop, window};

/// The library that draws tray icons. Tauri opens it by itself, but panics when it is missing.
const LIBRARY: &str = "libayatana-appindicator3.so.1";
/// How soon the icon follows the server.
const REFRESH: Duration = Duration::from_secs(2);

/// The tray icon, where the desktop has a place for one.
pub(crate) struct Tray {
    /// Whether the icon can be seen; changes when the desktop's panel comes or goes.
    visible: Arc<AtomicBool>,
}

/// The parts of the icon that follow the server.
struct Face {
    icon: TrayIcon<Wry>,
    toggle: MenuItem<Wry>,
    shown: Option<Look>,
}

impl Tray {
    /// Builds the icon, or nothing when this machine cannot show one. The window works without it.
    pub(crate) fn build(app: &AppHandle) -> Self {
        let visible = Arc::new(AtomicBool::new(false));
        if !library_is_there() {
            tracing::info!(
                library = LIBRARY,
                "no tray icon: its library is not installed"
            );
            return Self { visible };
        }
        match build_face(app) {
            Ok(face) => follow(app.clone(), face, Arc::clone(&visible)),
            Err(error) => tracing::warn!(%error, "no tray icon"),
        }
        Self { visible }
    }

    /// Whether the program goes on after its window was closed: only for a server of its own that runs, and only
    /// where the icon leads back to the window.
    pub(crate) fn keeps_running(&self, shell: &Shell) -> bool {
        let status = || shell.opened()?.status().ok();
        self.visible.load(Ordering::Relaxed)
            && status().is_some_and(|status| {
                status.owner == Owner::ThisWindow && Look::of(&status) == Look::On
            })
    }
}

/// What the icon can look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    On,
    Off,
    Failed,
}

impl Look {
    fn of(status: &Status) -> Self {
        match status.state.as_str() {
            "running" | "starting" => Self::On,
            "failed" => Self::Failed,
            _ => Self::Off,
        }
    }
}

#[expect(
    unsafe_code,
    reason = "opening a library runs its start-up code; this one is opened by Tauri a moment later anyway"
)]
fn library_is_there() -> bool {
    // SAFETY: the library of the desktop's tray has no start-up code that asks anything of its caller.
    !cfg!(target_os = "linux") || unsafe { libloading::Library::new(LIBRARY) }.is_ok()
}

fn build_face(app: &AppHandle) -> tauri::Result<Face> {
    let open = MenuItem::with_id(app, "open", "Open Postroom", true, None::<&str>)?;
    let toggle = MenuItem::with_id(app, "toggle", "Start server", true, None::<&str>)?;
    let quit = MenuItem::with_id(app, "quit", "Quit", true, None::<&str>)?;
    let line = PredefinedMenuItem::separator(app)?;
    let menu = Menu::with_items(app, &[&open, &toggle, &line, &quit])?;
    let icon = TrayIconBuilder::with_id("postroom")
        .menu(&menu)
        .on_menu_event(on_menu)
        .icon(picture(Look::Off)?)
        .build(app)?;
    Ok(Face {
        icon,
        toggle,
        shown: None,
    })
}

fn on_menu(app: &AppHandle, event: MenuEvent) {
    match event.id().as_ref() {
        "open" => window::open(app),
        "toggle" => toggle_server(app.state::<Shell>().inner().clone()),
        "quit" => app.exit(0),
        _ => {}
    }
}

fn toggle_server(shell: Shell) {
    tauri::async_runtime::spawn(async move {
        let toggled = shell.ask(|control| {
            if Look::of(&control.status()?) == Look::On {
                control.server_stop()
            } else {
                control.server_start()
            }
        });
        if let Err(failure) = toggled.await {
            desktop::notify("Postroom", &failure.message);
        }
    });
}

/// Keeps the icon like the server, until the program ends.
fn follow(app: AppHandle, face: Face, visible: Arc<AtomicBool>) {
    let face = Arc::new(Mutex::new(face));
    let started = std::thread::Builder::new()
        .name("tray".into())
        .spawn(move || {
            let shell = app.state::<Shell>().inner().clone();
            loop {
                visible.store(desktop::shows_tray_icons(), Ordering::Relaxed);
                let status = shell.opened().and_then(|control| control.status().ok());
                let look = status.as_ref().map_or(Look::Failed, Look::of);
                let face = Arc::clone(&face);
                // Icons are GTK's business, and GTK lives on the main thread.
                let asked = app.run_on_main_thread(move || {
                    let mut face = face.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Err(error) = show(&mut face, look) {
                        tracing::warn!(%error, "the tray icon could not be changed");
                    }
                });
                if asked.is_err() {
                    return;
                }
                std::thread::sleep(REFRESH);
            }
        });
    if let Err(error) = started {
        tracing::warn!(%error, "the tray icon will not follow the server");
    }
}

fn show(face: &mut Face, look: Look) -> tauri::Result<()> {
    if face.shown == Some(look) {
        return Ok(());
    }
    let (toggle, words) = match look {
        Look::On => ("Stop server", "Postroom: running"),
        Look::Off => ("Start server", "Postroom: stopped"),
        Look::Failed => (
            "Start server",
            "Postroom: not running, open the window to see why",
        ),
    };
    face.toggle.set_text(toggle)?;
    face.icon.set_tooltip(Some(words))?;
    face.icon.set_icon(Some(picture(look)?))?;
    face.shown = Some(look);
    Ok(())
}

fn picture(look: Look) -> tauri::Result<Image<'static>> {
    Image::from_bytes(match look {
        Look::On => include_bytes!("../../icons/tray-running.png"),
        Look::Off => include_bytes!("../../icons/tray-stopped.png"),
        Look::Failed => include_bytes!("../../icons/tray-failed.png"),
    })
}
