//! What is known of the customer's key.

use std::time::Instant;

use crate::key::KeyAccess;

/// What is known of the customer's key, for status and metrics.
#[derive(Clone, Debug)]
pub struct KmsStatus {
    /// Whether files are sealed at all.
    pub enabled: bool,
    /// `aws` or `local`; `none` with encryption off.
    pub provider: &'static str,
    /// The ARN of the key that wraps this member's master key; empty with encryption off.
    pub cmk_arn: String,
    /// The Region that is asked; empty with encryption off.
    pub region: String,
    /// The last verdict: `accessible`, `unreachable`, `throttled`, `denied`, `misconfigured` or `unknown`.
    pub verdict: &'static str,
    /// The service's code of the last failure; empty after a success.
    pub last_error_code: String,
    /// When the last probe ended.
    pub last_probe: Option<Instant>,
    /// Denials one after the other.
    pub denied_in_a_row: u32,
}

impl KmsStatus {
    /// Before anything was asked.
    pub fn new(key: &KeyAccess) -> Self {
        let enabled = key.config().enabled;
        let home = || key.home().map(|home| home.to_string());
        Self {
            enabled,
            provider: if enabled { key.config().provider.name() } else { "none" },
            cmk_arn: if enabled { key.settings().cmk_arn.clone() } else { String::new() },
            region: enabled.then(home).flatten().unwrap_or_default(),
            verdict: "unknown",
            last_error_code: String::new(),
            last_probe: None,
            denied_in_a_row: 0,
        }
    }

    /// Milliseconds since the last probe ended; 0 where there was none.
    pub fn last_probe_age_ms(&self) -> u64 {
        self.last_probe.map_or(0, |at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
