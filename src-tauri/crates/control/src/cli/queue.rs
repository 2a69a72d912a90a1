//! `queue`: list, show, retry, hold, release, return, remove.

use clap::{ArgGroup, Args, Subcommand};
use jiff::SignedDuration;
use server::clock;

use super::output::Output;
use crate::explain::attempt_text;
use crate::{
    Control, Failure, QueueAct, QueueActed, QueueEntry, QueueFilter, QueuePage, QueueRow,
    QueueWhich,
};

/// Rows that one call of `list` gives at most.
const MAX_ROWS: u32 = 100_000;
const STATES: [&str; 4] = ["waiting", "sending", "held", "returning"];
/// Columns of text in the table are cut here.
const WIDE: usize = 40;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List what waits, newest first.
    List(ListArguments),
    /// Show one recipient: its history and the head of its message.
    Show {
        /// Its number, as `list` has it.
        id: i64,
    },
    /// Try at once.
    Retry(Chosen),
    /// Neither try nor return until released.
    Hold(Chosen),
    /// End a hold.
    Release(Chosen),
    /// Send back to the sender with a report.
    Return(Chosen),
    /// Throw away; nobody is told.
    #[command(alias = "delete")]
    Remove(Chosen),
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Part of an address, the sender, the subject, the token or the reason.
    #[arg(long)]
    text: Option<String>,
    /// Only those in this state.
    #[arg(long, value_parser = STATES)]
    state: Option<String>,
    /// Only those that go there: mailbox, relay or domain:NAME.
    #[arg(long)]
    destination: Option<String>,
    /// Rows.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ROWS)))]
    limit: u32,
}

/// Which recipients. Everything is only meant by `--all`, so that a forgotten word changes nothing.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("chosen").required(true).multiple(true).args(["ids", "all", "text", "state", "destination"]))]
pub(super) struct Chosen {
    /// Their numbers, as `list` has them.
    #[arg(value_name = "ID", conflicts_with_all = ["all", "text", "state", "destination"])]
    ids: Vec<i64>,
    /// Everything in the queue.
    #[arg(long, conflicts_with_all = ["text", "state", "destination"])]
    all: bool,
    /// All that have this in an address, the sender, the subject, the token or the reason.
    #[arg(long, value_parser = some_text)]
    text: Option<String>,
    /// All in this state.
    #[arg(long, value_parser = STATES)]
    state: Option<String>,
    /// All that go there: mailbox, relay or domain:NAME.
    #[arg(long, value_parser = some_text)]
    destination: Option<String>,
}

/// An empty text is in everything; that is what `--all` is for.
fn some_text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("it is empty; say --all to mean everything".into())
    } else {
        Ok(text.to_owned())
    }
}

impl Chosen {
    fn which(self) -> QueueWhich {
        if self.ids.is_empty() {
            QueueWhich::Matching(QueueFilter {
                text: self.text.unwrap_or_default(),
                state: self.state.unwrap_or_default(),
                destination: self.destination,
                // Chosen and acted on in one change: nothing comes in between.
                up_to: None,
            })
        } else {
            QueueWhich::Ids(self.ids)
        }
    }
}

pub(super) fn run(control: &Control, verb: Verb, output: &Output) -> Result<(), Failure> {
    let (act, chosen) = match verb {
        Verb::List(arguments) => return list(control, arguments, output),
        Verb::Show { id } => {
            output.value(&control.queue_show(id)?, entry);
            return Ok(());
        }
        Verb::Retry(chosen) => (QueueAct::Retry, chosen),
        Verb::Hold(chosen) => (QueueAct::Hold, chosen),
        Verb::Release(chosen) => (QueueAct::Release, chosen),
        Verb::Return(chosen) => (QueueAct::Return, chosen),
        Verb::Remove(chosen) => (QueueAct::Remove, chosen),
    };
    let which = chosen.which();
    let acted = control.queue_act(act, &which)?;
    let refusal = match which {
        QueueWhich::Ids(_) => acted.refusal(),
        QueueWhich::Matching(_) => None,
    };
    if acted.changed > 0 || refusal.is_none() {
        output.value(&acted, done);
    }
    refusal.map_or(Ok(()), Err)
}

