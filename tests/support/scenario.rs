//! Scenarios: what a setting does, told as the talk of a client with the server, in `tests/scenarios/SECTION/*.txt`.
//!
//! ```text
//! settings {"general": {"max_hops": 3}}     laid over the fixture, for all scenarios down to the next such line
//!
//! scenario a fourth hop is one too many
//! client 127.0.0.5 smtp                     a connection from that address to the port of that name
//! > EHLO client.example                     a line of the client; `{1..9}` in it sends it once for each number
//! > MAIL FROM:<pat@elsewhere.example>       without a `<` below, any positive reply will do
//! > RCPT TO:<alice@office.example>
//! < 250 2.1.5                               code, enhanced code, and what the text must hold; the last two can be left out
//! > DATA
//! | From: pat@elsewhere.example             a line of the message, after whose last one `.` or `bdat` sends it
//! received 4
//! |
//! | hello
//! .
//! < 554 5.4.6 4 Received headers
//! decided general.max_hops                  what the mail log says of the message, login or connection of the last
//! trace max_hops refuse 4 Received           token that was seen, once all is over; a check can be followed by a text
//! outcome refused
//! delivered alice 0                         letters since the scenario began; who is not named must get none
//! waits relay 0                             copies for elsewhere since then, by destination (`domain:third.example`)
//! ```
//!
//! What stands on the right here explains; in a file it would be part of the line. `#` begins a line that is skipped.
//!
//! Further words of the client: `tls` (STARTTLS and the handshake), `login NAME [PASSWORD]` (AUTH PLAIN, the password
//! is `secret-NAME` if left out). Of the message: `attachment NAME OCTETS` (a base64 part that decodes to so many),
//! `fill OCTETS` (the body grows until the whole message, without dot-stuffing, has so many), `bdat` and `bdat last`
//! (a chunk instead of `.`). Of a reply: `<+ TEXT` (it holds this too), `<- TEXT` (it does not). Afterwards: `closed`
//! (the server hung up), `letter NAME TEXT` (a letter holds the text; asked of a real Maildir only), `apply JSON`
//! (laid over the settings in force while the connection stands). Without a client: `takes JSON` and
//! `refuses PATH CODE JSON` ask whether such settings are possible.
//!
//! Of the world outside (each scenario begins in an empty one):
//!
//! ```text
//! dns elsewhere.example mx .                mx, a, aaaa, txt; `dns 127.0.0.5 ptr NAME`; `dns NAME fails` (SERVFAIL);
//!                                           `dns down` (no name server answers anything)
//! dnsbl zen.example 127.0.0.5 127.0.0.2 why the list has this client, under that answer, with these words; or `fails`
//! spf elsewhere.example fail ask us         what comes out for the domain, and its words
//! dkim elsewhere.example fail               for the signature of the domain, which the message must have
//! dmarc elsewhere.example fail reject       and what the domain asks for
//! virus Eicar                               clamd finds this; `scanner away`, `scanner too small`
//! open 3 127.0.0.5                          so many connections from there are open already
//! early                                     the next client speaks before it is greeted
//! later minute                              the minute of all clients is over; `later day`
//! policy-only REASON                        a real server cannot show this within a test
//! ```
//!
//! `>> LINE` is a line of the client that goes out in one packet with the lines behind it, down to the next `>`. Its reply
//! is waited for only if a `<` below says which. `also` waits for one more reply.
//!
//! A client from outside 127.0.0.0/8 cannot come to a real server on one machine: such scenarios are for the policy alone.

mod matching;
mod message;
mod parse;
mod play;
mod world;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

pub use matching::Expected;
pub use message::Message;
pub use play::{Entry, Peer, play};
pub use world::{Record, Spoken, World};

/// The files of each section, one for each setting and each matter that has none.
#[macro_export]
macro_rules! all_scenarios {
    ($run:ident) => {
        $run! {
            general: [
                additional_domains, auth_requires_tls, banner, disable_auto_forwarding, domain, groups, hostname,
                max_attachment_size_mb, max_hops, max_message_size_mb, max_recipients, postmaster, relay_control,
                sender_must_match_login, skip_auth_for_local_network, smtp_auth, submission_ports, unknown_recipients
            ],
            delivery: [
                direct_port, give_up_after_hours, relay_auth, relay_auth_in_clear, relay_certificate, relay_enabled, relay_port,
                relay_server, relay_tls, relay_tls_mode, relay_username, retry_schedule_minutes, warn_after_hours
            ],
            security: [
                antivirus, antivirus_unavailable, client_hostname, dkim, dmarc, dnsbl_zones, exemptions, lists,
                max_connections, max_connections_per_minute, max_junk_commands, max_messages_per_minute,
                max_nonexistent_accounts, reject_non_fqdn, reject_non_fqdn_helo, reject_unauthorized_pipelining,
                reject_unknown_client_hostname, reject_unknown_domain, reject_unknown_helo, skip_matrix, spf,
                unknown_domain_scope
            ],
        }
    };
}

