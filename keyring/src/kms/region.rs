//! The name of a Region.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest Region name taken; AWS's longest is `us-isob-east-1`, 14 characters.
const MAX_LEN: usize = 32;

/// A Region of the key management service, like `eu-central-1`: lower-case letters, digits and
/// hyphens, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

/// The text cannot be a Region's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Region: lower-case letters, digits and hyphens are wanted, like eu-central-1")]
pub struct RegionError(String);

impl Region {
    /// Reads a Region's name. Whether there is such a Region only the service knows.
    ///
    /// # Errors
    /// When the text cannot be a Region's name.
    pub fn parse(text: &str) -> Result<Self, RegionError> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let valid = text.len() <= MAX_LEN
            && text.bytes().all(plain)
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(RegionError(text.chars().take(2 * MAX_LEN).collect()))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Region {
    type Error = RegionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["eu-central-1", "us-gov-west-1", "local"] {
            assert_eq!(Region::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "EU-central-1", "eu central", "-eu", "eu-", "1-eu", "eu/central", &"a".repeat(33)] {
            assert!(Region::parse(bad).is_err(), "{bad}");
        }
    }
}
