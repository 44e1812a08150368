//! An order to change a member's form.

use serde::{Deserialize, Serialize};

/// That a member shall rebuild its data sealed or plain, and in which round that was ordered. It stands in the keystore,
/// and the next start carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormOrder {
    /// Whether encryption shall be on.
    pub encryption: bool,
    /// The round of the order.
    pub round: u64,
}
