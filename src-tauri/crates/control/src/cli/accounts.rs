//! `user` and `group`.

use std::io::Read;

use clap::{Args, Subcommand};
use serde_json::json;
use settings::{Group, User};
use zeroize::Zeroizing;

use super::output::Output;
use crate::{Control, Failure, FailureKind};

/// More than any password.
const MAX_PASSWORD_INPUT: u64 = 4096;

#[derive(Debug, Subcommand)]
pub(super) enum UserVerb {
    /// Add a user.
    Add {
        /// Login name and the part before the @.
        name: String,
        #[command(flatten)]
        password: PasswordSource,
        /// Name for people to read.
        #[arg(long, default_value = "")]
        display_name: String,
    },
    /// List users.
    List,
    /// Change a user.
    Set {
        /// Current name.
        name: String,
        /// New name; the mail that is there moves along.
        #[arg(long)]
        rename: Option<String>,
        /// Name for people to read.
        #[arg(long)]
        display_name: Option<String>,
        /// Whether the user may sign in.
        #[arg(long)]
        enabled: Option<bool>,
        /// Read a new password from standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove a user; mail stays on the disk.
    Remove {
        /// Name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct PasswordSource {
    /// Read the password from standard input: its first line.
    #[arg(long, required = true)]
    password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum GroupVerb {
    /// Add a group.
    Add {
        /// The part before the @.
        name: String,
        /// Users in it.
        #[arg(value_name = "USER")]
        members: Vec<String>,
    },
    /// List groups.
    List,
    /// Replace the members of a group.
    Set {
        /// Name.
        name: String,
        /// Users in it from now on.
        #[arg(value_name = "USER")]
        members: Vec<String>,
    },
    /// Remove a group.
    Remove {
        /// Name.
        name: String,
    },
}

pub(super) fn user(control: &Control, verb: UserVerb, output: &Output) -> Result<(), Failure> {
    match verb {
        UserVerb::Add {
            name,
            password: _,
            display_name,
        } => {
            let password = password()?;
            let user = User {
                name,
                display_name,
                enabled: true,
            };
            control.user_add(user.clone(), &password)?;
            output.done(&user);
            Ok(())
        }
        UserVerb::List => {
            output.value(&control.settings_get()?.settings.users, |users| {
                lines(users)
            });
            Ok(())
        }
        UserVerb::Set {
            name,
            rename,
            display_name,
            enabled,
            password_stdin,
        } => {
            let settings = control.settings_get()?.settings;
            let known = settings.user(&name).cloned().ok_or_else(|| {
                Failure::new(
                    FailureKind::Problems,
                    format!("users.{name}: there is no user \"{name}\""),
                )
            })?;
            let password = if password_stdin {
                Some(password()?)
            } else {
                None
            };
            let user = User {
                name: rename.unwrap_or_else(|| known.name.clone()),
                display_name: display_name.unwrap_or_else(|| known.display_name.clone()),
                enabled: enabled.unwrap_or(known.enabled),
            };
            control.user_set(&known.name, user.clone())?;
            if let Some(password) = password {
                control.user_password(&user.name, &password)?;
            }
            output.done(&user);
            Ok(())
        }
        UserVerb::Remove { name } => {
            control.user_remove(&name)?;
            output.done(&json!({}));
            Ok(())
        }
    }
}

fn lines(users: &[User]) -> String {
    let line = |user: &User| {
        let state = if user.enabled { "" } else { "\tdisabled" };
        format!("{}\t{}{state}", user.name, user.display_name)
    };
    users.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(super) fn group(control: &Control, verb: GroupVerb, output: &Output) -> Result<(), Failure> {
    match verb {
        GroupVerb::Add { name, members } => {
            let group = Group { name, members };
            control.group_set(None, group.clone())?;
            output.done(&group);
            Ok(())
        }
        GroupVerb::List => {
            output.value(&control.settings_get()?.settings.groups, |groups| {
                let line = |group: &Group| format!("{}\t{}", group.name, group.members.join(", "));
                groups.iter().map(line).collect::<Vec<_>>().join("\n")
            });
            Ok(())
        }
        GroupVerb::Set { name, members } => {
            let group = Group { name, members };
            control.group_set(Some(&group.name), group.clone())?;
            output.done(&group);
            Ok(())
        }
        GroupVerb::Remove { name } => {
            control.group_remove(&name)?;
            output.done(&json!({}));
            Ok(())
        }
    }
}

/// The first line of standard input.
pub(super) fn password() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .take(MAX_PASSWORD_INPUT)
        .read_to_string(&mut text)
        .map_err(|error| {
            Failure::new(
                FailureKind::Io,
                format!("the password could not be read: {error}"),
            )
        })?;
    Ok(Zeroizing::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}
