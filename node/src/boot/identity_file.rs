//! Step 6: `identity.json`, which says whose the data directory is.
//!
//! ```text
//! identity.json, one line of JSON, mode 0600, nothing secret in it
//! {"format":1,"cluster_id":UUID,"member_id":N}
//! ```
//!
//! It is written once, after the customer's key was proven, and never changed. Its use is a clear message: what a forged one
//! could do is caught by the keystore, which names both ids under its MAC.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use coffer_keyring::{ClusterId, MemberId};
use serde::{Deserialize, Serialize};

use super::BootError;
use super::data_dir::sync_dir;

/// The version that is written, and the only one that is read.
const FORMAT: u32 = 1;

/// Largest file read, in bytes; a whole one has fewer than 200.
const MAX_LEN: u64 = 4096;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    format: u32,
    cluster_id: ClusterId,
    member_id: MemberId,
}

/// The file of a data directory.
pub(crate) struct IdentityFile {
    path: PathBuf,
}

impl IdentityFile {
    /// The file in `data_dir`.
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("identity.json") }
    }

    /// Whether the directory was this member's before; refuses one of another.
    pub(crate) fn check(&self, cluster: &ClusterId, member: MemberId) -> Result<bool, BootError> {
        let Some(found) = self.read()? else { return Ok(false) };
        if found.cluster_id != *cluster {
            return Err(BootError::OtherCluster {
                path: self.path.clone(),
                found: found.cluster_id,
                configured: cluster.clone(),
            });
        }
        if found.member_id != member {
            return Err(BootError::OtherMember {
                path: self.path.clone(),
                found: found.member_id,
                configured: member,
            });
        }
        Ok(true)
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, cluster: &ClusterId, member: MemberId) -> Result<(), BootError> {
        let identity = Identity { format: FORMAT, cluster_id: cluster.clone(), member_id: member };
        let mut text = serde_json::to_vec(&identity).expect("ids are numbers and text");
        text.push(b'\n');
        let temporary = self.path.with_extension("json.tmp");
        let written = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, &self.path))
            .and_then(|()| self.path.parent().map_or(Ok(()), sync_dir));
        written.map_err(|error| self.io("be written", error))
    }

    fn read(&self) -> Result<Option<Identity>, BootError> {
        let mut bytes = Vec::new();
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.and_then(|file| file.take(MAX_LEN).read_to_end(&mut bytes)),
        }
        .map_err(|error| self.io("be read", error))?;
        let damaged = |why: String| BootError::Identity { path: self.path.clone(), why };
        let identity: Identity =
            serde_json::from_slice(&bytes).map_err(|error| damaged(format!("it is no identity: {error}")))?;
        if identity.format != FORMAT {
            let found = identity.format;
            return Err(damaged(format!("it has format {found}, and this version knows {FORMAT} only")));
        }
        Ok(Some(identity))
    }

    fn io(&self, what: &str, source: io::Error) -> BootError {
        BootError::Directory { path: self.path.clone(), what: what.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_member_itself_is_let_in() {
        let dir = tempfile::tempdir().unwrap();
        let file = IdentityFile::new(dir.path());
        let cluster = ClusterId::generate();
        assert!(!file.check(&cluster, MemberId(1)).unwrap());
        file.write(&cluster, MemberId(1)).unwrap();
        assert!(file.check(&cluster, MemberId(1)).unwrap());
        assert!(matches!(file.check(&cluster, MemberId(2)), Err(BootError::OtherMember { .. })));
        let other = file.check(&ClusterId::generate(), MemberId(1)).unwrap_err();
        assert!(matches!(other, BootError::OtherCluster { .. }));
    }

    #[test]
    fn the_format_is_fixed() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = ClusterId::parse("6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11").unwrap();
        let golden =
            "{\"format\":1,\"cluster_id\":\"6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11\",\"member_id\":7}\n";
        let file = IdentityFile::new(dir.path());
        file.write(&cluster, MemberId(7)).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("identity.json")).unwrap(), golden);
    }

    #[test]
    fn damage_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = ClusterId::generate();
        for text in [
            "",
            "{}",
            "{\"format\":2,\"cluster_id\":\"6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11\",\"member_id\":7}",
        ] {
            fs::write(dir.path().join("identity.json"), text).unwrap();
            let error = IdentityFile::new(dir.path()).check(&cluster, MemberId(1)).unwrap_err();
            assert!(matches!(&error, BootError::Identity { .. }), "{text}");
            assert!(error.to_string().contains("identity.json"), "{error}");
        }
    }
}
