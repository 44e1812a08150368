//! The settings of the customer's key: what the owner of the data set about it, for the whole replica set.
//!
//! Invariants:
//! - A [`KeySettings`] is valid: whatever is not is refused where it comes in, with all that is wrong.
//! - Settings carry a version, which grows by one with each change; version 0 is a configuration file's.
//! - A role is never taken away again.
//!
//! ```text
//! configuration ─seed─► record `settings` ◄─compare-and-set─ kms_change ◄─ KmsChange
//!                         │  (replicated)                      │
//!                       follow, on every member              check, on every member
//!                         │
//!                         ├─► KeyAccess      in force in this process
//!                         └─► keystore       for the next start
//! ```

mod alert_policy;
mod change;
mod check;
mod codes;
mod difference;
mod finding;
mod follow;
mod kms_change;
mod role;
mod rotation_policy;
mod settings;
mod show;
mod store;
mod window;

pub use alert_policy::AlertPolicy;
pub(crate) use check::{CHECK_LIMIT, check_kms};
pub use finding::{Finding, all_warnings};
pub(crate) use follow::follow;
pub(crate) use kms_change::change;
pub use role::Role;
pub use rotation_policy::RotationPolicy;
pub use settings::{KeySettings, SettingsError};
pub(crate) use settings::{MAX_REGIONS, public};
pub(crate) use show::show;
pub(crate) use store::ReadError;
pub use window::MaintenanceWindow;
