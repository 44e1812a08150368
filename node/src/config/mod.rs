//! The configuration: a TOML file, then `COFFER_*` variables, then flags; each later one wins.
//!
//! Invariants:
//! - Every option has a default that is written down with its reason in `config/cofferd.toml`, and a test keeps the two
//!   equal. An option that has to be set has the default "empty".
//! - A key that is not an option is refused, wherever it comes from, and the nearest option is named.
//! - A relative path in a file is from the directory of that file; one from elsewhere is from the working directory.
//! - There are no secrets in it: credentials come from where AWS's libraries look for them.

mod alerts;
mod cluster;
mod encryption;
mod error;
mod health;
mod layers;
mod limits;
mod listen;
mod log;
mod metrics;
mod problems;
mod raft;
mod rotation;
mod size;
mod span;
mod stop;
mod storage;
mod unknown;

use std::path::Path;

use coffer_proto::v1;
use serde::{Deserialize, Serialize};

pub use alerts::AlertsSection;
pub use cluster::{ClusterSection, MemberAddress};
pub use encryption::{EncryptionSection, Provider};
pub use error::ConfigError;
pub use health::HealthSection;
pub use limits::LimitsSection;
pub use listen::{ListenSection, resolve};
pub use log::{LogFormat, LogLevel, LogSection};
pub use metrics::MetricsSection;
pub use problems::Problems;
pub use raft::RaftSection;
pub use rotation::RotationSection;
pub use size::{Size, SizeError};
pub use span::{Span, SpanError};
pub use stop::StopSection;
pub use storage::StorageSection;

use crate::key_settings::KeySettings;

/// Everything that a member is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which replica set this is, and which member of it.
    pub cluster: ClusterSection,
    /// Where this member listens.
    pub listen: ListenSection,
    /// Where the data is, and what it may take.
    pub storage: StorageSection,
    /// The customer's key and the service that holds it.
    pub encryption: EncryptionSection,
    /// How the customer's key is watched.
    pub health: HealthSection,
    /// When master keys are rotated.
    pub rotation: RotationSection,
    /// What a person is told of.
    pub alerts: AlertsSection,
    /// The clocks of the replica set.
    pub raft: RaftSection,
    /// How much this member takes on at once.
    pub limits: LimitsSection,
    /// How long a stop may take.
    pub stop: StopSection,
    /// What the member writes to its standard error.
    pub log: LogSection,
    /// Where metrics are served.
    pub metrics: MetricsSection,
}

impl Config {
    /// Reads `file`, if one is named, lays `environment` over it and then `settings` (`section.key`, value), and checks the
    /// result. Only variables of the shape `COFFER_SECTION__KEY` are read.
    ///
    /// # Errors
    /// The file cannot be read, a key is not an option, a value is not one, or the whole does not fit together; the
    /// message says what to do about it.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        settings: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(path) => layers::read(path)?,
            None => toml::Table::new(),
        };
        layers::lay_environment(&mut table, environment)?;
        for (key, value) in settings {
            layers::set(&mut table, key, value, "--set")?;
        }
        let config: Self =
            table.try_into().map_err(|error: toml::de::Error| ConfigError::Layers(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with everything that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Problems::default();
        self.cluster.check(&mut problems);
        self.listen.check(self.cluster.own_address(), &mut problems);
        self.storage.check(&mut problems);
        self.encryption.check(&mut problems);
        self.health.check(&mut problems);
        self.rotation.check(&mut problems);
        self.alerts.check(&mut problems);
        self.raft.check(&mut problems);
        self.limits.check(&mut problems);
        self.stop.check(&mut problems);
        self.metrics.check(&self.listen, &mut problems);
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// The settings of the customer's key with which a new replica set begins, as version 0; `None` with encryption off.
    pub fn key_settings(&self) -> Option<KeySettings> {
        let encryption = &self.encryption;
        let settings = v1::KmsSettings {
            version: 0,
            cmk_arn: encryption.cmk_arn.clone(),
            regions: encryption.regions.clone(),
            role_arn: encryption.role_arn.clone(),
            external_id: encryption.external_id.clone(),
            rotation: self.rotation.policy().ok(),
            alerts: Some(self.alerts.policy()),
            changed: String::new(),
        };
        // What was checked is valid.
        encryption.enabled.then(|| KeySettings::parse(&settings, 0).ok()).flatten()
    }

    /// `host:port` to listen on.
    pub fn listen_address(&self) -> &str {
        match self.listen.address.as_str() {
            "" => self.cluster.own_address().unwrap_or_default(),
            address => address,
        }
    }

    /// `host:port` that clients and peers are told.
    pub fn advertised_address(&self) -> &str {
        match self.listen.advertise.as_str() {
            "" => self.cluster.own_address().unwrap_or(&self.listen.address),
            address => address,
        }
    }

    /// The whole configuration as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every section writes itself as a table with text keys")
    }
}

#[cfg(test)]
mod tests;
