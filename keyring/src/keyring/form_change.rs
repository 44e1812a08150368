//! Encryption on or off for a member that has data.
//!
//! Invariants:
//! - The keys of the new form are in memory only until the switch; dropped before that, they are gone, and with them what
//!   they sealed.
//! - One replacement of the keystore switches everything: its seal, the keys, the generation of the data, the directory of
//!   the Raft log, and the order that is thereby carried out.
//! - The incarnation, the tombstones and the cached settings are carried over.

use std::sync::Arc;

use super::events::{all_keys, creation, destruction, refused, wrapped};
use super::forge::KmsRequests;
use super::{Keyring, Keys, Master, MasterKey, insert};
use crate::audit::{AuditAction, AuditEvent, AuditKey};
use crate::keystore::{CmkWrap, KeystoreBody, KeystoreError, MasterEntry, UnsealError};
use crate::kms::Kms;
use crate::timestamp::Timestamp;
use crate::{DataKey, DatabaseId, FormOrder, Generation, KeyOwner, KeystoreParams, RaftGeneration};

/// A change of a member's form that is prepared: its data are rebuilt with [`FormChange::key`] in new directories, and
/// [`FormChange::commit`] switches to them.
pub struct FormChange {
    keyring: Keyring,
    generation: Generation,
    raft_generation: RaftGeneration,
    round: u64,
    databases: Vec<DatabaseId>,
    /// `None` for a change to plain.
    sealed: Option<Sealed>,
    keys: Keys,
}

/// What hangs the keys of a sealed form from the CMK.
struct Sealed {
    master: Master,
    wrap: CmkWrap,
    audit: AuditKey,
    requests: KmsRequests,
}

impl FormChange {
    /// Prepares to turn encryption on: a new master key, wrapped by the service and proven by an unwrap, a new audit key,
    /// a new raft key and a new key for every database. The cluster and the member are the keyring's, whatever `params`
    /// says.
    ///
    /// # Errors
    /// [`KeystoreError::HasKeys`] when encryption is on, or when the service refuses or cannot be reached.
    pub async fn to_sealed(
        keyring: &Keyring,
        params: KeystoreParams,
        kms: &dyn Kms,
        round: u64,
    ) -> Result<Self, UnsealError> {
        if keyring.encryption_enabled() {
            return Err(KeystoreError::HasKeys.into());
        }
        let forge = keyring.forge();
        let secret = forge.new_secret()?;
        let wrapped = forge.wrap_master(&secret, kms, &params.cmk, &params.region).await;
        let (wrap, requests) = wrapped.inspect_err(|error| {
            let version = keyring.body().first_version().unwrap_or_default();
            keyring.inner.audience.tell(vec![refused(version, &params.cmk, &params.region, error)]);
        })?;
        let mut change = Self::prepare(keyring, round)?;
        let version = keyring.body().first_version()?;
        let audit = forge.new_audit_key(version)?;
        let databases = change.databases.iter().map(|id| KeyOwner::Database(*id));
        for owner in databases.chain([KeyOwner::Raft]) {
            insert(&mut change.keys, forge.new_key(owner, version)?);
        }
        let master = keyring.master(MasterKey { version, secret })?;
        change.sealed = Some(Sealed { master, wrap, audit, requests });
        Ok(change)
    }

    /// Prepares to turn encryption off.
    ///
    /// # Errors
    /// [`KeystoreError::NoKeys`] when it is off.
    pub fn to_plain(keyring: &Keyring, round: u64) -> Result<Self, KeystoreError> {
        if !keyring.encryption_enabled() {
            return Err(KeystoreError::NoKeys);
        }
        Self::prepare(keyring, round)
    }

    fn prepare(keyring: &Keyring, round: u64) -> Result<Self, KeystoreError> {
        let body = keyring.body();
        let generation = body.generation.0.checked_add(1).ok_or(KeystoreError::Exhausted("generation"))?;
        let raft =
            body.raft_generation.0.checked_add(1).ok_or(KeystoreError::Exhausted("raft generation"))?;
        Ok(Self {
            keyring: keyring.clone(),
            generation: Generation(generation),
            raft_generation: RaftGeneration(raft),
            round,
            databases: keyring.databases(),
            sealed: None,
            keys: Keys::new(),
        })
    }

    /// Whether the new form is sealed.
    pub fn encrypts(&self) -> bool {
        self.sealed.is_some()
    }

    /// The generation to rebuild the data in.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The generation to write the Raft log in.
    pub fn raft_generation(&self) -> RaftGeneration {
        self.raft_generation
    }

    /// The databases that are to be rebuilt.
    pub fn databases(&self) -> &[DatabaseId] {
        &self.databases
    }

    /// The key that the new form of `owner` is sealed with; `None` for a change to plain, and for a database that is not
    /// there.
    pub fn key(&self, owner: KeyOwner) -> Option<Arc<DataKey>> {
        self.keys.get(&owner)?.last_key_value().map(|(_, key)| Arc::clone(key))
    }

