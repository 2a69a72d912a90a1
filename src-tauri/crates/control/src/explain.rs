//! An entry of the mail log in plain words.

use std::fmt::Write;

use server::clock;

use crate::{Entry, QueueAttempt, QueueRow};

/// Everything an entry says, as lines of text, with those recipients that still wait.
pub(crate) fn text(entry: &Entry, waiting: &[QueueRow]) -> String {
    let row = &entry.summary;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{name:<12} {value}");
        }
    };
    line("Token", &row.token);
    line("Time", &clock::mail_date(row.at_ms));
    line("Client", &client(entry));
    line("Signed in", entry.login.as_deref().unwrap_or_default());
    line("From", row.sender.as_deref().unwrap_or_default());
    line("To", &row.recipients.join(", "));
    line("Subject", row.subject.as_deref().unwrap_or_default());
    line(
        "Message-ID",
        entry.message_id.as_deref().unwrap_or_default(),
    );
    line(
        "Size",
        &row.size
            .map(|size| format!("{size} bytes"))
            .unwrap_or_default(),
    );
    line("Outcome", &row.outcome);
    line("Reply", &row.reply);
    line("Decided by", &row.decided_by);
    line("Settings", &format!("revision {}", entry.revision));
    text.push_str("\nChecks, in order:\n");
    for step in &entry.steps {
        let setting = step
            .setting
            .as_ref()
            .map(|path| format!("  ({path})"))
            .unwrap_or_default();
        let input = if step.input.is_empty() {
            String::new()
        } else {
            format!("{}: ", step.input)
        };
        let _ = writeln!(
            text,
            "  {:<7} {:<9} {:<28} {input}{}{setting}",
            step.result, step.stage, step.check, step.text
        );
    }
    text.push_str(&delivery(entry, waiting));
    text
}

fn delivery(entry: &Entry, waiting: &[QueueRow]) -> String {
    let mut text = String::new();
    if !entry.attempts.is_empty() || !waiting.is_empty() {
        text.push_str("\nDelivery:\n");
    }
    let many = entry.summary.recipients.len() > 1;
    for attempt in &entry.attempts {
        let _ = writeln!(
            text,
            "  {}  {}",
            clock::mail_date(attempt.at_ms),
            attempt_text(attempt, many)
        );
    }
    for row in waiting {
        let next = match row.state.as_str() {
            "waiting" => format!("next attempt {}", clock::mail_date(row.next_at_ms)),
            other => other.to_owned(),
        };
        let _ = writeln!(text, "  {} is in the queue: {next}", row.recipient);
    }
    text
}

/// One line of a message's history, with the recipient where there are several.
pub(crate) fn attempt_text(attempt: &QueueAttempt, with_recipient: bool) -> String {
    let mut text = String::new();
    if with_recipient {
        let _ = write!(text, "{}: ", attempt.recipient);
    }
    match attempt.outcome.as_str() {
        "delivered" => text.push_str("delivered to "),
        "deferred" => text.push_str("deferred by "),
        "failed" => text.push_str("failed at "),
        other => text.push_str(other),
    }
    text.push_str(&attempt.hop);
    if !attempt.reply.is_empty() {
        let _ = write!(text, ": {}", attempt.reply);
    }
    text
}

fn client(entry: &Entry) -> String {
    match &entry.helo {
        Some(helo) => format!("{} ({helo})", entry.summary.client_ip),
        None => entry.summary.client_ip.clone(),
    }
}
