//! The ways in which a message leaves this server's hands.

pub mod maildir;
