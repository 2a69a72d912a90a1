//! The octets of a mail, read and written, and nothing about what to do with it.
//!
//! Lives here: the header block, the MIME tree by octet ranges, decoded sizes, hop count, attachment list, the
//! addresses a reader could take for the sender, the marks of automatic forwarding, the trace fields this server
//! adds, the notifications it writes, and the conversion for a next hop that takes seven bits only.
//!
//! Never here: a verdict (that is `policy`), a socket, a file, the clock.
//!
//! May call it: `server` and `control`.

pub mod auth_results;
pub mod dsn;
pub mod eight_bit;
mod mailbox;
mod origin;
mod parameter;
mod scan;
mod scanner;
pub mod seven_bit;
mod text;
pub mod trace;

pub use origin::{
    Addresses, Mark, auto_forward_marks, from_addresses, message_id, report_type, sender_addresses,
    subject,
};
pub use scan::{Header, MAX_DEPTH, MAX_HEADER_BLOCK, MAX_HEADERS, MAX_PARTS, Part, Problem, Scan};
pub use scanner::Scanner;
