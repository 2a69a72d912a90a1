//! The ways in which a message leaves this server's hands.

pub(crate) mod crowd;
pub mod link;
pub mod maildir;
pub mod route;
pub mod trust;
