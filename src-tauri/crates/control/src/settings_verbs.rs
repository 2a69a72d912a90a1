//! Settings: read, check, apply.
//!
//! Apply is check, try, commit, in force. What only changes numbers and names is committed at once and the server takes
//! it over; what opens ports or loads a certificate is tried by the server first, and committed by it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use serde::Serialize;
use serde_json::Value;
use server::deliver::maildir;
use server::{APPLY, Apply, Snapshot, clock, rows, tls};
use settings::change::{Effects, effects};
use settings::{FieldInfo, Problem, Settings};
use store::setting::{self, Revision};
use store::{Connection, StoreError};
use ts_rs::TS;

use crate::{Control, Failure, FailureKind};

/// The settings with what a pane needs to show them.
#[derive(Debug, Clone, Serialize, TS)]
pub struct SettingsView {
    /// Number of the revision.
    pub revision: i64,
    /// All sections.
    pub settings: Settings,
    /// Help, bounds and default of each setting.
    pub fields: Vec<FieldInfo>,
}

/// What came of an apply.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Applied {
    /// The new revision, in force.
    pub revision: i64,
    /// What is allowed but worth a second look.
    pub notes: Vec<String>,
}

/// What a try to commit without the server came to.
enum Direct {
    Stored(Revision, Box<Settings>),
    Refused(Vec<Problem>),
    Conflict(Vec<String>),
    /// Ports or certificate change; a running server must try them.
    MustBeTried(Effects, Box<Settings>),
}

impl Control {
    pub(crate) fn snapshot(&self) -> Result<Snapshot, Failure> {
        self.store.read(Snapshot::read)?.map_err(|problems| {
            let mut failure = Failure::problems(problems);
            failure.message = format!(
                "the stored settings cannot be read by this program; they were left as they are:\n{}",
                failure.message
            );
            failure
        })
    }

    /// The settings as they are stored.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn settings_get(&self) -> Result<SettingsView, Failure> {
        let snapshot = self.snapshot()?;
        Ok(SettingsView {
            revision: snapshot.revision.0,
            settings: snapshot.settings,
            fields: Settings::fields(),
        })
    }

    /// What Apply would refuse of `document`; nothing is stored.
    ///
    /// # Errors
    /// When the settings cannot be read.
    pub fn settings_check(&self, document: &Value) -> Result<Vec<Problem>, Failure> {
        let snapshot = self.snapshot()?;
        match snapshot.settings.merged(document) {
            Err(problems) => Ok(problems),
            Ok(new) if effects(&snapshot.settings, &new).certificate => {
                Ok(tls::load(&new, &self.store.data_dir().tls())
                    .err()
                    .into_iter()
                    .collect())
            }
            Ok(_) => Ok(Vec::new()),
        }
    }

    /// Stores what `document` changes as a new revision and waits until it is in force. With `base` given, a section
    /// that somebody else changed since that revision is not overwritten.
    ///
    /// # Errors
    /// The fields that cannot be taken, a conflict, or the disk. Nothing was changed then.
    pub fn settings_apply(
        &self,
        document: &Value,
        base: Option<i64>,
        author: &str,
        reason: &str,
    ) -> Result<Applied, Failure> {
        let serving = self.is_serving()?;
        match self.commit(document, base, author, reason, serving)? {
            Direct::Stored(revision, settings) => self.applied(revision.0, &settings),
            Direct::Refused(problems) => Err(Failure::problems(problems)),
            Direct::Conflict(sections) => Err(Failure::new(
                FailureKind::Conflict,
                format!(
                    "{} was changed by somebody else meanwhile; look at the new values, then apply again",
                    sections.join(", ")
                ),
            )),
            Direct::MustBeTried(_, _) if serving => self.apply_by_server(document, author, reason),
            Direct::MustBeTried(effects, new) => {
                self.try_here(effects, &new)?;
                let change = Apply::new(document, author, reason);
                let stored = self.store.write_blocking(move |tx| change.store(tx))?;
                let snapshot = stored.map_err(Failure::problems)?;
                self.applied(snapshot.revision.0, &snapshot.settings)
            }
        }
    }

    fn commit(
        &self,
        document: &Value,
        base: Option<i64>,
        author: &str,
        reason: &str,
        serving: bool,
    ) -> Result<Direct, Failure> {
        let (document, author, reason) = (document.clone(), author.to_owned(), reason.to_owned());
        let direct = self.store.write_blocking(move |tx| {
            let old = match Snapshot::read(tx)? {
                Ok(snapshot) => snapshot,
                Err(problems) => return Ok(Direct::Refused(problems)),
            };
            let conflicts = conflicts(tx, &old, base, &document)?;
            if !conflicts.is_empty() {
                return Ok(Direct::Conflict(conflicts));
            }
            let new = match old.settings.merged(&document) {
                Ok(new) => new,
                Err(problems) => return Ok(Direct::Refused(problems)),
            };
            if old.settings.is_set_up() && !new.is_set_up() {
                let problem = Problem::new(
                    if new.general.domain.is_none() {
                        "general.domain"
                    } else {
                        "general.hostname"
                    },
                    "needed",
                    "this name is needed; without it no mail can be taken",
                );
                return Ok(Direct::Refused(vec![problem]));
            }
            let effects = effects(&old.settings, &new);
            if effects.must_be_tried() && (serving || new.is_set_up()) {
                return Ok(Direct::MustBeTried(effects, Box::new(new)));
            }
            Apply::forget_vanished(tx, &old.settings, &new)?;
            let revision = setting::replace(tx, &rows(&new), &author, &reason, clock::now_ms())?;
            Ok(Direct::Stored(revision, Box::new(new)))
        })?;
        Ok(direct)
    }

    fn apply_by_server(
        &self,
        document: &Value,
        author: &str,
        reason: &str,
    ) -> Result<Applied, Failure> {
        let apply = Apply::new(document, author, reason);
        let answer = self.ask_server(APPLY, serde_json::to_value(apply).unwrap_or_default())?;
        match serde_json::from_value(answer) {
            Ok(server::Applied::Revision(revision)) => {
                self.applied(revision, &self.snapshot()?.settings)
            }
            Ok(server::Applied::Problems(problems)) => Err(Failure::problems(problems)),
            Err(error) => Err(Failure::new(
                FailureKind::Unavailable,
                format!("the server answered strangely: {error}"),
            )),
        }
    }

    /// Tries certificate and mail folder in this process, since no server runs that could. Ports are opened when one
    /// starts, and whoever holds one now may be gone by then.
    fn try_here(&self, effects: Effects, new: &Settings) -> Result<(), Failure> {
        if effects.certificate {
            tls::load(new, &self.store.data_dir().tls()).map_err(Failure::problem)?;
        }
        if effects.mailbox {
            maildir::try_root(new).map_err(Failure::problem)?;
        }
        Ok(())
    }

    fn applied(&self, revision: i64, settings: &Settings) -> Result<Applied, Failure> {
        self.until_in_force(revision)?;
        let notes = settings
            .warnings()
            .into_iter()
            .map(|warning| warning.to_string())
            .collect();
        Ok(Applied { revision, notes })
    }
}

