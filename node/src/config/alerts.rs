//! `[alerts]`: what a person is told of.

use coffer_proto::v1;
use serde::{Deserialize, Serialize};

use super::Problems;
use super::rotation::note;
use crate::key_settings::AlertPolicy;

/// What a person is told of. For the first start of a replica set; later `coffer kms set-policy` changes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsSection {
    /// Whether the age of the customer's key is an alert.
    pub cmk_age: bool,
    /// From this age in days on, counted from when KMS made or last rotated its material.
    pub cmk_age_days: u32,
}

impl Default for AlertsSection {
    fn default() -> Self {
        Self { cmk_age: true, cmk_age_days: 90 }
    }
}

impl AlertsSection {
    /// The policy as settings have it.
    pub(super) fn policy(&self) -> v1::AlertPolicy {
        v1::AlertPolicy { cmk_age: self.cmk_age, cmk_age_days: self.cmk_age_days }
    }

    /// Notes what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        let mut findings = Vec::new();
        AlertPolicy::parse(&self.policy(), &mut findings);
        note(problems, "alerts", findings);
    }
}
