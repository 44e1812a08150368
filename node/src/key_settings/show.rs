//! What an operator is told of the settings.

use coffer_proto::v1;

use super::public;
use crate::member::Member;

/// The settings in force on this member, and what it uses of them. In every state.
pub(crate) fn show(member: &Member) -> v1::KmsShowResponse {
    let key = member.key();
    v1::KmsShowResponse {
        member_id: member.identity().member_id.0,
        settings: Some(public(&key.settings())),
        active_region: key.active_region().map(|region| region.to_string()).unwrap_or_default(),
        provider: key.config().provider.name().to_owned(),
        r#override: key.choice().as_ref().map(v1::KmsOverrideInfo::from),
        warnings: crate::key::warnings(key),
        replica_regions: crate::key::replica_regions(key).iter().map(ToString::to_string).collect(),
    }
}
