//! How keys are made and wrapped.

use std::sync::Arc;

use super::Master;
use crate::keystore::{CmkWrap, KeyEntry, KeystoreBody, KeystoreError, UnsealError};
use crate::kms::{EncryptionContext, Kms};
use crate::secret::{KeyKind, SecretArena, SecretKey, WrapError, WrapPlace, wrap_proven};
use crate::timestamp::Timestamp;
use crate::{DataKey, KeyOwner, KeyVersion, KeystoreParams};

/// Makes a master key and lets the service wrap it, proven by an unwrap.
pub(super) async fn make_master(
    arena: &SecretArena,
    params: &KeystoreParams,
    kms: &dyn Kms,
) -> Result<(SecretKey, CmkWrap), UnsealError> {
    let secret = arena.generate().map_err(KeystoreError::NoKey)?;
    let context = EncryptionContext::node_master_key(&params.cluster, params.member);
    let region = params.region.clone();
    let cmk = params.cmk.in_region(&region)?;
    let wrapped = kms.encrypt(&region, &cmk, secret.bytes(), &context).await?;
    let proof = kms.decrypt(&region, &cmk, &wrapped.ciphertext, &context).await?;
    if proof.plaintext.as_slice() != secret.bytes() {
        return Err(UnsealError::NotProven("the bytes differ"));
    }
    let key_material_id = proof.key_material_id.or(wrapped.key_material_id);
    Ok((secret, CmkWrap { cmk, region, key_material_id, context, ciphertext: wrapped.ciphertext }))
}

/// Makes a random data key.
pub(super) fn new_key(
    arena: &SecretArena,
    owner: KeyOwner,
    version: KeyVersion,
) -> Result<Arc<DataKey>, KeystoreError> {
    let secret = arena.generate().map_err(KeystoreError::NoKey)?;
    Ok(Arc::new(DataKey::new(owner, version, secret)))
}

/// Wraps a data key under the master key, proven by an unwrap.
pub(super) fn wrap_key(
    arena: &SecretArena,
    body: &KeystoreBody,
    master: &Master,
    key: &DataKey,
) -> Result<KeyEntry, KeystoreError> {
    let place = place(body, key.owner(), key.version(), master.key.version);
    let wrapped = wrap_proven(arena, &master.key.secret, key.secret(), &place);
    let wrapped = wrapped.map_err(|error| match error {
        WrapError::System(error) => KeystoreError::NoKey(error),
        refused @ WrapError::Refused => KeystoreError::NoKey(std::io::Error::other(refused.to_string())),
    })?;
    Ok(KeyEntry {
        version: key.version(),
        created: Timestamp::now(),
        wrapped_by: master.key.version,
        wrapped,
    })
}

/// Where a wrapped data key belongs.
pub(super) fn place(
    body: &KeystoreBody,
    owner: KeyOwner,
    version: KeyVersion,
    wrapped_by: KeyVersion,
) -> WrapPlace<'_> {
    let (kind, id) = match owner {
        KeyOwner::Raft => (KeyKind::Raft, 0),
        KeyOwner::Database(id) => (KeyKind::Database, id.0),
    };
    WrapPlace { cluster: &body.cluster, member: body.member, kind, id, version, wrapped_by }
}
