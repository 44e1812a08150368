//! What is done next to whose keys: pure decisions from what the members say.
//!
//! Invariants:
//! - At most one member works at a time: nobody is told to while a member says that it is at work, or while the one that
//!   was told last has not answered since.
//! - A member is told to restart itself only where the others make a majority without it.
//! - A member whose customer key was denied is told nothing until that is cleared up.
//! - Who does not answer is passed over, and is not forgotten: it is told when it answers again.

mod decide;
mod housekeeping;
mod needs;
mod obstacle;
mod schedule;
#[cfg(test)]
mod simulation;
mod situation;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use decide::{Decision, decide};
pub(crate) use needs::Work;
pub(crate) use schedule::{next_due, overdue};
pub(crate) use situation::{MemberView, Situation, members_text};
pub(crate) use view::{date, notices, old_cmk_notices, tasks};
