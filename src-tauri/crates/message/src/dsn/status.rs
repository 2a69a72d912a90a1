//! The part of a report for programs (RFC 3464 §2, RFC 6533 §4).

use std::net::IpAddr;

use smtp::{Address, Domain};

use super::line::{Letters, field, one_line, sentence};
use super::{Action, Part, Recipient, Report};

/// Octets of what another server said.
const MAX_DIAGNOSTIC: usize = 1000;
/// Octets of any other value: RFC 3461 §4.2 gives an original recipient 500.
const MAX_VALUE: usize = 500;

pub(super) fn part(report: &Report<'_>) -> Part {
    let international = report.is_international();
    let letters = if international {
        Letters::Unicode
    } else {
        Letters::Ascii
    };
    let mut text = String::new();
    if let Some(envid) = report.envid.map(|id| one_line(id, MAX_VALUE, letters))
        && !envid.is_empty()
    {
        text += &field("Original-Envelope-Id", &envid);
    }
    let name = report.reporting_mta.ascii();
    text += &field("Reporting-MTA", &format!("dns; {name}"));
    text += &date("Arrival-Date", report.arrival);
    for recipient in report.recipients {
        text += "\r\n";
        text += &group(recipient, letters, report.room(MAX_DIAGNOSTIC));
    }
    Part {
        content_type: if international {
            "message/global-delivery-status"
        } else {
            "message/delivery-status"
        },
        description: "Delivery report",
        octets: text.into_bytes(),
    }
}

/// The fields of one recipient (RFC 3464 §2.3), with at most `said` octets of a reply.
fn group(recipient: &Recipient<'_>, letters: Letters, said: usize) -> String {
    let mut text = String::new();
    let original = recipient.original.and_then(|o| original(o, letters));
    if let Some(original) = original {
        text += &field("Original-Recipient", &original);
    }
    text += &field("Final-Recipient", &typed_address(recipient.address));
    text += &field("Action", action(recipient.action));
    text += &field("Status", &status(recipient));
    if let Some(name) = recipient.remote_mta.and_then(|name| mta(name, letters)) {
        text += &field("Remote-MTA", &name);
    }
    if let Some(reply) = recipient.diagnostic {
        let reply = sentence(reply, said, letters);
        text += &field("Diagnostic-Code", &format!("smtp; {reply}"));
    }
    if let Some(moment) = recipient.last_attempt {
        text += &date("Last-Attempt-Date", moment);
    }
    // RFC 3464 §2.3.9: only for a delay.
    if let Some(moment) = recipient
        .will_retry_until
        .filter(|_| recipient.action == Action::Delayed)
    {
        text += &date("Will-Retry-Until", moment);
    }
    text
}

fn date(name: &str, moment: &str) -> String {
    let moment = sentence(moment, MAX_VALUE, Letters::Ascii);
    if moment.is_empty() {
        String::new()
    } else {
        field(name, &moment)
    }
}

const fn action(action: Action) -> &'static str {
    match action {
        Action::Failed => "failed",
        Action::Delayed => "delayed",
        Action::Delivered => "delivered",
        Action::Relayed => "relayed",
        Action::Expanded => "expanded",
    }
}

/// RFC 3463 §2: the class tells failure, delay and success apart, so it always fits the action.
fn status(recipient: &Recipient<'_>) -> String {
    let (class, subject, detail) = recipient.status;
    let class = match recipient.action {
        // RFC 3464 §2.3.4 lets a failure keep the code of a trouble that lasted too long.
        Action::Failed if class == 4 => 4,
        Action::Failed => 5,
        Action::Delayed => 4,
        Action::Delivered | Action::Relayed | Action::Expanded => 2,
    };
    format!("{class}.{}.{}", subject.min(999), detail.min(999))
}

/// RFC 6533 §3: an address beyond ASCII has the type `utf-8`.
fn typed_address(address: &Address) -> String {
    if address.needs_smtputf8() {
        format!("utf-8; {address}")
    } else {
        format!("rfc822; {}", address.to_ascii_domain())
    }
}