/// Sections of `document` that changed after revision `base`.
fn conflicts(
    conn: &Connection,
    now: &Snapshot,
    base: Option<i64>,
    document: &Value,
) -> Result<Vec<String>, StoreError> {
    let Some(base) = base.map(Revision).filter(|base| *base != now.revision) else {
        return Ok(Vec::new());
    };
    let then = setting::as_of(conn, base)?.unwrap_or_default();
    let current = rows(&now.settings);
    let named = sections(document);
    let differs = |section: &String| {
        let of = |rows: &[setting::Row]| {
            let mut rows: Vec<_> = rows
                .iter()
                .filter(|row| row.section == *section)
                .cloned()
                .collect();
            rows.sort_by(|a, b| a.key.cmp(&b.key));
            rows
        };
        let before = of(&then);
        !before.is_empty() && before != of(&current)
    };
    Ok(named.into_iter().filter(differs).collect())
}

/// Sections that a document names; those of security lie one level lower.
fn sections(document: &Value) -> Vec<String> {
    let mut named = Vec::new();
    for (section, value) in document.as_object().into_iter().flatten() {
        match value.as_object().filter(|_| section == "security") {
            Some(parts) => named.extend(parts.keys().map(|part| format!("{section}.{part}"))),
            None => named.push(section.clone()),
        }
    }
    named
}

/// Whether a port could be opened by this process now; used by the first-run assistant.
pub(crate) fn try_port(address: SocketAddr) -> io::Result<()> {
    const EAFNOSUPPORT: i32 = 97;
    match TcpListener::bind(address) {
        // On a machine without IPv6, every address means every IPv4 address, as it does for the server.
        Err(error)
            if address.ip() == Ipv6Addr::UNSPECIFIED
                && (error.kind() == io::ErrorKind::AddrNotAvailable
                    || error.raw_os_error() == Some(EAFNOSUPPORT)) =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).map(drop)
        }
        tried => tried.map(drop),
    }
}
