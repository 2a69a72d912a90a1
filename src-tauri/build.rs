//! Lets Tauri read `tauri.conf.json`, the capabilities and the icons, and put them into the program.

fn main() {
    tauri_build::build();
}
