//! Rules about the connection itself.

use settings::Settings;

use crate::decision::Finding;
use crate::facts::Facts;
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
            },
        )
    } else {
        Finding::pass(input, "there is room")
    }
}

/// The name is kept for the record. RFC 5321 §4.1.4: a server must not refuse mail because it does not match the address.
pub(crate) fn helo(facts: &Facts, _: &Settings) -> Finding {
    Finding::pass(facts.helo.clone().unwrap_or_default(), "greeted")
}
