//! When the age of the customer's key is an alert.

use coffer_proto::v1;

use super::{Finding, codes};

/// Ten years.
const MAX_CMK_AGE_DAYS: u32 = 3653;

/// When the age of the customer's key is an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertPolicy {
    /// Whether it is.
    pub cmk_age: bool,
    /// From this age in days on.
    pub cmk_age_days: u32,
}

impl AlertPolicy {
    /// Reads a policy. What is wrong is added to `findings`.
    pub(crate) fn parse(policy: &v1::AlertPolicy, findings: &mut Vec<Finding>) -> Self {
        if !(1..=MAX_CMK_AGE_DAYS).contains(&policy.cmk_age_days) {
            findings.push(Finding::error(
                codes::BAD_VALUE,
                format!("the age of the customer's key is an alert from 1 to {MAX_CMK_AGE_DAYS} days on"),
            ));
        }
        Self { cmk_age: policy.cmk_age, cmk_age_days: policy.cmk_age_days }
    }
}

impl From<AlertPolicy> for v1::AlertPolicy {
    fn from(policy: AlertPolicy) -> Self {
        Self { cmk_age: policy.cmk_age, cmk_age_days: policy.cmk_age_days }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_kept() {
        for (cmk_age_days, wrong) in [(0, 1), (1, 0), (3653, 0), (3654, 1)] {
            let mut findings = Vec::new();
            AlertPolicy::parse(&v1::AlertPolicy { cmk_age: false, cmk_age_days }, &mut findings);
            assert_eq!(findings.len(), wrong, "{cmk_age_days}");
        }
    }
}
