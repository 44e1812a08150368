//! What is being done to keys on all members, as the leader knows it: shown, or waited for.

mod show;
mod wait;

pub use self::show::{progress, task_lines, tasks_json};
pub use self::wait::{Goal, wait};
