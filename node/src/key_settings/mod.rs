//! The settings of the customer's key: what the owner of the data set about it, for the whole replica set.
//!
//! Invariants:
//! - A [`KeySettings`] is valid: whatever is not is refused where it comes in, with all that is wrong.
//! - Settings carry a version, which grows by one with each change; version 0 is a configuration file's.
//! - A role is never taken away again.

mod alert_policy;
mod change;
mod codes;
mod finding;
mod role;
mod rotation_policy;
mod settings;
mod window;

pub use alert_policy::AlertPolicy;
pub use finding::{Finding, all_warnings};
pub use role::Role;
pub use rotation_policy::RotationPolicy;
pub(crate) use settings::MAX_REGIONS;
pub use settings::{KeySettings, SettingsError};
pub use window::MaintenanceWindow;
