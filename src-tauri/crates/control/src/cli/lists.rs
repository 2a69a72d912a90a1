//! `lists`: list, add, set, remove, check, import, export, hits.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use settings::security::exchange::{ListImportLine, OnExisting};
use settings::security::value::ValueNote;
use settings::security::{Criterion, ListAction, ListKind, ListRule};

use super::output::Output;
use crate::{Control, Failure, FailureKind, ListFormat, ListHits, ListImport, ListImportPreview};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the rules.
    List {
        /// Only those of this list.
        #[arg(long)]
        list: Option<Kind>,
        /// Only those with this text in name, value or comment.
        #[arg(long)]
        text: Option<String>,
    },
    /// Add a rule.
    Add(Rule),
    /// Change a rule; what is not named stays.
    Set(Changes),
    /// Remove rules.
    Remove {
        /// Names.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Say what a rule comes to among the others: which tests it lifts, and what makes it pointless. Nothing is stored.
    Check(Rule),
    /// Take the rules of a file.
    Import(ImportArguments),
    /// Write rules into a file.
    Export {
        /// A file, or - for standard output.
        file: String,
        /// How to write it.
        #[arg(long, value_enum, default_value = "csv")]
        format: FileFormat,
    },
    /// How often rules matched in the last seven days, and when last.
    Hits,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    Black,
    White,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum By {
    Ip,
    #[value(name = "ip_mask", alias = "ip-mask")]
    IpMask,
    Sender,
    Recipient,
    Domain,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Act {
    Reject,
    Discard,
}

/// A file format; those of Postfix by what the table is used for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FileFormat {
    /// Comma-separated values.
    Csv,
    /// Postfix's cidr_table(5) of clients.
    Cidr,
    /// Postfix's access(5) of senders.
    Sender,
    /// Postfix's access(5) of recipients.
    Recipient,
}

#[derive(Debug, Args)]
pub(super) struct Rule {
    /// Name of the rule.
    name: String,
    /// Black or white.
    list: Kind,
    /// What to look at.
    criterion: By,
    /// What to look for.
    value: String,
    /// What becomes of a message on the black list.
    #[arg(long, default_value = "reject")]
    action: Act,
    /// For people to read.
    #[arg(long, default_value = "")]
    comment: String,
    /// Store it without putting it in force.
    #[arg(long)]
    disabled: bool,
}

#[derive(Debug, Args)]
pub(super) struct Changes {
    /// Current name.
    name: String,
    #[arg(long)]
    rename: Option<String>,
    #[arg(long)]
    list: Option<Kind>,
    #[arg(long)]
    criterion: Option<By>,
    #[arg(long)]
    value: Option<String>,
    #[arg(long)]
    action: Option<Act>,
    #[arg(long)]
    comment: Option<String>,
    #[arg(long)]
    enabled: Option<bool>,
}

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// A file, or - for standard input.
    file: String,
    /// How it is written; seen from the file if left out.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Let the file's rules replace those of the same name.
    #[arg(long)]
    replace: bool,
    /// Take the good lines of a file that has bad ones.
    #[arg(long)]
    skip_bad: bool,
    /// Only say what would become of each line.
    #[arg(long)]
    dry_run: bool,
}

impl From<Kind> for ListKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Black => Self::Black,
            Kind::White => Self::White,
        }
    }
}

impl From<By> for Criterion {
    fn from(by: By) -> Self {
        match by {
            By::Ip => Self::Ip,
            By::IpMask => Self::IpMask,
            By::Sender => Self::Sender,
            By::Recipient => Self::Recipient,
            By::Domain => Self::Domain,
        }
    }
}

impl From<Act> for ListAction {
    fn from(act: Act) -> Self {
        match act {
            Act::Reject => Self::Reject,
            Act::Discard => Self::Discard,
        }
    }
}

