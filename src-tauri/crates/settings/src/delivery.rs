//! Section *Delivery*: how mail for other domains leaves, straight to their servers or through a relay, and how long it
//! is tried.

use serde::{Deserialize, Deserializer, Serialize};
use ts_rs::TS;

use crate::field::section;
use crate::host::HostError;
use crate::{General, Problem, RelayHost, Service};

section! {
    /// Settings of the Delivery pane.
    Delivery at "delivery" {
        /// Mail for other domains goes to one relay server, for example that of your provider. Off, it goes straight to the servers of each domain.
        relay_enabled: bool = false;
        /// Host name or IP address of the relay. It is used as it stands; its MX is not asked for.
        relay_server: String = String::new();
        /// Port of the relay: 587 with STARTTLS, 465 with TLS from the first byte, or 25.
        relay_port: u16 = 587, 1..=65_535;
        /// Mail goes to the relay over an encrypted connection or waits. Off, the connection is encrypted where the relay offers it.
        relay_tls: bool = true;
        /// How encryption begins: automatic means TLS from the first byte on port 465 and STARTTLS on all others.
        relay_tls_mode: RelayTlsMode = RelayTlsMode::Auto;
        /// What the relay's certificate must show: that it is made for this name by somebody known, that it is the one you chose, or nothing at all.
        relay_certificate: RelayCertificate = RelayCertificate::Verify;
        /// Sign in to the relay with a user name and a password before sending.
        relay_auth: bool = false;
        /// The user name at the relay. The password is kept apart from the settings and is never shown.
        relay_username: String = String::new();
        /// Also send the password when the connection to the relay is not encrypted, or encrypted with a certificate that proves nothing. Whoever stands in the way can read it then.
        relay_auth_in_clear: bool = false;
        /// Port of the mail servers of other domains, when mail goes straight to them. It is 25 in the whole internet; another one is for closed networks.
        direct_port: u16 = 25, 1..=65_535;
        /// Minutes from one failed attempt to the next, in order; the last number is used again and again.
        retry_schedule_minutes: Vec<u32> = vec![5, 10, 20, 40, 60];
        /// Hours after which mail that could not be delivered goes back to its sender.
        give_up_after_hours: u32 = 120, 1..=240;
        /// Hours after which the sender is told once that mail is still waiting. Empty means never.
        warn_after_hours: Option<u32> = Some(4), 1..=240;
    }
}

/// How the encrypted connection to the relay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RelayTlsMode {
    /// From the first byte on port 465 (RFC 8314 §3.3), with STARTTLS on every other.
    Auto,
    /// With STARTTLS (RFC 3207).
    Starttls,
    /// From the first byte.
    Implicit,
}

/// Which certificate of the relay is good enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RelayCertificate {
    /// One that leads to a root this machine knows, is valid now and names the relay.
    Verify,
    /// Any, also one that anybody on the way made.
    Any,
    /// Only the one with this SHA-256 over its DER form: 64 hex digits in lower case.
    Pin(#[serde(deserialize_with = "plain_hex")] String),
}

/// The port on which TLS begins with the first byte (RFC 8314 §7.3).
const SUBMISSIONS_PORT: u16 = 465;
const MAX_ATTEMPTS: usize = 50;
/// A day.
const MAX_MINUTES: u32 = 1_440;
const MAX_USERNAME: usize = 255;
/// SHA-256 in hex digits.
const PIN_LENGTH: usize = 64;

impl Delivery {
    /// The relay as written; none where nothing is written, or nothing that can be a host.
    pub fn relay_host(&self) -> Option<RelayHost> {
        RelayHost::parse(self.relay_server.trim()).ok()
    }

    /// Whether TLS begins with the first byte on the way to the relay.
    pub fn relay_tls_is_implicit(&self) -> bool {
        match self.relay_tls_mode {
            RelayTlsMode::Auto => self.relay_port == SUBMISSIONS_PORT,
            RelayTlsMode::Starttls => false,
            RelayTlsMode::Implicit => true,
        }
    }

    pub(crate) fn check(&self, general: &General, service: &Service) -> Vec<Problem> {
        let mut problems = self.check_ranges();
        self.check_server(&mut problems, general, service);
        self.check_tls(&mut problems);
        self.check_login(&mut problems);
        self.check_schedule(&mut problems);
        problems
    }

