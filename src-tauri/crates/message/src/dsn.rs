//! Delivery status notifications: what this server writes to the sender of a message (RFC 3464, RFC 6522, and
//! RFC 6533 for addresses beyond ASCII).
//!
//! A report quotes strangers: a message nobody has vouched for, the words of other servers, names from the DNS. None of
//! that can add a header field, a part or a line that breaks the transport.
//!
//! When a notification is due, and to whom, is decided elsewhere; moments, identifiers and chance are handed in.

mod header;
mod line;
mod original;
mod status;
mod words;

#[cfg(test)]
mod tests;

use smtp::{Address, Domain};

/// Recipients of one report at most, so that it stays below 6 MB whatever others wrote, without the message it returns; on
/// more there are several.
pub const MOST_RECIPIENTS: usize = 1000;
/// A report on more recipients has less to say about each.
const FEW: usize = 20;
/// Octets of what somebody said about one of many.
const BRIEF: usize = 250;

/// What happened to a recipient (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is given up.
    Failed,
    /// It is late and will be tried again.
    Delayed,
    /// It lies in the mailbox.
    Delivered,
    /// It went to a server that does not send notifications.
    Relayed,
    /// It went to the members of a group, who are not reported on.
    Expanded,
}

/// One recipient a report is about.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The original recipient in the form of [`smtp::RcptParameters::orcpt`]: `type;address`, xtext already decoded,
    /// except that an address of type `utf-8` is as it came.
    pub original: Option<&'a str>,
    /// The recipient as this server knows it.
    pub address: &'a Address,
    /// What happened.
    pub action: Action,
    /// The enhanced status code (RFC 3463).
    pub status: (u8, u16, u16),
    /// The reply of the other server, when one is the cause; several lines are joined.
    pub diagnostic: Option<&'a str>,
    /// The other server: a host name, an IP address or another name for it.
    pub remote_mta: Option<&'a str>,
    /// When it was last tried (RFC 5322 §3.3).
    pub last_attempt: Option<&'a str>,
    /// Until when it will be tried (RFC 5322 §3.3); only for [`Action::Delayed`].
    pub will_retry_until: Option<&'a str>,
    /// The reason in words, for the sender.
    pub text: &'a str,
}

/// The message a report is about.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// Its header block, the empty line included.
    pub head: &'a [u8],
    /// All that follows, so that both together are the message; none when only headers are to be returned, because
    /// the sender asked for that (RFC 3461 §4.3) or the message is large.
    pub body: Option<&'a [u8]>,
}

/// All that goes into a report.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The name of this server.
    pub reporting_mta: &'a Domain,
    /// Who the report comes from in its header; the envelope has the null path (RFC 3461 §6.1).
    pub from: &'a Address,
    /// The sender of the original message.
    pub to: &'a Address,
    /// The sender's name for the transaction in the form of [`smtp::MailParameters::envid`]: decoded.
    pub envid: Option<&'a str>,
    /// When the original message arrived (RFC 5322 §3.3).
    pub arrival: &'a str,
    /// The moment of the report (RFC 5322 §3.3).
    pub now: &'a str,
    /// The `Message-ID` of the report, with or without its brackets.
    pub message_id: &'a str,
    /// Random letters and digits that nobody could foresee; lengthened when the report happens to hold them.
    pub boundary: &'a str,
    /// The message.
    pub original: Original<'a>,
    /// The `Message-ID` of the original message; not used when it could disturb the header.
    pub original_message_id: Option<&'a str>,
    /// At least one; those a report is about. See [`MOST_RECIPIENTS`]; on more than 20 a text about each is cut
    /// after some 250 octets.
    pub recipients: &'a [Recipient<'a>],
    /// The original message came with SMTPUTF8.
    pub smtputf8: bool,
}

/// A report, and what it asks of the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The whole message, with CRLF, as it goes over the wire before dots are doubled.
    pub bytes: Vec<u8>,
    /// There are octets above 127: the envelope must say `BODY=8BITMIME`.
    pub eight_bit: bool,
    /// The header holds an address beyond ASCII: the envelope must say `SMTPUTF8` (RFC 6531 §3.4).
    pub smtputf8: bool,
}

/// One body part of a report.
#[derive(Debug)]
struct Part {
    content_type: &'static str,
    description: &'static str,
    octets: Vec<u8>,
}

impl Report<'_> {
    /// Whether the machine-readable parts are written by RFC 6533 §4, in UTF-8.
    fn is_international(&self) -> bool {
        self.smtputf8
            || self.needs_smtputf8()
            || self.recipients.iter().any(|recipient| {
                let original = recipient.original.unwrap_or_default();
                recipient.address.needs_smtputf8() || !original.is_ascii()
            })
    }

    /// How much of a text about one recipient has room, where it may have `most` octets in a report on a few.
    fn room(&self, most: usize) -> usize {
        if self.recipients.len() > FEW {
            most.min(BRIEF)
        } else {
            most
        }
    }

    /// Whether the header of the report itself is not ASCII.
    fn needs_smtputf8(&self) -> bool {
        self.to.needs_smtputf8() || self.from.needs_smtputf8()
    }
}

/// Writes a report.
#[must_use]
pub fn build(report: &Report<'_>) -> Built {
    let returned = original::part(report);
    let parts = [
        words::part(report, returned.is_whole),
        status::part(report),
        returned.part,
    ];
    let boundary = boundary(report.boundary, &parts);
    // RFC 2045 §6.4: a multipart says what the widest of its parts needs.
    let widest = encoding(parts.iter().any(|part| !part.octets.is_ascii()));
    let mut text = header::fields(report);
    text.push_str("MIME-Version: 1.0\r\n");
    text.push_str(&format!(
        "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\"\r\n\
         Content-Transfer-Encoding: {widest}\r\n\r\n"
    ));
    let mut bytes = text.into_bytes();
    for part in &parts {
        let encoding = encoding(!part.octets.is_ascii());
        let head = format!(
            "--{boundary}\r\nContent-Type: {}\r\nContent-Description: {}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n",
            part.content_type, part.description
        );
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(&part.octets);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Built {
        eight_bit: !bytes.is_ascii(),
        smtputf8: report.needs_smtputf8(),
        bytes,
    }
}

const fn encoding(eight_bit: bool) -> &'static str {
    if eight_bit { "8bit" } else { "7bit" }
}

/// A boundary that stands in none of the parts (RFC 2046 §5.1.1).
fn boundary(random: &str, parts: &[Part]) -> String {
    /// With a counter behind it the boundary stays within the 70 characters of the RFC.
    const LONGEST: usize = 50;
    let random: String = random
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(LONGEST)
        .collect();
    // `=_` is in no text that is quoted-printable or base64 (RFC 2045 §6.7).
    let mut boundary = format!("=_{random}");
    let mut counter = 0_u64;
    while parts
        .iter()
        .any(|part| memchr::memmem::find(&part.octets, boundary.as_bytes()).is_some())
    {
        boundary = format!("=_{random}-{counter}");
        counter += 1;
    }
    boundary
}
