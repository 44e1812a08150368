//! The provider of the customer's key, as it is configured.

use std::sync::Arc;

use coffer_keyring::kms::Kms;
use coffer_keyring::kms::local::LocalKms;

use super::BootError;
use crate::config::{EncryptionSection, Provider};

/// Sets the provider up. Nothing is asked of it yet.
pub(crate) async fn provider(encryption: &EncryptionSection) -> Result<Arc<dyn Kms>, BootError> {
    match encryption.provider {
        Provider::Local => local(encryption),
        Provider::Aws => aws(encryption).await,
    }
}

fn local(encryption: &EncryptionSection) -> Result<Arc<dyn Kms>, BootError> {
    let kms =
        LocalKms::open(&encryption.local_dir).map_err(|error| BootError::Provider(error.to_string()))?;
    tracing::warn!(
        dir = %encryption.local_dir.display(),
        "the customer's key is a file (encryption.provider = \"local\"): this protects nothing and is for development only"
    );
    Ok(Arc::new(kms))
}

async fn aws(_encryption: &EncryptionSection) -> Result<Arc<dyn Kms>, BootError> {
    Err(BootError::Provider("aws".to_owned()))
}
