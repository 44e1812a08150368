//! The key that is watched, and where.

use crate::kms::{KeyArn, Region};

/// The key that wraps this member's master key, and the Regions in which it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedKey {
    /// The key, by its ARN in any Region.
    pub cmk: KeyArn,
    /// Home first; never empty.
    pub regions: Vec<Region>,
    /// Version of the settings that name the Regions.
    pub settings_version: u64,
}

/// Why a Region cannot be chosen, or settings not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefused {
    /// A denial is pending.
    #[error(
        "access to the key was denied in {region}, and only access there clears that: until then neither the Region \
         nor the key can be changed, or a revocation could be outlived"
    )]
    DenialPending {
        /// Where.
        region: Region,
    },
    /// The key lives elsewhere, and only there.
    #[error(
        "{cmk} is a single-Region key: it exists in {} only, not in {wanted}, and AWS cannot convert it to a \
         multi-Region key; create a multi-Region key (its id starts with mrk-), replicate it to {wanted} and change to it \
         with `coffer kms set-cmk`", cmk.region()
    )]
    SingleRegion {
        /// The key.
        cmk: Box<KeyArn>,
        /// The Region that was asked for.
        wanted: Region,
    },
}

impl ChangeRefused {
    /// Code of the page that explains it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::DenialPending { .. } => "CK0034",
            Self::SingleRegion { .. } => "CK0022",
        }
    }
}

impl WatchedKey {
    /// The Region that the settings name first, or the key's own where they name none.
    pub fn home(&self) -> &Region {
        self.regions.first().unwrap_or_else(|| self.cmk.region())
    }

    /// Whether the key can be asked in `region` at all.
    ///
    /// # Errors
    /// [`ChangeRefused::SingleRegion`].
    pub fn check_region(&self, region: &Region) -> Result<(), ChangeRefused> {
        match self.cmk.in_region(region) {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(ChangeRefused::SingleRegion { cmk: Box::new(self.cmk.clone()), wanted: region.clone() })
            }
        }
    }
}
