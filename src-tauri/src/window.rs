//! The one window: how it is built, found again and left.

use tauri::utils::config::Color;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, Theme, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

use crate::navigation::is_own_page;

/// The window's label, as the capabilities name it.
const LABEL: &str = "main";
const SIZE: (f64, f64) = (1160.0, 780.0);
const SMALLEST: (f64, f64) = (880.0, 600.0);

/// The page's own ground in either theme (`--ground` in `ui/src/styles/tokens.css`), so that nothing flashes before the first paint.
const LIGHT: Color = Color(0xf5, 0xf5, 0xf6, 0xff);
const DARK: Color = Color(0x1b, 0x1b, 0x1e, 0xff);

/// Brings the window to the front, or builds it when it was closed. Callable from any thread.
pub(crate) fn open(app: &AppHandle) {
    let handle = app.clone();
    let asked = app.run_on_main_thread(move || {
        let opened = match handle.get_webview_window(LABEL) {
            Some(window) => raise(&window),
            None => build(&handle),
        };
        if let Err(error) = opened {
            tracing::error!(%error, "the window could not be opened");
        }
    });
    if let Err(error) = asked {
        tracing::error!(%error, "the window could not be asked for");
    }
}

fn raise(window: &WebviewWindow) -> tauri::Result<()> {
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}

/// Builds the window. It is shown at once, but in the colour its page will have: a hidden page would never paint.
pub(crate) fn build(app: &AppHandle) -> tauri::Result<()> {
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Postroom")
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(SMALLEST.0, SMALLEST.1)
        .center()
        .visible(false)
        .zoom_hotkeys_enabled(true)
        .on_navigation(is_own_page)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?;
    let background = if matches!(window.theme()?, Theme::Dark) {
        DARK
    } else {
        LIGHT
    };
    window.set_background_color(Some(background))?;
    window.show()
}
