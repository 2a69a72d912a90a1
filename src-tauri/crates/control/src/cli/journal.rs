//! `log` and `explain`.

use clap::Args;
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use server::clock;

use super::output::Output;
use crate::{Control, Failure, FailureKind, JournalFilter, Summary};

#[derive(Debug, Args)]
pub(super) struct LogArguments {
    /// Part of the sender.
    #[arg(long)]
    sender: Option<String>,
    /// Part of a recipient.
    #[arg(long)]
    recipient: Option<String>,
    /// Part of anything shown.
    #[arg(long)]
    text: Option<String>,
    /// accepted, refused, deferred, aborted or dropped.
    #[arg(long)]
    outcome: Option<String>,
    /// A moment (2026-01-31, 2026-01-31T08:00) or a time back from now (90m, 24h, 7d).
    #[arg(long)]
    since: Option<String>,
    /// Rows, at most 200.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

pub(super) fn log(
    control: &Control,
    arguments: &LogArguments,
    output: &Output,
) -> Result<(), Failure> {
    let filter = JournalFilter {
        text: arguments.text.clone(),
        outcome: arguments.outcome.clone(),
        sender: arguments.sender.clone(),
        recipient: arguments.recipient.clone(),
        since_ms: arguments.since.as_deref().map(moment).transpose()?,
        before_id: None,
        limit: arguments.limit,
    };
    output.value(&control.journal_list(&filter)?.rows, |rows| {
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn line(row: &Summary) -> String {
    let who = row.sender.clone().unwrap_or_else(|| row.client_ip.clone());
    format!(
        "{}  {}  {:<9} {who} -> {}  {}",
        clock::mail_date(row.at_ms),
        row.token,
        row.outcome,
        row.recipients.join(", "),
        row.reply
    )
}

pub(super) fn explain(control: &Control, token: &str, output: &Output) -> Result<(), Failure> {
    let text = control.journal_text(token)?;
    let entries = control.journal_open(token)?;
    output.value(&entries, |_| text);
    Ok(())
}

/// Reads a moment or a time back from now.
fn moment(text: &str) -> Result<i64, Failure> {
    let refused = || {
        Failure::new(
            FailureKind::Problems,
            format!("\"{text}\" is no time; write for example 2026-01-31, 2026-01-31T08:00 or 24h"),
        )
    };
    if let Some((number, unit)) = text.split_at_checked(text.len().saturating_sub(1))
        && let Ok(number) = number.parse::<u32>()
        && let Some(minutes) = [("m", 1), ("h", 60), ("d", 1440)]
            .iter()
            .find(|(name, _)| *name == unit)
    {
        let back = SignedDuration::from_mins(i64::from(number) * minutes.1);
        return Ok(clock::now_ms() - i64::try_from(back.as_millis()).unwrap_or(i64::MAX / 2));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let at: civil::DateTime = text
        .parse()
        .or_else(|_| text.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0)))
        .map_err(|_| refused())?;
    at.to_zoned_datetime(TimeZone::system())
        .map(|zoned| zoned.timestamp().as_millisecond())
        .map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_moment_or_a_way_back() {
        let now = clock::now_ms();
        let hour = moment("1h").unwrap();
        assert!((now - hour - 3_600_000).abs() < 5_000);
        assert!(
            moment("2026-01-31").is_ok()
                && moment("2026-01-31T08:00").is_ok()
                && moment("2026-01-31T08:00:00Z").is_ok()
        );
        for bad in ["", "h", "yesterday", "5x", "€"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