fn done(acted: &QueueActed) -> String {
    let changed = match acted.changed {
        1 => "1 recipient".into(),
        many => format!("{many} recipients"),
    };
    match acted.under_way.len() {
        0 => changed,
        many => format!("{changed}; {many} more being sent at this moment, left alone"),
    }
}

fn list(control: &Control, arguments: ListArguments, output: &Output) -> Result<(), Failure> {
    let filter = QueueFilter {
        text: arguments.text.unwrap_or_default(),
        state: arguments.state.unwrap_or_default(),
        destination: arguments.destination,
        up_to: None,
    };
    let mut page = control.queue_list(&filter, None, arguments.limit)?;
    while page.more && page.rows.len() < arguments.limit as usize {
        let missing = arguments.limit as usize - page.rows.len();
        let after = page.rows.last().map(|row| row.id);
        let next =
            control.queue_list(&filter, after, u32::try_from(missing).unwrap_or(MAX_ROWS))?;
        page.rows.extend(next.rows);
        page.more = next.more;
    }
    output.value(&page, table);
    Ok(())
}

fn table(page: &QueuePage) -> String {
    let now = clock::now_ms();
    let head = ["ID", "AGE", "NEXT", "FROM", "TO", "STATE", "REASON"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(head)
        .chain(page.rows.iter().map(|row| cells(row, now)))
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut lines: Vec<String> = Vec::new();
    if !page.rows.is_empty() {
        lines.extend(rows.iter().map(|row| line(row, &widths)));
    }
    lines.push(format!("{} of {}", page.rows.len(), page.total));
    lines.join("\n")
}

/// The last column is as long as it is.
fn line(row: &[String; 7], widths: &[usize]) -> String {
    let cells = row.iter().enumerate().map(|(column, cell)| {
        let width = widths.get(column).copied().unwrap_or(0);
        format!("{cell:<width$}")
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn cells(row: &QueueRow, now_ms: i64) -> [String; 7] {
    let next = match row.state.as_str() {
        "waiting" if row.next_at_ms <= now_ms => "now".into(),
        "waiting" => format!("in {}", about(row.next_at_ms - now_ms)),
        _ => "-".into(),
    };
    [
        row.id.to_string(),
        about(now_ms - row.accepted_at_ms),
        next,
        cut(sender(row)),
        cut(&row.recipient),
        row.state.clone(),
        row.reason.clone(),
    ]
}

fn sender(row: &QueueRow) -> &str {
    if row.sender.is_empty() {
        "<>"
    } else {
        &row.sender
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WIDE {
        return text.into();
    }
    text.chars().take(WIDE - 1).chain(['…']).collect()
}

/// A time in its largest unit, as people say it.
fn about(ms: i64) -> String {
    let seconds = SignedDuration::from_millis(ms.max(0)).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn entry(entry: &QueueEntry) -> String {
    let row = &entry.row;
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{name:<12} {value}"));
        }
    };
    line("ID", row.id.to_string());
    line("Token", row.token.clone());
    line("From", sender(row).into());
    line("To", row.recipient.clone());
    line("Goes to", row.destination.clone());
    line("Subject", row.subject.clone());
    line("Size", format!("{} bytes", row.size));
    line("Accepted", clock::mail_date(row.accepted_at_ms));
    line("State", row.state.clone());
    line("Attempts", row.attempts.to_string());
    if row.state == "waiting" {
        line("Next attempt", clock::mail_date(row.next_at_ms));
        line("Returned on", clock::mail_date(row.expires_at_ms));
    }
    line("Reason", row.reason.clone());
    let mut text = lines.join("\n");
    if !entry.attempts.is_empty() {
        text.push_str("\n\nHistory:");
    }
    for attempt in &entry.attempts {
        let at = clock::mail_date(attempt.at_ms);
        text.push_str(&format!("\n  {at}  {}", attempt_text(attempt, false)));
    }
    text.push_str(&format!("\n\n{}", entry.head));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_their_largest_unit() {
        let of = |seconds: i64| about(seconds * 1000);
        assert_eq!(
            [of(-5), of(59), of(60), of(7_200), of(172_800)],
            ["0s", "59s", "1m", "2h", "2d"]
        );
    }
}
