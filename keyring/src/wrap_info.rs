//! How a master key is wrapped.

use crate::KeyVersion;
use crate::keystore::MasterEntry;
use crate::kms::{EncryptionContext, KeyArn, Region};

/// What wraps a member's master key: enough to ask the service whether the key still works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrapInfo {
    /// The version of the master key.
    pub version: KeyVersion,
    /// The CMK, by its ARN in the Region that wrapped.
    pub cmk: KeyArn,
    /// The Region that wrapped.
    pub region: Region,
    /// The context that the wrap is bound to.
    pub context: EncryptionContext,
    /// The key material of the CMK that wrapped, where it is known.
    pub key_material_id: Option<String>,
}

impl WrapInfo {
    pub(crate) fn of(master: &MasterEntry) -> Self {
        Self {
            version: master.version,
            cmk: master.wrap.cmk.clone(),
            region: master.wrap.region.clone(),
            context: master.wrap.context.clone(),
            key_material_id: master.wrap.key_material_id.clone(),
        }
    }
}
