//! The table of reasons as a whole.

use std::collections::BTreeSet;

use settings::Settings;

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
    Some(match reason {
        R::ServerFull => R::TooManyConnections { ip },
        R::TooManyConnections { .. } => R::AuthNotEnabled,
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
        R::StorageFailed => return None,
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
        let known =
            fields.iter().any(|field| field.path == path) || ["users", "groups"].contains(&path);
        assert!(known, "{reason:?} names {path}");
    }
}

#[test]
fn only_421_ends_the_connection() {
    for reason in every() {
        assert_eq!(reason.closes(), reason.reply().code() == 421, "{reason:?}");
    }
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
