//! Postroom without a window: the whole command line, with no Tauri and no GTK linked.

fn main() -> std::process::ExitCode {
    control::cli::main(None)
}
