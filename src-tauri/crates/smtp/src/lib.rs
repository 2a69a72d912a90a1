//! The words of SMTP, and nothing that moves them.
//!
//! What lives here: domain names and addresses, replies, the parsing of command lines, the SASL exchanges a server
//! speaks, the framing of message content, and the server's session as a machine that turns input into actions.
//!
//! What never does: a socket, a clock, a file, a thread, randomness, or an opinion. Whoever drives the session
//! answers its questions; why a sender or a recipient is refused is decided by the `policy` crate.
//!
//! Who may call: everyone. This is the lowest crate of the house.

mod address;
pub mod client;
mod command;
mod content;
mod domain;
mod local_part;
mod protocol_error;
mod reply;
mod sasl;
pub mod session;
mod text;

pub use address::{Address, AddressError, ForwardPath, Host, ReversePath};
pub use command::{Body, Command, MailParameters, Notify, RcptParameters, Ret};
pub use domain::{Domain, DomainError};
pub use local_part::LocalPart;
pub use protocol_error::ProtocolError;
pub use reply::Reply;
pub use sasl::{Credentials, InitialResponse, Mechanism};
pub use session::{Action, Answer, EndedBy, Input, Profile, Question, Role, Session};
