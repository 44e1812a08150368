//! When master keys are rotated.

use coffer_proto::v1;

use super::{Finding, MaintenanceWindow, codes};

/// A master key is never meant to become older than this.
const MAX_MASTER_KEY_DAYS: u32 = 90;

/// A rotation that is due may be put off by so much at most: longer, and the age above would mean nothing.
const MAX_DEFERRAL_DAYS: u32 = 30;

/// When master keys are rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// Whether they are rotated by age.
    pub scheduled: bool,
    /// The age in days, 1 to 90.
    pub master_key_days: u32,
    /// When that may begin.
    pub window: MaintenanceWindow,
    /// How many days a due rotation may be put off at most, 0 to 30.
    pub max_deferral_days: u32,
}

impl RotationPolicy {
    /// Reads a policy. What is wrong is added to `findings`.
    pub(crate) fn parse(policy: &v1::RotationPolicy, findings: &mut Vec<Finding>) -> Self {
        if !(1..=MAX_MASTER_KEY_DAYS).contains(&policy.master_key_days) {
            findings.push(Finding::error(
                codes::BAD_VALUE,
                format!("master keys are rotated at an age of 1 to {MAX_MASTER_KEY_DAYS} days"),
            ));
        }
        if policy.max_deferral_days > MAX_DEFERRAL_DAYS {
            findings.push(Finding::error(
                codes::BAD_VALUE,
                format!("a rotation that is due is put off by at most {MAX_DEFERRAL_DAYS} days"),
            ));
        }
        let window = policy.window.clone().unwrap_or_default();
        Self {
            scheduled: policy.scheduled,
            master_key_days: policy.master_key_days,
            window: MaintenanceWindow::parse(&window, findings),
            max_deferral_days: policy.max_deferral_days,
        }
    }
}

impl From<&RotationPolicy> for v1::RotationPolicy {
    fn from(policy: &RotationPolicy) -> Self {
        Self {
            scheduled: policy.scheduled,
            master_key_days: policy.master_key_days,
            window: Some((&policy.window).into()),
            max_deferral_days: policy.max_deferral_days,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_kept() {
        for (days, deferral, wrong) in
            [(1, 0, 0), (90, 30, 0), (0, 0, 1), (91, 0, 1), (90, 31, 1), (u32::MAX, u32::MAX, 2)]
        {
            let mut findings = Vec::new();
            let text = v1::RotationPolicy {
                scheduled: true,
                master_key_days: days,
                window: None,
                max_deferral_days: deferral,
            };
            RotationPolicy::parse(&text, &mut findings);
            assert_eq!(findings.len(), wrong, "{days} {deferral}");
        }
    }
}
