//! `[metrics]`: where metrics are served.

use serde::{Deserialize, Serialize};

use super::{ListenSection, Problems};

/// Where metrics are served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSection {
    /// `host:port` of `/metrics`, `/livez` and `/readyz`; empty: they are not served.
    pub address: String,
}

impl MetricsSection {
    /// Notes what is wrong.
    pub(super) fn check(&self, listen: &ListenSection, problems: &mut Problems) {
        if !self.address.is_empty() {
            listen.check_local("metrics.address", &self.address, problems);
        }
    }
}