impl FileFormat {
    /// As the verbs have it: the format, and what the addresses of an access table are.
    fn parts(self) -> (ListFormat, Criterion) {
        match self {
            Self::Csv => (ListFormat::Csv, Criterion::Sender),
            Self::Cidr => (ListFormat::Cidr, Criterion::Sender),
            Self::Sender => (ListFormat::Access, Criterion::Sender),
            Self::Recipient => (ListFormat::Access, Criterion::Recipient),
        }
    }
}

impl Rule {
    fn rule(self) -> ListRule {
        ListRule {
            name: self.name,
            list: self.list.into(),
            criterion: self.criterion.into(),
            value: self.value,
            action: self.action.into(),
            enabled: !self.disabled,
            comment: self.comment,
        }
    }
}

impl Changes {
    fn of(self, known: ListRule) -> ListRule {
        ListRule {
            name: self.rename.unwrap_or(known.name),
            list: self.list.map_or(known.list, Into::into),
            criterion: self.criterion.map_or(known.criterion, Into::into),
            value: self.value.unwrap_or(known.value),
            action: self.action.map_or(known.action, Into::into),
            enabled: self.enabled.unwrap_or(known.enabled),
            comment: self.comment.unwrap_or(known.comment),
        }
    }
}

pub(super) fn run(control: &Control, verb: Verb, output: &Output) -> Result<(), Failure> {
    match verb {
        Verb::List { list, text } => list_rules(control, list, text.as_deref(), output),
        Verb::Add(rule) => {
            let rule = rule.rule();
            control.list_set(None, rule.clone())?;
            stored(&rule, output);
            Ok(())
        }
        Verb::Set(changes) => {
            let lists = control.settings_get()?.settings.security.lists;
            let known = lists.find(&changes.name).cloned().ok_or_else(|| {
                let words = format!("there is no rule \"{}\"", changes.name);
                Failure::new(FailureKind::Problems, format!("security.lists: {words}"))
            })?;
            let name = known.name.clone();
            let rule = changes.of(known);
            control.list_set(Some(&name), rule.clone())?;
            stored(&rule, output);
            Ok(())
        }
        Verb::Remove { names } => {
            control.lists_remove(names)?;
            output.done(&json!({}));
            Ok(())
        }
        Verb::Check(rule) => check(control, &rule.rule(), output),
        Verb::Import(arguments) => import(control, arguments, output),
        Verb::Export { file, format } => export(control, &file, format, output),
        Verb::Hits => {
            output.value(&control.lists_hits()?, |hits| {
                let line = |hits: &ListHits| {
                    let last = jiff::Timestamp::from_millisecond(hits.last_at_ms);
                    let last = last.map(|last| last.to_string()).unwrap_or_default();
                    format!("{}\t{}\t{last}", hits.name, hits.hits)
                };
                hits.iter().map(line).collect::<Vec<_>>().join("\n")
            });
            Ok(())
        }
    }
}

/// People see what is worth a word about the value, programs the rule.
fn stored(rule: &ListRule, output: &Output) {
    let notes = rule.notes();
    if output.json || !notes.is_empty() {
        output.value(rule, |_| {
            let line = |note: &ValueNote| format!("note: {}", note.message);
            notes.iter().map(line).collect::<Vec<_>>().join("\n")
        });
    }
}

