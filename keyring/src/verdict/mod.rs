//! From what the service says of the key to what a member does: pure, without a clock and without I/O.
//!
//! ```text
//!              probe of a Region ─┐                     ┌─ Regions to probe now, when to come back
//!  a peer tells of a denial ──────┤  Machine (serving)  ├─ the active Region
//!  settings, an operator's choice ┤  Rounds  (sealed)   ├─ serve, degraded, shut down and why
//!                 time that passes ┘                     └─ alerts, what to tell peers, denials to remember
//! ```
//!
//! A Region *counts* where the member depends on it: its home, and the one in use (*active*). The others stand by.
//!
//! Invariants:
//! - An outage alone never stops a member, however long, unless its owner set [`Policy::max_unreachable`].
//! - A denial in a Region that counts is *pending* until the same Region gives access again, whatever happens elsewhere and
//!   whether or not anybody can still be asked there. While one is pending the active Region does not change.
//! - A denial that was confirmed is final: [`Stance::ShutDown`] never changes.
//! - The active Region changes only away from one that cannot be reached, or back to the one that is wanted; and only to one
//!   that has just given access.
//! - No more than one probe of a Region is under way at a time, and each is started by a [`Decision`].

mod alert;
mod help;
mod machine;
mod observation;
mod policy;
mod region_state;
mod rounds;
mod schedule;
mod stance;
#[cfg(test)]
mod tests;
mod told;
mod watched;

pub use self::alert::{Alert, AlertKind};
pub use self::help::{outcome_help, sealed_help, stop_help};
pub use self::machine::{Decision, Event, Machine};
pub use self::observation::Observation;
pub use self::policy::{KeyStoreRule, Policy};
pub use self::region_state::RegionView;
pub use self::rounds::{Rounds, Step};
pub use self::stance::{Stance, Stop};
pub use self::told::DeniedFact;
pub use self::watched::{ChangeRefused, WatchedKey};
