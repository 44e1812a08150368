//! Who we are to AWS.
//!
//! Invariant: what is cached is used only while it is valid, and [`CredentialStore::fresh`] never
//! answers from the cache.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::sync::Mutex;

use super::AssumeRole;
use super::provider::Transport;
use super::translate::{chain, error_of, is_public};
use crate::kms::{KmsError, Region};

/// Credentials that end sooner than this are renewed before they are used.
const MARGIN: Duration = Duration::from_secs(60);

/// Where our own credentials come from, before any role is assumed.
#[derive(Clone, Debug)]
pub(super) enum Base {
    /// Environment, profile, web identity, container, instance metadata: built anew each time, so
    /// that a changed file is read again.
    DefaultChain,
    /// A provider given by the program.
    Given(SharedCredentialsProvider),
}

/// The credentials for KMS.
#[derive(Debug)]
pub(super) struct CredentialStore {
    base: Base,
    role: Option<AssumeRole>,
    held: Mutex<Option<Credentials>>,
}

impl CredentialStore {
    pub(super) fn new(base: Base, role: Option<AssumeRole>) -> Self {
        Self { base, role, held: Mutex::new(None) }
    }

    /// Credentials that are valid now, from the cache if it has some.
    pub(super) async fn current(
        &self,
        transport: &Transport,
        region: &Region,
    ) -> Result<Credentials, KmsError> {
        let mut held = self.held.lock().await;
        if let Some(credentials) = held.as_ref().filter(|held| is_valid_for(held, MARGIN)) {
            return Ok(credentials.clone());
        }
        match self.fetch(transport, region).await {
            Ok(credentials) => Ok(held.insert(credentials).clone()),
            // What still has seconds to live is better than nothing.
            Err(error) => {
                let last = held.as_ref().filter(|held| is_valid_for(held, Duration::ZERO));
                last.cloned().ok_or(error)
            }
        }
    }

    /// Takes new credentials, whatever the cache holds. On an error the cache is left as it is.
    pub(super) async fn fresh(&self, transport: &Transport, region: &Region) -> Result<(), KmsError> {
        // The lock is not held meanwhile: a slow STS must not keep others from what is cached.
        let credentials = self.fetch(transport, region).await?;
        *self.held.lock().await = Some(credentials);
        Ok(())
    }

    async fn fetch(&self, transport: &Transport, region: &Region) -> Result<Credentials, KmsError> {
        self.try_fetch(transport, region).await.map_err(KmsError::of_credentials)
    }

    async fn try_fetch(&self, transport: &Transport, region: &Region) -> Result<Credentials, KmsError> {
        let limit = transport.timeouts().total;
        let base = match tokio::time::timeout(limit, self.fetch_base(transport, region)).await {
            Ok(base) => base.map_err(|error| base_error(&error))?,
            Err(_) => {
                let message = "no provider had credentials in time";
                return Err(KmsError::from_code("CredentialsNotLoaded", message));
            }
        };
        match &self.role {
            Some(role) => assume(transport, region, base, role).await,
            None => Ok(base),
        }
    }

    async fn fetch_base(
        &self,
        transport: &Transport,
        region: &Region,
    ) -> Result<Credentials, CredentialsError> {
        match &self.base {
            Base::Given(provider) => provider.provide_credentials().await,
            Base::DefaultChain => {
                let config = ProviderConfig::without_region()
                    .with_http_client(transport.http_client())
                    .with_timeout_config(transport.timeout_config())
                    .with_retry_config(transport.retry_config());
                let chain = DefaultCredentialsChain::builder()
                    .configure(config)
                    .region(aws_config::Region::new(region.to_string()));
                chain.build().await.provide_credentials().await
            }
        }
    }
}

fn is_valid_for(credentials: &Credentials, margin: Duration) -> bool {
    credentials.expiry().is_none_or(|end| end > SystemTime::now() + margin)
}

async fn assume(
    transport: &Transport,
    region: &Region,
    base: Credentials,
    role: &AssumeRole,
) -> Result<Credentials, KmsError> {
    let answer = transport
        .sts(region, base)
        .assume_role()
        .role_arn(&role.arn)
        .role_session_name(&role.session_name)
        .set_external_id(role.external_id.clone())
        .send()
        .await
        .map_err(|error| error_of(&error))?;
    let found = answer
        .credentials()
        .ok_or_else(|| KmsError::from_code("ResponseError", "AssumeRole answered without credentials"))?;
    let expiry = SystemTime::try_from(*found.expiration())
        .map_err(|_| KmsError::from_code("ResponseError", "AssumeRole answered with an impossible date"))?;
    let token = Some(found.session_token().to_owned());
    let (id, secret) = (found.access_key_id(), found.secret_access_key());
    Ok(Credentials::new(id, secret, token, Some(expiry), "coffer"))
}

/// Reads why there are no credentials: a role that a provider of the chain could not assume is
/// told apart from a provider that did not answer.
fn base_error(error: &CredentialsError) -> KmsError {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = source {
        let code =
            cause.downcast_ref::<AssumeRoleError>().and_then(ProvideErrorMetadata::code).or_else(|| {
                let cause = cause.downcast_ref::<AssumeRoleWithWebIdentityError>()?;
                ProvideErrorMetadata::code(cause)
            });
        if let Some(code) = code {
            return KmsError::from_code(code, chain(error));
        }
        source = cause.source();
    }
    let code = if is_public(error) { "PublicEndpoint" } else { "CredentialsNotLoaded" };
    KmsError::from_code(code, chain(error))
}
