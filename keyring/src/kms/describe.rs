//! What the service says of a key.

use serde::{Deserialize, Serialize};

use super::{KeyArn, Region};
use crate::timestamp::Timestamp;

/// The state of a key, per Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Usable.
    Enabled,
    /// Switched off by its owner.
    Disabled,
    /// On its way to be deleted; its owner can still call that off.
    PendingDeletion,
    /// A multi-Region primary that will be deleted after its replicas.
    PendingReplicaDeletion,
    /// Its owner took the imported key material away.
    PendingImport,
    /// A replica being made.
    Creating,
    /// A multi-Region key whose primary is being moved.
    Updating,
    /// The custom or external key store behind it does not answer.
    Unavailable,
    /// A state that this version does not know, by its name.
    Other(String),
}

impl KeyState {
    /// Whether the key's owner put it out of use: a fact of the key, the same for everybody.
    pub fn is_revoked(&self) -> bool {
        match self {
            Self::Disabled | Self::PendingDeletion | Self::PendingReplicaDeletion | Self::PendingImport => {
                true
            }
            Self::Enabled | Self::Creating | Self::Updating | Self::Unavailable | Self::Other(_) => false,
        }
    }
}

/// Where the replicas of a multi-Region key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiRegion {
    /// The Region of the primary.
    pub primary: Region,
    /// The Regions of the replicas, the primary's not among them.
    pub replicas: Vec<Region>,
}

/// What DescribeKey answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// The key's full ARN in the Region asked.
    pub arn: KeyArn,
    /// Its state in that Region.
    pub state: KeyState,
    /// Replicas, for a multi-Region key.
    pub multi_region: Option<MultiRegion>,
    /// Whether it is a symmetric key for encryption, the only kind that can wrap a master key.
    pub symmetric: bool,
    /// The key material in use now; a wrap made under another one is stale.
    pub current_key_material_id: Option<String>,
    /// Whether the key lives in a custom or external key store, whose owner can disconnect it.
    pub custom_key_store: bool,
    /// When the key was made, where the service says it. Its last rotation DescribeKey does not say.
    pub created: Option<Timestamp>,
    /// The service's id of this request, for its audit trail.
    pub request_id: Option<String>,
}
