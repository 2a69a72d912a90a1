//! Who may send to other domains: signed-in users and, if the admin says so, the local network. Nobody else, ever.

use std::net::IpAddr;

use settings::Settings;

use crate::facts::{Facts, MachineNetwork};

/// Standing of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust<'a> {
    /// Signed in as this user.
    User(&'a str),
    /// In the local network, which may send without login.
    LocalNetwork,
    /// Anybody else.
    Stranger,
}

impl<'a> Trust<'a> {
    /// Standing of the client of `facts` under `settings`.
    pub fn of(facts: &'a Facts, settings: &Settings) -> Self {
        if let Some(login) = &facts.login {
            return Self::User(&login.user);
        }
        let trusted = settings.general.skip_auth_for_local_network
            && facts
                .network
                .as_ref()
                .is_some_and(|network| is_local_network(facts.client.ip, settings, network));
        if trusted {
            Self::LocalNetwork
        } else {
            Self::Stranger
        }
    }

    /// Whether mail of this client to other domains is taken.
    pub fn may_relay(self) -> bool {
        self != Self::Stranger
    }
}

/// Whether `ip` is in the local network: the admin's list, or this machine and the private networks it is attached to.
///
/// A gateway never counts: behind address translation the whole internet can seem to come from it.
pub fn is_local_network(ip: IpAddr, settings: &Settings, machine: &MachineNetwork) -> bool {
    if machine.gateways.contains(&ip) {
        return false;
    }
    match &settings.service.local_networks {
        Some(list) => list.iter().any(|network| network.contains(ip)),
        None => {
            ip.is_loopback()
                || machine
                    .attached
                    .iter()
                    .any(|network| network.unfit_as_local().is_none() && network.contains(ip))
        }
    }
}

#[cfg(test)]
mod tests;
