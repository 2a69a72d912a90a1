//! The command line: every verb as `postroom VERB` and `postroomd VERB`, with `--json` for programs.
//!
//! Exit status 0: done. 1: refused, with the reasons by path on the error stream. 2: the command line was not understood.

mod accounts;
mod blocks;
mod journal;
mod lists;
mod output;
mod queue;
mod relay;
mod serve;
mod settings;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use serde_json::json;
use store::DataDir;

use crate::{Control, Failure, FailureKind, Keychain};
use output::Output;

/// Runs the mail delivery of a small office.
#[derive(Debug, Parser)]
#[command(name = "postroom", version, about, arg_required_else_help = true)]
struct Arguments {
    /// Folder that holds everything: database, mail, certificate.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve mail without a window until SIGTERM.
    Serve,
    /// How the server is.
    Status,
    /// Start serving again, in the process that holds the data folder.
    Start,
    /// Stop serving mail; the process goes on and can be told to start.
    Stop,
    /// Read and change settings.
    #[command(subcommand)]
    Settings(settings::Verb),
    /// Users: add, list, set, password, remove.
    #[command(subcommand)]
    User(accounts::UserVerb),
    /// Groups: add, list, set, remove.
    #[command(subcommand)]
    Group(accounts::GroupVerb),
    /// The mail log, newest first.
    Log(journal::LogArguments),
    /// Why a message or a login was taken or refused.
    Explain {
        /// The six letters and digits in brackets at the end of a refusal, or a whole bounce that holds them.
        token: String,
    },
    /// Clients that are blocked, and how often clients come: list, lift, rates.
    #[command(subcommand)]
    Blocks(blocks::Verb),
    /// What waits to be delivered: list, show, retry, hold, release, return, remove.
    #[command(subcommand)]
    Queue(queue::Verb),
    /// Black and white lists: list, add, set, remove, check, import, export, hits.
    #[command(subcommand)]
    Lists(lists::Verb),
    /// The relay that mail for others goes through: test, password.
    #[command(subcommand)]
    Relay(relay::Verb),
}

/// The program. Never returns an error of ours as a panic or a stack trace. The relay's password is kept in `keychain`, if
/// the program around this has one.
pub fn main(keychain: Option<Arc<dyn Keychain>>) -> ExitCode {
    server::memory::stay_small();
    #[cfg(feature = "failpoints")]
    let _points = store::fail_points_asked_for();
    run(std::env::args_os(), keychain)
}

/// Runs one command line.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    keychain: Option<Arc<dyn Keychain>>,
) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // A closed pipe is no reason to complain.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let output = Output {
        json: arguments.json,
    };
    match carry_out(arguments, keychain, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// The data folder: as told, or where the system keeps a user's data.
///
/// # Errors
/// When neither is known.
pub fn data_dir(told: Option<PathBuf>) -> Result<DataDir, Failure> {
    told.or_else(DataDir::default_path)
        .map(DataDir::new)
        .ok_or_else(|| {
            Failure::new(
                FailureKind::Io,
                "there is no home folder to keep data in; name one with --data-dir DIR",
            )
        })
}

fn carry_out(
    arguments: Arguments,
    keychain: Option<Arc<dyn Keychain>>,
    output: &Output,
) -> Result<(), Failure> {
    let folder = data_dir(arguments.data_dir)?;
    if let Verb::Serve = arguments.verb {
        return serve::serve(&folder, keychain);
    }
    let control = Control::open(&folder)?.with_keychain(keychain);
    match arguments.verb {
        Verb::Serve => Ok(()),
        Verb::Status => status(&control, output),
        Verb::Start => {
            control.server_start()?;
            output.done(&json!({}));
            Ok(())
        }
        Verb::Stop => {
            control.server_stop()?;
            output.done(&json!({}));
            Ok(())
        }
        Verb::Settings(verb) => settings::run(&control, verb, output),
        Verb::User(verb) => accounts::user(&control, verb, output),
        Verb::Group(verb) => accounts::group(&control, verb, output),
        Verb::Log(arguments) => journal::log(&control, &arguments, output),
        Verb::Explain { token } => journal::explain(&control, &token, output),
        Verb::Blocks(verb) => blocks::run(&control, verb, output),
        Verb::Queue(verb) => queue::run(&control, verb, output),
        Verb::Lists(verb) => lists::run(&control, verb, output),
        Verb::Relay(verb) => relay::run(&control, verb, output),
    }
}

fn status(control: &Control, output: &Output) -> Result<(), Failure> {
    let status = control.status()?;
    output.value(&status, |status| {
        let mut lines = vec![status.state.clone()];
        lines.extend(
            status
                .listeners
                .iter()
                .map(|listener| match &listener.problem {
                    None => format!("{} {}", listener.service, listener.address),
                    Some(problem) => {
                        format!("{} {}: {problem}", listener.service, listener.address)
                    }
                }),
        );
        lines.extend(status.problem.iter().map(|problem| problem.message.clone()));
        lines.join("\n")
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_understood(line: &str) -> bool {
        Arguments::try_parse_from(line.split_whitespace()).is_ok()
    }

    #[test]
    fn an_act_on_the_queue_says_on_what_and_everything_only_by_its_name() {
        for verb in ["retry", "hold", "release", "return", "remove", "delete"] {
            for chosen in [
                "7",
                "7 8 9",
                "--all",
                "--text bob --state held --destination relay",
                "--destination domain:far.example",
            ] {
                assert!(
                    is_understood(&format!("postroom queue {verb} {chosen}")),
                    "{verb} {chosen}"
                );
            }
            for chosen in [
                "",
                "x",
                "7 --all",
                "7 --text bob",
                "--all --text bob",
                "--text=",
                "--state all",
            ] {
                assert!(
                    !is_understood(&format!("postroom queue {verb} {chosen}")),
                    "{verb} {chosen}"
                );
            }
        }
        assert!(is_understood("postroom queue list"));
        assert!(!is_understood("postroom queue list --limit 0"));
    }

    #[test]
    fn a_rule_says_on_which_list_it_stands_and_what_it_looks_at() {
        assert!(is_understood(
            "postroom lists add spam black ip_mask 192.0.2.0/24 --action discard"
        ));
        assert!(is_understood(
            "postroom lists add friend white domain .abc.com --disabled"
        ));
        assert!(!is_understood("postroom lists add spam 192.0.2.1"));
        assert!(!is_understood("postroom lists add spam grey ip 192.0.2.1"));
        assert!(is_understood(
            "postroom lists set spam --enabled false --rename ham"
        ));
        assert!(!is_understood("postroom lists remove"));
        for line in [
            "import rules.csv --dry-run",
            "import - --format sender --replace",
            "export - --format cidr",
            "hits",
        ] {
            assert!(is_understood(&format!("postroom lists {line}")), "{line}");
        }
    }

    #[test]
    fn a_relay_is_tried_as_stored_or_as_said() {
        assert!(is_understood("postroom relay test"));
        assert!(is_understood(
            "postroom relay test --server mx.example --port 465 --tls true --tls-mode implicit --certificate any"
        ));
        assert!(!is_understood(
            "postroom relay test --from ann@office.example"
        ));
        assert!(!is_understood("postroom relay test --certificate abc"));
        assert!(!is_understood("postroom relay password --stdin --clear"));
    }
}
