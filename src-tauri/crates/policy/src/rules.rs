//! The rules, by what they look at. Each is a function from facts and settings to a finding, nothing more.

pub(crate) mod auth;
pub(crate) mod checks;
pub(crate) mod client;
pub(crate) mod helo;
pub(crate) mod lists;
pub(crate) mod message;
pub(crate) mod recipient;
pub(crate) mod sender;

use settings::Settings;
use smtp::{Address, ForwardPath, Host, LocalPart, ReversePath};

/// Completes a local part without domain with the primary domain.
pub(crate) fn qualify(local: &LocalPart, settings: &Settings) -> Option<Address> {
    let domain = settings.general.domain.as_ref()?;
    Address::from_parts(local.clone(), Host::Domain(domain.clone())).ok()
}

/// An address as replies show it: in angle brackets, its domain as A-label, since replies are ASCII where they can be.
pub(crate) fn wire(address: &Address) -> String {
    format!("<{}>", address.to_ascii_domain())
}

/// A recipient as replies show it.
pub(crate) fn wire_path(path: &ForwardPath) -> String {
    match path {
        ForwardPath::Address(address) => wire(address),
        ForwardPath::Postmaster | ForwardPath::Unqualified(_) => path.to_string(),
    }
}

/// The sender as an address; `None` for the null reverse-path or where there is no domain to complete it with.
pub(crate) fn sender_address(path: &ReversePath, settings: &Settings) -> Option<Address> {
    match path {
        ReversePath::Null => None,
        ReversePath::Unqualified(local) => qualify(local, settings),
        ReversePath::Address(address) => Some(address.clone()),
    }
}
