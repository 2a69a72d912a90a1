//! Signatures (RFC 6376).

use ::mail_auth::common::headers::Header;
use ::mail_auth::common::verify::DomainKey;
use ::mail_auth::dkim::{Canonicalization, DkimError, Signature};
use ::mail_auth::{AuthenticatedMessage, DkimResult, Error, MessageAuthenticator, Parameters};
use policy::facts::{AuthResult, DkimFact};

use super::body::Hashes;
use super::keys::{self, Keys};
use super::{Verdict, shape};
use crate::checks::ask;

/// Characters of a domain, a selector or a reason that are kept.
pub(super) const MAX_SHOWN: usize = 253;
const FIELD: &[u8] = b"DKIM-Signature";

/// What comes out for each signature of the message, in their order.
pub(super) async fn signatures(
    authenticator: &MessageAuthenticator,
    keys: &Keys,
    message: &AuthenticatedMessage<'_>,
    without_blank_tail: Option<&Hashes>,
) -> Vec<Verdict> {
    let fetched = ask::all(
        message
            .dkim_headers
            .iter()
            .map(async |field| match unfit(field) {
                Some(verdict) => Err(verdict),
                None => keys::fetch(authenticator, keys, &field.header).await,
            }),
    )
    .await;
    let mut fit = only_signatures(message);
    let mut has_key = fetched.iter().map(Result::is_ok);
    fit.dkim_headers.retain(|_| has_key.next() == Some(true));
    let mut results = check(authenticator, keys, &fit).await;
    if let Some(hashes) = without_blank_tail {
        look_again(authenticator, keys, &fit, hashes, &mut results).await;
    }
    let mut results = results.into_iter();
    let fields = message.dkim_headers.iter().zip(fetched);
    fields
        .map(|(field, key)| match key {
            Ok(key) => match results.next() {
                Some(result) => judge(&field.header, &key, result),
                None => Verdict::new(AuthResult::TempError, "the signature was not checked"),
            },
            Err(verdict) => verdict,
        })
        .collect()
}

/// What is wrong with a signature before anybody computes with it.
fn unfit(field: &Header<'_, Signature>) -> Option<Verdict> {
    let broken = |why| Some(Verdict::new(AuthResult::PermError, why));
    let signature = &field.header;
    if !shape::has_tags(field.value, &["v", "a", "b", "bh", "d", "h", "s"]) {
        return broken("the signature lacks a tag, or has one twice");
    }
    if signature.v != 1 {
        return broken("the signature names no version");
    }
    if signature.h.len() > shape::MAX_SIGNED {
        return broken("the signature covers too many fields");
    }
    // RFC 6376 §5.4: without it the signature says nothing about the author.
    if !signature
        .h
        .iter()
        .any(|name| name.trim().eq_ignore_ascii_case("from"))
    {
        return broken("the signature does not cover the From field");
    }
    // RFC 6376 §3.5
    if !shape::allows(field.value, "q", &["dns/txt", "dns"]) {
        return broken("the key of the signature does not lie in the DNS (q=)");
    }
    // RFC 6376 §6.1.1
    let user = signature.i.rsplit_once('@').map(|(_, domain)| domain);
    let speaks_for_itself = user.is_none_or(|domain| {
        let (domain, own) = (
            domain.to_ascii_lowercase(),
            signature.d.to_ascii_lowercase(),
        );
        domain
            .strip_suffix(&own)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    if !speaks_for_itself {
        return broken("the signature speaks for another domain (i=)");
    }
    // Not even computed: `mail-auth` counts the octets before it makes the canonical form of them, and not after it as
    // RFC 6376 §3.4.5 has it, so that it finds changes where there are none.
    if shape::has_tags(field.value, &["l"]) {
        return Some(Verdict::new(AuthResult::Policy, keys::OF_A_PART));
    }
    None
}

/// The message with nothing left to check but its signatures, each by its own domain alone.
fn only_signatures<'x>(message: &AuthenticatedMessage<'x>) -> AuthenticatedMessage<'x> {
    let mut only = message.clone();
    only.errors.clear();
    for field in &mut only.dkim_headers {
        // Reports (RFC 6651) and signatures by others (RFC 6541) would ask for more records.
        field.header.r = false;
        field.header.atps = None;
    }
    only
}

