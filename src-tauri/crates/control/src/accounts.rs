//! Users and groups. A password is hashed before it goes near the database, and never comes back from it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use server::{Snapshot, clock, rows};
use settings::{Group, Problem, Settings, User};
use store::{Tx, password, secret, setting};
use zeroize::Zeroizing;

use crate::mailbox::{self, Folder};
use crate::{Control, Failure};

/// RFC-less but sensible bounds: short passwords are guessed, long ones are a way to keep the hash busy.
const SHORTEST_PASSWORD: usize = 8;
const LONGEST_PASSWORD: usize = 256;

/// A removed user, kept while this program runs so that the removal can be undone.
#[derive(Debug)]
pub struct Removed {
    user: User,
    /// Groups the user was in.
    groups: Vec<String>,
    /// Hash of the password.
    secret: Option<Zeroizing<Vec<u8>>>,
}

/// What happens to the secret in the same transaction as the settings.
enum Secret {
    Keep,
    Set {
        name: String,
        hash: Zeroizing<Vec<u8>>,
    },
    Remove {
        name: String,
    },
    Rename {
        from: String,
        to: String,
    },
}

impl Control {
    /// Adds a user with a mailbox and a password. A name under which an earlier user's mail still lies is refused:
    /// only [`Self::user_restore`] gives it back to its owner.
    ///
    /// # Errors
    /// What is wrong with the name or the password.
    pub fn user_add(&self, user: User, password: &str) -> Result<(), Failure> {
        let hash = hash(&user.name, password)?;
        let name = user.name.clone();
        let secret = Secret::Set {
            name: name.clone(),
            hash,
        };
        let folder = Folder::Begin(name.clone());
        self.change_with(
            &format!("user {name} added"),
            secret,
            folder,
            move |settings| {
                settings.users.push(user);
                Ok(())
            },
        )
    }

    /// Changes a user; another name in `user` renames it, mail and password go along.
    ///
    /// # Errors
    /// What is wrong with the new values.
    pub fn user_set(&self, name: &str, user: User) -> Result<(), Failure> {
        let (secret, folder) = if user.name == name {
            (Secret::Keep, Folder::Keep)
        } else {
            let (from, to) = (name.to_owned(), user.name.clone());
            (
                Secret::Rename {
                    from: from.clone(),
                    to: to.clone(),
                },
                Folder::Move { from, to },
            )
        };
        let old = name.to_owned();
        let reason = format!("user {name} changed");
        self.change_with(&reason, secret, folder, move |settings| {
            for member in settings
                .groups
                .iter_mut()
                .flat_map(|group| &mut group.members)
            {
                if *member == old {
                    member.clone_from(&user.name);
                }
            }
            *find_user(settings, &old)? = user;
            Ok(())
        })
    }

    /// Sets a new password. Sessions that signed in with the old one end at their next message.
    ///
    /// # Errors
    /// What is wrong with the password, or that there is no such user.
    pub fn user_password(&self, name: &str, password: &str) -> Result<(), Failure> {
        let hash = hash(name, password)?;
        let name = name.to_owned();
        let done = self.store.write_blocking(move |tx| {
            let known = matches!(Snapshot::read(tx)?, Ok(snapshot) if snapshot.settings.user(&name).is_some());
            if known {
                secret::set(tx, secret::PASSWORD, &name, &hash, clock::now_ms())?;
            }
            Ok(if known { Ok(()) } else { Err(no_such("users", &name)) })
        })?;
        done.map_err(Failure::problem)
    }

