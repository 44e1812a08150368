//! Who calls whom, in which replica set: the metadata of every call between members.

use coffer_proto::wire::{CLUSTER_ID_METADATA, FROM_METADATA, TO_METADATA};
use tonic::{
    Request,
    metadata::{Ascii, MetadataMap, MetadataValue},
};

use crate::member::MemberIdentity;

/// From this member to another one.
#[derive(Clone, Debug)]
pub struct Route {
    cluster_id: MetadataValue<Ascii>,
    from: MetadataValue<Ascii>,
    to: MetadataValue<Ascii>,
}

/// A call that is not for this member, or not from one that it may talk to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The metadata is not there, or not readable.
    #[error("the call lacks the metadata {0}: this service is for members of the replica set")]
    Missing(&'static str),
    /// Another replica set.
    #[error("the caller belongs to replica set {theirs}, this member to {ours}: check the peer addresses")]
    OtherCluster {
        /// The set that the caller names.
        theirs: String,
        /// The set of this member.
        ours: String,
    },
    /// Another member is meant.
    #[error("the call is for member {meant}, this is member {this}: check the addresses of both")]
    OtherMember {
        /// The member that is meant.
        meant: u64,
        /// The member that got the call.
        this: u64,
    },
    /// The caller has this member's id.
    #[error("the caller says that it is member {0}, which is this member: two members must not have one id")]
    SameMember(u64),
}

impl Route {
    /// The route from the member of `identity` to member `to`.
    pub fn new(identity: &MemberIdentity, to: u64) -> Self {
        let cluster_id = MetadataValue::try_from(identity.cluster_id.as_str())
            .expect("a cluster id is a UUID, so it is printable ASCII");
        Self { cluster_id, from: MetadataValue::from(identity.member_id.0), to: MetadataValue::from(to) }
    }

    /// A request that carries the route.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert(CLUSTER_ID_METADATA, self.cluster_id.clone());
        metadata.insert(FROM_METADATA, self.from.clone());
        metadata.insert(TO_METADATA, self.to.clone());
        request
    }

    /// Checks that a call is for the member of `identity`, and tells who calls.
    ///
    /// # Errors
    /// It is for another set or member, or from a member of the same id.
    pub fn check(identity: &MemberIdentity, metadata: &MetadataMap) -> Result<u64, RouteError> {
        let theirs = text(metadata, CLUSTER_ID_METADATA)?;
        let ours = identity.cluster_id.as_str();
        if theirs != ours {
            return Err(RouteError::OtherCluster {
                theirs: theirs.chars().take(64).collect(),
                ours: ours.to_owned(),
            });
        }
        let this = identity.member_id.0;
        let meant = number(metadata, TO_METADATA)?;
        if meant != this {
            return Err(RouteError::OtherMember { meant, this });
        }
        let from = number(metadata, FROM_METADATA)?;
        if from == this {
            return Err(RouteError::SameMember(from));
        }
        Ok(from)
    }
}

fn text<'a>(metadata: &'a MetadataMap, key: &'static str) -> Result<&'a str, RouteError> {
    metadata.get(key).and_then(|value| value.to_str().ok()).ok_or(RouteError::Missing(key))
}

fn number(metadata: &MetadataMap, key: &'static str) -> Result<u64, RouteError> {
    text(metadata, key)?.parse().map_err(|_| RouteError::Missing(key))
}

#[cfg(test)]
mod tests {
    use coffer_keyring::{ClusterId, MemberId};

    use super::*;

    fn identity(cluster: &ClusterId, member: u64) -> MemberIdentity {
        MemberIdentity {
            cluster_id: cluster.clone(),
            member_id: MemberId(member),
            address: "127.0.0.1:1".to_owned(),
        }
    }

    #[test]
    fn only_the_meant_member_of_the_same_set_takes_a_call() {
        let cluster = ClusterId::generate();
        let other = ClusterId::generate();
        let from_1_to_2 = Route::new(&identity(&cluster, 1), 2).request(());
        let metadata = from_1_to_2.metadata();
        assert_eq!(Route::check(&identity(&cluster, 2), metadata), Ok(1));
        assert_eq!(
            Route::check(&identity(&cluster, 3), metadata),
            Err(RouteError::OtherMember { meant: 2, this: 3 })
        );
        assert!(matches!(Route::check(&identity(&other, 2), metadata), Err(RouteError::OtherCluster { .. })));
        let to_self = Route::new(&identity(&cluster, 2), 2).request(());
        assert_eq!(Route::check(&identity(&cluster, 2), to_self.metadata()), Err(RouteError::SameMember(2)));
    }

    #[test]
    fn metadata_has_to_be_there_and_readable() {
        let cluster = ClusterId::generate();
        let this = identity(&cluster, 2);
        for missing in [CLUSTER_ID_METADATA, FROM_METADATA, TO_METADATA] {
            let mut request = Route::new(&identity(&cluster, 1), 2).request(());
            request.metadata_mut().remove(missing);
            assert_eq!(Route::check(&this, request.metadata()), Err(RouteError::Missing(missing)));
        }
        let mut request = Route::new(&identity(&cluster, 1), 2).request(());
        request.metadata_mut().insert(FROM_METADATA, MetadataValue::from_static("one"));
        assert_eq!(Route::check(&this, request.metadata()), Err(RouteError::Missing(FROM_METADATA)));
    }
}
