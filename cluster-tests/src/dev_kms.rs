//! The directory that plays KMS, with one multi-Region CMK in it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use coffer_keyring::kms::local::LocalKmsAdmin;
use coffer_keyring::kms::{KeyArn, Region};

/// Where the CMK of a test lives.
pub const HOME_REGION: &str = "eu-central-1";

/// Where its replica lives.
pub const OTHER_REGION: &str = "eu-west-1";

/// A local KMS and the CMK of a replica set.
#[derive(Debug)]
pub struct DevKms {
    dir: PathBuf,
    admin: LocalKmsAdmin,
    cmk: KeyArn,
}

impl DevKms {
    /// Makes the directory, a multi-Region key in [`HOME_REGION`] and its replica in [`OTHER_REGION`].
    ///
    /// # Errors
    /// Where the directory cannot be made.
    pub fn create(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let admin = LocalKmsAdmin::new(dir);
        let cmk = admin.create(&Region::parse(HOME_REGION)?, true).context("making a CMK")?;
        admin.replicate(&cmk, &Region::parse(OTHER_REGION)?).context("replicating the CMK")?;
        Ok(Self { dir: dir.to_owned(), admin, cmk })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The ARN of the CMK in its home Region.
    pub fn cmk(&self) -> &KeyArn {
        &self.cmk
    }

    /// What an administrator of KMS does.
    pub fn admin(&self) -> &LocalKmsAdmin {
        &self.admin
    }

    /// Disables the CMK in its home Region.
    ///
    /// # Errors
    /// Where the directory cannot be changed.
    pub fn disable(&self) -> anyhow::Result<()> {
        self.admin.disable(&self.cmk).context("disabling the CMK")
    }

    /// Enables it again.
    ///
    /// # Errors
    /// Where the directory cannot be changed.
    pub fn enable(&self) -> anyhow::Result<()> {
        self.admin.enable(&self.cmk).context("enabling the CMK")
    }
}
