//! All sections together, and the way in and out: JSON documents, partial ones too, and rows for the store.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use smtp::Address;
use ts_rs::TS;

use crate::security::{Advanced, Checks, ConnectionPolicy, SenderPolicy};
use crate::{Delivery, FieldInfo, General, Group, Problem, Security, Service, User, accounts};

/// Everything the admin chose. Users and groups are sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Section *service*.
    pub service: Service,
    /// Section *general*.
    pub general: General,
    /// Section *delivery*.
    pub delivery: Delivery,
    /// Section *security*.
    pub security: Security,
    /// Section *users*.
    pub users: Vec<User>,
    /// Section *groups*.
    pub groups: Vec<Group>,
}

/// One stored piece: a scalar section has one row with an empty key, a list section one row an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Section name.
    pub section: String,
    /// Name of the entry, empty for scalar sections.
    pub key: String,
    /// The section or the entry.
    pub value: Value,
}

/// A document can be wrong in many places; more than this are not listed.
const MAX_PROBLEMS: usize = 100;

impl Settings {
    /// These settings with the parts that `document` names replaced. Objects are merged, lists and values replaced.
    ///
    /// # Errors
    /// Every part that cannot be taken, with its path; an unknown key is one of them.
    pub fn merged(&self, document: &Value) -> Result<Self, Vec<Problem>> {
        if !document.is_object() {
            return Err(vec![Problem::new(
                "",
                "not_an_object",
                "settings are a JSON object such as {\"general\": {}}",
            )]);
        }
        let base = serde_json::to_value(self).unwrap_or_default();
        let mut whole = base.clone();
        merge(&mut whole, document, 2);
        let settings = read(whole, &base)?;
        // Before the lists are put in order: problems name the places of the document.
        let problems = settings.check();
        if problems.is_empty() {
            Ok(settings.in_order())
        } else {
            Err(problems)
        }
    }

    /// What is wrong with these settings.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = self.general.check();
        problems.extend(self.service.check());
        problems.extend(self.delivery.check(&self.general, &self.service));
        problems.extend(self.security.check(&self.service));
        problems.extend(accounts::check(&self.users, &self.groups));
        problems.truncate(MAX_PROBLEMS);
        problems
    }

    /// What is allowed but worth a second look, in words.
    pub fn warnings(&self) -> Vec<Problem> {
        let general = &self.general;
        let mut warnings = Vec::new();
        if general.max_recipients < 100 {
            // RFC 5321 §4.5.3.1.8
            warnings.push(Problem::new(
                "general.max_recipients",
                "below_standard",
                "the mail standard asks every server to take 100 recipients; some senders will not cope with fewer",
            ));
        }
        if general
            .max_attachment_size_mb
            .is_some_and(|mb| mb > general.max_message_size_mb)
        {
            warnings.push(Problem::new(
                "general.max_attachment_size_mb",
                "above_message_size",
                "no attachment can reach this limit, because the message size limit is lower",
            ));
        }
        if !general.smtp_auth {
            warnings.push(Problem::new(
                "general.smtp_auth",
                "nobody_signs_in",
                "with this off, users outside your network cannot send",
            ));
        }
        warnings.extend(self.delivery.warnings());
        warnings.extend(self.security.lists.warnings());
        warnings
    }

    /// Whether the first-run questions are answered: without domain and host name no mail can be taken.
    pub fn is_set_up(&self) -> bool {
        self.general.domain.is_some() && self.general.hostname.is_some()
    }

    /// The user of that name, whatever its case.
    pub fn user(&self, name: &str) -> Option<&User> {
        accounts::find(&self.users, name)
            .or_else(|| accounts::find(&self.users, &name.to_lowercase()))
    }

    /// The group of that name, whatever its case.
    pub fn group(&self, name: &str) -> Option<&Group> {
        let name = name.to_lowercase();
        self.groups
            .binary_search_by(|group| group.name.cmp(&name))
            .ok()
            .map(|at| &self.groups[at])
    }

    /// The user who signs in as `login`: the name alone, or an address in any local domain.
    pub fn user_of_login(&self, login: &str) -> Option<&User> {
        match Address::parse(login) {
            Ok(address) => self.user_of_address(&address),
            Err(_) => self.user(login),
        }
    }

    /// The user whose own address this is: the name, perhaps with `+detail`, in any local domain.
    pub fn user_of_address(&self, address: &Address) -> Option<&User> {
        self.is_local(address)
            .then(|| self.user(&address.base_local()))?
    }

    /// Whether the address is in one of our domains.
    pub fn is_local(&self, address: &Address) -> bool {
        address
            .domain()
            .is_some_and(|domain| self.general.is_local_domain(domain))
    }

    /// What the panes show about each setting.
    pub fn fields() -> Vec<FieldInfo> {
        let mut fields = General::fields();
        fields.extend(Service::fields());
        fields.extend(Delivery::fields());
        fields.extend(SenderPolicy::fields());
        fields.extend(ConnectionPolicy::fields());
        fields.extend(Advanced::fields());
        fields.extend(Checks::fields());
        fields
    }

    /// The rows that the store keeps.
    pub fn to_rows(&self) -> Vec<Row> {
        let row = |section: &str, key: &str, value: Result<Value, serde_json::Error>| Row {
            section: section.into(),
            key: key.into(),
            value: value.unwrap_or_default(),
        };
        let mut rows = vec![
            row("service", "", serde_json::to_value(&self.service)),
            row("general", "", serde_json::to_value(&self.general)),
            row("delivery", "", serde_json::to_value(&self.delivery)),
        ];
        rows.extend(self.security.rows());
        rows.extend(
            self.users
                .iter()
                .map(|user| row("users", &user.name, serde_json::to_value(user))),
        );
        rows.extend(
            self.groups
                .iter()
                .map(|group| row("groups", &group.name, serde_json::to_value(group))),
        );
        rows
    }

    /// The settings that `rows` hold; a section without a row has its defaults.
    ///
    /// # Errors
    /// A row that this program cannot read. The caller must stop, not fall back to defaults: they are another policy.
    pub fn from_rows(rows: &[Row]) -> Result<Self, Vec<Problem>> {
        let mut whole = serde_json::Map::new();
        for row in rows {
            put(&mut whole, &row.section, row);
        }
        let base = serde_json::to_value(Self::default()).unwrap_or_default();
        read(Value::Object(whole), &base).map(Self::in_order)
    }

    /// Gives the lists the order that look-ups rely on, and names the case they are kept in.
    #[must_use]
    pub fn in_order(self) -> Self {
        let mut settings = self.accounts_in_order();
        settings.security.lists = settings.security.lists.in_order();
        settings
    }

    /// As [`Self::in_order`], for users and groups alone, which the checks look up.
    fn accounts_in_order(mut self) -> Self {
        self.users.sort_by(|a, b| a.name.cmp(&b.name));
        self.groups.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }
}

