//! The program `postroom`: with a verb it is the command line, without one it is the window.

use std::process::ExitCode;

use postroom_window::Launch;

fn main() -> ExitCode {
    match Launch::of(std::env::args_os().skip(1)) {
        Launch::Window { data_dir } => postroom_window::run(data_dir),
        // GTK is linked but not initialised: this works with no display at all.
        Launch::CommandLine => control::cli::main(Some(postroom_window::keychain())),
    }
}
