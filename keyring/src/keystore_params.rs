//! What a new keystore is made for.

use crate::kms::{KeyArn, Region};
use crate::{ClusterId, MemberId};

/// What a new keystore is made for.
#[derive(Clone, Debug)]
pub struct KeystoreParams {
    /// The cluster.
    pub cluster: ClusterId,
    /// The member.
    pub member: MemberId,
    /// The configured CMK.
    pub cmk: KeyArn,
    /// The Region that shall wrap: the home Region, or another one of a multi-Region key.
    pub region: Region,
}