/// Puts the value of a row in its place: `security.checks` lies in an object, an entry with a key in a list.
fn put(into: &mut serde_json::Map<String, Value>, section: &str, row: &Row) {
    if let Some((outer, inner)) = section.split_once('.') {
        let outer = into
            .entry(outer)
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Value::Object(outer) = outer {
            put(outer, inner, row);
        }
    } else if row.key.is_empty() {
        into.insert(section.into(), row.value.clone());
    } else if let Value::Array(list) = into
        .entry(section)
        .or_insert_with(|| Value::Array(Vec::new()))
    {
        list.push(row.value.clone());
    }
}

/// The section whose parts are sections themselves.
const NESTED: &str = "security";

/// Puts `change` over `into`, down to `levels` levels; below them values are replaced whole. The parts of a section are
/// replaced whole, and those of [`NESTED`] are merged like sections.
fn merge(into: &mut Value, change: &Value, levels: u8) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) if levels > 0 => {
            for (key, value) in change {
                let more = u8::from(key == NESTED && levels == 2);
                merge(
                    into.entry(key.clone()).or_insert(Value::Null),
                    value,
                    levels - 1 + more,
                );
            }
        }
        (into, change) => *into = change.clone(),
    }
}

/// Reads a document; where a value does not fit, its problem is noted and `base` stands in, so that all are found.
fn read(mut document: Value, base: &Value) -> Result<Settings, Vec<Problem>> {
    let mut problems = Vec::new();
    loop {
        match serde_path_to_error::deserialize::<_, Settings>(&document) {
            Ok(settings) if problems.is_empty() => return Ok(settings.accounts_in_order()),
            Ok(_) => return Err(problems),
            Err(error) => {
                let path = error.path().to_string();
                problems.push(Problem::new(
                    path.clone(),
                    "unreadable",
                    plainly(&error.inner().to_string()),
                ));
                if problems.len() >= MAX_PROBLEMS || !repair(&mut document, base, error.path()) {
                    return Err(problems);
                }
            }
        }
    }
}

/// What the reader says of a value of the wrong kind, without the names that types have in the program. The rest, such as
/// an unknown field with its name, stays.
fn plainly(said: &str) -> String {
    let wrong_kind = said.starts_with("invalid type") || said.starts_with("invalid value");
    let expected = said.rsplit_once(", expected ").map(|(_, kind)| kind);
    let words = match expected.filter(|_| wrong_kind) {
        Some("u32") if said.starts_with("invalid value") => {
            "a whole number from 0 to 4294967295 is needed"
        }
        Some("u16") if said.starts_with("invalid value") => {
            "a whole number from 0 to 65535 is needed"
        }
        Some("u8" | "u16" | "u32" | "u64" | "usize" | "i64") => "a whole number is needed",
        Some("a boolean") => "true or false is needed",
        Some("a string" | "string") => "a text is needed",
        Some("a sequence") => "a list is needed",
        Some("socket address") => "an address with its port is needed, such as \"[::]:25\"",
        Some(kind) if kind.starts_with("struct ") => "an object such as {\"name\": …} is needed",
        _ => said,
    };
    words.into()
}

/// Takes the value at `path` out of the document, or puts the base's in; false if that is not possible.
fn repair(document: &mut Value, base: &Value, path: &serde_path_to_error::Path) -> bool {
    use serde_path_to_error::Segment;
    let mut at = document;
    let mut base = Some(base);
    let mut steps = path.iter().peekable();
    while let Some(step) = steps.next() {
        let last = steps.peek().is_none();
        match step {
            Segment::Map { key } => {
                base = base.and_then(|value| value.get(key));
                let Value::Object(map) = at else { return false };
                if last {
                    match base.filter(|value| map.get(key) != Some(value)) {
                        Some(value) => drop(map.insert(key.clone(), value.clone())),
                        None => drop(map.remove(key)),
                    }
                    return true;
                }
                let Some(next) = map.get_mut(key) else {
                    return false;
                };
                at = next;
            }
            Segment::Seq { index } => {
                base = None;
                let Value::Array(list) = at else { return false };
                if last {
                    if *index < list.len() {
                        list.remove(*index);
                    }
                    return true;
                }
                let Some(next) = list.get_mut(*index) else {
                    return false;
                };
                at = next;
            }
            Segment::Enum { .. } | Segment::Unknown => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests;
