//! What AWS's console does, for the local KMS: keys are made, replicated, disabled and deleted,
//! and Regions put out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::model::arn_of;
use super::store::Store;
use super::{LocalFault, LocalKmsError};
use crate::kms::{KeyArn, KeyState, Region};
use crate::timestamp::Timestamp;

/// The administrator of a local KMS. Each call changes the directory at once, atomically, and may
/// be made while members use it.
#[derive(Clone, Debug)]
pub struct LocalKmsAdmin {
    store: Store,
}

/// A key in one Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalKeyInfo {
    /// Its ARN there.
    pub arn: KeyArn,
    /// Its state there.
    pub state: KeyState,
    /// When it will be gone, while its deletion is pending.
    pub deletion_date: Option<Timestamp>,
    /// Whether it is a multi-Region key.
    pub multi_region: bool,
    /// Whether this Region holds its primary.
    pub primary: bool,
    /// When the key was made.
    pub created: Timestamp,
    /// The key material in use.
    pub key_material_id: Option<String>,
    /// Whether the Region is put out.
    pub region_out: bool,
    /// How the Region fails, if it does.
    pub region_fault: Option<LocalFault>,
}

impl LocalKmsAdmin {
    /// The administrator of the local KMS in `dir`, which is made with its first change.
    pub fn new(dir: &Path) -> Self {
        Self { store: Store::new(dir) }
    }

    /// Makes a key in `region`.
    ///
    /// # Errors
    /// When the directory cannot be changed.
    pub fn create(&self, region: &Region, multi_region: bool) -> Result<KeyArn, LocalKmsError> {
        self.store.change(|model| model.create(region, multi_region))
    }

    /// Makes a replica of a multi-Region key in another Region and returns its ARN there.
    ///
    /// # Errors
    /// When the key is not there, is a single-Region key, or has a replica there already.
    pub fn replicate(&self, arn: &KeyArn, region: &Region) -> Result<KeyArn, LocalKmsError> {
        self.store.change(|model| model.replicate(arn, region))
    }

    /// Gives a key new material, in all its Regions; what the older encrypted still opens.
    ///
    /// # Errors
    /// When the key is not there.
    pub fn rotate(&self, arn: &KeyArn) -> Result<(), LocalKmsError> {
        self.store.change(|model| model.rotate(arn))
    }

    /// Disables a key in the Region of `arn`.
    ///
    /// # Errors
    /// When the key is not there or its deletion is pending.
    pub fn disable(&self, arn: &KeyArn) -> Result<(), LocalKmsError> {
        self.store.change(|model| model.disable(arn))
    }

    /// Enables a key in the Region of `arn`.
    ///
    /// # Errors
    /// When the key is not there or its deletion is pending.
    pub fn enable(&self, arn: &KeyArn) -> Result<(), LocalKmsError> {
        self.store.change(|model| model.enable(arn))
    }

    /// Schedules the deletion of a key in the Region of `arn`, 7 to 30 days ahead; it is unusable
    /// at once. Returns the date of the deletion.
    ///
    /// # Errors
    /// When the key is not there, its deletion is pending already, or the days are out of range.
    pub fn schedule_deletion(&self, arn: &KeyArn, days: u32) -> Result<Timestamp, LocalKmsError> {
        self.store.change(|model| model.schedule_deletion(arn, days))
    }

    /// Calls a deletion off and leaves the key disabled, as AWS does.
    ///
    /// # Errors
    /// When the key is not there or no deletion is pending.
    pub fn cancel_deletion(&self, arn: &KeyArn) -> Result<(), LocalKmsError> {
        self.store.change(|model| model.cancel_deletion(arn))
    }

    /// Puts a Region out: every call to it fails as an unreachable one does.
    ///
    /// # Errors
    /// When the directory cannot be changed.
    pub fn outage(&self, region: &Region) -> Result<(), LocalKmsError> {
        self.set_fault(region, Some(LocalFault::Outage))
    }

    /// Ends the outage of a Region, or what else it suffers from.
    ///
    /// # Errors
    /// When the directory cannot be changed.
    pub fn restore(&self, region: &Region) -> Result<(), LocalKmsError> {
        self.set_fault(region, None)
    }

    /// Sets how a Region fails from now on; `None`: not at all.
    ///
    /// # Errors
    /// When the directory cannot be changed.
    pub fn set_fault(&self, region: &Region, fault: Option<LocalFault>) -> Result<(), LocalKmsError> {
        self.store.change(|model| {
            model.set_fault(region, fault);
            Ok(())
        })
    }

    /// The Regions that fail, each with how.
    ///
    /// # Errors
    /// When the directory cannot be read or holds no local KMS.
    pub fn faults(&self) -> Result<BTreeMap<Region, LocalFault>, LocalKmsError> {
        Ok(self.read()?.all_faults())
    }

    /// The Regions that are put out.
    ///
    /// # Errors
    /// When the directory cannot be read or holds no local KMS.
    pub fn outages(&self) -> Result<Vec<Region>, LocalKmsError> {
        Ok(self.read()?.outages.into_iter().collect())
    }

    /// Every key in every Region that has it.
    ///
    /// # Errors
    /// When the directory cannot be read or holds no local KMS.
    pub fn list(&self) -> Result<Vec<LocalKeyInfo>, LocalKmsError> {
        let model = self.read()?;
        let mut list = Vec::new();
        for (id, key) in &model.keys {
            for region in key.replicas.keys() {
                let Some(replica) = key.replica(region) else { continue };
                let arn = arn_of(id, region)?;
                list.push(LocalKeyInfo {
                    state: replica.state.clone(),
                    deletion_date: replica.deletion_date,
                    multi_region: arn.is_multi_region(),
                    primary: *region == key.primary,
                    created: key.created,
                    key_material_id: key.current().map(|material| material.id.clone()),
                    region_out: model.outages.contains(region),
                    region_fault: model.fault(region),
                    arn,
                });
            }
        }
        Ok(list)
    }

    fn read(&self) -> Result<super::model::Model, LocalKmsError> {
        let missing = || LocalKmsError::Missing { dir: self.store.dir().to_owned() };
        self.store.read()?.ok_or_else(missing)
    }
}
