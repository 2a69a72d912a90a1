//! Who is exempt from what, as one table. The rules themselves know nothing of it.
//!
//! The loopback is nobody special: it is exempt as the local network, if that is let through without login, or as a host
//! that the admin exempts.

use std::borrow::Cow;

use settings::Settings;

use super::Stage;
use crate::facts::Facts;
use crate::skips::{Skips, skips};
use crate::trust::Trust;

/// What rules have in common as to who is exempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody is: relay control, sizes, syntax, whether a recipient exists, the lists themselves.
    Everybody,
    /// How often a client comes. Who signs in is not known then, so that exempts nobody.
    Rates,
    /// Accounts that do not exist.
    Ban,
    /// Names of the client, its greeting, the sender's address.
    Policies,
    /// The tests of mail from strangers.
    Dnsbl,
    Spf,
    Dkim,
    Dmarc,
    /// Malware comes from one's own people too.
    Antivirus,
}

/// What is known of a client that can exempt it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'a> {
    trust: Trust<'a>,
    /// It is one of the hosts that may come as often as they like.
    exempt_host: bool,
    skips: Skips<'a>,
    /// Nobody would get the message.
    discarded: bool,
}

impl<'a> Standing<'a> {
    pub fn of(stage: Stage, facts: &'a Facts, settings: &'a Settings) -> Self {
        Self {
            trust: Trust::of(facts, settings),
            exempt_host: settings
                .service
                .exempt_hosts
                .iter()
                .any(|network| network.contains(facts.client.ip)),
            skips: skips(stage, facts, settings),
            discarded: stage == Stage::Message && facts.envelope.is_discarded(),
        }
    }

    /// Why a rule of this kind is not asked.
    pub fn exempts(&self, kind: Kind) -> Option<Cow<'static, str>> {
        let Skips {
            dnsbl,
            spf,
            antivirus,
            dkim,
            dmarc,
            all_policies,
        } = self.skips;
        let (user, local, host, white) = match kind {
            Kind::Everybody => return None,
            Kind::Rates => (false, true, true, all_policies),
            Kind::Ban => (true, true, true, all_policies),
            Kind::Policies => (true, true, false, all_policies),
            Kind::Dnsbl => (true, true, false, dnsbl),
            Kind::Spf => (true, true, false, spf),
            Kind::Dkim => (true, true, false, dkim),
            Kind::Dmarc => (true, true, false, dmarc),
            Kind::Antivirus => (false, false, false, antivirus),
        };
        if let Some(rule) = white {
            return Some(format!("skipped by white list rule \"{rule}\"").into());
        }
        let of_content = matches!(kind, Kind::Antivirus | Kind::Dkim | Kind::Dmarc);
        match self.trust {
            _ if self.discarded && of_content => Some("nobody gets the message".into()),
            Trust::User(_) if user => Some("the client is signed in".into()),
            Trust::LocalNetwork if local => Some("the client is in the local network".into()),
            _ if host && self.exempt_host => Some("the client is an exempt host".into()),
            _ => None,
        }
    }
}
