//! Users and groups: who has a mailbox here, and which names stand for several of them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Problem;

/// A person with a mailbox. The password is a secret and stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Login name and the part before the @, in lower case.
    pub name: String,
    /// Name for people to read.
    #[serde(default)]
    pub display_name: String,
    /// A disabled user cannot sign in; mail to the user is still taken.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// An address that delivers to several users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The part before the @, in lower case.
    pub name: String,
    /// Names of users.
    #[serde(default)]
    pub members: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Bound of both tables; a small office stays far below it.
pub const MAX_USERS: usize = 20_000;
const MAX_GROUPS: usize = 5_000;
const MAX_DISPLAY_NAME: usize = 120;

/// Why `name` cannot be a user or group, or `None` if it can. Names become folders and local parts, so both must be safe.
pub fn name_problem(name: &str) -> Option<(&'static str, String)> {
    if name.is_empty() {
        return Some(("empty", "a name is needed".into()));
    }
    // RFC 5321 §4.5.3.1.1
    if name.len() > 64 {
        return Some(("too_long", "a name can have at most 64 bytes".into()));
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(bad) = name.chars().find(|c| !allowed(*c)) {
        return Some((
            "bad_character",
            format!("{bad:?} cannot be in a name; use letters, digits, dot, hyphen and underscore"),
        ));
    }
    if name.starts_with(['.', '-']) || name.ends_with('.') || name.contains("..") {
        return Some((
            "bad_dot",
            "a name cannot begin with a dot or hyphen, end with a dot or have two dots in a row"
                .into(),
        ));
    }
    (name != name.to_lowercase()).then(|| {
        (
            "upper_case",
            format!("write the name in lower case: {}", name.to_lowercase()),
        )
    })
}

pub(crate) fn check(users: &[User], groups: &[Group]) -> Vec<Problem> {
    let mut problems = Vec::new();
    bound(&mut problems, "users", users.len(), MAX_USERS);
    bound(&mut problems, "groups", groups.len(), MAX_GROUPS);
    for (index, user) in users.iter().enumerate() {
        check_name(
            &mut problems,
            "users",
            &user.name,
            index > 0 && users[index - 1].name == user.name,
        );
        if user.display_name.chars().count() > MAX_DISPLAY_NAME
            || user.display_name.chars().any(char::is_control)
        {
            problems.push(Problem::new(
                format!("users.{}.display_name", user.name),
                "bad_display_name",
                format!("the display name can have at most {MAX_DISPLAY_NAME} characters and no line breaks"),
            ));
        }
    }
    for (index, group) in groups.iter().enumerate() {
        check_name(
            &mut problems,
            "groups",
            &group.name,
            index > 0 && groups[index - 1].name == group.name,
        );
        check_group(&mut problems, group, users);
    }
    problems
}

fn bound(problems: &mut Vec<Problem>, path: &str, count: usize, max: usize) {
    if count > max {
        problems.push(
            Problem::new(
                path,
                "too_many",
                format!("at most {max} entries are allowed"),
            )
            .arg("max", max),
        );
    }
}

fn check_name(problems: &mut Vec<Problem>, section: &str, name: &str, taken: bool) {
    let path = format!("{section}.{name}.name");
    if let Some((code, message)) = name_problem(name) {
        problems.push(Problem::new(path, code, message).arg("value", name));
    } else if taken {
        problems.push(
            Problem::new(path, "taken", format!("\"{name}\" exists already")).arg("value", name),
        );
    }
}

fn check_group(problems: &mut Vec<Problem>, group: &Group, users: &[User]) {
    if find(users, &group.name).is_some() {
        problems.push(
            Problem::new(
                format!("groups.{}.name", group.name),
                "taken",
                format!(
                    "\"{}\" is already a user; a name can stand for one thing only",
                    group.name
                ),
            )
            .arg("value", &group.name),
        );
    }
    for (index, member) in group.members.iter().enumerate() {
        let path = format!("groups.{}.members[{index}]", group.name);
        if find(users, member).is_none() {
            problems.push(
                Problem::new(
                    path,
                    "no_such_user",
                    format!("there is no user \"{member}\""),
                )
                .arg("value", member),
            );
        } else if group.members[..index].contains(member) {
            problems.push(
                Problem::new(
                    path,
                    "duplicate",
                    format!("\"{member}\" is already in this group"),
                )
                .arg("value", member),
            );
        }
    }
}

/// The user of that exact lower-case name, in a list sorted by name.
pub(crate) fn find<'a>(users: &'a [User], name: &str) -> Option<&'a User> {
    users
        .binary_search_by(|user| user.name.as_str().cmp(name))
        .ok()
        .map(|at| &users[at])
}
