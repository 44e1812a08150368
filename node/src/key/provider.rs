//! The provider of the customer's key, as configuration and settings have it.

use std::sync::Arc;

use coffer_keyring::MemberId;
use coffer_keyring::kms::Kms;
use coffer_keyring::kms::aws::AwsKms;
use coffer_keyring::kms::local::LocalKms;
use coffer_proto::internal::v1::SettingsRecord;

use crate::config::{EncryptionSection, Provider};

/// The provider cannot be set up; the message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider of the customer's key cannot be set up: {0}")]
pub struct ProviderError(pub(super) String);

/// Sets the provider up: endpoints, timeouts and directory as this member is configured, the role as the settings have it.
/// Nothing is asked of it yet.
pub(super) fn build(
    config: &EncryptionSection,
    member: MemberId,
    settings: &SettingsRecord,
) -> Result<Arc<dyn Kms>, ProviderError> {
    let failed = |error: &dyn std::error::Error| ProviderError(error.to_string());
    Ok(match config.provider {
        Provider::Local => Arc::new(LocalKms::open(&config.local_dir).map_err(|error| failed(&error))?),
        Provider::Aws => {
            let role = EncryptionSection {
                role_arn: settings.role_arn.clone(),
                external_id: settings.external_id.clone(),
                ..config.clone()
            };
            Arc::new(AwsKms::new(role.aws(member)).map_err(|error| failed(&error))?)
        }
    })
}
