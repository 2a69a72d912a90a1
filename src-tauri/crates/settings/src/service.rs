//! Section *service*: where the server listens, what it shows as its certificate, whom it takes for neighbours, and
//! where mail goes. The source document leaves these out, but its sections cannot work without them.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::field::section;
use crate::{ClamdAddress, LmtpAddress, Network, Problem};

section! {
    /// Settings of the server itself.
    Service at "service" {
        /// Addresses and ports on which other mail servers deliver, usually port 25.
        #[ts(type = "Array<string>")]
        smtp: Vec<SocketAddr> = vec![any(25)];
        /// Addresses and ports on which your users send with STARTTLS, usually port 587.
        #[ts(type = "Array<string>")]
        submission: Vec<SocketAddr> = vec![any(587)];
        /// Addresses and ports on which your users send over TLS from the first byte, usually port 465.
        #[ts(type = "Array<string>")]
        submissions: Vec<SocketAddr> = vec![any(465)];
        /// The certificate that clients see: one that Postroom makes itself, or your own files (PEM), read again when they change.
        certificate: Certificate = Certificate::SelfSigned;
        /// Networks that count as local. Automatic means this machine and the private networks it is attached to.
        #[ts(type = "Array<string> | null")]
        local_networks: Option<Vec<Network>> = None;
        /// Addresses and networks that the connection policy does not limit, for example a monitor or a second mail server.
        #[ts(type = "Array<string>")]
        exempt_hosts: Vec<Network> = Vec::new();
        /// Name servers that are asked for the servers of other domains. Empty means those of the system.
        #[ts(type = "Array<string>")]
        dns_servers: Vec<SocketAddr> = Vec::new();
        /// Where received mail goes: into a folder of Maildirs, one for each user, or to another mail store over LMTP.
        mailbox: Mailbox = Mailbox::Maildir(None);
        /// Where clamd scans messages for malware: `host:port`, or `unix:` and the full path of its socket.
        #[ts(type = "string | null")]
        clamd: Option<ClamdAddress> = None;
        /// Days after which entries of the mail log are removed.
        journal_days: u32 = 90, 1..=3_650;
    }
}

/// Which certificate the server shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", deny_unknown_fields, untagged)]
pub enum Certificate {
    /// Made by Postroom on its first start, for the host name.
    #[serde(with = "self_signed")]
    #[ts(type = "\"self_signed\"")]
    SelfSigned,
    /// The admin's own.
    Files {
        /// PEM file with the certificate and those that lead to its root.
        chain: String,
        /// PEM file with the private key.
        key: String,
    },
}

/// Where received mail goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Mailbox {
    /// A folder that holds one Maildir a user; `None` is `mail` in the data folder.
    Maildir(Option<String>),
    /// Another program of the office keeps the mailboxes and takes mail for them over LMTP.
    Lmtp(#[ts(type = "string")] LmtpAddress),
}

const MAX_ADDRESSES: usize = 32;
const MAX_EXEMPT: usize = 1_000;

const fn any(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), port)
}

impl Service {
    pub(crate) fn check(&self) -> Vec<Problem> {
        let mut problems = self.check_ranges();
        self.check_addresses(&mut problems);
        self.check_local_networks(&mut problems);
        self.check_exempt_hosts(&mut problems);
        self.check_paths(&mut problems);
        problems
    }

    fn check_addresses(&self, problems: &mut Vec<Problem>) {
        let mut seen: Vec<(&str, &SocketAddr)> = Vec::new();
        for (field, list) in [
            ("smtp", &self.smtp),
            ("submission", &self.submission),
            ("submissions", &self.submissions),
        ] {
            if list.len() > MAX_ADDRESSES {
                problems.push(
                    Problem::new(
                        format!("service.{field}"),
                        "too_many",
                        format!("at most {MAX_ADDRESSES} addresses are allowed"),
                    )
                    .arg("max", MAX_ADDRESSES),
                );
            }
            for (index, address) in list.iter().enumerate() {
                // Port 0 asks the system for a free port, so two of them never meet.
                if address.port() != 0
                    && let Some((other, _)) = seen.iter().find(|(_, a)| *a == address)
                {
                    problems.push(
                        Problem::new(
                            format!("service.{field}[{index}]"),
                            "duplicate",
                            format!("{address} is already used by service.{other}"),
                        )
                        .arg("value", address),
                    );
                }
                seen.push((field, address));
            }
        }
        for (index, server) in self.dns_servers.iter().enumerate() {
            if server.port() == 0 || server.ip().is_unspecified() {
                problems.push(Problem::new(
                    format!("service.dns_servers[{index}]"),
                    "not_a_server",
                    format!(
                        "{server} is no address of a name server; write for example 192.0.2.53:53"
                    ),
                ));
            }
        }
    }

    fn check_local_networks(&self, problems: &mut Vec<Problem>) {
        for (index, network) in self.local_networks.iter().flatten().enumerate() {
            if let Some((code, why)) = network.unfit_as_local() {
                problems.push(
                    Problem::new(
                        format!("service.local_networks[{index}]"),
                        code,
                        format!("{network} {why}"),
                    )
                    .arg("value", network),
                );
            }
        }
    }

    fn check_exempt_hosts(&self, problems: &mut Vec<Problem>) {
        if self.exempt_hosts.len() > MAX_EXEMPT {
            problems.push(
                Problem::new(
                    "service.exempt_hosts",
                    "too_many",
                    format!("at most {MAX_EXEMPT} entries are allowed"),
                )
                .arg("max", MAX_EXEMPT),
            );
        }
        for (index, network) in self.exempt_hosts.iter().enumerate() {
            if network.prefix() == 0 {
                problems.push(
                    Problem::new(
                        format!("service.exempt_hosts[{index}]"),
                        "everybody",
                        format!("{network} is everybody; to have no limits, empty the limits of the connection policy"),
                    )
                    .arg("value", network),
                );
            }
        }
    }

    fn check_paths(&self, problems: &mut Vec<Problem>) {
        if let Certificate::Files { chain, key } = &self.certificate {
            for (field, path) in [("chain", chain), ("key", key)] {
                absolute(problems, &format!("service.certificate.{field}"), path);
            }
        }
        if let Mailbox::Maildir(Some(folder)) = &self.mailbox {
            absolute(problems, "service.mailbox.maildir", folder);
        }
        if let Mailbox::Lmtp(LmtpAddress::Tcp { host, port }) = &self.mailbox
            && host.is_listener(*port, self)
        {
            problems.push(
                Problem::new(
                    "service.mailbox.lmtp",
                    "own_server",
                    format!("{host}:{port} is this server itself; mail would go round in a circle"),
                )
                .arg("value", format!("{host}:{port}")),
            );
        }
    }
}

fn absolute(problems: &mut Vec<Problem>, path: &str, value: &str) {
    if !std::path::Path::new(value).is_absolute() || value.contains('\0') {
        problems.push(
            Problem::new(
                path,
                "not_absolute",
                format!("\"{value}\" is not a full path; it must start with /"),
            )
            .arg("value", value),
        );
    }
}

mod self_signed {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("self_signed")
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
        match String::deserialize(from)?.as_str() {
            "self_signed" => Ok(()),
            other => Err(D::Error::custom(format!(
                "\"{other}\" is neither self_signed nor a pair of files"
            ))),
        }
    }
}
