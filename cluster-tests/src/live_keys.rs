//! The keys of a member under the local KMS, unwrapped from its own files by whoever has the customer's key.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coffer_keyring::kms::local::LocalKms;
use coffer_keyring::kms::{EncryptionContext, KeyArn, Kms};
use coffer_keyring::{ClusterId, KeyOwner, KeyVersion, MemberId, SealedKeystore};
use hkdf::Hkdf;
use serde_json::Value;
use sha2::Sha256;

use crate::memory_scan::Needles;

/// What begins a sealed file; the storage crate's page on sealed files draws the header.
const MAGIC: &[u8] = b"COFFERSF";
const HEADER: usize = 80;

/// The keys of one member.
#[derive(Default)]
pub struct LiveKeys {
    /// The master keys.
    pub master: Vec<Vec<u8>>,
    /// The raft keys.
    pub raft: Vec<Vec<u8>>,
    /// The database keys.
    pub databases: Vec<Vec<u8>>,
    /// The keys of single files that are there now, with their paths.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

impl LiveKeys {
    /// Unwraps the keys of a keystore, and derives those of the files under `data_dir`.
    ///
    /// # Errors
    /// Where the keystore or the local KMS cannot be read, or a key does not open.
    pub async fn read(data_dir: &Path, kms: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join("keyring/keystore.json");
        let json: Value = serde_json::from_slice(&fs::read(&path).context("reading the keystore")?)?;
        let body = &json["body"];
        let cluster: ClusterId = text(&body["cluster"])?.parse()?;
        let member = MemberId(body["member"].as_u64().context("the keystore names no member")?);
        let kms = LocalKms::open(kms)?;
        let mut keys = Self::default();
        let mut cmk = None;
        for master in body["masters"].as_array().context("the keystore has no master keys")? {
            let wrap = &master["wrap"];
            let arn = KeyArn::parse(text(&wrap["cmk"])?)?;
            let ciphertext = STANDARD.decode(text(&wrap["ciphertext"])?)?;
            let context = EncryptionContext::node_master_key(&cluster, member);
            let unwrapped = kms.decrypt(arn.region(), &arn, &ciphertext, &context).await?;
            keys.master.push(unwrapped.plaintext.to_vec());
            cmk = Some(arn);
        }
        let cmk = cmk.context("the keystore has no master key")?;
        let sealed = SealedKeystore::open(&path, &cluster, member)?.context("the keystore is gone")?;
        sealed.vouch(std::slice::from_ref(&cmk))?;
        let keyring = sealed.unseal(&kms, cmk.region()).await?;
        let report = keyring.report();
        let get = |owner, version| {
            keyring.get(owner, version).map(|key| key.bytes().to_vec()).context("a key is not in the keyring")
        };
        for key in &report.raft {
            keys.raft.push(get(KeyOwner::Raft, key.version)?);
        }
        for database in &report.databases {
            for key in &database.keys {
                keys.databases.push(get(KeyOwner::Database(database.id), key.version)?);
            }
        }
        keys.derive_files(&data_dir.join("raft"), |version| get(KeyOwner::Raft, version))?;
        for database in &report.databases {
            let folder = format!("data/{}/{:016x}", keyring.generation(), database.id.0);
            let owner = KeyOwner::Database(database.id);
            keys.derive_files(&data_dir.join(folder), |version| get(owner, version))?;
        }
        Ok(keys)
    }

    fn derive_files(
        &mut self,
        folder: &Path,
        key: impl Fn(KeyVersion) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            // A file may go while it is looked at.
            let Ok(bytes) = fs::read(&path) else { continue };
            let Some(header) = bytes.get(..HEADER).filter(|header| header.starts_with(MAGIC)) else {
                continue;
            };
            let version = u32::from_le_bytes(header[16..20].try_into()?);
            let key = key(KeyVersion(version))?;
            let mut file_key = vec![0; 32];
            let derived =
                Hkdf::<Sha256>::new(Some(&header[32..64]), &key).expand(b"coffer file key v1", &mut file_key);
            if derived.is_err() {
                bail!("a key of 32 bytes is within HKDF's limit");
            }
            self.files.push((path, file_key));
        }
        Ok(())
    }

    /// All of them, to be looked for.
    pub fn needles(&self) -> Needles {
        let mut needles = Needles::default();
        for (name, keys) in [("master", &self.master), ("raft", &self.raft), ("database", &self.databases)] {
            for (n, key) in keys.iter().enumerate() {
                needles.add(&format!("{name} key {n}"), key);
            }
        }
        for (path, key) in &self.files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            needles.add(&format!("file key of {name}"), key);
        }
        needles
    }
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value.as_str().context("the keystore is not as it should be")
}
