//! `cargo xtask`: everything that is done with the source, from nothing to an open window.
//!
//! Lives here: calling other programs in the right order. Never here: anything the product itself needs.

mod bench;
mod bindings;
mod bundle;
mod debian;
mod fuzz;
mod lint;
mod pages;
mod place;
mod run;
mod rust;
mod step;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask run [ARGUMENTS]   set up what is missing, build, open the window (ARGUMENTS go to postroom)
cargo xtask test              set up what is missing, check the style, run every test
cargo xtask lint              check the style only
cargo xtask bench             measure memory, start-up times, decisions and mail against their aims
cargo xtask bench mail [...]  measure mail only, beside Postfix and the limit of the machine (--help says how)
cargo xtask bundle            make a Debian package
cargo xtask bindings          write the types that cross into the window
cargo xtask fuzz SECONDS      throw random bytes at the parsers, so long for each of them";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["run", rest @ ..] => run::run(rest),
        ["test"] => test::test(),
        ["lint"] => lint::lint(),
        ["bench"] => bench::bench(),
        ["bench", "mail", options @ ..] => bench::mail(options),
        ["bundle"] => bundle::bundle(),
        ["bindings"] => bindings::bindings(),
        ["fuzz", seconds] => fuzz::fuzz(seconds),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        [] => bail!("what shall be done?\n{USAGE}"),
        _ => bail!("`{}` is not understood\n{USAGE}", words.join(" ")),
    }
}
