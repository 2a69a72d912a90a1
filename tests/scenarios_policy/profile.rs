//! What a session needs to know of the settings, as the server tells it.

use policy::facts::{Client, Port};
use settings::Settings;
use smtp::{Domain, Profile, Role};

pub fn profile(client: &Client, settings: &Settings) -> Profile {
    let general = &settings.general;
    let (role, offers_auth) = match client.port {
        Port::Smtp => (Role::Inbound, general.smtp_auth),
        Port::Submission => (Role::Submission, true),
        Port::Submissions => (Role::Submissions, true),
    };
    Profile {
        role,
        hostname: general.hostname.clone().unwrap_or_else(Domain::localhost),
        banner: general.greeting_text(),
        max_message_size: general.max_message_bytes(),
        offers_starttls: true,
        offers_auth,
        auth_needs_tls: policy::auth_needs_tls(client, settings),
        max_errors: 20,
        slow_errors: 10,
        max_junk_commands: settings.security.advanced.max_junk_commands,
        rejects_early: settings.security.advanced.reject_unauthorized_pipelining,
        max_recipients_hard: 20_000,
    }
}
