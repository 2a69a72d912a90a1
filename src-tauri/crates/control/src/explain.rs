//! An entry of the mail log in plain words.

use std::fmt::Write;

use server::clock;

use crate::Entry;

/// Everything an entry says, as lines of text.
pub(crate) fn text(entry: &Entry) -> String {
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
    text
}

fn client(entry: &Entry) -> String {
    match &entry.helo {
        Some(helo) => format!("{} ({helo})", entry.summary.client_ip),
        None => entry.summary.client_ip.clone(),
    }
}
