//! Chains of signatures by those who forward (RFC 8617). They are seen and told, nothing follows from them.

use ::mail_auth::arc::ArcError;
use ::mail_auth::common::headers::Header;
use ::mail_auth::dkim::Canonicalization;
use ::mail_auth::{AuthenticatedMessage, DkimResult, Error, MessageAuthenticator, Parameters};
use policy::facts::{ArcFact, AuthResult};

use super::body::Hashes;
use super::dkim::MAX_SHOWN;
use super::keys::{self, Keys};
use super::{Verdict, shape};
use crate::checks::ask;

/// What comes out for the chain of a message.
pub(super) async fn chain(
    authenticator: &MessageAuthenticator,
    keys: &Keys,
    message: &AuthenticatedMessage<'_>,
    without_blank_tail: Option<&Hashes>,
) -> ArcFact {
    let verdict = chain_verdict(authenticator, keys, message, without_blank_tail).await;
    ArcFact {
        result: verdict.result,
        reason: ask::one_line(verdict.reason.as_bytes(), MAX_SHOWN),
    }
}

async fn chain_verdict(
    authenticator: &MessageAuthenticator,
    keys: &Keys,
    message: &AuthenticatedMessage<'_>,
    without_blank_tail: Option<&Hashes>,
) -> Verdict {
    let seals = &message.as_headers;
    let sets = [
        seals.len(),
        message.ams_headers.len(),
        message.aar_headers.len(),
    ];
    if sets.into_iter().any(|count| count > shape::MAX_SETS) {
        return Verdict::new(AuthResult::Policy, "a chain this long is not checked");
    }
    if let Some(why) = unfit_chain(message) {
        return Verdict::new(AuthResult::Fail, why);
    }
    // The instances may be in any order; a chain with a wrong one fails by itself.
    let last = message.ams_headers.last().map(|field| &field.header);
    let seal_keys = ask::all(
        seals
            .iter()
            .map(|field| keys::fetch(authenticator, keys, &field.header)),
    );
    let last_key = async {
        match last {
            Some(signature) => Some(keys::fetch(authenticator, keys, signature).await),
            None => None,
        }
    };
    let (seal_keys, last_key) = tokio::join!(seal_keys, last_key);
    let fetched = seal_keys.iter().chain(&last_key);
    let faults: Vec<&Verdict> = fetched.filter_map(|key| key.as_ref().err()).collect();
    if let Some(temporary) = faults
        .iter()
        .find(|fault| fault.result == AuthResult::TempError)
    {
        return Verdict::clone(temporary);
    }
    if let Some(fault) = faults.first() {
        return Verdict::new(AuthResult::Fail, &fault.reason);
    }
    let result = check_chain(authenticator, keys, message, without_blank_tail).await;
    let algorithms = seals.iter().map(|field| field.header.a);
    let algorithms = algorithms.chain(last.map(|signature| signature.a));
    let mut used = algorithms.zip(seal_keys.iter().chain(&last_key));
    let weakness = used.find_map(|(algorithm, key)| keys::weakness(algorithm, key.as_ref().ok()?));
    match (result, weakness) {
        (DkimResult::None, _) => Verdict::new(AuthResult::None, ""),
        (DkimResult::Pass, None) => Verdict::new(AuthResult::Pass, ""),
        (DkimResult::Pass, Some(why)) => Verdict::new(AuthResult::Fail, why),
        (DkimResult::TempError(error), _) => Verdict::new(AuthResult::TempError, error.to_string()),
        // RFC 8617 §5.2: a chain passes or fails.
        (
            DkimResult::Fail(error) | DkimResult::Neutral(error) | DkimResult::PermError(error),
            _,
        ) => Verdict::new(AuthResult::Fail, error.to_string()),
    }
}

/// What is wrong with a chain before anybody computes with it (RFC 8617 §4.1, §5.2).
fn unfit_chain(message: &AuthenticatedMessage<'_>) -> Option<&'static str> {
    let signatures = &message.ams_headers;
    if signatures.is_empty() && !(message.as_headers.is_empty() && message.aar_headers.is_empty()) {
        return Some("the chain is not complete");
    }
    for field in signatures {
        if !shape::has_tags(field.value, &["i", "a", "b", "bh", "d", "h", "s"]) {
            return Some("a signature of the chain lacks a tag, or has one twice");
        }
        let covered = &field.header.h;
        if covered.len() > shape::MAX_SIGNED {
            return Some("the chain covers too many fields");
        }
        // §4.1.2: seals are made after it.
        if covered
            .iter()
            .any(|name| name.trim().eq_ignore_ascii_case("arc-seal"))
        {
            return Some("a signature of the chain covers seals");
        }
    }
    let last = signatures.last();
    if last.is_some_and(|field| shape::has_tags(field.value, &["l"])) {
        return Some(keys::OF_A_PART);
    }
    let sealed =
        |field: &Header<'_, _>| shape::has_tags(field.value, &["i", "a", "b", "cv", "d", "s"]);
    if !message.as_headers.iter().all(sealed) {
        return Some("a seal of the chain lacks a tag, or has one twice");
    }
    None
}

async fn check_chain(
    authenticator: &MessageAuthenticator,
    keys: &Keys,
    message: &AuthenticatedMessage<'_>,
    without_blank_tail: Option<&Hashes>,
) -> DkimResult {
    let verify = async |message: &AuthenticatedMessage<'_>| {
        let parameters = Parameters::from(message).with_txt_cache(keys);
        authenticator.verify_arc(parameters).await.result().clone()
    };
    let result = verify(message).await;
    let relaxed = message
        .ams_headers
        .last()
        .is_some_and(|field| field.header.cb == Canonicalization::Relaxed);
    if !relaxed || result != DkimResult::Neutral(Error::Arc(ArcError::FailedBodyHashMatch)) {
        return result;
    }
    match without_blank_tail {
        Some(hashes) => {
            let mut again = message.clone();
            again.body_hashes.clone_from(hashes);
            verify(&again).await
        }
        None => result,
    }
}
