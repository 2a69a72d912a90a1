//! The table of reasons as a whole.

use std::collections::BTreeSet;

use settings::{MEGABYTE, Settings};

use super::words::megabytes;
use super::*;

/// One reason of each kind: the first, and each that follows on one. Whoever adds a reason is sent here by the compiler.
fn every() -> Vec<Reason> {
    let mut all = vec![Reason::ServerFull];
    while let Some(reason) = all.last().and_then(next) {
        all.push(reason);
    }
    all
}

#[expect(
    clippy::too_many_lines,
    reason = "one flat chain of all reasons reads better than pieces of it"
)]
fn next(reason: &Reason) -> Option<Reason> {
    use Reason as R;
    let ip = IpAddr::from([192, 0, 2, 7]);
    let sender = || "<alice@office.example>".to_owned();
    let recipient = || "<bob@office.example>".to_owned();
    let user = || "alice".to_owned();
    let name = || "mail.office.example".to_owned();
    Some(match reason {
        R::ServerFull => R::TooManyConnections { ip, limit: None },
        R::TooManyConnections { .. } => R::ConnectionRate { limit: 60 },
        R::ConnectionRate { .. } => R::Blocked {
            ip,
            until: "2026-01-02T00:00:00+01:00".into(),
        },
        R::Blocked { .. } => R::SpokeEarly,
        R::SpokeEarly => R::TooManyErrors,
        R::TooManyErrors => R::AuthNotEnabled,
        R::AuthNotEnabled => R::EncryptionRequired,
        R::EncryptionRequired => R::TooManyFailedLogins {
            ip,
            until: "2026-01-01 10:00".into(),
        },
        R::TooManyFailedLogins { .. } => R::BadCredentials,
        R::BadCredentials => R::AccountDisabled,
        R::AccountDisabled => R::PasswordCheckUnavailable,
        R::PasswordCheckUnavailable => R::AuthenticationRequired,
        R::AuthenticationRequired => R::LoginOutdated,
        R::LoginOutdated => R::DeclaredSizeTooLarge {
            size: 11,
            limit: 10,
        },
        R::DeclaredSizeTooLarge { .. } => R::SenderNotQualified { sender: sender() },
        R::SenderNotQualified { .. } => R::TooManyRecipients { limit: 10 },
        R::TooManyRecipients { .. } => R::RecipientNotQualified {
            recipient: recipient(),
        },
        R::RecipientNotQualified { .. } => R::RelayDenied {
            recipient: recipient(),
            can_sign_in: true,
        },
        R::RelayDenied {
            can_sign_in: true, ..
        } => R::RelayDenied {
            recipient: recipient(),
            can_sign_in: false,
        },
        R::RelayDenied { .. } => R::LocalSenderNeedsLogin { sender: sender() },
        R::LocalSenderNeedsLogin { .. } => R::SenderNotOwned {
            sender: sender(),
            user: user(),
        },
        R::SenderNotOwned { .. } => R::TrustedSenderNotLocal { sender: sender() },
        R::TrustedSenderNotLocal { .. } => R::NoSuchUser {
            recipient: recipient(),
        },
        R::NoSuchUser { .. } => R::NothingSentTooManyRecipients {
            count: 11,
            limit: 10,
        },
        R::NothingSentTooManyRecipients { .. } => R::MessageTooLarge {
            size: 11,
            limit: 10,
        },
        R::MessageTooLarge { .. } => R::HeaderTooLarge,
        R::HeaderTooLarge => R::TooManyHops {
            hops: 11,
            limit: 10,
        },
        R::TooManyHops { .. } => R::AttachmentTooLarge {
            name: "a.pdf".into(),
            size: 2 * MEGABYTE,
            limit_mb: 1,
        },
        R::AttachmentTooLarge { .. } => R::NoAuthor,
        R::NoAuthor => R::UnreadableAuthor,
        R::UnreadableAuthor => R::AuthorNotOwned {
            author: sender(),
            user: user(),
        },
        R::AuthorNotOwned { .. } => R::AutoForwarded,
        R::AutoForwarded => R::StorageFull,
        R::StorageFull => R::StorageUnwritable,
        R::StorageUnwritable => R::StorageBusy,
        R::StorageBusy => R::StorageFailed,
        R::StorageFailed => R::HeloNeeded,
        R::HeloNeeded => R::MessageRate { ip },
        R::MessageRate { .. } => R::Listed { what: sender() },
        R::Listed { .. } => R::NoReverseName { ip },
        R::NoReverseName { .. } => R::ReverseNameUnconfirmed { ip, name: name() },
        R::ReverseNameUnconfirmed { .. } => R::ReverseNameUnchecked { ip },
        R::ReverseNameUnchecked { .. } => R::HeloNotFqdn { helo: name() },
        R::HeloNotFqdn { .. } => R::HeloUnknown { helo: name() },
        R::HeloUnknown { .. } => R::HeloUnchecked { helo: name() },
        R::HeloUnchecked { .. } => R::SenderNotFqdn { sender: sender() },
        R::SenderNotFqdn { .. } => R::SenderDomainUnknown { sender: sender() },
        R::SenderDomainUnknown { .. } => R::SenderDomainUnchecked { sender: sender() },
        R::SenderDomainUnchecked { .. } => R::SenderNullMx {
            sender: sender(),
            domain: name(),
        },
        R::SenderNullMx { .. } => R::Dnsbl {
            ip,
            zone: "zen.example".into(),
            text: "see https://zen.example".into(),
        },
        R::Dnsbl { .. } => R::SpfFail {
            ip,
            domain: name(),
            explanation: "ask the postmaster".into(),
        },
        R::SpfFail { .. } => R::SpfTempError { domain: name() },
        R::SpfTempError { .. } => R::Malware {
            name: "Eicar-Signature".into(),
        },
        R::Malware { .. } => R::ScanTooLarge,
        R::ScanTooLarge => R::ScanUnavailable,
        R::ScanUnavailable => R::DkimFail { domains: name() },
        R::DkimFail { .. } => R::DkimTempError { domain: name() },
        R::DkimTempError { .. } => R::DmarcFail { domain: name() },
        R::DmarcFail { .. } => R::DmarcTempError { domain: name() },
        R::DmarcTempError { .. } => R::FromFieldUnfit {
            why: "there is none".into(),
        },
        R::FromFieldUnfit { .. } => R::SeveralTestsFail { domain: name() },
        R::SeveralTestsFail { .. } => return None,
    })
}

