//! The provider of the customer's key, as it is configured.

use std::sync::Arc;

use coffer_keyring::MemberId;
use coffer_keyring::kms::Kms;
use coffer_keyring::kms::aws::AwsKms;
use coffer_keyring::kms::local::LocalKms;

use super::BootError;
use crate::config::{EncryptionSection, Provider};

/// Sets the provider up. Nothing is asked of it yet.
pub(crate) fn provider(encryption: &EncryptionSection, member: MemberId) -> Result<Arc<dyn Kms>, BootError> {
    Ok(match encryption.provider {
        Provider::Local => Arc::new(
            LocalKms::open(&encryption.local_dir).map_err(|error| BootError::Provider(error.to_string()))?,
        ),
        Provider::Aws => Arc::new(
            AwsKms::new(encryption.aws(member)).map_err(|error| BootError::Provider(error.to_string()))?,
        ),
    })
}
