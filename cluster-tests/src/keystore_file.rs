//! What a keystore says that is no secret: which versions of which keys there are, and what wraps the master key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// The readable part of a keystore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeystoreFile {
    /// Versions of the master key.
    pub masters: BTreeSet<u64>,
    /// The CMKs that wrap them.
    pub cmks: BTreeSet<String>,
    /// Versions of the raft key.
    pub raft: BTreeSet<u64>,
    /// Versions of the key of each database.
    pub databases: BTreeMap<u64, BTreeSet<u64>>,
    /// Versions of the master key that wrap the others.
    pub wrapped_by: BTreeSet<u64>,
    /// The live generation of the databases.
    pub generation: u64,
    /// The live generation of the log.
    pub raft_generation: u64,
}

impl KeystoreFile {
    /// Reads it.
    ///
    /// # Errors
    /// Where it cannot be read or is no keystore.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let json: Value =
            serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        Self::parse(&json["body"]).with_context(|| format!("{} is no keystore", path.display()))
    }

    fn parse(body: &Value) -> Option<Self> {
        let mut all = Self {
            generation: body["generation"].as_u64()?,
            raft_generation: body["raft_generation"].as_u64().unwrap_or_default(),
            ..Self::default()
        };
        for master in list(&body["masters"]) {
            all.masters.insert(master["version"].as_u64()?);
            all.cmks.insert(master["wrap"]["cmk"].as_str()?.to_owned());
        }
        all.raft = all.versions(&body["raft"])?;
        for database in list(&body["databases"]) {
            let versions = all.versions(&database["keys"])?;
            all.databases.insert(database["id"].as_u64()?, versions);
        }
        Some(all)
    }

    fn versions(&mut self, keys: &Value) -> Option<BTreeSet<u64>> {
        let mut versions = BTreeSet::new();
        for key in list(keys) {
            versions.insert(key["version"].as_u64()?);
            self.wrapped_by.insert(key["wrapped_by"].as_u64()?);
        }
        Some(versions)
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_a_keystore_of_format_2() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../keyring/tests/golden/keystore-2.json");
        let keystore = KeystoreFile::read(&path).unwrap();
        assert_eq!(keystore.masters, BTreeSet::from([2]));
        assert_eq!(keystore.wrapped_by, BTreeSet::from([2]));
        assert_eq!(keystore.raft, BTreeSet::from([1, 2]));
        assert_eq!(keystore.databases[&17], BTreeSet::from([1, 2]));
        assert_eq!((keystore.generation, keystore.raft_generation), (3, 1));
        assert!(keystore.cmks.iter().all(|cmk| cmk.starts_with("arn:aws:kms:")), "{:?}", keystore.cmks);
    }
}
