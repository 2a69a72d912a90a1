//! What the server must do when one version of the settings follows another.

use crate::{Delivery, Settings};

/// The acts, besides taking the new snapshot, that a change asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effects {
    /// Sockets must be opened or closed.
    pub rebind: bool,
    /// The certificate must be read or made anew.
    pub certificate: bool,
    /// Mail goes to another folder, which must be writable.
    pub mailbox: bool,
    /// Mail takes other ways, also the mail that waits already.
    pub routes: bool,
    /// Mail is tried for longer or shorter, also the mail that waits already.
    pub times: bool,
}

impl Effects {
    /// Whether the change must be tried before it is stored. A relay that is away is no reason to refuse its settings.
    pub fn must_be_tried(self) -> bool {
        self.rebind || self.certificate || self.mailbox
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
    let mailbox = old.service.mailbox != new.service.mailbox;
    Effects {
        rebind: addresses(old) != addresses(new),
        certificate: old.service.certificate != new.service.certificate
            || old.general.hostname != new.general.hostname,
        mailbox,
        routes: mailbox
            || old.general.domain != new.general.domain
            || old.general.additional_domains != new.general.additional_domains
            || old.service.dns_servers != new.service.dns_servers
            || way(&old.delivery) != way(&new.delivery),
        times: times(&old.delivery) != times(&new.delivery),
    }
}

fn times(delivery: &Delivery) -> (u32, Option<u32>) {
    (delivery.give_up_after_hours, delivery.warn_after_hours)
}

/// What the way to other domains depends on: the relay only while there is one, and never how often it is tried.
fn way(delivery: &Delivery) -> Delivery {
    let used = if delivery.relay_enabled {
        delivery.clone()
    } else {
        Delivery {
            direct_port: delivery.direct_port,
            ..Delivery::default()
        }
    };
    Delivery {
        retry_schedule_minutes: Vec::new(),
        give_up_after_hours: 0,
        warn_after_hours: None,
        ..used
    }
}
