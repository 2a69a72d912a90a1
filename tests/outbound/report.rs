//! A report as a mail program reads it (RFC 3464): its fields, what it says of each recipient, and what it returns.

use anyhow::{Context as _, Result, ensure};

/// Fields of one block, in order.
pub type Fields = Vec<(String, String)>;

/// A report.
#[derive(Debug, Clone)]
pub struct Report {
    /// The message as it lies in the mailbox, with plain line ends.
    pub whole: String,
    /// The header of the report itself.
    pub header: Fields,
    /// For people, on one line.
    pub words: String,
    /// Of the message.
    pub message: Fields,
    /// Of each recipient.
    pub recipients: Vec<Fields>,
    /// Content type of the part with the original message.
    pub returned_as: String,
    /// The original message, or its header.
    pub returned: String,
}

/// The value of a field; empty without it.
pub fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    let found = fields
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value)
}

fn fields(block: &str) -> Result<Fields> {
    let mut fields: Fields = Vec::new();
    for line in block.lines() {
        if line.starts_with([' ', '\t']) {
            let (_, value) = fields
                .last_mut()
                .context("a block begins with a folded line")?;
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        let (name, value) = line
            .split_once(':')
            .with_context(|| format!("no field: {line}"))?;
        fields.push((name.into(), value.trim().into()));
    }
    Ok(fields)
}

impl Report {
    /// Reads it; everything that RFC 3464 demands must be there.
    pub fn read(message: &[u8]) -> Result<Self> {
        let whole = std::str::from_utf8(message)
            .context("not UTF-8")?
            .replace("\r\n", "\n");
        Self::parse(&whole).with_context(|| whole.clone())
    }

    fn parse(whole: &str) -> Result<Self> {
        let (head, body) = whole.split_once("\n\n").context("no header")?;
        let header = fields(head)?;
        ensure!(field(&header, "Return-Path") == "<>", "not the null path");
        ensure!(
            !field(&header, "Auto-Submitted").is_empty(),
            "no Auto-Submitted"
        );
        for needed in [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
        ] {
            ensure!(!field(&header, needed).is_empty(), "no {needed}");
        }
        let kind = field(&header, "Content-Type");
        ensure!(kind.starts_with("multipart/report"), "{kind}");
        ensure!(kind.contains("report-type=delivery-status"), "{kind}");
        let (_, boundary) = kind.split_once("boundary=\"").context("no boundary")?;
        let boundary = boundary.trim_end_matches('"');
        let (inside, _) = body
            .split_once(&format!("--{boundary}--"))
            .context("no end")?;
        let parts: Vec<&str> = inside.split(&format!("--{boundary}\n")).skip(1).collect();
        ensure!(parts.len() == 3, "{} parts", parts.len());
        let parts: Vec<(Fields, &str)> = parts.into_iter().map(part).collect::<Result<_>>()?;
        let [(_, words), (status_head, status), (returned_head, returned)] = parts.as_slice()
        else {
            unreachable!("three parts");
        };
        let kind = field(status_head, "Content-Type");
        ensure!(kind.ends_with("delivery-status"), "{kind}");
        let mut blocks = status.trim_end().split("\n\n").map(fields);
        let message = blocks.next().context("no fields of the message")??;
        ensure!(field(&message, "Reporting-MTA") == "dns; mx.office.example");
        let recipients: Vec<Fields> = blocks.collect::<Result<_>>()?;
        for recipient in &recipients {
            for needed in ["Final-Recipient", "Action", "Status"] {
                ensure!(!field(recipient, needed).is_empty(), "no {needed}");
            }
        }
        Ok(Self {
            whole: whole.into(),
            header: header.clone(),
            words: words.split_whitespace().collect::<Vec<_>>().join(" "),
            message,
            recipients,
            returned_as: field(returned_head, "Content-Type").into(),
            returned: (*returned).to_owned(),
        })
    }

    /// What it says of the only recipient.
    pub fn only(&self) -> Result<&Fields> {
        ensure!(self.recipients.len() == 1, "{}", self.whole);
        self.recipients.first().context("nobody")
    }

    /// Insists on recipient, action and status of the only recipient.
    pub fn says(&self, recipient: &str, action: &str, status: &str) -> Result<&Fields> {
        let only = self.only()?;
        let final_recipient = field(only, "Final-Recipient");
        ensure!(
            final_recipient.ends_with(&format!("; {recipient}"))
                || final_recipient.ends_with(&format!(";{recipient}")),
            "{final_recipient} is not {recipient}:\n{}",
            self.whole
        );
        ensure!(field(only, "Action") == action, "{}", self.whole);
        ensure!(field(only, "Status") == status, "{}", self.whole);
        Ok(only)
    }
}

fn part(text: &str) -> Result<(Fields, &str)> {
    let (head, body) = text.split_once("\n\n").context("a part without header")?;
    // The line end before the boundary belongs to the boundary.
    Ok((fields(head)?, body.strip_suffix('\n').unwrap_or(body)))
}