/// The three kinds of port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Mail from other servers.
    Smtp,
    /// Users, with STARTTLS.
    Submission,
    /// Users, inside TLS.
    Submissions,
}

/// One scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// A sentence of behaviour.
    pub name: String,
    /// Where it begins.
    pub line: usize,
    /// What differs from the [`fixture`].
    pub settings: Value,
    /// What happens.
    pub steps: Vec<Placed>,
}

/// A step and its line in the file.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Line number, from 1.
    pub line: usize,
    /// The step.
    pub step: Step,
}

/// What can happen in a scenario.
#[derive(Debug, Clone)]
pub enum Step {
    /// The client does something, and the server replies.
    Exchange(Saying, Vec<Expected>),
    /// The server has closed the connection.
    Closed,
    /// So many letters have come for this user.
    Delivered(String, usize),
    /// So many copies wait for this destination.
    Waits(String, usize),
    /// A letter for this user holds this text.
    Letter(String, String),
    /// The path of the setting that decided; empty for none.
    Decided(String),
    /// This check ended so, with a text that holds the last word.
    Trace(String, String, String),
    /// The entry as a whole ended so.
    Outcome(String),
    /// The settings change under way.
    Apply(Value),
    /// The world outside is so.
    World(World),
    /// A real server cannot show this within a test; the file says why.
    PolicyOnly,
    /// Such settings are possible.
    Takes(Value),
    /// Such settings are not: the path and the code of the problem.
    Refuses(String, String, Value),
}

/// What a client does.
#[derive(Debug, Clone)]
pub enum Saying {
    /// It connects.
    Connect(IpAddr, Port),
    /// It says these lines, one after the other; each gets a reply that must be as expected.
    Lines(Vec<String>),
    /// It says this in one packet with what it says next.
    Ahead(String),
    /// It says nothing, and another reply comes.
    Nothing,
    /// It goes over to TLS.
    Tls,
    /// It signs in.
    Login(String, String),
    /// It sends a message after DATA.
    Data(Message),
    /// It sends a chunk, perhaps the last one.
    Chunk(Message, bool),
}

impl Scenario {
    /// Whether a client can do this on one machine, over its loopback.
    #[must_use]
    pub fn fits_loopback(&self) -> bool {
        self.steps.iter().all(|placed| match &placed.step {
            Step::Exchange(Saying::Connect(from, _), _) => from.is_loopback(),
            Step::PolicyOnly => false,
            _ => true,
        })
    }
}

/// A loopback address at which nothing listens, and a port that nothing uses.
const NOWHERE: &str = "127.255.255.254";
const CLOSED: u16 = 1;

/// The office of all scenarios.
#[must_use]
pub fn fixture() -> Value {
    json!({
        "general": {
            "domain": "office.example",
            "additional_domains": ["bücher.example"],
            "hostname": "mail.office.example",
        },
        "service": {
            // No scenario's client is in here, so that the loopback is a stranger as any other.
            "local_networks": ["10.1.0.0/16"],
            "dns_servers": [format!("{NOWHERE}:{CLOSED}")],
        },
        // What is for elsewhere is accepted and waits; no scenario asks the DNS or knocks at somebody's server.
        "delivery": { "relay_enabled": true, "relay_server": NOWHERE, "relay_port": CLOSED },
        // What asks the DNS about strangers is for the scenarios of its own section.
        "security": {
            "sender_policy": {"reject_unknown_domain": false},
            "checks": {"spf": "off", "dkim": "off", "dmarc": "off"},
        },
        "users": [
            {"name": "alice", "display_name": "Alice"},
            {"name": "bob", "display_name": "Bob"},
            {"name": "carol", "display_name": "Carol"},
            {"name": "dora", "display_name": "Dora, who left", "enabled": false},
        ],
        "groups": [
            {"name": "empty", "members": []},
            {"name": "sales", "members": ["alice", "bob"]},
        ],
    })
}

/// The users who have a password, which is [`password`].
pub const LOGINS: [&str; 4] = ["alice", "bob", "carol", "dora"];

/// The password of a user of the fixture.
#[must_use]
pub fn password(user: &str) -> String {
    format!("secret-{user}")
}

/// The folder of a section's scenarios.
#[must_use]
pub fn folder(section: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(section)
}

/// Reads the scenarios of one file.
///
/// # Errors
/// The file cannot be read, or a line of it cannot; the error names file and line.
pub fn read(section: &str, name: &str) -> Result<Vec<Scenario>> {
    let path = folder(section).join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    parse::file(&format!("{section}/{name}.txt"), &text)
}

/// Puts a partial document over another: below the two levels that sections have, values are replaced whole.
#[must_use]
pub fn lay_over(mut document: Value, partial: &Value) -> Value {
    merge(&mut document, partial);
    document
}

fn merge(document: &mut Value, partial: &Value) {
    match (document, partial) {
        (Value::Object(document), Value::Object(partial)) => {
            for (key, value) in partial {
                merge(document.entry(key).or_insert(Value::Null), value);
            }
        }
        (document, partial) => *document = partial.clone(),
    }
}
