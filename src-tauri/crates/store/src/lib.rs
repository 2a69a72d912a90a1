//! What Postroom keeps: one SQLite database and the folders around it.
//!
//! Here live the data folder and its file modes, the lock that lets one server run on it, the
//! migrations, the writer thread with group commit, the spool log, the small pool of readers, and one file for
//! every table with its types, queries and tests. Password hashing is here too, because only a
//! hash may be kept.
//!
//! Never here: a decision (what a setting means, whether a client is let in), a reply text, a
//! clock (every moment comes from the caller, in milliseconds since 1970 UTC), a socket.
//!
//! `server` and `control` may call this crate. Table functions that only read take a
//! `&rusqlite::Connection`; functions that change something take a [`Tx`], which exists only on the
//! writer thread, so that nothing can be written beside the one writer.

pub mod ban;
mod checkpoint;
mod data_dir;
mod error;
pub mod journal;
pub mod list_hit;
mod lock;
pub mod login_failure;
mod open;
pub mod password;
pub mod queue;
mod readers;
pub mod request;
pub mod secret;
pub mod setting;
pub mod spool;
pub mod state;
mod store;
mod text;
pub mod token;
mod writer;

pub use data_dir::DataDir;
pub use error::StoreError;
pub use lock::{Lock, LockError, is_held};
pub use store::{Recovered, Store};
pub use writer::Tx;

/// A place where a test can end the process at once, as a crash would: it is reached when the environment says
/// `FAILPOINTS=name=return`. Without the feature `failpoints` of the crate it stands in there is nothing here.
#[macro_export]
macro_rules! fail_point {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::end_process_if_asked($name);
    };
}

/// Ends the process without any tidying if a test asked for it here.
#[cfg(feature = "failpoints")]
pub fn end_process_if_asked(place: &str) {
    fail::fail_point!(place, |_| std::process::abort());
}

/// Reads from the environment where the process is to end; to be kept for as long as it runs.
#[cfg(feature = "failpoints")]
pub fn fail_points_asked_for() -> impl Drop {
    fail::FailScenario::setup()
}

/// The connection type that reading table functions take.
pub use rusqlite::Connection;
