//! What the tests share: a server of their own in a temporary folder, a client that speaks SMTP line by line, the
//! mail that arrived, and other people's programs.
//!
//! Never here: an expectation about a setting. That belongs to the scenarios and to the tests that use this.

pub mod clamav;
pub mod clamd;
pub mod daemon;
pub mod dialogue;
pub mod dns;
pub mod dovecot;
pub mod hop;
pub mod machine;
pub mod maildir;
pub mod peer;
pub mod postfix;
pub mod program;
pub mod scenario;
pub mod verb;
pub mod webdriver;
pub mod window;

pub use clamd::{Clamd, Scanner};
pub use daemon::{Daemon, User};
pub use dialogue::{Dialogue, Reply};
pub use dns::{Dns, Mood};
pub use hop::{Act, At, Authority, Certificate, Encryption, Hop, Manner, Taken};
pub use maildir::Maildir;
pub use verb::{Verdict, verb, verb_with};
