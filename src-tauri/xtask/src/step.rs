//! One call of another program: its name is printed, and a failure says what failed and what can be done.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A named call of another program.
pub struct Step {
    name: String,
    command: Command,
    advice: &'static str,
}

impl Step {
    /// A step with a name for people, calling `program` in the root folder of the source.
    pub fn new(name: impl Into<String>, program: impl AsRef<OsStr>) -> Result<Self> {
        let mut command = Command::new(program);
        command.current_dir(crate::place::root()?);
        // Cargo's own variables for this program would mislead the next one.
        for variable in [
            "CARGO_MANIFEST_DIR",
            "CARGO_MANIFEST_PATH",
            "CARGO_PKG_NAME",
            "CARGO_PKG_VERSION",
        ] {
            command.env_remove(variable);
        }
        Ok(Self {
            name: name.into(),
            command,
            advice: "",
        })
    }

    /// Further arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// A variable for the program's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// The folder to work in, instead of the root folder.
    pub fn dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// What to do when the step fails.
    pub fn advice(mut self, advice: &'static str) -> Self {
        self.advice = advice;
        self
    }

    /// Does the step; what the program prints goes straight through.
    pub fn run(mut self) -> Result<()> {
        println!("\n==> {}", self.name);
        let status = self
            .command
            .status()
            .with_context(|| self.could_not_start())?;
        if !status.success() {
            bail!("{self} failed ({status})\n{}", self.advice);
        }
        Ok(())
    }

    /// Does the step and returns what the program printed on standard output.
    pub fn output(mut self) -> Result<String> {
        let output = self
            .command
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| self.could_not_start())?;
        if !output.status.success() {
            bail!("{self} failed ({})\n{}", output.status, self.advice);
        }
        String::from_utf8(output.stdout)
            .with_context(|| format!("{self} printed something that is not UTF-8"))
    }

    /// Whether the program can be started and is content; what it prints is dropped.
    pub fn succeeds(mut self) -> bool {
        let status = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }

    fn could_not_start(&self) -> String {
        format!("{self} could not be started\n{}", self.advice)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}: `{}",
            self.name,
            self.command.get_program().display()
        )?;
        for argument in self.command.get_args() {
            write!(out, " {}", argument.display())?;
        }
        write!(out, "`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_its_arguments_and_the_advice() {
        let step = Step::new("Fail", "false")
            .unwrap()
            .args(["--now"])
            .advice("Do not.");
        let message = format!("{:#}", step.run().unwrap_err());
        assert!(
            message.starts_with("Fail: `false --now` failed"),
            "{message}"
        );
        assert!(message.ends_with("Do not."), "{message}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named_too() {
        let step = Step::new("Look", "no-such-program-anywhere").unwrap();
        let message = format!("{:#}", step.output().unwrap_err());
        assert!(
            message.contains("`no-such-program-anywhere` could not be started"),
            "{message}"
        );
    }

    #[test]
    fn what_a_program_prints_comes_back() {
        assert_eq!(
            Step::new("Say", "echo")
                .unwrap()
                .args(["hello"])
                .output()
                .unwrap(),
            "hello\n"
        );
    }
}
