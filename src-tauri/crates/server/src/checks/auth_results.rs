//! Facts as an `Authentication-Results` field (RFC 8601).

use std::net::IpAddr;

use message::auth_results::{Method, field};
use policy::facts::{AuthResult, ClientName, ContentTests, SpfFact};
use smtp::{Domain, ReversePath};

/// What is known of a message when it is taken; each that was not found out is left out.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Who sends it.
    pub sender: &'a ReversePath,
    /// The name of the client, and its address.
    pub client: Option<(&'a ClientName, IpAddr)>,
    /// SPF.
    pub spf: Option<&'a SpfFact>,
    /// The tests of the content.
    pub tests: &'a ContentTests,
}

/// The field with its line end, in the name of `host`.
#[must_use]
pub fn header(host: &Domain, found: &Found<'_>) -> String {
    let mut methods = Vec::new();
    methods.extend(found.spf.map(|spf| of_spf(spf, found.sender)));
    if let Some(signatures) = &found.tests.dkim {
        if signatures.is_empty() {
            methods.push(method("dkim", AuthResult::None, "", Vec::new()));
        }
        methods.extend(signatures.iter().map(|signature| {
            let properties = vec![
                ("header.d", signature.domain.clone()),
                ("header.s", signature.selector.clone()),
            ];
            method("dkim", signature.result, &signature.reason, properties)
        }));
    }
    methods.extend(found.tests.dmarc.as_ref().map(|dmarc| {
        let properties = vec![("header.from", dmarc.domain.clone())];
        method("dmarc", dmarc.result, &dmarc.reason, properties)
    }));
    let arc = found.tests.arc.as_ref();
    methods.extend(arc.map(|arc| method("arc", arc.result, &arc.reason, Vec::new())));
    methods.extend(found.client.map(|(name, ip)| of_client(name, ip)));
    field(host, &methods)
}

fn of_spf(spf: &SpfFact, sender: &ReversePath) -> Method {
    let property = match sender {
        _ if spf.of_helo => ("smtp.helo", spf.domain.clone()),
        // RFC 8601 §2.2: the domain alone will do where the local part has letters of its own.
        ReversePath::Address(address) if !address.needs_smtputf8() => {
            ("smtp.mailfrom", address.to_ascii_domain())
        }
        _ => ("smtp.mailfrom", spf.domain.clone()),
    };
    method("spf", spf.result, &spf.explanation, vec![property])
}

/// RFC 8601 §2.7.3
fn of_client(name: &ClientName, ip: IpAddr) -> Method {
    let (result, reason) = match name {
        ClientName::Confirmed(_) => (AuthResult::Pass, ""),
        ClientName::Unconfirmed(_) => (AuthResult::Fail, "the name has other addresses"),
        // There is no `none`: nothing to go on is a permanent error.
        ClientName::Missing => (AuthResult::PermError, "the address has no name"),
        ClientName::Unknown(why) => (AuthResult::TempError, why.as_str()),
    };
    let ip = ip.to_canonical().to_string();
    method("iprev", result, reason, vec![("policy.iprev", ip)])
}

fn method(
    name: &'static str,
    result: AuthResult,
    reason: &str,
    properties: Vec<(&'static str, String)>,
) -> Method {
    Method {
        name,
        result: keyword(result),
        reason: reason.to_owned(),
        properties,
    }
}

/// RFC 8601 §2.7
fn keyword(result: AuthResult) -> &'static str {
    match result {
        AuthResult::None => "none",
        AuthResult::Pass => "pass",
        AuthResult::Fail => "fail",
        AuthResult::SoftFail => "softfail",
        AuthResult::Neutral => "neutral",
        AuthResult::Policy => "policy",
        AuthResult::TempError => "temperror",
        AuthResult::PermError => "permerror",
    }
}

#[cfg(test)]
mod tests {
    use policy::facts::{ArcFact, DkimFact, DmarcFact, DmarcPolicy};

    use super::*;

    fn spf(of_helo: bool) -> SpfFact {
        SpfFact {
            result: AuthResult::Pass,
            domain: "far.example".into(),
            of_helo,
            explanation: String::new(),
        }
    }

    fn written(sender: &str, of_helo: bool, tests: &ContentTests, client: &ClientName) -> String {
        let host = Domain::parse("mx.office.example").unwrap();
        let found = Found {
            sender: &ReversePath::parse(sender).unwrap(),
            client: Some((client, "::ffff:192.0.2.1".parse().unwrap())),
            spf: Some(&spf(of_helo)),
            tests,
        };
        header(&host, &found).replace("\r\n", "\n")
    }

    #[test]
    fn every_fact_has_its_line() {
        let tests = ContentTests {
            dkim: Some(vec![DkimFact {
                result: AuthResult::Policy,
                domain: "far.example".into(),
                selector: "k1".into(),
                reason: "rsa-sha1 does not count".into(),
            }]),
            dmarc: Some(DmarcFact {
                result: AuthResult::Pass,
                domain: "far.example".into(),
                policy: DmarcPolicy::Reject,
                reason: String::new(),
            }),
            arc: Some(ArcFact {
                result: AuthResult::None,
                reason: String::new(),
            }),
            antivirus: None,
        };
        assert_eq!(
            written(
                "<anna@far.example>",
                false,
                &tests,
                &ClientName::Confirmed("mx.far.example".into())
            ),
            "Authentication-Results: mx.office.example;\n\
             \tspf=pass smtp.mailfrom=anna@far.example;\n\
             \tdkim=policy reason=\"rsa-sha1 does not count\" header.d=far.example\n\
             \theader.s=k1;\n\
             \tdmarc=pass header.from=far.example;\n\
             \tarc=none;\n\
             \tiprev=pass policy.iprev=192.0.2.1\n"
        );
    }

    #[test]
    fn a_null_sender_stands_for_its_helo_name_and_no_signature_is_none() {
        let tests = ContentTests {
            dkim: Some(Vec::new()),
            ..ContentTests::default()
        };
        assert_eq!(
            written("<>", true, &tests, &ClientName::Missing),
            "Authentication-Results: mx.office.example;\n\
             \tspf=pass smtp.helo=far.example;\n\
             \tdkim=none;\n\
             \tiprev=permerror reason=\"the address has no name\"\n\tpolicy.iprev=192.0.2.1\n"
        );
    }

    #[test]
    fn a_sender_with_letters_of_its_own_is_shown_by_its_domain() {
        let tests = ContentTests::default();
        let text = written("<zoë@far.example>", false, &tests, &ClientName::Missing);
        assert!(
            text.contains("spf=pass smtp.mailfrom=far.example;"),
            "{text}"
        );
    }
}
