//! Mail on its way out: the next server is down, slow, refuses, breaks TLS or knows less than we do, and each time the
//! mail ends in the state that is promised, with a reason in words and a report to the sender where one is due.

#[path = "outbound/admin.rs"]
mod admin;
#[path = "outbound/changes.rs"]
mod changes;
#[path = "outbound/content.rs"]
mod content;
#[path = "outbound/direct.rs"]
mod direct;
#[path = "outbound/encryption.rs"]
mod encryption;
#[path = "outbound/fairness.rs"]
mod fairness;
#[path = "outbound/lmtp.rs"]
mod lmtp;
#[path = "outbound/login.rs"]
mod login;
#[path = "outbound/office.rs"]
mod office;
#[path = "outbound/refusals.rs"]
mod refusals;
#[path = "outbound/report.rs"]
mod report;
#[path = "outbound/reports.rs"]
mod reports;
#[path = "outbound/silence.rs"]
mod silence;
#[path = "outbound/time.rs"]
mod time;
#[path = "outbound/unreachable.rs"]
mod unreachable;

use office::{ALICE_ADDRESS, Office, Row, letter};
use report::Report;
