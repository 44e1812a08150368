//! Who a member is.

use coffer_keyring::{ClusterId, MemberId};

/// Who a member is. Fixed for the life of its directory, the address aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberIdentity {
    /// The replica set.
    pub cluster_id: ClusterId,
    /// The member; its number is never used for another.
    pub member_id: MemberId,
    /// `host:port` where clients and peers reach it.
    pub address: String,
}