#[test]
fn every_reason_refuses_with_an_enhanced_code_of_its_class() {
    for reason in every() {
        let reply = reason.reply();
        assert!(
            reply.is_refusal() && (421..=555).contains(&reply.code()),
            "{reason:?}"
        );
        let (class, _, _) = reply.enhanced().unwrap();
        assert_eq!(class, reply.code() / 100, "{reason:?}");
    }
}

#[test]
fn whatever_keeps_the_disk_from_taking_mail_is_told_as_no_room_at_present() {
    for reason in [
        Reason::StorageFull,
        Reason::StorageUnwritable,
        Reason::StorageBusy,
    ] {
        let reply = reason.reply();
        assert_eq!(
            (reply.code(), reply.enhanced()),
            (452, Some((4, 3, 1))),
            "{reason:?}"
        );
    }
}

#[test]
fn no_two_reasons_say_the_same_except_the_two_about_size() {
    let all = every();
    let said: BTreeSet<String> = all
        .iter()
        .map(|reason| reason.reply().to_string())
        .collect();
    assert_eq!(said.len(), all.len() - 1);
}

#[test]
fn replies_are_ascii_and_fit_into_one_line_when_what_they_name_does() {
    for reason in every() {
        let wire = reason.reply().with_token("K7QF2M").to_wire();
        assert!(wire.is_ascii(), "{reason:?}");
        assert_eq!(
            wire.iter().filter(|octet| **octet == b'\n').count(),
            1,
            "{reason:?}"
        );
    }
}