    /// Switches to the new form, in one replacement of the keystore. Whatever has the old form open through the keyring must
    /// be closed before: it would find no key, or another one. The keyring that the change was prepared from and
    /// its clones show the new form from then on; the one that is returned is one of them.
    ///
    /// # Errors
    /// [`KeystoreError::FormStale`] when databases came or went or the generation or form changed meanwhile, or when the
    /// disk fails. Unless the disk failed in the middle of the switch, nothing is changed then.
    pub fn commit(self) -> Result<Keyring, KeystoreError> {
        let Self { keyring, generation, raft_generation, round, databases, sealed, keys } = self;
        let mut writer = keyring.writer();
        let mut body = keyring.body();
        let alive = body.databases.iter().map(|database| database.id);
        let fits = alive.eq(databases.iter().copied())
            && body.generation.0.checked_add(1) == Some(generation.0)
            && body.raft_generation.0.checked_add(1) == Some(raft_generation.0)
            && writer.master.is_some() != sealed.is_some();
        if !fits {
            return Err(KeystoreError::FormStale);
        }
        body.generation = generation;
        body.raft_generation = raft_generation;
        // A later order for this same form is thereby done too; one for the other form stays.
        let later = body.form_order.take().filter(|order| order.round > round);
        let round = match later {
            Some(order) if order.encryption == sealed.is_some() => order.round,
            _ => {
                body.form_order = later;
                round
            }
        };
        body.encryption_round = body.encryption_round.max(round);
        let destroyed = all_keys(&body);
        body.strip_keys(round);
        let Some(Sealed { master, wrap, audit, requests }) = sealed else {
            let action = AuditAction::EncryptionTurnedOff { round, generation };
            let mut events = vec![AuditEvent::new(action)];
            events.extend(destruction(&destroyed));
            keyring.commit_under(&mut writer, body, None, events, |view| {
                view.keys = Keys::new();
                view.audit = None;
            })?;
            drop(writer);
            return Ok(keyring);
        };
        let action = AuditAction::MasterWrapped { version: master.key.version };
        let mut events = vec![wrapped(action, &wrap, &requests)];
        seal_body(&keyring, &mut body, &master, wrap, &audit, &keys)?;
        events.extend(creation(&all_keys(&body)));
        events.push(AuditEvent::new(AuditAction::EncryptionTurnedOn { round, generation }));
        keyring.commit_under(&mut writer, body, Some(Arc::new(master)), events, |view| {
            view.keys = keys;
            view.audit = Some(audit);
        })?;
        drop(writer);
        Ok(keyring)
    }
}

/// Fills a body without keys with those of a sealed form.
fn seal_body(
    keyring: &Keyring,
    body: &mut KeystoreBody,
    master: &Master,
    wrap: CmkWrap,
    audit: &AuditKey,
    keys: &Keys,
) -> Result<(), KeystoreError> {
    let forge = keyring.forge();
    body.masters = vec![MasterEntry { version: master.key.version, created: Timestamp::now(), wrap }];
    body.audit = Some(forge.wrap_audit_key(&master.key, audit)?);
    let wrap = |owner| {
        let versions = keys.get(&owner).into_iter().flat_map(|versions| versions.values());
        versions.map(|key| forge.wrap_data_key(&master.key, key)).collect::<Result<Vec<_>, _>>()
    };
    body.raft = wrap(KeyOwner::Raft)?;
    for database in &mut body.databases {
        database.keys = wrap(KeyOwner::Database(database.id))?;
    }
    Ok(())
}

impl Keyring {
    /// Notes that this member shall have encryption on or off from its next start on; [`FormChange`] carries it out. A
    /// member that has that form already notes the round as done, and nothing is pending.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn order_form_change(&self, encryption: bool, round: u64) -> Result<(), KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        if writer.master.is_some() == encryption {
            if body.form_order.is_none() && body.encryption_round >= round {
                return Ok(());
            }
            body.form_order = None;
            body.encryption_round = body.encryption_round.max(round);
        } else {
            let order = Some(FormOrder { encryption, round });
            if body.form_order == order {
                return Ok(());
            }
            body.form_order = order;
        }
        let events = vec![AuditEvent::new(AuditAction::FormChangeOrdered { encryption, round })];
        self.commit(&mut writer, body, events, |_| ())
    }

    /// The change of form that the next start carries out.
    pub fn pending_form_change(&self) -> Option<FormOrder> {
        self.view().body.form_order
    }
}

impl std::fmt::Debug for FormChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormChange")
            .field("encrypts", &self.encrypts())
            .field("generation", &self.generation)
            .field("raft_generation", &self.raft_generation)
            .field("round", &self.round)
            .finish_non_exhaustive()
    }
}
