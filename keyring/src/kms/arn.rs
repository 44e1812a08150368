//! The full name of a customer managed key.
//!
//! Invariant: a [`KeyArn`] is always the ARN of a key, never of an alias: an alias can be pointed
//! at another key, so it would not name what a keystore is bound to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Region;

/// The ARN of a KMS key: `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyArn {
    partition: String,
    region: Region,
    account: String,
    id: String,
}

/// Why a text is not the ARN of a key, or why an ARN has none in another Region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyArnError {
    /// The text has not the shape of a key's ARN.
    #[error(
        "`{text}` is not the ARN of a KMS key ({why}); give it in full, \
         like arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
    )]
    Malformed {
        /// The text, cut to a sensible length.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The key exists in its own Region only.
    #[error(
        "{arn} is a single-Region key: it exists in {} only, not in {wanted}; \
         a multi-Region key (its id starts with mrk-) is needed for that", arn.region()
    )]
    SingleRegion {
        /// The key.
        arn: Box<KeyArn>,
        /// The Region that was asked for.
        wanted: Region,
    },
}

impl KeyArn {
    /// Reads and checks the ARN of a key.
    ///
    /// # Errors
    /// [`KeyArnError::Malformed`] says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, KeyArnError> {
        let refuse = |why| KeyArnError::Malformed { text: text.chars().take(160).collect(), why };
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        if next() != "arn" {
            return Err(refuse("it does not start with arn:"));
        }
        let partition = next();
        let named = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if !(partition == "aws" || partition.starts_with("aws-")) || !partition.bytes().all(named) {
            return Err(refuse("its partition is not aws or aws-…"));
        }
        if next() != "kms" {
            return Err(refuse("its service is not kms"));
        }
        let region = Region::parse(next()).map_err(|_| refuse("its Region is not one"))?;
        let account = next();
        if account.len() != 12 || !account.bytes().all(|c| c.is_ascii_digit()) {
            return Err(refuse("its account is not 12 digits"));
        }
        let resource = next();
        let Some(id) = resource.strip_prefix("key/") else {
            return Err(refuse(if resource.starts_with("alias/") {
                "it names an alias, which can be pointed at another key"
            } else {
                "it does not end in key/ID"
            }));
        };
        if !is_multi_region_id(id) && !is_single_region_id(id) {
            return Err(refuse("its key id is neither a UUID nor mrk- with 32 hexadecimal digits"));
        }
        Ok(Self { partition: partition.to_owned(), region, account: account.to_owned(), id: id.to_owned() })
    }

    /// The Region in which this ARN names the key.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The key's id: `mrk-` with 32 hexadecimal digits, or a UUID.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The account that owns the key, 12 digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Whether the key can have replicas in other Regions.
    pub fn is_multi_region(&self) -> bool {
        self.id.starts_with("mrk-")
    }

    /// The ARN of the same key in `region`: only the Region differs.
    ///
    /// # Errors
    /// [`KeyArnError::SingleRegion`] for a key that is not multi-Region and lives elsewhere.
    pub fn in_region(&self, region: &Region) -> Result<Self, KeyArnError> {
        if self.region == *region {
            return Ok(self.clone());
        }
        if !self.is_multi_region() {
            return Err(KeyArnError::SingleRegion { arn: Box::new(self.clone()), wanted: region.clone() });
        }
        Ok(Self { region: region.clone(), ..self.clone() })
    }

    /// Whether both name one key: equal, or replicas of one multi-Region key.
    pub fn is_same_key(&self, other: &Self) -> bool {
        let same_place = self.region == other.region || self.is_multi_region();
        same_place
            && self.partition == other.partition
            && self.account == other.account
            && self.id == other.id
    }
}

fn is_multi_region_id(id: &str) -> bool {
    id.strip_prefix("mrk-").is_some_and(|rest| rest.len() == 32 && rest.bytes().all(is_lower_hex))
}

fn is_single_region_id(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == b'-',
            _ => is_lower_hex(c),
        })
}

fn is_lower_hex(c: u8) -> bool {
    c.is_ascii_digit() || (b'a'..=b'f').contains(&c)
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, region, account, id } = self;
        write!(f, "arn:{partition}:kms:{region}:{account}:key/{id}")
    }
}

impl FromStr for KeyArn {
    type Err = KeyArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for KeyArn {
    type Error = KeyArnError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<KeyArn> for String {
    fn from(arn: KeyArn) -> Self {
        arn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MULTI: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
    const SINGLE: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn an_arn_survives_its_text() {
        for text in [MULTI, SINGLE, &MULTI.replace("arn:aws:", "arn:aws-us-gov:")] {
            assert_eq!(KeyArn::parse(text).unwrap().to_string(), *text);
        }
    }

    #[test]
    fn what_is_not_a_keys_arn_is_refused_with_its_reason() {
        for (text, why) in [
            ("", "does not start with arn:"),
            ("alias/mine", "does not start with arn:"),
            (&*MULTI.replace(":aws:", ":azure:"), "partition"),
            (&*MULTI.replace(":kms:", ":s3:"), "service"),
            (&*MULTI.replace("eu-central-1", "EU"), "Region"),
            (&*MULTI.replace("111122223333", "1"), "account"),
            (&*MULTI.replace("key/mrk-0123456789abcdef0123456789abcdef", "alias/mine"), "alias"),
            (&*MULTI.replace("key/", "grant/"), "key/ID"),
            (&*MULTI.replace("cdef0123", "0123"), "UUID"),
            (&*SINGLE.replace("1234abcd-", "1234ABCD-"), "UUID"),
        ] {
            let error = KeyArn::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn only_a_multi_region_key_moves() {
        let there = Region::parse("eu-west-1").unwrap();
        let multi = KeyArn::parse(MULTI).unwrap();
        let moved = multi.in_region(&there).unwrap();
        assert_eq!(moved.to_string(), MULTI.replace("eu-central-1", "eu-west-1"));
        assert!(moved.is_same_key(&multi) && multi.is_same_key(&moved));

        let single = KeyArn::parse(SINGLE).unwrap();
        assert_eq!(single.in_region(single.region()).unwrap(), single);
        let refused = single.in_region(&there).unwrap_err().to_string();
        assert!(refused.contains("single-Region"), "{refused}");
        let elsewhere = KeyArn::parse(&SINGLE.replace("eu-central-1", "eu-west-1")).unwrap();
        assert!(!single.is_same_key(&elsewhere));
        assert!(!multi.is_same_key(&single));
    }
}
