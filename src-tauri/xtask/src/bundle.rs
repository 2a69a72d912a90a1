//! `cargo xtask bundle`: a Debian package.

use anyhow::Result;

use crate::step::Step;
use crate::{debian, pages, place, rust};

/// Builds the programs for use and packs them. The package lies in `release/bundle/deb` of the build folder.
pub fn bundle() -> Result<()> {
    debian::install(debian::BUILD)?;
    pages::install()?;
    rust::cargo(
        "Build postroomd",
        &[
            "build",
            "--release",
            "--package",
            "control",
            "--bin",
            "postroomd",
        ],
    )?
    .run()?;
    let tauri = place::ui()?.join("node_modules/.bin/tauri");
    Step::new("Build postroom and pack", tauri)?
        .args(["build", "--bundles", "deb", "--config", &second_program()?])
        .run()?;
    println!(
        "\nThe package is in {}",
        place::built("release", "bundle/deb")?.display()
    );
    Ok(())
}

/// Takes `postroomd` into the package too. Here and not in `tauri.conf.json`, because only now it is known where it lies.
fn second_program() -> Result<String> {
    let program = place::built("release", "postroomd")?;
    let path = program
        .display()
        .to_string()
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    Ok(format!(
        r#"{{"bundle":{{"linux":{{"deb":{{"files":{{"/usr/bin/postroomd":"{path}"}}}}}}}}}}"#
    ))
}
