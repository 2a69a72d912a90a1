//! The types that cross into the window, written as TypeScript, so that both sides have one spelling.

use ts_rs::{Config, TS};

use crate::{
    Applied, BlockReason, BlockedClient, CheckEffect, CheckFinding, CheckName, CheckTrial,
    CheckedMessage, DnsCheck, Entry, Failure, FailureKind, Identity, ImportVerdict, JournalFilter,
    JournalPage, ListAnalysis, ListExported, ListFormat, ListHits, ListImport, ListImportLine,
    ListImportPreview, ListImported, ListNote, ListOverlap, ListSkips, LiveClient, LiveRates,
    Notice, OnExisting, OverlapWhy, Overview, Owner, PausedDestination, PortCheck, QueueAct,
    QueueAttempt, QueueEntry, QueueFilter, QueueGlance, QueuePage, QueueRow, QueueWhich,
    RelayPasswordStatus, RelayStep, RelayTest, SeenCertificate, SettingsView, Status, StepName,
    StepResult, Summary, TestResult, TopRefusal, overview, service,
};

/// The declarations of these types, in this order.
macro_rules! declared {
    ($config:expr; $($type:ty),* $(,)?) => {
        vec![$(format!("export {}\n", <$type>::decl($config))),*]
    };
}

/// The whole generated file.
pub fn typescript() -> String {
    let config = Config::new().with_large_int("number");
    let types = [of_settings(&config), of_mail(&config), of_trials(&config)].concat();
    format!(
        "// Generated from the Rust types by `cargo xtask bindings`; do not edit.\n\n{}",
        types.join("\n")
    )
}

/// What the admin chose.
fn of_settings(config: &Config) -> Vec<String> {
    declared![config;
        settings::Problem,
        settings::General,
        settings::Certificate,
        settings::Mailbox,
        settings::Service,
        settings::RelayTlsMode,
        settings::RelayCertificate,
        settings::Delivery,
        settings::security::ListKind,
        settings::security::Criterion,
        settings::security::ListAction,
        settings::security::ListRule,
        settings::security::UnknownDomainScope,
        settings::security::SenderPolicy,
        settings::security::ClientHostname,
        settings::security::ConnectionPolicy,
        settings::security::Advanced,
        settings::security::DnsblZone,
        settings::security::Check,
        settings::security::Antivirus,
        settings::security::AntivirusUnavailable,
        settings::security::Checks,
        settings::Security,
        settings::User,
        settings::Group,
        settings::Settings,
        settings::FieldInfo,
    ]
}

/// What became of mail, and what the panes show of the server.
fn of_mail(config: &Config) -> Vec<String> {
    declared![config;
        FailureKind,
        Failure,
        Owner,
        service::Listener,
        Status,
        SettingsView,
        Applied,
        Summary,
        JournalFilter,
        JournalPage,
        policy::Step,
        QueueAttempt,
        Entry,
        TopRefusal,
        overview::Hour,
        Notice,
        PausedDestination,
        QueueGlance,
        Overview,
        QueueRow,
        QueueFilter,
        QueuePage,
        QueueEntry,
        QueueAct,
        QueueWhich,
    ]
}

/// What is tried, tested and counted.
fn of_trials(config: &Config) -> Vec<String> {
    declared![config;
        RelayPasswordStatus,
        RelayTest,
        StepName,
        StepResult,
        SeenCertificate,
        RelayStep,
        ListSkips,
        OverlapWhy,
        ListOverlap,
        ListNote,
        ListAnalysis,
        ListHits,
        ListFormat,
        OnExisting,
        ListImport,
        ImportVerdict,
        ListImportLine,
        ListImportPreview,
        ListImported,
        ListExported,
        LiveClient,
        LiveRates,
        BlockReason,
        BlockedClient,
        CheckName,
        CheckEffect,
        CheckFinding,
        CheckTrial,
        CheckedMessage,
        Identity,
        DnsCheck,
        PortCheck,
        TestResult,
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_windows_types_are_those_of_this_program() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../ui/src/lib/generated/types.ts"
        );
        let current = super::typescript();
        if std::env::var_os("POSTROOM_WRITE_BINDINGS").is_some() {
            std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
            std::fs::write(path, &current).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            stored == current,
            "the types changed: run `cargo xtask bindings` and commit ui/src/lib/generated/types.ts"
        );
    }
}
