//! `keyring/denied.json`: the denials that a restart must not forget.
//!
//! ```json
//! { "format": 1, "denied": [ { "key": "mrk-…", "region": "eu-central-1", "since": "2026-01-01T00:00:00Z" } ] }
//! ```
//!
//! Without it, a member that was denied once and then restarted with the network cut would not know that home had spoken, and
//! would ask another Region. It is written at the first denial of a Region that the member depends on, and a Region goes from
//! it when it gives access. It holds no secret, and it protects against nobody who can write this directory.

use std::collections::BTreeSet;
use std::path::Path;

use coffer_keyring::Timestamp;
use coffer_keyring::kms::{KeyArn, Region};
use serde::{Deserialize, Serialize};

use super::small_file::SmallFile;

const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Content {
    format: u32,
    denied: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    key: String,
    region: Region,
    since: Timestamp,
}

/// The file.
#[derive(Debug)]
pub(super) struct DeniedFile {
    file: SmallFile,
    entries: Vec<Entry>,
    /// What is on disk is something else: it could not be written, and is tried again.
    behind: bool,
}

impl DeniedFile {
    /// Opens the file in the keyring directory `dir`.
    pub(super) fn open(dir: &Path) -> Self {
        let file = SmallFile::new(dir.join("denied.json"));
        let entries = match file.read::<Content>() {
            Ok(content) => content.map(|content| content.denied).unwrap_or_default(),
            Err(error) => {
                // Whoever damages it could as well remove it, so nothing is gained by refusing to start.
                let path = file.path().display();
                tracing::error!(%error, %path, "the record of denials cannot be read: an earlier denial may be forgotten");
                Vec::new()
            }
        };
        Self { file, entries, behind: false }
    }

    /// The Regions in which `key` was denied.
    pub(super) fn of(&self, key: &KeyArn) -> BTreeSet<Region> {
        self.entries.iter().filter(|entry| entry.key == key.id()).map(|entry| entry.region.clone()).collect()
    }

    /// Has exactly the denials `regions` of `key`. Writes where that is a change, and where there is a keystore to protect: a
    /// member that never had its keys has nothing that a denial could be about.
    pub(super) fn set(&mut self, key: &KeyArn, regions: &BTreeSet<Region>) {
        if (self.of(key) == *regions && !self.behind) || !self.file.has_place() {
            return;
        }
        let id = key.id();
        self.entries.retain(|entry| entry.key == id && regions.contains(&entry.region));
        for region in regions {
            if !self.entries.iter().any(|entry| entry.region == *region) {
                let entry = Entry { key: id.to_owned(), region: region.clone(), since: Timestamp::now() };
                self.entries.push(entry);
            }
        }
        let written = if self.entries.is_empty() {
            self.file.remove()
        } else {
            self.file.replace(&Content { format: FORMAT, denied: self.entries.clone() })
        };
        let before = std::mem::replace(&mut self.behind, written.is_err());
        if let Err(error) = written.as_ref().map_err(|error| error.to_string())
            && !before
        {
            let path = self.file.path().display();
            tracing::error!(
                error,
                %path,
                "the record of denials cannot be written: a restart would remember others; it is tried again"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: char) -> KeyArn {
        let id = "0123456789abcdef0123456789abcdef".replacen('0', &digit.to_string(), 1);
        KeyArn::parse(&format!("arn:aws:kms:eu-central-1:111122223333:key/mrk-{id}")).unwrap()
    }

    #[test]
    fn a_denial_survives_until_access() {
        let dir = tempfile::tempdir().unwrap();
        let (home, away) = (Region::parse("eu-central-1").unwrap(), Region::parse("eu-west-1").unwrap());
        let both: BTreeSet<_> = [home.clone(), away].into();
        let mut file = DeniedFile::open(dir.path());
        assert!(file.of(&key('0')).is_empty());
        file.set(&key('0'), &both);
        let mut again = DeniedFile::open(dir.path());
        assert_eq!(again.of(&key('0')), both);
        assert!(again.of(&key('1')).is_empty(), "it is about one key");
        again.set(&key('0'), &[home.clone()].into());
        assert_eq!(DeniedFile::open(dir.path()).of(&key('0')), [home].into());
        again.set(&key('0'), &BTreeSet::new());
        assert!(!dir.path().join("denied.json").exists());
    }

    #[test]
    fn a_member_without_a_keystore_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let home = Region::parse("eu-central-1").unwrap();
        let mut file = DeniedFile::open(&dir.path().join("keyring"));
        file.set(&key('0'), &[home].into());
        assert!(!dir.path().join("keyring").exists());
    }

    #[test]
    fn what_could_not_be_written_is_written_later() {
        let dir = tempfile::tempdir().unwrap();
        let home: BTreeSet<_> = [Region::parse("eu-central-1").unwrap()].into();
        let in_the_way = dir.path().join("denied.new");
        std::fs::create_dir(&in_the_way).unwrap();
        let mut file = DeniedFile::open(dir.path());
        file.set(&key('0'), &home);
        assert!(DeniedFile::open(dir.path()).of(&key('0')).is_empty());
        std::fs::remove_dir(&in_the_way).unwrap();
        file.set(&key('0'), &home);
        assert_eq!(DeniedFile::open(dir.path()).of(&key('0')), home);
    }

    #[test]
    fn a_damaged_file_is_as_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("denied.json"), "{").unwrap();
        assert!(DeniedFile::open(dir.path()).of(&key('0')).is_empty());
    }
}
