//! What to do when a step went wrong.

use server::deliver::link::{Hop, HopAddress, Phase, TlsMode, Trouble};
use settings::Settings;

/// What the DNS step came to.
pub(super) fn with(trouble: &Trouble, settings: &Settings) -> String {
    let what = match trouble.status {
        (_, 4, 3) if settings.service.dns_servers.is_empty() => {
            "check this machine's network and its name servers"
        }
        (_, 4, 3) => "check the name servers in service.dns_servers",
        (_, 4, 4) => "check how the relay's name is written",
        _ => return trouble.text.clone(),
    };
    format!("{}; {what}", trouble.text)
}

/// What opening the conversation came to.
pub(super) fn of_hop(hop: &Hop, trouble: &Trouble) -> String {
    let implicit = hop.tls.mode == TlsMode::Implicit;
    let port = match &hop.at {
        HopAddress::Tcp(address) => address.port(),
        HopAddress::Unix(_) => 0,
    };
    let silent = trouble.status == (4, 4, 2);
    let what = match (trouble.phase, trouble.status) {
        (Phase::Connect, _) if port == 25 => {
            "many providers let nothing out to port 25; ask for another port of the relay, such as 587"
        }
        (Phase::Connect, _) => {
            "check server and port, and whether a firewall lets this machine out"
        }
        (Phase::Greeting, _) if silent && !implicit => {
            "perhaps this port wants TLS from the first byte: choose that, or port 587"
        }
        (Phase::Greeting | Phase::Hello, (4, 7, _)) => {
            "the relay does not want this machine; ask its provider what it asks of clients"
        }
        (_, (_, 4, 6)) => "name another server: mail would go round in a circle",
        (Phase::Tls, (4, 7, 4)) => {
            "use the port on which the relay encrypts (587 or 465), or switch the secure connection off"
        }
        (Phase::Tls, (4, 7, 5)) if trouble.text.contains("ingerprint") => {
            "check the relay's name; if the certificate is right all the same, choose it by its fingerprint"
        }
        (Phase::Tls, (4, 7, 5)) if implicit => {
            "perhaps this port wants STARTTLS: choose that, or port 465"
        }
        (Phase::Auth, (4, 7, 8)) => {
            "check user name and password; many providers want a password made for programs"
        }
        (Phase::Auth, (4, 7, 4)) => {
            "use the relay's port for submission (587 or 465), or switch signing in off"
        }
        (Phase::Auth, (4, 7, 11)) => {
            "switch the secure connection on, or allow the password on connections that prove nothing"
        }
        _ => return trouble.text.clone(),
    };
    format!("{}; {what}", trouble.text)
}

/// What MAIL and RCPT came to.
pub(super) fn of_mail(trouble: &Trouble) -> String {
    let what = match (trouble.phase, trouble.status) {
        (Phase::Mail, (_, 7, _)) => {
            "the relay wants a login, or another sender: often only addresses of the account may send"
        }
        (Phase::Rcpt, (_, 7, _)) => "the relay wants a login before it takes mail for others",
        (Phase::Mail | Phase::Rcpt, (5, ..)) => {
            "try addresses that exist; if they do, ask the relay's provider"
        }
        (Phase::Mail | Phase::Rcpt, _) => "the relay puts it off; try again in some minutes",
        _ => return trouble.text.clone(),
    };
    format!("{}; {what}", trouble.text)
}
