//! The name of a replica set.
//!
//! Invariant: the text is a UUID in its canonical form (36 characters, lower case), because it is
//! part of encryption contexts and of authenticated data, which match byte by byte.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a cluster: a UUID, lower case, with hyphens. It stands in the configuration, so that
/// it exists before the first key is wrapped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterId(String);

/// The text is not a UUID in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a cluster id: a UUID in lower case with hyphens is wanted, \
     like 6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11"
)]
pub struct ClusterIdError(String);

impl ClusterId {
    /// Makes a random cluster id (UUID version 4).
    pub fn generate() -> Self {
        Self(uuid::Uuid::new_v4().hyphenated().to_string())
    }

    /// Reads a cluster id.
    ///
    /// # Errors
    /// When the text is not a UUID; upper case letters are taken and lowered.
    pub fn parse(text: &str) -> Result<Self, ClusterIdError> {
        let refuse = || ClusterIdError(text.chars().take(64).collect());
        if text.len() != 36 {
            return Err(refuse());
        }
        let id = uuid::Uuid::try_parse(text).map_err(|_| refuse())?;
        Ok(Self(id.hyphenated().to_string()))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ClusterId {
    type Err = ClusterIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ClusterId {
    type Error = ClusterIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ClusterId> for String {
    fn from(id: ClusterId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uuids_are_cluster_ids() {
        let made = ClusterId::generate();
        assert_eq!(ClusterId::parse(made.as_str()), Ok(made));
        let upper = ClusterId::parse("6B1F0C7E-5D3A-4C7E-9A55-0D5F3B7A2C11").unwrap();
        assert_eq!(upper.as_str(), "6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11");
        for bad in ["", "cluster", "6b1f0c7e5d3a4c7e9a550d5f3b7a2c11", "6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c1g"]
        {
            assert!(ClusterId::parse(bad).is_err(), "{bad}");
        }
    }
}
