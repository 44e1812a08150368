//! A way to KMS for each member alone, so that one can be cut off, or see another state of the key, than the others.

use std::collections::BTreeMap;

use anyhow::Context;
use coffer_keyring::kms::local::LocalKmsAdmin;

use crate::cluster::Cluster;
use crate::files::copy_folder;

/// Gives each member of a replica set that has not been started a copy of the directory that plays KMS. All copies hold the
/// same CMK; what is done to one, a state or an outage, only its member sees.
///
/// # Errors
/// Where a copy or a configuration cannot be written.
pub fn own_kms(cluster: &mut Cluster) -> anyhow::Result<BTreeMap<u64, LocalKmsAdmin>> {
    let from = cluster.kms().dir().to_owned();
    let mut all = BTreeMap::new();
    for member in cluster.members_mut() {
        let dir = from.with_file_name(format!("kms-{}", member.id()));
        copy_folder(&from, &dir).context("copying the CMK")?;
        member.configure(|settings| {
            settings.text("encryption.local_dir", &dir.display().to_string());
        })?;
        all.insert(member.id(), LocalKmsAdmin::new(&dir));
    }
    Ok(all)
}
