//! Whether the customer still lets this member use its key.
//!
//! Invariants:
//! - An outage never stops a member, however long: only a denial does, confirmed several times.
//! - A pending denial is cleared by access in the same Region and by nothing else: cutting the
//!   network after a first denial does not save a member.
//! - What is decided is a pure function of the outcomes; clocks and sleeps are the caller's.

mod outcome;
mod probe;
mod state;

pub use self::outcome::{ProbeOutcome, Verdict};
pub use self::probe::{PROBE_LIMIT, probe};
pub use self::state::{Decision, HealthPolicy, HealthState};
