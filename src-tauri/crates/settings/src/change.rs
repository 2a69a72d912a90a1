//! What the server must do when one version of the settings follows another.

use crate::Settings;

/// The acts, besides taking the new snapshot, that a change asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effects {
    /// Sockets must be opened or closed.
    pub rebind: bool,
    /// The certificate must be read or made anew.
    pub certificate: bool,
    /// Mail goes to another folder, which must be writable.
    pub mailbox: bool,
}

impl Effects {
    /// Whether the change must be tried before it is stored.
    pub fn must_be_tried(self) -> bool {
        self != Self::default()
    }
}

/// Compares two versions.
pub fn effects(old: &Settings, new: &Settings) -> Effects {
    let addresses = |s: &Settings| {
        (
            s.service.smtp.clone(),
            s.service.submission.clone(),
            s.service.submissions.clone(),
        )
    };
    Effects {
        rebind: addresses(old) != addresses(new),
        certificate: old.service.certificate != new.service.certificate
            || old.general.hostname != new.general.hostname,
        mailbox: old.service.mailbox != new.service.mailbox,
    }
}