/// One result for each signature.
async fn check(
    authenticator: &MessageAuthenticator,
    keys: &Keys,
    message: &AuthenticatedMessage<'_>,
) -> Vec<DkimResult> {
    let parameters = Parameters::from(message).with_txt_cache(keys);
    let outputs = authenticator.verify_dkim(parameters).await;
    outputs
        .iter()
        .map(|output| output.result().clone())
        .collect()
}

/// Checks signatures again that fail because of white space at the end of the body, which the relaxed form drops.
async fn look_again(
    authenticator: &MessageAuthenticator,
    keys: &Keys,
    message: &AuthenticatedMessage<'_>,
    hashes: &Hashes,
    results: &mut [DkimResult],
) {
    const CHANGED: DkimResult = DkimResult::Neutral(Error::Dkim(DkimError::FailedBodyHashMatch));
    let mut doubtful: Vec<(&Header<'_, Signature>, &mut DkimResult)> = message
        .dkim_headers
        .iter()
        .zip(results)
        .filter(|(field, result)| {
            field.header.cb == Canonicalization::Relaxed && **result == CHANGED
        })
        .collect();
    if doubtful.is_empty() {
        return;
    }
    let mut again = message.clone();
    again.body_hashes.clone_from(hashes);
    again
        .dkim_headers
        .retain(|field| doubtful.iter().any(|(other, _)| other.value == field.value));
    let found = check(authenticator, keys, &again).await;
    for (field, found) in again.dkim_headers.iter().zip(found) {
        for (other, result) in &mut doubtful {
            if other.value == field.value {
                result.clone_from(&found);
            }
        }
    }
}

fn judge(signature: &Signature, key: &DomainKey, result: DkimResult) -> Verdict {
    let weakness = keys::weakness(signature.a, key);
    match (result, weakness) {
        (DkimResult::Pass, Some(why)) => Verdict::new(AuthResult::Policy, why),
        (DkimResult::Pass, None) => Verdict::new(AuthResult::Pass, ""),
        (DkimResult::Fail(_), Some(why)) if keys::is_short(key) => {
            Verdict::new(AuthResult::Policy, why)
        }
        (DkimResult::Fail(error), _) => Verdict::new(AuthResult::Fail, error.to_string()),
        (DkimResult::Neutral(error), _) => match error {
            Error::Dkim(DkimError::FailedBodyHashMatch) => {
                Verdict::new(AuthResult::Fail, "the body was changed after it was signed")
            }
            Error::Dkim(DkimError::SignatureExpired) => {
                Verdict::new(AuthResult::Fail, "the signature has expired")
            }
            other => Verdict::new(AuthResult::Neutral, other.to_string()),
        },
        (DkimResult::PermError(error), _) => Verdict::new(AuthResult::PermError, error.to_string()),
        (DkimResult::TempError(error), _) => Verdict::new(AuthResult::TempError, error.to_string()),
        (DkimResult::None, _) => Verdict::new(AuthResult::Neutral, "the signature was not checked"),
    }
}

/// The facts about all signatures, those included that cannot be read.
pub(super) fn facts(message: &AuthenticatedMessage<'_>, verdicts: &[Verdict]) -> Vec<DkimFact> {
    let shown = |text: &str| ask::one_line(text.as_bytes(), MAX_SHOWN);
    let read = message.dkim_headers.iter().zip(verdicts);
    let read = read.map(|(field, verdict)| DkimFact {
        result: verdict.result,
        domain: shown(&field.header.d),
        selector: shown(&field.header.s),
        reason: shown(&verdict.reason),
    });
    let unreadable = message
        .errors
        .iter()
        .filter(|field| field.name.trim_ascii().eq_ignore_ascii_case(FIELD))
        .map(|field| DkimFact {
            // RFC 8601 §2.7.1: what has faults in its form is neutral.
            result: AuthResult::Neutral,
            domain: String::new(),
            selector: String::new(),
            reason: shown(&field.header.to_string()),
        });
    read.chain(unreadable).collect()
}
