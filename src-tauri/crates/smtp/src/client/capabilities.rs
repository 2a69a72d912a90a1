//! What a server says it can, in its reply to EHLO or LHLO.

use super::sasl::Mechanism;
use crate::reply::Reply;

/// The extensions that matter to a client here; all others are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Largest message in octets (RFC 1870); none when SIZE is not offered or the server names no limit.
    pub max_size: Option<u64>,
    /// MAIL takes SIZE.
    pub size: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_codes: bool,
    /// AUTH, with whatever mechanisms (RFC 4954).
    pub auth: bool,
    pub(super) mechanisms: Vec<Mechanism>,
}

impl Capabilities {
    pub(super) fn read(reply: &Reply) -> Capabilities {
        let mut capabilities = Capabilities::default();
        // The first line is the server's name and a greeting.
        for line in reply.lines().iter().skip(1) {
            // `AUTH=PLAIN LOGIN` is how servers wrote it before the RFC, and some still do.
            let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            let Some(keyword) = words.next() else {
                continue;
            };
            match keyword.to_ascii_uppercase().as_str() {
                "SIZE" => {
                    capabilities.size = true;
                    // RFC 1870 §4: no number, or 0, is no known limit.
                    let limit = words.next().and_then(|number| number.parse().ok());
                    capabilities.max_size = limit.filter(|limit| *limit > 0);
                }
                "8BITMIME" => capabilities.eight_bit = true,
                "SMTPUTF8" => capabilities.smtputf8 = true,
                "DSN" => capabilities.dsn = true,
                "PIPELINING" => capabilities.pipelining = true,
                "STARTTLS" => capabilities.starttls = true,
                "ENHANCEDSTATUSCODES" => capabilities.enhanced_codes = true,
                "AUTH" => {
                    capabilities.auth = true;
                    for mechanism in words.filter_map(Mechanism::parse) {
                        if !capabilities.mechanisms.contains(&mechanism) {
                            capabilities.mechanisms.push(mechanism);
                        }
                    }
                }
                _ => {}
            }
        }
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Capabilities {
        let first = Reply::plain(250, "mx.example PIPELINING");
        Capabilities::read(
            &lines
                .iter()
                .fold(first, |reply, line| reply.and_line(*line)),
        )
    }

    #[test]
    fn extensions_are_read_in_any_case_and_the_first_line_is_none() {
        let read = read(&[
            "size 1000",
            "8BitMIME",
            "AUTH=LOGIN",
            "AUTH GSSAPI CRAM-MD5 plain LOGIN",
            "CHUNKING",
            "",
            "X-ODD =",
        ]);
        assert!(read.size && read.eight_bit && read.auth && !read.pipelining && !read.dsn);
        assert_eq!(read.max_size, Some(1000));
        assert_eq!(
            read.mechanisms,
            [Mechanism::Login, Mechanism::CramMd5, Mechanism::Plain]
        );
    }

    #[test]
    fn a_size_without_a_number_is_no_limit() {
        for line in ["SIZE", "SIZE 0", "SIZE x", "SIZE -1"] {
            let read = read(&[line]);
            assert!(read.size && read.max_size.is_none(), "{line}");
        }
    }
}
