//! `cargo xtask fuzz SECONDS`: random bytes for the parsers. Needs a nightly Rust.

use std::fs;

use anyhow::{Context, Result};

use crate::step::Step;
use crate::{place, rust};

/// Runs each fuzz target of `tests/fuzz` for so many seconds.
pub fn fuzz(seconds: &str) -> Result<()> {
    let seconds: u32 = seconds
        .parse()
        .with_context(|| format!("`{seconds}` is no number of seconds"))?;
    rust::install_fuzz()?;
    for target in targets()? {
        // By name, not by path: rustup reads +nightly only there.
        Step::new(format!("Fuzz {target} for {seconds} s"), "cargo")?
            .args([
                "+nightly",
                "fuzz",
                "run",
                "--fuzz-dir",
                "tests/fuzz",
                &target,
                "--",
            ])
            .args([format!("-max_total_time={seconds}")])
            .args(dictionary(&target)?)
            .advice(
                "Is a nightly Rust there? The input that was found lies in tests/fuzz/artifacts.",
            )
            .run()?;
    }
    Ok(())
}

/// The words of the protocol, where somebody has written them down beside the target.
fn dictionary(target: &str) -> Result<Option<String>> {
    let file = place::root()?.join(format!("tests/fuzz/{target}.dict"));
    Ok(file.exists().then(|| format!("-dict={}", file.display())))
}

fn targets() -> Result<Vec<String>> {
    let folder = place::root()?.join("tests/fuzz/fuzz_targets");
    let files =
        fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}
