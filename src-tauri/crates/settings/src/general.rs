//! Section *General*: who may send through this server, what it is called, and how large a message may be.

use smtp::Domain;

use crate::field::section;
use crate::{MEGABYTE, Problem, check};

section! {
    /// Settings of the General pane.
    General at "general" {
        /// Clients may sign in with user name and password, and must do so to send mail to other domains.
        smtp_auth: bool = true;
        /// Devices in the local network may send without signing in, for example printers and scanners.
        skip_auth_for_local_network: bool = false;
        /// A signed-in user can only send under the own address, in the envelope and in the From header.
        sender_must_match_login: bool = true;
        /// Passwords are taken over an encrypted connection only. This machine itself is exempt on port 25.
        auth_requires_tls: bool = true;
        /// Refuse messages that a mail program or another service forwards by itself. Mail that a person forwards passes.
        disable_auto_forwarding: bool = false;
        /// The domain of your addresses: the part after the @.
        #[ts(type = "string")]
        #[serde(with = "crate::general::optional_domain")]
        domain: Option<Domain> = None;
        /// More domains with the same users: mail to a user at any of them arrives in the same mailbox.
        #[ts(type = "Array<string>")]
        additional_domains: Vec<Domain> = Vec::new();
        /// The full name of this machine in the DNS, as other mail servers see it.
        #[ts(type = "string")]
        #[serde(with = "crate::general::optional_domain")]
        hostname: Option<Domain> = None;
        /// The text after the host name in the first line that a client sees.
        banner: String = "ESMTP Postroom".into();
        /// More recipients than this are refused. Counted before groups are resolved.
        max_recipients: u32 = 200, 1..=10_000;
        /// A message that has passed through more servers than this goes round in a circle and is refused. Normal mail has 3 to 8.
        max_hops: u32 = 50, 1..=200;
        /// Largest message in MB (1 MB is 1,048,576 bytes), with all attachments as they are sent.
        max_message_size_mb: u32 = 25, 1..=2_048;
        /// Largest single attachment in MB, as the file on disk. Empty means no limit.
        max_attachment_size_mb: Option<u32> = None, 1..=2_048;
    }
}

/// RFC 5321 §4.5.3.1.5: a reply line holds at most 512 octets, CRLF included.
const REPLY_LINE: usize = 512;
/// `220 ` and CRLF around the greeting.
const BANNER_FRAME: usize = 4 + 2;
const MAX_ADDITIONAL_DOMAINS: usize = 200;

impl General {
    /// All local domains: the domain and its additional domains.
    pub fn local_domains(&self) -> impl Iterator<Item = &Domain> {
        self.domain.iter().chain(&self.additional_domains)
    }

    /// Whether `domain` is one of ours, whichever label form it was written in.
    pub fn is_local_domain(&self, domain: &Domain) -> bool {
        self.local_domains().any(|local| local == domain)
    }

    /// Largest message in bytes.
    pub fn max_message_bytes(&self) -> u64 {
        u64::from(self.max_message_size_mb) * MEGABYTE
    }

    /// Largest attachment in bytes, if limited.
    pub fn max_attachment_bytes(&self) -> Option<u64> {
        self.max_attachment_size_mb
            .map(|mb| u64::from(mb) * MEGABYTE)
    }

    /// The greeting after `220 `: host name first (RFC 5321 §4.2).
    pub fn greeting(&self) -> String {
        let host = self
            .hostname
            .as_ref()
            .map_or("localhost", |name| name.ascii());
        format!("{host} {}", self.greeting_text())
    }

    /// What follows the host name in the greeting; `ESMTP` is added for old clients that look for it.
    pub fn greeting_text(&self) -> String {
        let text = self.banner_text();
        let esmtp = if text.to_ascii_uppercase().contains("ESMTP") {
            ""
        } else {
            " ESMTP"
        };
        format!("{text}{esmtp}").trim().to_owned()
    }

    /// The banner without a host name that the admin typed in front of it.
    fn banner_text(&self) -> &str {
        let text = self.banner.trim();
        let Some(host) = &self.hostname else {
            return text;
        };
        match text.get(..host.ascii().len()) {
            Some(head) if head.eq_ignore_ascii_case(host.ascii()) => {
                let rest = &text[head.len()..];
                let whole_word = rest.is_empty() || rest.starts_with(' ');
                if whole_word { rest.trim_start() } else { text }
            }
            _ => text,
        }
    }

    pub(crate) fn check(&self) -> Vec<Problem> {
        let mut problems = self.check_ranges();
        if let Some(domain) = &self.domain {
            check::public_name(&mut problems, "general.domain", domain);
        }
        self.check_additional_domains(&mut problems);
        if let Some(hostname) = &self.hostname {
            check::public_name(&mut problems, "general.hostname", hostname);
        }
        self.check_banner(&mut problems);
        problems
    }

    fn check_additional_domains(&self, problems: &mut Vec<Problem>) {
        if self.additional_domains.len() > MAX_ADDITIONAL_DOMAINS {
            problems.push(
                Problem::new(
                    "general.additional_domains",
                    "too_many",
                    format!("at most {MAX_ADDITIONAL_DOMAINS} additional domains are allowed"),
                )
                .arg("max", MAX_ADDITIONAL_DOMAINS),
            );
        }
        for (index, domain) in self.additional_domains.iter().enumerate() {
            let path = format!("general.additional_domains[{index}]");
            check::public_name(problems, &path, domain);
            let earlier = &self.additional_domains[..index];
            if Some(domain) == self.domain.as_ref() || earlier.contains(domain) {
                problems.push(
                    Problem::new(
                        path,
                        "duplicate",
                        format!("\"{domain}\" is already one of your domains"),
                    )
                    .arg("value", domain),
                );
            }
        }
    }

    fn check_banner(&self, problems: &mut Vec<Problem>) {
        if let Some(bad) = self.banner.chars().find(|c| !(' '..='~').contains(c)) {
            problems.push(
                Problem::new(
                    "general.banner",
                    "not_printable",
                    format!(
                        "the banner can hold printable ASCII characters only; {bad:?} is not one"
                    ),
                )
                .arg("value", format!("{bad:?}")),
            );
        }
        let longest = REPLY_LINE - BANNER_FRAME;
        let length = self.greeting().len();
        if length > longest {
            problems.push(
                Problem::new(
                    "general.banner",
                    "too_long",
                    format!("the first line would have {length} characters; host name and banner together may have {longest}"),
                )
                .arg("value", length)
                .arg("max", longest),
            );
        }
    }
}

/// An empty text stands for a name that nobody has chosen yet.
pub(crate) mod optional_domain {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use smtp::Domain;

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Domain>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.as_ref().map(Domain::unicode).unwrap_or_default())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Domain>, D::Error> {
        let text = Option::<String>::deserialize(from)?.unwrap_or_default();
        match text.trim() {
            "" => Ok(None),
            name => Domain::parse(name).map(Some).map_err(D::Error::custom),
        }
    }
}
