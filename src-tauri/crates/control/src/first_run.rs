//! What the first-run assistant asks: names that fit this machine, what the DNS says of them, which ports are free.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use serde::Serialize;
use server::{dns, listener};
use settings::Problem;
use smtp::Domain;
use ts_rs::TS;

use crate::settings_verbs::try_port;
use crate::{Control, Failure};

/// Names to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Identity {
    /// Domain, or empty.
    pub domain: String,
    /// Host name, or empty.
    pub hostname: String,
}

/// One thing that the DNS should say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct DnsCheck {
    /// mx, address or spf.
    pub name: String,
    /// ok, warning or unknown.
    #[ts(type = "\"ok\" | \"warning\" | \"unknown\"")]
    pub state: String,
    /// What was found and what it means.
    pub text: String,
}

/// Whether a port can be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PortCheck {
    /// smtp, submission or submissions.
    #[ts(type = "\"smtp\" | \"submission\" | \"submissions\"")]
    pub service: String,
    /// The port that is set, or the usual one.
    pub port: u16,
    /// free, taken or `not_allowed`.
    #[ts(type = "\"free\" | \"taken\" | \"not_allowed\"")]
    pub state: String,
    /// In words, with what to do.
    pub text: String,
    /// A port that could be used instead.
    pub fallback: Option<u16>,
}

impl Control {
    /// Domain and host name that this machine seems to have.
    pub fn suggest_identity(&self) -> Identity {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let host = read("/proc/sys/kernel/hostname").trim().to_lowercase();
        let search = read("/etc/resolv.conf")
            .lines()
            .find_map(|line| {
                line.strip_prefix("search ")
                    .or_else(|| line.strip_prefix("domain "))
            })
            .and_then(|rest| rest.split_whitespace().next().map(str::to_lowercase))
            .unwrap_or_default();
        let hostname = if host.contains('.') || search.is_empty() {
            host
        } else {
            format!("{host}.{search}")
        };
        match (Domain::parse(&hostname), hostname.split_once('.')) {
            (Ok(name), Some((_, domain))) if domain.contains('.') => Identity {
                domain: domain.into(),
                hostname: name.ascii().into(),
            },
            _ => Identity {
                domain: String::new(),
                hostname: String::new(),
            },
        }
    }

    /// What the DNS says of names that are not stored yet.
    ///
    /// # Errors
    /// Names that are none.
    pub fn dns_check(&self, domain: &str, hostname: &str) -> Result<Vec<DnsCheck>, Failure> {
        let name = |path: &str, text: &str| {
            Domain::parse(text.trim()).map_err(|error| {
                Failure::problem(Problem::new(path, "unreadable", error.to_string()))
            })
        };
        let domain = name("general.domain", domain)?;
        let host = name("general.hostname", hostname)?;
        let servers = self.snapshot()?.settings.service.dns_servers;
        Ok(match dns::look_up(&servers, domain.ascii(), host.ascii()) {
            Err(error) => ["mx", "address", "spf"]
                .map(|name| check(name, "unknown", error.to_string()))
                .to_vec(),
            Ok(records) => vec![
                mx(&records, &domain, &host),
                address(&records, &host),
                spf(&records, &domain),
            ],
        })
    }

    /// Whether the first address that is set for each service can be opened by this process.
    ///
    /// # Errors
    /// The disk, or settings that cannot be read.
    pub fn ports_check(&self) -> Result<Vec<PortCheck>, Failure> {
        let ours = self.status()?.listeners;
        let set = self.snapshot()?.settings.service;
        let check = |service: &str, addresses: &[SocketAddr], usual: u16| {
            let address = addresses
                .first()
                .copied()
                .unwrap_or_else(|| (Ipv6Addr::UNSPECIFIED, usual).into());
            let port = address.port();
            let open = ours.iter().filter(|listener| listener.problem.is_none());
            if open
                .filter_map(|listener| listener.address.parse::<SocketAddr>().ok())
                .any(|a| a.port() == port)
            {
                return port_check(
                    service,
                    port,
                    "free",
                    format!("port {port} is open and served by Postroom"),
                    None,
                );
            }
            match try_port(address) {
                Ok(()) => port_check(service, port, "free", format!("port {port} is free"), None),
                Err(error) => {
                    let state = if error.kind() == io::ErrorKind::PermissionDenied {
                        "not_allowed"
                    } else {
                        "taken"
                    };
                    let fallback = listener::fallback(port);
                    port_check(
                        service,
                        port,
                        state,
                        listener::explain_bind(address, &error).1,
                        Some(fallback),
                    )
                }
            }
        };
        Ok(vec![
            check("smtp", &set.smtp, 25),
            check("submission", &set.submission, 587),
            check("submissions", &set.submissions, 465),
        ])
    }
}

fn port_check(
    service: &str,
    port: u16,
    state: &str,
    text: String,
    fallback: Option<u16>,
) -> PortCheck {
    PortCheck {
        service: service.into(),
        port,
        state: state.into(),
        text,
        fallback,
    }
}

fn check(name: &str, state: &str, text: String) -> DnsCheck {
    DnsCheck {
        name: name.into(),
        state: state.into(),
        text,
    }
}

fn mx(records: &dns::Records, domain: &Domain, host: &Domain) -> DnsCheck {
    if records.mx.iter().any(|mx| mx == host.ascii()) {
        check(
            "mx",
            "ok",
            format!("the MX record of {domain} names {host}"),
        )
    } else if records.mx.is_empty() {
        check(
            "mx",
            "warning",
            format!(
                "{domain} has no MX record; add one that names {host}, or mail from outside will not find it"
            ),
        )
    } else {
        let others = records.mx.join(", ");
        check(
            "mx",
            "warning",
            format!(
                "mail for {domain} goes to {others}; change the MX record to {host} when this server is ready"
            ),
        )
    }
}

fn address(records: &dns::Records, host: &Domain) -> DnsCheck {
    if records.addresses.is_empty() {
        return check(
            "address",
            "warning",
            format!(
                "{host} has no address in the DNS; add an A or AAAA record with the public address of this machine"
            ),
        );
    }
    let list = records
        .addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    check("address", "ok", format!("{host} has the address {list}"))
}

fn spf(records: &dns::Records, domain: &Domain) -> DnsCheck {
    match &records.spf {
        Some(spf) => check("spf", "ok", format!("the SPF record of {domain} is {spf}")),
        None => check(
            "spf",
            "warning",
            format!(
                "{domain} has no SPF record; without it, mail from your users may be taken for forged. A start is: v=spf1 mx -all"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use serde_json::json;
    use store::DataDir;

    use super::*;

    #[test]
    fn the_ports_that_are_set_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open(&DataDir::new(folder.path())).unwrap();
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let document = json!({"service": {
            "smtp": [format!("127.0.0.1:{port}")],
            "submission": ["127.0.0.1:0"],
        }});
        control.settings_apply(&document, None, "test", "").unwrap();
        let checks = control.ports_check().unwrap();
        assert_eq!((checks[0].port, &*checks[0].state), (port, "taken"));
        assert_eq!((checks[1].port, &*checks[1].state), (0, "free"));
        assert_eq!(checks[2].port, 465);
    }
}
