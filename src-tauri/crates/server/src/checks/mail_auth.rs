//! DKIM, ARC and DMARC by `mail-auth`, which is named in this module alone.
//!
//! What it does not do is done here: it checks a signature with any key of 1,024 bits and any algorithm, and one that
//! covers neither the From field nor the end of the body; it takes keys that are for other services than mail, and asks the
//! DNS for those that lie elsewhere; it keeps lines of white space at the end of a body that the relaxed form drops; it
//! takes as many signatures as a message has.

mod body;
mod chain;
mod dkim;
mod dmarc;
mod keys;
mod shape;

use std::time::Duration;

use ::mail_auth::{AuthenticatedMessage, MessageAuthenticator};
use policy::facts::{
    ArcFact, AuthResult, ContentTests, DkimFact, DmarcFact, DmarcPolicy, MessageFacts, SpfFact,
};
use store::spool::Content;
use tokio::time::timeout;

use self::body::Kept;
use self::keys::Keys;
use super::Auth;

/// All questions about a message together.
const WAIT: Duration = Duration::from_secs(30);

/// Which tests are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Want {
    /// The signatures.
    pub dkim: bool,
    /// What the domain of the From field asks for; signatures are checked for it as well.
    pub dmarc: bool,
    /// The ARC chain.
    pub arc: bool,
}

impl Want {
    fn anything(self) -> bool {
        self.dkim || self.dmarc || self.arc
    }
}

/// A result and why.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    result: AuthResult,
    reason: String,
}

impl Verdict {
    fn new(result: AuthResult, reason: impl Into<String>) -> Self {
        Self {
            result,
            reason: reason.into(),
        }
    }
}

/// Tests what a message says of itself. `seen` is what our own scanner read in it: who the authors are is never taken from
/// `mail-auth`, which stops reading at a line that is no field, where people's readers go on. `spf` is what the sender's
/// domain said, where it was asked. Takes 30 s at most, and no longer than it takes to find that out where no name server
/// answers; for a large message as long again to read it.
pub async fn content(
    auth: &Auth,
    content: &Content,
    seen: &MessageFacts,
    spf: Option<&SpfFact>,
    want: Want,
) -> ContentTests {
    if !want.anything() {
        return ContentTests::default();
    }
    let kept = match Kept::read(content, &auth.large).await {
        Ok(Some(kept)) => kept,
        Ok(None) => return without_header(auth, seen, spf, want).await,
        Err(why) => return undecided(want, &why),
    };
    let Some(message) = kept.message() else {
        return without_header(auth, seen, spf, want).await;
    };
    let tests = Box::pin(tests(auth, &kept, &message, seen, spf, want));
    match auth.names.unless_down(timeout(WAIT, tests)).await {
        Ok(Ok(Ok(tests))) => tests,
        Ok(Ok(Err(why))) => undecided(want, &why),
        Ok(Err(_)) => undecided(want, "the questions to the DNS took too long"),
        Err(why) => without_dns(&message, want, &why),
    }
}

async fn tests(
    auth: &Auth,
    kept: &Kept,
    message: &AuthenticatedMessage<'_>,
    seen: &MessageFacts,
    spf: Option<&SpfFact>,
    want: Want,
) -> Result<ContentTests, String> {
    let resolver = auth.names.resolver().map_err(|error| error.to_string())?;
    let authenticator = MessageAuthenticator(resolver);
    let keys = Keys::default();
    let again = kept.without_blank_tail();
    let signatures = async {
        if want.dkim || want.dmarc {
            dkim::signatures(&authenticator, &keys, message, again).await
        } else {
            Vec::new()
        }
    };
    let chain = async {
        if want.arc {
            Some(chain::chain(&authenticator, &keys, message, again).await)
        } else {
            None
        }
    };
    let (signatures, arc) = tokio::join!(signatures, chain);
    let dmarc = if want.dmarc {
        let signed = dmarc::signed(message, &signatures);
        Some(dmarc::dmarc(&authenticator, &seen.author_domains(), &signed, spf).await)
    } else {
        None
    };
    Ok(ContentTests {
        dkim: want.dkim.then(|| dkim::facts(message, &signatures)),
        dmarc,
        arc,
        antivirus: None,
    })
}

/// What is found while no name server answers: that there is nothing to test, or that it cannot be.
fn without_dns(message: &AuthenticatedMessage<'_>, want: Want, why: &str) -> ContentTests {
    let verdict = Verdict::new(AuthResult::TempError, why);
    let verdicts = vec![verdict; message.dkim_headers.len()];
    let has_chain = !(message.ams_headers.is_empty() && message.as_headers.is_empty());
    ContentTests {
        dkim: want.dkim.then(|| dkim::facts(message, &verdicts)),
        arc: undecided(want, why)
            .arc
            .map(|fact| if has_chain { fact } else { no_chain() }),
        ..undecided(want, why)
    }
}

fn undecided(want: Want, why: &str) -> ContentTests {
    let result = AuthResult::TempError;
    ContentTests {
        dkim: want.dkim.then(|| {
            vec![DkimFact {
                result,
                domain: String::new(),
                selector: String::new(),
                reason: why.into(),
            }]
        }),
        dmarc: want.dmarc.then(|| DmarcFact {
            result,
            domain: String::new(),
            policy: DmarcPolicy::None,
            reason: why.into(),
        }),
        arc: want.arc.then(|| ArcFact {
            result,
            reason: why.into(),
        }),
        antivirus: None,
    }
}

/// What is found in a message in which `mail-auth` sees no header field at all. Where we see an author, readers do too, and
/// there may be signatures that nobody can check.
async fn without_header(
    auth: &Auth,
    seen: &MessageFacts,
    spf: Option<&SpfFact>,
    want: Want,
) -> ContentTests {
    let unchecked = || DkimFact {
        result: AuthResult::PermError,
        domain: String::new(),
        selector: String::new(),
        reason: "the header begins with a line that is no field".into(),
    };
    let has_header = seen.from_fields > 0;
    let domains = seen.author_domains();
    let asked = async {
        let resolver = auth.names.resolver().map_err(|error| error.to_string())?;
        Ok(dmarc::dmarc(&MessageAuthenticator(resolver), &domains, &[], spf).await)
    };
    let dmarc = if want.dmarc {
        match auth.names.unless_down(Box::pin(asked)).await {
            Ok(Ok(dmarc)) => Some(dmarc),
            Ok(Err(why)) | Err(why) => undecided(want, &why).dmarc,
        }
    } else {
        None
    };
    ContentTests {
        dkim: want
            .dkim
            .then(|| has_header.then(unchecked).into_iter().collect()),
        dmarc,
        arc: want.arc.then(no_chain),
        antivirus: None,
    }
}

fn no_chain() -> ArcFact {
    ArcFact {
        result: AuthResult::None,
        reason: String::new(),
    }
}

#[cfg(test)]
mod tests;
