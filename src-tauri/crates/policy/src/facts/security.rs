//! Facts about strangers: how often they come, what the DNS says of them, and what the tests of their mail found.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What a client did so far. Clients are IPv4 addresses and IPv6 networks of 64 bits; a minute begins with a client's first
/// event and lasts 60 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rates {
    /// Connections open now, this one included.
    pub connections: u32,
    /// Connections opened in the minute, this one and refused ones included.
    pub connections_in_minute: u32,
    /// Messages begun in the minute, this one and refused ones included.
    pub messages_in_minute: u32,
}

/// Accounts that do not exist here and to which a client wrote today.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Nonexistent {
    /// Different ones, before the recipient in question.
    pub count: u32,
    /// Whether the recipient in question is one of them already.
    pub known: bool,
    /// Set while the client is blocked for it: the local time when that ends.
    pub blocked_until: Option<String>,
}

/// Whether a name exists in the DNS, as far as mail is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameFact {
    /// It has an MX, an A or an AAAA record.
    Exists,
    /// Its only MX is the root: it takes no mail (RFC 7505).
    NullMx,
    /// It does not exist, or has none of these.
    Missing,
    /// Nobody could say, and why.
    Unknown(String),
}

/// What the DNS calls the client (RFC 8601 §2.7.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientName {
    /// A name that has the client's address.
    Confirmed(String),
    /// There is a name, and it does not have the client's address.
    Unconfirmed(String),
    /// There is none.
    Missing,
    /// Nobody could say, and why.
    Unknown(String),
}

/// What one list in the DNS says of the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsblFact {
    /// Domain of the list.
    pub zone: String,
    /// What it said.
    pub answer: DnsblAnswer,
}

/// Answer of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsblAnswer {
    /// The client stands in it, under these addresses (all of them counting), with the list's words.
    Listed {
        /// Answers in 127.0.0.0/8 that the settings name.
        answers: Vec<IpAddr>,
        /// The TXT record, at most 200 characters.
        text: String,
    },
    /// It does not, or only under answers that the settings do not name.
    NotListed,
    /// The list answered something that is no listing (127.255.255.x, an address elsewhere), or nobody answered; why.
    Failed(String),
}

/// Results of RFC 8601 §2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthResult {
    /// Nothing is published.
    None,
    /// It is right.
    Pass,
    /// It is wrong.
    Fail,
    /// SPF alone: probably wrong.
    SoftFail,
    /// Nothing is claimed, or what is there does not count.
    Neutral,
    /// DKIM alone: the signature is right and does not count here (RFC 8601 §2.7.1).
    Policy,
    /// Could not be found out now.
    TempError,
    /// What is published is broken.
    PermError,
}

impl AuthResult {
    /// The word for it in `Authentication-Results` and in traces.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::Policy => "policy",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// SPF (RFC 7208).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfFact {
    /// What came out for the identity that counts: MAIL FROM, or HELO for the null sender (RFC 7208 §2.4).
    pub result: AuthResult,
    /// Domain that was asked.
    pub domain: String,
    /// Whether it is the HELO name.
    pub of_helo: bool,
    /// The domain's own words for a refusal (RFC 7208 §6.2), ASCII, at most 200 characters; or why it failed.
    pub explanation: String,
}

/// One DKIM signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimFact {
    /// What came out. rsa-sha1, RSA keys below 1,024 bits and signatures with `l=` never pass: they are `policy`.
    pub result: AuthResult,
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// Why, where it did not pass.
    pub reason: String,
}

/// DMARC (RFC 7489, RFC 9989).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcFact {
    /// What came out.
    pub result: AuthResult,
    /// Domain of the From field.
    pub domain: String,
    /// What that domain asks for.
    pub policy: DmarcPolicy,
    /// Why, in words.
    pub reason: String,
}

/// What a domain asks to be done with mail that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DmarcPolicy {
    /// Nothing.
    None,
    /// Treat it with suspicion.
    Quarantine,
    /// Refuse it.
    Reject,
}

/// ARC chain (RFC 8617); it is recorded, nothing is decided from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArcFact {
    /// What came out.
    pub result: AuthResult,
    /// Why, where it did not pass.
    pub reason: String,
}

/// What the tests of a message's content found; each is there when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContentTests {
    /// Its signatures.
    pub dkim: Option<Vec<DkimFact>>,
    /// DMARC.
    pub dmarc: Option<DmarcFact>,
    /// ARC.
    pub arc: Option<ArcFact>,
    /// clamd.
    pub antivirus: Option<ScanFact>,
}

/// What clamd said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanFact {
    /// Nothing was found.
    Clean,
    /// The name of what was found.
    Malware(String),
    /// It takes no message of this size.
    TooLarge,
    /// It could not be asked, and why.
    Unavailable(String),
}