    fn check_server(&self, problems: &mut Vec<Problem>, general: &General, service: &Service) {
        let path = "delivery.relay_server";
        let written = self.relay_server.trim();
        if written.is_empty() {
            if self.relay_enabled {
                problems.push(Problem::new(
                    path,
                    "relay_needed",
                    "write the host name or the address of the relay, or switch the relay off",
                ));
            }
            return;
        }
        let host = match RelayHost::parse(written) {
            Ok(host) => host,
            Err(error) => {
                let code = match error {
                    HostError::Port(_) => "port_in_host",
                    _ => "not_a_host",
                };
                problems.push(Problem::new(path, code, error.to_string()).arg("value", written));
                return;
            }
        };
        let own_name =
            matches!(&host, RelayHost::Name(name) if Some(name) == general.hostname.as_ref());
        if self.relay_enabled && (own_name || host.is_listener(self.relay_port, service)) {
            problems.push(
                Problem::new(
                    path,
                    "own_server",
                    format!("\"{written}\" is this server itself; mail would go round in a circle"),
                )
                .arg("value", written),
            );
        }
    }

    fn check_tls(&self, problems: &mut Vec<Problem>) {
        if self.relay_tls_mode == RelayTlsMode::Implicit && !self.relay_tls {
            problems.push(Problem::new(
                "delivery.relay_tls_mode",
                "needs_tls",
                "TLS from the first byte is always encrypted; switch the secure connection on or choose STARTTLS",
            ));
        }
        if let RelayCertificate::Pin(pin) = &self.relay_certificate
            && !is_pin(pin)
        {
            problems.push(Problem::new(
                "delivery.relay_certificate.pin",
                "not_a_fingerprint",
                "the SHA-256 fingerprint of a certificate has 64 hex digits, with or without colons",
            ));
        }
    }

    fn check_login(&self, problems: &mut Vec<Problem>) {
        let path = "delivery.relay_username";
        let name = &self.relay_username;
        if self.relay_auth && name.is_empty() {
            problems.push(Problem::new(
                path,
                "username_needed",
                "write the user name at the relay, or switch signing in off",
            ));
        }
        if name.len() > MAX_USERNAME {
            problems.push(
                Problem::new(
                    path,
                    "too_long",
                    format!("a user name can have {MAX_USERNAME} characters"),
                )
                .arg("max", MAX_USERNAME),
            );
        }
        if name.chars().any(char::is_control) {
            problems.push(Problem::new(
                path,
                "control_character",
                "a user name cannot hold line breaks or other control characters",
            ));
        }
    }

    fn check_schedule(&self, problems: &mut Vec<Problem>) {
        let path = "delivery.retry_schedule_minutes";
        let schedule = &self.retry_schedule_minutes;
        if schedule.is_empty() {
            problems.push(Problem::new(
                path,
                "schedule_needed",
                "at least one number of minutes is needed",
            ));
        }
        if schedule.len() > MAX_ATTEMPTS {
            problems.push(
                Problem::new(
                    path,
                    "too_many",
                    format!(
                        "at most {MAX_ATTEMPTS} numbers are allowed; the last one is used again"
                    ),
                )
                .arg("max", MAX_ATTEMPTS),
            );
        }
        for (index, minutes) in schedule.iter().enumerate().take(MAX_ATTEMPTS) {
            crate::check::range(
                problems,
                &format!("{path}[{index}]"),
                minutes,
                1,
                MAX_MINUTES.into(),
            );
        }
    }

    pub(crate) fn warnings(&self) -> Vec<Problem> {
        let mut warnings = Vec::new();
        if self.relay_enabled && self.relay_auth && self.relay_auth_in_clear && !self.relay_tls {
            warnings.push(Problem::new(
                "delivery.relay_auth_in_clear",
                "password_in_clear",
                "where the relay offers no encryption, the password can be read by whoever listens on the way",
            ));
        }
        if self.relay_enabled && self.relay_certificate == RelayCertificate::Any {
            warnings.push(Problem::new(
                "delivery.relay_certificate",
                "any_certificate",
                "with any certificate taken, somebody on the way can pretend to be the relay and read mail and password",
            ));
        }
        if self
            .warn_after_hours
            .is_some_and(|hours| hours >= self.give_up_after_hours)
        {
            warnings.push(Problem::new(
                "delivery.warn_after_hours",
                "warned_too_late",
                "the sender is never told of the delay, because the mail goes back before that",
            ));
        }
        warnings
    }
}

fn is_pin(text: &str) -> bool {
    text.len() == PIN_LENGTH
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Fingerprints are copied with colons or spaces between the octets, and in either case.
fn plain_hex<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    Ok(text
        .chars()
        .filter(|c| !matches!(c, ':' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect())
}

#[cfg(test)]
mod tests;