/// The original recipient as a field value; none when it is not one.
fn original(orcpt: &str, letters: Letters) -> Option<String> {
    let (kind, address) = orcpt.split_once(';')?;
    let is_atom = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let unescaped = (letters == Letters::Unicode && kind.eq_ignore_ascii_case("utf-8"))
        .then(|| unescape(address))
        .flatten();
    let address = one_line(unescaped.as_deref().unwrap_or(address), MAX_VALUE, letters);
    (is_atom && !address.is_empty()).then(|| format!("{kind}; {address}"))
}

/// Undoes the escapes `\x{…}` of an `utf-8` address (RFC 6533 §3), where eight bits can be written.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x{") {
        let (digits, tail) = after.split_once('}')?;
        let sound =
            (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let code = u32::from_str_radix(digits, 16).ok().filter(|_| sound)?;
        plain.push_str(before);
        plain.push(char::from_u32(code).filter(|c| !c.is_control())?);
        rest = tail;
    }
    plain.push_str(rest);
    Some(plain)
}

/// RFC 3464 §2.1.2: a name of the DNS, or an address in brackets; another name is marked as one only we know.
fn mta(name: &str, letters: Letters) -> Option<String> {
    if let Some(ip) = ip(name) {
        return Some(match ip.to_canonical() {
            IpAddr::V4(ip) => format!("dns; [{ip}]"),
            IpAddr::V6(ip) => format!("dns; [IPv6:{ip}]"),
        });
    }
    if let Ok(domain) = Domain::parse(name) {
        return Some(format!("dns; {}", domain.ascii()));
    }
    let name = sentence(name, MAX_VALUE, letters);
    (!name.is_empty()).then(|| format!("x-local; {name}"))
}

/// An address, also in brackets, with or without a port behind them; the port has no place in a report.
fn ip(name: &str) -> Option<IpAddr> {
    let Some(inside) = name.strip_prefix('[') else {
        return name.parse().ok();
    };
    let (inside, port) = inside.split_once(']')?;
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    inside.parse().ok().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_recipient_keeps_its_type() {
        assert_eq!(
            original("rfc822;a+b@x", Letters::Ascii).as_deref(),
            Some("rfc822; a+b@x")
        );
        let escaped = "utf-8;zo\\x{EB}@x.example";
        assert_eq!(
            original(escaped, Letters::Unicode).as_deref(),
            Some("utf-8; zoë@x.example")
        );
        assert_eq!(
            original(escaped, Letters::Ascii).as_deref(),
            Some("utf-8; zo\\x{EB}@x.example")
        );
        assert_eq!(
            original("utf-8;\\x{D800}", Letters::Unicode).as_deref(),
            Some("utf-8; \\x{D800}")
        );
        assert_eq!(
            original("utf-8;a\\x{0A}b", Letters::Unicode).as_deref(),
            Some("utf-8; a\\x{0A}b")
        );
        assert_eq!(original("a b;x", Letters::Ascii), None);
        assert_eq!(original("no type", Letters::Ascii), None);
        assert_eq!(original("rfc822;", Letters::Ascii), None);
    }

    #[test]
    fn another_server_is_named_by_the_dns_where_it_can_be() {
        let name = |text: &str| mta(text, Letters::Ascii).unwrap_or_default();
        assert_eq!(name("MX.Büro.example"), "dns; mx.xn--bro-hoa.example");
        assert_eq!(name("192.0.2.1"), "dns; [192.0.2.1]");
        assert_eq!(name("2001:db8::1"), "dns; [IPv6:2001:db8::1]");
        assert_eq!(name("[192.0.2.1]"), "dns; [192.0.2.1]");
        assert_eq!(name("[192.0.2.1]:2525"), "dns; [192.0.2.1]");
        assert_eq!(name("[2001:db8::1]:587"), "dns; [IPv6:2001:db8::1]");
        assert_eq!(name("[192.0.2.1]x"), "x-local; [192.0.2.1]x");
        assert_eq!(
            name("unix:/run/lmtp\r\nX: y"),
            "x-local; unix:/run/lmtp X: y"
        );
        assert_eq!(name(" "), "");
    }
}