    /// Removes a user. Mail that lies in the mailbox stays on the disk.
    ///
    /// # Errors
    /// That there is no such user.
    pub fn user_remove(&self, name: &str) -> Result<(), Failure> {
        let snapshot = self.snapshot()?;
        let user = snapshot
            .settings
            .user(name)
            .cloned()
            .ok_or_else(|| Failure::problem(no_such("users", name)))?;
        let groups = snapshot
            .settings
            .groups
            .iter()
            .filter(|group| group.members.contains(&user.name));
        let removed = Removed {
            groups: groups.map(|group| group.name.clone()).collect(),
            secret: self
                .store
                .read(|conn| secret::get(conn, secret::PASSWORD, &user.name))?,
            user,
        };
        let name = removed.user.name.clone();
        let gone = name.clone();
        self.change(
            &format!("user {name} removed"),
            Secret::Remove { name: name.clone() },
            move |settings| {
                settings.users.retain(|user| user.name != gone);
                for group in &mut settings.groups {
                    group.members.retain(|member| *member != gone);
                }
                Ok(())
            },
        )?;
        self.removed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, removed);
        Ok(())
    }

    /// Brings back a user that was removed since this program started, with password and groups.
    ///
    /// # Errors
    /// That nobody of that name was removed, or that the name is taken again.
    pub fn user_restore(&self, name: &str) -> Result<(), Failure> {
        let mut kept = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = kept
            .get(name)
            .ok_or_else(|| Failure::problem(no_such("users", name)))?;
        let secret = match &removed.secret {
            Some(hash) => Secret::Set {
                name: name.into(),
                hash: hash.clone(),
            },
            None => Secret::Keep,
        };
        let (user, groups) = (removed.user.clone(), removed.groups.clone());
        self.change(
            &format!("user {name} brought back"),
            secret,
            move |settings| {
                for group in settings
                    .groups
                    .iter_mut()
                    .filter(|group| groups.contains(&group.name))
                {
                    group.members.push(user.name.clone());
                }
                settings.users.push(user);
                Ok(())
            },
        )?;
        kept.remove(name);
        Ok(())
    }

    /// Adds a group (`name` is `None`) or changes one.
    ///
    /// # Errors
    /// What is wrong with its name or members.
    pub fn group_set(&self, name: Option<&str>, group: Group) -> Result<(), Failure> {
        let old = name.map(str::to_owned);
        self.change(
            &format!("group {} changed", group.name),
            Secret::Keep,
            move |settings| {
                match old {
                    None => settings.groups.push(group),
                    Some(old) => {
                        let found = settings.groups.iter_mut().find(|known| known.name == old);
                        *found.ok_or_else(|| no_such("groups", &old))? = group;
                    }
                }
                Ok(())
            },
        )
    }

    /// Removes a group.
    ///
    /// # Errors
    /// That there is no such group.
    pub fn group_remove(&self, name: &str) -> Result<(), Failure> {
        let gone = name.to_owned();
        self.change(
            &format!("group {name} removed"),
            Secret::Keep,
            move |settings| {
                let before = settings.groups.len();
                settings.groups.retain(|group| group.name != gone);
                if settings.groups.len() == before {
                    Err(no_such("groups", &gone))
                } else {
                    Ok(())
                }
            },
        )
    }

    /// As [`Self::change_with`], where mailboxes stay as they are.
    fn change(
        &self,
        reason: &str,
        secret: Secret,
        edit: impl FnOnce(&mut Settings) -> Result<(), Problem> + Send + 'static,
    ) -> Result<(), Failure> {
        self.change_with(reason, secret, Folder::Keep, edit)
    }

    /// One transaction: the edited settings are checked and stored together with the secret, or neither. The folder
    /// is moved within it, and back if it fails.
    fn change_with(
        &self,
        reason: &str,
        secret: Secret,
        folder: Folder,
        edit: impl FnOnce(&mut Settings) -> Result<(), Problem> + Send + 'static,
    ) -> Result<(), Failure> {
        let reason = reason.to_owned();
        let mail = mailbox::root(&self.snapshot()?.settings, self.store.data_dir());
        let moved = Arc::new(AtomicBool::new(false));
        let (wanted, root, has_moved) = (folder.clone(), mail.clone(), moved.clone());
        let outcome = self.store.write_blocking(move |tx| {
            let mut settings = match Snapshot::read(tx)? {
                Ok(snapshot) => snapshot.settings,
                Err(problems) => return Ok(Err(problems)),
            };
            if let Err(problem) = edit(&mut settings) {
                return Ok(Err(vec![problem]));
            }
            let settings = settings.in_order();
            let problems = settings.check();
            if !problems.is_empty() {
                return Ok(Err(problems));
            }
            match wanted.change(&root) {
                Ok(done) => has_moved.store(done, Ordering::SeqCst),
                Err(problem) => return Ok(Err(vec![problem])),
            }
            let revision = setting::replace(
                tx,
                &rows(&settings),
                &crate::author(),
                &reason,
                clock::now_ms(),
            )?;
            secret.store(tx)?;
            Ok(Ok(revision))
        });
        if outcome.is_err() && moved.load(Ordering::SeqCst) {
            folder.undo(&mail);
        }
        let revision = outcome?.map_err(Failure::problems)?;
        let in_force = self.until_in_force(revision.0);
        folder.sweep(&mail);
        in_force
    }
}

impl Secret {
    fn store(self, tx: &Tx<'_>) -> Result<(), store::StoreError> {
        match self {
            Self::Keep => {}
            Self::Set { name, hash } => {
                secret::set(tx, secret::PASSWORD, &name, &hash, clock::now_ms())?
            }
            Self::Remove { name } => drop(secret::remove(tx, secret::PASSWORD, &name)?),
            Self::Rename { from, to } => drop(secret::rename(tx, secret::PASSWORD, &from, &to)?),
        }
        Ok(())
    }
}

fn find_user<'a>(settings: &'a mut Settings, name: &str) -> Result<&'a mut User, Problem> {
    settings
        .users
        .iter_mut()
        .find(|user| user.name == name)
        .ok_or_else(|| no_such("users", name))
}

fn no_such(section: &str, name: &str) -> Problem {
    let what = if section == "users" { "user" } else { "group" };
    Problem::new(
        format!("{section}.{name}"),
        "no_such_entry",
        format!("there is no {what} \"{name}\""),
    )
    .arg("value", name)
}

fn hash(name: &str, typed: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let path = format!("users.{name}.password");
    let length = typed.chars().count();
    if length < SHORTEST_PASSWORD {
        let message = format!("the password needs at least {SHORTEST_PASSWORD} characters");
        return Err(Failure::problem(
            Problem::new(path, "password_too_short", message).arg("min", SHORTEST_PASSWORD),
        ));
    }
    if length > LONGEST_PASSWORD || typed.contains('\0') {
        let message = format!("the password can have at most {LONGEST_PASSWORD} characters");
        return Err(Failure::problem(
            Problem::new(path, "password_too_long", message).arg("max", LONGEST_PASSWORD),
        ));
    }
    Ok(Zeroizing::new(password::hash(typed)?.into_bytes()))
}

#[cfg(test)]
mod tests;
