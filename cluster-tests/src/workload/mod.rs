//! Writers under load, and the record of what they were told.
//!
//! Invariants:
//! - Each writer owns its documents, so what a document may look like follows from its own calls alone.
//! - A call whose outcome is unknown leaves every outcome possible, also later: its document is not touched again.

mod bulk;
mod ledger;
mod load;
mod outcome;
mod writer;

pub use bulk::bulk;
pub use ledger::{Ledger, Tally};
pub use load::{Load, LoadOptions};
pub use outcome::Outcome;
