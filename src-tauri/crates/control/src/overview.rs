//! The first page: what happened today and what needs somebody.

use std::path::Path;

use serde::Serialize;
use server::{clock, disk};
use settings::{MEGABYTE, Mailbox, Settings};
use store::journal;
use store::queue;
use ts_rs::TS;

use crate::{Control, Failure, Status};

const HOUR_MS: i64 = 3_600_000;
const HOURS: i64 = 24;
const TOP: usize = 5;
/// Destinations named that cannot be reached.
const PAUSED: usize = 20;
/// Below this much room on a disk mail may have to be put off at any moment.
const FULL: u64 = 50 * MEGABYTE;
const NEARLY_FULL: u64 = 1024 * MEGABYTE;
const CERTIFICATE_WARNING_DAYS: i64 = 14;

/// How often one setting refused something today.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct TopRefusal {
    /// The setting, or empty for errors of the protocol.
    pub decided_by: String,
    /// How often.
    pub count: u32,
}

/// Mail of one hour.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Hour {
    /// Its start, milliseconds since 1970.
    pub hour_ms: i64,
    /// Messages taken.
    pub accepted: u32,
    /// Messages and sessions refused.
    pub refused: u32,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Notice {
    /// A stable word, for catalogues of other languages.
    pub code: String,
    /// info, warning or error.
    #[ts(type = "\"info\" | \"warning\" | \"error\"")]
    pub severity: String,
    /// What is the matter.
    pub message: String,
    /// What to do.
    pub action: Option<String>,
    /// The pane where it is done.
    pub pane: Option<String>,
}

/// A destination that cannot be reached at present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PausedDestination {
    /// mailbox, relay or domain:NAME.
    pub destination: String,
    /// Recipients that wait for it.
    pub waiting: u64,
    /// Tried again then, milliseconds since 1970; in the past while it is being tried.
    pub until_ms: i64,
    /// What was said at the last attempt.
    pub reason: String,
}

/// The queue in a few numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct QueueGlance {
    /// Recipients on their way.
    pub waiting: u64,
    /// Recipients that somebody holds.
    pub held: u64,
    /// When the oldest message in it was accepted, milliseconds since 1970.
    pub oldest_at_ms: Option<i64>,
    /// Destinations that cannot be reached, at most 20.
    pub paused: Vec<PausedDestination>,
}

/// The first page.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Overview {
    /// Messages taken since midnight.
    pub accepted_today: u32,
    /// Refused since midnight.
    pub refused_today: u32,
    /// What refused most today.
    pub top_refusals: Vec<TopRefusal>,
    /// The last 24 hours, oldest first.
    pub hours: Vec<Hour>,
    /// What needs attention.
    pub notices: Vec<Notice>,
    /// Number of users.
    pub users: usize,
    /// The queue.
    pub queue: QueueGlance,
}

impl Control {
    /// The first page.
    ///
    /// # Errors
    /// The disk.
    pub fn overview(&self) -> Result<Overview, Failure> {
        let today = clock::start_of_today();
        let first_hour = (clock::now_ms() / HOUR_MS - (HOURS - 1)) * HOUR_MS;
        let (counts, top, hours, queue) = self.store.read(|conn| {
            Ok((
                journal::counts_since(conn, today)?,
                journal::refusals_since(conn, today, TOP)?,
                journal::per_hour(conn, first_hour)?,
                queue::glance(conn, PAUSED)?,
            ))
        })?;
        let settings = self.snapshot()?.settings;
        let hour = |hour_ms: i64| {
            let counted = hours.iter().find(|hour| hour.hour_ms == hour_ms);
            Hour {
                hour_ms,
                accepted: counted.map_or(0, |hour| hour.accepted),
                refused: counted.map_or(0, |hour| hour.refused),
            }
        };
        Ok(Overview {
            accepted_today: counts.accepted,
            refused_today: counts.refused + counts.deferred,
            top_refusals: top
                .into_iter()
                .map(|(decided_by, count)| TopRefusal { decided_by, count })
                .collect(),
            hours: (0..HOURS).map(|n| hour(first_hour + n * HOUR_MS)).collect(),
            notices: self.notices(&self.status()?, &settings)?,
            users: settings.users.len(),
            queue: queue.into(),
        })
    }

