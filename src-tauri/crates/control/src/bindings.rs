//! The types that cross into the window, written as TypeScript, so that both sides have one spelling.

use ts_rs::{Config, TS};

use crate::{
    Applied, DnsCheck, Entry, Failure, FailureKind, Identity, JournalFilter, JournalPage, Notice,
    Overview, Owner, PausedDestination, PortCheck, QueueAct, QueueAttempt, QueueEntry, QueueFilter,
    QueueGlance, QueuePage, QueueRow, QueueWhich, RelayPasswordStatus, RelayStep, RelayTest,
    SeenCertificate, SettingsView, Status, StepName, StepResult, Summary, TestResult, TopRefusal,
    overview, service,
};

/// The whole generated file.
pub fn typescript() -> String {
    let config = Config::new().with_large_int("number");
    macro_rules! types {
        ($($type:ty),* $(,)?) => { [$(format!("export {}\n", <$type>::decl(&config))),*] };
    }
    let types = types![
        settings::Problem,
        settings::General,
        settings::Certificate,
        settings::Mailbox,
        settings::Service,
        settings::RelayTlsMode,
        settings::RelayCertificate,
        settings::Delivery,
        settings::User,
        settings::Group,
        settings::Settings,
        settings::FieldInfo,
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
        overview::BlockedAddress,
        PausedDestination,
        QueueGlance,
        Overview,
        QueueRow,
        QueueFilter,
        QueuePage,
        QueueEntry,
        QueueAct,
        QueueWhich,
        RelayPasswordStatus,
        RelayTest,
        StepName,
        StepResult,
        SeenCertificate,
        RelayStep,
        Identity,
        DnsCheck,
        PortCheck,
        TestResult,
    ];
    format!(
        "// Generated from the Rust types by `cargo xtask bindings`; do not edit.\n\n{}",
        types.join("\n")
    )
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
