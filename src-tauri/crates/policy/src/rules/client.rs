//! Rules about the client: how much it asks of the server, what it did before, and what the DNS calls it.

use settings::Settings;
use settings::security::ClientHostname;

use crate::decision::{Fact, Finding};
use crate::facts::{ClientName, Facts};
use crate::reason::Reason;

/// There is a place for this session, and its client does not hold too many.
pub(crate) fn server_load(facts: &Facts, _: &Settings) -> Finding {
    let Some(load) = facts.load else {
        return Finding::skip("not counted");
    };
    let input = format!(
        "{} of {} sessions, {} from this address",
        load.sessions, load.capacity, load.sessions_of_client
    );
    if load.sessions > load.capacity {
        Finding::refuse(input, Reason::ServerFull)
    } else if load.sessions_of_client > load.capacity_of_client {
        Finding::refuse(
            input,
            Reason::TooManyConnections {
                ip: facts.client.ip,
                limit: None,
            },
        )
    } else {
        Finding::pass(input, "there is room")
    }
}

/// The client has not written to too many accounts today that do not exist here. Its next command after the one too
/// many ends the session too, so this is asked more than once.
pub(crate) fn not_banned(facts: &Facts, settings: &Settings) -> Finding {
    let Some(limit) = settings.security.advanced.max_nonexistent_accounts else {
        return Finding::skip("no limit");
    };
    let Some(nonexistent) = &facts.nonexistent else {
        return Finding::skip("not counted");
    };
    let input = format!("{} of {limit} unknown recipients today", nonexistent.count);
    match &nonexistent.blocked_until {
        Some(until) => Finding::refuse(
            input,
            Reason::Blocked {
                ip: facts.client.ip,
                until: until.clone(),
            },
        ),
        None => Finding::pass(input, "not blocked"),
    }
}

/// N connections at the same time pass, and N+1 does not.
pub(crate) fn max_connections(facts: &Facts, settings: &Settings) -> Finding {
    let Some(limit) = settings.security.connection_policy.max_connections else {
        return Finding::skip("no limit");
    };
    let Some(rates) = facts.rates else {
        return Finding::skip("not counted");
    };
    let input = format!("{} of {limit} connections", rates.connections);
    if rates.connections > limit {
        Finding::refuse(
            input,
            Reason::TooManyConnections {
                ip: facts.client.ip,
                limit: Some(limit),
            },
        )
    } else {
        Finding::pass(input, "within the limit")
    }
}

/// The same for the connections of a minute; refused ones count too.
pub(crate) fn connection_rate(facts: &Facts, settings: &Settings) -> Finding {
    let Some(limit) = settings
        .security
        .connection_policy
        .max_connections_per_minute
    else {
        return Finding::skip("no limit");
    };
    let Some(rates) = facts.rates else {
        return Finding::skip("not counted");
    };
    let input = format!(
        "{} of {limit} connections in this minute",
        rates.connections_in_minute
    );
    if rates.connections_in_minute > limit {
        Finding::refuse(input, Reason::ConnectionRate { limit })
    } else {
        Finding::pass(input, "within the limit")
    }
}

/// RFC 5321 §4.3.1: the client waits for the greeting before it says anything.
pub(crate) fn waits_for_greeting(facts: &Facts, settings: &Settings) -> Finding {
    if !settings.security.advanced.reject_unauthorized_pipelining {
        Finding::skip("off")
    } else if facts.spoke_early {
        Finding::refuse("spoke before the greeting", Reason::SpokeEarly)
    } else {
        Finding::pass("silent", "waits for the greeting")
    }
}

/// N messages in a minute pass, and N+1 does not, whether or not the others were taken.
pub(crate) fn message_rate(facts: &Facts, settings: &Settings) -> Finding {
    let Some(limit) = settings.security.connection_policy.max_messages_per_minute else {
        return Finding::skip("no limit");
    };
    let Some(rates) = facts.rates else {
        return Finding::skip("not counted");
    };
    let input = format!(
        "{} of {limit} messages in this minute",
        rates.messages_in_minute
    );
    if rates.messages_in_minute > limit {
        Finding::refuse(
            input,
            Reason::MessageRate {
                ip: facts.client.ip,
            },
        )
    } else {
        Finding::pass(input, "within the limit")
    }
}

/// The client's address has a name, and if that is asked for, the name has the address.
pub(crate) fn reverse_name(facts: &Facts, settings: &Settings) -> Finding {
    let policy = &settings.security.connection_policy;
    if !policy.reject_unknown_client_hostname {
        return Finding::skip("off");
    }
    let ip = facts.client.ip;
    let Some(name) = &facts.client_name else {
        return Finding::missing(Fact::ClientName);
    };
    match name {
        ClientName::Confirmed(name) => {
            Finding::pass(format!("{ip} is {name}"), "the name has this address")
        }
        ClientName::Unconfirmed(name) => {
            let input = format!("{ip} is {name}");
            match policy.client_hostname {
                ClientHostname::Reverse => Finding::pass(input, "there is a name"),
                ClientHostname::ForwardConfirmed => Finding::refuse(
                    input,
                    Reason::ReverseNameUnconfirmed {
                        ip,
                        name: name.clone(),
                    },
                ),
            }
        }
        ClientName::Missing => {
            Finding::refuse(format!("{ip} has no name"), Reason::NoReverseName { ip })
        }
        ClientName::Unknown(why) => {
            Finding::undecided(format!("{ip}: {why}"), Reason::ReverseNameUnchecked { ip })
        }
    }
}
