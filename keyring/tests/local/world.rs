//! A folder with a local KMS, a two-Region key and room for a keystore.

use std::path::PathBuf;

use coffer_keyring::kms::local::{LocalKms, LocalKmsAdmin};
use coffer_keyring::kms::{KeyArn, Region};
use coffer_keyring::{ClusterId, Keyring, KeystoreParams, MemberId, SealedKeystore, UnsealError};
use tempfile::TempDir;

pub struct World {
    pub dir: TempDir,
    pub admin: LocalKmsAdmin,
    pub kms: LocalKms,
    pub cmk: KeyArn,
    pub home: Region,
    pub away: Region,
    pub cluster: ClusterId,
    pub member: MemberId,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Region::parse("eu-central-1").unwrap();
        let away = Region::parse("eu-west-1").unwrap();
        let admin = LocalKmsAdmin::new(&dir.path().join("kms"));
        let cmk = admin.create(&home, true).unwrap();
        admin.replicate(&cmk, &away).unwrap();
        let kms = LocalKms::open(&dir.path().join("kms")).unwrap();
        let cluster = ClusterId::generate();
        Self { dir, admin, kms, cmk, home, away, cluster, member: MemberId(2) }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("keyring").join("keystore.json")
    }

    pub fn params(&self) -> KeystoreParams {
        KeystoreParams {
            cluster: self.cluster.clone(),
            member: self.member,
            cmk: self.cmk.clone(),
            region: self.home.clone(),
        }
    }

    pub async fn create(&self) -> Keyring {
        Keyring::create(&self.path(), self.params(), &self.kms).await.unwrap()
    }

    pub fn sealed(&self) -> SealedKeystore {
        let sealed = SealedKeystore::open(&self.path(), &self.cluster, self.member).unwrap().unwrap();
        sealed.vouch(std::slice::from_ref(&self.cmk)).unwrap();
        sealed
    }

    pub async fn unseal(&self) -> Result<Keyring, UnsealError> {
        self.sealed().unseal(&self.kms, &self.home).await
    }
}
