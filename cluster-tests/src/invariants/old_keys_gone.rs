//! After a rotation nothing of the old keys is left: the keystore holds one version of each key, all wrapped by the one master
//! key, and no file on disk was sealed by another version.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::keystore_file::KeystoreFile;
use crate::sealed_headers::sealed_headers;

/// Looks at the keystore and at the headers of the files in a member's data directory. The log's key may have several
/// versions: an old one goes with the purge.
///
/// # Errors
/// What is left, for a person.
pub fn old_keys_gone(data_dir: &Path) -> anyhow::Result<()> {
    let keystore = KeystoreFile::read(&data_dir.join("keyring/keystore.json"))?;
    check(data_dir, &keystore).with_context(|| format!("in {}", data_dir.display()))
}

fn check(data_dir: &Path, keystore: &KeystoreFile) -> anyhow::Result<()> {
    let KeystoreFile { masters, wrapped_by, .. } = keystore;
    ensure!(masters.len() == 1, "there are the master keys {masters:?}");
    ensure!(wrapped_by == masters, "keys are wrapped by {wrapped_by:?}, and the master key is {masters:?}");
    for (id, versions) in &keystore.databases {
        ensure!(versions.len() == 1, "there are the keys {versions:?} of database {id}");
    }
    let raft = match keystore.raft_generation {
        0 => data_dir.join("raft"),
        generation => data_dir.join(format!("raft-{generation}")),
    };
    let databases = data_dir.join("data").join(keystore.generation.to_string());
    let own = keystore.databases.iter().map(|(id, keys)| (databases.join(format!("{id:016x}")), keys));
    for (dir, keys) in own.chain([(raft, &keystore.raft)]) {
        let found = sealed_headers(&dir)?;
        ensure!(
            found.versions.is_subset(keys),
            "files in {} were sealed by versions {:?}, and the keystore has {keys:?}",
            dir.display(),
            found.versions
        );
        ensure!(found.readable.is_empty(), "files that are not sealed: {:?}", found.readable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn data_dir(masters: &[u64], keys: &[u64], file: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("data/2/0000000000000011");
        for folder in [dir.path().join("keyring"), dir.path().join("raft"), database.clone()] {
            fs::create_dir_all(folder).unwrap();
        }
        let masters: Vec<_> =
            masters.iter().map(|version| json!({ "version": version, "wrap": { "cmk": "arn:x" } })).collect();
        let keys: Vec<_> =
            keys.iter().map(|version| json!({ "version": version, "wrapped_by": 2 })).collect();
        let body = json!({
            "generation": 2, "masters": masters, "raft": [], "databases": [{ "id": 17, "keys": keys }],
        });
        fs::write(dir.path().join("keyring/keystore.json"), json!({ "body": body }).to_string()).unwrap();
        let mut bytes = b"COFFERSF".to_vec();
        bytes.resize(80, 0);
        bytes[16..20].copy_from_slice(&file.to_le_bytes());
        fs::write(database.join("000007.sst"), bytes).unwrap();
        dir
    }

    #[test]
    fn what_is_left_of_old_keys_is_found() {
        old_keys_gone(data_dir(&[2], &[3], 3).path()).unwrap();
        let error = |masters: &[u64], keys: &[u64], file| {
            format!("{:#}", old_keys_gone(data_dir(masters, keys, file).path()).unwrap_err())
        };
        assert!(error(&[1, 2], &[3], 3).contains("master keys {1, 2}"));
        assert!(error(&[4], &[3], 3).contains("wrapped by {2}"));
        assert!(error(&[2], &[2, 3], 3).contains("keys {2, 3} of database 17"));
        assert!(error(&[2], &[3], 2).contains("sealed by versions {2}"));
    }
}
