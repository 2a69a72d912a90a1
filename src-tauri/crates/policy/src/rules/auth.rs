//! Rules about signing in.

use settings::Settings;

use crate::decision::Finding;
use crate::facts::{Client, Facts, PasswordCheck, Port};
use crate::reason::Reason;

/// Signing in is possible: always on the submission ports (RFC 6409 §4.3), by setting on port 25.
pub(crate) fn enabled(facts: &Facts, settings: &Settings) -> Finding {
    if facts.client.port != Port::Smtp {
        Finding::pass("submission port", "users always sign in here")
    } else if settings.general.smtp_auth {
        Finding::pass("on", "signing in is enabled")
    } else {
        Finding::refuse("off", Reason::AuthNotEnabled)
    }
}

/// Whether this client must encrypt before it signs in (RFC 4954 §4). On port 25 this machine itself is exempt, since
/// nothing leaves it; on the submission port nobody is.
pub fn auth_needs_tls(client: &Client, settings: &Settings) -> bool {
    let exempt = client.ip.is_loopback() && client.port == Port::Smtp;
    settings.general.auth_requires_tls && !exempt
}

/// No password goes in clear text over a network.
pub(crate) fn encrypted(facts: &Facts, settings: &Settings) -> Finding {
    match &facts.client.tls {
        Some(tls) => Finding::pass(&tls.version, "the connection is encrypted"),
        None if auth_needs_tls(&facts.client, settings) => {
            Finding::refuse("clear text", Reason::EncryptionRequired)
        }
        None => Finding::pass("clear text", "allowed here"),
    }
}

/// The address did not fail too often of late.
pub(crate) fn not_blocked(facts: &Facts, _: &Settings) -> Finding {
    let Some(attempt) = &facts.attempt else {
        return Finding::skip("not counted");
    };
    let input = format!("{} failed logins", attempt.failures);
    match &attempt.blocked_until {
        Some(until) => Finding::refuse(
            input,
            Reason::TooManyFailedLogins {
                ip: facts.client.ip,
                until: until.clone(),
            },
        ),
        None => Finding::pass(input, "not blocked"),
    }
}

/// The password belongs to the login.
pub(crate) fn password(facts: &Facts, _: &Settings) -> Finding {
    let Some(attempt) = &facts.attempt else {
        return Finding::skip("no credentials");
    };
    match attempt.password {
        Some(PasswordCheck::Right) => Finding::pass(&attempt.login, "the password is right"),
        Some(PasswordCheck::Wrong) => Finding::refuse(&attempt.login, Reason::BadCredentials),
        Some(PasswordCheck::Unavailable) | None => {
            Finding::refuse(&attempt.login, Reason::PasswordCheckUnavailable)
        }
    }
}

/// The account may be used; said only to somebody who knows its password.
pub(crate) fn account_enabled(facts: &Facts, settings: &Settings) -> Finding {
    let Some(attempt) = facts
        .attempt
        .as_ref()
        .filter(|a| a.password == Some(PasswordCheck::Right))
    else {
        return Finding::skip("the password is not right");
    };
    match settings.user_of_login(&attempt.login) {
        Some(user) if user.enabled => Finding::pass(&user.name, "the account is enabled"),
        Some(user) => Finding::refuse(&user.name, Reason::AccountDisabled),
        None => Finding::refuse(&attempt.login, Reason::BadCredentials),
    }
}
