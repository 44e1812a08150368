//! Whether the customer still lets this member use its key: one probe of one Region. What follows
//! from probes is decided in [`crate::verdict`].

mod outcome;
mod probe;

pub use self::outcome::{ProbeOutcome, Verdict};
pub use self::probe::{PROBE_LIMIT, probe};
