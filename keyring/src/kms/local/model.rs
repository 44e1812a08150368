//! Keys and Regions, as the file has them, and what changes them.
//!
//! Invariants: ids are unique; a key has a replica in at least its primary Region; material is
//! ordered by age, and the last is current.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{ACCOUNT, LocalFault, LocalKmsError};
use crate::kms::{KeyArn, KeyState, Region};
use crate::timestamp::Timestamp;

/// The version of the file.
pub(super) const FORMAT: u32 = 1;

/// Most keys that a directory holds.
pub(super) const MAX_KEYS: usize = 1000;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    pub(super) format: u32,
    /// Regions that refuse connections. Apart from the other faults, because files of before those have it.
    pub(super) outages: BTreeSet<Region>,
    /// Regions that fail in another way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    faults: BTreeMap<Region, LocalFault>,
    /// Keys by id.
    pub(super) keys: BTreeMap<String, LocalKey>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LocalKey {
    pub(super) created: Timestamp,
    pub(super) primary: Region,
    pub(super) material: Vec<Material>,
    pub(super) replicas: BTreeMap<Region, Replica>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replica {
    pub(super) state: KeyState,
    pub(super) deletion_date: Option<Timestamp>,
}

/// Key material: 64 hexadecimal digits as its id, as AWS has them, and 32 bytes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Material {
    pub(super) id: String,
    key: String,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Material {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Material {
    pub(super) fn generate() -> Result<Self, LocalKmsError> {
        let key = Zeroizing::new(random::<32>()?);
        Ok(Self { id: hex::encode(random::<32>()?), key: STANDARD.encode(key.as_slice()) })
    }

    pub(super) fn bytes(&self) -> Option<Zeroizing<[u8; 32]>> {
        let decoded = Zeroizing::new(STANDARD.decode(&self.key).ok()?);
        let mut key = Zeroizing::new([0; 32]);
        if decoded.len() != key.len() {
            return None;
        }
        key.copy_from_slice(&decoded);
        Some(key)
    }
}

fn random<const N: usize>() -> Result<[u8; N], LocalKmsError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| LocalKmsError::NoRandomness(std::io::Error::other(error)))?;
    Ok(bytes)
}

impl LocalKey {
    pub(super) fn replica(&self, region: &Region) -> Option<&Replica> {
        self.replicas.get(region).filter(|replica| !replica.is_deleted(Timestamp::now()))
    }

    pub(super) fn current(&self) -> Option<&Material> {
        self.material.last()
    }
}

impl Replica {
    fn enabled() -> Self {
        Self { state: KeyState::Enabled, deletion_date: None }
    }

    /// Whether the date of its deletion has come.
    fn is_deleted(&self, now: Timestamp) -> bool {
        self.deletion_date.is_some_and(|date| date <= now)
    }
}

/// The ARN of a local key.
pub(super) fn arn_of(id: &str, region: &Region) -> Result<KeyArn, LocalKmsError> {
    Ok(KeyArn::parse(&format!("arn:aws:kms:{region}:{ACCOUNT}:key/{id}"))?)
}

impl Model {
    pub(super) fn new() -> Self {
        Self { format: FORMAT, ..Self::default() }
    }

    /// How a Region fails, if it does.
    pub(super) fn fault(&self, region: &Region) -> Option<LocalFault> {
        let out = self.outages.contains(region).then_some(LocalFault::Outage);
        out.or_else(|| self.faults.get(region).copied())
    }

    pub(super) fn set_fault(&mut self, region: &Region, fault: Option<LocalFault>) {
        self.outages.remove(region);
        self.faults.remove(region);
        match fault {
            Some(LocalFault::Outage) => drop(self.outages.insert(region.clone())),
            Some(fault) => drop(self.faults.insert(region.clone(), fault)),
            None => {}
        }
    }

    /// The Regions that fail, each with how.
    pub(super) fn all_faults(&self) -> BTreeMap<Region, LocalFault> {
        let out = self.outages.iter().map(|region| (region.clone(), LocalFault::Outage));
        self.faults.clone().into_iter().chain(out).collect()
    }

    /// The key that an ARN names, wherever it has replicas.
    pub(super) fn key(&self, arn: &KeyArn) -> Option<&LocalKey> {
        self.keys.get(arn.id()).filter(|_| arn.account() == ACCOUNT)
    }

