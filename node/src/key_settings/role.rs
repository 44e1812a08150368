//! The role that is assumed before KMS is asked.

use std::fmt;

use super::{Finding, codes};

/// Longest ARN of a role, in bytes (STS API reference, AssumeRole, RoleArn).
const MAX_ARN: usize = 2048;

/// Shortest and longest ExternalId, in bytes (STS API reference, AssumeRole, ExternalId).
const EXTERNAL_ID: std::ops::RangeInclusive<usize> = 2..=1224;

/// A role and the ExternalId that its trust policy asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct Role {
    arn: String,
    external_id: Option<String>,
}

impl Role {
    /// Reads both as people give them; an empty `external_id` is none. Nothing at all is no role. What is wrong is added to
    /// `findings`.
    pub(crate) fn parse(arn: &str, external_id: &str, findings: &mut Vec<Finding>) -> Option<Self> {
        let before = findings.len();
        if arn.is_empty() {
            if !external_id.is_empty() {
                let problem = "an ExternalId is given when a role is assumed: name the role too";
                findings.push(Finding::error(codes::BAD_VALUE, problem));
            }
            return None;
        }
        if let Err(why) = check_arn(arn) {
            let shown: String = arn.chars().take(160).collect();
            findings.push(Finding::error(
                codes::MALFORMED,
                format!("`{shown}` is not the ARN of a role ({why}); give it in full, like arn:aws:iam::111122223333:role/coffer"),
            ));
        }
        // As STS has it: [\w+=,.@:\/-]. The text itself is not shown: owners treat it as a secret.
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&c);
        let valid = EXTERNAL_ID.contains(&external_id.len()) && external_id.bytes().all(allowed);
        if !external_id.is_empty() && !valid {
            findings.push(Finding::error(
                codes::BAD_VALUE,
                "the ExternalId is not one: AWS takes 2 to 1224 letters, digits and _+=,.@:/-",
            ));
        }
        (findings.len() == before).then(|| Self {
            arn: arn.to_owned(),
            external_id: (!external_id.is_empty()).then(|| external_id.to_owned()),
        })
    }

    /// The role's ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// What its trust policy asks for.
    pub fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }
}

/// `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`.
fn check_arn(arn: &str) -> Result<(), &'static str> {
    if arn.len() > MAX_ARN {
        return Err("it is longer than any");
    }
    let mut parts = arn.splitn(6, ':');
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
        return Err("a role has no Region");
    }
    let account = next();
    if account.len() != 12 || !account.bytes().all(|c| c.is_ascii_digit()) {
        return Err("its account is not 12 digits");
    }
    let Some(name) = next().strip_prefix("role/") else { return Err("it does not end in role/NAME") };
    let printable = |c: u8| c.is_ascii_graphic();
    if name.is_empty() || name.ends_with('/') || !name.bytes().all(printable) {
        return Err("its name is not one");
    }
    Ok(())
}

impl fmt::Debug for Role {
    /// The ExternalId is no secret to AWS, and yet owners treat it as one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Role")
            .field("arn", &self.arn)
            .field("external_id", &self.external_id.as_ref().map(|_| "<redacted>"))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:iam::111122223333:role/coffer";

    fn parse(arn: &str, external_id: &str) -> Result<Option<Role>, String> {
        let mut findings = Vec::new();
        let role = Role::parse(arn, external_id, &mut findings);
        let text: Vec<_> = findings.iter().map(ToString::to_string).collect();
        if text.is_empty() { Ok(role) } else { Err(text.join("\n")) }
    }

    #[test]
    fn roles_are_read_with_and_without_an_external_id() {
        assert_eq!(parse("", ""), Ok(None));
        let role = parse(ARN, "").unwrap().unwrap();
        assert_eq!((role.arn(), role.external_id()), (ARN, None));
        let role = parse("arn:aws-us-gov:iam::111122223333:role/a/b/c", "mine:1").unwrap().unwrap();
        assert_eq!(role.external_id(), Some("mine:1"));
        assert!(!format!("{role:?}").contains("mine:1"));
    }

    #[test]
    fn what_is_no_role_is_refused_with_its_reason() {
        for (arn, external_id, wanted) in [
            ("coffer", "", "CK0023"),
            ("coffer", "", "start with arn:"),
            ("arn:azure:iam::111122223333:role/coffer", "", "partition"),
            ("arn:aws:kms::111122223333:role/coffer", "", "service"),
            ("arn:aws:iam:eu-west-1:111122223333:role/coffer", "", "Region"),
            ("arn:aws:iam::1:role/coffer", "", "12 digits"),
            ("arn:aws:iam::111122223333:user/coffer", "", "role/NAME"),
            ("arn:aws:iam::111122223333:role/", "", "name"),
            ("arn:aws:iam::111122223333:role/a b", "", "name"),
            (&format!("{ARN}{}", "x".repeat(MAX_ARN)), "", "longer"),
            ("", "mine", "name the role too"),
            (ARN, "x", "ExternalId"),
            (ARN, "with space", "ExternalId"),
            (ARN, &"x".repeat(1225), "ExternalId"),
        ] {
            let found = parse(arn, external_id).unwrap_err();
            assert!(found.contains(wanted), "{arn} {external_id}: {found}");
            assert!(!found.contains("with space"), "the ExternalId is not shown");
        }
        assert_eq!(parse("x", "y").unwrap_err().lines().count(), 2, "all that is wrong");
    }
}
