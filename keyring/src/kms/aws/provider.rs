//! AWS KMS as its users see it.

use std::fmt;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{BehaviorVersion, IdentityCache, SharedHttpClient};
use aws_sdk_kms::operation::RequestId;
use aws_sdk_kms::primitives::Blob;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use zeroize::Zeroizing;

use super::credentials::{Base, CredentialStore};
use super::private_resolver::PrivateResolver;
use super::translate::{description_of, error_of};
use super::{AssumeRole, AwsKmsConfig, AwsKmsConfigError, AwsTimeouts};
use crate::kms::{
    EncryptionContext, ErrorFacts, KeyArn, KeyDescription, Kms, KmsError, Region, Unwrapped, Wrapped,
};

/// Pauses between attempts: a probe has five seconds in all.
const FIRST_BACKOFF: std::time::Duration = std::time::Duration::from_millis(100);
const MAX_BACKOFF: std::time::Duration = std::time::Duration::from_millis(500);

/// AWS KMS in any of its Regions.
#[derive(Debug)]
pub struct AwsKms {
    transport: Transport,
    credentials: CredentialStore,
}

/// What all clients share: connections, limits and endpoints.
pub(super) struct Transport {
    http: SharedHttpClient,
    config: AwsKmsConfig,
}

impl AwsKms {
    /// AWS KMS with the credentials of the default chain: environment, profile, web identity,
    /// container, instance metadata. Nothing is asked of AWS yet.
    ///
    /// # Errors
    /// When the configuration cannot be meant.
    pub fn new(config: AwsKmsConfig) -> Result<Self, AwsKmsConfigError> {
        Self::with_base(config, Base::DefaultChain)
    }

    /// AWS KMS with credentials of the caller's.
    ///
    /// # Errors
    /// When the configuration cannot be meant.
    pub fn with_credentials(
        config: AwsKmsConfig,
        provider: impl ProvideCredentials + 'static,
    ) -> Result<Self, AwsKmsConfigError> {
        Self::with_base(config, Base::Given(SharedCredentialsProvider::new(provider)))
    }

    fn with_base(config: AwsKmsConfig, base: Base) -> Result<Self, AwsKmsConfigError> {
        Self::with_resolver(config, base, PrivateResolver::default())
    }

    /// `resolver` is used where a private network is required.
    pub(super) fn with_resolver(
        config: AwsKmsConfig,
        base: Base,
        resolver: PrivateResolver,
    ) -> Result<Self, AwsKmsConfigError> {
        config.check()?;
        let role = config.assume_role.clone();
        // No proxy is taken from the environment: it would see where we go.
        let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let http = if config.require_private_network {
            http.build_with_resolver(resolver)
        } else {
            http.build_https()
        };
        let transport = Transport { http, config };
        Ok(Self { transport, credentials: CredentialStore::new(base, role) })
    }

    /// The role that is assumed, where one is.
    pub fn role(&self) -> Option<&AssumeRole> {
        self.transport.config.assume_role.as_ref()
    }

    /// Whether public addresses are refused.
    pub fn requires_private_network(&self) -> bool {
        self.transport.config.require_private_network
    }

    async fn client(&self, region: &Region) -> Result<aws_sdk_kms::Client, KmsError> {
        let credentials = self.credentials.current(&self.transport, region).await?;
        Ok(self.transport.kms(region, credentials))
    }

    /// Whether a call is worth another try with new credentials; takes them if so.
    async fn renewed(&self, region: &Region, error: &KmsError) -> bool {
        matches!(error.code.as_str(), "ExpiredTokenException" | "ExpiredToken")
            && self.credentials.fresh(&self.transport, region).await.is_ok()
    }

    /// Reads the key's state for an error that is told by it.
    async fn explain(&self, region: &Region, key: &KeyArn, error: KmsError) -> KmsError {
        if error.code != "KMSInvalidStateException" {
            return error;
        }
        let Ok(description) = self.describe(region, key).await else { return error };
        let facts = ErrorFacts {
            code: &error.code,
            http_status: Some(409),
            key_state: Some(&description.state),
            clock_skew: None,
        };
        KmsError::new(&facts, error.message.clone(), error.request_id.clone())
    }