    pub(super) fn create(&mut self, region: &Region, multi_region: bool) -> Result<KeyArn, LocalKmsError> {
        if self.keys.len() >= MAX_KEYS {
            return Err(LocalKmsError::TooMany(MAX_KEYS));
        }
        let id = if multi_region {
            format!("mrk-{}", hex::encode(random::<16>()?))
        } else {
            uuid::Uuid::new_v4().hyphenated().to_string()
        };
        let arn = arn_of(&id, region)?;
        let key = LocalKey {
            created: Timestamp::now(),
            primary: region.clone(),
            material: vec![Material::generate()?],
            replicas: BTreeMap::from([(region.clone(), Replica::enabled())]),
        };
        self.keys.insert(id, key);
        Ok(arn)
    }

    pub(super) fn replicate(&mut self, arn: &KeyArn, region: &Region) -> Result<KeyArn, LocalKmsError> {
        let replica_arn = arn.in_region(region)?;
        let key = self.key_mut(arn)?;
        if key.replica(arn.region()).is_none() {
            return Err(LocalKmsError::NoKey(Box::new(arn.clone())));
        }
        if key.replica(region).is_some() {
            return Err(LocalKmsError::ReplicaExists(region.clone()));
        }
        key.replicas.insert(region.clone(), Replica::enabled());
        Ok(replica_arn)
    }

    pub(super) fn rotate(&mut self, arn: &KeyArn) -> Result<(), LocalKmsError> {
        let material = Material::generate()?;
        self.key_mut(arn)?.material.push(material);
        Ok(())
    }

    pub(super) fn disable(&mut self, arn: &KeyArn) -> Result<(), LocalKmsError> {
        let replica = self.usable_replica_mut(arn)?;
        replica.state = KeyState::Disabled;
        Ok(())
    }

    pub(super) fn enable(&mut self, arn: &KeyArn) -> Result<(), LocalKmsError> {
        let replica = self.usable_replica_mut(arn)?;
        replica.state = KeyState::Enabled;
        Ok(())
    }

    pub(super) fn schedule_deletion(&mut self, arn: &KeyArn, days: u32) -> Result<Timestamp, LocalKmsError> {
        if !(7..=30).contains(&days) {
            return Err(LocalKmsError::Days(days));
        }
        let date = Timestamp::from_unix(Timestamp::now().unix() + i64::from(days) * 86_400)
            .ok_or(LocalKmsError::Days(days))?;
        let replica = self.usable_replica_mut(arn)?;
        *replica = Replica { state: KeyState::PendingDeletion, deletion_date: Some(date) };
        Ok(date)
    }

    pub(super) fn cancel_deletion(&mut self, arn: &KeyArn) -> Result<(), LocalKmsError> {
        let replica = self.replica_mut(arn)?;
        if replica.state != KeyState::PendingDeletion {
            return Err(LocalKmsError::State {
                arn: Box::new(arn.clone()),
                state: replica.state.clone(),
                help: "there is no deletion to call off",
            });
        }
        *replica = Replica { state: KeyState::Disabled, deletion_date: None };
        Ok(())
    }

    fn key_mut(&mut self, arn: &KeyArn) -> Result<&mut LocalKey, LocalKmsError> {
        let key = self.keys.get_mut(arn.id()).filter(|_| arn.account() == ACCOUNT);
        key.ok_or_else(|| LocalKmsError::NoKey(Box::new(arn.clone())))
    }

    fn replica_mut(&mut self, arn: &KeyArn) -> Result<&mut Replica, LocalKmsError> {
        let replica = self.key_mut(arn)?.replicas.get_mut(arn.region());
        replica
            .filter(|replica| !replica.is_deleted(Timestamp::now()))
            .ok_or_else(|| LocalKmsError::NoKey(Box::new(arn.clone())))
    }

    /// A replica that is not on its way to be deleted.
    fn usable_replica_mut(&mut self, arn: &KeyArn) -> Result<&mut Replica, LocalKmsError> {
        let replica = self.replica_mut(arn)?;
        if replica.state == KeyState::PendingDeletion {
            return Err(LocalKmsError::State {
                arn: Box::new(arn.clone()),
                state: KeyState::PendingDeletion,
                help: "call its deletion off first",
            });
        }
        Ok(replica)
    }
}
