//! What the window asks of the desktop over its session bus. No bus, no answer: everything here may be missing.

use std::collections::HashMap;
use std::path::Path;

use zbus::blocking::Connection;
use zbus::zvariant::Value;

/// Whether something on this desktop shows tray icons. Without it a hidden window could never be found again.
pub(crate) fn shows_tray_icons() -> bool {
    tray_host().unwrap_or(false)
}

fn tray_host() -> zbus::Result<bool> {
    let bus = Connection::session()?;
    let watcher = zbus::blocking::Proxy::new(
        &bus,
        "org.kde.StatusNotifierWatcher",
        "/StatusNotifierWatcher",
        "org.kde.StatusNotifierWatcher",
    )?;
    watcher.get_property("IsStatusNotifierHostRegistered")
}

/// Shows a short notice in the way the desktop shows notices. A notice that cannot be shown is only logged.
pub(crate) fn notify(title: &str, text: &str) {
    if let Err(error) = send_notice(title, text) {
        tracing::info!(%error, title, "the desktop showed no notice");
    }
}

fn send_notice(title: &str, text: &str) -> zbus::Result<()> {
    const REPLACES_NONE: u32 = 0;
    const DESKTOP_DECIDES: i32 = -1;
    let actions: [&str; 0] = [];
    let hints: HashMap<&str, Value<'_>> =
        HashMap::from([("desktop-entry", Value::from("Postroom"))]);
    let bus = Connection::session()?;
    bus.call_method(
        Some("org.freedesktop.Notifications"),
        "/org/freedesktop/Notifications",
        Some("org.freedesktop.Notifications"),
        "Notify",
        &(
            "Postroom",
            REPLACES_NONE,
            "postroom",
            title,
            text,
            &actions[..],
            hints,
            DESKTOP_DECIDES,
        ),
    )?;
    Ok(())
}

/// A bus name for the one window of a data folder, so that a second start on the same folder finds the first,
/// and a window on another folder is let be.
pub(crate) fn bus_name(identifier: &str, folder: &Path) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    format!(
        "{identifier}.folder{:016x}",
        fnv1a(folder.as_os_str().as_encoded_bytes())
    )
}

/// The 64-bit FNV-1a hash: the same in every run and version, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_folders_have_two_names_and_one_folder_has_one() {
        let name = |folder: &str| bus_name("org.postroom.window", Path::new(folder));
        assert_eq!(name("/srv/a"), name("/srv/a"));
        assert_ne!(name("/srv/a"), name("/srv/b"));
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