    fn notices(&self, status: &Status, settings: &Settings) -> Result<Vec<Notice>, Failure> {
        let mut notices = server_notices(status);
        if settings.users.is_empty() {
            notices.push(notice(
                "no_users",
                "warning",
                "There is no user yet, so nobody can get mail.",
                Some("Add the first user."),
                Some("users"),
            ));
        }
        for warning in settings.warnings() {
            notices.push(notice(
                &warning.code,
                "info",
                &warning.message,
                None,
                Some("general"),
            ));
        }
        notices.extend(disk_notice(self.store.data_dir().root()));
        if let Mailbox::Maildir(Some(folder)) = &settings.service.mailbox {
            notices.extend(disk_notice(Path::new(folder)));
        }
        let said = server::status::last_said(&self.store)?;
        notices.extend(certificate_notice(
            said.and_then(|said| said.certificate_not_after),
        ));
        Ok(notices)
    }
}

fn server_notices(status: &Status) -> Vec<Notice> {
    let mut notices = Vec::new();
    if let Some(problem) = &status.problem {
        // It runs, but takes no mail.
        let takes_none = matches!(&*problem.code, "storage_failing" | "queue_behind");
        let severity = if status.state == "running" && !takes_none {
            "warning"
        } else {
            "error"
        };
        // What no setting can mend has no pane.
        let pane = problem
            .path
            .split('.')
            .next()
            .filter(|pane| !pane.is_empty());
        notices.push(notice(
            &problem.code,
            severity,
            &problem.message,
            None,
            pane,
        ));
    }
    if status.state == "stopped" {
        let action = Some("Start the server, or mail from outside will wait or go back.");
        notices.push(notice(
            "stopped",
            "warning",
            "The server is stopped and takes no mail.",
            action,
            None,
        ));
    }
    notices
}

fn certificate_notice(not_after: Option<i64>) -> Option<Notice> {
    let left = not_after? - clock::now_ms() / 1000;
    (left < CERTIFICATE_WARNING_DAYS * 86_400).then(|| {
        let action =
            "Put a new certificate in the place of the old one; it is read again by itself.";
        notice(
            "certificate_ends",
            "warning",
            "The certificate ends soon.",
            Some(action),
            Some("general"),
        )
    })
}

/// Says so when a disk has little room, before mail has to be put off.
fn disk_notice(folder: &Path) -> Option<Notice> {
    let free = disk::free_bytes(folder)?;
    if free >= NEARLY_FULL {
        return None;
    }
    let severity = if free >= FULL { "warning" } else { "error" };
    let message = format!(
        "The disk of {} has only {} MB left.",
        folder.display(),
        free / MEGABYTE
    );
    let action =
        "Make room on it. When it is full, mail is put off: senders try again for some days.";
    Some(notice("disk_full", severity, &message, Some(action), None))
}

fn notice(
    code: &str,
    severity: &str,
    message: &str,
    action: Option<&str>,
    pane: Option<&str>,
) -> Notice {
    Notice {
        code: code.into(),
        severity: severity.into(),
        message: message.into(),
        action: action.map(Into::into),
        pane: pane.map(Into::into),
    }
}

impl From<queue::Glance> for QueueGlance {
    fn from(glance: queue::Glance) -> Self {
        let paused = glance
            .paused
            .into_iter()
            .map(|(pause, waiting)| PausedDestination {
                destination: pause.destination,
                waiting,
                until_ms: pause.until_ms,
                reason: pause.reason,
            });
        Self {
            waiting: glance.waiting,
            held: glance.held,
            oldest_at_ms: glance.oldest_at_ms,
            paused: paused.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use settings::Problem;
    use store::DataDir;

    use super::*;

    #[test]
    fn a_server_that_takes_no_mail_is_an_error_though_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open(&DataDir::new(folder.path())).unwrap();
        let mut status = control.status().unwrap();
        status.state = "running".into();
        for (code, severity) in [
            ("storage_failing", "error"),
            ("queue_behind", "error"),
            ("spool_damaged", "warning"),
        ] {
            status.problem = Some(Problem::new("", code, "words"));
            let notices = server_notices(&status);
            assert_eq!((&*notices[0].code, &*notices[0].severity), (code, severity));
        }
    }
}
