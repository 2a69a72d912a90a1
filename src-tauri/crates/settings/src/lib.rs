//! What the admin chose: one file per section of *Mail Delivery*, with its defaults, its help texts and its checks.
//!
//! Here live the value types, the problems that a document can have (each with the path of the setting and words for
//! the person who can mend it) and the difference between two versions that makes the server act ([`change`]).
//! What never lives here: SQL, files, sockets, the clock, secrets, and a second copy of any default.
//! Everyone above may call it; it knows only `smtp`.

pub mod accounts;
pub mod change;
mod check;
pub mod clamd;
pub mod delivery;
mod document;
mod field;
pub mod general;
pub mod host;
pub mod network;
pub mod postfix;
mod problem;
pub mod security;
pub mod service;

pub use accounts::{Group, User};
pub use clamd::ClamdAddress;
pub use delivery::{Delivery, RelayCertificate, RelayTlsMode};
pub use document::{Row, Settings};
pub use field::FieldInfo;
pub use general::General;
pub use host::{HostError, LmtpAddress, RelayHost};
pub use network::Network;
pub use problem::Problem;
pub use security::Security;
pub use service::{Certificate, Mailbox, Service};

/// One megabyte as every setting of Postroom counts it: 1,048,576 bytes.
pub const MEGABYTE: u64 = 1_048_576;