fn list_rules(
    control: &Control,
    list: Option<Kind>,
    text: Option<&str>,
    output: &Output,
) -> Result<(), Failure> {
    let lists = control.settings_get()?.settings.security.lists;
    let list = list.map(ListKind::from);
    let text = text.unwrap_or_default().to_lowercase();
    let wanted = |rule: &&ListRule| {
        let texts = [&rule.name, &rule.value, &rule.comment];
        list.is_none_or(|list| list == rule.list)
            && texts.iter().any(|one| one.to_lowercase().contains(&text))
    };
    let rules: Vec<&ListRule> = lists.rules().iter().filter(wanted).collect();
    output.value(&rules, |rules| {
        let line = |rule: &&ListRule| {
            let action = match rule.list {
                ListKind::White => "",
                ListKind::Black => rule.action.word(),
            };
            let state = if rule.enabled { "" } else { "\tdisabled" };
            format!(
                "{}\t{}\t{}\t{}\t{action}{state}",
                rule.name,
                rule.list.word(),
                rule.criterion.word(),
                rule.value
            )
        };
        rules.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn check(control: &Control, rule: &ListRule, output: &Output) -> Result<(), Failure> {
    let found = control.lists_analyse(rule, None)?;
    if !found.problems.is_empty() {
        return Err(Failure::problems(found.problems));
    }
    output.value(&found, |found| {
        let skips = &found.skips;
        let mut lines = Vec::new();
        if rule.list == ListKind::White {
            let tests = [
                ("DNSBL", skips.dnsbl),
                ("SPF", skips.spf),
                ("antivirus", skips.antivirus),
                ("DKIM", skips.dkim),
                ("DMARC", skips.dmarc),
                ("sender and connection policy", skips.all_policies),
            ];
            let line = |(test, skipped): (&str, bool)| {
                format!("{} {test}", if skipped { "skips" } else { "runs" })
            };
            lines.extend(tests.map(line));
        }
        let other = |what: &str, name: &str| format!("{what} \"{name}\"");
        let pointless = found.pointless_because.iter();
        lines.extend(pointless.map(|overlap| other("pointless because of", &overlap.rule)));
        let narrowed = found.narrowed_by.iter();
        lines.extend(narrowed.map(|overlap| other("narrowed by", &overlap.rule)));
        lines.extend(
            found
                .notes
                .iter()
                .map(|note| format!("note: {}", note.message)),
        );
        lines.join("\n")
    });
    Ok(())
}

fn import(control: &Control, arguments: ImportArguments, output: &Output) -> Result<(), Failure> {
    let parts = arguments.format.map(FileFormat::parts);
    let wanted = ListImport {
        path: arguments.file,
        format: parts.map(|(format, _)| format),
        addresses: parts.map_or(Criterion::Sender, |(_, addresses)| addresses),
        existing: if arguments.replace {
            OnExisting::Replace
        } else {
            OnExisting::Keep
        },
    };
    if arguments.dry_run {
        let preview = control.lists_import_preview(&wanted)?;
        output.value(&preview, words);
        return Ok(());
    }
    let imported = if arguments.skip_bad {
        control.lists_import(&wanted)?
    } else {
        control.lists_import_all(&wanted)?
    };
    output.value(&imported, |imported| {
        format!(
            "{} added, {} changed, {} as they were, {} left out",
            imported.added, imported.changed, imported.kept, imported.refused
        )
    });
    Ok(())
}

/// The verdict on each line.
fn words(preview: &ListImportPreview) -> String {
    let line = |line: &ListImportLine| {
        let verdict = serde_json::to_value(line.verdict).unwrap_or_default();
        let verdict = verdict.as_str().unwrap_or_default().to_owned();
        let message = if line.message.is_empty() {
            String::new()
        } else {
            format!(" ({})", line.message)
        };
        format!("{}: {verdict}: {}{message}", line.line, line.text)
    };
    let mut lines: Vec<String> = preview.lines.iter().map(line).collect();
    lines.extend(preview.problem.clone());
    lines.push(format!(
        "{} would be added, {} changed, {} stay as they are, {} cannot be taken",
        preview.added, preview.changed, preview.kept, preview.refused
    ));
    lines.join("\n")
}

fn export(
    control: &Control,
    file: &str,
    format: FileFormat,
    output: &Output,
) -> Result<(), Failure> {
    let (format, addresses) = format.parts();
    if file == "-" {
        let (text, _) = control.lists_exported(format, Some(addresses))?;
        // A file with its own line ends; no rule holds a control character. Whoever closed the pipe has read enough.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
        return Ok(());
    }
    let exported = control.lists_export(file, format, Some(addresses))?;
    output.value(&exported, |exported| {
        format!(
            "{} written, {} left out",
            exported.written, exported.left_out
        )
    });
    Ok(())
}
