//! DMARC (RFC 9989): what the domain of the From field asks for when nothing speaks for it.

use std::time::Duration;

use ::mail_auth::dmarc::Policy;
use ::mail_auth::dmarc::verify::DmarcParameters;
use ::mail_auth::{
    AuthenticatedMessage, DkimOutput, DmarcOutput, DmarcResult, DnsError, Error,
    MessageAuthenticator, SpfOutput, SpfResult,
};
use policy::facts::{AuthResult, DmarcFact, DmarcPolicy, MAX_AUTHOR_DOMAINS, SpfFact};
use tokio::time::timeout;

use super::Verdict;
use crate::checks::ask;

/// One domain with the records above it.
const WAIT: Duration = Duration::from_secs(15);
/// Characters of a reason that are kept.
const MAX_SHOWN: usize = 200;

/// What the domains of the authors say. A message has one From field (RFC 5322 §3.6) and mostly one author; where there are
/// more, readers may show any of them, so each is asked at the same time and the worst counts (RFC 7489 §6.6.1).
pub(super) async fn dmarc(
    authenticator: &MessageAuthenticator,
    domains: &[&str],
    signed: &[DkimOutput<'_>],
    spf: Option<&SpfFact>,
) -> DmarcFact {
    if domains.len() > MAX_AUTHOR_DOMAINS {
        return without_author("the message has authors of too many domains");
    }
    let asked = domains
        .iter()
        .map(|domain| of(authenticator, domain, signed, spf));
    let facts = ask::all(asked).await;
    // Of those that are equally bad, the first.
    let worst = facts.into_iter().rev().max_by_key(rank);
    worst.unwrap_or_else(|| without_author("the message has no readable From address"))
}

/// The signatures that may speak for a domain: those that are right, and those of which that is not known.
pub(super) fn signed<'x>(
    message: &'x AuthenticatedMessage<'x>,
    verdicts: &[Verdict],
) -> Vec<DkimOutput<'x>> {
    let signatures = message.dkim_headers.iter().zip(verdicts);
    signatures
        .filter_map(|(field, verdict)| {
            let output = match verdict.result {
                AuthResult::Pass => DkimOutput::pass(),
                AuthResult::TempError => {
                    DkimOutput::temp_err(Error::Dns(DnsError::Resolver(verdict.reason.clone())))
                }
                _ => return None,
            };
            Some(output.with_signature(&field.header))
        })
        .collect()
}

async fn of(
    authenticator: &MessageAuthenticator,
    domain: &str,
    signed: &[DkimOutput<'_>],
    spf: Option<&SpfFact>,
) -> DmarcFact {
    let author = AuthenticatedMessage {
        from: vec![format!("author@{domain}")],
        ..AuthenticatedMessage::default()
    };
    let sender = spf.map_or("", |spf| spf.domain.as_str());
    let spf_output = SpfOutput::new(sender.to_owned()).with_result(spf_result(spf));
    let question = authenticator.verify_dmarc(DmarcParameters {
        message: &author,
        dkim_output: signed,
        dkim2_output: None,
        rfc5321_mail_from_domain: sender,
        spf_output: &spf_output,
    });
    match timeout(WAIT, question).await {
        Ok(output) => found(&output, domain),
        Err(_) => fact(
            AuthResult::TempError,
            domain.to_owned(),
            "no name server told the domain's policy in time",
        ),
    }
}

fn spf_result(spf: Option<&SpfFact>) -> SpfResult {
    match spf.map(|spf| spf.result) {
        Some(AuthResult::Pass) => SpfResult::Pass,
        Some(AuthResult::TempError) => SpfResult::TempError,
        Some(AuthResult::PermError) => SpfResult::PermError,
        Some(AuthResult::Fail) => SpfResult::Fail,
        Some(AuthResult::SoftFail) => SpfResult::SoftFail,
        Some(AuthResult::Neutral | AuthResult::Policy) => SpfResult::Neutral,
        Some(AuthResult::None) | None => SpfResult::None,
    }
}

fn found(output: &DmarcOutput, domain: &str) -> DmarcFact {
    let (result, reason) = match output.result() {
        DmarcResult::Pass => (AuthResult::Pass, String::new()),
        DmarcResult::None => (AuthResult::None, String::new()),
        DmarcResult::Fail(_) => (
            AuthResult::Fail,
            "neither SPF nor a DKIM signature speaks for this domain".to_owned(),
        ),
        DmarcResult::TempError(error) => (AuthResult::TempError, error.to_string()),
        DmarcResult::PermError(error) => (AuthResult::PermError, error.to_string()),
    };
    DmarcFact {
        policy: match output.policy() {
            Policy::Reject => DmarcPolicy::Reject,
            Policy::Quarantine => DmarcPolicy::Quarantine,
            Policy::None | Policy::Unspecified => DmarcPolicy::None,
        },
        ..fact(result, domain.to_owned(), &reason)
    }
}

fn fact(result: AuthResult, domain: String, reason: &str) -> DmarcFact {
    DmarcFact {
        result,
        domain,
        policy: DmarcPolicy::None,
        reason: ask::one_line(reason.as_bytes(), MAX_SHOWN),
    }
}

/// A message that nobody says to have written.
pub(super) fn without_author(reason: &str) -> DmarcFact {
    fact(AuthResult::PermError, String::new(), reason)
}

/// The higher, the worse: what may come to a refusal before what cannot.
fn rank(fact: &DmarcFact) -> u8 {
    match (fact.result, fact.policy) {
        (AuthResult::Fail, DmarcPolicy::Reject) => 6,
        (AuthResult::TempError, DmarcPolicy::Reject) => 5,
        (AuthResult::TempError, _) => 4,
        (AuthResult::Fail, DmarcPolicy::Quarantine) => 3,
        (AuthResult::Fail, DmarcPolicy::None) => 2,
        (AuthResult::Pass, _) => 0,
        _ => 1,
    }
}
