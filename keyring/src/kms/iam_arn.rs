//! The full name of somebody in IAM.

use std::fmt;
use std::str::FromStr;

/// Longest resource part taken: a role's path has at most 512 characters and its name 64 (IAM and AWS STS quotas).
const MAX_RESOURCE: usize = 600;

/// The ARN of a role, a user or a whole account: `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`, `…:user/PATH/NAME`,
/// `…:root`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IamArn {
    partition: String,
    account: String,
    resource: String,
}

/// The text names nobody in IAM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not the ARN of {wanted} ({why}); give it in full, like arn:aws:iam::111122223333:role/coffer"
)]
pub struct IamArnError {
    text: String,
    wanted: &'static str,
    why: &'static str,
}

impl IamArn {
    /// Reads the ARN of a role, a user or an account's root.
    ///
    /// # Errors
    /// Which part is wrong.
    pub fn parse(text: &str) -> Result<Self, IamArnError> {
        Self::read(text).map_err(|why| IamArnError {
            text: text.chars().take(160).collect(),
            wanted: "an IAM role, user or account",
            why,
        })
    }

    /// Reads the ARN of a role.
    ///
    /// # Errors
    /// Which part is wrong.
    pub fn parse_role(text: &str) -> Result<Self, IamArnError> {
        let role = Self::read(text)
            .and_then(|arn| if arn.is_role() { Ok(arn) } else { Err("it does not end in role/NAME") });
        role.map_err(|why| IamArnError { text: text.chars().take(160).collect(), wanted: "an IAM role", why })
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        if next() != "arn" {
            return Err("it does not start with arn:");
        }
        let partition = next();
        let named = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if !(partition == "aws" || partition.starts_with("aws-")) || !partition.bytes().all(named) {
            return Err("its partition is not aws or aws-…");
        }
        if next() != "iam" {
            return Err("its service is not iam");
        }
        if !next().is_empty() {
            return Err("IAM has no Regions: nothing belongs between the two colons");
        }
        let account = next();
        if account.len() != 12 || !account.bytes().all(|c| c.is_ascii_digit()) {
            return Err("its account is not 12 digits");
        }
        let resource = next();
        // IAM's characters of names, and those of paths (IAM and AWS STS quotas, "IAM name requirements").
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&c);
        let name = resource.strip_prefix("role/").or_else(|| resource.strip_prefix("user/"));
        let valid = resource == "root"
            || name.is_some_and(|name| {
                name.len() <= MAX_RESOURCE
                    && name.bytes().all(plain)
                    && name.split('/').all(|part| !part.is_empty())
            });
        if !valid {
            return Err("it does not end in role/NAME, user/NAME or root");
        }
        Ok(Self {
            partition: partition.to_owned(),
            account: account.to_owned(),
            resource: resource.to_owned(),
        })
    }

    /// The account, 12 digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Whether it is a role.
    pub fn is_role(&self) -> bool {
        self.resource.starts_with("role/")
    }
}

impl fmt::Display for IamArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, account, resource } = self;
        write!(f, "arn:{partition}:iam::{account}:{resource}")
    }
}

impl FromStr for IamArn {
    type Err = IamArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_survives_its_text() {
        for text in [
            "arn:aws:iam::111122223333:role/coffer",
            "arn:aws-us-gov:iam::111122223333:role/some/path/coffer@host",
            "arn:aws:iam::111122223333:user/coffer",
            "arn:aws:iam::111122223333:root",
        ] {
            let arn = IamArn::parse(text).unwrap();
            assert_eq!((arn.to_string(), arn.account()), (text.to_owned(), "111122223333"));
            assert_eq!(IamArn::parse_role(text).is_ok(), text.contains("role/"), "{text}");
        }
    }

    #[test]
    fn what_is_no_arn_is_refused_with_its_reason() {
        for (text, why) in [
            ("coffer", "arn:"),
            ("arn:azure:iam::111122223333:role/coffer", "partition"),
            ("arn:aws:sts::111122223333:assumed-role/coffer/session", "service"),
            ("arn:aws:iam:eu-west-1:111122223333:role/coffer", "Regions"),
            ("arn:aws:iam::1:role/coffer", "account"),
            ("arn:aws:iam::111122223333:role/", "role/NAME"),
            ("arn:aws:iam::111122223333:role//coffer", "role/NAME"),
            ("arn:aws:iam::111122223333:role/cof fer", "role/NAME"),
            ("arn:aws:iam::111122223333:group/coffer", "role/NAME"),
        ] {
            let error = IamArn::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let error = IamArn::parse_role("arn:aws:iam::111122223333:user/coffer").unwrap_err().to_string();
        assert!(error.contains("not the ARN of an IAM role (it does not end in role/NAME)"), "{error}");
    }
}
