//! What the audit log is told of changes of the keyring.

use super::forge::KmsRequests;
use crate::DataKey;
use crate::audit::{AuditAction, AuditEvent, AuditedKey, KmsTrace};
use crate::keystore::{CmkWrap, KeystoreBody, UnsealError};
use crate::kms::{KeyArn, Region};
use crate::{KeyOwner, KeyVersion};

pub(super) fn named(key: &DataKey) -> AuditedKey {
    AuditedKey::of(key.owner(), key.version())
}

/// That one key was made, or none with encryption off.
pub(super) fn created(key: Option<&DataKey>) -> Vec<AuditEvent> {
    creation(&key.map(named).into_iter().collect::<Vec<_>>())
}

pub(super) fn creation(keys: &[AuditedKey]) -> Vec<AuditEvent> {
    let actions = AuditAction::of_keys(keys, |keys| AuditAction::KeysCreated { keys });
    actions.into_iter().map(AuditEvent::new).collect()
}

pub(super) fn destruction(keys: &[AuditedKey]) -> Vec<AuditEvent> {
    let actions = AuditAction::of_keys(keys, |keys| AuditAction::KeysDestroyed { keys });
    actions.into_iter().map(AuditEvent::new).collect()
}

/// Every key that a keystore holds.
pub(super) fn all_keys(body: &KeystoreBody) -> Vec<AuditedKey> {
    let masters = body.masters.iter().map(|master| AuditedKey::master(master.version));
    let audit = body.audit.iter().map(|key| AuditedKey::audit(key.version));
    let raft = body.raft.iter().map(|key| AuditedKey::of(KeyOwner::Raft, key.version));
    let databases = body.databases.iter().flat_map(|database| {
        database.keys.iter().map(|key| AuditedKey::of(KeyOwner::Database(database.id), key.version))
    });
    masters.chain(audit).chain(raft).chain(databases).collect()
}

/// That the service wrapped a master key.
pub(super) fn wrapped(action: AuditAction, wrap: &CmkWrap, requests: &KmsRequests) -> AuditEvent {
    let request_ids = [&requests.encrypt, &requests.decrypt];
    let request_ids = request_ids.into_iter().flatten().cloned().collect();
    AuditEvent::new(action).asking(KmsTrace {
        cmk: wrap.cmk.clone(),
        region: wrap.region.clone(),
        request_ids,
    })
}

/// That the service did not wrap a master key, or not so that it could be proven.
pub(super) fn refused(version: KeyVersion, cmk: &KeyArn, region: &Region, error: &UnsealError) -> AuditEvent {
    let request_ids = match error {
        UnsealError::Kms(error) => error.request_id.iter().cloned().collect(),
        _ => Vec::new(),
    };
    let kms = KmsTrace { cmk: cmk.clone(), region: region.clone(), request_ids };
    AuditEvent::new(AuditAction::MasterWrapped { version }).failed(error).asking(kms)
}
