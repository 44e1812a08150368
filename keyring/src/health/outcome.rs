//! What one probe found.

use serde::Serialize;

use crate::Timestamp;
use crate::kms::{KeyState, KmsError, KmsErrorClass, MultiRegion, Region};

/// What one probe says of the access to the key. The order is the order of precedence: the
/// greatest of several findings counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Verdict {
    /// Both Encrypt and Decrypt worked.
    Accessible,
    /// The service did not say: ask again later.
    NoVerdict,
    /// An outage.
    Unreachable,
    /// The request cannot work as it is; a person must look.
    Misconfigured,
    /// Access was taken away, unless this is not confirmed.
    Denied,
}

impl From<KmsErrorClass> for Verdict {
    fn from(class: KmsErrorClass) -> Self {
        match class {
            KmsErrorClass::Unreachable => Self::Unreachable,
            KmsErrorClass::NoVerdict => Self::NoVerdict,
            KmsErrorClass::Denied => Self::Denied,
            KmsErrorClass::Misconfigured => Self::Misconfigured,
        }
    }
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOutcome {
    /// The Region that was asked.
    pub region: Region,
    /// What it comes to.
    pub verdict: Verdict,
    /// The error that decided, when access did not work.
    pub error: Option<KmsError>,
    /// A DescribeKey that failed while Encrypt and Decrypt worked: worth an alert, no verdict.
    pub describe_error: Option<KmsError>,
    /// The key's state, where DescribeKey said it.
    pub key_state: Option<KeyState>,
    /// The key material in use now, where DescribeKey said it.
    pub current_key_material_id: Option<String>,
    /// Whether the key was rotated in the service since the master key was wrapped, where both
    /// sides are known.
    pub stale_wrap: Option<bool>,
    /// When the key was made, where DescribeKey said it.
    pub key_created: Option<Timestamp>,
    /// Whether the key lives in a custom or external key store, where DescribeKey said it.
    pub custom_key_store: Option<bool>,
    /// Where the key has replicas, where DescribeKey said it.
    pub multi_region: Option<MultiRegion>,
}

impl ProbeOutcome {
    /// Access, and nothing read of the key.
    pub fn accessible(region: &Region) -> Self {
        Self {
            region: region.clone(),
            verdict: Verdict::Accessible,
            error: None,
            describe_error: None,
            key_state: None,
            current_key_material_id: None,
            stale_wrap: None,
            key_created: None,
            custom_key_store: None,
            multi_region: None,
        }
    }

    /// Whether the denial is a fact of the key, true for every member, and not one of this
    /// member's own access.
    pub fn is_fact_of_key(&self) -> bool {
        self.verdict == Verdict::Denied
            && (self.key_state.as_ref().is_some_and(KeyState::is_revoked)
                || self.error.as_ref().is_some_and(KmsError::is_fact_of_key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_beats_misconfigured_beats_unreachable() {
        let mut all = [
            Verdict::Denied,
            Verdict::Accessible,
            Verdict::Unreachable,
            Verdict::Misconfigured,
            Verdict::NoVerdict,
        ];
        all.sort();
        assert_eq!(
            all,
            [
                Verdict::Accessible,
                Verdict::NoVerdict,
                Verdict::Unreachable,
                Verdict::Misconfigured,
                Verdict::Denied,
            ]
        );
    }
}