    async fn encrypt_once(
        &self,
        region: &Region,
        key: &KeyArn,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Wrapped, KmsError> {
        let mut call = self.client(region).await?.encrypt().key_id(key.to_string());
        for (name, value) in context.iter() {
            call = call.encryption_context(name, value);
        }
        let answer = call.plaintext(Blob::new(plaintext)).send().await.map_err(|error| error_of(&error))?;
        let request_id = answer.request_id().map(ToOwned::to_owned);
        let key_id = answer.key_id().unwrap_or_default().to_owned();
        let ciphertext = answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
        if ciphertext.is_empty() {
            return Err(KmsError::from_code("ResponseError", "Encrypt answered without a ciphertext"));
        }
        Ok(Wrapped { ciphertext, key_id, key_material_id: None, request_id })
    }

    async fn decrypt_once(
        &self,
        region: &Region,
        key: &KeyArn,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Unwrapped, KmsError> {
        let mut call = self.client(region).await?.decrypt().key_id(key.to_string());
        for (name, value) in context.iter() {
            call = call.encryption_context(name, value);
        }
        let call = call.ciphertext_blob(Blob::new(ciphertext));
        let mut answer = call.send().await.map_err(|error| error_of(&error))?;
        let request_id = answer.request_id().map(ToOwned::to_owned);
        let key_material_id = answer.key_material_id().map(ToOwned::to_owned);
        // The SDK's own copies of the answer cannot be reached to be wiped; this one can.
        let plaintext = Zeroizing::new(answer.plaintext.take().map(Blob::into_inner).unwrap_or_default());
        // The service says which key it used; another one must not pass.
        let used = answer.key_id().unwrap_or_default();
        if !KeyArn::parse(used).is_ok_and(|used| used == *key) {
            return Err(KmsError::from_code("IncorrectKeyException", "another key decrypted"));
        }
        Ok(Unwrapped { plaintext, key_material_id, request_id })
    }

    async fn describe_once(&self, region: &Region, key: &KeyArn) -> Result<KeyDescription, KmsError> {
        let client = self.client(region).await?;
        let answer = client.describe_key().key_id(key.to_string()).send().await;
        let answer = answer.map_err(|error| error_of(&error))?;
        description_of(&answer, answer.request_id().map(ToOwned::to_owned))
    }
}

#[async_trait]
impl Kms for AwsKms {
    async fn encrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Wrapped, KmsError> {
        let mut answer = self.encrypt_once(region, key, plaintext, context).await;
        if let Err(error) = &answer
            && self.renewed(region, error).await
        {
            answer = self.encrypt_once(region, key, plaintext, context).await;
        }
        match answer {
            Ok(wrapped) => Ok(wrapped),
            Err(error) => Err(self.explain(region, key, error).await),
        }
    }

    async fn decrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Unwrapped, KmsError> {
        let mut answer = self.decrypt_once(region, key, ciphertext, context).await;
        if let Err(error) = &answer
            && self.renewed(region, error).await
        {
            answer = self.decrypt_once(region, key, ciphertext, context).await;
        }
        match answer {
            Ok(unwrapped) => Ok(unwrapped),
            Err(error) => Err(self.explain(region, key, error).await),
        }
    }

    async fn describe(&self, region: &Region, key: &KeyArn) -> Result<KeyDescription, KmsError> {
        match self.describe_once(region, key).await {
            Err(error) if self.renewed(region, &error).await => self.describe_once(region, key).await,
            answer => answer,
        }
    }

    async fn refresh_credentials(&self, region: &Region) -> Result<(), KmsError> {
        self.credentials.fresh(&self.transport, region).await
    }
}

impl Transport {
    pub(super) fn timeouts(&self) -> AwsTimeouts {
        self.config.timeouts
    }

    pub(super) fn http_client(&self) -> SharedHttpClient {
        self.http.clone()
    }

    pub(super) fn timeout_config(&self) -> TimeoutConfig {
        let AwsTimeouts { connect, attempt, total, .. } = self.config.timeouts;
        TimeoutConfig::builder()
            .connect_timeout(connect)
            .read_timeout(attempt)
            .operation_attempt_timeout(attempt)
            .operation_timeout(total)
            .build()
    }

    pub(super) fn retry_config(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.config.timeouts.max_attempts)
            .with_initial_backoff(FIRST_BACKOFF)
            .with_max_backoff(MAX_BACKOFF)
    }

    /// A client of KMS in a Region, for one call: it is cheap, and the connections are shared.
    fn kms(&self, region: &Region, credentials: Credentials) -> aws_sdk_kms::Client {
        let mut config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_sdk_kms::config::Region::new(region.to_string()))
            .http_client(self.http_client())
            .timeout_config(self.timeout_config())
            .retry_config(self.retry_config())
            // A cache would keep every session that was ever taken.
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(credentials);
        if let Some(endpoint) = self.config.endpoints.get(region) {
            config = config.endpoint_url(endpoint);
        }
        aws_sdk_kms::Client::from_conf(config.build())
    }

    /// A client of STS in a Region, for one call.
    pub(super) fn sts(&self, region: &Region, credentials: Credentials) -> aws_sdk_sts::Client {
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_sdk_sts::config::Region::new(region.to_string()))
            .http_client(self.http_client())
            .timeout_config(self.timeout_config())
            .retry_config(self.retry_config())
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(credentials);
        if let Some(endpoint) = &self.config.sts_endpoint {
            config = config.endpoint_url(endpoint);
        }
        aws_sdk_sts::Client::from_conf(config.build())
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("config", &self.config).finish_non_exhaustive()
    }
}