#[test]
fn the_setting_that_decided_exists() {
    let fields = Settings::fields();
    for reason in every() {
        let Some(path) = reason.setting() else {
            continue;
        };
        let known = fields.iter().any(|field| field.path == path)
            || ["users", "groups", "security.lists"].contains(&path);
        assert!(known, "{reason:?} names {path}");
    }
}

#[test]
fn only_421_ends_the_connection_and_what_is_no_smtp() {
    for reason in every() {
        let ends = reason.reply().code() == 421 || reason == Reason::SpokeEarly;
        assert_eq!(reason.closes(), ends, "{reason:?}");
    }
}

#[test]
fn whatever_strangers_write_the_reply_stays_one_line_and_keeps_its_token() {
    let long = "x\r\n".repeat(2000);
    let ip = IpAddr::from([192, 0, 2, 7]);
    for reason in [
        Reason::Dnsbl {
            ip,
            zone: "zen.example".into(),
            text: long.clone(),
        },
        Reason::SpfFail {
            ip,
            domain: long.clone(),
            explanation: long.clone(),
        },
        Reason::HeloNotFqdn { helo: long.clone() },
        Reason::HeloUnknown {
            helo: "ü".repeat(3000),
        },
        Reason::Malware { name: long.clone() },
        Reason::DkimFail {
            domains: long.clone(),
        },
        Reason::DmarcFail {
            domain: long.clone(),
        },
    ] {
        let wire = String::from_utf8(reason.reply().with_token("K7QF2M").to_wire()).unwrap();
        assert_eq!(wire.lines().count(), 1, "{wire}");
        assert!(
            wire.len() <= 512 && wire.ends_with("[K7QF2M]\r\n"),
            "{wire}"
        );
    }
    let helo = Reason::HeloNotFqdn { helo: long }.text();
    assert!(helo.ends_with("need fully-qualified hostname"), "{helo}");
}

#[test]
fn replies_to_strangers_are_those_that_other_servers_give() {
    let ip = IpAddr::from([192, 0, 2, 7]);
    let said = |reason: Reason| reason.reply().to_string();
    assert_eq!(
        said(Reason::TooManyConnections {
            ip,
            limit: Some(50)
        }),
        "421 4.7.0 Error: too many connections from 192.0.2.7"
    );
    assert_eq!(
        said(Reason::ConnectionRate { limit: 60 }),
        "421 4.7.0 Error: connection rate limit reached (60 per minute), try again later"
    );
    assert_eq!(
        said(Reason::SpokeEarly),
        "554 5.5.0 Error: SMTP protocol synchronization"
    );
    assert_eq!(
        said(Reason::MessageRate { ip }),
        "450 4.7.1 Error: too much mail from 192.0.2.7"
    );
    assert_eq!(
        said(Reason::NoReverseName { ip }),
        "450 4.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.7]"
    );
    assert_eq!(
        said(Reason::Dnsbl {
            ip,
            zone: "zen.example".into(),
            text: String::new()
        }),
        "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.example"
    );
    assert_eq!(
        said(Reason::SenderNullMx {
            sender: "<a@b.example>".into(),
            domain: "b.example".into()
        }),
        "550 5.7.27 <a@b.example>: Sender address rejected: Domain b.example does not accept mail (nullMX)"
    );
}

#[test]
fn nothing_a_client_sent_can_end_the_line_of_a_reply() {
    let reason = Reason::AttachmentTooLarge {
        name: "a\r\n250 ok\0".into(),
        size: 1,
        limit_mb: 1,
    };
    let wire = String::from_utf8(reason.reply().to_wire()).unwrap();
    assert_eq!(wire.lines().count(), 1, "{wire}");
    assert!(wire.starts_with("552 5.3.4 "), "{wire}");
}

#[test]
fn a_reason_comes_back_from_the_journal() {
    for reason in every() {
        let text = serde_json::to_string(&reason).unwrap();
        assert_eq!(serde_json::from_str::<Reason>(&text).unwrap(), reason);
    }
}

#[test]
fn a_size_just_above_a_limit_does_not_look_equal_to_it() {
    assert_eq!(megabytes(20 * MEGABYTE + 1), "20.1 MB");
    assert_eq!(megabytes(20 * MEGABYTE), "20.0 MB");
}
