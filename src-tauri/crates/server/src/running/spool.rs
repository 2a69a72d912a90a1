//! What a start, or the time since, found in the spool that the admin must know.

use std::path::Path;

use settings::Problem;
use store::Recovered;

/// Nothing of it keeps the server from running.
#[derive(Debug, Default)]
pub(super) struct Ailments {
    damaged: Option<Problem>,
    refused: Option<Problem>,
    /// Messages that `refused` tells of.
    count: usize,
    set_aside: Option<Problem>,
}

impl Ailments {
    /// What a start found. Says it in the program's log too.
    pub(super) fn of(recovered: &Recovered, spool: &Path) -> Self {
        if recovered.messages > 0 {
            tracing::info!(
                "{} messages were found in the spool log and are in the queue again",
                recovered.messages
            );
        }
        let mut found = Self {
            damaged: (recovered.gaps > 0).then(|| damaged(recovered.gaps)),
            set_aside: recovered.set_aside.as_deref().map(set_aside),
            ..Self::default()
        };
        for problem in [&found.damaged, &found.set_aside].into_iter().flatten() {
            tracing::error!("{}", problem.message);
        }
        found.refused(recovered.refused, spool);
        found
    }

    /// So many messages lie aside in the spool folder because the tables refused them. Returns whether that is news.
    pub(super) fn refused(&mut self, count: usize, spool: &Path) -> bool {
        if count == std::mem::replace(&mut self.count, count) {
            return false;
        }
        self.refused = (count > 0).then(|| refused(count, spool));
        if let Some(problem) = &self.refused {
            tracing::error!("{}", problem.message);
        }
        true
    }

    /// The one to tell of first.
    pub(super) fn gravest(&self) -> Option<Problem> {
        let all = [&self.damaged, &self.refused, &self.set_aside];
        all.into_iter().flatten().next().cloned()
    }
}

fn damaged(places: usize) -> Problem {
    Problem::new(
        "",
        "spool_damaged",
        format!(
            "{places} places in the spool log could not be read; mail that was accepted shortly before the last stop may be lost. Check the disk"
        ),
    )
    .arg("places", places.to_string())
}

fn refused(count: usize, spool: &Path) -> Problem {
    let folder = spool.display().to_string();
    Problem::new(
        "",
        "spool_refused",
        format!(
            "the database refused {count} accepted messages, which are not in the queue: recipients to whom they were sent at once may have them, the others do not. They lie in {folder}: refused-NUMBER.eml is the message, the .json beside it names sender, recipients and the reason. Send them on by hand, then remove both files; all other mail goes on. Please report this as a defect"
        ),
    )
    .arg("count", count.to_string())
    .arg("folder", folder)
}

fn set_aside(aside: &Path) -> Problem {
    let folder = aside.display().to_string();
    Problem::new(
        "",
        "spool_set_aside",
        format!(
            "the spool held mail that this database knows nothing of, so it is not delivered; it lies in {folder}. Put the database back that it belongs to, together with that folder as \"spool\", and the mail is sent. If nobody needs that mail, remove the folder, and the next start does not tell of it any more"
        ),
    )
    .arg("folder", folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_is_told_first_and_what_was_seen_to_no_more() {
        let recovered = Recovered {
            messages: 1,
            refused: 2,
            gaps: 0,
            set_aside: Some("/data/spool-of-another-database-1".into()),
        };
        let spool = Path::new("/data/spool");
        let mut found = Ailments::of(&recovered, spool);
        let code = |found: &Ailments| found.gravest().map(|problem| problem.code);
        assert_eq!(code(&found).as_deref(), Some("spool_refused"));
        let message = found.gravest().unwrap().message;
        assert!(
            message.contains("2 accepted") && message.contains("/data/spool"),
            "{message}"
        );
        assert!(!found.refused(2, spool));
        assert!(found.refused(0, spool));
        assert_eq!(code(&found).as_deref(), Some("spool_set_aside"));
        let damaged = Recovered {
            gaps: 3,
            ..recovered
        };
        let found = Ailments::of(&damaged, spool);
        assert_eq!(code(&found).as_deref(), Some("spool_damaged"));
    }
}
