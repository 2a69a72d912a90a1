//! SPF (RFC 7208): whether a sender's domain lets this client send its mail.
//!
//! Written here and not taken from `mail-auth`, which fails a quarter of the published test cases, knows no limit for
//! lookups that find nothing (§4.6.4) and cannot be given one: it does not tell them to its caller. A record is read whole
//! before anything of it is looked up (§4.6), so that a fault behind the matching term counts as well.
//!
//! # Published cases that do not pass through SMTP
//!
//! Of the 203 cases of the OpenSPF suite for RFC 7208, played as real transactions from the client address of each case,
//! 199 come out as published. Three of the others are no SMTP, and one is no DNS that the resolver reads:
//!
//! | case | why |
//! |---|---|
//! | `nolocalpart` | its sender is `@` and a domain. That is no address (RFC 5321 §4.1.2), MAIL is refused with 501. The empty local part that SMTP does know, `""`, counts as `postmaster` (§4.3). |
//! | `dorky-sentinel` | its sender has a space without quotes (RFC 5321 §4.1.2): 501. In quotes it comes out as published. |
//! | `invalid-hello-macro` | its HELO name is two words (RFC 5321 §4.1.1.1): EHLO is refused with 501. |
//! | `null-text` | one of its TXT records has no string at all, which no TXT record may (RFC 1035 §3.3.14). The resolver takes nothing from such an answer, so it is one that cannot be used: a temporary error (§4.4). |
//!
//! The tests of this module play the like of the first three below SMTP.

mod evaluation;
mod macros;
mod record;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use policy::facts::{AuthResult, SpfFact};
use smtp::{Domain, ReversePath};
use tokio::time::timeout;

use self::evaluation::Evaluation;
use self::macros::Values;
use super::{Auth, ask};

/// One check with all its questions (RFC 7208 §4.6.4 asks for at least this much).
const WAIT: Duration = Duration::from_secs(20);
/// Characters of a domain's own words that are kept.
const MAX_EXPLANATION: usize = 200;

/// What the domain that sends says of the client. That is the sender's, or the one of the HELO name where the sender is
/// empty (RFC 7208 §2.4).
pub async fn spf(
    auth: &Auth,
    ip: IpAddr,
    helo: &str,
    sender: &ReversePath,
    our_host: &Domain,
) -> SpfFact {
    let (local, domain, of_helo) = identity(helo, sender);
    let domain = domain.unwrap_or_default();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let values = Values {
        ip: ip.to_canonical(),
        local,
        sender_domain: domain.clone(),
        helo: helo.to_owned(),
        host: our_host.ascii().to_owned(),
        now: now.map_or(0, |now| now.as_secs()),
    };
    let evaluation = Evaluation::new(&auth.names, &values);
    let (result, explanation) = match timeout(WAIT, Box::pin(evaluation.run(&domain))).await {
        Ok(found) => found,
        Err(_) => (
            AuthResult::TempError,
            "the questions to the DNS took too long".to_owned(),
        ),
    };
    SpfFact {
        result,
        domain,
        of_helo,
        explanation: ask::one_line(explanation.as_bytes(), MAX_EXPLANATION),
    }
}

/// Local part, domain and whether they are those of the HELO name.
fn identity(helo: &str, sender: &ReversePath) -> (String, Option<String>, bool) {
    const NOBODY: &str = "postmaster";
    match sender {
        ReversePath::Address(address) => {
            let domain = address.domain().map(|domain| domain.ascii().to_owned());
            // §4.3
            let local = match address.local() {
                "" => NOBODY,
                local => local,
            };
            (local.to_owned(), domain, false)
        }
        ReversePath::Unqualified(local) => (local.to_string(), None, false),
        ReversePath::Null => {
            let domain = match Domain::parse(helo) {
                Ok(domain) => Some(domain.ascii().to_owned()),
                // Some names of the DNS are none for mail; those with letters of their own are.
                Err(_) if helo.is_ascii() && helo.parse::<IpAddr>().is_err() => {
                    Some(helo.trim_end_matches('.').to_ascii_lowercase())
                }
                Err(_) => None,
            };
            (NOBODY.to_owned(), domain, true)
        }
    }
}

#[cfg(test)]
mod tests;
