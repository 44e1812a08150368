//! What is known of the customer's key.

use std::time::Instant;

use crate::key::KeyAccess;

use super::KeyBirth;

/// What is known of the customer's key, for status and metrics.
#[derive(Clone, Debug)]
pub struct KmsStatus {
    /// Whether files are sealed at all.
    pub enabled: bool,
    /// `aws` or `local`; `none` with encryption off.
    pub provider: &'static str,
    /// The ARN of the key that wraps this member's master key; empty with encryption off.
    pub cmk_arn: String,
    /// The Region in use; empty with encryption off.
    pub region: String,
    /// The Region that the settings name first; empty with encryption off.
    pub home_region: String,
    /// Whether another Region than home is in use.
    pub failed_over: bool,
    /// The Region that an operator chose for this member; empty: none.
    pub override_region: String,
    /// The last verdict: `accessible`, `unreachable`, `throttled`, `denied`, `misconfigured` or `unknown`.
    pub verdict: &'static str,
    /// Since when it is this one.
    pub verdict_since: Option<Instant>,
    /// The service's code of the last failure; empty after a success.
    pub last_error_code: String,
    /// Code of the page that explains it; empty after a success.
    pub help_code: &'static str,
    /// When the Region in use was asked last.
    pub last_probe: Option<Instant>,
    /// When it is asked next.
    pub next_probe: Option<Instant>,
    /// When the member stops because home is silent.
    pub stops_at: Option<Instant>,
    /// Denials one after the other.
    pub denied_in_a_row: u32,
    /// Whether the Region in use has newer key material than the one that wraps the master key; `None`: not known.
    pub stale_wrap: Option<bool>,
    /// When the key was made, or got new material.
    pub birth: KeyBirth,
    /// Every Region that was asked, home first.
    pub regions: Vec<RegionStatus>,
}

/// What is known of the key in one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionStatus {
    /// Its name.
    pub region: String,
    /// The last verdict, as in [`KmsStatus::verdict`].
    pub verdict: &'static str,
    /// `Enabled`, `Disabled`, …; empty where it was never read.
    pub key_state: String,
    /// The service's code of the last failure; empty after a success.
    pub last_error_code: String,
    /// When it was asked last.
    pub last_probe: Option<Instant>,
    /// Denials one after the other.
    pub denied_in_a_row: u32,
    /// Whether it is the home Region.
    pub home: bool,
    /// Whether it is the one in use.
    pub active: bool,
}

impl KmsStatus {
    /// Before anything was asked.
    pub fn new(key: &KeyAccess) -> Self {
        let enabled = key.config().enabled;
        let home = || key.home().map(|home| home.to_string());
        let home = enabled.then(home).flatten().unwrap_or_default();
        Self {
            enabled,
            provider: if enabled { key.config().provider.name() } else { "none" },
            cmk_arn: if enabled { key.settings().cmk_arn.clone() } else { String::new() },
            region: home.clone(),
            home_region: home,
            failed_over: false,
            override_region: String::new(),
            verdict: "unknown",
            verdict_since: None,
            last_error_code: String::new(),
            help_code: "",
            last_probe: None,
            next_probe: None,
            stops_at: None,
            denied_in_a_row: 0,
            stale_wrap: None,
            birth: KeyBirth::default(),
            regions: Vec::new(),
        }
    }

    /// Milliseconds since the last probe; 0 where there was none.
    pub fn last_probe_age_ms(&self) -> u64 {
        since(self.last_probe)
    }
}

/// Milliseconds since `at`; 0 where there is none.
pub(crate) fn since(at: Option<Instant>) -> u64 {
    at.map_or(0, |at| millis(at.elapsed()))
}

/// Milliseconds until `at`; 0 where there is none or it is over.
pub(crate) fn until(at: Option<Instant>) -> u64 {
    at.map_or(0, |at| millis(at.saturating_duration_since(Instant::now())))
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
