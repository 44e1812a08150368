//! `keyring/override.json`: the Region that an operator chose for this member alone.
//!
//! ```json
//! { "format": 1, "region": "us-west-2", "settings_version": 4, "since": "2026-01-01T00:00:00Z" }
//! ```
//!
//! It is for the day on which every member is sealed and nobody can change the replica set's settings. It ends with the next
//! version of those that names another key or other Regions, or when it is taken back.

use coffer_keyring::Timestamp;
use coffer_keyring::kms::Region;
use coffer_proto::v1::KmsOverrideInfo;
use serde::{Deserialize, Serialize};

/// Format of the file.
pub(super) const FORMAT: u32 = 1;

/// A Region that an operator chose for this member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionChoice {
    pub(super) format: u32,
    /// The Region.
    pub region: Region,
    /// Version of the settings that it deviates from.
    pub settings_version: u64,
    /// When it was chosen.
    pub since: Timestamp,
}

impl RegionChoice {
    /// Chosen now.
    pub(super) fn new(region: Region, settings_version: u64) -> Self {
        Self { format: FORMAT, region, settings_version, since: Timestamp::now() }
    }
}

impl From<&RegionChoice> for KmsOverrideInfo {
    fn from(choice: &RegionChoice) -> Self {
        Self {
            region: choice.region.to_string(),
            settings_version: choice.settings_version,
            since: choice.since.to_string(),
        }
    }
}
