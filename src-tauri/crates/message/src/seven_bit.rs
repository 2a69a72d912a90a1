//! Turns a message with 8-bit data into one with 7-bit data, for a next hop without 8BITMIME (RFC 6152 §3).
//!
//! Only parts that hold octets above 127 or NULs are touched, and of those only the body and its transfer encoding; every
//! other octet stays. What cannot be converted without guessing is left to be returned to its sender.

mod encode;
mod head;
mod multipart;

#[cfg(test)]
mod tests;

use std::fmt;

use memchr::memchr;

use head::Head;
use multipart::Segment;

/// Nesting of multiparts and attached messages that is followed.
pub const MAX_DEPTH: u16 = 20;

/// Why a message cannot be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inconvertible {
    /// A header field holds octets above 127, which takes SMTPUTF8 (RFC 6531), or NULs.
    Header,
    /// The part is signed or encrypted as it stands: another encoding would break it (RFC 1847 §§2.1, 2.2).
    Sealed,
    /// The structure of the message, or an encoding in it, does not follow the rules.
    Malformed,
    /// Parts are nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

impl fmt::Display for Inconvertible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "a header field holds characters beyond ASCII or NULs",
            Self::Sealed => "a signed or encrypted part cannot be changed",
            Self::Malformed => "its structure cannot be read without doubt",
            Self::TooDeep => "its parts are nested too deeply",
        })
    }
}

impl std::error::Error for Inconvertible {}

/// Converts a whole message. The result is ASCII without NUL, and at most about three times as long; a message that is 7-bit
/// already comes back as it is.
///
/// # Errors
///
/// [`Inconvertible`], when the message has to be returned (RFC 6152 §3, enhanced status 5.6.3).
pub fn convert(message: &[u8]) -> Result<Vec<u8>, Inconvertible> {
    let mut converted = Vec::with_capacity(message.len() + message.len() / 4);
    let place = Place {
        depth: 0,
        default_type: "text/plain",
        is_message: true,
    };
    entity(message, place, &mut converted)?;
    // A re-encoded body ends where its last octet does; the message ends with a line.
    if !converted.ends_with(b"\r\n") && message.ends_with(b"\r\n") {
        converted.extend_from_slice(b"\r\n");
    }
    Ok(converted)
}

/// Where an entity (a header block and its body) stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    depth: u16,
    /// RFC 2046 §5.1.5: what it is when it does not say.
    default_type: &'static str,
    /// A message, whose description counts only with `MIME-Version`; otherwise a part of a multipart.
    is_message: bool,
}

/// How a body with octets above 127 becomes 7-bit data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    QuotedPrintable,
    Base64,
    Parts,
    Message,
}

/// RFC 2045 §2.7: what 7-bit data may hold, line ends aside. A NUL is neither 7-bit nor 8-bit data.
pub(crate) fn is_plain(octets: &[u8]) -> bool {
    octets.is_ascii() && memchr(0, octets).is_none()
}

/// Converts an entity into `out`.
fn entity(octets: &[u8], place: Place, out: &mut Vec<u8>) -> Result<(), Inconvertible> {
    if is_plain(octets) {
        out.extend_from_slice(octets);
        return Ok(());
    }
    if place.depth > MAX_DEPTH {
        return Err(Inconvertible::TooDeep);
    }
    let (head, body) = Head::read(octets, place.default_type)?;
    let way = way(&head)?;
    match way {
        Way::QuotedPrintable => {
            head.write(out, "quoted-printable", place.is_message, body);
            encode::quoted_printable(body, out);
        }
        Way::Base64 => {
            head.write(out, "base64", place.is_message, body);
            encode::base64(body, out);
        }
        Way::Parts => {
            head.write(out, "7bit", place.is_message, body);
            parts(&head, body, place.depth + 1, out)?;
        }
        Way::Message => {
            head.write(out, "7bit", place.is_message, body);
            let place = Place {
                depth: place.depth + 1,
                default_type: "text/plain",
                is_message: true,
            };
            entity(body, place, out)?;
        }
    }
    Ok(())
}

fn way(head: &Head<'_>) -> Result<Way, Inconvertible> {
    let kind = head.content_type();
    if matches!(kind, "multipart/signed" | "multipart/encrypted") {
        return Err(Inconvertible::Sealed);
    }
    // With another encoding octets above 127 have no meaning, or one that only its inventor knows.
    if !matches!(head.encoding(), "" | "7bit" | "8bit" | "binary") {
        return Err(Inconvertible::Malformed);
    }
    match kind {
        "message/rfc822" => Ok(Way::Message),
        // RFC 6532 §3.7, RFC 6533 §6: unlike other messages these may be encoded as a whole, and have to be, because
        // their headers are not ASCII.
        _ if kind.starts_with("message/global") => Ok(Way::Base64),
        // RFC 2045 §6.4: the others may not be encoded.
        _ if kind.starts_with("message/") => Err(Inconvertible::Malformed),
        _ if kind.starts_with("multipart/") => Ok(Way::Parts),
        _ if kind.starts_with("text/") => Ok(Way::QuotedPrintable),
        _ => Ok(Way::Base64),
    }
}

/// Converts the parts of a multipart.
fn parts(head: &Head<'_>, body: &[u8], depth: u16, out: &mut Vec<u8>) -> Result<(), Inconvertible> {
    let boundary = head.boundary().ok_or(Inconvertible::Malformed)?;
    let place = Place {
        depth,
        default_type: head.default_child_type(),
        is_message: false,
    };
    for segment in multipart::segments(body, &boundary)? {
        match segment {
            // A preamble or an epilogue has no encoding.
            Segment::Between(octets) if !is_plain(octets) => return Err(Inconvertible::Malformed),
            Segment::Between(octets) => out.extend_from_slice(octets),
            Segment::Part(octets) => entity(octets, place, out)?,
        }
    }
    Ok(())
}
