//! The scenarios against the policy itself: the session machine, the scanner and the rules, with nothing between them
//! but values. No socket, no store, no clock; the passwords and the Maildirs are make-believe.

#[path = "scenarios_policy/office.rs"]
mod office;
#[path = "scenarios_policy/profile.rs"]
mod profile;
#[path = "scenarios_policy/world.rs"]
mod world;

use anyhow::{Result, ensure};
use postroom_tests::all_scenarios;
use postroom_tests::scenario::{self, fixture, lay_over, play};
use settings::Settings;

use office::Office;

/// Plays every scenario of a file and tells of all that went wrong.
fn run(section: &str, name: &str) -> Result<()> {
    let mut failures = Vec::new();
    for scenario in scenario::read(section, name)? {
        let settings = lay_over(fixture(), &scenario.settings);
        if let Err(error) = play(&scenario, &settings, &mut Office::default()) {
            failures.push(format!(
                "{section}/{name}.txt: {}: {error:#}",
                scenario.name
            ));
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    Ok(())
}

macro_rules! tests {
    ($($section:ident: [$($name:ident),* $(,)?]),* $(,)?) => {
        $(
            mod $section {
                use super::{Result, run};
                $(
                    #[test]
                    fn $name() -> Result<()> {
                        run(stringify!($section), stringify!($name))
                    }
                )*
            }
        )*

        const LISTED: &[(&str, &[&str])] = &[$((stringify!($section), &[$(stringify!($name)),*])),*];
    };
}
all_scenarios!(tests);

#[test]
fn every_scenario_file_is_listed_and_every_setting_has_one() -> Result<()> {
    for (section, listed) in LISTED {
        for file in std::fs::read_dir(scenario::folder(section))? {
            let file = file?.file_name().to_string_lossy().into_owned();
            let known = file
                .strip_suffix(".txt")
                .is_some_and(|name| listed.contains(&name));
            ensure!(
                known,
                "{section}/{file} is not among the scenarios that are run"
            );
        }
        for field in Settings::fields() {
            // The tabs of a section share its folder, for no two settings of a section have the same name.
            let name = field.path.strip_prefix(&format!("{section}."));
            let name = name.and_then(|name| name.rsplit('.').next());
            ensure!(
                name.is_none_or(|name| listed.contains(&name)),
                "{} has no scenarios",
                field.path
            );
        }
    }
    Ok(())
}
