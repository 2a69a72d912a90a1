//! The decisions: pure functions of facts and settings.
//!
//! The server asks at each [`Stage`] of a session. [`needs`] says which facts the active rules read, the server fetches
//! those, and [`decide`] walks the rules of [`stage`] in their order. A decision is a value with its whole trace, so
//! it can be shown, tried and repeated. After acceptance [`plan`] says what is to be done, and [`attempt`] what follows
//! when it could not be done yet.
//! Refusal codes and texts stand in [`reason`] alone.
//! What never lives here: sockets, the store, the clock, `async`. It knows `smtp` and `settings`; `server` and `control` call it.

pub mod attempt;
mod decision;
mod destination;
pub mod facts;
pub mod lists;
mod plan;
pub mod reason;
mod rules;
pub mod skips;
mod stage;
mod trust;

pub use decision::{Decision, Discard, Fact, Finding, Outcome, Step};
pub use destination::{Destination, destination};
pub use facts::Facts;
pub use plan::{Delivery, Plan, plan};
pub use reason::Reason;
pub use rules::auth::auth_needs_tls;
pub use skips::{Skips, Test};
pub use stage::{Counting, Needs, Stage, counting, decide, needs};
pub use trust::{Trust, is_local_network};
